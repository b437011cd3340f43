"""The work of `memory`: the recall suite for trials of a study."""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from wiring_search.run.trials import trials_with_candidate
from wiring_search.store import Store

if TYPE_CHECKING:
    import pandas


MEMORY_TABLE, MEMORY_PICTURE = "memory.csv", "memory.png"


def memory(
    out: str | Path,
    numbers: Sequence[int],
    tasks: Sequence[str] = (),
    lags: Sequence[int] = (),
    seeds: int = 3,
    epochs: int = 10,
    samples: int = 4000,
    on_progress: Callable[[int, int, str], None] = lambda done, count, doing: None,
) -> "tuple[pandas.DataFrame, pandas.DataFrame]":
    """Run the recall suite (`scores.memory.suite`) for trials of a study.

    Writes memory.csv and memory.png into the run folder.

    Args:
        out: The run folder.
        numbers: Of the trials.
        tasks: Names of tasks; the suite's by default.
        lags: Steps to remember over; the suite's by default.
        seeds: Of the weights, per trial.
        epochs: Passes over the training split of each task.
        samples: Training sequences of each task.
        on_progress: Called with (done, count, doing).

    Returns:
        One row per trial, task and lag; and one row per trial and task with the longest lag solved
        and the area under the curve.

    Raises:
        ValueError: There is no such trial, it was infeasible, or a task is unknown.
    """
    import pandas

    from wiring_search.report.pictures.memory import write_memory_plot
    from wiring_search.scores.memory import LAGS, TASKS, standings, suite

    folder = Path(out)
    numbers = list(dict.fromkeys(numbers))
    with closing(Store.open(folder)) as store:
        candidates = [
            trial.candidate for trial in trials_with_candidate(store, numbers) if trial.candidate
        ]
    rows = suite(candidates, tasks or TASKS, lags or LAGS, seeds, epochs, samples, on_progress)
    columns = ("task", "lag", "tried", "solved", "metric", "mean", "spread", "chance")
    table = pandas.DataFrame(
        [
            {"trial": numbers[row.candidate], **{name: getattr(row, name) for name in columns}}
            for row in rows
        ]
    )
    table.to_csv(folder / MEMORY_TABLE, index=False)
    write_memory_plot(table, folder / MEMORY_PICTURE)
    standing = ("task", "longest", "area", "spread")
    found = standings(rows)
    return table, pandas.DataFrame(
        [
            {"trial": numbers[one.candidate], **{name: getattr(one, name) for name in standing}}
            for one in found
        ]
    )
