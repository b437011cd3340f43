"""What a network is survives copies, files and containers; a state_dict of another is refused."""

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from wiring_search.networks.backbone_cfc import BackboneCfC
from wiring_search.networks.hypersolver import Hypersolved
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.topologies import auto_ncp, ncp

WIRING = ncp(4, 8, 5, 3, 2, 2, 6, 2, seed=1)
X = torch.randn(9, 7, 6, generator=torch.Generator().manual_seed(0))


def _network(**given) -> LiquidNetwork:
    return LiquidNetwork(WIRING, **{"features": 6, "outputs": 2, "steps": 3, "seed": 5, **given})


def _through_a_file(net: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(net, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES: dict[str, Callable[[nn.Module], nn.Module]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "torch.save": _through_a_file,
    "share_memory": lambda net: copy.deepcopy(net).share_memory(),
}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_copies_give_the_same_outputs(copied) -> None:
    net = _network()
    net(X)[0].sum().backward()
    assert torch.equal(copied(net)(X)[0], net(X)[0])


def test_state_dict_goes_into_another_network() -> None:
    net, other = _network(), _network(seed=6)
    assert not torch.equal(other(X)[0], net(X)[0])
    other.load_state_dict(net.state_dict())
    assert torch.equal(other(X)[0], net(X)[0])


OTHERS = {
    "wiring": (
        {"wiring": ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=5)},
        {"wiring": ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=6)},
    ),
    "solver": ({"solver": "euler"}, {"solver": "heun"}),
    "steps": ({"steps": 3}, {"steps": 4}),
    "neuron": ({"neuron": "ct-rnn", "solver": "rk4"}, {"neuron": "neural-ode", "solver": "rk4"}),
    "memory": ({"memory": "state"}, {"memory": "none"}),
    "positive": ({"positive": "softplus"}, {"positive": "clip"}),
}


def _with(given: dict, seed: int) -> LiquidNetwork:
    return LiquidNetwork(**{"wiring": WIRING, **given}, seed=seed)


@pytest.mark.parametrize("what", OTHERS)
def test_the_state_dict_of_another_network_is_refused_and_changes_nothing(what: str) -> None:
    net, other = (_with(given, seed) for seed, given in enumerate(OTHERS[what]))
    before = copy.deepcopy([*other.parameters()])
    with pytest.raises(
        ValueError, match=f"of a network with .*{what} '?\\w.*; this network has .*{what} "
    ):
        other.load_state_dict(net.state_dict())
    for now, then in zip(other.parameters(), before, strict=True):
        assert torch.equal(now, then)


def test_the_refusal_names_both_and_only_what_differs() -> None:
    with pytest.raises(ValueError, match="a network with steps 3; this network has steps 4. "):
        _with({"steps": 4}, 0).load_state_dict(_with({"steps": 3}, 0).state_dict())


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copy_inside_another_module_refuses_too(copied) -> None:
    saved = torch.nn.Sequential(_with({"steps": 3}, 0)).state_dict()
    inside = torch.nn.Sequential(copied(_with({"steps": 4}, 0)))
    with pytest.raises(ValueError, match="steps 3; this network has steps 4"):
        inside.load_state_dict(saved)


def test_parameters_alone_are_taken_by_name() -> None:
    net, other = _with({"steps": 3}, 0), _with({"steps": 4}, 1)
    other.load_state_dict(dict(net.named_parameters()))
    for ours, theirs in zip(other.parameters(), net.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_a_saved_state_dict_is_read_with_weights_only(tmp_path: Path) -> None:
    net, other = _network(), _network(seed=6)
    torch.save(net.state_dict(), tmp_path / "weights.pt")
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    assert torch.equal(other(X)[0], net(X)[0])


@pytest.mark.parametrize("seed", range(1, 30))
def test_every_seed_of_a_wiring_is_another_network(seed: int) -> None:
    saved = LiquidNetwork(auto_ncp(8, 24, 2, seed=0)).state_dict()
    with pytest.raises(ValueError, match="of a network with wiring"):
        LiquidNetwork(auto_ncp(8, 24, 2, seed=seed)).load_state_dict(saved)


CONTAINERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "alone": lambda net: net,
    "in a bigger module": lambda net: nn.ModuleDict({"head": nn.Linear(2, 2), "body": net}),
    "as DataParallel": lambda net: nn.DataParallel(net),
    "twice nested": lambda net: nn.Sequential(nn.Sequential(net)),
}
FORMS: dict[str, Callable[[dict], dict]] = {
    "as it is": lambda state: state,
    "plain tensors": lambda state: {name: value.clone() for name, value in state.items()},
    "cast with the weights": lambda state: {k: v.double() for k, v in state.items()},
    "averaged": lambda state: {k: sum([v] * 7) / 7 for k, v in state.items()},
    "moving average": lambda state: {k: 0.9 * v + (1 - 0.9) * v for k, v in state.items()},
    "of bytes": lambda state: {
        k: v if v.is_floating_point() else v.to(torch.uint8) for k, v in state.items()
    },
    "through bfloat16": lambda state: {k: v.bfloat16().float() for k, v in state.items()},
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
def test_a_state_dict_keeps_its_identity_in_containers_and_forms(container, form) -> None:
    saved = form(container(_network()).state_dict())
    container(_network(seed=6)).load_state_dict(saved)
    with pytest.raises(ValueError, match="steps 3; this network has steps 4"):
        container(_network(steps=4)).load_state_dict(saved)


def test_strict_false_takes_a_part_but_not_of_another_network() -> None:
    net, part = _network(seed=6), _network().state_dict()
    del part["w"]
    assert net.load_state_dict(part, strict=False).missing_keys == ["w"]
    assert torch.equal(net.mu, part["mu"])
    with pytest.raises(ValueError, match="steps 3"):
        _network(steps=4).load_state_dict(part, strict=False)


def test_an_identity_that_says_nothing_is_refused() -> None:
    state = _network().state_dict() | {"_extra_state": torch.zeros(5)}
    with pytest.raises(ValueError, match="_extra_state of this state_dict does not say"):
        _network().load_state_dict(state)


@pytest.mark.parametrize("name", ["mode", "activation", "hold_at_zero"])
def test_a_backbone_cfc_has_an_identity_too(name: str) -> None:
    other = {"mode": "no_gate", "activation": "relu", "hold_at_zero": False}
    saved = BackboneCfC(3, 5, **{name: other[name]}).state_dict()
    with pytest.raises(ValueError, match=f"of a network with {name} "):
        BackboneCfC(3, 5).load_state_dict(saved)


def test_a_hypersolver_has_an_identity_too() -> None:
    saved = Hypersolved(_network(), "euler", 2).state_dict()
    with pytest.raises(ValueError, match="base 'euler', steps 2; this network has base 'heun', "):
        Hypersolved(_network(), "heun", 1).load_state_dict(saved)


def test_a_network_without_storage_takes_the_tensors_of_a_state_dict() -> None:
    net = _network()
    with torch.device("meta"):
        empty = _network(seed=6)
    assert {parameter.device.type for parameter in empty.parameters()} == {"meta"}
    filled = copy.deepcopy(empty).to_empty(device="cpu")
    filled.load_state_dict(net.state_dict())
    assert torch.equal(filled(X)[0], net(X)[0])
    empty.load_state_dict(net.state_dict(), assign=True)
    assert torch.equal(empty(X)[0], net(X)[0])


def test_a_network_without_storage_gives_shapes() -> None:
    net = _network().to("meta")
    y, state = net(X.to("meta"), torch.ones(9, 7, device="meta"))
    assert (y.shape, y.device.type) == ((9, 7, 2), "meta")
    assert state.shape == (9, WIRING.neurons)


class _Doubled(nn.Module):
    def forward(self, value: torch.Tensor) -> torch.Tensor:
        return 2 * value

    def right_inverse(self, value: torch.Tensor) -> torch.Tensor:
        return value / 2


def test_a_parametrised_network_computes_the_same_and_learns() -> None:
    net, plain = _network(), _network()
    parametrize.register_parametrization(net, "w", _Doubled())
    y, _ = net(X)
    assert torch.allclose(y, plain(X)[0], atol=1e-6)
    y.sum().backward()
    plain(X)[0].sum().backward()
    assert torch.allclose(net.parametrizations.w.original.grad, 2 * plain.w.grad, atol=1e-5)
    for name, value in net.effective().items():
        assert torch.allclose(value, plain.effective()[name])


def test_clipping_reaches_what_a_parametrisation_stores() -> None:
    net = _network(positive="clip")
    parametrize.register_parametrization(net, "w", _Doubled())
    with torch.no_grad():
        net.parametrizations.w.original.sub_(0.5)
    assert net.w.min() < 0
    net.clip_parameters()
    assert net.w.min() == 0
