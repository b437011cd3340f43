"""The command that compares studies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import Quiet, app, console, named_numbers, names_in
from wiring_search.cli.tables import finite, plain, print_table

if TYPE_CHECKING:
    import pandas

    from wiring_search.analysis.compare import Comparison


@app.command()
def compare(
    folders: Annotated[
        list[Path], typer.Argument(metavar="A B …", help="Run folders of one task, two or more.")
    ],
    out: Annotated[Path, typer.Option(help="Where the page and the table go.")] = Path(
        "results/compare"
    ),
    objectives: Annotated[
        str,
        typer.Option(help="2 to 5, by commas. Default: those that all of them have searched for."),
    ] = "",
    reference: Annotated[
        str,
        typer.Option(
            help="Measure hypervolumes from another point, such as error=0.9,synapses=1000. Default: the studies' worst."
        ),
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Compare studies of one task: which way of searching finds the better front, and is the
    difference more than luck?

    Studies that differ in their seed alone are runs of one method. Give each method several, five
    or more, for one run says nothing about its method. Writes OUT/compare.html and OUT/compare.csv.

    [bold]Example[/]

      wiring-search compare results/tpe-1 results/tpe-2 results/tpe-3 results/random-1 results/random-2 results/random-3
    """
    from wiring_search.analysis.compare import compare as compared
    from wiring_search.cli.progress import counted
    from wiring_search.report.compare import write_comparison

    with counted(console, "studies", quiet) as told:
        found = compared(
            folders, names_in(objectives), named_numbers("--reference", reference), told
        )
    page, table = write_comparison(found, out)
    _show(found)
    console.print(f"\nPage: {plain(str(page))}\nTable: {plain(str(table))}", soft_wrap=True)


def _show(found: "Comparison") -> None:
    rows = [
        [
            row["method"],
            f"{row['runs']:.0f}",
            f"{row['judged']:.0f}",
            f"{row['core_seconds'] / 3600:.2g}",
        ]
        + [
            finite(row["error"], 4),
            finite(row["enough"], 4),
            _share(row),
            finite(row["share_equal"], 3),
        ]
        + [finite(row["igd_plus"], 2), finite(row["epsilon"], 2)]
        for _, row in found.methods.iterrows()
    ]
    columns = [
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
    print_table(
        columns,
        rows,
        f"{found.task}: {len(found.runs)} studies in {', '.join(found.objectives)} (means over runs)",
    )
    if len(found.pairs):
        rows = [
            [f"{row['first']} – {row['second']}", f"{row['difference']:+.3f}"]
            + [f"{row[name]:.2g}" for name in ("p", "p_holm", "least_p", "better")]
            for _, row in found.pairs.iterrows()
        ]
        print_table(
            ["pair", "difference of hypervolume", "p", "p, Holm", "least p there is", "A12"], rows
        )
    console.print(
        f"hypervolume: share of the box below {plain(found.reference.sentence)}, with its 95 % interval",
        soft_wrap=True,
    )
    console.print(
        "enough: synapses of the smallest candidate that is nearly as good as the best of all studies, where every run "
        "has one; it has to beat every trivial rule"
    )
    for caution in found.cautions:
        console.print(plain(caution), soft_wrap=True)
    console.print(plain(found.answer), soft_wrap=True)


def _share(row: "pandas.Series") -> str:
    interval = (
        f" ({row['share_lower']:.3f} to {row['share_upper']:.3f})"
        if row["share_lower"] == row["share_lower"]
        else ""
    )
    return f"{row['share']:.3f}{interval}"
