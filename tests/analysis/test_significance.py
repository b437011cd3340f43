"""Differences between handfuls of trainings, held against scipy, closed forms and simulations of
what they claim."""

import math

import numpy as np
import pytest
from scipy import stats

from wiring_search.analysis.significance import a12, difference, holm, mean_of, permutation_p

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 5), (5, 5), (20, 30)])
def test_welch_and_its_interval_agree_with_scipy(n: int, m: int) -> None:
    one, two = RNG.normal(0.2, 0.01, n), RNG.normal(0.21, 0.03, m)
    found, known = difference(one, two), stats.ttest_ind(two, one, equal_var=False)
    interval = known.confidence_interval(0.95)
    assert [found.p, found.lower, found.upper] == pytest.approx(
        [known.pvalue, interval.low, interval.high]
    )
    assert found.better == pytest.approx(stats.mannwhitneyu(two, one).statistic / (n * m))


def test_the_interval_of_a_mean_agrees_with_scipy() -> None:
    values = RNG.normal(size=7)
    known = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
    found = mean_of(values)
    assert (found.lower, found.upper) == pytest.approx((known.low, known.high))
    assert found.se == pytest.approx(stats.sem(values))
    assert found.p == pytest.approx(stats.ttest_1samp(values, 0.0).pvalue)
    assert mean_of([0.1, 0.1]).p == 0.0
    assert mean_of([0.0, 0.0]).p == 1.0
    assert math.isnan(mean_of([1.0]).p)


@pytest.mark.parametrize(("n", "m"), [(3, 3), (5, 5), (3, 6)])
def test_the_permutation_test_is_exact_where_it_can_be(n: int, m: int) -> None:
    one, two = RNG.normal(size=n), RNG.normal(0.8, 1, m)
    known = stats.permutation_test(
        (one, two), lambda a, b: abs(a.mean() - b.mean()), alternative="greater", n_resamples=np.inf
    )
    assert permutation_p(one, two) == pytest.approx(known.pvalue)
    assert permutation_p(np.arange(n), np.arange(m) + 100.0) == pytest.approx(
        (1 + (n == m)) / math.comb(n + m, n)
    )


def test_the_sampled_permutation_test_comes_near() -> None:
    one, two = RNG.normal(size=12), RNG.normal(0.6, 1, 12)
    assert permutation_p(one, two) == pytest.approx(stats.ttest_ind(one, two).pvalue, abs=0.03)


def test_holm_corrects_as_defined() -> None:
    assert holm([0.04, 0.01, math.nan, 0.03]).tolist() == pytest.approx(
        [0.06, 0.03, math.nan, 0.06], nan_ok=True
    )
    assert holm([]).tolist() == []
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]


def test_false_alarms_are_as_rare_as_promised_and_the_visible_difference_is_seen() -> None:
    """5 seeds a group, unequal spreads: at most 5 % false alarms, and 80 % of differences of the
    visible size are found."""
    rng, alarms, found, visible = (
        np.random.default_rng(1),
        0,
        0,
        math.sqrt(1 / 5 + 9 / 5) * (2.447 + 0.906),
    )
    for _ in range(600):
        one, two = rng.normal(0, 1, 5), rng.normal(0, 3, 5)
        alarms += difference(one, two).p < 0.05
        found += difference(one, two + visible).p < 0.05
    assert stats.binomtest(alarms, 600, 0.055, alternative="greater").pvalue > 0.001
    assert 0.7 < found / 600 < 0.9
    spread = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    same = difference(spread, spread)
    t = math.sqrt(2 * spread.var(ddof=1) / 5)
    assert same.visible == pytest.approx((stats.t.ppf(0.975, 8) + stats.t.ppf(0.8, 8)) * t)
    power = stats.nct.sf(stats.t.ppf(0.975, 8), 8, same.visible / t)
    assert power == pytest.approx(0.8, abs=0.02)


def test_family_wise_errors_stay_below_five_percent() -> None:
    rng = np.random.default_rng(2)
    wrong = sum(
        (holm([difference(*rng.normal(size=(2, 5))).p for _ in range(8)]) < 0.05).any()
        for _ in range(150)
    )
    assert stats.binomtest(wrong, 150, 0.05, alternative="greater").pvalue > 0.001


def test_too_few_values_and_none_that_spread() -> None:
    assert math.isnan(difference([0.1], [0.2, 0.3]).p)
    assert difference([0.1], [0.2, 0.3]).better == 1.0
    assert math.isnan(difference([], []).mean)
    assert math.isnan(a12([], [1.0]))
    same = difference([0.1] * 3, [0.1] * 3)
    assert (same.mean, same.p, same.better) == (0.0, 1.0, 0.5)
    assert difference([0.1] * 5, [0.2] * 5).p == pytest.approx(2 / 252)
