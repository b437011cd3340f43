"""Robustness of trained packs: the clean error is the stored one, mates do not matter, the score is
the mean ratio."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.random_packs import random_wiring
from wiring_search.scores.robustness import (
    CLEAN,
    FAMILIES,
    relative_errors,
    robustness,
    score,
    shifts,
)
from wiring_search.scores.trained_packs import trained_pack, trained_packs
from wiring_search.tasks.task import Split, Task
from wiring_search.training import loop as training
from wiring_search.training.loss import elapsed_of
from wiring_search.training.state import load_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import PackJob, Rung

TEST = Split(np.full((3, 6, 3), np.nan, np.float32), np.zeros(3, np.int64))  # reading it gives NaN


def _split(n: int, kind: str, every_step: bool, times: bool, ragged: bool, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    x = rng.random((n, 6, 3)).astype(np.float32)
    value = np.cumsum(x, axis=1).sum(axis=-1)
    value = value if every_step else value[:, -1]
    y = (
        (value > np.median(value)).astype(np.int64)
        if kind == "classification"
        else value[..., None].astype(np.float32)
    )
    elapsed = rng.uniform(0.5, 1.5, (n, 6)).astype(np.float32) if times else None
    return Split(x, y, elapsed, rng.integers(2, 7, n) if ragged else None)


def _task(
    kind: str = "classification",
    every_step: bool = False,
    times: bool = False,
    ragged: bool = False,
) -> Task:
    train, valid = (_split(n, kind, every_step, times, ragged, n) for n in (60, 50))
    outputs, metric = (2, "accuracy") if kind == "classification" else (1, "mse")
    return Task("made up", kind, every_step, outputs, metric, train, valid, TEST, {}, "")


def _trained(task: Task, candidates: list[Candidate]) -> list:
    return list(training.train(task, PackJob(0, Rung(0, 12, 16), tuple(candidates), 0)).outcomes)


def _candidates() -> list[Candidate]:
    rng = np.random.default_rng(2)
    return [
        Candidate(random_wiring(rng), steps=1 + k, learning_rate=0.05, seed=k) for k in range(3)
    ]


@pytest.mark.parametrize(
    ("kind", "every_step", "times", "ragged"),
    [
        ("classification", False, False, False),
        ("classification", True, True, True),
        ("regression", True, False, True),
    ],
)
def test_clean_is_the_stored_error_bit_for_bit_and_mates_do_not_matter(
    kind, every_step, times, ragged
) -> None:
    task, candidates = _task(kind, every_step, times, ragged), _candidates()
    outcomes = _trained(task, candidates)
    errors = robustness(task, trained_pack(task, candidates, [o.state for o in outcomes]))
    assert errors[CLEAN].tolist() == [o.error for o in outcomes]
    assert list(errors) == [CLEAN, *(shift.name for shift in shifts(task))]
    assert all(of.shape == (3,) and np.isfinite(of).all() for of in errors.values())
    assert len({tuple(of) for of in errors.values()}) > 5  # the shifts do something
    alone = robustness(task, trained_pack(task, candidates[1:2], [outcomes[1].state]))
    assert all(alone[name][0] == errors[name][1] for name in errors)


def test_dropped_and_made_up_steps_are_not_scored() -> None:
    task, candidates = _task("regression", every_step=True), _candidates()[:1]
    pack = trained_pack(task, candidates, [_trained(task, candidates)[0].state])
    for shift in shifts(task):
        shifted = shift.apply(task.valid)
        y = pack.predict(shifted.x, elapsed_of(shifted), True)[0]
        counted = np.ones(shifted.x.shape[:2], bool) if shifted.scored is None else shifted.scored
        by_hand = [
            (y[i, t, 0] - shifted.y[i, t, 0]) ** 2
            for i, t in zip(*np.nonzero(counted), strict=True)
        ]
        assert training.validation_errors(task, shifted, pack)[0] == pytest.approx(
            np.mean(by_hand), rel=1e-4
        )
    assert training.validation_errors(
        task, replace(task.valid, scored=np.ones((50, 6), bool)), pack
    ) == pytest.approx(training.validation_errors(task, task.valid, pack))


def test_shifts_are_those_that_mean_something() -> None:
    with_times, without = _task(times=True), _task()
    for task in (with_times, without):
        families = [shift.family for shift in shifts(task)]
        assert set(families) == set(FAMILIES)
        assert len({shift.name for shift in shifts(task)}) == len(families)
    half = next(shift for shift in shifts(with_times) if shift.name == "duration 0.5")
    assert np.array_equal(half.apply(with_times.valid).elapsed, with_times.valid.elapsed / 2)
    double = next(shift for shift in shifts(without) if shift.name == "duration 2")
    assert double.apply(without.valid).x.shape[1] == 12
    assert double.apply(without.valid).elapsed is None
    one_feature = replace(without, train=replace(without.train, x=without.train.x[:, :, :1]))
    assert not any(shift.family == "channels" for shift in shifts(one_feature))


def test_noise_and_missing_features_are_in_units_of_the_training_split() -> None:
    task = _task(ragged=True)
    x = task.train.x * np.float32([1, 5, 10]) + np.float32([0, 3, 0])
    steps = np.arange(6) < task.train.lengths[:, None]
    x[~steps] = 1e6  # padding
    scaled = replace(task, train=replace(task.train, x=x))
    by_name = {shift.name: shift for shift in shifts(scaled)}
    noise = (by_name["noise 0.2"].apply(task.valid).x - task.valid.x).std(axis=(0, 1))
    assert noise == pytest.approx(0.2 * x[steps].std(axis=0), rel=0.15)
    missing = by_name["channels 1"].apply(task.valid).x
    changed = missing != task.valid.x
    assert np.allclose(
        missing[changed], np.broadcast_to(x[steps].mean(axis=0), missing.shape)[changed], rtol=1e-4
    )


def test_the_score_is_the_mean_ratio_guarded_at_its_ends() -> None:
    task = _task()  # 50 sequences: half a miss is 0.01
    errors = {
        CLEAN: np.array([0.2, 0.0, 0.0, 0.3, np.nan]),
        "a": np.array([0.4, 0.0, 0.02, np.nan, 0.5]),
        "b": np.array([0.1, 0.0, 0.10, np.inf, 0.5]),
    }
    relative = relative_errors(task, errors)
    assert relative["a"][:4] == pytest.approx([0.5, 1.0, 0.5, 0.0])
    assert relative["b"][:4] == pytest.approx([1.0, 1.0, 0.1, 0.0])
    assert score(task, errors) == pytest.approx([0.75, 1.0, 0.3, 0.0, np.nan], nan_ok=True)


def test_trained_packs_hold_candidates_of_any_kind_in_their_places() -> None:
    task, candidates = _task(), _candidates()
    candidates[1] = replace(candidates[1], neuron="cfc", solver="closed-form", steps=0)
    states = [o.state for o in _trained(task, candidates)]
    found = {}
    for places, pack in trained_packs(task, candidates, states):
        found |= zip(places, pack.candidates, strict=True)
        for p, place in enumerate(places):
            assert np.array_equal(pack.weights(p), load_state(states[place])["best_weights"])
    assert [found[place] for place in range(3)] == candidates
