"""Distribution shifts, each compared with an obvious loop over samples and steps."""

from dataclasses import replace

import numpy as np
import pytest

from wiring_search.scores import shifts
from wiring_search.tasks.task import Split
from wiring_search.training.loss import elapsed_of

N, T, F = 40, 7, 3
SEED = (0, 0)


def _split(
    ragged: bool = True, times: bool = True, every_step: bool = True, seed: int = 0
) -> Split:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, T + 1, N) if ragged else np.full(N, T)
    x = rng.standard_normal((N, T, F)).astype(np.float32)
    elapsed = rng.uniform(0.1, 2, (N, T)).astype(np.float32)
    x[np.arange(T) >= lengths[:, None]] = np.nan  # padding must not be read
    y = rng.integers(0, 5, (N, T) if every_step else N)
    return Split(x, y, elapsed if times else None, lengths if ragged else None)


def _valid(split: Split) -> np.ndarray:
    return np.arange(split.x.shape[1]) < shifts.lengths_of(split)[:, None]


def _same(one: Split, other: Split) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        for name in ("x", "y", "elapsed", "lengths", "scored")
        if getattr(one, name) is not None or getattr(other, name) is not None
    )


def _ways(split: Split) -> dict[str, Split]:
    every_step = split.y.ndim == 2
    return {
        "noisy": shifts.noisy(split, np.ones(F), 0.1, SEED),
        "dropped": shifts.dropped(split, 0.3, True, SEED),
        "paced": shifts.paced(split, 2.0),
        "every_second": shifts.every_second(split),
        "interpolated": shifts.interpolated(split, 2, every_step),
        "lengthened": shifts.lengthened(split, every_step),
        "without_channels": shifts.without_channels(split, np.zeros(F), 1, SEED),
    }


def test_shifts_are_pure_and_repeat_themselves() -> None:
    split, untouched = _split(), _split()
    first, second = _ways(split), _ways(split)
    assert _same(split, untouched)
    assert all(_same(first[name], second[name]) for name in first)
    assert all(not _same(first[name], split) for name in first)


def test_noise_has_the_given_spread_and_grows_by_its_level_alone() -> None:
    split = Split(np.zeros((2000, 10, 3), np.float32), np.zeros(2000, np.int64))
    spread = np.array([1.0, 4.0, 0.0])
    noise = shifts.noisy(split, spread, 0.2, SEED).x
    assert noise.std(axis=(0, 1)) == pytest.approx(0.2 * spread, rel=0.02)
    assert abs(noise.mean(axis=(0, 1))).max() < 0.02
    assert np.allclose(shifts.noisy(split, spread, 0.4, SEED).x, 2 * noise)
    assert _same(shifts.noisy(split, spread, 0.0, SEED), split)
    assert not np.array_equal(shifts.noisy(split, spread, 0.2, (1, 0)).x, noise)


@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("ragged", [True, False])
def test_keeping_is_what_a_loop_over_steps_does(ragged: bool, times: bool) -> None:
    split = _split(ragged, times)
    wanted = np.random.default_rng(5).random((N, T)) < 0.5
    told, hidden = shifts.keeping(split, wanted, True), shifts.keeping(split, wanted, False)
    given = elapsed_of(split)
    for i, length in enumerate(shifts.lengths_of(split)):
        gap = 0.0
        for t in range(T):
            kept = t < length and (wanted[i, t] or t == length - 1)
            gap += float(given[i, t]) if t < length else 0.0
            assert told.elapsed[i, t] == pytest.approx(gap if kept else 0.0, rel=1e-6)
            assert hidden.elapsed[i, t] == (given[i, t] if kept else 0.0)
            assert told.scored[i, t] == hidden.scored[i, t] == kept
            gap = 0.0 if kept else gap
    assert told.elapsed.sum(axis=1) == pytest.approx(given.sum(axis=1), rel=1e-6)
    assert np.array_equal(told.x, split.x, equal_nan=True)
    assert np.array_equal(told.y, split.y)


def test_keeping_everything_changes_nothing() -> None:
    split = _split()
    for told in (True, False):
        same = shifts.dropped(split, 0.0, told, SEED)
        assert np.array_equal(same.elapsed, elapsed_of(split))
        assert np.array_equal(same.scored, _valid(split))


def test_a_share_of_the_steps_is_dropped_and_a_larger_share_drops_these_too() -> None:
    split = Split(np.zeros((3000, 11, 1), np.float32), np.zeros(3000, np.int64))
    few, many = (shifts.dropped(split, share, True, SEED) for share in (0.1, 0.5))
    assert 1 - few.scored[:, :-1].mean() == pytest.approx(0.1, abs=0.01)
    assert few.scored[:, -1].all()
    assert 1 - many.scored[:, :-1].mean() == pytest.approx(0.5, abs=0.01)
    assert (few.scored >= many.scored).all()
    hidden = shifts.dropped(split, 0.5, False, SEED)
    assert np.array_equal(hidden.scored, many.scored)
    assert np.array_equal(hidden.elapsed, many.scored.astype(np.float32))


def test_a_clock_of_another_pace() -> None:
    split = _split()
    assert np.array_equal(shifts.paced(split, 1.0).elapsed, elapsed_of(split))
    assert np.array_equal(shifts.paced(split, 4.0).elapsed, 4 * elapsed_of(split))
    assert (shifts.paced(_split(ragged=False, times=False), 0.5).elapsed == 0.5).all()


def test_every_second_step_counts_back_from_the_last() -> None:
    split = _split(times=False)
    fast = shifts.every_second(split)
    for i, length in enumerate(split.lengths):
        kept = set(range(length - 1, -1, -2))
        assert [bool(seen) for seen in fast.elapsed[i] == 1.0] == [t in kept for t in range(T)]


@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("ragged", [True, False])
def test_interpolation_draws_straight_lines_and_scores_the_original_places(
    ragged: bool, times: bool, every_step: bool
) -> None:
    split = _split(ragged, times, every_step)
    factor = 3
    slow = shifts.interpolated(split, factor, every_step)
    assert slow.x.shape == (N, factor * T, F)
    assert slow.x.dtype == np.float32
    for i, length in enumerate(shifts.lengths_of(split)):
        places = (
            np.arange(1, factor * length + 1) / factor
        )  # the original steps stand at 1, 2, …; before them the first one
        for f in range(F):
            line = np.interp(
                places, np.arange(length + 1), [split.x[i, 0, f], *split.x[i, :length, f]]
            )
            assert slow.x[i, : factor * length, f] == pytest.approx(line, abs=1e-5)
    original = slice(factor - 1, None, factor)
    assert np.array_equal(slow.x[:, original], split.x, equal_nan=True)
    assert slow.scored[:, original].all()
    assert slow.scored.sum() == N * T
    assert np.array_equal(slow.y[:, original] if every_step else slow.y, split.y)
    assert np.array_equal(shifts.lengths_of(slow), factor * shifts.lengths_of(split))
    assert elapsed_of(slow).sum(axis=1) == pytest.approx(
        factor * elapsed_of(split).sum(axis=1), rel=1e-6
    )
    once = shifts.interpolated(split, 1, every_step)
    assert _same(replace(once, scored=None), split)
    assert once.scored.all()


@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("times", [True, False])
@pytest.mark.parametrize("ragged", [True, False])
def test_a_longer_sample_waits_and_then_is_itself(
    ragged: bool, times: bool, every_step: bool
) -> None:
    split = _split(ragged, times, every_step)
    long = shifts.lengthened(split, every_step)
    given = elapsed_of(split)
    for i, length in enumerate(shifts.lengths_of(split)):
        wait, then = slice(0, length), slice(length, 2 * length)
        assert shifts.lengths_of(long)[i] == 2 * length
        assert long.x.shape[1] == 2 * T
        assert (long.x[i, wait] == split.x[i, 0]).all()
        assert np.array_equal(long.x[i, then], split.x[i, :length])
        assert not long.scored[i, wait].any()
        assert long.scored[i, then].all()
        elapsed = elapsed_of(long)[i]
        assert (elapsed[wait] == given[i, 0]).all()
        assert np.array_equal(elapsed[then], given[i, :length])
        assert (
            np.array_equal(long.y[i, then], split.y[i, :length])
            if every_step
            else long.y[i] == split.y[i]
        )


def test_features_go_missing_sample_by_sample() -> None:
    split = Split(np.ones((3000, 4, 5), np.float32), np.zeros(3000, np.int64))
    means = np.arange(10, 15)
    one, two = (shifts.without_channels(split, means, count, SEED).x for count in (1, 2))
    lost = one[:, 0] != 1
    assert (lost.sum(axis=1) == 1).all()
    assert ((two[:, 0] != 1).sum(axis=1) == 2).all()
    assert lost.mean(axis=0) == pytest.approx(np.full(5, 0.2), abs=0.03)
    assert (one == one[:, :1]).all()
    assert np.array_equal(one[:, 0], np.where(lost, means, 1.0))
    assert (two[:, 0][lost] != 1).all()


@pytest.mark.parametrize("name", ["dropped", "every_second", "interpolated", "lengthened"])
def test_what_was_not_scored_before_is_not_scored_afterwards(name: str) -> None:
    split = _split(ragged=False, times=False)
    nothing = replace(split, scored=np.zeros((N, T), bool))
    assert not _ways(nothing)[name].scored.any()
    assert _ways(split)[name].scored.any()
