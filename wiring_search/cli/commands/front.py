"""front: the Pareto front of a search."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from wiring_search.cli.options import (
    Folder,
    Objectives,
    command,
    console,
    named_numbers,
    names_in,
)
from wiring_search.cli.tables import plain, show_front


@command("Results")
def front(
    out: Folder,
    objectives: Objectives = "",
    reference: Annotated[
        str,
        typer.Option(
            help="Reference point of the hypervolume, such as error=0.9,synapses=1000. "
            "Default: the search's."
        ),
    ] = "",
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw size against error into this file (.png, .pdf, .svg)."),
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print all columns as CSV on standard output.")
    ] = False,
) -> None:
    """Show the Pareto front of a search, finished or running.

    With its knee, its certainty and its hypervolume.

    [bold]Examples[/]

      wiring-search front results/mine

      wiring-search front results/mine --objectives error,latency_us --plot front.png
    """
    from wiring_search.run import Run

    run = Run(out)
    found = run.analysed(names_in(objectives) or None, named_numbers("--reference", reference))
    if csv:
        found.rows[found.rows["baseline"] == ""].to_csv(sys.stdout, index=False)
    else:
        show_front(run, found)
    if plot is not None:
        run.draw(found, plot)
        if not csv:
            console.print(f"Picture: {plain(str(plot))}", soft_wrap=True)
