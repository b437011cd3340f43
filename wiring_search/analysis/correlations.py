"""Rank correlations and partial rank correlations, with p-values and confidence intervals.

Spearman's ρ, its p-value by Student's t (as scipy's `spearmanr`), and its 95 % confidence interval

    tanh(atanh ρ ± 1.96 √((1 + ρ²/2) / (n − 3 − k)))

(Bonett & Wright, "Sample size requirements for estimating Pearson, Kendall and Spearman
correlations", Psychometrika 65, 2000). k: how many quantities are held constant. The partial
correlation is that of the ranks once their linear dependence on the ranks of those is taken away; t
has n − 2 − k degrees of freedom.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

_NORMAL_95 = 1.959964
_NOTHING_LEFT = 1e-7  # of the ranks, when what is held constant says everything about them


class Correlation(NamedTuple):
    """Spearman's ρ, its 95 % interval, the two-sided p-value of no correlation, and the number of
    finite pairs."""

    rho: float
    lower: float
    upper: float
    p: float
    n: int


def rank_correlation(a: np.ndarray, b: np.ndarray, *held: np.ndarray) -> Correlation:
    """The rank correlation of a with b, (n,) each, with `held` held constant.

    Rows with a value that is not finite are left out. The result is NaN for fewer than four rows
    (one more for each quantity held), and if a or b is constant, or depends only on what is held.
    """
    columns = np.stack([a, b, *held]).astype(float)
    columns = columns[:, np.isfinite(columns).all(axis=0)]
    n = columns.shape[1]
    free = columns.shape[1] - len(held)
    left = None if free < 4 else _left_of_ranks(columns)
    if left is None:
        return Correlation(math.nan, math.nan, math.nan, math.nan, n)
    rho = float(np.clip(left[0] @ left[1], -1.0, 1.0))
    if abs(rho) > 1 - 1e-12:
        return Correlation(round(rho), round(rho), round(rho), 0.0, n)
    from scipy.special import stdtr

    reach = _NORMAL_95 * math.sqrt((1 + rho**2 / 2) / (free - 3))
    p = 2 * float(stdtr(free - 2, -abs(rho) * math.sqrt((free - 2) / (1 - rho**2))))
    return Correlation(
        rho, math.tanh(math.atanh(rho) - reach), math.tanh(math.atanh(rho) + reach), p, n
    )


def correlations(
    features: Mapping[str, np.ndarray],
    scores: Mapping[str, np.ndarray],
    held: np.ndarray | None = None,
) -> list[dict[str, Any]]:
    """Rank correlations of features with scores.

    Args:
        features: (n,) each, by name.
        scores: (n,) each, by name.
        held: (n,) held constant in the partial correlations.

    Returns:
        One row per feature and score: feature, score, rho, lower, upper, p, q, n, partial,
        partial_lower, partial_upper, partial_p, partial_q. q is p adjusted for the number of pairs:
        of those with q ≤ 0.05, about one in twenty is expected to be chance. A constant feature,
        or one that equals the score, has no row.

    Source:
        Benjamini and Hochberg, "Controlling the false discovery rate", Journal of the Royal
        Statistical Society B 57, 1995.
    """
    rows = []
    for feature, values in features.items():
        for score, given in scores.items():
            plain = rank_correlation(values, given)
            if math.isnan(plain.rho) or np.array_equal(values, given, equal_nan=True):
                continue
            left = rank_correlation(values, given, *(() if held is None else (held,)))
            rows.append(
                {"feature": feature, "score": score, **plain._asdict()}
                | {
                    "partial": left.rho,
                    "partial_lower": left.lower,
                    "partial_upper": left.upper,
                    "partial_p": left.p,
                }
            )
    for p, q in (("p", "q"), ("partial_p", "partial_q")):
        for row, adjusted in zip(rows, false_discovery([row[p] for row in rows]), strict=True):
            row[q] = float(adjusted)
    return rows


def false_discovery(p: Sequence[float]) -> np.ndarray:
    """p-values adjusted after Benjamini and Hochberg. NaN stays NaN and does not count."""
    from scipy.stats import false_discovery_control

    adjusted = np.asarray(p, float)
    there = np.isfinite(adjusted)
    adjusted[there] = false_discovery_control(adjusted[there])
    return adjusted


def _left_of_ranks(columns: np.ndarray) -> np.ndarray | None:
    """(2, n) Ranks of the first two rows without their dependence on the others, centred, of length
    1; None if nothing of one of them is left."""
    from scipy.stats import rankdata

    ranks = rankdata(columns, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(ranks, axis=1, keepdims=True)
    ranks /= np.where(lengths > 0, lengths, 1.0)
    left = ranks[:2]
    held = ranks[2:]
    if len(held):
        left = left - np.linalg.lstsq(held.T, left.T)[0].T @ held
    lengths = np.linalg.norm(left, axis=1, keepdims=True)
    return left / lengths if (lengths > _NOTHING_LEFT).all() else None
