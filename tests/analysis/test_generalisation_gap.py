"""What is left of a front on the test split: by definition, and what fresh seeds take back, by
simulation."""

import numpy as np
import pytest

from wiring_search.analysis.generalisation_gap import drop, fronts_on_test


def test_both_fronts_are_as_defined() -> None:
    rng = np.random.default_rng(0)
    test = rng.integers(0, 6, (30, 3)).astype(float)
    found = fronts_on_test(test, test, np.full(3, 7.0))
    below = (test[:, None] <= test[None]).all(-1) & (test[:, None] < test[None]).any(-1)
    assert found.optimistic.tolist() == (~below.any(axis=0)).tolist()
    assert found.pessimistic.tolist() == (~below.any(axis=1)).tolist()


def test_a_front_that_holds_has_no_gap_and_one_that_does_not_has_its_area() -> None:
    before = np.array([[0.1, 30.0], [0.2, 20.0], [0.3, 10.0]])
    same = fronts_on_test(before, before, (1.0, 40.0))
    assert same.gap == 0.0
    assert same.optimistic.all()
    assert same.pessimistic.all()
    after = np.array(
        [[0.1, 30.0], [0.4, 20.0], [0.3, 10.0]]
    )  # the second is dominated by the third
    found = fronts_on_test(before, after, (1.0, 40.0))
    assert found.optimistic.tolist() == [True, False, True]
    assert found.pessimistic.tolist() == [
        True,
        True,
        False,
    ]
    best = 0.9 * 10 + 0.7 * 20
    worst = 0.9 * 10 + 0.6 * 10
    assert (found.volume_optimistic, found.volume_pessimistic) == pytest.approx((best, worst))
    assert found.gap == pytest.approx((best - worst) / same.volume_validation)


def test_a_point_that_is_lost_on_test_is_on_neither_front() -> None:
    found = fronts_on_test([[1.0, 2.0], [2.0, 1.0]], [[np.nan, 2.0], [2.0, 1.0]], (3.0, 3.0))
    assert found.optimistic.tolist() == found.pessimistic.tolist() == [False, True]


def test_the_drop_covers_the_true_optimism_of_choosing_the_best() -> None:
    """Errors are 0.2 + noise; the best of 50 draws looks better by a known amount, which fresh
    draws take back."""
    rng, covered = np.random.default_rng(1), 0
    for _ in range(300):
        searched = 0.2 + 0.01 * rng.normal(size=50).min()
        found = drop([[searched]], 0.2 + 0.01 * rng.normal(size=(1, 5)))
        covered += found.lower <= 0.2 - searched <= found.upper
    assert 0.91 < covered / 300 < 0.99


def test_draws_count_not_winners() -> None:
    """Winners that move together are no more evidence than one."""
    order = np.array([[0.01, 0.02, 0.03]])
    assert drop(np.zeros((9, 1)), np.repeat(order, 9, axis=0)) == drop(np.zeros((1, 1)), order)


def test_a_training_that_failed_takes_nothing_else_with_it() -> None:
    """The winners differ by 10 and the draws by 1: with one of six absent, both are found as
    before."""
    after = np.array([[1.0, 2.0, 3.0], [11.0, 12.0, 13.0]])
    assert drop(np.zeros((2, 1)), after).mean == 7.0
    after[0, 1] = np.nan
    after = np.vstack([after, [[np.nan] * 3]])
    assert drop(np.zeros((3, 1)), after).mean == 7.0
    assert drop(np.zeros((3, 1)), after).n == 3
    assert drop(np.zeros((2, 1)), np.full((2, 3), np.nan)).n == 0
    assert drop(np.empty((0, 1)), np.empty((0, 2))).n == 0
