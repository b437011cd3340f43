"""Candidates of a run folder looked at again: how robust, how costly, how much of their error is luck.

Everything is measured on the validation split; the test split stays sealed. Like `wiring_search.run`, this is where
store, task and scores are put together; the command line is a thin layer over it.
"""

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from search_spaces import Space
from wiring_search import results, tasks
from wiring_search.candidate import Candidate
from wiring_search.config import StudyConfig
from wiring_search.records import Rung, Status
from wiring_search.scores.gradient import GradientFlow
from wiring_search.store import Store, Trial

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from wiring_search.pack import Pack
    from wiring_search.scores.cost import Cost
    from wiring_search.scores.repeats import VarianceSplit

MEMORY_TABLE, MEMORY_PICTURE = "memory.csv", "memory.png"
DYNAMICS_TABLE, DYNAMICS_PICTURE = "dynamics.csv", "dynamics.png"
ROBUSTNESS_TABLE, ROBUSTNESS_PICTURE = "robustness.csv", "robustness.png"
Told = Callable[[int, int], None]
# Validation sequences that gradients are measured on: one tile of the kernel. Trials that a picture can tell apart.
_SEQUENCES, _DRAWN = 16, 4


def robustness(out: str | Path, trials: Sequence[int] = (), told: Told = lambda done, count: None) -> "pandas.DataFrame":
    """Errors of trained candidates under every shift of `scores.robustness`, one row a trial and shift: trial, synapses,
    robustness (of the trial), family, level, error, times_clean, relative. The family of the first row of a trial is clean.

    trials: their numbers, the front by default. Also written into the folder as a table and a picture.
    told(done, count): shifts scored. Raises ValueError for trials without a trained network.
    """
    import pandas

    from wiring_search.scores.picture import draw
    from wiring_search.scores.robustness import CLEAN

    folder = Path(out)
    with closing(Store.open(folder)) as store:
        config, chosen = store.config, _trained(store, trials)
        states = [store.state(_original(trial)) for trial in chosen]
    task = tasks.load(config.task, config.task_options)
    table = pandas.DataFrame(_rows(task, chosen, _errors(task, chosen, states, config.seed, told), config.seed))
    table.to_csv(folder / ROBUSTNESS_TABLE, index=False)
    draw(table[table["family"] != CLEAN]).savefig(folder / ROBUSTNESS_PICTURE, dpi=150)
    return table


def _errors(task: tasks.Task, chosen: list[Trial], states: list, seed: int, told: Told) -> dict[str, np.ndarray]:
    """Of all trials by shift, (trials,), whatever mixture of kinds they are."""
    from wiring_search.scores.robustness import robustness as errors_of
    from wiring_search.scores.trained import trained_packs

    errors: dict[str, np.ndarray] = {}
    done = 0
    for places, pack in trained_packs(task, [trial.candidate for trial in chosen], states):
        for name, of in errors_of(task, pack, seed, partial(_told_of_pack, told, done, len(places), len(chosen))).items():
            errors.setdefault(name, np.empty(len(chosen)))[places] = of
        done += len(places)
    return errors


def _told_of_pack(told: Told, before: int, members: int, everyone: int, shift: int, shifts: int) -> None:
    told(before * shifts + members * shift, everyone * shifts)


def _rows(task: tasks.Task, chosen: list[Trial], errors: dict[str, np.ndarray], seed: int) -> list[dict]:
    from wiring_search.scores.robustness import CLEAN, relative_errors, score, shifts, times_clean

    total, times = score(task, errors), times_clean(task, errors)
    relative = {CLEAN: np.ones(len(chosen)), **relative_errors(task, errors)}
    kinds = {CLEAN: (CLEAN, math.nan), **{shift.name: (shift.family, shift.level) for shift in shifts(task, seed)}}
    return [
        {
            "trial": trial.trial,
            "synapses": trial.synapses,
            "robustness": float(total[place]),
            "family": family,
            "level": level,
            "error": float(errors[name][place]),
            "times_clean": float(times[name][place]),
            "relative": float(relative[name][place]),
        }
        for place, trial in enumerate(chosen)
        for name, (family, level) in kinds.items()
    ]


def memory(
    out: str | Path,
    numbers: Sequence[int],
    tasks: Sequence[str] = (),
    lags: Sequence[int] = (),
    seeds: int = 3,
    epochs: int = 10,
    samples: int = 4000,
    told: Callable[[int, int, str], None] = lambda done, count, doing: None,
) -> "tuple[pandas.DataFrame, pandas.DataFrame]":
    """The long-term memory of some trials of a study (`scores.memory.suite`): a row a trial, task and lag, and a row a trial
    and task, the longest lag solved and the area under the curve. Writes memory.csv and memory.png into the run folder.

    numbers: of the trials; tasks, lags: the suite's usual ones where empty. told: called as the suite goes on. Raises
    ValueError for trials that do not exist or were never trained, and for an unknown task.
    """
    import pandas

    from wiring_search.report.memory import write_memory_plot
    from wiring_search.scores.memory import LAGS, TASKS, standings, suite

    folder = Path(out)
    numbers = list(dict.fromkeys(numbers))
    with closing(Store.open(folder)) as store:
        candidates = [trial.candidate for trial in _with_candidate(store, numbers)]
    rows = suite(candidates, tasks or TASKS, lags or LAGS, seeds, epochs, samples, told)
    columns = ("task", "lag", "tried", "solved", "metric", "mean", "spread", "chance")
    table = pandas.DataFrame(
        [{"trial": numbers[row.candidate], **{name: getattr(row, name) for name in columns}} for row in rows]
    )
    table.to_csv(folder / MEMORY_TABLE, index=False)
    write_memory_plot(table, folder / MEMORY_PICTURE)
    columns = ("task", "longest", "area", "spread")
    found = standings(rows)
    return table, pandas.DataFrame(
        [{"trial": numbers[one.candidate], **{name: getattr(one, name) for name in columns}} for one in found]
    )


@dataclass(frozen=True)
class SolverComparison:
    """table: one row a solver, see `wiring_search.solver_choice.Alternative`. answer: what it says, in a few sentences.
    csv, picture: where both were written."""

    table: "pandas.DataFrame"
    answer: str
    csv: Path
    picture: Path


def solvers(
    out: str | Path,
    trial: int,
    samples: int = 64,
    hyper: bool = True,
    told: Callable[[int, int, str], None] = lambda done, count, doing: None,
) -> SolverComparison:
    """Run the trained network of a trial of the study in `out` with every solver that its neurons have, and write what is
    found into the folder. The rest: see `wiring_search.solver_choice.alternatives`.

    Raises ValueError where there is no such trained network, and for neurons that are no differential equation.
    """
    from wiring_search.report import solvers as page
    from wiring_search.solver_accuracy import require_ode
    from wiring_search.solver_choice import alternatives
    from wiring_search.trained import trained_network

    folder = Path(out)
    with closing(Store.open(folder)) as store:
        config, network = store.config, trained_network(store, trial)
    require_ode(network)  # before the data are looked for
    task = tasks.load(config.task, config.task_options)
    rows = alternatives(network, task, samples, hyper, config.seed, told)
    found = SolverComparison(
        page.table(rows, task.metric),
        page.sentences(rows, task.metric),
        folder / f"trial-{trial}-solvers.csv",
        folder / f"trial-{trial}-solvers.png",
    )
    found.table.to_csv(found.csv, index=False)
    page.draw(rows, found.picture, f"{config.task}, trial {trial}: one network, many solvers", task.metric)
    return found


def dynamics(out: str | Path, trials: Sequence[int] = ()) -> "pandas.DataFrame":
    """How trained candidates move, beside how they did before training: one row a trial and stage ("fresh", "trained"):
    expressivity, gradient_slope, what that slope means (`gradient`), kernel_rank, and quartiles of the time constants.

    Also written into the folder, with a picture: trajectories on the circle, gradient over lag (fresh and trained), time
    constants. Gradients and time constants are on validation sequences. trials: their numbers, the front by default, of
    which the picture shows the first four. Raises ValueError for trials without a trained network.
    """
    import pandas

    folder = Path(out)
    with closing(Store.open(folder)) as store:
        config, chosen = store.config, _trained(store, trials)
        states = [store.state(_original(trial)) or b"" for trial in chosen]
    task = tasks.load(config.task, config.task_options)
    rows: list[dict[str, object]] = []
    seen: dict[str, list[_Seen]] = {"fresh": [], "trained": []}
    for trial, state in zip(chosen, states, strict=True):
        for stage, pack in _stages(task, trial, state).items():
            row, found = _moved(task, pack, f"trial {trial.trial}", config.seed)
            rows.append({"trial": trial.trial, "stage": stage, **row})
            seen[stage].append(found)
    table = pandas.DataFrame(rows)
    table.to_csv(folder / DYNAMICS_TABLE, index=False)
    _draw_dynamics(seen["fresh"][:_DRAWN], seen["trained"][:_DRAWN]).savefig(folder / DYNAMICS_PICTURE, dpi=150)
    return table


class _Seen(NamedTuple):
    label: str
    path: np.ndarray
    flow: GradientFlow
    time_constants: np.ndarray


def _draw_dynamics(fresh: list[_Seen], trained: list[_Seen]) -> "Figure":
    from matplotlib.figure import Figure

    from wiring_search.scores.drawing import draw_gradient_flow, draw_time_constants, draw_trajectories

    figure = Figure(figsize=(15, 5.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    labels = [one.label for one in trained]
    draw_trajectories([one.path for one in trained], labels, left)
    draw_gradient_flow(_joined(fresh), [f"{label}, fresh" for label in labels], middle, "--")
    draw_gradient_flow(_joined(trained), [f"{label}, trained" for label in labels], middle)
    draw_time_constants([one.time_constants for one in trained], labels, right)
    titles = "states while the input goes once round a circle", "gradient through time", "time constants"
    for axes, title in zip((left, middle, right), titles, strict=True):
        axes.set_title(title, fontsize=10)
        # Below the axes: nothing that is drawn may lie under it.
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=1 + (axes is middle), frameon=False, fontsize=8)
    return figure


def _joined(seen: list[_Seen]) -> GradientFlow:
    flows = [one.flow for one in seen]
    norms, slopes = (np.concatenate([flow[part] for flow in flows]) for part in (0, 1))
    return GradientFlow(norms, slopes, tuple(verdict for flow in flows for verdict in flow.verdicts))


def _stages(task: tasks.Task, trial: Trial, state: bytes) -> "dict[str, Pack]":
    from wiring_search.pack import Pack
    from wiring_search.scores.trained import trained_pack

    assert trial.candidate is not None
    fresh = Pack([trial.candidate], task.features, task.outputs)
    return {"fresh": fresh, "trained": trained_pack(task, [trial.candidate], [state])}


def _moved(task: tasks.Task, pack: "Pack", label: str, seed: int) -> tuple[dict[str, object], _Seen]:
    """A row of the table, and what is drawn."""
    from wiring_search.scores.gradient import gradient_flow
    from wiring_search.scores.rank import kernel_rank
    from wiring_search.scores.time_constants import time_constants
    from wiring_search.scores.trajectory import expressivity, latent_trajectories
    from wiring_search.training import elapsed_of

    x, elapsed = np.ascontiguousarray(task.valid.x[:_SEQUENCES]), elapsed_of(task.valid)[:_SEQUENCES]
    flow, taus = gradient_flow(pack, x, elapsed, seed), time_constants(pack, x[:2], elapsed[:2])[0]
    quartiles = np.quantile(taus, (0.25, 0.5, 0.75), method="nearest")
    row = {
        "expressivity": float(expressivity(pack, seed=seed)[0]),
        "gradient_slope": float(flow.slopes[0]),
        "gradient": flow.verdicts[0],
        "kernel_rank": float(kernel_rank(pack, seed=seed)[0]),
        **{f"tau_{name}": float(value) for name, value in zip(("lower", "median", "upper"), quartiles, strict=True)},
    }
    return row, _Seen(label, latent_trajectories(pack, seed=seed)[0], flow, taus)


def costs(out: str | Path, trials: Sequence[int] = ()) -> "dict[int, Cost]":
    """What candidates cost, by trial; latencies are measured now. trials: as for `robustness`, trained or not.

    Raises ValueError for trials that have no candidate.
    """
    from wiring_search.scores.cost import cost

    with closing(Store.open(Path(out))) as store:
        config, facts, chosen = store.config, store.facts, _with_candidate(store, trials)
    task = tasks.load(config.task, config.task_options)
    return {
        trial.trial: cost(trial.candidate, facts["features"], facts["outputs"], task.time_steps, config.batch_size)
        for trial in chosen
        if trial.candidate is not None
    }


@dataclass(frozen=True)
class Repeats:
    """A trial trained again with other seeds. errors: (wirings, initialisations, orders of the data), NaN where a training
    failed; the first wiring is the trial's own. searched: its error in the search, one draw, and chosen for being good.

    mean, standard_error, upper: of the trial's own wiring over initialisations, each averaged over the orders; `upper`
    lies above the expected error with 95 % confidence. spread: standard deviation of a single training of that wiring. NaN
    where fewer than two initialisations finished.
    """

    trial: int
    searched: float
    errors: np.ndarray
    mean: float
    standard_error: float
    upper: float
    spread: float

    @property
    def split(self) -> "VarianceSplit":
        """Raises ValueError where a training failed."""
        from wiring_search.scores.repeats import variance_split

        return variance_split(self.errors)


@dataclass(frozen=True)
class Design:
    """What `repeat` trains: wirings of one point (the trial's own first), seeds of initialisations and of the data order,
    none of which the search has used."""

    wirings: tuple[Candidate, ...]
    init_seeds: tuple[int, ...]
    data_seeds: tuple[int, ...]

    @property
    def trainings(self) -> int:
        return len(self.wirings) * len(self.init_seeds) * len(self.data_seeds)


def design(out: str | Path, trial: int, seeds: int = 5) -> Design:
    """Every combination of `seeds` wirings, initialisations and orders; fewer wirings where the point has no more.

    Raises ValueError for fewer than two seeds, and for a trial that has no candidate.
    """
    if seeds < 2:
        raise ValueError(f"--seeds is {seeds}; a spread needs two or more")
    with closing(Store.open(Path(out))) as store:
        config, (chosen,) = store.config, _with_candidate(store, (trial,))
    fresh = tuple(range(config.seed + 1, config.seed + 1 + seeds))
    return Design(_wirings(config, chosen, seeds), fresh, fresh)


def repeat(out: str | Path, trial: int, seeds: int = 5, told: Told = lambda done, count: None) -> Repeats:
    """Train a trial anew, with the budget of its search, by all combinations of `design`; also written into the folder, as
    repeat-N.csv. told(done, count): trainings."""
    import pandas

    from wiring_search.scores import repeats

    folder, plan = Path(out), design(out, trial, seeds)
    with closing(Store.open(folder)) as store:
        config, searched = store.config, store.trials()[trial].score("error")
    task = tasks.load(config.task, config.task_options)
    rung = Rung(0, config.epochs, config.batch_size)
    errors = repeats.crossed_errors(task, plan.wirings, plan.init_seeds, plan.data_seeds, rung, told)
    rows = [
        {
            "wiring_id": plan.wirings[w].wiring.wiring_id,
            "init_seed": plan.init_seeds[i],
            "data_seed": plan.data_seeds[d],
            "error": error,
        }
        for (w, i, d), error in np.ndenumerate(errors)
    ]
    pandas.DataFrame(rows).to_csv(folder / f"repeat-{trial}.csv", index=False)
    finished = errors[0][np.isfinite(errors[0]).all(axis=1)]
    own = finished.mean(axis=1)
    known = len(own) > 1
    return Repeats(
        trial=trial,
        searched=searched,
        errors=errors,
        mean=float(repeats.mean(own)) if known else math.nan,
        standard_error=float(repeats.standard_error(own)) if known else math.nan,
        upper=float(repeats.upper_bound(own)) if known else math.nan,
        spread=float(finished.std(ddof=1)) if known else math.nan,
    )


def _wirings(config: StudyConfig, trial: Trial, count: int) -> tuple[Candidate, ...]:
    """The trial's own candidate, and those of the next wiring seeds at the same point, no wiring twice."""
    assert trial.candidate is not None
    found = {trial.candidate.wiring.wiring_id: trial.candidate}
    if "wiring_seed" in trial.params:
        space = Space.from_json(config.space)
        for step in range(1, count):
            other = space.build({**trial.params, "wiring_seed": trial.params["wiring_seed"] + step}, config.seed)
            found.setdefault(other.wiring.wiring_id, other)
    return tuple(found.values())


def _with_candidate(store: Store, numbers: Sequence[int]) -> list[Trial]:
    """Those trials, or those of the front. Raises ValueError for a trial that is not there or was infeasible."""
    trials = store.trials()
    chosen = tuple(dict.fromkeys(numbers)) or tuple(map(int, results.front(store.table(), store.config.objectives)["trial"]))
    if not chosen:
        raise ValueError(f"{store.folder} has no front yet: no candidate has finished training; name trials with --trial")
    for number in chosen:
        if not 0 <= number < len(trials):
            raise ValueError(f"{store.folder} has no trial {number}; its trials are 0 to {len(trials) - 1}")
        if trials[number].candidate is None:
            raise ValueError(f"trial {number} was never built ({trials[number].message}); choose another with --trial")
    return [trials[number] for number in chosen]


def _trained(store: Store, numbers: Sequence[int]) -> list[Trial]:
    """The same. Raises ValueError for a trial that has no trained network, too."""
    trials = store.trials()
    chosen = _with_candidate(store, numbers)
    for trial in chosen:
        original = trials[_original(trial)]
        if original.status is not Status.OK:
            why = original.message or original.status.sentence
            raise ValueError(f"trial {trial.trial} has no trained network: {original.status.value} ({why}); choose another")
    return chosen


def _original(trial: Trial) -> int:
    """The trial that was trained in its place."""
    return trial.trial if trial.duplicate_of is None else trial.duplicate_of
