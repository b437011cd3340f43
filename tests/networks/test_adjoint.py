"""The adjoint method against back-propagation through the solver's steps, and against
torchdiffeq's."""

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torchdiffeq import odeint_adjoint

from tests.support.random_packs import inputs, parameters, random_layout
from wiring_search.networks.kernels import adjoint, reference
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.topologies import ncp

ODES = ("ltc", "ct-rnn", "neural-ode")
WIRING = ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=4)


def _problem(kind: Kind, size: int = 1, batch: int = 5, time_steps: int = 3, gaps: bool = True):
    """A layout, and float64 params, x, elapsed (up to 0.6, so that the explicit solvers are stable)
    and state."""
    rng = np.random.default_rng(1)
    layout = random_layout(rng, size, 3, 2, True, kind)
    params, (x, elapsed, state) = (
        parameters(layout, rng),
        inputs(layout, rng, batch, time_steps, gaps),
    )
    return layout, [
        torch.tensor(array, dtype=torch.float64) for array in (params, x, 0.3 * elapsed, state)
    ]


def _gradients(run, arrays: list[torch.Tensor]) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """Outputs, and the gradients of a loss that sees every one of them and the final state."""
    leaves = [array.clone().requires_grad_() for array in arrays]
    y, final = run(*leaves)
    weights = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view_as(y)
    return y, torch.autograd.grad((y * weights).sum() + final.square().sum(), leaves)


def _errors(layout: PackLayout, steps: int, arrays: list[torch.Tensor], **given) -> list[float]:
    """Relative error of the gradients of params, x, elapsed and state; the outputs are checked on
    the way."""
    layout = PackLayout(
        layout.wirings, (steps,) * layout.size, layout.features, layout.outputs, layout.kind
    )
    true_y, truth = _gradients(lambda *leaves: reference.run(layout, *leaves, True), arrays)
    y, ours = _gradients(lambda *leaves: adjoint.run(layout, *leaves, True, **given), arrays)
    assert torch.allclose(y, true_y, rtol=1e-13, atol=1e-14)
    return [float((a - b).norm() / b.norm()) for a, b in zip(ours, truth, strict=True)]


@pytest.mark.parametrize("solver", TABLEAUX)
@pytest.mark.parametrize("neuron", ODES)
def test_gradients_converge_with_the_order_of_the_solver(neuron: str, solver: str) -> None:
    layout, arrays = _problem(Kind(neuron, solver))
    errors = [_errors(layout, steps, arrays) for steps in (8, 16, 32)]
    for coarse, fine in pairwise(errors):
        slopes = np.log2(np.array(coarse) / np.array(fine))
        assert (slopes > TABLEAUX[solver].order - 0.25).all(), slopes


@pytest.mark.parametrize("state_from", ["ends", "final"])
def test_gradients_converge_wherever_the_states_are_from(state_from: str) -> None:
    layout, arrays = _problem(Kind("ct-rnn", "rk4"))
    errors = [max(_errors(layout, steps, arrays, state_from=state_from)) for steps in (8, 16)]
    assert np.log2(errors[0] / errors[1]) > 3.75


@pytest.mark.parametrize("memory", ["none", "state", "input"])
@pytest.mark.parametrize("neuron", ODES)
def test_many_steps_give_the_gradients_of_bptt_for_a_whole_pack(neuron: str, memory: str) -> None:
    layout, arrays = _problem(Kind(neuron, "rk4", memory), size=2)
    assert max(_errors(layout, 24, arrays)) < 1e-6


@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("positive", ["softplus", "clip"])
def test_every_parameter_of_a_network(every_step: bool, positive: str) -> None:
    given = {
        "steps": 24,
        "solver": "rk4",
        "every_step": every_step,
        "positive": positive,
        "seed": 5,
    }
    net = LiquidNetwork(WIRING, 5, 2, **given).double()
    ours = LiquidNetwork(WIRING, 5, 2, **given, gradient="adjoint").double()
    x = torch.randn(4, 3, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for each in (net, ours):
        y, state = each(x, elapsed=0.5)
        (y.square().sum() + state.sin().sum()).backward()
    for (name, parameter), mine in zip(net.named_parameters(), ours.parameters(), strict=True):
        assert parameter.grad.norm() > 0, name
        assert (mine.grad - parameter.grad).norm() < 1e-6 * parameter.grad.norm(), name


@pytest.mark.parametrize("neuron", ODES)
def test_euler_equals_the_adjoint_of_torchdiffeq(neuron: str) -> None:
    """torchdiffeq's algorithm 1 over one time step: equal up to rounding, not only in the limit."""
    layout, (params, x, _, state) = _problem(Kind(neuron, "euler"), time_steps=1, gaps=False)
    layout = PackLayout(layout.wirings, (8,), layout.features, layout.outputs, layout.kind)
    elapsed = torch.full_like(x[:, :, 0], 0.4)

    def theirs(
        params: torch.Tensor, x: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        by_name = {
            name: params[at].reshape(layout.shapes[0][name])
            for name, at in layout.slices[0].items()
        }
        u = reference.apply_map(by_name["input_w"], by_name["input_b"], x[:, 0])

        def field(t: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
            return NEURONS[neuron].field(layout.connections[0], by_name, u)(v)

        times = torch.tensor([0.0, 0.4], dtype=x.dtype)
        kept = (*(by_name[name] for name in NEURONS[neuron].shapes(layout.connections[0])), u)
        final = odeint_adjoint(
            field, state, times, method="euler", options={"step_size": 0.05}, adjoint_params=kept
        )[-1]
        return reference.apply_map(
            by_name["output_w"], by_name["output_b"], final[:, : layout.wirings[0].motor]
        )[None, :, None], final

    def ours(
        params: torch.Tensor, x: torch.Tensor, state: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return adjoint.run(layout, params, x, elapsed, state, True, "ends")

    for a, b in zip(
        _gradients(ours, [params, x, state])[1],
        _gradients(theirs, [params, x, state])[1],
        strict=True,
    ):
        assert (a - b).norm() < 1e-12 * b.norm()


@pytest.mark.parametrize(
    ("memory", "state_from"),
    [
        ("none", "starts"),
        ("none", "ends"),
        ("none", "final"),
        ("state", "starts"),
        ("input", "starts"),
    ],
)
def test_held_samples_are_exact(memory: str, state_from: str) -> None:
    layout, (params, x, elapsed, state) = _problem(
        Kind("ltc", "rk4", memory), time_steps=4, gaps=False
    )
    elapsed[0], elapsed[1, 2] = 0.0, 0.0
    x[elapsed == 0] = torch.nan
    arrays = [params, x, elapsed, state]
    leaves = [array.clone().requires_grad_() for array in arrays]
    _, final = adjoint.run(layout, *leaves, False, state_from)
    grad = torch.randn(final.shape, generator=torch.Generator().manual_seed(0), dtype=final.dtype)
    _, grad_x, grad_elapsed, grad_state = torch.autograd.grad(
        final, leaves, grad, materialize_grads=True, allow_unused=True
    )
    assert torch.equal(final[0], state[0])
    assert torch.equal(grad_state[0], grad[0])
    held = elapsed == 0
    assert (grad_x[held] == 0).all()
    assert (grad_elapsed[held] == 0).all()
    assert (grad_x[~held] != 0).any()
    assert (grad_elapsed[~held] != 0).any()
    assert torch.isfinite(grad_x).all()


def test_padding_changes_nothing() -> None:
    net = LiquidNetwork(WIRING, solver="rk4", gradient="adjoint", every_step=False).double()
    cut = copy.deepcopy(net)
    x = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x[1, 2:] = torch.nan
    net(x, 0.5, lengths=torch.tensor([5, 2]))[0].square().sum().backward()
    for part in (x[:1], x[1:, :2]):
        cut(part, 0.5)[0].square().sum().backward()
    for a, b in zip(net.parameters(), cut.parameters(), strict=True):
        assert torch.allclose(a.grad, b.grad, rtol=1e-10, atol=1e-14)


def _kept(layout: PackLayout, arrays: list[torch.Tensor], steps: int, state_from: str) -> int:
    """Numbers that the forward pass keeps, its inputs and outputs left out."""
    layout = PackLayout(layout.wirings, (steps,), layout.features, layout.outputs, layout.kind)
    leaves = [array.clone().requires_grad_() for array in arrays]
    kept = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = adjoint.run(layout, *leaves, False, state_from)
    given = {tensor.untyped_storage().data_ptr() for tensor in (*leaves, *outputs)}
    return sum(tensor.untyped_storage().nbytes() for at, tensor in kept.items() if at not in given)


def test_what_is_kept_grows_with_neither_steps_nor_from_the_final_state_time() -> None:
    sizes = {}
    for time_steps in (4, 8):
        layout, arrays = _problem(Kind("ct-rnn", "rk4"), time_steps=time_steps)
        for state_from in ("starts", "final"):
            sizes[time_steps, state_from] = _kept(layout, arrays, 2, state_from)
            assert _kept(layout, arrays, 9, state_from) == sizes[time_steps, state_from]
    state = arrays[3].numel() * 8
    assert sizes[8, "starts"] - sizes[4, "starts"] == 4 * state
    assert sizes[8, "final"] == sizes[4, "final"] < 2 * state


def test_running_the_state_backward_explodes_where_neurons_contract() -> None:
    """Why "starts" is the default: τ = 0.2, so that errors grow e⁵ times a time step backward."""
    layout, arrays = _problem(Kind("ct-rnn", "rk4"), gaps=False, time_steps=6)
    arrays[0][layout.slices[0]["tau"]] = 0.2
    arrays[2][:] = 1.0
    errors = {
        state_from: max(_errors(layout, 12, arrays, state_from=state_from))
        for state_from in ("starts", "ends", "final")
    }
    assert errors["starts"] < errors["ends"] < errors["final"]
    assert errors["starts"] < 0.02
    assert errors["final"] > 0.5


def test_float32_gives_usable_gradients() -> None:
    layout, arrays = _problem(Kind("ltc", "rk4"))
    layout = PackLayout(layout.wirings, (16,), layout.features, layout.outputs, layout.kind)
    _, exact = _gradients(lambda *leaves: adjoint.run(layout, *leaves, True), arrays)
    _, ours = _gradients(
        lambda *leaves: adjoint.run(layout, *leaves, True), [array.float() for array in arrays]
    )
    for a, b in zip(ours, exact, strict=True):
        assert a.dtype == torch.float32
        assert (a - b).norm() < 1e-4 * b.norm()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"neuron": "cfc"},
            "'adjoint' with the closed-form solver of cfc, which has none; .*of ltc, ct-rnn, "
            "neural-ode",
        ),
        (
            {"solver": "closed-form"},
            "closed-form solver of ltc, which has none; give one of the solvers euler, heun, rk4",
        ),
        ({}, "semi-implicit solver of ltc"),
    ],
)
def test_what_has_no_adjoint_is_refused(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LiquidNetwork(WIRING, gradient="adjoint", **given)


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(ValueError, match="gradient is 'forward'; known gradients: bptt, adjoint"):
        LiquidNetwork(WIRING, gradient="forward")
    layout, arrays = _problem(Kind("ltc"))
    with pytest.raises(
        ValueError, match="solver is 'semi-implicit', whose steps do not follow the ODE closely"
    ):
        adjoint.run(layout, *arrays, True)
    layout, arrays = _problem(Kind("ct-rnn", "rk4", "state"))
    with pytest.raises(ValueError, match="memory is 'state', whose steps cannot be run backward"):
        adjoint.run(layout, *arrays, True, "final")
    with pytest.raises(ValueError, match="state_from is 'middle'; give one of starts, ends, final"):
        adjoint.run(layout, *arrays, True, "middle")
