"""Fronts, ranks and hypervolumes against pymoo and closed forms."""

import time

import numpy as np
import pytest
from pymoo.indicators.hv import HV
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

from wiring_search.pareto import hypervolume, is_front, rank


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [1, 7, 80])
@pytest.mark.parametrize("digits", [1, 6])
def test_against_pymoo(objectives: int, size: int, digits: int) -> None:
    points = np.round(np.random.default_rng((objectives, size)).random((size, objectives)), digits)
    ranks = rank(points)
    for level, members in enumerate(NonDominatedSorting().do(points)):
        assert sorted(np.flatnonzero(ranks == level)) == sorted(members)
    assert np.array_equal(is_front(points), ranks == 0)
    reference = np.full(objectives, 0.9)
    assert hypervolume(points, reference) == pytest.approx(HV(reference)(points[(points < 0.9).all(axis=1)]), abs=1e-12)


def test_ties_stay_and_nan_goes() -> None:
    points = [(1, 2), (1, 2), (2, 1), (2, 2), (np.nan, 0), (0, np.inf)]
    assert is_front(points).tolist() == [True, True, True, False, False, False]
    assert rank(points).tolist() == [0, 0, 0, 1, -1, -1]
    assert not is_front(np.full((3, 2), np.nan)).any() and is_front(np.empty((0, 2))).shape == (0,)


def test_hypervolume_closed_forms() -> None:
    assert hypervolume([(0.2, 0.5, 0.1)], (1, 1, 1)) == pytest.approx(0.8 * 0.5 * 0.9)
    assert hypervolume([(0, 0.5), (0.5, 0)], (1, 1)) == pytest.approx(0.75)
    assert hypervolume([(2, 2)], (1, 1)) == 0
    steps = np.arange(100) / 100
    assert hypervolume(np.stack([steps, 0.99 - steps], 1), (1, 1)) == pytest.approx(sum((100 - k) / 1e4 for k in range(100)))


def test_a_hundred_thousand_points_take_less_than_two_seconds() -> None:
    points = np.random.default_rng(0).random((100_000, 3))
    sphere = points / np.linalg.norm(points, axis=1, keepdims=True)  # all of them on the front
    start = time.perf_counter()
    front = is_front(points)
    middle = time.perf_counter()
    assert 20 < front.sum() < 1000 and is_front(sphere).all()
    assert middle - start < 2 and time.perf_counter() - middle < 2


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"points have shape \(3,\)"):
        is_front([1, 2, 3])
    with pytest.raises(ValueError, match="reference has 3 numbers, points have 2"):
        hypervolume([(1, 2)], (1, 1, 1))
    with pytest.raises(ValueError, match="give finite numbers"):
        hypervolume([(1, 2)], (1, np.nan))
