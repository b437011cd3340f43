"""The memory of reservoirs is what is known in closed form."""

from collections.abc import Callable

import numpy as np
import pytest

from tests.support.delay_lines import delay_line, linear
from tests.support.random_packs import random_wiring
from wiring_search.training.baselines.reservoir import Reservoir
from wiring_search.training.baselines.reservoir_memory import memory_capacity, memory_curve
from wiring_search.wirings.topologies import random_sparse
from wiring_search.wirings.wiring import Wiring

SPARSE = random_sparse(3, 12, 2, 6, 30)


@pytest.mark.parametrize("leak", [1.0, 0.5])
@pytest.mark.parametrize("polarity", [1, -1])
def test_memory_of_one_linear_neuron(leak: float, polarity: int) -> None:
    """x' = a x + b u remembers u(t − k) with r² = (1 − a²) a^2k, together a² for k ≥ 1."""
    reservoir = linear(
        Wiring(1, 0, 0, 1, ((0, 0, 1),), ((0, 0, polarity),)), spectral_radius=0.8, leak=leak
    )
    a = 1 - leak + leak * 0.8 * polarity
    curve = memory_curve(reservoir, delays=6, length=40_000)
    assert np.abs(curve - (1 - a**2) * a ** (2 * np.arange(1, 7))).max() < 0.02


def test_a_delay_line_remembers_as_long_as_it_is() -> None:
    curve = memory_curve(linear(delay_line(9), leak=1.0))
    assert curve[:8] == pytest.approx(np.ones(8), abs=1e-6)
    assert (curve[8:] == 0).all()
    assert len(curve) == 18
    assert memory_capacity(linear(delay_line(9), leak=1.0)) == pytest.approx(8.0, abs=1e-5)


def test_memory_is_bounded_by_the_number_of_neurons() -> None:
    capacities = {}
    for seed in range(6):
        wiring = random_wiring(np.random.default_rng(seed))
        for radius, scale in ((0.9, 1.0), (0.95, 1e-3)):
            reservoir = Reservoir(
                wiring, spectral_radius=radius, leak=0.9, input_scale=scale, seed=seed
            )
            capacities[seed, scale] = memory_capacity(reservoir, delays=4 * wiring.neurons)
            assert 0 < capacities[seed, scale] <= wiring.neurons
    assert (
        sum(capacities[seed, 1e-3] > capacities[seed, 1.0] for seed in range(6)) >= 4
    )  # tanh costs memory


def test_memory_is_measured_on_held_out_data_by_seed() -> None:
    forgetful = linear(Wiring(1, 0, 0, 1, ((0, 0, 1),), ()), leak=1.0)
    assert memory_capacity(forgetful, delays=50) == 0.0
    reservoir = Reservoir(SPARSE)
    assert (
        memory_capacity(reservoir)
        == memory_capacity(reservoir)
        != memory_capacity(reservoir, seed=1)
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: memory_curve(Reservoir(SPARSE), delays=0), "delays is 0"),
        (lambda: memory_curve(Reservoir(SPARSE), length=100), "length is 100; give 360 or more"),
    ],
)
def test_bad_settings_of_memory_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
