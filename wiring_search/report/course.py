"""How a search went: its best error and its front's hypervolume as candidates were finished, and as
time was spent."""

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

# Points of the curves: more than a screen shows apart.
_STOPS = 250


def course(
    store: Store, history: "pandas.DataFrame", objectives: tuple[str, ...], reference: np.ndarray
) -> dict[str, list]:
    """The search in the order in which it finished its packs, at up to 250 stops. history:
    `Store.history`.

    judged: candidates that had finished a rung by then; seconds: that workers had spent on training
    and scoring, those that were cut or diverged included; error: the best one among candidates with
    the full budget; hypervolume: of their front, below `reference` (objectives,), minimised.
    """
    rows = _in_order(store, history)
    whole = (rows["status"] == Status.OK.value).to_numpy()
    points = minimised_points(rows, objectives)
    errors = (
        np.fmin.accumulate(np.where(whole, rows["error"].to_numpy(float), math.nan))
        if len(rows)
        else np.empty(0)
    )
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
    """What was spent. In seconds of workers: by candidates with the full budget, by others, on
    scores, baselines, retraining; trainings; and wall_seconds, from the first pack that was asked
    for to the last one that was finished."""
    whole = history["trial"].isin(history.loc[history["status"] == Status.OK.value, "trial"])
    times = [
        (asked, finished) for asked, finished in store.times().values() if finished is not None
    ]
    wall = 0.0
    if times:
        first, last = min(asked for asked, _ in times), max(finished for _, finished in times)
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
    places = {pack.number: pack.finish_order for pack in store.packs()}
    return (
        history.assign(place=history["pack"].map(places))
        .sort_values(["place", "trial"], kind="stable")
        .reset_index(drop=True)
    )


def _stops(ends: np.ndarray) -> np.ndarray:
    """Up to `_STOPS` of these, the first and the last among them."""
    if len(ends) <= _STOPS:
        return ends
    return ends[np.unique(np.linspace(0, len(ends) - 1, _STOPS).round().astype(int))]
