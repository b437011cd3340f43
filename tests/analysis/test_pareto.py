"""Fronts, ranks, volumes, indicators, attainment, knees and certainty against pymoo, moocore and
closed forms."""

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType

import moocore
import numpy as np
import pytest
from pymoo.indicators.hv import HV
from pymoo.indicators.igd_plus import IGDPlus
from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting
from scipy import stats

from wiring_search.analysis.pareto import (
    additive_epsilon,
    attainment,
    draw_errors,
    hypervolume,
    hypervolume_course,
    igd_plus,
    is_front,
    knee,
    knees,
    probability_on_front,
    rank,
    scaled,
)


def _some(*seed: int, most: int = 60) -> np.ndarray:
    """Random points of as many objectives as the first number says: coarse ones with ties and
    repeats, or fine ones."""
    rng = np.random.default_rng(seed)
    points = np.round(rng.random((int(rng.integers(1, most)), seed[0])), 1 + 8 * (seed[-1] % 2))
    return np.concatenate([points, points[: len(points) // 4]])


def _sphere(count: int, objectives: int) -> np.ndarray:
    """All of them on the front."""
    points = np.abs(np.random.default_rng(0).standard_normal((count, objectives)))
    return 1 - points / np.linalg.norm(points, axis=1, keepdims=True)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [1, 7, 80, 400])
@pytest.mark.parametrize("digits", [1, 6])
def test_fronts_and_ranks_are_pymoos(objectives: int, size: int, digits: int) -> None:
    points = np.round(np.random.default_rng((objectives, size)).random((size, objectives)), digits)
    ranks = rank(points)
    for level, members in enumerate(NonDominatedSorting().do(points)):
        assert sorted(np.flatnonzero(ranks == level)) == sorted(members)
    assert np.array_equal(is_front(points), ranks == 0)


@pytest.mark.parametrize("objectives", [4, 5])
def test_large_fronts_are_moocores(objectives: int) -> None:
    for points in (
        np.random.default_rng(1).random((5000, objectives)),
        np.random.default_rng(2).integers(0, 7, (3000, objectives)),
    ):
        assert np.array_equal(
            is_front(points), moocore.is_nondominated(points.astype(float), keep_weakly=True)
        )
    assert is_front(_sphere(3000, objectives)).all()


def test_ties_stay_and_nan_goes() -> None:
    points = [(1, 2), (1, 2), (2, 1), (2, 2), (np.nan, 0), (0, np.inf)]
    assert is_front(points).tolist() == [True, True, True, False, False, False]
    assert rank(points).tolist() == [0, 0, 0, 1, -1, -1]
    assert not is_front(np.full((3, 2), np.nan)).any()
    assert is_front(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize("objectives", [2, 3, 4, 5])
def test_indicators_are_moocores_and_pymoos(objectives: int) -> None:
    for seed in range(12):
        points, front = _some(objectives, 0, seed), _some(objectives, 1, seed)
        front, corner = front[is_front(front)], np.full(objectives, 0.9)
        volume = hypervolume(points, corner)
        assert volume == pytest.approx(moocore.hypervolume(points, ref=corner), abs=1e-12)
        inside = points[(points < 0.9).all(axis=1)]
        assert volume == pytest.approx(HV(corner)(inside) if len(inside) else 0.0, abs=1e-12)
        assert igd_plus(points, front) == pytest.approx(
            moocore.igd_plus(points, ref=front), abs=1e-12
        )
        assert igd_plus(points, front) == pytest.approx(IGDPlus(front)(points), abs=1e-12)
        assert additive_epsilon(points, front) == moocore.epsilon_additive(points, ref=front)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4, 5])
def test_the_course_of_a_hypervolume_is_that_of_every_beginning(objectives: int) -> None:
    points, corner = _some(objectives, 7, 2, most=40), np.full(objectives, 0.95)
    points[::5] = np.nan
    course = hypervolume_course(points, corner)
    assert course == pytest.approx(
        [hypervolume(points[: n + 1], corner) for n in range(len(points))]
    )
    assert hypervolume_course(np.empty((0, objectives)), corner).shape == (0,)


def test_hypervolume_closed_forms() -> None:
    assert hypervolume([(0.2, 0.5, 0.1)], (1, 1, 1)) == pytest.approx(0.8 * 0.5 * 0.9)
    assert hypervolume([(0, 0.5), (0.5, 0)], (1, 1)) == pytest.approx(0.75)
    assert hypervolume([(2, 2)], (1, 1)) == 0
    assert hypervolume([(np.nan, 0), (-np.inf, 0)], (1, 1)) == 0
    steps = np.arange(100) / 100
    assert hypervolume(np.stack([steps, 0.99 - steps], 1), (1, 1)) == pytest.approx(
        sum((100 - k) / 1e4 for k in range(100))
    )
    # Boxes that are long in one objective each and meet only where all are short: d long ones, less
    # d − 1 times the common part.
    for objectives in (2, 3, 4, 5):
        sides = 0.25 + 0.75 * np.eye(objectives)
        common = 0.25**objectives
        expected = objectives * 0.25 ** (objectives - 1) - (objectives - 1) * common
        assert hypervolume(1 - sides, np.ones(objectives)) == pytest.approx(expected)


def test_indicators_closed_forms() -> None:
    front = [(0.0, 1.0), (1.0, 0.0)]
    assert igd_plus(front, front) == 0
    assert additive_epsilon(front, front) == 0
    assert igd_plus([(0.5, 0.5)], front) == pytest.approx(0.5)
    assert additive_epsilon([(0.5, 0.5)], front) == 0.5
    assert igd_plus([(-1, -1)], front) == 0
    assert additive_epsilon([(-1, -1)], front) == -1
    assert igd_plus([(np.nan, 0)], front) == np.inf == additive_epsilon(np.empty((0, 2)), front)
    assert scaled([(5, 3)], (0, 3), (10, 3)).tolist() == [[0.5, 0.0]]
    with pytest.raises(ValueError, match="no finite point"):
        igd_plus(front, [(np.inf, 0)])
    with pytest.raises(ValueError, match="points have 2 objectives, the reference front has 3"):
        additive_epsilon(front, [(0, 0, 0)])


@pytest.mark.parametrize("runs", [1, 4, 9])
def test_attainment_surfaces_are_moocores(runs: int) -> None:
    sets = [_some(2, run, runs, run % 2) for run in range(runs)]
    levels = (0.01, 0.25, 0.5, 0.75, 1.0)
    stacked = np.concatenate(
        [np.column_stack([points, np.full(len(points), run)]) for run, points in enumerate(sets)]
    )
    for level, surface in zip(levels, attainment(sets, levels), strict=True):
        reference = moocore.eaf(stacked[:, :2], stacked[:, 2], percentiles=[100 * level])[:, :2]
        assert surface == pytest.approx(reference[np.argsort(reference[:, 0])])


def test_attainment_by_hand() -> None:
    runs = [[(1, 3)], [(3, 1), (np.nan, 0)], [(2, 2)]]
    one, two, all_three = attainment(runs, (1 / 3, 2 / 3, 1))
    assert one.tolist() == [[1, 3], [2, 2], [3, 1]]
    assert two.tolist() == [[2, 3], [3, 2]]
    assert all_three.tolist() == [[3, 3]]
    assert attainment([[(1, 1)], np.empty((0, 2))], (1,))[0].shape == (0, 2)
    for faulty, message in (
        (([], (0.5,)), "no runs"),
        (([[(1, 2)]], (50,)), "shares of the runs"),
        (([[(1,)]], (1,)), "two objectives"),
    ):
        with pytest.raises(ValueError, match=message):
            attainment(*faulty)


def test_a_knee_is_furthest_below_the_line_of_the_extremes() -> None:
    steps = np.linspace(0, 1, 101)
    circle = np.stack([1 - np.sin(steps * np.pi / 2), 1 - np.cos(steps * np.pi / 2)], axis=1)
    assert knee(circle * (100, 3) + (7, 2)) == 50  # neither unit nor zero matters
    below = 1 - circle.sum(axis=1)
    assert knee(np.concatenate([circle, circle + 0.1])) == below.argmax()
    assert knee(np.stack([steps, 1 - steps], axis=1)) is None  # straight
    assert knee(1 - circle) is None  # bent outwards
    assert knee([(0, 1), (1, 0)]) is None
    assert knee(np.empty((0, 2))) is None
    assert knee([(np.nan, 1)] * 4) is None
    assert knee([(0, 1, 1), (1, 0, 1), (1, 1, 0), (0.3, 0.3, 0.3), (0.3, 0.3, 0.3)]) == 3


def test_a_knee_is_as_stable_as_resamples_agree_on_it() -> None:
    ends = np.repeat([(0.0, 1.0), (1.0, 0.0)], 5, axis=0)
    crowd = [(1.0, 1.0 + k) for k in range(20)]
    alone = np.concatenate([ends, [(0.1, 0.1)], crowd])
    found = knees(alone)
    # It is missing from 37 % of the resamples, and then there is none.
    assert found.chosen == 10
    assert found.stability == pytest.approx(1 - np.exp(-1), abs=0.06) == found.shares[10]
    near, far = ([alone, [second]] for second in ((0.12, 0.09), (0.3, 0.02)))
    near, far = knees(np.concatenate(near)), knees(np.concatenate(far))
    assert near.chosen == far.chosen == 10
    assert near.stability == pytest.approx(1 - np.exp(-2), abs=0.06)
    assert far.stability == pytest.approx(1 - np.exp(-1), abs=0.06)
    assert far.shares[-1] == pytest.approx(np.exp(-1) * 0.63, abs=0.06)
    twice = knees(np.concatenate([alone, alone[10:11]]))
    assert twice.shares[10] == twice.shares[-1] == twice.stability > 0.8
    # With errors that are drawn, the share is that of the draws.
    draws = np.tile(alone[:, 1], (100, 1))
    draws[:17, 10] = 2.0  # dominated, then
    assert (
        knees(alone, 1, draws).stability == knees(alone, 1, draws).shares[10] == pytest.approx(0.83)
    )
    assert np.isnan(knees([(0, 1), (1, 0)]).stability)
    assert not knees([(0, 1), (1, 0)]).shares.any()


def test_probability_on_the_front_is_that_of_the_normal_and_the_t_distribution() -> None:
    """Two candidates of one size: the one is on the front where its error is smaller. A third is
    smaller, and always on it."""
    points = np.array([(0.10, 50), (0.12, 50), (0.9, 10), (0.9, 60), (np.nan, 5)])
    many = draw_errors(
        points[:, 0], [0.01, 0.01, np.nan, 0.001, 0.01], [1e6, 1e6, 0, 5, 3], draws=20_000
    )
    probability = probability_on_front(points, 0, many)
    expected = stats.norm.cdf(0.02 / np.hypot(0.01, 0.01))
    assert probability == pytest.approx([expected, 1 - expected, 1, 0, 0], abs=0.01)
    few = draw_errors(
        points[:, 0], [0.02, np.nan, np.nan, np.nan, np.nan], [2, 0, 0, 0, 0], draws=20_000
    )
    assert probability_on_front(points, 0, few)[0] == pytest.approx(stats.t(2).cdf(1), abs=0.01)
    assert (few[:, 1] == 0.12).all()
    assert np.isnan(few[:, 4]).all()


def _lines(work: Callable[..., object], *given: object) -> int:
    """How many lines of Python a call runs: its work, whatever else the machine does."""
    count = 0

    def look(frame: FrameType, event: str, _: object) -> Callable:
        nonlocal count
        count += event == "line"
        return look

    before = sys.gettrace()
    sys.settrace(look)
    try:
        work(*given)
    finally:
        sys.settrace(before)
    return count


def _peak_bytes(work: Callable[..., object], *given: object) -> int:
    tracemalloc.start()
    try:
        work(*given)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("objectives", [2, 3])
def test_the_work_of_a_front_grows_with_its_points_not_with_their_pairs(objectives: int) -> None:
    few = _lines(is_front, _sphere(1_000, objectives))
    many = _lines(is_front, _sphere(4_000, objectives))
    assert few > 1_000
    assert many < 5 * few  # pairs: 16 times


def test_the_work_of_a_volume_grows_with_its_points_not_with_their_pairs() -> None:
    few = _lines(hypervolume, _sphere(1_000, 3), np.ones(3))
    many = _lines(hypervolume, _sphere(4_000, 3), np.ones(3))
    assert few > 1_000
    assert many < 5 * few


@pytest.mark.parametrize("objectives", [4, 5])
def test_the_memory_of_a_front_grows_with_its_points_not_with_their_pairs(objectives: int) -> None:
    """Fronts of more objectives are compared in arrays: lines do not count their work."""
    few = _peak_bytes(is_front, _sphere(2_000, objectives))
    many = _peak_bytes(is_front, _sphere(8_000, objectives))
    assert many < 6 * few  # pairs: 16 times


@pytest.mark.parametrize("objectives", [3, 4, 5])
def test_the_front_of_a_hundred_thousand_points_is_moocores(objectives: int) -> None:
    points = np.random.default_rng(0).random((100_000, objectives))
    assert np.array_equal(is_front(points), moocore.is_nondominated(points, keep_weakly=True))


@pytest.mark.parametrize(("objectives", "count"), [(3, 1000), (4, 300), (5, 150)])
def test_the_volume_of_hundreds_of_points_is_moocores(objectives: int, count: int) -> None:
    points = _sphere(count, objectives)
    corner = np.ones(objectives)
    volume = hypervolume(points, corner)
    assert volume == pytest.approx(moocore.hypervolume(points, ref=corner), abs=1e-12)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match=r"points have shape \(3,\)"):
        is_front([1, 2, 3])
    with pytest.raises(ValueError, match="reference has 3 numbers, points have 2"):
        hypervolume([(1, 2)], (1, 1, 1))
    with pytest.raises(ValueError, match="give finite numbers"):
        hypervolume([(1, 2)], (1, np.nan))
