"""Gradient through time and time constants: against torch's exact Jacobians in float64, and against
closed forms."""

import numpy as np
import pytest
import torch

from tests.support.random_packs import random_wiring
from wiring_search.networks.kernels import reference
from wiring_search.scores.gradient import (
    EXPLODING,
    HEALTHY,
    UNDEFINED,
    VANISHING,
    fitted_slopes,
    gradient_flow,
    log_jacobian_norms,
    verdict,
)
from wiring_search.scores.time_constants import self_derivatives, time_constants
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS as NEURON_KINDS
from wiring_search.wirings.topologies import fully_connected
from wiring_search.wirings.wiring import Wiring

FEATURES, STEPS = 2, 7
KINDS = [
    ("ltc", "none"),
    ("ltc", "state"),
    ("ct-rnn", "input"),
    ("cfc", "none"),
    ("layered-cfc", "state"),
    ("neural-ode", "none"),
]


def _pack(neuron: str = "ltc", memory: str = "none", count: int = 3) -> Pack:
    rng = np.random.default_rng(5)
    solver = NEURON_KINDS[neuron].usual_solver
    steps = 0 if solver == "closed-form" else 2
    drawn = [
        Candidate(random_wiring(rng), neuron, solver, steps, memory, seed=k) for k in range(count)
    ]
    return Pack(drawn, FEATURES, 1)


def _data(samples: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((samples, STEPS, FEATURES)).astype(np.float32)
    return x, (0.2 + rng.random((samples, STEPS))).astype(np.float32)


def _one_step_jacobians(pack: Pack, p: int, x: np.ndarray, elapsed: np.ndarray) -> np.ndarray:
    """∂s_{t+1}/∂s_t along one sample's trajectory, (T, n, n), by torch.autograd through the plain
    reference."""
    alone = Pack([pack.candidates[p]], FEATURES, 1)
    params, state, found = (
        torch.from_numpy(alone.effective).double(),
        torch.zeros(alone.layout.state_size).double(),
        [],
    )
    for t in range(len(elapsed)):
        now = (
            torch.from_numpy(x[None, t : t + 1]).double(),
            torch.from_numpy(elapsed[None, t : t + 1]).double(),
        )

        def step(s: torch.Tensor, now: tuple = now) -> torch.Tensor:
            return reference.run(alone.layout, params, *now, s[None], False)[1][0]

        found.append(torch.autograd.functional.jacobian(step, state).numpy())
        state = step(state)
    return np.stack(found)


def _log_norms(jacobians: np.ndarray) -> np.ndarray:
    """ln ‖∂s_T/∂s_{T−k}‖_F / √n, (T + 1,)."""
    n = jacobians.shape[-1]
    product, found = np.eye(n), [np.log(1.0)]
    for one in jacobians[::-1]:
        product = product @ one
        found.append(np.log(np.linalg.norm(product) / np.sqrt(n)))
    return np.array(found)


@pytest.mark.parametrize(("neuron", "memory"), KINDS)
def test_norms_are_those_of_exact_jacobians(neuron: str, memory: str) -> None:
    """One sample many times over, with every unit vector: then the mean over vectors is no
    estimate."""
    pack = _pack(neuron, memory, count=2)
    x, elapsed = _data(1)
    for p, at in enumerate(pack.layout.states):
        n = at.stop - at.start
        probes = np.zeros((n, pack.layout.state_size), np.float32)
        probes[:, at] = np.eye(n)
        found = log_jacobian_norms(
            pack, np.repeat(x, n, axis=0), np.repeat(elapsed, n, axis=0), probes
        )[p]
        exact = _log_norms(_one_step_jacobians(pack, p, x[0], elapsed[0]))
        there = exact > -60  # a path that is cut has no logarithm
        assert there[0]
        assert np.abs(found - exact)[there].max() < 1e-3
        assert (found[~there] < -60).all()


def test_random_vectors_estimate_the_norm() -> None:
    pack = _pack("ltc", count=3)
    x, elapsed = (np.repeat(part, 480, axis=0) for part in _data(1))
    flow = gradient_flow(pack, x, elapsed, seed=3)
    for p in range(3):
        exact = _log_norms(_one_step_jacobians(pack, p, x[0], elapsed[0]))
        assert np.abs(flow.log_norms[p] - exact).max() < 0.15
        assert flow.slopes[p] == pytest.approx(
            np.polyfit(np.arange(STEPS + 1), exact, 1)[0], abs=0.03
        )


@pytest.mark.parametrize(("neuron", "memory"), KINDS)
def test_self_derivatives_are_the_diagonal_of_exact_jacobians(neuron: str, memory: str) -> None:
    pack = _pack(neuron, memory, count=2)
    x, elapsed = _data(3)
    found = self_derivatives(pack, x, elapsed)
    for p in range(2):
        for sample in range(3):
            exact = np.diagonal(
                _one_step_jacobians(pack, p, x[sample], elapsed[sample]), axis1=1, axis2=2
            )
            assert np.abs(found[p][sample] - exact).max() < 1e-5


def test_pack_mates_do_not_change_a_bit() -> None:
    together = _pack("ltc", "state", count=5)
    x, elapsed = _data(9)
    flow, constants = (
        gradient_flow(together, x, elapsed),
        time_constants(together, x[:2], elapsed[:2]),
    )
    for p, candidate in enumerate(together.candidates):
        alone = Pack([candidate], FEATURES, 1)
        assert np.array_equal(gradient_flow(alone, x, elapsed).log_norms[0], flow.log_norms[p])
        assert np.array_equal(time_constants(alone, x[:2], elapsed[:2])[0], constants[p])


def test_a_held_network_keeps_its_gradient() -> None:
    pack = _pack("ltc", "state")
    flow = gradient_flow(pack, _data(4)[0], np.zeros((4, STEPS), np.float32))
    assert np.abs(flow.log_norms).max() < 1e-6
    assert np.abs(flow.slopes).max() < 1e-7
    assert flow.verdicts == (HEALTHY,) * 3
    assert all(
        np.isposinf(of).all()
        for of in time_constants(pack, _data(1)[0], np.zeros((1, STEPS), np.float32))
    )


def _decaying(tau: float, self_weight: float = 0.0) -> Pack:
    """CT-RNN neurons with weights of 0 between them, in their linear range."""
    pack = Pack([Candidate(fully_connected(FEATURES, 5, 1), "ct-rnn", "rk4", 4)], FEATURES, 1)
    own, made = pack.layout.slices[0], pack.layout.connections[0]
    pack.effective[own["sensory_w"]] = 0.0
    pack.effective[own["w"]] = np.where(made.pre == made.post, self_weight, 0.0)
    pack.effective[own["tau"]] = tau
    return pack


@pytest.mark.parametrize(("tau", "self_weight"), [(2.0, 0.0), (5.0, 0.1), (2.0, 1.5)])
def test_linear_neurons_have_the_slope_and_the_time_constant_of_their_rate(
    tau: float, self_weight: float
) -> None:
    pack, (x, _) = _decaying(tau, self_weight), _data(4)
    rate = 1 / tau - self_weight  # of dx/dt = −x/τ + w x
    elapsed = np.full((4, STEPS), 0.8, np.float32)
    assert gradient_flow(pack, x, elapsed).slopes[0] == pytest.approx(-0.8 * rate, rel=1e-3)
    found = time_constants(pack, x, elapsed)[0]
    assert found == pytest.approx(np.full(5, 1 / rate if rate > 0 else np.inf), rel=1e-3)


def test_time_constants_of_ltc_are_capacitance_over_conductance() -> None:
    """Without self-loops, by the closed form, which solves exactly the equation whose time constant
    this is."""
    wiring = Wiring(
        2,
        2,
        2,
        1,
        ((0, 3, 1), (1, 4, -1)),
        ((3, 1, 1), (4, 2, 1), (1, 2, -1), (2, 1, 1), (1, 0, 1), (2, 0, -1)),
    )
    pack = Pack([Candidate(wiring, solver="closed-form", steps=0, seed=3)], FEATURES, 1)
    x, elapsed = _data(2)
    own = {name: pack.effective[at].astype(float) for name, at in pack.layout.slices[0].items()}
    made, exponents = pack.layout.connections[0], np.zeros(5)
    for sample in range(2):
        v = np.zeros(5)
        for t in range(STEPS):
            driving, conductance = own["gleak"] * own["vleak"], own["gleak"].copy()
            u = x[sample, t] * own["input_w"] + own["input_b"]
            for prefix, pre, post, values in (
                ("sensory_", made.sensory_pre, made.sensory_post, u),
                ("", made.pre, made.post, v),
            ):
                w, mu, sigma, erev = (own[prefix + name] for name in ("w", "mu", "sigma", "erev"))
                open_now = w / (1 + np.exp(-sigma * (values[pre] - mu)))
                np.add.at(conductance, post, open_now)
                np.add.at(driving, post, open_now * erev)
            decay = np.exp(-elapsed[sample, t] * conductance / own["cm"])
            v = driving / conductance + (v - driving / conductance) * decay
            exponents += elapsed[sample, t] * conductance / own["cm"]
    assert time_constants(pack, x, elapsed)[0] == pytest.approx(elapsed.sum() / exponents, rel=1e-4)


def test_who_is_not_connected_to_itself_remembers_as_the_equation_says() -> None:
    chain = Wiring(2, 0, 2, 1, ((0, 1, 1), (1, 2, 1)), ((1, 2, 1), (2, 0, 1), (1, 0, -1)))
    x, elapsed = _data(2)
    integrator = Pack([Candidate(chain, "neural-ode", "rk4", 2)], FEATURES, 1)
    assert (time_constants(integrator, x, elapsed)[0] > 1e5).all()
    feed_forward = Pack([Candidate(chain, "cfc", "closed-form", 0)], FEATURES, 1)
    assert (time_constants(feed_forward, x, elapsed)[0] == 0.0).all()
    cut = gradient_flow(feed_forward, x, elapsed)
    assert cut.slopes[0] < -50
    assert cut.verdicts == (VANISHING,)


def test_a_memory_carries_what_neurons_forget() -> None:
    pack = _pack("cfc", "state")
    for p, made in enumerate(
        pack.layout.connections
    ):  # the forget gates wide open, the others as they are
        bias = pack.effective[pack.layout.slices[p]["memory_b"]]
        bias[2 * made.neurons : 3 * made.neurons] = 8.0
    x, elapsed = _data(16)
    whole, neurons_alone = (
        gradient_flow(pack, x, elapsed),
        gradient_flow(pack, x, elapsed, through_memory=False),
    )
    assert (whole.slopes > -0.3).all()
    assert (neurons_alone.slopes < 3 * whole.slopes).all()
    for found, made in zip(
        time_constants(pack, x[:2], elapsed[:2]), pack.layout.connections, strict=True
    ):
        assert (found[made.neurons :] > 100).all()
        assert np.median(found[: made.neurons]) < 1
    without = _pack("cfc")
    assert np.array_equal(
        gradient_flow(without, x, elapsed).slopes,
        gradient_flow(without, x, elapsed, through_memory=False).slopes,
    )


def test_slopes_and_verdicts() -> None:
    lags = np.arange(11)
    slopes = fitted_slopes(np.stack([-0.5 * lags, 0.02 * lags + 3, 2.0 * lags, lags * np.nan]))
    assert slopes[:3] == pytest.approx([-0.5, 0.02, 2.0])
    assert [verdict(slope, 20) for slope in slopes] == [VANISHING, HEALTHY, EXPLODING, UNDEFINED]
    assert verdict(-0.02, 100) == HEALTHY
    assert verdict(-0.02, 784) == VANISHING


def test_long_sequences_neither_underflow_nor_overflow() -> None:
    x = np.zeros((1, 400, FEATURES), np.float32)
    for self_weight, tau in ((0.0, 0.7), (2.0, 2.0)):
        flow = gradient_flow(_decaying(tau, self_weight), x)
        rate = 1 / tau - self_weight
        assert abs(400 * rate) > 500
        assert flow.slopes[0] == pytest.approx(-rate, rel=0.02)


def test_numbers_that_are_not_finite_are_undefined_and_stay_at_home() -> None:
    pack, (x, elapsed) = _pack(), _data(4)
    healthy = gradient_flow(pack, x, elapsed)
    pack.effective[pack.layout.blocks[1]] = np.nan
    flow = gradient_flow(pack, x, elapsed)
    assert flow.verdicts[1] == UNDEFINED
    assert np.isnan(flow.slopes[1])
    assert np.array_equal(flow.log_norms[[0, 2]], healthy.log_norms[[0, 2]])
