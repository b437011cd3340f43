"""Fronts and ranks. A point dominates another where it is nowhere larger and somewhere smaller;
equal points do not dominate each other, so ties stay."""

from bisect import bisect_right

import numpy as np
from numpy.typing import ArrayLike

# Rows that are compared all with all: numpy does that faster than it halves them.
_FEW = 128


def is_front(points: ArrayLike) -> np.ndarray:
    """Return which points no other one dominates.

    Args:
        points: (n, objectives), smaller is better.

    Returns:
        (n,) bool; False for rows that are not finite.

    Raises:
        ValueError: The shape is another.

    Source:
        Kung, Luccio and Preparata, "On finding the maxima of a set of vectors", J. ACM 22, 1975.
    """
    points = checked(points)
    whole = np.flatnonzero(np.isfinite(points).all(axis=1))
    result = np.zeros(len(points), bool)
    if len(whole) <= _FEW:
        result[whole] = _compared(points[whole])
        return result
    unique, back = np.unique(points[whole], axis=0, return_inverse=True)
    kept = _sweep(unique) if unique.shape[1] <= 3 else _halves(unique)
    result[whole] = kept[back.reshape(-1)]
    return result


def rank(points: ArrayLike, enough: int | None = None) -> np.ndarray:
    """Return non-dominated ranks: 0 on the front, 1 on the front of the rest, …

    Args:
        points: (n, objectives), smaller is better.
        enough: Whole ranks are given until so many points have one; None for all.

    Returns:
        (n,) int64; −1 for rows that are not finite, and for those left over.

    Raises:
        ValueError: The shape is another.
    """
    points = checked(points)
    ranks = np.full(len(points), -1)
    left = np.flatnonzero(np.isfinite(points).all(axis=1))
    if len(left) <= _FEW or points.shape[1] <= 2:
        if len(left) <= _FEW:
            ranks[left] = _peeled(points[left])
        else:
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
        level = level + 1
        ranked = ranked + int(front.sum())
        left = left[~front]
    return ranks


def _sweep(points: np.ndarray) -> np.ndarray:
    """The front of distinct rows of up to three numbers, sorted by row, in n log n (Kung, Luccio
    and Preparata 1975).

    Only an earlier row can dominate a later one, and only by its last two numbers: a stair of the
    least pairs so far (the one number rises, the other falls) says by one bisection whether one
    does.
    """
    kept = np.zeros(len(points), bool)
    rises: list[float] = []
    falls: list[float] = []
    padded = np.pad(points, ((0, 0), (3 - points.shape[1], 0)))
    for i, (rise, fall) in enumerate(padded[:, 1:].tolist()):
        index = bisect_right(rises, rise)
        if index and falls[index - 1] <= fall:
            continue
        kept[i] = True
        first = index - 1 if index and rises[index - 1] == rise else index
        while index < len(falls) and falls[index] >= fall:
            index += 1
        rises[first:index], falls[first:index] = [rise], [fall]
    return kept


def _peeled(points: np.ndarray) -> np.ndarray:
    """The ranks of a few rows, all compared with all once: front after front is taken away."""
    no_worse = np.all(points[:, None] <= points, axis=2)
    dominates = no_worse & ~no_worse.T
    ranks = np.full(len(points), -1)
    dominators = dominates.sum(axis=0)
    level = 0
    while (ranks < 0).any():
        front = np.flatnonzero((dominators == 0) & (ranks < 0))
        ranks[front] = level
        dominators -= dominates[front].sum(axis=0)
        level += 1
    return ranks


def _piles(points: np.ndarray) -> np.ndarray:
    """The ranks of distinct rows of one or two numbers, sorted by row, in n log n (as in patience
    sorting).

    Among earlier rows only a last number that is as small dominates, and the least of each rank
    rises with the rank.
    """
    least: list[float] = []
    ranks = np.empty(len(points), np.int64)
    for i, last in enumerate(points[:, -1].tolist()):
        level = bisect_right(least, last)
        least[level : level + 1] = [last]
        ranks[i] = level
    return ranks


def _halves(points: np.ndarray) -> np.ndarray:
    """The front of distinct rows, sorted by row, by halves (Kung, Luccio and Preparata 1975): only
    a row of the first half dominates one of the second, and there the first number need not be
    looked at."""
    if len(points) <= _FEW:
        return _compared(points)
    middle = len(points) // 2
    first = _halves(points[:middle])
    second = _halves(points[middle:])
    rest = np.flatnonzero(second)
    second[rest] = ~_covered(points[middle:][rest, 1:], points[:middle][first, 1:])
    return np.concatenate([first, second])


def _compared(points: np.ndarray) -> np.ndarray:
    """The front of a few rows, all compared with all."""
    below = (points[:, None] <= points).all(axis=2)
    return ~np.any(
        below & ~below.T, axis=0
    )  # two that are nowhere larger than each other are equal


def _covered(rows: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Which rows have one among `by` that is nowhere larger: (n, k), (m, k) -> (n,) bool."""
    result = np.zeros(len(rows), bool)
    if not len(rows) or not len(by):
        return result
    if rows.shape[1] == 2:
        by = by[np.argsort(by[:, 0], kind="stable")]
        least = np.minimum.accumulate(by[:, 1])
        index = np.searchsorted(by[:, 0], rows[:, 0], side="right")
        return (index > 0) & (least[index - 1] <= rows[:, 1])
    if len(rows) * len(by) <= _FEW**2:
        return np.any((by[:, None] <= rows).all(axis=2), axis=0)
    if by[:, 0].max() <= rows[:, 0].min():
        return _covered(rows[:, 1:], by[:, 1:])
    both = np.concatenate([rows[:, 0], by[:, 0]])
    pivot = np.median(both)
    if pivot == both.max():
        pivot = both[both < pivot].max()
    low = rows[:, 0] <= pivot
    by_low = by[:, 0] <= pivot
    result[low] = _covered(rows[low], by[by_low])
    high = np.flatnonzero(~low)
    result[high] = _covered(rows[high, 1:], by[by_low, 1:])
    high = high[~result[high]]
    result[high] = _covered(rows[high], by[~by_low])
    return result


def checked(points: ArrayLike) -> np.ndarray:
    """Return points as (points, objectives) float64.

    Raises:
        ValueError: The shape is another.
    """
    points = np.asarray(points, np.float64)
    if points.ndim != 2 or points.shape[1] == 0:
        raise ValueError(f"points have shape {points.shape}; give (points, objectives)")
    return points
