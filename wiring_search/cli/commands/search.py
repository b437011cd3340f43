"""search: which wirings solve a task?"""

from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from wiring_search.cli.options import (
    Limits,
    Log,
    Machine,
    Quiet,
    SpaceChoice,
    TaskChoice,
    command,
    names_in,
)
from wiring_search.search.samplers import SAMPLERS
from wiring_search.training.pruning import CUT_AS, PRUNING

if TYPE_CHECKING:
    from wiring_search.store.config import StudyConfig

_TRIALS = 64


@dataclass(frozen=True)
class Sampling:
    """Which candidates are tried, and what they are judged by."""

    PANEL: ClassVar = "Sampling"

    trials: Annotated[
        int | None,
        typer.Option(
            help="Candidates to train. Default: 64; no limit with --minutes or --core-hours."
        ),
    ] = None
    sampler: Annotated[
        str,
        typer.Option(
            help=f"{', '.join(SAMPLERS)}; or any Optuna sampler as MODULE:CLASS or optunahub:NAME."
        ),
    ] = "tpe"
    objectives: Annotated[
        str,
        typer.Option(
            help="2 to 5 scores to optimise, comma-separated: error, synapses, parameters, "
            "latency_us, memory, expressivity, …; see `wiring-search scores`."
        ),
    ] = "error,synapses"
    seed: Annotated[
        int, typer.Option(help="Seed of everything random. The same seed gives the same table.")
    ] = 0
    inherit: Annotated[
        bool, typer.Option(help="Sampler evolution: children start with their parent's weights.")
    ] = False
    ahead: Annotated[
        int,
        typer.Option(help="Packs in flight; give at least as many as there are workers."),
    ] = 4


@dataclass(frozen=True)
class Training:
    """How a candidate is trained and scored."""

    PANEL: ClassVar = "Training"

    epochs: Annotated[
        int, typer.Option(help="Full budget of a candidate: passes over the training split.")
    ] = 60
    batch_size: Annotated[int, typer.Option(help="Sequences per minibatch.")] = 64
    repeats: Annotated[
        int, typer.Option(help="Trainings per candidate, from different initial weights.")
    ] = 1
    pack_size: Annotated[
        int | None,
        typer.Option(
            help="Candidates trained together. Default: 8 on CPUs; up to 256 on GPUs, by memory."
        ),
    ] = None
    scores: Annotated[
        str, typer.Option(help="Score groups to measure, comma-separated; or none.")
    ] = "memory,dynamics,robustness"


@dataclass(frozen=True)
class Pruning:
    """Which candidates get the full budget."""

    PANEL: ClassVar = "Pruning"

    pruning: Annotated[
        str,
        typer.Option(
            help="; ".join(f"{name}: {way.summary}" for name, way in PRUNING.items()) + "."
        ),
    ] = "none"
    eta: Annotated[
        int,
        typer.Option(help="Halving: 1/eta of a rung are promoted, with eta times the epochs."),
    ] = 3
    first_epochs: Annotated[
        int, typer.Option(help="Epochs of the first rung. Default: as for three rungs.")
    ] = 0
    cut_as: Annotated[
        str,
        typer.Option(
            help="How the sampler sees a candidate that was not promoted. "
            + "; ".join(f"{name}: {how}" for name, how in CUT_AS.items())
            + "."
        ),
    ] = "low-fidelity"
    asynchronous: Annotated[
        bool,
        typer.Option(
            "--asynchronous",
            help="Promote without waiting for slow packs. The table then depends on their timing.",
        ),
    ] = False


@command("Search")
def search(
    task: TaskChoice,
    space: SpaceChoice,
    sampling: Sampling,
    training: Training,
    pruning: Pruning,
    limits: Limits,
    machine: Machine,
    out: Annotated[
        Path | None, typer.Option(help="Run folder. Default: results/TASK-SPACE-SEED.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="PostgreSQL database for the results, postgresql://…. "
            "Default: a SQLite file in the run folder."
        ),
    ] = None,
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Train the baselines too, after the search.")
    ] = False,
    log: Log = "",
    quiet: Quiet = False,
) -> None:
    """Search wirings for a task.

    If the run folder already holds this search, it resumes.

    [bold]Examples[/]

      wiring-search search --task digits --trials 64

      wiring-search search --task csv --data own.csv --inputs a,b --target y

      wiring-search search --task half-cheetah --data DIR --space wide

      wiring-search search --pruning halving --sampler evolution --minutes 15
    """
    from wiring_search import run
    from wiring_search.cli.following import Following, follow
    from wiring_search.store import exists

    config = _config(task, space, sampling, training, pruning, limits)
    folder = out or Path("results") / f"{task.task}-{Path(space.space).stem}-{sampling.seed}"
    resources = machine.resources
    load_task = cache(config.load_task)  # once, though the size of packs on a GPU needs it too
    if training.pack_size is not None:
        pack_size = training.pack_size
    elif exists(folder):  # the default depends on the GPU's free memory, which changes
        pack_size = run.Run(folder).config.pack_size
    else:
        pack_size = run.default_pack_size(config, resources, load_task)
    config = replace(config, pack_size=pack_size)
    budget = limits.budget(resources)
    follow(
        Following(config, folder, resources, budget, quiet, names_in(log)),
        lambda watch: run.search(config, folder, resources, budget, watch, store, load_task),
        baselines,
    )


def _config(
    task: TaskChoice,
    space: SpaceChoice,
    sampling: Sampling,
    training: Training,
    pruning: Pruning,
    limits: Limits,
) -> "StudyConfig":
    from wiring_search.run import study_config

    settings = {**asdict(sampling), **asdict(training), **asdict(pruning)}
    del settings["pack_size"]
    if sampling.trials is None and not (limits.minutes or limits.core_hours):
        settings["trials"] = _TRIALS
    settings["objectives"] = names_in(sampling.objectives)
    settings["scores"] = () if training.scores == "none" else names_in(training.scores)
    return study_config(task.task, space.space, task.options, space.extension, **settings)
