"""Pareto fronts. Points are rows of numbers, every one to be small; a row with NaN is on no front.

A point dominates another where it is nowhere larger and somewhere smaller; equal points do not dominate each other,
so ties stay.
"""

import numpy as np
from numpy.typing import ArrayLike


def is_front(points: ArrayLike) -> np.ndarray:
    """Which points no other one dominates. points: (n, objectives). Returns (n,) bool."""
    points = _checked(points)
    whole = np.flatnonzero(np.isfinite(points).all(axis=1))
    result = np.zeros(len(points), bool)
    if len(whole) == 0:
        return result
    unique, back = np.unique(points[whole], axis=0, return_inverse=True)
    if unique.shape[1] <= 2:  # `unique` is sorted by its first column, so a point stays where its last one is a new least
        last = unique[:, -1]
        before = np.minimum.accumulate(np.append(np.inf, last[:-1]))
        result[whole] = (last < before)[back.reshape(-1)]
        return result
    # In the order of a sum of ranks, points that dominate many come early; what is dominated leaves at once.
    order = np.argsort(unique.argsort(axis=0).argsort(axis=0).sum(axis=1), kind="stable")
    left, rows = unique[order], order
    at = 0
    while at < len(left):
        keep = (left < left[at]).any(axis=1)
        keep[at] = True
        at = int(keep[:at].sum()) + 1
        left, rows = left[keep], rows[keep]
    on_front = np.zeros(len(unique), bool)
    on_front[rows] = True
    result[whole] = on_front[back.reshape(-1)]
    return result


def rank(points: ArrayLike) -> np.ndarray:
    """Non-dominated rank: 0 on the front, 1 on the front of the rest, … (n,) int64; −1 for rows with NaN."""
    points = _checked(points)
    ranks = np.full(len(points), -1)
    left = np.flatnonzero(np.isfinite(points).all(axis=1))
    level = 0
    while len(left):
        front = is_front(points[left])
        ranks[left[front]] = level
        left, level = left[~front], level + 1
    return ranks


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """The volume that the points dominate within the box below `reference` (objectives,). Points beyond it count as
    nothing."""
    points, reference = _checked(points), np.asarray(reference, np.float64)
    if points.shape[1] != len(reference):
        raise ValueError(f"reference has {len(reference)} numbers, points have {points.shape[1]}; give one an objective")
    points = points[np.isfinite(points).all(axis=1) & (points < reference).all(axis=1)]
    return _volume(points[is_front(points)], reference)


def _volume(front: np.ndarray, reference: np.ndarray) -> float:
    """Slices along the last objective: each as thick as the step to the next point, its area one dimension lower."""
    if len(front) == 0:
        return 0.0
    if front.shape[1] == 1:
        return float(reference[0] - front.min())
    front = front[np.argsort(front[:, -1], kind="stable")]
    ends = np.append(front[1:, -1], reference[-1])
    total = 0.0
    for i, thickness in enumerate(ends - front[:, -1]):
        if thickness > 0:
            slab = front[: i + 1, :-1]
            total += float(thickness) * _volume(slab[is_front(slab)], reference[:-1])
    return total


def _checked(points: ArrayLike) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] == 0:
        raise ValueError(f"points have shape {points.shape}; give (points, objectives)")
    return points
