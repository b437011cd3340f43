"""A run folder: queries of its store, and the files that are written from it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
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
from wiring_search.run.files import export, save_figure
from wiring_search.store import Store, StoreFault, Trial
from wiring_search.store.config import StudyConfig
from wiring_search.tasks import Task

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Run:
    """A run folder, finished or still running. Everything is read from its store.

    Reading runs no code of the study's extension.

    Attributes:
        folder: Its path.
    """

    folder: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "folder", Path(self.folder))

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """Yield the store, open inside the block.

        Raises:
            ValueError: The folder holds no study.
            StoreFault: The store cannot be read.
        """
        with closing(Store.open(self.folder)) as store:
            yield store

    @property
    def report(self) -> Path:
        return self.folder / REPORT

    @property
    def config(self) -> StudyConfig:
        with self.opened() as store:
            return store.config

    @property
    def ended(self) -> bool:
        """Whether the study has run to its end."""
        with self.opened() as store:
            return store.ended is not None

    @property
    def metric(self) -> str:
        with self.opened() as store:
            return store.facts["metric"]

    @property
    def rules(self) -> dict[str, float]:
        """Errors of trivial rules on the validation split, by name."""
        with self.opened() as store:
            return store.facts["rules"]

    def table(self) -> "pandas.DataFrame":
        """Return one row per trial, and one per trained baseline."""
        with self.opened() as store:
            return store.table()

    def front(self, objectives: tuple[str, ...] | None = None) -> "pandas.DataFrame":
        """Return the Pareto front.

        Args:
            objectives: Those of the study by default.
        """
        with self.opened() as store:
            return results.front(store.table(), objectives or store.config.objectives)

    def analysed(
        self, objectives: tuple[str, ...] | None = None, reference: dict[str, float] | None = None
    ) -> Front:
        """Return the front with its knee, hypervolume, and the probability of each member.

        Args:
            objectives: Those of the study by default.
            reference: Numbers of the reference point for some objectives, for this call.
        """
        with self.opened() as store:
            return front_of(store, objectives, reference)

    def draw(self, front: Front, path: Path) -> None:
        """Write the picture of a front to a file.

        Args:
            front: Of this study.
            path: The picture's file.

        Raises:
            ValueError: The file's name has no known format, or the file cannot be written.
        """
        with self.opened() as store:
            figure = draw_front(store, front)
        save_figure(figure, path)

    def compared(self, objectives: tuple[str, ...] | None = None) -> "pandas.DataFrame":
        """Return the front and the trained baselines.

        Args:
            objectives: Those of the study by default.

        Returns:
            A table; `on_front` says which rows lie on the joint front.
        """
        with self.opened() as store:
            return results.compared(store.table(), objectives or store.config.objectives)

    def score_share(self) -> float:
        """Return time spent on scores over time spent on training; NaN without training."""
        table = self.table()
        trained = float(table["train_seconds"][table["baseline"] == ""].sum())
        return float(table["score_seconds"].sum()) / trained if trained else float("nan")

    def answer(self) -> str:
        """Return one sentence: how small a wiring is enough, or that none is."""
        with self.opened() as store:
            return enough(store).sentence

    def trial(self, number: int) -> Trial:
        """Return a trial by its number.

        Raises:
            ValueError: There is no such trial.
        """
        with self.opened() as store:
            return store.trial(number)

    def write_files(self, task: Task | None = None) -> None:
        """Write tables and report from the store as it is now.

        Args:
            task: The study's, for the networks in the report; loaded where it is not given.
        """
        with self.opened() as store:
            write_files_of(store, task)


def write_files_of(store: Store, task: Task | None) -> None:
    """Write the tables and the report of a study.

    Args:
        store: The study's store.
        task: Its task, for the networks in the report; loaded where it is None.

    Raises:
        StoreFault: The disk has no room for them.
    """
    try:
        export(store)
        write_report(store, _playable(store, task))
    except OSError as fault:
        raise StoreFault(
            f"tables and report of {store.folder} cannot be written ({fault}). The results are "
            "safe "
            f"in the store; free some space, then run `wiring-search resume {store.folder}`"
        ) from fault


def player() -> Callable[[Store], dict[str, Any]]:
    """Return a function that makes the networks of a served report; it loads the task once."""
    task: Task | None = None

    def play(store: Store) -> dict[str, Any]:
        nonlocal task
        with suppress(ValueError):  # `_playable` says what is wrong
            task = task or _load_task(store)
        return _playable(store, task)

    return play


def _load_task(store: Store) -> Task:
    """The study's task.

    A report is read without running the code of an extension.

    Raises:
        ValueError: The task takes code of an extension.
    """
    config = store.config
    extension = config.extension
    if extension is not None and extension.defines_task(config.task) and not extension.is_loaded:
        raise ValueError(
            f"their task is defined in {extension.file}, whose code a report does not run; "
            f"`wiring-search resume {store.folder}` runs it and writes the report again"
        )
    return tasks.load(config.task, config.task_options)


def _playable(store: Store, task: Task | None) -> dict[str, Any]:
    """Networks that the page can run, the front first, then by error; or why there are none."""
    from wiring_search.report.player import MOST_NETWORKS, playable

    table = store.table()
    trials = store.trials()
    front = results.front(table, store.config.objectives)["trial"]
    by_error = results.candidates(table).sort_values("error")["trial"]
    numbers = list(dict.fromkeys([*map(int, front), *map(int, by_error)]))[:MOST_NETWORKS]
    if not numbers:
        return {}
    try:
        return playable(store, [trials[number] for number in numbers], task or _load_task(store))
    except ValueError as fault:
        return {"absent": f"The networks of this study cannot be run here: {fault}."}
