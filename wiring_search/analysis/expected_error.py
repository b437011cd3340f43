"""What is known of the expected error of each candidate: its mean over trainings, and how far that
may be off.

Three places tell: repeats within the search (`--repeats`), `wiring-search repeat`, and
`wiring-search retrain`; of a candidate that has several, the one with the most trainings counts. Of
a candidate that was trained once nothing is known.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wiring_search.store import Store
from wiring_search.workers.jobs import Status

if TYPE_CHECKING:
    import pandas


class _Known(NamedTuple):
    """What one source says of one trial. trainings: independent ones, which the mean is of."""

    trial: int
    source: str
    mean: float
    standard_error: float
    trainings: int


def trainings(store: Store, finished: "pandas.DataFrame") -> "pandas.DataFrame":
    """One row a candidate of `finished` (rows of the study's table), with its index:

    mean: of its error, that of the search where it was trained once. standard_error: of the mean,
    NaN where nothing is known. freedom: degrees of freedom of the standard error. trainings: how
    many the mean is of. source: "repeats", "repeat" or "retrain"; empty where nothing is known.
    """
    import pandas

    best: dict[int, _Known] = {}
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


def _repeats(store: Store, finished: "pandas.DataFrame") -> Iterator[_Known]:
    count = store.config.repeats
    if count < 2:
        return
    for trial, mean, error in zip(
        finished["trial"], finished["error"], finished["error_se"], strict=True
    ):
        if np.isfinite(error):
            yield _Known(int(trial), "repeats", float(mean), float(error), count)


def _repeated(store: Store, finished: "pandas.DataFrame") -> Iterator[_Known]:
    """Of the files of `repeat`, the trial's own wiring: an initialisation's error is its mean over
    the orders of the data."""
    import pandas

    for trial, wiring in zip(finished["trial"], finished["wiring_id"], strict=True):
        path = store.folder / f"repeat-{trial}.csv"
        if path.exists():
            table = pandas.read_csv(path)
            own = table[table["wiring_id"] == wiring]
            yield from _of(
                int(trial), "repeat", own.groupby("init_seed")["error"].apply(list).to_list()
            )


def _retrained(store: Store) -> Iterator[_Known]:
    table = store.retrainings()
    for trial, own in table[
        (table["control"] == "") & (table["status"] == Status.OK.value)
    ].groupby("trial"):
        yield from _of(int(trial), "retrain", [[error] for error in own["error"]])


def _of(trial: int, source: str, errors: list[list[float]]) -> Iterator[_Known]:
    """errors: a list a network, of its trainings; networks with one that failed say nothing."""
    whole = [row for row in errors if np.isfinite(row).all()]
    if len(whole) > 1:
        means = np.array([np.mean(row) for row in whole])
        error = float(means.std(ddof=1)) / len(means) ** 0.5
        yield _Known(trial, source, float(means.mean()), error, len(means))
