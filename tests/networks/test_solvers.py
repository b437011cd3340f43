"""Solvers against mathematics: orders of convergence against the matrix exponential and an adaptive
solver; and the reports of how far a network's solver is from its ODE."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from torchdiffeq import odeint

from tests.support.random_packs import parameters
from wiring_search.networks import solver_accuracy
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.bounds import SLACK, within_bounds
from wiring_search.networks.neurons.connections import Connections
from wiring_search.networks.neurons.ltc import EPSILON
from wiring_search.networks.neurons.solvers import TABLEAUX, Tableau, explicit_step
from wiring_search.networks.solver_accuracy import TOLERANCE, compare, fine_solution, report
from wiring_search.wirings.kinds import KINDS
from wiring_search.wirings.topologies import ncp

# Each solver's order, and sub-steps few enough for rounding and many enough for the leading term of
# the error.
ORDERS = {"euler": 1, "heun": 2, "rk4": 4, "semi-implicit": 1, "closed-form": 1}
STEPS = {1: (128, 256, 512), 2: (32, 64, 128), 4: (16, 32, 64)}
WIRING = ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=4)
Parameters = dict[str, torch.Tensor]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """One thread: the tensors are so small that more threads cost time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _order(error: Callable[[int], float], expected: int) -> float:
    """The slope of log error against log sub-steps, negated."""
    steps = STEPS[expected]
    return -np.polyfit(np.log(steps), np.log([error(n) for n in steps]), 1)[0]


def _cell(neuron: str, seed: int = 0) -> tuple[Connections, Parameters, torch.Tensor, torch.Tensor]:
    """Connections, parameters, states (5, neurons) and sensory values (5, sensory), float64."""
    rng = np.random.default_rng(seed)
    layout = PackLayout((WIRING,), (1,), WIRING.sensory, None, Kind(neuron, "euler"))
    flat = torch.from_numpy(parameters(layout, rng)).double()
    by_name = {
        name: flat[at].reshape(layout.shapes[0][name]) for name, at in layout.slices[0].items()
    }
    v, u = (
        torch.from_numpy(rng.uniform(-0.5, 0.5, (5, n))) for n in (WIRING.neurons, WIRING.sensory)
    )
    return layout.connections[0], by_name, v, u


def _dense(made: Connections, p: Parameters, name: str) -> torch.Tensor:
    """A synapse parameter as a matrix (post, pre), zero where there is no synapse."""
    outer = name.startswith("sensory_")
    post, pre = (made.sensory_post, made.sensory_pre) if outer else (made.post, made.pre)
    matrix = torch.zeros(
        made.neurons, WIRING.sensory if outer else made.neurons, dtype=torch.float64
    )
    matrix[post, pre] = p[name]
    return matrix


def _field(
    neuron: str, made: Connections, p: Parameters, v: torch.Tensor, u: torch.Tensor
) -> torch.Tensor:
    """dv/dt, (B, neurons), with dense matrices, as the equations stand in the papers, LTC's with
    the tiny leak ε to 0 that keeps its conductance positive."""
    if neuron != "ltc":
        slope = torch.tanh(
            p["bias"] + v @ _dense(made, p, "w").T + u @ _dense(made, p, "sensory_w").T
        )
        return slope - v / p["tau"] if neuron == "ct-rnn" else slope
    current = p["gleak"] * (p["vleak"] - v) - EPSILON * v
    for prefix, values in (("", v), ("sensory_", u)):
        w, mu, sigma, erev = (
            _dense(made, p, prefix + name) for name in ("w", "mu", "sigma", "erev")
        )
        s = torch.sigmoid(sigma * (values[:, None, :] - mu))
        current = current + (w * s * (erev - v[:, :, None])).sum(dim=2)
    return current / p["cm"]


def _dopri5(
    neuron: str,
    made: Connections,
    p: Parameters,
    v: torch.Tensor,
    u: torch.Tensor,
    span: torch.Tensor,
) -> torch.Tensor:
    """The state after `span` (B, 1), one per sample, on a common clock from 0 to 1."""
    clock = torch.tensor([0.0, 1.0], dtype=torch.float64)
    field = lambda _, v: span * _field(neuron, made, p, v, u)  # noqa: E731
    return odeint(field, v, clock, rtol=1e-10, atol=1e-13, method="dopri5")[-1]


@pytest.mark.parametrize("solver", TABLEAUX)
def test_explicit_steps_have_their_order_on_a_linear_system(solver: str) -> None:
    rng = np.random.default_rng(1)
    a, start, span = rng.standard_normal((6, 6)), rng.standard_normal((4, 6)), 1.5
    truth = start @ expm(span * a).T
    matrix, h = torch.from_numpy(a), torch.full((4, 1), span, dtype=torch.float64)

    def error(steps: int) -> float:
        v = torch.from_numpy(start)
        for _ in range(steps):
            v = explicit_step(lambda v: v @ matrix.T, v, h / steps, TABLEAUX[solver])
        return np.abs(v.numpy() - truth).max()

    assert abs(_order(error, ORDERS[solver]) - TABLEAUX[solver].order) < 0.3


@pytest.mark.parametrize(
    ("order", "a", "b"),
    [
        (2, (0.0,), (1.0,)),  # Euler is not of order 2
        (2, (0.0, 1.0), (1 / 2, 1 / 3)),  # the weights do not sum to 1
        (2, (0.0, 1 / 2), (1 / 2, 1 / 2)),  # Heun's weights with the midpoint's stage
        (4, (0.0, 1 / 2, 1 / 2, 1.0), (1 / 3, 1 / 6, 1 / 3, 1 / 6)),  # two weights of RK4 exchanged
    ],
)
def test_a_wrong_tableau_is_refused(order: int, a: tuple[float, ...], b: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="this tableau has"):
        Tableau(order, a, b)


def _linear_ltc(span: float) -> tuple[tuple, torch.Tensor]:
    """An LTC without slopes, so every sigmoid is 1/2, and its state after `span` by one matrix
    exponential per neuron."""
    made, p, v, u = _cell("ltc")
    p = {
        name: torch.zeros_like(value) if name.endswith("sigma") else value
        for name, value in p.items()
    }
    conductance, driving = p["gleak"] + EPSILON, p["gleak"] * p["vleak"]
    for prefix in ("", "sensory_"):
        w, erev = _dense(made, p, prefix + "w"), _dense(made, p, prefix + "erev")
        conductance, driving = conductance + w.sum(dim=1) / 2, driving + (w * erev).sum(dim=1) / 2
    truth = torch.empty_like(v)
    for i in range(made.neurons):  # d(v, 1)/dt = [[−G/C, D/C], [0, 0]] (v, 1)
        system = np.array([[-conductance[i] / p["cm"][i], driving[i] / p["cm"][i]], [0.0, 0.0]])
        flow = expm(span * system)
        truth[:, i] = flow[0, 0] * v[:, i] + flow[0, 1]
    return (made, p, v, u), truth


@pytest.mark.parametrize("solver", ["semi-implicit", "euler", "heun", "rk4"])
def test_ltc_without_slopes_converges_to_the_matrix_exponential(solver: str) -> None:
    (made, p, v, u), truth = _linear_ltc(1.0)
    span = torch.ones(len(v), 1, dtype=torch.float64)
    order = _order(
        lambda n: float(
            (NEURONS["ltc"].advance(solver, n, made, p, v, u, span) - truth).abs().max()
        ),
        ORDERS[solver],
    )
    assert abs(order - ORDERS[solver]) < 0.3


@pytest.mark.parametrize("span", [0.01, 1.0, 30.0])
def test_the_closed_form_of_ltc_without_slopes_is_exact(span: float) -> None:
    (made, p, v, u), truth = _linear_ltc(span)
    assert (truth - v).abs().max() > 0.01
    ours = NEURONS["ltc"].advance(
        "closed-form", 0, made, p, v, u, torch.full((len(v), 1), span, dtype=torch.float64)
    )
    assert (ours - truth).abs().max() < 1e-12


ODES = [
    (neuron, solver)
    for neuron, known in KINDS.items()
    if "rk4" in known.solvers
    for solver in known.solvers
]


@pytest.mark.parametrize(("neuron", "solver"), ODES)
def test_every_solver_of_every_ode_neuron_has_its_order(neuron: str, solver: str) -> None:
    """The closed form has no sub-steps: it is applied to ever shorter intervals, and is of order 1
    in their length."""
    made, p, v, u = _cell(neuron)
    span = torch.linspace(0.4, 1.2, len(v), dtype=torch.float64)[:, None]
    truth = _dopri5(neuron, made, p, v, u, span)

    def error(steps: int) -> float:
        if solver != "closed-form":
            return float(
                (NEURONS[neuron].advance(solver, steps, made, p, v, u, span) - truth).abs().max()
            )
        state = v
        for _ in range(steps):
            state = NEURONS[neuron].advance(solver, 0, made, p, state, u, span / steps)
        return float((state - truth).abs().max())

    assert abs(_order(error, ORDERS[solver]) - ORDERS[solver]) < 0.3


def _data(
    samples: int = 6, time_steps: int = 5, seed: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """x, elapsed, of which some are 0; x is NaN there."""
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, time_steps, WIRING.sensory, generator=draw)
    elapsed = 0.2 + 0.8 * torch.rand(samples, time_steps, generator=draw)
    elapsed[1, 2:], x[1, 2:] = 0.0, torch.nan
    return x, elapsed


@pytest.mark.parametrize("neuron", ["ltc", "ct-rnn", "neural-ode"])
def test_the_fine_solution_is_that_of_an_adaptive_solver(neuron: str) -> None:
    net = LiquidNetwork(WIRING, neuron=neuron, seed=2).double()
    x, elapsed = _data()
    p = {name: value.detach() for name, value in net.effective().items()}
    v, truth = torch.zeros(len(x), WIRING.neurons, dtype=torch.float64), []
    for t in range(x.shape[1]):
        u = p["input_w"] * x[:, t].nan_to_num().double() + p["input_b"]
        v = _dopri5(neuron, net.layout.connections[0], p, v, u, elapsed[:, t, None].double())
        truth.append(v)
    ours = fine_solution(net, x, elapsed).states
    assert (ours - torch.stack(truth, dim=1)).abs().max() < 10 * TOLERANCE


@pytest.mark.parametrize(
    ("given", "memory"),
    [
        ({"solver": "semi-implicit", "steps": 3}, "none"),
        ({"solver": "closed-form"}, "state"),
        ({"solver": "heun", "steps": 2}, "input"),
        ({"neuron": "ct-rnn", "solver": "euler", "steps": 4}, "state"),
    ],
)
def test_a_report_judges_what_the_network_computes(given: dict, memory: str) -> None:
    """The error by hand: the network as users run it, against its fine solution."""
    net = LiquidNetwork(WIRING, memory=memory, seed=5, **given).double()
    x, elapsed = _data(seed=3)
    final, truth = (
        net(x.double(), elapsed)[1].detach(),
        fine_solution(net, x, elapsed).states[:, -1],
    )
    final, truth = final[:, : WIRING.neurons].numpy(), truth[:, : WIRING.neurons].numpy()
    by_hand = np.linalg.norm(final - truth) / np.linalg.norm(truth)
    judged = report(net, x, elapsed)
    assert by_hand > 1e-4
    assert abs(judged.terminal_error - by_hand) < 1e-9
    # The worst sample's error is no smaller than a typical one's.
    assert (
        judged.worst_error
        >= np.linalg.norm(final - truth, axis=1).max() / np.linalg.norm(truth, axis=1).max()
    )
    assert (judged.solver, judged.steps) == (given["solver"], given.get("steps", 0))


def test_costs_and_errors_of_other_solvers_with_the_same_weights() -> None:
    net = LiquidNetwork(WIRING, seed=5)
    x, elapsed = _data()
    choices = [
        ("semi-implicit", 1),
        ("semi-implicit", 8),
        ("closed-form", 0),
        ("euler", 8),
        ("heun", 8),
        ("rk4", 1),
        ("rk4", 8),
    ]
    rows = compare(net, x, elapsed, choices)
    assert [(row.solver, row.steps) for row in rows] == choices
    assert [row.function_evaluations for row in rows] == [1, 8, 1, 8, 16, 4, 32]
    errors = {(row.solver, row.steps): row.terminal_error for row in rows}
    assert errors["semi-implicit", 1] > 4 * errors["semi-implicit", 8]
    assert errors["euler", 8] > 4 * errors["heun", 8] > 40 * errors["rk4", 8]
    # The weights alone decide, not the solver that the network happens to have.
    other = LiquidNetwork(WIRING, solver="heun", steps=2, seed=5)
    assert compare(other, x, elapsed, choices) == rows


def test_too_long_steps_are_unstable_and_semi_implicit_ones_never() -> None:
    x, _ = _data()
    rows = compare(
        LiquidNetwork(WIRING, seed=5),
        x.nan_to_num(),
        3.0,
        [("euler", 1), ("euler", 64), ("semi-implicit", 1)],
    )
    assert [row.stable for row in rows] == [False, True, True]


def test_states_that_never_move_have_no_error() -> None:
    row = report(LiquidNetwork(WIRING, neuron="neural-ode"), torch.zeros(2, 3, WIRING.sensory))
    assert row.terminal_error == row.worst_error == 0.0
    assert row.stable


def test_what_cannot_be_judged_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x, elapsed = _data()
    with pytest.raises(ValueError, match="cfc is a formula, not a differential equation"):
        report(LiquidNetwork(WIRING, neuron="cfc"), x, elapsed)
    with pytest.raises(ValueError, match="solvers of ct-rnn"):
        compare(LiquidNetwork(WIRING, neuron="ct-rnn"), x, elapsed, [("semi-implicit", 2)])
    with pytest.raises(ValueError, match="x has shape"):
        report(LiquidNetwork(WIRING), x[:, :, :2], elapsed)
    monkeypatch.setattr(solver_accuracy, "_MOST_STEPS", 32)
    with pytest.raises(ValueError, match="no fine solution with 32 sub-steps"):
        report(LiquidNetwork(WIRING), x, elapsed)


def test_bounds_are_kept_give_or_take_a_slack_on_either_side() -> None:
    made, p, _, _ = _cell("ct-rnn")
    values = {name: value.numpy() for name, value in p.items()}
    tau, rnn = values["tau"], NEURONS["ct-rnn"]

    def kept(least: np.ndarray, greatest: np.ndarray, memory: str = "none") -> bool:
        return within_bounds(rnn, memory, made, values, least, greatest)

    reach = tau + SLACK * 2 * tau
    assert kept(-0.999 * reach, 0.999 * reach)
    for neuron in range(made.neurons):
        one = np.arange(made.neurons) == neuron
        assert not kept(-tau, np.where(one, 1.001 * reach, tau))
        assert not kept(np.where(one, -1.001 * reach, -tau), tau)
        assert not kept(-tau, np.where(one, np.nan, tau))
        assert not kept(np.where(one, -np.inf, -tau), tau)
    # A memory may start neurons from anywhere in (−1, 1), which is more than a short time constant
    # allows.
    values["tau"] = tau = 0.1 * values["tau"] / values["tau"].max()
    assert kept(-np.ones_like(tau), np.ones_like(tau), "state")
    assert not kept(-np.ones_like(tau), tau, "input")
    assert not kept(-np.ones_like(tau), np.full_like(tau, 1.2), "state")
    # Without a leak there are no bounds: what is finite is within them.
    neural_ode = NEURONS["neural-ode"]
    for greatest, expected in ((1e30, True), (np.inf, False)):
        assert (
            within_bounds(neural_ode, "none", made, values, tau, np.full_like(tau, greatest))
            is expected
        )
