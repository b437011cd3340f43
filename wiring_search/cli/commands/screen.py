"""screen: rank random candidates without training."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import Machine, Quiet, SpaceChoice, TaskChoice, command, console
from wiring_search.cli.tables import number, plain, print_table

if TYPE_CHECKING:
    from wiring_search.run import Screened


@command("Search")
def screen(
    context: typer.Context,
    task: TaskChoice,
    space: SpaceChoice,
    machine: Machine,
    candidates: Annotated[int, typer.Option(min=1, help="Random candidates to measure.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the sample and of initial weights.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the tables; of a search, to compare with its trained candidates. "
            "Default: results/screen-TASK-SPACE-SEED."
        ),
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="How many candidates to show.")] = 10,
    quiet: Quiet = False,
) -> None:
    """Rank thousands of random candidates without training.

    The proxies are expressivity, gradient slope and kernel rank at initialisation. In the folder of
    a search, its task and space count, and the proxies are compared with its trained scores.

    [bold]Example[/]

      wiring-search screen --task digits --candidates 10000 --out results/digits
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted
    from wiring_search.store import exists

    folder = out or Path("results") / f"screen-{task.task}-{Path(space.space).stem}-{seed}"
    config = run.study_config(task.task, space.space, task.options, space.extension, seed=seed)
    if exists(folder) and _left_out(context, "task", "space", "data", "seed"):
        config = run.Run(folder).config
    with counted(console, "candidates", quiet) as on_progress:
        found = run.screen(config, folder, candidates, machine.resources, on_progress)
    _show(found, best)
    console.print(f"Tables: {plain(str(folder / 'screen.csv'))}", soft_wrap=True)


def _show(found: "Screened", best: int) -> None:
    names = ["synapses", "parameters", "expressivity", "gradient_slope", "kernel_rank", "merit"]
    rows = [
        [row["candidate_id"], *(number(row[name]) for name in names)]
        for _, row in found.table.head(best).iterrows()
    ]
    title = f"The best {len(rows)} of {len(found.table)} by merit, at initialisation"
    print_table(["candidate", *names], rows, title)
    if found.trust is None:
        console.print(
            "No trial has been trained in this folder, so how well the proxies rank is unknown."
        )
        return
    rows = [
        [row.proxy, row.score, *map(number, (row.correlation, row.low, row.high)), str(row.n)]
        for row in found.trust.itertuples()
    ]
    print_table(
        ["proxy", "trained score", "rank correlation", "95 % low", "high", "trials"],
        rows,
        "How well the proxies rank trained candidates",
    )
    console.print("A proxy whose interval contains 0 says nothing about that score here.")


def _left_out(context: typer.Context, *names: str) -> bool:
    """Whether none of these options is on the command line."""
    sources = (context.get_parameter_source(name) for name in names)
    return all(source is not None and source.name == "DEFAULT" for source in sources)
