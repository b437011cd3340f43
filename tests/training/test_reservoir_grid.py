"""Reservoirs of the textbook are baselines: sized by name, scored with their readout alone."""

from dataclasses import replace

import numpy as np
import pytest

from tests.support.made_up_tasks import made_up_task, timeless
from wiring_search.tasks.task import Split
from wiring_search.training.baselines import catalogue
from wiring_search.training.baselines.reservoir_grid import (
    RESERVOIRS,
    load_readout,
    reservoir,
    train,
)
from wiring_search.workers.jobs import Rung, Status


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_reservoirs_are_scored_with_their_readout_alone(
    kind: str, every_step: bool, timed: bool
) -> None:
    task, rung = made_up_task(kind, every_step, timed), Rung(0, 5, 16)
    heard = []
    (trained,) = catalogue.train_all(
        task, ("reservoir-16",), rung, 4, lambda *event: heard.append(event)
    )
    outcome = trained.outcome
    assert heard == [("reservoir-16", 1, 1)]
    assert outcome.status is Status.OK
    assert outcome.curve == (outcome.error,)
    assert outcome.parameters == task.outputs * (16 + 1)
    assert outcome.synapses == 16 * 10 + 16
    assert outcome.metric == (1 - outcome.error if kind == "classification" else outcome.error)
    fixed, readout = (
        reservoir(task, "reservoir-16", 4),
        load_readout(outcome.state),
    )
    wrong = []
    for sample in range(len(task.valid)):  # one after the other, without its padding
        valid = slice(None if task.valid.lengths is None else task.valid.lengths[sample])
        elapsed = (
            None if task.valid.elapsed is None else task.valid.elapsed[sample : sample + 1, valid]
        )
        states = fixed.states(task.valid.x[sample : sample + 1, valid], elapsed)[0]
        y, target = readout.predict(states if every_step else states[-1:]), task.valid.y[sample]
        target = target[valid] if every_step else target[None]
        wrong += (
            list(y.argmax(-1) != target)
            if kind == "classification"
            else list(((y - target) ** 2).mean(-1))
        )
    assert outcome.error == pytest.approx(np.mean(wrong), rel=1e-9)
    (again,), (other,) = (
        catalogue.train_all(task, ("reservoir-16",), rung, seed) for seed in (4, 5)
    )
    assert timeless(again.outcome) == timeless(outcome)
    assert other.outcome.state != outcome.state
    assert outcome.latency_us > 0
    assert outcome.train_seconds > 0


@pytest.mark.parametrize("name", RESERVOIRS)
@pytest.mark.parametrize("features", [1, 8, 40])
def test_a_reservoir_is_as_its_name_says(name: str, features: int) -> None:
    task = replace(
        made_up_task(),
        outputs=50,
        train=Split(np.zeros((1, 2, features), np.float32), np.zeros(1, int)),
    )
    fixed, neurons = reservoir(task, name, 1), int(name.rpartition("-")[2])
    assert fixed.wiring.neurons == neurons
    assert fixed.wiring.sensory == features
    assert len(fixed.wiring.synapses) == 10 * neurons
    assert len(fixed.wiring.sensory_synapses) == max(neurons, features)
    assert np.abs(np.linalg.eigvals(fixed.recurrent)).max() == pytest.approx(0.9)
    assert fixed.leak == 0.3
    assert catalogue.select(task, ("reservoir",)) == tuple(RESERVOIRS)


def test_a_readout_that_is_not_finite_is_diverged() -> None:
    task = made_up_task("regression")
    task.train.y[3] = np.inf
    with np.errstate(invalid="ignore"):
        outcome = train(task, reservoir(task, "reservoir-16", 0))
    assert outcome.status is Status.DIVERGED
    assert np.isnan(outcome.error)
    assert "not finite" in outcome.message
