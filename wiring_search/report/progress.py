"""The progress of a search, by candidates and by time, and its cost."""

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.analysis.pareto import hypervolume_course
from wiring_search.analysis.table import minimised_points
from wiring_search.store import Store
from wiring_search.workers.jobs import Status

if TYPE_CHECKING:
    import pandas

# Points of a curve: a screen shows no more.
_STOPS = 250


def progress(
    store: Store, history: "pandas.DataFrame", objectives: tuple[str, ...], reference: np.ndarray
) -> dict[str, list]:
    """The search in the order in which packs finished, at up to 250 points.

    Args:
        store: The study's store.
        history: `Store.history`.
        objectives: Those of the hypervolume.
        reference: The reference point, (objectives,), minimised.

    Returns:
        judged (candidates that had finished a rung by then), seconds (of workers, for training and
        scoring all candidates), error (the best with the full budget) and hypervolume.
    """
    rows = _in_order(store, history)
    whole = (rows["status"] == Status.OK.value).to_numpy()
    points = minimised_points(rows, objectives)
    if len(rows):
        errors = np.fmin.accumulate(np.where(whole, rows["error"].to_numpy(float), math.nan))
    else:
        errors = np.empty(0)
    seconds = (
        rows[["train_seconds", "score_seconds"]].fillna(0.0).sum(axis=1).to_numpy(float).cumsum()
    )
    judged = (rows["rung"] == 0).to_numpy().cumsum()
    ends = np.flatnonzero(whole)
    volumes = np.full(len(rows), math.nan)
    if np.isfinite(reference).all():
        volumes[ends] = hypervolume_course(points[ends], reference)
    stops = _stops(ends)
    columns = {"judged": judged, "seconds": seconds, "error": errors, "hypervolume": volumes}
    return {name: values[stops].tolist() for name, values in columns.items()}


def cost(store: Store, history: "pandas.DataFrame") -> dict[str, Any]:
    """The cost of a study.

    Returns:
        Seconds of workers: full (training of candidates with the full budget), cut (of others),
        scores, baselines and retraining; the number of trainings; and wall_seconds, from the start
        of the first pack to the end of the last.
    """
    whole = history["trial"].isin(history.loc[history["status"] == Status.OK.value, "trial"])
    times = [
        (asked, finished) for asked, finished in store.times().values() if finished is not None
    ]
    wall = 0.0
    if times:
        first = min(asked for asked, _ in times)
        last = max(finished for _, finished in times)
        wall = (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
    return {
        "full": float(history.loc[whole, "train_seconds"].sum()),
        "cut": float(history.loc[~whole, "train_seconds"].sum()),
        "scores": float(history["score_seconds"].sum()),
        "baselines": sum(row.train_seconds or 0.0 for row in store.baselines()),
        "retraining": float(store.retrainings()["train_seconds"].sum()),
        "trainings": int(history["trial"].nunique()),
        "wall_seconds": wall,
    }


def _in_order(store: Store, history: "pandas.DataFrame") -> "pandas.DataFrame":
    order = {pack.number: pack.finish_order for pack in store.packs()}
    return (
        history.assign(order=history["pack"].map(order))
        .sort_values(["order", "trial"], kind="stable")
        .reset_index(drop=True)
    )


def _stops(ends: np.ndarray) -> np.ndarray:
    """Up to `_STOPS` of these, with the first and the last."""
    if len(ends) <= _STOPS:
        return ends
    return ends[np.unique(np.linspace(0, len(ends) - 1, _STOPS).round().astype(int))]
