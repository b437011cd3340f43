"""The command about winners: retrain."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wiring_search.cli.options import (
    Address,
    Device,
    Folder,
    Patience,
    Quiet,
    Trials,
    WorkerCpus,
    WorkerGpus,
    Workers,
    app,
    console,
    errors,
    names_in,
)
from wiring_search.cli.tables import finite, number, plain, print_table, with_spread

if TYPE_CHECKING:
    from pathlib import Path

    from wiring_search.analysis.significance import Mean
    from wiring_search.analysis.winners import Winners
    from wiring_search.run import Plan, Resources


@app.command()
def retrain(
    out: Folder,
    trial: Trials = None,
    seeds: Annotated[
        int, typer.Option(help="Fresh trainings of each trial, and of each of its controls.")
    ] = 5,
    controls: Annotated[
        str,
        typer.Option(
            help="What to hold each wiring against, by commas: rewired, random, polarity, dense; or none."
        ),
    ] = "rewired,random,polarity,dense",
    test: Annotated[
        bool,
        typer.Option(
            "--test/--no-test", help="Open the test split in the end. It is opened once a network."
        ),
    ] = True,
    workers: Workers = None,
    address: Address = None,
    worker_cpus: WorkerCpus = 1,
    worker_gpus: WorkerGpus = 0.0,
    device: Device = "auto",
    patience: Patience = 300.0,
    quiet: Quiet = False,
) -> None:
    """Train the winners again, beside controls, and open the test split: is it the topology, or
    only the size?

    Each trial is trained anew with seeds that the search never used, and as often each of its
    controls, each time another wiring: rewired (same degrees), random (same size), polarity (same
    graph, shuffled signs), dense (as many parameters). Then all are evaluated once on the test
    split, and the store notes that. What is trained is not trained again; more --seeds add to it.
    Writes OUT/winners.csv, OUT/controls.csv and OUT/winners.png.

    [bold]Examples[/]

      wiring-search retrain results/mine

      wiring-search retrain results/mine --trial 4 --seeds 10 --controls random,dense

      wiring-search retrain results/mine --controls none --no-test
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted
    from wiring_search.run import Resources

    resources = Resources(workers, address, worker_cpus, worker_gpus, patience, device)
    todo = run.plan(
        out, tuple(trial or ()), seeds, () if controls == "none" else names_in(controls)
    )
    if not quiet:
        _announce(out, todo, resources)
    with counted(console, "trainings", quiet) as told:
        done = run.retrain(out, todo, resources, test, told)
    if done.left:
        errors.print(
            f"\nStopped. {done.left} of {len(todo.retrainings)} trainings are left, the test split stays sealed; the same command goes on.",
            soft_wrap=True,
        )
        raise typer.Exit(130)
    assert done.winners is not None, "all that was planned is trained"
    _show(done.winners)
    _say_what_was_opened(done.winners, done.opening)
    for name in (run.WINNERS_TABLE, run.CONTROLS_TABLE, run.WINNERS_PICTURE):
        console.print(plain(str(out / name)), soft_wrap=True)


def _announce(out: "Path", todo: "Plan", resources: "Resources") -> None:
    import os

    from wiring_search.search import durations

    for (trial, control), reason in todo.inapplicable.items():
        console.print(f"trial {trial} has no control {control}: {plain(reason)}", soft_wrap=True)
    workers = max((os.cpu_count() or 1) if resources.workers is None else resources.workers, 1)
    time = f", about {durations.in_words(todo.core_seconds / workers)}" if todo.missing else ""
    console.print(
        f"Training {len(todo.trials)} winners of {plain(str(out))} and their controls: {len(todo.retrainings)} trainings, "
        f"{todo.missing} of them missing{time} (stop with Ctrl-C, nothing finished is lost)",
        soft_wrap=True,
    )


def _show(found: "Winners") -> None:
    lost = bool(found.table["failed"].sum())
    rows = [
        [
            *(str(value) for value in (row.trial, row.synapses, row.parameters)),
            number(row.searched),
            with_spread("", row.valid, row.valid_se),
            with_spread("", row.test, row.test_se)
            if row.tested
            else "sealed"
            if row.trained
            else "–",
            f"{row.certainty:.2f}",
            *([f"{row.failed} of {row.failed + row.trained}"] if lost else []),
        ]
        for row in found.table.itertuples()
    ]
    columns = [
        "trial",
        "synapses",
        "parameters",
        "error in the search",
        "validation",
        "test",
        "on the front",
        *(["failed"] if lost else []),
    ]
    print_table(
        columns,
        rows,
        f"Winners, trained again: mean error ± standard error over {found.seeds} fresh seeds",
    )
    console.print(
        _change(
            "what searching had made of luck: fresh seeds, on validation, change the error by",
            found.luck,
        ),
        soft_wrap=True,
    )
    if found.shift.n:
        console.print(
            _change("from validation to test, the same networks change it by", found.shift),
            soft_wrap=True,
        )
    if found.fronts is not None:
        console.print(
            f"fronts on test: {found.fronts.optimistic.sum()} of {found.fronts.optimistic.size} are on the optimistic one, "
            f"{found.fronts.pessimistic.sum()} on the pessimistic one; the gap is {found.fronts.gap:.1%} of the hypervolume on validation",
            soft_wrap=True,
        )
    if len(found.controls):
        columns = [
            "trial",
            "control",
            "synapses",
            "parameters",
            "error",
            "seen from",
            "what that says",
        ]
        print_table(
            columns,
            list(map(_control, found.controls.itertuples())),
            "Controls; p-values after Holm, over all of them",
        )
        console.print(
            "seen from: a true difference of that size would have been found in four cases of five; smaller ones easily go unseen"
        )
    for row in found.overall.itertuples():
        console.print(f"{row.control}: {plain(row.sentence)}", soft_wrap=True)


def _control(row: Any) -> list[str]:
    if row.reason:
        return [str(row.trial), row.control, *"––––", row.sentence]
    error = (row.test, row.test_se) if row.split == "test" else (row.valid, row.valid_se)
    sizes = f"{row.synapses:.0f}", f"{row.parameters:.0f}"
    return [
        str(row.trial),
        row.control,
        *sizes,
        with_spread("", *error),
        finite(row.visible, 2),
        row.sentence,
    ]


def _change(what: str, found: "Mean") -> str:
    interval = f" (95 %: {found.lower:+.2g} to {found.upper:+.2g})" if found.n > 1 else ""
    return f"{what} {found.mean:+.2g}{interval}"


def _say_what_was_opened(found: "Winners", opening: int | None) -> None:
    count = len(found.openings)
    if opening is not None:
        console.print(f"This was opening {opening} of this test split.", soft_wrap=True)
    elif count:
        console.print(
            f"Nothing was opened now: these numbers are from opening{' 1' if count == 1 else f's 1 to {count}'} of this test split.",
            soft_wrap=True,
        )
    else:
        console.print("The test split stays sealed.")
    if count > 1:
        console.print(
            "Whoever chooses by what an earlier opening showed makes the numbers of later ones optimistic: report the first.",
            soft_wrap=True,
        )
