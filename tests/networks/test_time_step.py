"""One step at a time, `LiquidNetwork.step`, against the forward pass of whole sequences."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrize

from wiring_search.networks import time_step
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.topologies import ncp

KINDS = [
    {},
    {"memory": "state"},
    {"neuron": "cfc"},
    {"neuron": "ct-rnn", "solver": "rk4", "memory": "input", "outputs": 3},
    {"positive": "clip", "features": 5},
]


def _network(**given) -> LiquidNetwork:
    return LiquidNetwork(ncp(3, 5, 4, 2, 2, 2, 2, 2), seed=2, **given)


@pytest.fixture
def short_way_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise AssertionError("the step took the long way")

    monkeypatch.setattr(time_step, "long_way", refuse)


@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.usefixtures("short_way_alone")
def test_steps_equal_the_forward_pass_bit_for_bit(kind: dict) -> None:
    network = _network(**kind)
    x = torch.randn(20, 6, network.layout.features, generator=torch.Generator().manual_seed(1))
    elapsed = torch.tensor([1.0, 0.3, 0.0, 2.0, 1.0, 0.5])
    y, final = network(x, elapsed.expand(20, 6))
    state, shown = None, []
    for t in range(6):
        shown_now, state = network.step(x[:, t].contiguous(), state, float(elapsed[t]))
        shown.append(shown_now)
    assert torch.equal(torch.stack(shown, 1), y)
    assert torch.equal(state, final)


@pytest.mark.usefixtures("short_way_alone")
def test_changed_parameters_count_at_once() -> None:
    network = _network()
    x = torch.ones(1, 3)
    for change in (1.0, 1.5):
        network.sensory_w.data.mul_(change)
        network.output_w.data = network.output_w.data * change
        y, _ = network.step(x)
        assert torch.equal(y, network(x[:, None])[0][:, 0])


@pytest.mark.usefixtures("short_way_alone")
def test_a_parametrized_parameter_is_computed() -> None:
    network = _network()
    parametrize.register_parametrization(network, "output_w", torch.nn.Tanh())
    x = torch.ones(1, 3)
    assert torch.equal(network.step(x)[0], network(x[:, None])[0][:, 0])


@pytest.mark.usefixtures("short_way_alone")
def test_arrays_give_arrays_and_one_sample_gives_one() -> None:
    network = _network()
    batch, states = network.step(torch.ones(2, 3))
    y, state = network.step(np.ones(3, np.float32))
    assert isinstance(y, np.ndarray)
    assert np.array_equal(y, batch[0].numpy())
    assert np.array_equal(state, states[0].numpy())


@pytest.mark.parametrize(
    "given",
    [
        {"x": torch.ones(2, 3).double()},
        {"x": torch.ones(3, 2).T},
        {"x": torch.ones(2, 3).double().numpy()},
    ],
    ids=["float64", "transposed", "float64 array"],
)
def test_other_forms_take_the_long_way(given: dict) -> None:
    network = _network()
    if given["x"].dtype in (torch.float64, np.float64):
        network.double()
    x = torch.as_tensor(given["x"])
    y, state = network.step(**given)
    expected, final = network(x[:, None])
    assert torch.equal(torch.as_tensor(y), expected[:, 0].detach())
    assert torch.equal(torch.as_tensor(state), final.detach())


def test_elapsed_of_each_sample_and_time_first() -> None:
    network = LiquidNetwork(ncp(3, 5, 4, 2, 2, 2, 2, 2), batch_first=False)
    x, elapsed = torch.ones(2, 3), torch.tensor([0.5, 2.0])
    y, _ = network.step(x, elapsed=elapsed)
    assert torch.equal(y[:1], network.step(x[:1], elapsed=0.5)[0])
    assert torch.equal(y[1:], network.step(x[1:], elapsed=2.0)[0])


def test_no_gradient_is_kept() -> None:
    network = _network()
    for step_of in (network, copy.deepcopy(network).double()):
        x = torch.ones(1, 3, dtype=step_of.sensory_w.dtype, requires_grad=True)
        y, state = step_of.step(x)
        assert not y.requires_grad
        assert not state.requires_grad


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))])
@pytest.mark.usefixtures("short_way_alone")
def test_a_copy_steps_by_its_parameters(copied) -> None:
    network = _network()
    x = torch.ones(1, 3)
    before, _ = network.step(x)
    other = copied(network)
    with torch.no_grad():
        other.output_w.mul_(2.0)
    assert torch.equal(network.step(x)[0], before)
    assert torch.equal(other.step(x)[0], other(x[:, None])[0][:, 0])


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.ones(2, 1, 3), r"x is of shape \(2, 1, 3\); a step takes .*\(batch, 3\)"),
        ([[1.0, 2.0, 3.0]], "x is of type list; a step takes"),
        (torch.ones(2, 4), "x has shape"),
        (torch.ones(2, 3).double(), "x is float64"),
    ],
)
def test_a_wrong_x_is_named(x: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _network().step(x)


@pytest.mark.parametrize("elapsed", [-1.0, float("nan"), float("inf")])
def test_a_wrong_elapsed_is_named(elapsed: float) -> None:
    with pytest.raises(ValueError, match="elapsed"):
        _network().step(torch.ones(1, 3), elapsed=elapsed)


def test_a_state_of_another_size_is_named() -> None:
    with pytest.raises(ValueError, match="state"):
        _network().step(torch.ones(1, 3), torch.zeros(1, 4))
