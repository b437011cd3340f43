"""A run folder: what is read out of its store, and the files that are made from it."""

from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wiring_search import tasks
from wiring_search.analysis import table as results
from wiring_search.analysis.enough import enough
from wiring_search.analysis.front import Front, front_of
from wiring_search.report import FILE as REPORT
from wiring_search.report import write_report
from wiring_search.report.pictures.front import draw_front
from wiring_search.run.files import export
from wiring_search.store import Store, StoreFault, Trial
from wiring_search.store.config import StudyConfig
from wiring_search.tasks import Task

if TYPE_CHECKING:
    import pandas


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

    def analysed(
        self, objectives: tuple[str, ...] | None = None, reference: dict[str, float] | None = None
    ) -> Front:
        """The front with its knee, the probability that each member is truly on it, and its
        hypervolume. reference: numbers of the reference point for some objectives, for this
        once."""
        with closing(Store.open(self.folder)) as store:
            return front_of(store, objectives, reference)

    def draw(self, front: Front, path: Path) -> None:
        """The picture of a front into a file. Raises ValueError where the name says no kind of
        picture, or cannot be written."""
        with closing(Store.open(self.folder)) as store:
            figure = draw_front(store, front)
        try:
            figure.savefig(path, dpi=150)
        except OSError as fault:
            raise ValueError(
                f"{path} cannot be written ({fault}); name a file in a folder that is there"
            ) from fault

    def compared(self, objectives: tuple[str, ...] | None = None) -> "pandas.DataFrame":
        """The front and the baselines that were trained, and whether each lies on their joint front
        (`on_front`)."""
        return results.compared(self.table(), objectives or self.config.objectives)

    def score_share(self) -> float:
        """Time that measuring scores took over the time that training took, NaN where nothing was
        trained."""
        table = self.table()
        trained = float(table["train_seconds"][table["baseline"] == ""].sum())
        return float(table["score_seconds"].sum()) / trained if trained else float("nan")

    def answer(self) -> str:
        """One sentence: how small a wiring is enough, or that none is."""
        with closing(Store.open(self.folder)) as store:
            return enough(store).sentence

    def trial(self, number: int) -> Trial:
        """Raises ValueError where there is no such trial."""
        with closing(Store.open(self.folder)) as store:
            return store.trial(number)

    def write_files(self, task: Task | None = None) -> None:
        """Tables and report, from the store as it is now; the networks in the report need the
        task's data. task: the study's, which is loaded where it is not at hand."""
        with closing(Store.open(self.folder)) as store:
            write_files_of(store, task)


def write_files_of(store: Store, task: Task | None) -> None:
    """Tables and report. Raises StoreFault where there is no room for them."""
    try:
        export(store)
        write_report(store, _playable(store, task))
    except OSError as fault:
        raise StoreFault(
            f"tables and report of {store.folder} cannot be written ({fault}). What was found is safe in the store; free some space, "
            f"then `wiring-search resume {store.folder}` goes on"
        ) from fault


def player() -> Callable[[Store], dict[str, Any]]:
    """Makes the networks that a served report can run, again and again: the task is loaded once."""
    task: Task | None = None

    def play(store: Store) -> dict[str, Any]:
        nonlocal task
        with suppress(ValueError):  # `_playable` says what is wrong
            task = task or tasks.load(store.config.task, store.config.task_options)
        return _playable(store, task)

    return play


def _playable(store: Store, task: Task | None) -> dict[str, Any]:
    """Networks that the report's page can run, those of the front first, then the best of the
    others; or why there are none."""
    from wiring_search.report.player import MOST_NETWORKS, playable

    table, trials, config = store.table(), store.trials(), store.config
    best = (
        results.front(table, config.objectives)["trial"],
        results.candidates(table).sort_values("error")["trial"],
    )
    numbers = list(dict.fromkeys(int(number) for part in best for number in part))[:MOST_NETWORKS]
    if not numbers:
        return {}
    try:
        return playable(
            store,
            [trials[number] for number in numbers],
            task or tasks.load(config.task, config.task_options),
        )
    except ValueError as fault:
        return {"absent": f"The networks of this study cannot be run here: {fault}."}
