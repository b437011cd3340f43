"""Costs compared with counts by hand and with memory as it is allocated."""

import tracemalloc

import numpy as np
import pytest

from tests.support.random_packs import random_wiring
from wiring_search.networks.kernels import cpu
from wiring_search.scores.cost import Cost, cost
from wiring_search.training.latency import latencies_us
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.wiring import Wiring

FEATURES, OUTPUTS, BATCH = 3, 2, 40
WIRING: Wiring = random_wiring(np.random.default_rng(3))


def _cost(time_steps: int = 8, batch_size: int = BATCH, **settings: object) -> Cost:
    return cost(Candidate(WIRING, **settings), FEATURES, OUTPUTS, time_steps, batch_size, repeats=2)


@pytest.mark.parametrize(
    ("settings", "evaluations"),
    [
        ({"steps": 1}, 1),
        ({"steps": 6}, 6),
        ({"solver": "heun", "steps": 3}, 6),
        ({"solver": "rk4", "steps": 2}, 8),
        ({"solver": "closed-form", "steps": 0}, 1),
        ({"neuron": "cfc", "solver": "closed-form", "steps": 0}, 1),
        ({"memory": "state", "steps": 3}, 3),
    ],
)
def test_updates_are_those_of_a_walk_over_the_connections(settings: dict, evaluations: int) -> None:
    found = _cost(**settings)
    updates = sum(1 for _ in range(evaluations) for _ in WIRING.synapses) + len(
        WIRING.sensory_synapses
    )
    cells = WIRING.neurons if "memory" in settings else 0
    updates += sum(FEATURES + WIRING.neurons for _ in range(cells))
    assert (found.function_evaluations, found.synapse_updates) == (evaluations, updates)
    assert found.state_size == WIRING.neurons + cells
    assert found.synapses == WIRING.synapse_count + cells * (FEATURES + WIRING.neurons)


def test_parameters_are_those_that_a_pack_trains() -> None:
    assert _cost(steps=2).parameters == len(
        Pack([Candidate(WIRING, steps=2)], FEATURES, OUTPUTS).weights(0)
    )


def _peak(time_steps: int) -> int:
    pack = Pack([Candidate(WIRING, steps=2)], FEATURES, OUTPUTS)
    x, elapsed = (
        np.zeros((BATCH, time_steps, FEATURES), np.float32),
        np.ones((BATCH, time_steps), np.float32),
    )
    tracemalloc.start()
    pack.train_step(x, elapsed, False, lambda y: y.square().flatten(1).sum(dim=1))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_grows_with_time_as_it_is_allocated() -> None:
    _peak(8)  # whatever is made once
    short, long = 2000, 4000  # beside which everything else is small
    inputs = (
        (long - short) * 48 * (FEATURES + 1) * 4
    )  # of all mates together, in lanes: 40 samples are three tiles
    measured = _peak(long) - _peak(short) - inputs
    assert measured == pytest.approx(
        _cost(long).training_bytes - _cost(short).training_bytes, rel=0.02
    )


def test_memory_is_the_sum_of_the_arrays() -> None:
    candidate, time_steps = Candidate(WIRING, steps=2), 9
    pack = Pack([candidate], FEATURES, OUTPUTS)
    x, elapsed = (
        np.zeros((BATCH, time_steps, FEATURES), np.float32),
        np.ones((BATCH, time_steps), np.float32),
    )
    state = np.zeros((BATCH, pack.layout.state_size), np.float32)
    y, final, kept = cpu.forward(pack.layout, pack.effective, x, elapsed, state, False)
    grad = cpu.backward(
        pack.layout, pack.effective, kept, np.zeros_like(y), np.zeros_like(final), False
    )[0]
    optimiser = [pack.state(0)[name] for name in ("weights", "first", "second")] + [pack.effective]
    by_tile = 3 * grad.nbytes
    arrays = [kept.history, grad, *optimiser]
    assert _cost(time_steps, steps=2).training_bytes == by_tile + sum(
        array.nbytes for array in arrays
    )


def test_latency_is_positive_and_its_quantiles_are_in_order() -> None:
    found = _cost(steps=2).latency_us
    assert 0 < found.quickest <= found.lower <= found.median <= found.upper
    assert latencies_us(Candidate(WIRING, steps=2), FEATURES, OUTPUTS, repeats=5).shape == (5,)
