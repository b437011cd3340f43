"""A search from a few words to its files: where task, space, study, pool, store and report are put together.

    from wiring_search.run import search, study_config

    run = search(study_config("digits", "small", trials=32), out="results/mine")
    print(run.answer())
    print(run.front())

The command line is a thin layer over this.
"""

import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import search_spaces
from wiring_search import results, tasks
from wiring_search.budget import Budget, Meter
from wiring_search.config import StudyConfig
from wiring_search.extension import Extension, extended
from wiring_search.fronts import Front, draw_front, front_of
from wiring_search.records import Outcome, Rung
from wiring_search.report import FILE as REPORT
from wiring_search.report import RANDOM, write_report
from wiring_search.score_names import GROUPS, MEASURED, OBJECTIVES
from wiring_search.stopping import Until, stopped_by_signals
from wiring_search.store import Store, StoreFault, Trial, exists
from wiring_search.tasks import Task, TaskOptions

if TYPE_CHECKING:
    import pandas

    from wiring_search.events import Watcher
    from wiring_search.kernels.layout import Kind
    from workers.pool import Pool, Train


@dataclass(frozen=True)
class Run:
    """A run folder, finished or under way; everything is read from its store."""

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @property
    def report(self) -> Path:
        return self.folder / REPORT

    @property
    def config(self) -> StudyConfig:
        with closing(Store.open(self.folder)) as store:
            return store.config

    @property
    def ended(self) -> bool:
        """Whether the study has run to its end."""
        with closing(Store.open(self.folder)) as store:
            return store.ended is not None

    @property
    def metric(self) -> str:
        with closing(Store.open(self.folder)) as store:
            return store.facts["metric"]

    @property
    def baselines(self) -> dict[str, float]:
        """Errors of trivial rules on the validation split, by name."""
        with closing(Store.open(self.folder)) as store:
            return store.facts["baselines"]

    def table(self) -> "pandas.DataFrame":
        """One row a trial, and one a trained baseline."""
        with closing(Store.open(self.folder)) as store:
            return store.table()

    def front(self, objectives: tuple[str, ...] | None = None) -> "pandas.DataFrame":
        """The non-dominated candidates, in the study's objectives or in others."""
        return results.front(self.table(), objectives or self.config.objectives)

    def analysed(self, objectives: tuple[str, ...] | None = None, reference: dict[str, float] | None = None) -> Front:
        """The front with its knee, the probability that each member is truly on it, and its hypervolume. reference: numbers of the
        reference point for some objectives, for this once."""
        with closing(Store.open(self.folder)) as store:
            return front_of(store, objectives, reference)

    def draw(self, front: Front, path: Path) -> None:
        """The picture of a front into a file. Raises ValueError where the name says no kind of picture, or cannot be written."""
        with closing(Store.open(self.folder)) as store:
            figure = draw_front(store, front)
        try:
            figure.savefig(path, dpi=150)
        except OSError as fault:
            raise ValueError(f"{path} cannot be written ({fault}); name a file in a folder that is there") from fault

    def compared(self, objectives: tuple[str, ...] | None = None) -> "pandas.DataFrame":
        """The front and the baselines that were trained, and whether each lies on their joint front (`on_front`)."""
        return results.compared(self.table(), objectives or self.config.objectives)

    def score_share(self) -> float:
        """Time that measuring scores took over the time that training took, NaN where nothing was trained."""
        table = self.table()
        trained = float(table["train_seconds"][table["baseline"] == ""].sum())
        return float(table["score_seconds"].sum()) / trained if trained else float("nan")

    def answer(self) -> str:
        """One sentence: how small a wiring is enough."""
        with closing(Store.open(self.folder)) as store:
            return results.answer(store.table(), store.facts["metric"])

    def trial(self, number: int) -> Trial:
        """Raises ValueError where there is no such trial."""
        with closing(Store.open(self.folder)) as store:
            return store.trial(number)

    def write_files(self, task: Task | None = None) -> None:
        """Tables and report, from the store as it is now; the networks in the report need the task's data. task: the study's, which
        is loaded where it is not at hand."""
        with closing(Store.open(self.folder)) as store:
            _write_files(store, task)


@dataclass(frozen=True)
class Resources:
    """What a search runs on. workers: Ray actors, as many as there is room for by default; 0 trains in this process, without Ray.
    address: a Ray cluster to use, None for a local Ray. cpus: cores a worker; gpus: its share of a GPU. patience: seconds
    without a sign of life from its training loop, after which a worker counts as hung."""

    workers: int | None = None
    address: str | None = None
    cpus: int = 1
    gpus: float = 0.0
    patience: float = 300.0

    @property
    def cores(self) -> int:
        """Cores that each worker keeps busy; this process, all there are."""
        return (os.cpu_count() or 1) if self.workers == 0 else self.cpus


ALL_CORES = Resources()
ONE_PROCESS = Resources(workers=0)
UNLIMITED = Budget()


@dataclass(frozen=True)
class BaselineEpoch:
    """Told while baselines train: this one, or the liquid ones together, has finished an epoch. done: how many of `count`
    are in the store, those of earlier calls included."""

    names: str
    epoch: int
    epochs: int
    done: int
    count: int


@dataclass(frozen=True)
class BaselineDone:
    """Told when a baseline is in the store."""

    name: str
    outcome: Outcome
    done: int
    count: int


BaselineWatcher = Callable[[BaselineEpoch | BaselineDone], None]


def study_config(
    task: str, space: str = "default", options: TaskOptions | None = None, extension: str | Path | None = None, **settings: Any
) -> StudyConfig:
    """A configuration from names. space: a preset or a TOML file; extension: a Python file, whose scores are measured too;
    settings: the other fields of `StudyConfig`."""
    own = None if extension is None else Extension.read(extension)
    if own is not None and own.group in GROUPS:
        settings["scores"] = tuple(dict.fromkeys((*settings.get("scores", MEASURED), own.group)))
    name = space if space in search_spaces.SPACES else Path(space).name
    return StudyConfig(
        task=task,
        task_options=options or TaskOptions(),
        space=search_spaces.load(space).to_json(),
        space_name=name,
        extension=own,
        **settings,
    )


def search(
    config: StudyConfig,
    out: str | Path,
    resources: Resources = ALL_CORES,
    budget: Budget = UNLIMITED,
    watch: "Watcher | None" = None,
    store: str | None = None,
) -> Run:
    """Run a study into the folder `out`, or go on with the one that is there if it was asked for with the same
    settings.

    budget: of this call; when it is spent, and at Ctrl-C or SIGTERM, packs under way are written down, and `resume` goes on from
    there. watch: called with the events of `wiring_search.events`. store: the URL of a PostgreSQL database that keeps the
    results; a SQLite file in the folder by default. Tables and report are written at the end, also after an interrupt.
    Raises ValueError for settings that do not fit, and where `out` holds a study with other settings.
    """
    folder = Path(out)
    if exists(folder):
        _refuse_other_settings(folder, config)
        return resume(folder, resources, budget, watch)
    task = tasks.load(config.task, config.task_options)
    Store.create(folder, config, _facts(task), store).close()
    return _go_on(folder, task, resources, budget, watch)


def resume(
    out: str | Path,
    resources: Resources = ALL_CORES,
    budget: Budget = UNLIMITED,
    watch: "Watcher | None" = None,
    trials: int | None = None,
) -> Run:
    """Go on with the study in `out`; one that has ended only has its tables and report written again.

    trials: a new number of candidates for the study. Raises ValueError for fewer than it has asked for. (A study in PostgreSQL is
    taken up on another machine by `Store.attach`.)
    """
    folder = Path(out)
    with closing(Store.open(folder)) as opened:
        if trials is not None and trials != opened.config.trials:
            with opened.owned():
                opened.ask_for(trials)
        config, ended = opened.config, opened.ended
    if config.extension is not None:
        config.extension.refuse_changed()
    if ended:
        Run(folder).write_files()
        return Run(folder)
    return _go_on(folder, tasks.load(config.task, config.task_options), resources, budget, watch)


def search_randomly(
    out: str | Path,
    resources: Resources = ALL_CORES,
    budget: Budget = UNLIMITED,
    watch: "Watcher | None" = None,
) -> Run:
    """Random search beside the study in `out`, to see what its sampler is worth: the same settings, as many candidates as the
    study has asked for by now, and a store of its own in `out`/random, which is returned. Goes on with what is there.

    Tables and reports, the study's too, are written at the end. Raises ValueError where the study is random search itself, or has
    asked for nothing yet.
    """
    folder = Path(out)
    beside = folder / RANDOM
    with closing(Store.open(folder)) as store:
        config = store.config
        trials = sum(len(pack.members) for pack in store.packs() if pack.rung == 0)
    if config.sampler == "random":
        raise ValueError(f"{folder} is random search itself; compare it with a study of another sampler")
    if not trials:
        raise ValueError(f"{folder} has asked for no candidate yet; go on with it first: `wiring-search resume {folder}`")
    if exists(beside):
        with closing(Store.open(beside)) as other:
            trials = max(trials, other.config.trials)
            _refuse_other_settings(beside, replace(config, sampler="random", inherit=False, trials=other.config.trials))
        done = resume(beside, resources, budget, watch, trials)
    else:
        done = search(replace(config, sampler="random", inherit=False, trials=trials), beside, resources, budget, watch)
    Run(folder).write_files()
    return done


def train_baselines(out: str | Path, only: tuple[str, ...] = (), watch: BaselineWatcher = lambda event: None) -> Run:
    """Train baselines beside the study in `out`, with its budget, in this process; those that were trained are kept.

    only: names out of `wiring_search.baselines.known`, or their first part such as "lstm"; all by default. Tables and
    report are written at the end, also after an interrupt. Raises ValueError for an unknown name.
    """
    from wiring_search import baselines

    folder = Path(out)
    with closing(Store.open(folder)) as store, store.owned():
        config = store.config
        task = tasks.load(config.task, config.task_options)
        names = baselines.chosen(task, only)
        trained = {row.name for row in store.baselines()}
        missing = [name for name in names if name not in trained]
        done = len(names) - len(missing)
        rung = Rung(0, config.epochs, config.batch_size)

        def told(name: str, epoch: int, epochs: int) -> None:
            watch(BaselineEpoch(name, epoch, epochs, done, len(names)))

        try:
            for result in baselines.train_all(task, missing, rung, config.seed, told):
                store.baseline_finished(result.name, result.outcome, result.worker)
                done += 1
                watch(BaselineDone(result.name, result.outcome, done, len(names)))
        finally:
            _write_files(store, task)
    return Run(folder)


@dataclass(frozen=True)
class Screened:
    """table: the sample, best first (`screening.screen`). trust: rank correlations of each proxy with each score of the study
    in the same folder (`screening.trust`), None where there is none."""

    table: "pandas.DataFrame"
    trust: "pandas.DataFrame | None"


def screen(
    config: StudyConfig,
    out: str | Path,
    samples: int,
    resources: Resources = ALL_CORES,
    told: Callable[[int, int], None] = lambda done, count: None,
) -> Screened:
    """Rank random candidates of the configuration's space by what can be told without training; nothing is trained.

    Writes screen.parquet and screen.csv into `out`; where that holds a study of the same task and space, also how well each
    proxy foretold its scores: proxies.csv and proxies.png. resources: as for `search`. told(done, count): called after
    each pack. Raises ValueError for fewer than one sample, and where `out` holds a study of another task or space.
    """
    from wiring_search import screening
    from wiring_search.scores.trajectory import REFERENCE

    if samples < 1:
        raise ValueError(f"samples is {samples}; give 1 or more")
    folder = Path(out)
    if exists(folder):
        _refuse_another_subject(folder, config)
    task = tasks.load(config.task, config.task_options)
    space = search_spaces.Space.from_json(config.space)
    pool = make_pool(
        extended(config.extension, screening.screen_pack), task, resources, [*_kinds(space), REFERENCE], lambda *kernel: None
    )
    try:
        table = screening.screen(space, samples, config.seed, pool, told)
    finally:
        pool.close()
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "screen.parquet", index=False)
    table.to_csv(folder / "screen.csv", index=False)
    trust = _trust(folder, task, config.seed) if exists(folder) else None
    if trust is not None:
        trust.to_csv(folder / "proxies.csv", index=False)
        screening.draw_trust(trust).savefig(folder / "proxies.png", dpi=150)
    return Screened(table, trust)


def _trust(folder: Path, task: Task, seed: int) -> "pandas.DataFrame | None":
    import numpy as np

    from wiring_search.records import Status
    from wiring_search.screening import trust

    with closing(Store.open(folder)) as store:
        trials = [trial for trial in store.trials() if trial.status is Status.OK]
        sizes = ("synapses", "parameters", "latency_us")
        names = [name for name in store.config.measured if name in OBJECTIVES and name not in sizes]
    if not trials:
        return None
    scores = {name: np.array([trial.score(name) for trial in trials]) for name in names}
    return trust([trial.candidate for trial in trials if trial.candidate], scores, task.features, seed)


def _refuse_another_subject(folder: Path, config: StudyConfig) -> None:
    with closing(Store.open(folder)) as store:
        old = store.config
    for name in ("task", "task_options", "space"):
        if getattr(old, name) != getattr(config, name):
            raise ValueError(
                f"{folder} holds a study of another {name.replace('_', ' ')}; leave task and space out to screen for that study, or "
                "choose another folder with --out"
            )


def _kinds(space: "search_spaces.Space") -> "list[Kind]":
    from wiring_search.kernels.layout import Kind

    return [Kind(*dynamics) for dynamics in space.dynamics()]


def _go_on(folder: Path, task: Task, resources: Resources, budget: Budget, watch: "Watcher | None") -> Run:
    from wiring_search import events, study
    from wiring_search.scores.trajectory import REFERENCE
    from wiring_search.scoring import train_and_score
    from wiring_search.training import one_torch_thread

    watch = watch or (lambda event: None)
    with closing(Store.open(folder)) as store, store.owned():
        watch(events.TaskLoaded(tasks.describe(task)))
        kinds = _kinds(search_spaces.Space.from_json(store.config.space))
        if "dynamics" in store.config.scores:
            kinds.append(REFERENCE)
        told = lambda *kernel: watch(events.KernelPrepared(*kernel))  # noqa: E731
        pool = make_pool(extended(store.config.extension, train_and_score), task, resources, kinds, told)
        # Signals are heard until the files are written: Ray's own handler would end the process without a word.
        with one_torch_thread(), _asked_to_stop(pool, Meter(replace(budget, cores=resources.cores))) as until:
            try:
                _estimate(task, store, resources, budget, watch)
                if study.search(store.config, store, pool, watch, until):
                    store.end()
            except StoreFault:
                raise  # what is left to read of it would not be written either
            except BaseException:
                Run(folder).write_files(task)
                raise
            finally:
                pool.close()
            _write_files(store, task)
    return Run(folder)


def _write_files(store: Store, task: Task | None) -> None:
    """Tables and report. Raises StoreFault where there is no room for them."""
    try:
        results.export(store)
        write_report(store, _playable(store, task))
    except OSError as fault:
        raise StoreFault(
            f"tables and report of {store.folder} cannot be written ({fault}). What was found is safe in the store; free some space, "
            f"then `wiring-search resume {store.folder}` goes on"
        ) from fault


def _playable(store: Store, task: Task | None) -> dict[str, Any]:
    """Networks that the report's page can run, those of the front first, then the best of the others; or why there are none."""
    from wiring_search.playing import MOST_NETWORKS, playable

    table, trials, config = store.table(), store.trials(), store.config
    best = results.front(table, config.objectives)["trial"], results.candidates(table).sort_values("error")["trial"]
    numbers = list(dict.fromkeys(int(number) for part in best for number in part))[:MOST_NETWORKS]
    if not numbers:
        return {}
    try:
        return playable(store, [trials[number] for number in numbers], task or tasks.load(config.task, config.task_options))
    except ValueError as fault:
        return {"absent": f"The networks of this study cannot be run here: {fault}."}


def _estimate(task: Task, store: Store, resources: Resources, budget: Budget, watch: "Watcher") -> None:
    """Tell how long the rest is going to take, while the workers start; of a search that ends by its budget that is known."""
    from wiring_search.estimate import estimate

    finished = sum(len(pack.members) for pack in store.packs() if pack.rung == 0 and pack.place is not None)
    left = store.config.trials - finished
    if left > 0 and budget.unlimited:
        workers = max((os.cpu_count() or 1) if resources.workers is None else resources.workers, 1)
        watch(estimate(task, replace(store.config, trials=left), workers))


@contextmanager
def _asked_to_stop(pool: "Pool", meter: Meter) -> Iterator[Until]:
    """Gives the function that says why to stop. A pool that trains in this process hears of it in the midst of a pack."""
    alarm = None
    if math.isfinite(meter.left()):
        alarm = threading.Timer(meter.left() + 0.1, pool.stop)
        alarm.daemon = True
        alarm.start()

    def until() -> str | None:
        meter.workers(pool.workers)
        return heard() or meter.spent()

    with stopped_by_signals(pool.stop) as heard:
        try:
            yield until
        finally:
            if alarm is not None:
                alarm.cancel()


def make_pool(
    train: "Train",
    task: Task,
    resources: Resources,
    kinds: "list[Kind]",
    told: Callable[[str, int, int], None],
) -> "Pool":
    """A pool of workers that call `train`. kinds: what they will train, told: heard of each that has to be compiled first."""
    from wiring_search.training import warm_up

    # Compile once, here: workers then find the kernels in the cache instead of compiling them side by side.
    warm_up(kinds, told)
    if resources.workers == 0:
        from workers.inline import InlinePool

        return InlinePool(train, task)
    from workers.ray_pool import RayPool

    return RayPool(train, task, **asdict(resources))


def _facts(task: Task) -> dict[str, Any]:
    return {
        "metric": task.metric,
        "baselines": task.baselines,
        "source": task.source,
        "description": tasks.describe(task),
        "features": task.features,
        "outputs": task.outputs,
        "every_step": task.every_step,
        "samples": {"train": len(task.train), "valid": len(task.valid), "test": len(task.test)},
    }


def _refuse_other_settings(folder: Path, config: StudyConfig) -> None:
    with closing(Store.open(folder)) as store:
        old, new = store.config.to_json(), config.to_json()
    other = [
        f"{name} {_brief(old[name])}, not {_brief(new[name])}" for name in new if old[name] != new[name] and name != "space_name"
    ]
    if other:
        raise ValueError(
            f"{folder} holds a study with other settings ({'; '.join(other)}); go on with it by `wiring-search resume {folder}`, "
            "or choose another folder with --out"
        )


def _brief(value: Any) -> str:
    if isinstance(value, dict) and value.keys() == {"file", "text"}:
        return str(Extension(**value))
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
