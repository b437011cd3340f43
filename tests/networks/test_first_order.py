"""Gradients of gradients through the kernels: refused where they are not computed, right where they
are."""

import pytest
import torch

from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.topologies import ncp

WIRING = ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=4)
X = torch.rand(4, 5, 3, generator=torch.Generator().manual_seed(1))
FUSED = {}
FUSED_ADJOINT = {"solver": "rk4", "steps": 2, "gradient": "adjoint"}
PLAIN_ADJOINT = {**FUSED_ADJOINT, "use_reference": True}
ONCE = [FUSED, FUSED_ADJOINT, PLAIN_ADJOINT]
REFUSED = "second derivative was asked for .* give .*bptt"


def _network(**given) -> LiquidNetwork:
    return LiquidNetwork(WIRING, outputs=2, seed=2, **given)


def _penalty(net: LiquidNetwork, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A loss, and the squared norm of its gradient by the inputs.

    The gradient that enters the backward pass of the loss does not require grad.
    """
    loss = net(x)[0].sum()
    (slope,) = torch.autograd.grad(loss, x, create_graph=True)
    return loss, slope.square().sum()


@pytest.mark.parametrize("given", ONCE)
def test_a_gradient_penalty_on_the_inputs_is_refused(given: dict) -> None:
    loss, penalty = _penalty(_network(**given), X.clone().requires_grad_())
    with pytest.raises(RuntimeError, match=REFUSED):
        (loss + penalty).backward()


@pytest.mark.parametrize("given", ONCE)
def test_a_penalty_asked_for_one_parameter_is_refused(given: dict) -> None:
    net = _network(**given)
    slopes = torch.autograd.grad(net(X)[0].square().mean(), [*net.parameters()], create_graph=True)
    total = net(X)[0].sum() + sum(slope.square().sum() for slope in slopes)
    with pytest.raises(RuntimeError, match=REFUSED):
        torch.autograd.grad(total, net.w)


@pytest.mark.filterwarnings("ignore:Using backward:UserWarning")  # of the reference cycle
def test_a_penalty_after_backward_with_create_graph_is_refused() -> None:
    net = _network()
    net(X)[0].sum().backward(create_graph=True)
    with pytest.raises(RuntimeError, match=REFUSED):
        net.w.grad.square().sum().backward()
    net.zero_grad()


@pytest.mark.parametrize("way_out", ["reference", "float64"])
def test_the_way_out_computes_the_penalty(way_out: str) -> None:
    net = _network(use_reference=True) if way_out == "reference" else _network().double()
    x = X.to(net.w.dtype).requires_grad_()
    loss, penalty = _penalty(net, x)
    (penalty + 0.0 * loss).backward()
    assert net.w.grad.abs().max() > 0


@pytest.mark.parametrize("given", ONCE)
def test_create_graph_changes_no_first_gradient(given: dict) -> None:
    net, x = _network(**given), X.clone().requires_grad_()
    leaves = [x, *net.parameters()]
    plain = torch.autograd.grad(net(x)[0].square().sum(), leaves)
    graphed = torch.autograd.grad(net(x)[0].square().sum(), leaves, create_graph=True)
    for ours, theirs in zip(graphed, plain, strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("given", ONCE)
def test_a_freed_graph_is_refused_and_a_retained_one_gives_the_same_again(given: dict) -> None:
    net = _network(**given)
    leaves = [*net.parameters()]
    loss = net(X)[0].square().sum()
    first = torch.autograd.grad(loss, leaves, retain_graph=True)
    second = torch.autograd.grad(loss, leaves)
    for ours, theirs in zip(second, first, strict=True):
        assert torch.equal(ours, theirs)
    with pytest.raises(RuntimeError, match="second time"):
        torch.autograd.grad(loss, leaves)
