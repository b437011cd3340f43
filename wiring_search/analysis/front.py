"""A study's front, and what can be said about it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wiring_search.analysis.expected_error import expected_errors
from wiring_search.analysis.pareto import (
    Knees,
    draw_errors,
    hypervolume,
    is_front,
    knees,
    probability_on_front,
)
from wiring_search.analysis.reference_point import Reference, reference
from wiring_search.analysis.table import candidates, compared, minimised_points
from wiring_search.store import Store

if TYPE_CHECKING:
    import pandas

# Candidates beside the front are listed from this probability of being on it.
_MAY_BE = 0.25


@dataclass(frozen=True)
class Front:
    """The front of a study in some objectives.

    Attributes:
        objectives: The objectives.
        rows: The front by synapses and then error, then the baselines, as `table.compared`. Further
            columns: knee (bool), knee_share (of resamples with this knee), probability (that the
            candidate truly is on the front, among those that were trained several times; NaN if
            unknown), trainings and source (see `expected_errors`).
        beside: Trials that are not on the front, but may be with a probability of 0.25 or more.
        stability: The share of resamples with this knee or a neighbour; NaN without a knee.
        by_errors: Whether errors were drawn; if not, candidates were resampled.
        reference: The reference point.
        hypervolume: Below the reference point; NaN before that is known.
    """

    objectives: tuple[str, ...]
    rows: "pandas.DataFrame"
    beside: dict[int, float]
    stability: float
    by_errors: bool
    reference: Reference
    hypervolume: float

    @property
    def knee(self) -> int | None:
        """The trial of the knee, None where the front has none."""
        found = self.rows.loc[self.rows["knee"], "trial"]
        return int(found.iloc[0]) if len(found) else None


def front_of(
    store: Store,
    objectives: tuple[str, ...] | None = None,
    given: dict[str, float] | None = None,
    seed: int = 0,
) -> Front:
    """The front of a study.

    Args:
        store: The study's store.
        objectives: The study's objectives if None.
        given: Numbers of the reference point for some objectives, instead of the stored ones.
        seed: Of the resampling.

    Raises:
        ValueError: A column is no objective or was not measured, or a number is given for an
            objective that is not among them.
    """
    objectives = objectives or store.config.objectives
    table = store.table()
    finished = candidates(table)
    points = minimised_points(finished, objectives)
    known = expected_errors(store, finished)
    draws = _draws(known, points, objectives, seed)
    found = _knees(points, objectives, draws, seed)
    if draws is not None:
        probability = np.where(
            np.isnan(draws[0]),
            np.nan,
            probability_on_front(points, objectives.index("error"), draws),
        )
    else:
        probability = np.full(len(points), np.nan)
    of = finished.assign(
        knee=np.arange(len(points)) == found.chosen,
        knee_share=found.shares,
        probability=probability,
        trainings=known["trainings"],
        source=known["source"],
    ).set_index("trial")
    rows = compared(table, objectives)
    extra = (
        of[["knee", "knee_share", "probability", "trainings", "source"]]
        .reindex(rows["trial"])
        .reset_index(drop=True)
    )
    extra = extra.assign(knee=extra["knee"].eq(True), source=extra["source"].fillna(""))
    maybe = of[(of["probability"] >= _MAY_BE) & ~is_front(points)].sort_values(
        "probability", ascending=False
    )["probability"]
    corner = reference(store, objectives).with_given(given or {})
    return Front(
        objectives,
        rows.join(extra),
        {int(trial): float(share) for trial, share in maybe.items()},
        found.stability,
        draws is not None,
        corner,
        hypervolume(points, corner.point) if corner.known else np.nan,
    )


def _draws(
    known: "pandas.DataFrame", points: np.ndarray, objectives: tuple[str, ...], seed: int
) -> np.ndarray | None:
    """(draws, candidates) errors, NaN for candidates that were trained once: their errors have a
    selection bias that means over fresh seeds do not have. None if the error is no objective, or a
    member of the front was trained once."""
    several = (known["trainings"] > 1).to_numpy()
    front = is_front(points)
    if "error" not in objectives or not front.any() or not several[front].all():
        return None
    draws = draw_errors(known["mean"], known["standard_error"], known["freedom"], seed=seed)
    return np.where(several & np.isfinite(points[:, objectives.index("error")]), draws, np.nan)


def _knees(
    points: np.ndarray, objectives: tuple[str, ...], draws: np.ndarray | None, seed: int
) -> Knees:
    if draws is None:
        return knees(points, seed=seed)
    return knees(points, objectives.index("error"), draws, seed=seed)
