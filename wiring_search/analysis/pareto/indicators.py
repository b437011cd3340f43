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
    """Mean distance from the reference front to the points, of which only what they are worse by
    counts (Ishibuchi, Masuda, Tanigaki and Nojima 2015, eq. 19). inf without points. Raises
    ValueError for an empty reference front."""
    points, front = _both(points, reference_front)
    return float(
        np.mean(
            [np.linalg.norm(np.maximum(points - z, 0), axis=1).min(initial=math.inf) for z in front]
        )
    )


def additive_epsilon(points: ArrayLike, reference_front: ArrayLike) -> float:
    """The least number that, taken from every objective of the points, lets them reach or pass all
    of the reference front (Zitzler, Thiele, Laumanns, Fonseca and Grunert da Fonseca 2003); below 0
    where they pass it already. inf without points. Raises ValueError for an empty reference
    front."""
    points, front = _both(points, reference_front)
    return max(float((points - z).max(axis=1).min(initial=math.inf)) for z in front)


def scaled(points: ArrayLike, low: ArrayLike, high: ArrayLike) -> np.ndarray:
    """Points with each objective from 0 at `low` to 1 at `high`; one where both are equal is only
    moved."""
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
