"""compare: which way of searching finds the better front?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import Quiet, command, console, named_numbers, names_in
from wiring_search.cli.tables import finite, plain, print_files, print_table

if TYPE_CHECKING:
    import pandas

    from wiring_search.analysis.compare import Comparison

_COLUMNS = [
    "method",
    "runs",
    "candidates",
    "core-hours",
    "best error",
    "enough",
    "hypervolume",
    "at equal cost",
    "IGD+",
    "epsilon",
]


@command("Results")
def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="A B …", help="Two or more run folders of one task.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the page and the table.")] = Path(
        "results/compare"
    ),
    objectives: Annotated[
        str,
        typer.Option(help="2 to 5, comma-separated. Default: those that all studies share."),
    ] = "",
    reference: Annotated[
        str,
        typer.Option(
            help="Reference point of the hypervolume, such as error=0.9,synapses=1000. "
            "Default: the worst of all studies."
        ),
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Compare studies of one task: which method finds the better front?

    Studies that differ only in their seed are runs of one method. Run each method five times or
    more; one run says nothing about its method. Writes OUT/compare.html and OUT/compare.csv.

    [bold]Example[/]

      wiring-search compare results/tpe-1 results/tpe-2 results/random-1 results/random-2
    """
    from wiring_search.analysis.compare import compare as compare_studies
    from wiring_search.cli.progress import counted
    from wiring_search.report.compare import write_comparison

    names = names_in(objectives)
    point = named_numbers("--reference", reference)
    with counted(console, "studies", quiet) as on_progress:
        found = compare_studies(folders, names, point, on_progress)
    page, table = write_comparison(found, out)
    _show(found)
    console.print()
    print_files(Page=page, Table=table)


def _show(found: "Comparison") -> None:
    print_table(
        _COLUMNS,
        [_row(row) for _, row in found.methods.iterrows()],
        f"{found.task}: {len(found.runs)} studies in {', '.join(found.objectives)} "
        "(means over runs)",
    )
    if len(found.pairs):
        rows = [
            [f"{row['first']} – {row['second']}", f"{row['difference']:+.3f}"]
            + [f"{row[name]:.2g}" for name in ("p", "p_holm", "least_p", "better")]
            for _, row in found.pairs.iterrows()
        ]
        columns = [
            "pair",
            "difference of hypervolume",
            "p",
            "p, Holm",
            "smallest possible p",
            "A12",
        ]
        print_table(columns, rows)
    console.print(
        f"hypervolume: share of the box below {plain(found.reference.sentence)}, "
        "with its 95 % interval",
        soft_wrap=True,
    )
    console.print(
        "enough: synapses of the smallest candidate that beats every trivial rule and is nearly as "
        "good as the best of all studies; a mean only if every run has one"
    )
    for caution in found.cautions:
        console.print(plain(caution), soft_wrap=True)
    console.print(plain(found.answer), soft_wrap=True)


def _row(row: "pandas.Series") -> list[str]:
    return [
        row["method"],
        f"{row['runs']:.0f}",
        f"{row['judged']:.0f}",
        f"{row['core_seconds'] / 3600:.2g}",
        finite(row["error"], 4),
        finite(row["enough"], 4),
        _share(row),
        finite(row["share_equal"], 3),
        finite(row["igd_plus"], 2),
        finite(row["epsilon"], 2),
    ]


def _share(row: "pandas.Series") -> str:
    share = f"{row['share']:.3f}"
    if row["share_lower"] != row["share_lower"]:  # NaN: one run has no interval
        return share
    return f"{share} ({row['share_lower']:.3f} to {row['share_upper']:.3f})"
