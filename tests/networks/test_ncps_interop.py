"""Our network against `ncps.torch.LTC` with the same weights: outputs, final state and every
gradient; wirings there and back."""

import copy

import ncps.wirings
import numpy as np
import pytest
import torch
from ncps.torch import LTC, CfC

from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.ncps_interop import from_ncps, state_order, to_ncps
from wiring_search.wirings.ncps_format import from_ncps as wiring_from_ncps
from wiring_search.wirings.ncps_format import to_ncps as wiring_to_ncps
from wiring_search.wirings.topologies import ncp, random_sparse

WIRINGS = {
    "ncp": lambda: ncps.wirings.NCP(12, 6, 1, 6, 4, 4, 6),
    "auto": lambda: ncps.wirings.AutoNCP(32, 4),
    "dense": lambda: ncps.wirings.FullyConnected(9, 2),
    "idle": lambda: ncps.wirings.Random(16, 2, sparsity_level=0.9, random_seed=3),
}
FIELDS = ("w", "mu", "sigma", "erev")


def _run(
    network: torch.nn.Module, x: torch.Tensor, state: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    torch.manual_seed(5)
    x, state = x.clone().requires_grad_(), state.clone().requires_grad_()
    y, final = network(x, state) if isinstance(network, LTC) else network(x, state=state)
    loss = (y * torch.randn_like(y)).sum() + (final * torch.randn_like(final)).sum()
    loss.backward()
    gradients = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
    return y.detach(), final.detach(), {**gradients, "x": x.grad, "state": state.grad}


def _assert_near(ours: torch.Tensor, theirs: torch.Tensor, what: str) -> None:
    ours = ours.detach()
    theirs = theirs.detach()
    scale = max(1.0, float(theirs.abs().max()))
    assert torch.allclose(ours, theirs, rtol=0, atol=1e-5 * scale), (
        what,
        float((ours - theirs).abs().max()),
        scale,
    )


@pytest.mark.parametrize("implicit", [True, False])
@pytest.mark.parametrize("kind", WIRINGS)
@pytest.mark.parametrize("return_sequences", [True, False])
def test_outputs_and_gradients_equal_the_originals(
    kind: str, implicit: bool, return_sequences: bool
) -> None:
    torch.manual_seed(0)
    theirs = LTC(
        7, WIRINGS[kind](), implicit_param_constraints=implicit, return_sequences=return_sequences
    )
    with torch.no_grad():
        for name in ("input_w", "input_b", "output_w", "output_b"):
            getattr(theirs.rnn_cell, name).add_(
                torch.randn_like(getattr(theirs.rnn_cell, name)) * 0.3
            )
    ours = from_ncps(theirs)
    x, state = torch.randn(19, 11, 7), torch.randn(19, theirs.state_size) * 0.5
    y, final, gradients = _run(theirs, x, state)
    our_y, our_final, our_gradients = _run(ours, x, state)
    _assert_near(our_y, y, "outputs")
    _assert_near(our_final, final, "final state")
    ends = {"": ours.wiring.synapse_arrays()[:2], "sensory_": ours.wiring.sensory_arrays()[:2]}
    for name, gradient in our_gradients.items():
        their_name = name if name in ("x", "state") else f"rnn_cell.{name}"
        expected = gradients[their_name]
        for prefix, (pre, post) in ends.items():
            if name in {prefix + field for field in FIELDS}:
                expected = expected[pre.astype(np.int64), post.astype(np.int64)]
        _assert_near(gradient, expected, name)
    assert {f"rnn_cell.{n}" for n in our_gradients if n not in ("x", "state")} == {
        n for n in gradients if n not in ("x", "state")
    }


def test_maps_that_are_not_there_stay_the_identity() -> None:
    theirs = LTC(5, ncps.wirings.AutoNCP(12, 3), input_mapping="linear", output_mapping=None)
    ours = from_ncps(theirs)
    assert [name for name, p in ours.named_parameters() if not p.requires_grad] == [
        "input_b",
        "output_w",
        "output_b",
    ]
    x = torch.randn(3, 4, 5)
    _assert_near(ours(x)[0].detach(), theirs(x)[0].detach(), "outputs")


def test_float64_modules_stay_float64() -> None:
    theirs = LTC(5, ncps.wirings.AutoNCP(12, 3)).double()
    x = torch.randn(3, 4, 5, dtype=torch.float64)
    y, _ = from_ncps(theirs)(x)
    assert y.dtype == torch.float64
    assert torch.allclose(y, theirs(x, torch.zeros(3, 12, dtype=torch.float64))[0], atol=1e-12)


@pytest.mark.parametrize("positive", ["softplus", "clip"])
def test_networks_go_to_ncps_and_back(positive: str) -> None:
    ours = LiquidNetwork(ncp(5, 8, 5, 2, 3, 2, 6, 2, seed=4), steps=3, positive=positive, seed=1)
    theirs = to_ncps(ours)
    x, state = torch.randn(4, 6, 5), torch.randn(4, 15)
    _assert_near(ours(x, state=state)[0].detach(), theirs(x, state)[0].detach(), "outputs")
    again = from_ncps(theirs)
    assert again.wiring == ours.wiring
    assert again.positive == positive
    assert all(
        torch.equal(a, b) for a, b in zip(again.parameters(), ours.parameters(), strict=True)
    )


def test_what_has_no_counterpart_is_refused() -> None:
    with pytest.raises(ValueError, match="all 9 neurons"):
        from_ncps(CfC(5, ncps.wirings.FullyConnected(9, 2)))
    with pytest.raises(ValueError, match="ct-rnn/euler/none has no counterpart"):
        to_ncps(LiquidNetwork(ncp(5, 8, 5, 2, 3, 2, 6, 2), neuron="ct-rnn"))
    with pytest.raises(ValueError, match="epsilon=0.01"):
        from_ncps(LTC(5, 4, epsilon=0.01))
    with pytest.raises(ValueError, match="Linear is neither"):
        from_ncps(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="linear readout"):
        to_ncps(LiquidNetwork(ncp(5, 8, 5, 2, 3, 2, 6, 2), outputs=3))


@pytest.mark.parametrize("kind", WIRINGS)
def test_wirings_there_and_back(kind: str) -> None:
    theirs = WIRINGS[kind]()
    with pytest.raises(ValueError, match="not built"):
        wiring_from_ncps(theirs)
    ours = wiring_from_ncps(theirs, features=6)
    assert not theirs.is_built()
    theirs.build(6)
    assert wiring_from_ncps(theirs).wiring_id == ours.wiring_id
    with pytest.raises(ValueError, match="built for 6 features, not 7"):
        wiring_from_ncps(theirs, features=7)
    back = wiring_to_ncps(ours)
    assert np.array_equal(back.adjacency_matrix, theirs.adjacency_matrix)
    assert np.array_equal(back.sensory_adjacency_matrix, theirs.sensory_adjacency_matrix)
    assert (
        ours.synapse_count
        == np.abs(theirs.adjacency_matrix).sum() + np.abs(theirs.sensory_adjacency_matrix).sum()
    )
    assert [back.get_type_of_neuron(i) for i in range(back.units)] == [
        theirs.get_type_of_neuron(i) for i in range(back.units)
    ]
    assert back.num_layers == theirs.num_layers
    for layer in range(back.num_layers):
        assert back.get_neurons_of_layer(layer) == theirs.get_neurons_of_layer(layer)
    with pytest.raises(ValueError, match=f"layer is {back.num_layers}"):
        back.get_neurons_of_layer(back.num_layers)
    assert wiring_from_ncps(back) == ours


def test_idle_neurons_are_taken_along_and_marked() -> None:
    assert wiring_from_ncps(WIRINGS["idle"](), 6).idle_allowed
    assert not wiring_from_ncps(WIRINGS["ncp"](), 6).idle_allowed


def test_a_random_sparse_wiring_survives_the_trip() -> None:
    wiring = random_sparse(4, 10, 2, 12, 30, seed=2)
    assert wiring_from_ncps(wiring_to_ncps(wiring)) == wiring


def _named(
    network: LiquidNetwork, module: torch.nn.Module, gradients: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """The module's gradients by our names, in our order.

    They replace the module's weights, which are then converted like weights.
    """
    carrier = copy.deepcopy(module)
    with torch.no_grad():
        for name, parameter in carrier.named_parameters():
            if name in gradients:
                parameter.copy_(gradients[name])
    taken = from_ncps(carrier)
    if "memory_b" in dict(taken.named_parameters()):
        with torch.no_grad():
            taken.memory_b.chunk(4)[2].sub_(
                1.0
            )  # the constant that is added to a forget gate is no gradient
    return {name: p.detach() for name, p in taken.named_parameters() if p.requires_grad}


MODULES = {
    "ltc with memory": lambda: LTC(7, ncps.wirings.AutoNCP(24, 3), mixed_memory=True),
    **{
        f"cfc {mode}{' with memory' if memory else ''}": lambda mode=mode, memory=memory: CfC(
            7, ncps.wirings.NCP(9, 5, 3, 4, 3, 4, 3, seed=1), mode=mode, mixed_memory=memory
        )
        for mode in ("default", "no_gate", "pure")
        for memory in (False, True)
    },
    "cfc of one layer": lambda: CfC(7, ncps.wirings.FullyConnected(9)),
    "cfc with a projection": lambda: CfC(
        7, ncps.wirings.NCP(9, 5, 3, 4, 3, 4, 3, seed=1), proj_size=2, mixed_memory=True
    ),
}


@pytest.mark.parametrize("what", MODULES)
def test_memory_and_cfc_equal_the_originals_and_go_back(what: str) -> None:
    torch.manual_seed(1)
    theirs = MODULES[what]()
    ours = from_ncps(theirs)
    n, order = ours.wiring.neurons, state_order(ours)
    x, state, cells = torch.randn(18, 6, 7), 0.5 * torch.randn(18, n), 0.5 * torch.randn(18, n)
    mixed = theirs.use_mixed
    y, final = theirs(x, (state, cells) if mixed else state)
    our_state = torch.empty(18, ours.layout.state_size)
    positions = torch.cat([order, n + order]) if mixed else order
    our_state[:, positions] = torch.cat([state, cells], dim=1) if mixed else state
    our_y, our_final = ours(x, state=our_state)
    their_final = torch.cat(final, dim=1) if mixed else final
    _assert_near(our_y, y, "outputs")
    _assert_near(our_final[:, positions], their_final, "final state")
    weights, final_weights = torch.randn_like(y), torch.randn_like(their_final)
    ((y * weights).sum() + (their_final * final_weights).sum()).backward()
    ((our_y * weights).sum() + (our_final[:, positions] * final_weights).sum()).backward()
    gradients = {name: p.grad for name, p in theirs.named_parameters() if p.grad is not None}
    expected = _named(ours, theirs, gradients)
    found = {name: p.grad for name, p in ours.named_parameters() if p.requires_grad}
    assert found.keys() == expected.keys()
    for name, gradient in found.items():
        _assert_near(gradient, expected[name], name)
    back = to_ncps(ours)
    _assert_near(back(x)[0], theirs(x)[0], "outputs of the module made of ours")
