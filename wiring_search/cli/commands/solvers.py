"""solvers: one trained network with every solver."""

from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import Folder, Quiet, Trial, command, console
from wiring_search.cli.tables import finite, plain, print_files, print_table

if TYPE_CHECKING:
    import pandas


@command("Trained networks")
def solvers(
    out: Folder,
    trial: Trial,
    samples: Annotated[
        int, typer.Option(min=1, help="Validation sequences to measure solver errors on.")
    ] = 64,
    hyper: Annotated[bool, typer.Option(help="Fit hypersolvers and compare them too.")] = True,
    quiet: Quiet = False,
) -> None:
    """Run a trained network with other solvers: cost, accuracy, task error.

    For neurons with a choice of solvers, such as ltc and ct-rnn. The network is not trained again;
    hypersolvers are fitted on training sequences. Writes OUT/trial-N-solvers.csv and
    OUT/trial-N-solvers.png.
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted

    with counted(console, "solvers", quiet) as on_progress:
        found = run.solvers(out, trial, samples, hyper, on_progress)
    scores = list(dict.fromkeys([run.Run(out).metric, "error"]))
    rows = [_row(row, scores) for _, row in found.table.iterrows()]
    print_table(
        ["solver", "steps", "evaluations", "terminal error", "worst error", "stable", *scores, ""],
        rows,
        f"Trial {trial} with other solvers (validation split)",
    )
    console.print(
        "evaluations: of the right-hand side per time step. "
        "A hypersolver adds one correction per sub-step."
    )
    console.print(
        "terminal and worst error: of the neurons' states, relative to a fine solution with the "
        "same weights"
    )
    console.print(plain(found.answer), soft_wrap=True)
    console.print()
    print_files(Table=found.csv, Picture=found.picture)


def _row(row: "pandas.Series", scores: list[str]) -> list[str]:
    note = ""
    if row["trained_with"]:
        note = "trained with"
    elif row["fine"]:
        note = "fine solution"
    return [
        row["solver"],
        str(row["steps"]),
        str(row["function_evaluations"]),
        *(finite(row[name], 2) for name in ("terminal_error", "worst_error")),
        "yes" if row["stable"] else "no",
        *(finite(row[name], 4) for name in scores),
        note,
    ]
