"""Pareto fronts. Points are rows of numbers, every one to be small; a row with NaN or an infinite number is on no front.

A point dominates another where it is nowhere larger and somewhere smaller; equal points do not dominate each other,
so ties stay.
"""

from bisect import bisect_right

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
    kept = _sweep(unique) if unique.shape[1] <= 3 else _elimination(unique)
    result[whole] = kept[back.reshape(-1)]
    return result


def rank(points: ArrayLike, enough: int | None = None) -> np.ndarray:
    """Non-dominated rank: 0 on the front, 1 on the front of the rest, … (n,) int64; −1 for rows that are not finite.

    enough: whole ranks until so many points have one; the others are −1 too.
    """
    points = _checked(points)
    ranks = np.full(len(points), -1)
    left = np.flatnonzero(np.isfinite(points).all(axis=1))
    if points.shape[1] <= 2 and len(left):
        unique, back = np.unique(points[left], axis=0, return_inverse=True)
        ranks[left] = _piles(unique)[back.reshape(-1)]
        if enough is not None:
            counts = np.bincount(ranks[left]).cumsum()
            ranks[ranks > np.searchsorted(counts, enough)] = -1
        return ranks
    level, ranked = 0, 0
    while len(left) and (enough is None or ranked < enough):
        front = is_front(points[left])
        ranks[left[front]] = level
        level, ranked = level + 1, ranked + int(front.sum())
        left = left[~front]
    return ranks


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """The volume that the points dominate within the box below `reference` (objectives,). Points beyond it count as
    nothing."""
    points, reference = _checked(points), np.asarray(reference, np.float64)
    if points.shape[1] != len(reference):
        raise ValueError(f"reference has {len(reference)} numbers, points have {points.shape[1]}; give one an objective")
    if not np.isfinite(reference).all():
        raise ValueError(f"reference is {reference.tolist()}; give finite numbers, beyond the worst that should count")
    points = points[np.isfinite(points).all(axis=1) & (points < reference).all(axis=1)]
    return _volume(points[is_front(points)], reference)


def _sweep(points: np.ndarray) -> np.ndarray:
    """The front of distinct rows of up to three numbers, sorted by row, in n log n (Kung, Luccio and Preparata 1975).

    Only an earlier row can dominate a later one, and only by its last two numbers: a stair of the least pairs so far (the one
    number rises, the other falls) says by one bisection whether one does.
    """
    kept = np.zeros(len(points), bool)
    rises: list[float] = []
    falls: list[float] = []
    padded = np.pad(points, ((0, 0), (3 - points.shape[1], 0)))
    for i, (rise, fall) in enumerate(padded[:, 1:].tolist()):
        place = bisect_right(rises, rise)
        if place and falls[place - 1] <= fall:
            continue
        kept[i] = True
        first = place - 1 if place and rises[place - 1] == rise else place
        while place < len(falls) and falls[place] >= fall:
            place += 1
        rises[first:place], falls[first:place] = [rise], [fall]
    return kept


def _piles(points: np.ndarray) -> np.ndarray:
    """The ranks of distinct rows of one or two numbers, sorted by row, in n log n (as in patience sorting).

    Among earlier rows only a last number that is as small dominates, and the least of each rank rises with the rank.
    """
    least: list[float] = []
    ranks = np.empty(len(points), np.int64)
    for i, last in enumerate(points[:, -1].tolist()):
        level = bisect_right(least, last)
        least[level : level + 1] = [last]
        ranks[i] = level
    return ranks


def _elimination(points: np.ndarray) -> np.ndarray:
    """The front of distinct rows: points that dominate many come early, and what is dominated leaves at once."""
    order = np.argsort(points.argsort(axis=0).argsort(axis=0).sum(axis=1), kind="stable")
    left, rows = points[order], order
    at = 0
    while at < len(left):
        keep = (left < left[at]).any(axis=1)
        keep[at] = True
        at = int(keep[:at].sum()) + 1
        left, rows = left[keep], rows[keep]
    kept = np.zeros(len(points), bool)
    kept[rows] = True
    return kept


def _volume(points: np.ndarray, reference: np.ndarray) -> float:
    """Slices along the first objective: each as wide as the step to the next point, its area one dimension lower."""
    points = points[np.argsort(points[:, 0], kind="stable")]
    widths = np.diff(points[:, 0], append=reference[0])
    if len(reference) == 1:
        return float(widths.sum())
    if len(reference) == 2:
        return float(widths @ (reference[1] - np.minimum.accumulate(points[:, 1])))
    slices = (width * _volume(points[: i + 1, 1:], reference[1:]) for i, width in enumerate(widths) if width > 0)
    return float(sum(slices))


def _checked(points: ArrayLike) -> np.ndarray:
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] == 0:
        raise ValueError(f"points have shape {points.shape}; give (points, objectives)")
    return points
