"""Commands that train, or choose what to train: search, resume, random, baselines, screen."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import (
    Address,
    CoreHours,
    Device,
    Folder,
    Log,
    Minutes,
    Own,
    Patience,
    Quiet,
    WorkerCpus,
    WorkerGpus,
    Workers,
    app,
    console,
    errors,
    names_in,
)
from wiring_search.cli.tables import number, plain, print_table, show_front
from wiring_search.search.samplers import SAMPLERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from wiring_search.run import Resources, Run
    from wiring_search.search.budget import Budget
    from wiring_search.search.events import Watcher
    from wiring_search.store.config import StudyConfig

# What a process that was ended by this signal would have returned, as shells count.
_EXIT_CODES = {"SIGINT": 130, "SIGTERM": 143}


@app.command()
def search(
    task: Annotated[
        str, typer.Option(help="What to learn; `wiring-search tasks` lists them.")
    ] = "digits",
    space: Annotated[
        str,
        typer.Option(
            help="What may vary: a preset (`wiring-search spaces`) or your own .toml file."
        ),
    ] = "default",
    trials: Annotated[
        int | None,
        typer.Option(
            help="Candidates to train. Default: 64, or as many as --minutes or --core-hours allow."
        ),
    ] = None,
    sampler: Annotated[
        str,
        typer.Option(
            help=f"How candidates are proposed: {', '.join(SAMPLERS)}; or any Optuna sampler as "
            "MODULE:CLASS, or optunahub:NAME."
        ),
    ] = "tpe",
    objectives: Annotated[
        str,
        typer.Option(
            help="What to be good at, by commas: error, synapses, parameters, latency_us, memory, expressivity, …"
        ),
    ] = "error,synapses",
    epochs: Annotated[
        int, typer.Option(help="Passes over the training split: the full budget of a candidate.")
    ] = 60,
    pruning: Annotated[
        str,
        typer.Option(
            help="Who gets the full budget: none (all do), halving, median, or one-epoch and then the best."
        ),
    ] = "none",
    eta: Annotated[
        int,
        typer.Option(
            help="Halving: each rung has so many times the epochs of the one below, and 1/eta go on."
        ),
    ] = 3,
    first_epochs: Annotated[
        int, typer.Option(help="Epochs of the first rung. Default: three rungs.")
    ] = 0,
    cut_as: Annotated[
        str,
        typer.Option(
            help="How the sampler hears of who was cut: pruned, left-out, or low-fidelity, with their scores so far."
        ),
    ] = "low-fidelity",
    asynchronous: Annotated[
        bool,
        typer.Option(
            "--asynchronous",
            help="Wait for no slow pack. The table then depends on who was quicker.",
        ),
    ] = False,
    inherit: Annotated[
        bool, typer.Option(help="Sampler evolution: children start with their parent's weights.")
    ] = False,
    batch_size: Annotated[int, typer.Option(help="Sequences a minibatch.")] = 64,
    seed: Annotated[
        int, typer.Option(help="Of everything random: the same seed gives the same table.")
    ] = 0,
    pack_size: Annotated[
        int | None,
        typer.Option(
            help="Candidates trained side by side. Default: 8 on CPUs; on GPUs 256, or what memory allows."
        ),
    ] = None,
    ahead: Annotated[
        int,
        typer.Option(help="Packs asked for before the first is finished; not fewer than workers."),
    ] = 4,
    minutes: Minutes = None,
    core_hours: CoreHours = None,
    workers: Workers = None,
    address: Address = None,
    worker_cpus: WorkerCpus = 1,
    worker_gpus: WorkerGpus = 0.0,
    device: Device = "auto",
    patience: Patience = 300.0,
    out: Annotated[
        Path | None, typer.Option(help="Run folder. Default: results/TASK-SPACE-SEED.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="A PostgreSQL database for the results, postgresql://…; default: a SQLite file in the folder."
        ),
    ] = None,
    data: Annotated[str | None, typer.Option(help="Folder or file of tasks that read one.")] = None,
    inputs: Annotated[
        str, typer.Option(help="csv: input columns, by commas. Default: all but the target.")
    ] = "",
    target: Annotated[str | None, typer.Option(help="csv: the column to tell.")] = None,
    kind: Annotated[str, typer.Option(help="csv: auto, classification or regression.")] = "auto",
    window: Annotated[int, typer.Option(help="csv: rows a sequence.")] = 32,
    stride: Annotated[
        int, typer.Option(help="csv: rows from one sequence's start to the next.")
    ] = 8,
    samples: Annotated[
        int, typer.Option(help="Generated tasks: training sequences to draw.")
    ] = 20_000,
    lag: Annotated[
        int | None, typer.Option(min=1, help="Tasks of long-term memory: steps to remember over.")
    ] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="Real data: clean splits that do not overlap, or those of the paper, to compare with it."
        ),
    ] = "clean",
    scores: Annotated[
        str,
        typer.Option(
            help="What to measure besides, by commas: memory, dynamics, robustness; or none. See `scores`."
        ),
    ] = "memory,dynamics,robustness",
    repeats: Annotated[
        int,
        typer.Option(help="Trainings of each candidate, from other initial weights, side by side."),
    ] = 1,
    extension: Own = None,
    log: Log = "",
    baselines: Annotated[
        bool,
        typer.Option(
            "--baselines", help="Train the usual networks afterwards too, to compare with."
        ),
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Search wirings for a task. A folder that holds the same search is gone on with.

    [bold]Examples[/]

      wiring-search search --task digits --trials 64

      wiring-search search --task csv --data own.csv --inputs a,b --target y

      wiring-search search --task half-cheetah --data DIR --space wide --objectives error,synapses,latency_us

      wiring-search search --task digits --pruning halving --sampler evolution --minutes 15
    """
    from wiring_search import run
    from wiring_search.search.budget import Budget
    from wiring_search.store import exists
    from wiring_search.tasks import TaskOptions

    if kind not in ("auto", "classification", "regression"):
        raise ValueError(f"--kind is {kind!r}; give auto, classification or regression")
    if protocol not in ("clean", "paper"):
        raise ValueError(f"--protocol is {protocol!r}; give clean or paper")
    options = TaskOptions(
        data,
        names_in(inputs),
        target,
        kind,  # type: ignore[arg-type]  # one of its words, see above
        window,
        stride,
        samples,
        lag,
        protocol,  # type: ignore[arg-type]
    )
    config = run.study_config(
        task,
        space,
        options,
        extension,
        trials=64 if trials is None and not (minutes or core_hours) else trials,
        sampler=sampler,
        objectives=names_in(objectives),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        ahead=ahead,
        scores=() if scores == "none" else names_in(scores),
        repeats=repeats,
        pruning=pruning,
        eta=eta,
        first_epochs=first_epochs,
        cut_as=cut_as,
        asynchronous=asynchronous,
        inherit=inherit,
    )
    folder = out or Path("results") / f"{task}-{Path(space).stem}-{seed}"
    resources = run.Resources(workers, address, worker_cpus, worker_gpus, patience, device)
    if (
        pack_size is None
    ):  # on a GPU it hangs on what memory is free, which another day may be another
        pack_size = (
            run.Run(folder).config.pack_size
            if exists(folder)
            else run.default_pack_size(config, resources)
        )
    config = replace(config, pack_size=pack_size)
    budget = Budget(minutes, core_hours, resources.cores)
    show = _Show(config, folder, resources, budget, quiet, names_in(log))
    _go(show, lambda watch: run.search(config, folder, resources, budget, watch, store), baselines)


@app.command()
def resume(
    out: Folder,
    trials: Annotated[
        int | None, typer.Option(help="Candidates to train in all, if it is to be another number.")
    ] = None,
    minutes: Minutes = None,
    core_hours: CoreHours = None,
    workers: Workers = None,
    address: Address = None,
    worker_cpus: WorkerCpus = 1,
    worker_gpus: WorkerGpus = 0.0,
    device: Device = "auto",
    patience: Patience = 300.0,
    store: Annotated[
        str | None,
        typer.Option(
            help="The PostgreSQL database that keeps the study, on a machine that has no OUT yet."
        ),
    ] = None,
    log: Log = "",
    quiet: Quiet = False,
) -> None:
    """Go on with a search that was stopped, killed or interrupted. Nothing finished is trained
    again."""
    from wiring_search import run
    from wiring_search.search.budget import Budget
    from wiring_search.store import Store, exists

    if store is not None and not exists(out):
        Store.attach(out, store).close()
    config = run.Run(out).config
    config = config if trials is None else replace(config, trials=trials)
    resources = run.Resources(workers, address, worker_cpus, worker_gpus, patience, device)
    budget = Budget(minutes, core_hours, resources.cores)
    show = _Show(config, out, resources, budget, quiet, names_in(log))
    _go(show, lambda watch: run.resume(out, resources, budget, watch, trials))


@app.command("random")
def random_search(
    out: Folder,
    minutes: Minutes = None,
    core_hours: CoreHours = None,
    workers: Workers = None,
    address: Address = None,
    worker_cpus: WorkerCpus = 1,
    worker_gpus: WorkerGpus = 0.0,
    device: Device = "auto",
    patience: Patience = 300.0,
    log: Log = "",
    quiet: Quiet = False,
) -> None:
    """Random search beside a search: same settings, as many candidates. Shows whether the sampler
    was worth it.

    Its study is in OUT/random; the report of OUT then draws both. Stopped, it goes on when called
    again.
    """
    from wiring_search import run
    from wiring_search.report import RANDOM
    from wiring_search.search.budget import Budget

    config = replace(run.Run(out).config, sampler="random")
    resources = run.Resources(workers, address, worker_cpus, worker_gpus, patience, device)
    budget = Budget(minutes, core_hours, resources.cores)
    show = _Show(config, out / RANDOM, resources, budget, quiet, names_in(log))
    _go(
        show,
        lambda watch: run.search_randomly(out, resources, budget, watch),
        again=f"wiring-search random {out}",
    )
    console.print(f"Beside the search itself: {plain(str(run.Run(out).report))}", soft_wrap=True)


@app.command()
def baselines(
    out: Folder,
    only: Annotated[
        str, typer.Option(help="Some of them, by commas: lstm, gru-d-16 … Default: all.")
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Train the usual networks (RNN, GRU, LSTM, CT-GRU, GRU-D; AutoNCP, dense and pruned LTC;
    reservoirs) on the task of a search.

    They get its budget, stand below its front, and are drawn in its report. What is trained is not
    trained again.
    """
    done = _train_baselines(out, names_in(only), quiet)
    show_front(done)
    console.print(f"\nReport: {plain(str(done.report))}", soft_wrap=True)


@app.command()
def screen(
    context: typer.Context,
    task: Annotated[
        str, typer.Option(help="What is to be learned; `wiring-search tasks` lists them.")
    ] = "digits",
    space: Annotated[
        str, typer.Option(help="What may vary: a preset or your own .toml file.")
    ] = "default",
    samples: Annotated[int, typer.Option(min=1, help="Random candidates to look at.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the sample and of initial weights.")] = 0,
    data: Annotated[str | None, typer.Option(help="Folder or file of tasks that read one.")] = None,
    inputs: Annotated[str, typer.Option(help="csv: input columns, by commas.")] = "",
    target: Annotated[str | None, typer.Option(help="csv: the column to tell.")] = None,
    extension: Own = None,
    workers: Workers = None,
    address: Address = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for the tables; with a study in it, that study is judged too."),
    ] = None,
    best: Annotated[int, typer.Option(min=1, help="How many to show.")] = 10,
    quiet: Quiet = False,
) -> None:
    """Rank thousands of random candidates without training, by expressivity, gradient and kernel
    rank at initialisation.

    In a folder with a study (its task and space count then), also how well each of them foretold
    what training found.

    [bold]Example[/]: wiring-search screen --task digits --samples 10000 --out results/digits
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted
    from wiring_search.store import exists
    from wiring_search.tasks import TaskOptions

    folder = out or Path("results") / f"screen-{task}-{Path(space).stem}-{seed}"
    given = run.study_config(
        task, space, TaskOptions(data, names_in(inputs), target), extension, seed=seed
    )
    config = (
        run.Run(folder).config
        if exists(folder) and _left_out(context, "task", "space", "data", "seed")
        else given
    )
    with counted(console, "candidates", quiet) as told:
        found = run.screen(config, folder, samples, run.Resources(workers, address), told)
    names = ["synapses", "parameters", "expressivity", "gradient_slope", "kernel_rank", "merit"]
    rows = [
        [row["candidate_id"], *(number(row[name]) for name in names)]
        for _, row in found.table.head(best).iterrows()
    ]
    print_table(
        ["candidate", *names],
        rows,
        f"The best {len(rows)} of {len(found.table)} by merit, at initialisation",
    )
    if found.trust is None:
        console.print(
            "No trial has been trained there: whether this says anything about the task is not known yet."
        )
    else:
        rows = [
            [row.proxy, row.score, *map(number, (row.correlation, row.low, row.high)), str(row.n)]
            for row in found.trust.itertuples()
        ]
        print_table(
            ["proxy", "trained score", "rank correlation", "95 % low", "high", "trials"],
            rows,
            "How well proxies foretold",
        )
        console.print("An interval that contains 0: that proxy says nothing about that score here.")
    console.print(f"Tables: {plain(str(folder / 'screen.csv'))}", soft_wrap=True)


@dataclass(frozen=True)
class _Show:
    """What a search looks like while it runs. logs: names of loggers."""

    config: "StudyConfig"
    folder: Path
    resources: "Resources"
    budget: "Budget"
    quiet: bool
    logs: tuple[str, ...]


def _go(
    show: _Show, go: "Callable[[Watcher], Run]", baselines: bool = False, again: str = ""
) -> None:
    """Show what `go` tells while it runs a search, and what it found. again: the command that goes
    on, if not `resume`."""
    from wiring_search import run
    from wiring_search.cli.progress import shown
    from wiring_search.search.events import Event, Stopped
    from wiring_search.search.loggers import loggers
    from wiring_search.store import exists
    from wiring_search.workers.signals import Terminated, sigterm_raises

    config, folder = show.config, show.folder
    if exists(folder) and run.Run(folder).ended and run.Run(folder).config.trials == config.trials:
        start = f"The search in {folder} has ended; this is what it found."
    else:
        start = f"{'Going on with' if exists(folder) else 'Searching into'} {folder} (stop with Ctrl-C, nothing is lost)"
    if not show.quiet:
        console.print(plain(start), soft_wrap=True)
        busy, cores = config.ahead, show.resources.workers or os.cpu_count() or 1
        if cores > busy:
            console.print(
                f"Only {busy} of {cores} workers will be busy at once; a new search with --ahead {cores + 1} uses all."
            )
    stops: list[str] = []

    def watch(event: Event) -> None:
        if isinstance(event, Stopped):
            stops.append(event.reason)
        seen(event)
        log(event)

    try:
        with (
            sigterm_raises(),
            shown(config, console, show.quiet, show.budget) as seen,
            loggers(
                show.logs, folder, config, lambda text: errors.print(plain(text), soft_wrap=True)
            ) as log,
        ):
            done = go(watch)
    except KeyboardInterrupt as stop:
        reason = "SIGTERM" if isinstance(stop, Terminated) else "SIGINT"
        _say_how_to_go_on(folder, reason, again)
        raise typer.Exit(_EXIT_CODES[reason]) from None
    if baselines and not stops:
        done = _train_baselines(folder, (), show.quiet)
    show_front(done)
    if config.scores:
        console.print(
            f"Measuring scores took {done.score_share():.0%} of the time that training took."
        )
    console.print(f"\nReport: {plain(str(done.report))}", soft_wrap=True)
    if stops:
        _say_how_to_go_on(folder, stops[0], again)
        raise typer.Exit(_EXIT_CODES.get(stops[0], 0))


def _say_how_to_go_on(folder: Path, reason: str, again: str) -> None:
    from wiring_search.store import exists

    kept = f"What is done is kept; go on with:  {plain(again or f'wiring-search resume {folder}')}"
    errors.print(
        f"\nStopped: {reason}. {kept if exists(folder) else 'Nothing had been begun.'}",
        soft_wrap=True,
    )


def _train_baselines(folder: Path, only: tuple[str, ...], quiet: bool) -> "Run":
    from wiring_search import run
    from wiring_search.cli.progress import baselines_shown

    task = run.Run(folder).config.task
    if not quiet:
        console.print(
            f"Training baselines on {task} into {plain(str(folder))} (stop with Ctrl-C, nothing is lost)",
            soft_wrap=True,
        )
    try:
        with baselines_shown(console, quiet) as watch:
            return run.train_baselines(folder, only, watch)
    except KeyboardInterrupt:
        again = f"wiring-search baselines {plain(str(folder))}"
        errors.print(f"\nStopped. What is finished is kept; go on with:  {again}", soft_wrap=True)
        raise typer.Exit(130) from None


def _left_out(context: typer.Context, *names: str) -> bool:
    """Whether none of these options was given on the command line."""
    sources = [context.get_parameter_source(name) for name in names]
    return all(source is not None and source.name == "DEFAULT" for source in sources)
