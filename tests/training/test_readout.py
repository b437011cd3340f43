"""A readout is what scikit-learn and numpy give, and its score what training would give."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score

from tests.support.made_up_tasks import Sealed
from wiring_search import tasks
from wiring_search.tasks.task import Split, Task
from wiring_search.training.baselines.readout import fit_ridge, missing_f1, score
from wiring_search.training.baselines.reservoir import Reservoir
from wiring_search.wirings.topologies import random_sparse

RNG = np.random.default_rng(0)
SPARSE = random_sparse(3, 12, 2, 6, 30)


@pytest.mark.parametrize("regularisation", [1e-3, 1.0, 50.0])
def test_ridge_is_that_of_scikit_learn(regularisation: float) -> None:
    x, y = RNG.standard_normal((80, 10)) + 3.0, RNG.standard_normal((80, 4)) - 2.0
    theirs = Ridge(alpha=regularisation).fit(x, y)
    ours = fit_ridge(x, y, regularisation)
    assert np.abs(ours.weights - theirs.coef_).max() < 1e-10
    assert np.abs(ours.bias - theirs.intercept_).max() < 1e-10
    assert np.abs(ours.predict(x) - theirs.predict(x)).max() < 1e-10


def test_without_regularisation_it_is_least_squares_of_the_smallest_norm() -> None:
    x, y = RNG.standard_normal((60, 7)), RNG.standard_normal((60, 2))
    x[:, 6] = x[:, 0] - x[:, 1]  # not unique
    ours = fit_ridge(x, y, 0.0)
    theirs = np.linalg.lstsq(x - x.mean(axis=0), y - y.mean(axis=0))[0].T
    assert np.abs(ours.weights - theirs).max() < 1e-10
    constant = fit_ridge(np.ones((5, 3)), np.arange(5.0)[:, None], 0.0)
    assert np.array_equal(constant.weights, np.zeros((1, 3)))
    assert constant.bias == 2.0


def test_the_regularisation_that_validates_best_is_taken() -> None:
    several = (1e-6, 1e-2, 1.0, 100.0, 1e4)
    truth = RNG.standard_normal((20, 1))
    x, valid_x = RNG.standard_normal((25, 20)), RNG.standard_normal((500, 20))
    y, valid_y = x @ truth + 3 * RNG.standard_normal((25, 1)), valid_x @ truth
    errors = {
        a: float(np.mean((Ridge(alpha=a).fit(x, y).predict(valid_x) - valid_y[:, 0]) ** 2))
        for a in several
    }
    best = min(errors, key=errors.get)
    assert best not in (several[0], several[-1])
    assert fit_ridge(x, y, several, (valid_x, valid_y)).regularisation == best


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_ridge(np.zeros((3, 2)), np.zeros((3, 1)), -1.0), "regularisation is -1.0"),
        (
            lambda: fit_ridge(np.zeros((3, 2)), np.zeros((3, 1)), (1.0, 2.0)),
            "2 regularisations but no validation data",
        ),
    ],
)
def test_bad_regularisations_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def _made_up(kind: str, every_step: bool, lengths: bool) -> Task:
    def split(n: int, seed: int) -> Split:
        rng = np.random.default_rng(seed)
        x = rng.random((n, 9, 3)).astype(np.float32)
        steps = slice(None) if every_step else -1
        value = (x - 0.5).cumsum(axis=1).sum(axis=-1)[:, steps]
        y = (
            (value > 0).astype(np.int64)
            if kind == "classification"
            else value[..., None].astype(np.float32)
        )
        return Split(x, y, lengths=rng.integers(1, 10, n) if lengths else None)

    outputs, metric = (2, "accuracy") if kind == "classification" else (1, "mse")
    return Task(
        "made up", kind, every_step, outputs, metric, split(60, 0), split(40, 1), Sealed(), {}, ""
    )


def test_the_score_is_1_minus_f1_where_the_task_asks_for_it() -> None:
    found, there = RNG.standard_normal((50, 2)), np.eye(2)[RNG.integers(0, 2, 50)]
    assert missing_f1(found, there) == pytest.approx(
        1 - f1_score(there[:, 1], found.argmax(axis=1))
    )
    task = _made_up("classification", True, False)
    reservoir = Reservoir(SPARSE, seed=1)
    as_f1, as_accuracy = (
        score(reservoir, replace(task, metric="f1"), 0.01),
        score(reservoir, task, 0.01),
    )
    assert 0 < as_f1 < 1
    assert as_f1 != as_accuracy


@pytest.mark.parametrize("kind", ["classification", "regression"])
@pytest.mark.parametrize(
    ("every_step", "lengths"), [(True, False), (True, True), (False, False), (False, True)]
)
def test_the_score_is_what_an_independent_computation_gives(
    kind: str, every_step: bool, lengths: bool
) -> None:
    task = _made_up(kind, every_step, lengths)
    reservoir = Reservoir(SPARSE, seed=1)

    def rows(split: Split) -> tuple[np.ndarray, np.ndarray]:
        states, targets = [], []
        for n in range(len(split)):
            valid = 9 if split.lengths is None else int(split.lengths[n])
            path = reservoir.states(split.x[n : n + 1, :valid])[0]
            states += list(path) if every_step else [path[-1]]
            targets += list(split.y[n, :valid]) if every_step else [split.y[n]]
        return np.array(states), np.array(targets)

    (x, y), (valid_x, valid_y) = rows(task.train), rows(task.valid)
    if kind == "classification":
        theirs = (
            Ridge(alpha=0.01)
            .fit(x, np.stack([y == 0, y == 1], axis=1).astype(float))
            .predict(valid_x)
        )
        expected = np.mean(theirs.argmax(axis=1) != valid_y)
    else:
        expected = np.mean(
            (Ridge(alpha=0.01).fit(x, y[:, 0]).predict(valid_x) - valid_y[:, 0]) ** 2
        )
    assert score(reservoir, task, 0.01) == pytest.approx(expected, abs=1e-9)
    assert (
        score(reservoir, task) <= min(score(reservoir, task, a) for a in (1e-4, 1e-2, 1.0)) + 1e-12
    )


def test_elapsed_times_reach_the_score() -> None:
    task = _made_up("regression", True, False)
    regular = score(Reservoir(SPARSE), task)
    slow = {
        part: replace(getattr(task, part), elapsed=np.full((n, 9), 0.2, np.float32))
        for part, n in (("train", 60), ("valid", 40))
    }
    assert score(Reservoir(SPARSE, leak=1 - 0.7**5), replace(task, **slow)) == pytest.approx(
        regular, rel=1e-4
    )


def test_a_reservoir_reads_digits() -> None:
    task = replace(tasks.load("digits"), test=Sealed())
    errors = [
        score(Reservoir(random_sparse(8, 60, 4, 120, 300, seed=seed), seed=seed), task)
        for seed in range(3)
    ]
    assert max(errors) < 0.13  # measured 0.089 to 0.106; always one class: 0.897
