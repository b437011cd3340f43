"""memory: the recall suite for trials of a search."""

from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import (
    Folder,
    Quiet,
    command,
    console,
    names_in,
    whole_numbers,
)
from wiring_search.cli.tables import print_files, print_table, with_spread

if TYPE_CHECKING:
    import pandas


@command("Trained networks")
def memory(
    out: Folder,
    trial: Annotated[
        list[int], typer.Option(help="A trial's number, as in the tables; repeatable.")
    ],
    tasks: Annotated[
        str,
        typer.Option(
            help="Comma-separated: recall, copy, adding, parity, parity-dense, pixel-digits, "
            "permuted-pixel-digits."
        ),
    ] = "recall,copy,adding,parity-dense",
    lags: Annotated[
        str, typer.Option(help="Steps to remember over, comma-separated.")
    ] = "4,8,16,32",
    seeds: Annotated[int, typer.Option(help="Seeds of the weights for each trial.")] = 3,
    epochs: Annotated[int, typer.Option(help="Passes over the training split of each task.")] = 10,
    samples: Annotated[int, typer.Option(help="Training sequences of each task.")] = 4000,
    quiet: Quiet = False,
) -> None:
    """Measure how far back trials can remember.

    Trains each trial on tasks of long-term memory. Writes OUT/memory.csv and OUT/memory.png.

    [bold]Example[/]

      wiring-search memory results/mine --trial 4 --trial 17 --lags 4,8,16
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted

    steps = whole_numbers("--lags", lags)
    with counted(console, "memory trainings", quiet) as on_progress:
        rows, standings = run.memory(
            out, trial, names_in(tasks), steps, seeds, epochs, samples, on_progress
        )
    _show(rows, standings)
    print_files(Table=out / run.MEMORY_TABLE, Picture=out / run.MEMORY_PICTURE)


def _show(rows: "pandas.DataFrame", standings: "pandas.DataFrame") -> None:
    cells = [
        [
            str(row.trial),
            row.task,
            str(row.lag),
            f"{row.solved} of {row.tried}",
            with_spread(row.metric, row.mean, row.spread),
        ]
        for row in rows.itertuples()
    ]
    columns = ["trial", "task", "lag", "seeds that solved it", "on the test split"]
    print_table(columns, cells, "Long-term memory")
    cells = [
        [str(row.trial), row.task, str(row.longest), with_spread("", row.area, row.spread)]
        for row in standings.itertuples()
    ]
    print_table(["trial", "task", "longest lag solved", "area (0 … 1)"], cells)
