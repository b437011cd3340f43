"""Whether two groups of trainings differ, from a few seeds each: effect, p-value, and power.

The test is Welch's ("The generalization of 'Student's' problem when several different population
variances are involved", Biometrika 34, 1947), for a control need not spread as its winner does.
Beside it stands the permutation test of the same difference, which assumes nothing of the
distribution, but whose p-value cannot be below 2 / C(n + m, n): 0.1 for three seeds against three,
0.008 for five against five, too coarse to survive a correction for many comparisons. The effect
size is A12, the probability that a training of one group beats one of the other (Vargha and
Delaney, J. Educ. Behav. Stat. 25, 2000); p-values of many comparisons are corrected after Holm
(Scand. J. Stat. 6, 1979). Trainings that failed must have been left out before.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

_CONFIDENCE, _POWER = 0.95, 0.8
# If there are more permutations, a sample of so many is drawn.
_PERMUTATIONS = 20_000


@dataclass(frozen=True)
class Mean:
    """The mean of values, with its 95 % interval (Student's t); NaN if there are too few values.

    Attributes:
        n: How many values.
        mean: Their mean.
        se: Its standard error.
        lower: The lower end of the interval.
        upper: The upper end.
    """

    n: int
    mean: float
    se: float
    lower: float
    upper: float

    @property
    def p(self) -> float:
        """Two-sided, of Student's test that the expected value is 0."""
        if not self.se > 0:
            return math.nan if math.isnan(self.se) else float(self.mean == 0)
        return _tails(self.mean / self.se, self.n - 1)


@dataclass(frozen=True)
class Difference:
    """The difference between two groups of errors. NaN if a group has fewer than two values.

    Attributes:
        mean: The mean of the second group minus that of the first. Above 0, the first is better.
        lower: The lower end of its 95 % interval.
        upper: The upper end.
        p: Of Welch's test, two-sided.
        p_permutation: Of the permutation test, two-sided.
        better: A12, the probability that a member of the first group has the smaller error; ties
            count half.
        visible: The difference that the test finds with a power of 80 %, given the spread.
    """

    mean: float
    lower: float
    upper: float
    p: float
    p_permutation: float
    better: float
    visible: float


def mean_of(values: Sequence[float] | np.ndarray) -> Mean:
    n = len(values)
    mean = float(np.mean(values)) if n else math.nan
    if n < 2:
        return Mean(n, mean, math.nan, math.nan, math.nan)
    se = float(np.std(values, ddof=1)) / math.sqrt(n)
    reach = _quantile((1 + _CONFIDENCE) / 2, n - 1) * se
    return Mean(n, mean, se, mean - reach, mean + reach)


def difference(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray
) -> Difference:
    one = np.asarray(first, float)
    two = np.asarray(second, float)
    if min(len(one), len(two)) < 2:
        mean = float(two.mean() - one.mean()) if min(len(one), len(two)) else math.nan
        return Difference(mean, math.nan, math.nan, math.nan, math.nan, a12(one, two), math.nan)
    mean = float(two.mean() - one.mean())
    p_permutation = permutation_p(one, two)
    parts = one.var(ddof=1) / len(one), two.var(ddof=1) / len(two)
    se = math.sqrt(sum(parts))
    if se == 0:  # without any spread only the permutation test applies
        return Difference(mean, mean, mean, p_permutation, p_permutation, a12(one, two), 0.0)
    freedom = sum(parts) ** 2 / sum(
        part**2 / (len(group) - 1) for part, group in zip(parts, (one, two), strict=True)
    )
    reach = _quantile((1 + _CONFIDENCE) / 2, freedom)
    return Difference(
        mean=mean,
        lower=mean - reach * se,
        upper=mean + reach * se,
        p=_tails(mean / se, freedom),
        p_permutation=p_permutation,
        better=a12(one, two),
        visible=(reach + _quantile(_POWER, freedom)) * se,
    )


def permutation_p(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, seed: int = 0
) -> float:
    """Return the two-sided p-value of the difference of means.

    Args:
        first: (n,) values of one group.
        second: (m,) values of the other.
        seed: Of the sample.

    Returns:
        The exact value for few permutations, otherwise that of a sample of them.
    """
    values = np.concatenate([first, second]).astype(float)
    n = len(first)
    centred = values - values.mean()
    if math.comb(len(values), n) <= _PERMUTATIONS:
        dealt = np.array(list(combinations(range(len(values)), n)))
        observed = 0
    else:
        rng = np.random.default_rng(seed)
        dealt = np.array([rng.permutation(len(values))[:n] for _ in range(_PERMUTATIONS - 1)])
        observed = 1  # the given order is one of all permutations
    extreme = abs(centred[:n].sum()) - 1e-12 * max(np.abs(values).max(), 1e-300)
    return float((np.abs(centred[dealt].sum(axis=1)) >= extreme).sum() + observed) / (
        len(dealt) + observed
    )


def a12(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray) -> float:
    """The probability that a value of the first is smaller than one of the second; ties count half.
    NaN for empty groups."""
    one = np.asarray(first, float)[:, None]
    two = np.asarray(second, float)[None, :]
    return float(((one < two) + 0.5 * (one == two)).mean()) if one.size and two.size else math.nan


def holm(p: Sequence[float]) -> np.ndarray:
    """The p-values after Holm's correction, in order. NaN stays NaN and does not count."""
    values = np.asarray(p, float)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    corrected = np.full(len(values), np.nan)
    steps = values[order] * np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else []
    return corrected


def _quantile(probability: float, freedom: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(freedom, probability))


def _tails(t: float, freedom: float) -> float:
    from scipy.special import stdtr

    return float(2 * stdtr(freedom, -abs(t)))
