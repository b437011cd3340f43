"""A reservoir is what its equation says."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from wiring_search.training.baselines.reservoir import Reservoir, spectral_radius
from wiring_search.wirings.topologies import (
    fully_connected,
    layered,
    ncp,
    random_sparse,
    small_world,
)
from wiring_search.wirings.wiring import Wiring

RNG = np.random.default_rng(0)
SPARSE = random_sparse(3, 12, 2, 6, 30)


@pytest.mark.parametrize("every_step", [True, False])
def test_states_follow_the_equation_neuron_by_neuron(every_step: bool) -> None:
    reservoir = Reservoir(
        SPARSE, spectral_radius=1.3, leak=0.4, input_scale=0.7, bias_scale=0.5, seed=3
    )
    u = RNG.standard_normal((4, 6, 3))
    elapsed = RNG.uniform(0.0, 2.0, (4, 6))
    elapsed[:, 0] = 1.0
    elapsed[1, 3:] = 0.0
    u[1, 3:] = np.nan
    expected = np.zeros((4, 6, 12))
    for sample in range(4):
        x = [0.0] * 12
        for t in range(6):
            if elapsed[sample, t] > 0:
                onto = list(reservoir.bias)
                for pre, post, _ in SPARSE.synapses:
                    onto[post] += reservoir.recurrent[post, pre] * x[pre]
                for pre, post, _ in SPARSE.sensory_synapses:
                    onto[post] += reservoir.sensory[post, pre] * u[sample, t, pre]
                kept = (1 - 0.4) ** elapsed[sample, t]
                x = [kept * x[i] + (1 - kept) * math.tanh(onto[i]) for i in range(12)]
            expected[sample, t] = x
    states = reservoir.states(u, elapsed, every_step)
    assert np.abs(states - (expected if every_step else expected[:, -1])).max() < 1e-12
    assert (
        np.abs(reservoir.states(u[:1], elapsed[:1] * 0 + 1.0)[0, 0] - expected[0, 0]).max() < 1e-12
    )


def test_matrices_have_the_synapses_and_their_signs() -> None:
    reservoir = Reservoir(SPARSE, bias_scale=0.2)
    signs, sensory_signs = np.zeros((12, 12)), np.zeros((12, 3))
    for pre, post, polarity in SPARSE.synapses:
        signs[post, pre] = polarity
    for pre, post, polarity in SPARSE.sensory_synapses:
        sensory_signs[post, pre] = polarity
    assert np.array_equal(np.sign(reservoir.recurrent), signs)
    assert np.array_equal(np.sign(reservoir.sensory), sensory_signs)
    assert 0.1 < np.abs(reservoir.bias).max() <= 0.2


@pytest.mark.parametrize(
    "wiring",
    [
        SPARSE,
        fully_connected(2, 15, 1),
        ncp(4, 12, 6, 2, 4, 3, 8, 3),
        small_world(2, 20, 1, 3),
        random_sparse(2, 200, 2, 20, 900),
    ],
    ids=["sparse", "dense", "ncp", "ring", "large"],
)
def test_the_spectral_radius_is_the_one_asked_for(wiring: Wiring) -> None:
    w = Reservoir(wiring, spectral_radius=1.1, seed=1).recurrent
    assert np.abs(np.linalg.eigvals(w)).max() == pytest.approx(1.1, rel=1e-6)


def test_a_wiring_without_cycles_has_radius_zero_and_is_not_scaled() -> None:
    wiring = layered(3, 8, 6, 2, density=0.6)
    reservoir = Reservoir(wiring, spectral_radius=0.5)
    w = reservoir.recurrent
    assert spectral_radius(w) == 0.0
    assert ((np.abs(w[w != 0]) >= 0.5) & (np.abs(w[w != 0]) <= 1.5)).all()
    assert np.isfinite(reservoir.states(RNG.standard_normal((2, 30, 3)))).all()
    # In disguise, where rounding gives plain eigenvalues of some size: a long delay line,
    # renumbered.
    line = np.diag(np.ones(59), 1)
    order = RNG.permutation(60)
    assert spectral_radius(line[np.ix_(order, order)]) == 0.0


def test_the_seed_makes_it() -> None:
    u = RNG.standard_normal((2, 5, 3))
    one, same, other = (Reservoir(SPARSE, bias_scale=0.1, seed=seed) for seed in (1, 1, 2))
    # asked for in another order, and still the same
    assert same.bias.shape == (12,)
    assert same.sensory.shape == (
        12,
        3,
    )
    assert np.array_equal(one.states(u), same.states(u))
    assert not np.allclose(one.states(u), other.states(u))
    assert np.array_equal(one.input_weights(7), same.input_weights(7))
    assert one.input_weights(7).shape == (12, 7)


def test_other_numbers_of_features_go_through_a_projection_of_equal_variance() -> None:
    weights = Reservoir(fully_connected(5, 40, 1), seed=4).input_weights(200)
    assert np.linalg.matrix_rank(weights) == 5
    u = RNG.standard_normal((1000, 200))
    plain = RNG.standard_normal((1000, 5)) @ Reservoir(fully_connected(5, 40, 1), seed=4).sensory.T
    assert (u @ weights.T).std() == pytest.approx(plain.std(), rel=0.3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"spectral_radius": 0.0}, "spectral_radius is 0.0; give a number above 0"),
        ({"leak": 0.0}, "leak is 0.0; give a number above 0 and at most 1"),
        ({"leak": 1.5}, "leak is 1.5"),
        ({"input_scale": -1.0}, "input_scale is -1.0; give 0 or more"),
        ({"bias_scale": float("nan")}, "bias_scale is nan; give a number"),
        ({"seed": -1}, "seed is -1; give a whole number"),
    ],
)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reservoir(SPARSE, **settings)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Reservoir(SPARSE).states(np.zeros((3, 4))),
            r"u has shape \(3, 4\); give \(batch, time, features\)",
        ),
        (
            lambda: Reservoir(SPARSE).states(np.zeros((3, 4, 3)), np.zeros((3, 5))),
            r"elapsed has shape \(3, 5\); give .* \(3, 4\)",
        ),
        (
            lambda: Reservoir(SPARSE).states(np.zeros((1, 1, 3)), -np.ones((1, 1))),
            "elapsed has a negative",
        ),
    ],
)
def test_bad_inputs_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
