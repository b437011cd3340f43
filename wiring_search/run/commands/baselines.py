"""The work of `baselines`: networks trained beside a study, for its table, front and report."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wiring_search.run.folder import Run, write_files_of
from wiring_search.store import Store
from wiring_search.workers.jobs import Outcome, Rung


@dataclass(frozen=True)
class BaselineEpoch:
    """A baseline, or the liquid ones together, finished an epoch.

    Attributes:
        names: The baselines that train.
        epoch: Epochs finished, of `epochs`.
        done: Baselines in the store, of `count`, earlier calls included.
    """

    names: str
    epoch: int
    epochs: int
    done: int
    count: int


@dataclass(frozen=True)
class BaselineDone:
    """A baseline is in the store.

    Attributes:
        name: The baseline.
        outcome: Of its training.
        done: Baselines in the store, of `count`, earlier calls included.
        count: Baselines asked for.
    """

    name: str
    outcome: Outcome
    done: int
    count: int


BaselineWatcher = Callable[[BaselineEpoch | BaselineDone], None]


def train_baselines(
    out: str | Path, only: tuple[str, ...] = (), watch: BaselineWatcher = lambda event: None
) -> Run:
    """Train baselines beside a study, with its budget, in this process.

    Baselines that were trained are kept. Tables and report are written at the end, also after an
    interrupt.

    Args:
        out: The run folder.
        only: Names out of `wiring_search.training.baselines.catalogue.names_of`, or their first
            part such as "lstm"; all by default.
        watch: Called with a `BaselineEpoch` or `BaselineDone`.

    Returns:
        The run folder.

    Raises:
        ValueError: A name is unknown.
    """
    from wiring_search.training.baselines import catalogue

    folder = Path(out)
    with closing(Store.open(folder)) as store, store.locked():
        config = store.config
        task = config.load_task()
        names = catalogue.select(task, only)
        trained = {row.name for row in store.baselines()}
        missing = [name for name in names if name not in trained]
        done = len(names) - len(missing)
        rung = Rung(0, config.epochs, config.batch_size)

        def on_epoch(name: str, epoch: int, epochs: int) -> None:
            watch(BaselineEpoch(name, epoch, epochs, done, len(names)))

        try:
            for result in catalogue.train_all(task, missing, rung, config.seed, on_epoch):
                store.record_baseline(result.name, result.outcome, result.worker)
                done += 1
                watch(BaselineDone(result.name, result.outcome, done, len(names)))
        finally:
            write_files_of(store, task)
    return Run(folder)
