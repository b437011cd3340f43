"""Repeated scores: known components are found again, bounds cover, the crossed design trains what
it says."""

import math

import numpy as np
import pytest
from scipy import stats

from tests.support.random_packs import random_wiring
from wiring_search.scores import repeats
from wiring_search.scores.repeats import VarianceSplit, crossed_errors, variance_split
from wiring_search.tasks.task import Split, Task
from wiring_search.training import loop as training
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Outcome, PackJob, PackResult, Rung, Status

COMPONENTS = VarianceSplit(wiring=4.0, initialisation=2.0, order=1.0, residual=0.5)


def _drawn(
    rng: np.random.Generator, split: VarianceSplit, wirings: int, inits: int, orders: int
) -> np.ndarray:
    return (
        10
        + math.sqrt(split.wiring) * rng.standard_normal((wirings, 1, 1))
        + math.sqrt(split.initialisation) * rng.standard_normal((wirings, inits, 1))
        + math.sqrt(split.order) * rng.standard_normal((1, 1, orders))
        + math.sqrt(split.residual) * rng.standard_normal((wirings, inits, orders))
    )


def test_components_are_found_without_bias() -> None:
    rng = np.random.default_rng(0)
    # Large enough that none is ever cut at 0, where the mean of estimates is the component.
    found = [vars(variance_split(_drawn(rng, COMPONENTS, 12, 6, 8))) for _ in range(400)]
    for name, true in vars(COMPONENTS).items():
        values = [split[name] for split in found]
        assert np.mean(values) == pytest.approx(
            true, abs=4 * np.std(values) / math.sqrt(len(values))
        ), name
        assert min(values) > 0


def test_mean_squares_are_those_of_a_regression() -> None:
    """Sums of squares as what each set of dummy variables explains beyond those before it, by least
    squares."""
    errors = _drawn(np.random.default_rng(1), COMPONENTS, 4, 3, 5)
    w, i, d = np.indices(errors.shape).reshape(3, -1)
    columns = [
        np.ones((errors.size, 1)),
        w[:, None] == range(4),
        (3 * w + i)[:, None] == range(12),
        d[:, None] == range(5),
    ]
    left = []
    for count in range(1, 5):
        design = np.hstack(columns[:count]).astype(float)
        left.append(
            (
                (errors.ravel() - design @ np.linalg.lstsq(design, errors.ravel(), rcond=None)[0])
                ** 2
            ).sum()
        )
    of_wiring, of_init, of_order = -np.diff(left) / (3, 8, 4)
    residual = left[-1] / 44
    expected = {
        "wiring": (of_wiring - of_init) / 15,
        "initialisation": (of_init - residual) / 5,
        "order": (of_order - residual) / 12,
        "residual": residual,
    }
    assert vars(variance_split(errors)) == pytest.approx(
        {name: max(0.0, value) for name, value in expected.items()}
    )


@pytest.mark.parametrize("only", ["wiring", "initialisation", "order", "residual"])
def test_a_single_cause_is_named_and_nothing_is_negative(only: str) -> None:
    alone = VarianceSplit(**{name: float(name == only) for name in vars(COMPONENTS)})
    rng = np.random.default_rng(2)
    splits = [variance_split(_drawn(rng, alone, 5, 4, 4)) for _ in range(20)]
    assert all(min(vars(split).values()) >= 0 for split in splits)
    assert np.mean([split.shares[only] for split in splits]) > 0.85
    assert sum(splits[0].shares.values()) == pytest.approx(1)


def test_one_wiring_has_no_variance_of_its_own() -> None:
    split = variance_split(_drawn(np.random.default_rng(3), COMPONENTS, 1, 4, 4))
    assert math.isnan(split.wiring)
    assert sum(split.shares.values()) == pytest.approx(1)
    assert "wiring" not in split.shares
    assert variance_split(np.ones((2, 2, 2))).shares == dict.fromkeys(vars(COMPONENTS), 0.0)


@pytest.mark.parametrize(
    ("errors", "message"),
    [
        (np.ones((3, 4)), "two or more"),
        (np.ones((3, 1, 4)), "two or more"),
        (np.ones((3, 4, 1)), "two or more"),
        (np.where(np.arange(8).reshape(2, 2, 2) == 3, np.nan, 1.0), "1 of 8 errors are not finite"),
    ],
)
def test_designs_that_cannot_be_split_are_refused(errors: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        variance_split(errors)


def test_means_and_bounds_are_those_of_scipy() -> None:
    scores = np.random.default_rng(4).standard_normal((6, 5))
    low, high = stats.t.interval(0.9, 4, loc=scores.mean(axis=-1), scale=stats.sem(scores, axis=-1))
    assert repeats.mean(scores) == pytest.approx(scores.mean(axis=-1))
    assert repeats.standard_error(scores) == pytest.approx(stats.sem(scores, axis=-1))
    assert repeats.lower_bound(scores, 0.95) == pytest.approx(low)
    assert repeats.upper_bound(scores, 0.95) == pytest.approx(high)


def test_bounds_cover_as_often_as_they_say() -> None:
    scores = np.random.default_rng(5).standard_normal((20_000, 4))
    assert (repeats.upper_bound(scores, 0.9) > 0).mean() == pytest.approx(0.9, abs=0.01)
    assert (repeats.lower_bound(scores, 0.9) < 0).mean() == pytest.approx(0.9, abs=0.01)


def test_bounds_of_too_little_are_refused() -> None:
    with pytest.raises(ValueError, match="1 repeats have no spread"):
        repeats.standard_error(np.ones((3, 1)))
    with pytest.raises(ValueError, match="confidence is 95"):
        repeats.upper_bound(np.ones(3), 95)


def test_every_combination_trains_once_and_stands_in_its_place() -> None:
    wirings = [
        Candidate(random_wiring(np.random.default_rng(k)), learning_rate=0.01 * (k + 1))
        for k in range(3)
    ]
    jobs, told = [], []

    def train(task: Task, job: PackJob) -> PackResult:
        jobs.append(job)
        errors = [
            100 * round(100 * c.learning_rate) + 10 * c.seed + job.data_seed for c in job.candidates
        ]
        return PackResult(
            0, tuple(Outcome(Status.OK, float(e), 0.0, 0, 0, 0.0, 0.0) for e in errors)
        )

    errors = crossed_errors(
        None, wirings, [2, 5, 7, 8], [3, 4], Rung(0, 1, 16), lambda *news: told.append(news), train
    )
    expected = [[[100 * w + 10 * i + d for d in (3, 4)] for i in (2, 5, 7, 8)] for w in (1, 2, 3)]
    assert errors.tolist() == expected
    assert sum(len(job.candidates) for job in jobs) == 24
    assert told[-1] == (24, 24)


def test_a_design_is_trained_as_its_members_would_be_alone() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((30, 5, 2)).astype(np.float32)
    split = Split(x, (x.sum(axis=(1, 2)) > 5).astype(np.int64))
    task = Task("made up", "classification", False, 2, "accuracy", split, split, split, {}, "")
    wirings = [Candidate(random_wiring(rng), steps=1, learning_rate=rate) for rate in (0.05, 1e30)]
    errors = crossed_errors(task, wirings, [1, 2], [3, 4], Rung(0, 2, 16))
    assert np.isnan(errors[1]).all()  # diverged
    for i, seed in enumerate((1, 2)):
        for d, order in enumerate((3, 4)):
            alone = Candidate(wirings[0].wiring, steps=1, learning_rate=0.05, seed=seed)
            assert (
                training.train(task, PackJob(0, Rung(0, 2, 16), (alone,), order)).outcomes[0].error
                == errors[0, i, d]
            )
