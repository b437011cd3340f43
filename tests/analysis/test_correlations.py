"""Rank correlations are scipy's; partial ones those of the closed form; confidence is what it
says."""

import numpy as np
import pytest
from scipy import stats

from wiring_search.analysis.correlations import correlations, false_discovery, rank_correlation


@pytest.mark.parametrize("n", [5, 40])
def test_rank_correlation_is_scipys(n: int) -> None:
    rng = np.random.default_rng(n)
    a = rng.standard_normal(n).round(1)
    b = a + rng.standard_normal(n)
    found, expected = (
        rank_correlation(np.append(a, np.nan), np.append(b, 1.0)),
        stats.spearmanr(a, b),
    )
    assert (found.rho, found.p) == pytest.approx((expected.statistic, expected.pvalue))
    assert found.n == n
    assert -1 <= found.lower < found.rho < found.upper <= 1


def test_partial_correlation_is_the_closed_form() -> None:
    rng = np.random.default_rng(1)
    z = rng.standard_normal(60).round(1)
    x, y = z + rng.standard_normal(60), rng.standard_normal(60) - z
    found = rank_correlation(x, y, z)
    xy, xz, yz = (stats.spearmanr(*pair).statistic for pair in ((x, y), (x, z), (y, z)))
    rho = (xy - xz * yz) / np.sqrt((1 - xz**2) * (1 - yz**2))
    assert found.rho == pytest.approx(rho)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(rho) * np.sqrt(57 / (1 - rho**2)), 57))


@pytest.mark.parametrize("held", [0, 1])
def test_intervals_and_p_values_are_right_as_often_as_they_say(held: int) -> None:
    """Of independent pairs ρ is 0, also where both hang on a third and that is held constant."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(800):
        x, y, z = rng.standard_normal((3, 30))
        found.append(rank_correlation(x + z, y + z, z) if held else rank_correlation(x, y))
    assert 0.92 < np.mean([one.lower <= 0 <= one.upper for one in found]) < 0.975
    assert 0.025 < np.mean([one.p < 0.05 for one in found]) < 0.08


def test_nothing_to_correlate_is_nan() -> None:
    a, six = np.array([1.0, 2, 4, 3, 6, 5]), np.arange(6.0)
    for case in (
        (a[:3], six[:3]),
        (np.ones(6), six),
        (a, six, a**3),
        (a[:4], six[:4], a[:4][::-1]),
    ):
        found = rank_correlation(*case)
        assert np.isnan([found.rho, found.lower, found.upper, found.p]).all()
        assert found.n == len(case[0])
    assert rank_correlation(a, -a)[:4] == (-1, -1, -1, 0)


def test_false_discoveries_are_as_rare_as_q_says() -> None:
    """Benjamini and Hochberg's words: the largest k with p(k) ≤ k/m · q, and everything below
    it."""
    p = np.random.default_rng(2).random(50) ** 3
    q = false_discovery([*p, np.nan])
    assert np.isnan(q[-1])
    for level in (0.01, 0.05, 0.2):
        ordered = np.sort(p)
        below = np.flatnonzero(ordered <= np.arange(1, 51) / 50 * level)
        assert set(p[q[:-1] <= level]) == set(ordered[: below.max() + 1] if below.size else [])


def test_what_size_explains_is_gone_when_size_is_held_constant() -> None:
    rng = np.random.default_rng(3)
    size, apart = rng.random((2, 300))
    error = size + 0.3 * apart + 0.1 * rng.standard_normal(300)
    features = {
        "follows": size + 0.2 * rng.standard_normal(300),
        "apart": apart,
        "fixed": np.ones(300),
        "size": size,
    }
    rows = {
        row["feature"]: row
        for row in correlations(features, {"error": error, "size": size}, size)
        if row["score"] == "error"
    }
    assert set(rows) == {"follows", "apart", "size"}
    assert rows["follows"]["q"] < 1e-6
    assert rows["follows"]["rho"] > 0.7
    assert abs(rows["follows"]["partial"]) < 0.2
    assert rows["apart"]["partial_q"] < 1e-6
    assert rows["apart"]["partial"] > rows["apart"]["rho"]
    assert np.isnan(rows["size"]["partial"])
