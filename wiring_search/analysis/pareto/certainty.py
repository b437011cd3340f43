"""How sure it is that a candidate is on the front, when its error was measured only a few times.

Of a candidate that was trained n times, mean m and standard error s, the expected error is taken to
be m + s · t with t from Student's distribution of n − 1 degrees of freedom: the posterior under the
usual flat prior (Gelman et al., "Bayesian Data Analysis", 3.2). A bootstrap over the seeds would be
too sure of itself: of n trainings its standard error is √((n − 1)/n) of the usual one, and it has
no heavy tails, which matters for the three to five trainings that there are.

Trainings of different candidates are independent here. What follows is the share of draws in which
a candidate is non-dominated.
"""

import numpy as np
from numpy.typing import ArrayLike

from wiring_search.analysis.pareto.dominance import checked, is_front


def draw_errors(
    mean: ArrayLike, standard_error: ArrayLike, freedom: ArrayLike, draws: int = 400, seed: int = 0
) -> np.ndarray:
    """Draw expected errors as they may be.

    Args:
        mean: (candidates,) mean errors.
        standard_error: (candidates,) of the means; where it is NaN nothing is known, and the mean
            is drawn every time.
        freedom: (candidates,) degrees of freedom of each standard error.
        draws: How many.
        seed: Of the draws.

    Returns:
        (draws, candidates).

    Source:
        Gelman et al., "Bayesian Data Analysis", 3.2.
    """
    mean, standard_error, freedom = (
        np.asarray(given, np.float64) for given in (mean, standard_error, freedom)
    )
    known = np.isfinite(standard_error) & (freedom > 0)
    t = np.random.default_rng(seed).standard_t(
        np.where(known, freedom, 1.0), size=(draws, len(mean))
    )
    return mean + np.where(known, standard_error, 0.0) * np.where(known, t, 0.0)


def probability_on_front(points: ArrayLike, column: int, draws: np.ndarray) -> np.ndarray:
    """Return the share of draws in which a point is on the front.

    Args:
        points: (points, objectives), smaller is better.
        column: The objective that is uncertain.
        draws: (draws, points), what it may truly be.

    Returns:
        (points,); 0 for a row that is not finite elsewhere.
    """
    points = checked(points)
    held = np.flatnonzero(contends(points, column, draws))
    moved = points[held]
    counts = np.zeros(len(points))
    for numbers in draws[:, held]:
        moved[:, column] = numbers
        counts[held] += is_front(moved)
    return counts / len(draws)


def contends(points: np.ndarray, column: int, draws: np.ndarray) -> np.ndarray:
    """Return which points can be on a front at all.

    One cannot where it is dominated, even at its best, by another at its worst.

    Args:
        points: (points, objectives), smaller is better.
        column: The objective that is uncertain.
        draws: (draws, points), what it may truly be.

    Returns:
        (points,) bool.
    """
    best = points.copy()
    worst = points.copy()
    best[:, column], worst[:, column] = draws.min(axis=0), draws.max(axis=0)
    rivals = np.unique(worst[is_front(worst)], axis=0)
    dominated = np.zeros(len(points), bool)
    for rival in rivals:
        dominated |= (rival <= best).all(axis=1) & (rival < best).any(axis=1)
    return np.isfinite(best).all(axis=1) & ~dominated
