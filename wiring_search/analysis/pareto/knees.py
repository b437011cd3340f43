"""Knees: where a front bends most, so that a little less of one objective costs much of another.

Objectives are brought to 0 (best on the front) … 1 (worst on the front). The knee is the front's
point that lies furthest below the plane of the extremes (Das 1999, "On characterizing the 'knee' of
the Pareto curve"): in two objectives the line from (0, 1) to (1, 0), in d the plane Σ z = d − 1, on
which an extreme lies that is best in one objective and worst in the others. A front with no point
below it has no knee.

How firm that choice is, resampling says (Efron 1979): see `knees`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wiring_search.analysis.pareto.certainty import contends
from wiring_search.analysis.pareto.dominance import checked, is_front

# A point below so many fronts is on the front of a resample only where one of each of them is left
# out: of 400 resamples, in one.
_DEEPEST = 6
# Of the front's extent, in every objective: knees as near as that are the same choice.
_NEAR = 0.1


@dataclass(frozen=True)
class Knees:
    """The knee of a front, and how firm that choice is.

    Attributes:
        chosen: The row of the knee, the first of equal ones; None where there is no knee.
        stability: The share of resamples whose knee lies within a tenth of the front's extent of
            it, in every objective (of draws, of their median); NaN without a knee.
        shares: (points,) the share of resamples that have just that row, or one equal to it, as
            their knee.
    """

    chosen: int | None
    stability: float
    shares: np.ndarray


def knee(points: ArrayLike) -> int | None:
    """Return the row of the knee of the points' front, the first of equal ones.

    Args:
        points: (points, objectives), smaller is better.

    Returns:
        The row; None where fewer than three different points are on the front, or none lies below
        the plane of the extremes.

    Source:
        Das, "On characterizing the 'knee' of the Pareto curve", Structural Optimization 18, 1999.
    """
    points = checked(points)
    rows = np.flatnonzero(is_front(points))
    front = points[rows]
    if len(rows) < 3:
        return None
    low, extent = _extent(front)
    sums = ((front - low) / extent).sum(axis=1)
    best = int(sums.argmin())
    # Of two points that differ, both are extremes and lie on the plane: there is no knee either.
    return int(rows[best]) if sums[best] < points.shape[1] - 1 - 1e-12 else None


def knees(
    points: ArrayLike,
    column: int = 0,
    draws: np.ndarray | None = None,
    resamples: int = 400,
    seed: int = 0,
) -> Knees:
    """Return the knee, and how often another look at the same search would choose it, or one near.

    Args:
        points: (points, objectives), smaller is better.
        column: The objective that is uncertain.
        draws: (draws, points), numbers that it may truly have (`certainty.draw_errors`): the
            resamples are those draws. Without, nothing is known of the numbers, and candidates are
            resampled with replacement, as if the search had met others of their kind; any one of
            them is then missing from 37 % of the resamples.
        resamples: How many, without `draws`.
        seed: Of the resamples.

    Source:
        Efron, "Bootstrap methods: another look at the jackknife", Annals of Statistics 7, 1979.
    """
    points = checked(points)
    chosen = knee(points)
    found = list(
        _over_candidates(points, resamples, seed)
        if draws is None
        else _over_draws(points, column, draws)
    )
    shares = np.zeros(len(points))
    if chosen is None:
        return Knees(None, math.nan, shares)
    _, extent = _extent(points[is_front(points)])
    near = 0
    at = points[chosen].copy()
    if draws is not None:
        # Fresh trainings move a chosen error up: that is selection bias, not another choice.
        at[column] = np.median(draws[:, chosen])
    for index, row in found:
        near += bool((np.abs(index - at) <= _NEAR * extent).all())
        shares[row] += 1
    of = len(draws) if draws is not None else resamples
    return Knees(chosen, near / of, shares / of)


def _extent(front: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best of each objective, and how far it is to the worst; 1 where all are equal."""
    low = front.min(axis=0)
    high = front.max(axis=0)
    return low, np.where(high > low, high - low, 1.0)


def _over_draws(
    points: np.ndarray, column: int, draws: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The knee of each draw that has one: its point, and its rows."""
    held = np.flatnonzero(contends(points, column, draws))
    moved = points[held]
    for numbers in draws[:, held]:
        moved[:, column] = numbers
        found = knee(moved)
        if found is not None:
            yield moved[found], held[[found]]


def _upper(points: np.ndarray) -> np.ndarray:
    """Rows of the first fronts."""
    left = np.arange(len(points))
    upper = np.zeros(len(points), bool)
    for _ in range(_DEEPEST):
        front = is_front(points[left])
        upper[left[front]] = True
        left = left[~front]
    return np.flatnonzero(upper)


def _over_candidates(
    points: np.ndarray, resamples: int, seed: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    near = _upper(points)
    rng = np.random.default_rng(seed)
    for _ in range(resamples if len(near) else 0):
        there = (
            np.bincount(rng.integers(len(points), size=len(points)), minlength=len(points))[near]
            > 0
        )
        rows = near[there]
        found = knee(points[rows])
        if found is not None:
            index = points[rows[found]]
            yield index, near[(points[near] == index).all(axis=1)]
