"""The table of neuron kinds says what the dynamics do."""

from dataclasses import replace

import numpy as np
import pytest

from wiring_search.networks.kernels.cpu import compiled_apart
from wiring_search.networks.kernels.layout import Kind
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.kinds import EXPLICIT, KINDS
from wiring_search.wirings.topologies import ncp

WIRING = ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=3)


def test_every_kind_has_dynamics() -> None:
    assert list(NEURONS) == list(KINDS)


def test_explicit_solvers_are_those_with_a_tableau() -> None:
    assert set(EXPLICIT) == set(TABLEAUX)


@pytest.mark.parametrize("neuron", KINDS)
def test_signed_kinds_start_with_the_signs_of_synapses(neuron: str) -> None:
    dynamics = NEURONS[neuron]
    made = dynamics.connections(WIRING)
    flipped = replace(made, polarity=-made.polarity, sensory_polarity=-made.sensory_polarity)

    def initial(connections) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        shapes = dynamics.shapes(connections)
        return [dynamics.initial(rng, name, shape, connections) for name, shape in shapes.items()]

    pairs = zip(initial(made), initial(flipped), strict=True)
    differs = any(not np.array_equal(before, after) for before, after in pairs)
    assert differs == KINDS[neuron].signed


@pytest.mark.parametrize("neuron", KINDS)
def test_a_kind_has_explicit_solvers_where_it_has_a_differential_equation(neuron: str) -> None:
    assert bool(KINDS[neuron].explicit) == (NEURONS[neuron].field is not None)


@pytest.mark.parametrize("neuron", [name for name, kind in KINDS.items() if kind.compiled])
def test_a_compiled_kind_has_a_kernel_for_each_solver(neuron: str) -> None:
    for solver in KINDS[neuron].solvers:
        assert compiled_apart(Kind(neuron, solver))
