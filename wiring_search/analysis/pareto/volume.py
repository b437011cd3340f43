"""Hypervolume: what a set of points dominates, below a reference point (Zitzler and Thiele 1998).

In two objectives it is an area under stairs. In three a plane sweeps upwards along the last one,
and the area below it changes only where a new stair comes in (Beume, Fonseca, Lopez-Ibáñez, Paquete
and Vahrenhold 2009). In more, every point adds what it alone dominates: its box, less what the
points before it dominate of that box (While, Bradstreet and Barone 2012); sorted by the last
objective, they do so along all of it, which leaves volumes of one objective less.
"""

from bisect import bisect_left

import numpy as np
from numpy.typing import ArrayLike

from wiring_search.analysis.pareto.dominance import checked, is_front


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Return the volume that the points dominate within the box below a reference point.

    Args:
        points: (points, objectives), smaller is better; those beyond the reference add nothing.
        reference: (objectives,).

    Raises:
        ValueError: The reference has another length, or is not finite.

    Source:
        Zitzler and Thiele, "Multiobjective optimization using evolutionary algorithms", PPSN 1998.
    """
    rows, corner = _below(points, reference)
    rows = rows[np.isfinite(rows).all(axis=1) & (rows < corner).all(axis=1)]
    return _volume(corner - rows[is_front(rows)])


def hypervolume_course(points: ArrayLike, reference: ArrayLike) -> np.ndarray:
    """Return the hypervolume of the first point, of the first two, …

    Each point adds what it alone dominates, so the whole course costs little more than its end.

    Args:
        points: (points, objectives), smaller is better.
        reference: (objectives,).

    Returns:
        (points,) float64.

    Raises:
        ValueError: The reference has another length, or is not finite.
    """
    points, reference = _below(points, reference)
    gains = np.zeros(len(points))
    front = np.empty((0, len(reference)))
    for index, point in enumerate(points):
        gains[index] = hypervolume_gain(point, front, reference)
        if gains[index] > 0:
            front = np.vstack([front[(front < point).any(axis=1)], point])
    return gains.cumsum()


def hypervolume_gain(point: np.ndarray, front: np.ndarray, reference: np.ndarray) -> float:
    """Return the volume that the point dominates and the front does not. Nothing is checked.

    Args:
        point: (objectives,), smaller is better.
        front: (points, objectives).
        reference: (objectives,).

    Returns:
        The volume; 0 for a point that is not finite, or beyond the reference.
    """
    if not (np.isfinite(point) & (point < reference)).all() or (front <= point).all(axis=1).any():
        return 0.0
    return _alone(reference - point, reference - front[(front < reference).all(axis=1)])


def _below(points: ArrayLike, reference: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    points = checked(points)
    reference = np.asarray(reference, np.float64)
    if points.shape[1] != len(reference):
        raise ValueError(
            f"reference has {len(reference)} numbers, points have {points.shape[1]} objectives; "
            "give "
            "one number per objective"
        )
    if not np.isfinite(reference).all():
        raise ValueError(
            f"reference is {reference.tolist()}; give finite numbers, beyond the worst value that "
            "should count"
        )
    return points, reference


def _volume(sides: np.ndarray) -> float:
    """Of the union of boxes from the origin. sides: (boxes, objectives), all above 0."""
    if len(sides) <= 1:
        return float(np.prod(sides, axis=1).sum())
    match sides.shape[1]:
        case 1:
            return float(sides.max())
        case 2:
            return _area(sides)
        case 3:
            return _swept(sides)
    sides = sides[np.argsort(-sides[:, -1], kind="stable")]
    return float(
        sum(side[-1] * _alone(side[:-1], sides[:index, :-1]) for index, side in enumerate(sides))
    )


def _alone(side: np.ndarray, others: np.ndarray) -> float:
    """What a box has outside the others."""
    shared = np.minimum(others, side)
    if len(side) > 3:
        shared = shared[is_front(-shared)]
    return float(np.prod(side)) - _volume(shared)


def _area(sides: np.ndarray) -> float:
    sides = sides[np.argsort(-sides[:, 0], kind="stable")]
    heights = np.maximum.accumulate(sides[:, 1])
    return float(sides[0, 0] * heights[0] + sides[1:, 0] @ np.diff(heights))


def _swept(sides: np.ndarray) -> float:
    """Boxes come in from the highest to the lowest; between two of them, the volume grows by the
    area of the stairs so far. Widths rise along the stairs and depths fall."""
    widths: list[float] = []
    depths: list[float] = []
    volume = area = level = 0.0
    for width, depth, height in sides[np.argsort(-sides[:, 2], kind="stable")].tolist():
        volume += area * (level - height)
        level = height
        index = bisect_left(widths, width)
        beside = depths[index] if index < len(depths) else 0.0
        if beside >= depth:
            continue
        first = index
        while first and depths[first - 1] <= depth:
            first -= 1
        left = widths[first - 1] if first else 0.0
        for i in range(first, index):
            area += (widths[i] - left) * (depth - depths[i])
            left = widths[i]
        area += (width - left) * (depth - beside)
        last = index + 1 if index < len(widths) and widths[index] == width else index
        widths[first:last], depths[first:last] = [width], [depth]
    return volume + area * level
