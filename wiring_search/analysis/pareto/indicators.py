"""How far a set of points is from a reference front. Points that are not finite count as absent.

Both are 0 where the points reach the front everywhere, and neither gets worse where a set improves
(they are weakly Pareto compliant). They mix the objectives, so bring those to like scales first
(`scaled`).
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from wiring_search.analysis.pareto.dominance import checked


def igd_plus(points: ArrayLike, reference_front: ArrayLike) -> float:
    """Return the mean distance from the reference front to the points.

    Only what the points are worse by counts.

    Args:
        points: (points, objectives), smaller is better.
        reference_front: (points, objectives).

    Returns:
        The distance; inf without points.

    Raises:
        ValueError: The reference front is empty, or has other objectives.

    Source:
        Ishibuchi, Masuda, Tanigaki and Nojima, "Modified distance calculation in generational
        distance and inverted generational distance", EMO 2015, eq. 19.
    """
    points, front = _both(points, reference_front)
    return float(
        np.mean(
            [np.linalg.norm(np.maximum(points - z, 0), axis=1).min(initial=math.inf) for z in front]
        )
    )


def additive_epsilon(points: ArrayLike, reference_front: ArrayLike) -> float:
    """Return the least number that brings the points to all of the reference front.

    It is taken from every objective of every point.

    Args:
        points: (points, objectives), smaller is better.
        reference_front: (points, objectives).

    Returns:
        The number; below 0 where the points pass the front already, inf without points.

    Raises:
        ValueError: The reference front is empty, or has other objectives.

    Source:
        Zitzler, Thiele, Laumanns, Fonseca and Grunert da Fonseca, "Performance assessment of
        multiobjective optimizers", IEEE Trans. Evol. Comput. 7, 2003.
    """
    points, front = _both(points, reference_front)
    return max(float((points - z).max(axis=1).min(initial=math.inf)) for z in front)


def scaled(points: ArrayLike, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """Return points with each objective from 0 at `low` to 1 at `high`.

    Args:
        points: (points, objectives).
        low: (objectives,).
        high: (objectives,); an objective where it equals `low` is only moved.

    Returns:
        (points, objectives).
    """
    low = np.asarray(low, np.float64)
    high = np.asarray(high, np.float64)
    return (checked(points) - low) / np.where(high > low, high - low, 1.0)


def _both(points: ArrayLike, front: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    found, known = (
        rows[np.isfinite(rows).all(axis=1)] for rows in (checked(points), checked(front))
    )
    if found.shape[1] != known.shape[1]:
        raise ValueError(
            f"points have {found.shape[1]} objectives, the reference front has {known.shape[1]}; "
            "give the same number"
        )
    if not len(known):
        raise ValueError("the reference front has no finite point; give at least one")
    return found, known
