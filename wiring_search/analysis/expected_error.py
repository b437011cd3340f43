"""The expected error of each candidate: its mean over trainings, with a standard error.

There are three sources: repeats within the search (`--repeats`), `wiring-search repeat` and
`wiring-search retrain`. The source with the most trainings counts. A candidate that was trained
once has no standard error.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wiring_search.store import Store
from wiring_search.workers.jobs import Status

if TYPE_CHECKING:
    import pandas


class _Estimate(NamedTuple):
    """One source's estimate of a trial's error, from so many independent trainings."""

    trial: int
    source: str
    mean: float
    standard_error: float
    trainings: int


def expected_errors(store: Store, finished: "pandas.DataFrame") -> "pandas.DataFrame":
    """The expected error of each candidate.

    Args:
        store: The study's store.
        finished: Candidates, rows of the study's table.

    Returns:
        One row per candidate, with the index of `finished`: mean (of its error; that of the search
        if it was trained once), standard_error (of the mean; NaN if it was trained once), freedom
        (degrees of freedom of the standard error), trainings (their number), source ("repeats",
        "repeat" or "retrain"; "" if it was trained once).
    """
    import pandas

    best: dict[int, _Estimate] = {}
    for found in (*_repeats(store, finished), *_repeated(store, finished), *_retrained(store)):
        if found.trial not in best or found.trainings > best[found.trial].trainings:
            best[found.trial] = found
    rows = []
    for trial, error in zip(finished["trial"], finished["error"], strict=True):
        one = best.get(int(trial))
        rows.append(
            (error, np.nan, 0, 1, "")
            if one is None
            else (one.mean, one.standard_error, one.trainings - 1, one.trainings, one.source)
        )
    return pandas.DataFrame(
        rows,
        columns=["mean", "standard_error", "freedom", "trainings", "source"],
        index=finished.index,
    )


def _repeats(store: Store, finished: "pandas.DataFrame") -> Iterator[_Estimate]:
    count = store.config.repeats
    if count < 2:
        return
    for trial, mean, error in zip(
        finished["trial"], finished["error"], finished["error_se"], strict=True
    ):
        if np.isfinite(error):
            yield _Estimate(int(trial), "repeats", float(mean), float(error), count)


def _repeated(store: Store, finished: "pandas.DataFrame") -> Iterator[_Estimate]:
    """From the files of `repeat`, rows of the trial's wiring. The error of an initialisation is its
    mean over the orders of the data."""
    import pandas

    for trial, wiring in zip(finished["trial"], finished["wiring_id"], strict=True):
        path = store.folder / f"repeat-{trial}.csv"
        if path.exists():
            table = pandas.read_csv(path)
            same = table[table["wiring_id"] == wiring]
            yield from _of(
                int(trial), "repeat", same.groupby("init_seed")["error"].apply(list).to_list()
            )


def _retrained(store: Store) -> Iterator[_Estimate]:
    table = store.retrainings()
    for trial, runs in table[
        (table["control"] == "") & (table["status"] == Status.OK.value)
    ].groupby("trial"):
        yield from _of(int(trial), "retrain", [[error] for error in runs["error"]])


def _of(trial: int, source: str, errors: list[list[float]]) -> Iterator[_Estimate]:
    """errors: one list per network, of its trainings; networks with a failed one are left out."""
    whole = [row for row in errors if np.isfinite(row).all()]
    if len(whole) > 1:
        means = np.array([np.mean(row) for row in whole])
        error = float(means.std(ddof=1)) / len(means) ** 0.5
        yield _Estimate(trial, source, float(means.mean()), error, len(means))
