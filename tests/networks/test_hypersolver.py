"""The hypersolver: its base at first, a better solver once fitted, and never a change to the
network."""

import copy
from collections.abc import Iterator

import pytest
import torch

from wiring_search.networks.hypersolver import Hypersolved
from wiring_search.networks.hypersolver_fit import fit, fit_each
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.solver_accuracy import compare, fine_solution
from wiring_search.wirings.topologies import ncp

WIRING = ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=4)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """One thread: the tensors are so small that more threads cost time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _data(seed: int, samples: int = 16, time_steps: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    x = torch.randn(samples, time_steps, WIRING.sensory, generator=draw)
    return x, 0.2 + 0.8 * torch.rand(samples, time_steps, generator=draw)


def _short_fit(network: LiquidNetwork, **given) -> Hypersolved:
    return fit(network, *_data(0, 4, 3), iterations=5, **given)


@pytest.mark.parametrize("memory", ["none", "state", "input"])
@pytest.mark.parametrize(
    ("neuron", "base", "steps"),
    [
        ("ltc", "semi-implicit", 1),
        ("ltc", "euler", 3),
        ("ct-rnn", "heun", 2),
        ("neural-ode", "euler", 2),
    ],
)
def test_it_starts_as_its_base_solver(neuron: str, base: str, steps: int, memory: str) -> None:
    given = {
        "neuron": neuron,
        "memory": memory,
        "outputs": 4,
        "every_step": False,
        "positive": "clip",
    }
    net = LiquidNetwork(WIRING, solver=base, steps=steps, use_reference=True, **given)
    x, elapsed = _data(1)
    elapsed[2, 4:], x[2, 4:] = 0.0, torch.nan
    state = 0.3 * torch.randn(
        len(x), net.layout.state_size, generator=torch.Generator().manual_seed(2)
    )
    lengths = torch.arange(len(x)) % 9
    ours, theirs = (of(x, elapsed, state, lengths) for of in (Hypersolved(net, base, steps), net))
    assert torch.equal(ours[0], theirs[0])
    assert torch.equal(ours[1], theirs[1])
    # The solver of the network has no effect.
    other = LiquidNetwork(WIRING, solver="rk4", **given)
    assert torch.equal(Hypersolved(other, base, steps)(x, elapsed, state, lengths)[0], theirs[0])


def test_outputs_at_every_step() -> None:
    """Equal up to rounding: softplus of one vector and of many differ in the last bit."""
    net = LiquidNetwork(WIRING, solver="euler", steps=2, use_reference=True)
    x, _ = _data(1)
    ours, theirs = Hypersolved(net, "euler", 2)(x), net(x)
    assert ours[0].shape == (16, 10, WIRING.motor)
    assert all(torch.allclose(a, b, rtol=0.0, atol=1e-6) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize(
    ("neuron", "base", "steps", "times"),
    [
        ("ltc", "euler", 1, 4),
        ("ltc", "semi-implicit", 1, 3),
        ("ltc", "heun", 2, 3),
        ("ct-rnn", "euler", 2, 2),
    ],
)
def test_a_fitted_one_errs_less_on_new_inputs_at_equal_evaluations(
    neuron: str, base: str, steps: int, times: float
) -> None:
    """The error falls 7.4, 6.0, 5.7 and 3.2 times; the bounds are about half of that."""
    net = LiquidNetwork(WIRING, neuron=neuron, seed=3)
    solved = fit(net, *_data(0, samples=24), base=base, steps=steps, iterations=500)
    x, elapsed = _data(1)
    truth = fine_solution(net, x, elapsed)
    plain, better = (
        compare(net, x, elapsed, [(base, steps)], truth)[0],
        solved.report(x, elapsed, truth),
    )
    assert better.function_evaluations == plain.function_evaluations
    assert better.solver == f"hyper-{base}"
    assert times * better.terminal_error < plain.terminal_error, (plain, better)
    assert better.worst_error < plain.worst_error
    assert better.stable


def test_the_network_stays_as_it_is_and_no_gradient_reaches_it() -> None:
    net = LiquidNetwork(WIRING, seed=3)
    before = copy.deepcopy(net.state_dict())
    solved = _short_fit(net)
    for weights in (net.state_dict(), solved.cell.state_dict()):
        assert all(torch.equal(weights[name], value) for name, value in before.items())
    x, _ = _data(1)
    x.requires_grad_()
    solved(x)[0].square().sum().backward()
    assert x.grad.abs().max() > 0
    assert all(
        value.grad is not None and value.grad.abs().max() > 0
        for value in solved.correction.parameters()
    )
    assert all(value.grad is None for value in (*net.parameters(), *solved.cell.parameters()))
    assert all(value.requires_grad for value in net.parameters())


def test_the_same_seed_gives_the_same_fit() -> None:
    net = LiquidNetwork(WIRING, seed=3)
    torch.manual_seed(1)
    first = _short_fit(net, seed=1).state_dict()
    torch.manual_seed(2)  # the global generator has no say, and is left where it was
    drawn = torch.randn(1, generator=torch.Generator().manual_seed(2))
    again, other = _short_fit(net, seed=1).state_dict(), _short_fit(net, seed=2).state_dict()
    assert torch.equal(torch.randn(1), drawn)
    assert all(torch.equal(again[name], value) for name, value in first.items())
    assert not torch.equal(other["correction.layers.0.weight"], first["correction.layers.0.weight"])


def test_several_fitted_together_are_those_fitted_alone() -> None:
    """Up to the error of the fine solution, whose sub-steps are divided differently."""
    net, data = LiquidNetwork(WIRING, seed=3), _data(0, 4, 3)
    choices = [("euler", 2), ("semi-implicit", 3), ("heun", 1)]
    together = list(fit_each(net, *data, choices, iterations=5))
    assert [(solved.base, solved.steps) for solved in together] == choices
    for solved, (base, steps) in zip(together, choices, strict=True):
        alone = fit(net, *data, base, steps, iterations=5).state_dict()
        assert all(
            torch.allclose(alone[name], value, rtol=1e-3, atol=1e-5)
            for name, value in solved.state_dict().items()
        )


def test_its_state_dict_carries_all_of_it() -> None:
    solved = _short_fit(LiquidNetwork(WIRING, seed=3), base="semi-implicit", steps=2, hidden=7)
    loaded = Hypersolved(LiquidNetwork(WIRING, seed=8), "semi-implicit", 2, hidden=7, seed=9)
    x, elapsed = _data(1)
    truth = solved(x, elapsed)[0]
    assert not torch.allclose(loaded(x, elapsed)[0], truth)
    loaded.load_state_dict(solved.state_dict())
    assert torch.equal(loaded(x, elapsed)[0], truth)


def test_a_double_network_is_fitted_in_double() -> None:
    solved = _short_fit(LiquidNetwork(WIRING, seed=3).double())
    assert {value.dtype for value in solved.parameters()} == {torch.float64}
    assert solved(_data(1)[0].double())[0].dtype == torch.float64


def test_times_that_do_not_pass_teach_nothing() -> None:
    net, (x, elapsed) = LiquidNetwork(WIRING, seed=3), _data(0, 4, 3)
    padded = (
        torch.cat([x, torch.full_like(x, torch.nan)], dim=1),
        torch.cat([elapsed, torch.zeros_like(elapsed)], dim=1),
    )
    ours, theirs = (fit(net, *data, iterations=5).state_dict() for data in (padded, (x, elapsed)))
    assert all(torch.allclose(ours[name], value, rtol=1e-5) for name, value in theirs.items())
    with pytest.raises(ValueError, match="elapsed is 0 everywhere"):
        fit(net, x, 0.0)


def test_what_cannot_be_hypersolved_is_refused() -> None:
    net = LiquidNetwork(WIRING)
    with pytest.raises(ValueError, match="cfc is a formula"):
        Hypersolved(LiquidNetwork(WIRING, neuron="cfc"))
    with pytest.raises(ValueError, match="bases of a hypersolver for ct-rnn: euler, heun"):
        Hypersolved(LiquidNetwork(WIRING, neuron="ct-rnn"), "semi-implicit")
    with pytest.raises(ValueError, match="give 1 or more of each"):
        Hypersolved(net, steps=0)
    with pytest.raises(ValueError, match="iterations is 0"):
        fit(net, *_data(0), iterations=0)
    with pytest.raises(ValueError, match="state has shape"):
        Hypersolved(net)(_data(0)[0], state=torch.zeros(1, 2))
