"""Gradients of gradients: right where they are computed, refused where they are not."""

import gc
import weakref
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests.support.random_packs import random_wiring
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.topologies import ncp

WIRING = ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=4)
X = torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(1))
GAPS = torch.tensor([1.0, 0.0, 0.5, 2.0, 0.0]).repeat(4, 1)
ADJOINT = {"solver": "rk4", "steps": 2, "gradient": "adjoint"}
FUSED = {
    "ltc": {},
    "rk4": {"solver": "rk4", "steps": 2},
    "closed form": {"solver": "closed-form", "memory": "input"},
    "cfc": {"neuron": "cfc", "memory": "state"},
    "rate": {"neuron": "ct-rnn", "positive": "clip"},
}
REFUSED = 'first derivatives only; give gradient="bptt"'


def _network(**given) -> LiquidNetwork:
    return LiquidNetwork(WIRING, outputs=2, seed=2, **given)


def _exact(**given) -> LiquidNetwork:
    return _network(**given).double()


def _penalty(net: LiquidNetwork, x: torch.Tensor, **others: torch.Tensor) -> torch.Tensor:
    """The squared norm of the gradient by the inputs, of a loss whose gradient needs none."""
    (slope,) = torch.autograd.grad(net(x, **others)[0].sum(), x, create_graph=True)
    return slope.square().sum()


def _as(dtype: torch.dtype, **tensors: torch.Tensor) -> dict[str, torch.Tensor]:
    return {name: value.clone().to(dtype).requires_grad_() for name, value in tensors.items()}


def _close(ours: torch.Tensor, exact: torch.Tensor) -> None:
    scale = float(exact.abs().max())
    torch.testing.assert_close(ours, exact.float(), rtol=1e-3, atol=1e-4 * scale + 1e-12)


@pytest.mark.parametrize("given", FUSED.values(), ids=FUSED)
def test_the_gradients_of_a_penalty_are_those_of_the_float64_reference(given: dict) -> None:
    found = []
    size = _network(**given).layout.state_size
    state = torch.rand(4, size, generator=torch.Generator().manual_seed(6))
    for net, dtype in ((_network(**given), torch.float32), (_exact(**given), torch.float64)):
        tensors = _as(dtype, x=X, elapsed=GAPS, state=state)
        penalty = _penalty(net, **tensors)
        leaves = {**tensors, **dict(net.named_parameters())}
        grads = torch.autograd.grad(penalty, list(leaves.values()), materialize_grads=True)
        found.append(dict(zip(leaves, grads, strict=True)))
    ours, exact = found
    for name, grad in exact.items():
        _close(ours[name], grad)
    assert exact["sensory_w" if "sensory_w" in exact else "input_w"].abs().max() > 0


def test_a_penalty_in_a_loss_trains_as_with_the_reference() -> None:
    norms = []
    for net, dtype in ((_network(), torch.float32), (_exact(), torch.float64)):
        x = X.clone().to(dtype).requires_grad_()
        y = net(x)[0]
        (slope,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        (y.pow(2).mean() + 10 * slope.pow(2).sum()).backward()
        norms.append(float(net.sensory_w.grad.norm()))
    assert norms[0] == pytest.approx(norms[1], rel=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_second_derivatives_of_random_wirings_are_differences_of_first_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wiring = random_wiring(rng)
    nets = LiquidNetwork(wiring, seed=seed), LiquidNetwork(wiring, seed=seed).double()
    x = torch.rand(3, 4, wiring.sensory, generator=torch.Generator().manual_seed(seed))
    way = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed + 1))
    leaf = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(nets[0](leaf)[0].square().sum(), leaf, create_graph=True)
    (product,) = torch.autograd.grad(slope, leaf, way)
    step, ends = 1e-5, []
    for sign in (1, -1):
        moved = (x.double() + sign * step * way).requires_grad_()
        ends += torch.autograd.grad(nets[1](moved)[0].square().sum(), moved)
    _close(product, (ends[0] - ends[1]) / (2 * step))


def test_parameters_that_the_inputs_depend_on_are_counted_once() -> None:
    found = []
    for net, dtype in ((_network(), torch.float32), (_exact(), torch.float64)):
        x = X.to(dtype) * net.output_b.exp().sum()
        (slope,) = torch.autograd.grad(net(x)[0].square().sum(), net.w, create_graph=True)
        slope.square().sum().backward()
        found.append(net.output_b.grad)
    _close(*found)


def test_third_derivatives_are_right() -> None:
    found = []
    for net, dtype in ((_network(), torch.float32), (_exact(), torch.float64)):
        x = X.clone().to(dtype).requires_grad_()
        value = net(x)[0].square().sum()
        for _ in range(3):
            (slope,) = torch.autograd.grad(value, x, create_graph=True)
            value = slope.square().sum()
        found.append(slope.detach())
    _close(*found)


def test_a_hessian_is_that_of_the_reference() -> None:
    net, exact = _network(), _exact()
    ours = torch.autograd.functional.hessian(lambda x: net(x)[0].square().sum(), X[:1])
    theirs = torch.autograd.functional.hessian(lambda x: exact(x)[0].square().sum(), X[:1].double())
    _close(ours, theirs)


ALL = {**FUSED, "adjoint": ADJOINT, "plain adjoint": {**ADJOINT, "use_reference": True}}


@pytest.mark.parametrize("given", ALL.values(), ids=ALL)
def test_create_graph_changes_no_first_derivative(given: dict) -> None:
    net, x = _network(**given), X.clone().requires_grad_()
    leaves = [x, *net.parameters()]
    plain = torch.autograd.grad(net(x)[0].square().sum(), leaves, materialize_grads=True)
    graphed = torch.autograd.grad(
        net(x)[0].square().sum(), leaves, create_graph=True, materialize_grads=True
    )
    for ours, theirs in zip(graphed, plain, strict=True):
        assert torch.equal(ours, theirs)


@pytest.fixture(params=[{}, {"use_reference": True}], ids=["fused", "plain"])
def adjoint(request: pytest.FixtureRequest) -> Iterator[LiquidNetwork]:
    yield _network(**ADJOINT, **request.param)


def test_a_penalty_on_the_inputs_of_the_adjoint_is_refused(adjoint: LiquidNetwork) -> None:
    x = X.clone().requires_grad_()
    loss = adjoint(x)[0].sum() + _penalty(adjoint, x)
    with pytest.raises(RuntimeError, match=REFUSED):
        loss.backward()


def test_a_penalty_of_the_adjoint_asked_for_one_parameter_is_refused(
    adjoint: LiquidNetwork,
) -> None:
    loss = adjoint(X)[0].square().mean()
    slopes = torch.autograd.grad(loss, [*adjoint.parameters()], create_graph=True)
    total = adjoint(X)[0].sum() + sum(slope.square().sum() for slope in slopes)
    with pytest.raises(RuntimeError, match=REFUSED):
        torch.autograd.grad(total, adjoint.w)


@pytest.mark.filterwarnings("ignore:Using backward:UserWarning")  # of the reference cycle
def test_a_penalty_of_the_adjoint_after_backward_with_create_graph_is_refused(
    adjoint: LiquidNetwork,
) -> None:
    adjoint(X)[0].sum().backward(create_graph=True)
    with pytest.raises(RuntimeError, match=REFUSED):
        adjoint.w.grad.square().sum().backward()
    adjoint.zero_grad()


@pytest.mark.parametrize("given", ALL.values(), ids=ALL)
def test_a_retained_graph_gives_the_same_again_and_a_freed_one_is_refused(given: dict) -> None:
    net = _network(**given)
    leaves = [*net.parameters()]
    loss = net(X)[0].square().sum()
    first = torch.autograd.grad(loss, leaves, retain_graph=True, materialize_grads=True)
    second = torch.autograd.grad(loss, leaves, materialize_grads=True)
    for ours, theirs in zip(second, first, strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()


def test_a_loss_that_is_kept_does_not_keep_the_history() -> None:
    saved = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        copy = tensor.clone()
        saved.append(weakref.ref(copy))
        return copy

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = _network()(X)[0].square().sum()
    alive = sum(reference() is not None for reference in saved)
    loss.backward()
    gc.collect()
    left = sum(reference() is not None for reference in saved)
    assert alive > 10
    assert left == 0


@pytest.mark.parametrize("moved", [torch.clone, lambda tensor: _off_its_alignment(tensor)])
def test_hooks_for_saved_tensors_may_move_them(moved) -> None:
    net = _network()
    grads = []
    for pack in (lambda tensor: tensor, moved):
        x = X.clone().requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = net(x)[0].square().sum()
        grads.append(torch.autograd.grad(loss, [x, *net.parameters()]))
    for ours, theirs in zip(*grads, strict=True):
        assert torch.equal(ours, theirs)


def _off_its_alignment(tensor: torch.Tensor) -> torch.Tensor:
    shifted = torch.empty(tensor.numel() + 1, dtype=tensor.dtype)[1:].view(tensor.shape)
    return shifted.copy_(tensor.detach())


@pytest.mark.parametrize("reentrant", [True, False])
def test_a_checkpoint_gives_the_same_gradients(reentrant: bool) -> None:
    net = _network()
    grads = []
    for checkpointed in (False, True):
        x = X.clone().requires_grad_()
        y = (
            torch.utils.checkpoint.checkpoint(net, x, use_reentrant=reentrant)
            if checkpointed
            else net(x)
        )[0]
        net.zero_grad()
        y.square().sum().backward()
        grads.append([x.grad, *(value.grad for value in net.parameters())])
    for ours, theirs in zip(*grads, strict=True):
        assert torch.equal(ours, theirs)


def test_inputs_changed_in_place_before_backward_are_refused() -> None:
    x = X.clone()
    loss = _network()(x)[0].sum()
    x.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
