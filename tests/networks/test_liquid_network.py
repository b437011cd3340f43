"""`LiquidNetwork` as a torch user meets it."""

import copy

import pytest
import torch

from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons.parameters import inverse_softplus
from wiring_search.wirings.kinds import KINDS, MEMORIES
from wiring_search.wirings.topologies import ncp

WIRING = ncp(4, 8, 5, 3, 2, 2, 6, 2, seed=1)


def _network(**given) -> LiquidNetwork:
    return LiquidNetwork(WIRING, **{"features": 6, "outputs": 2, "steps": 3, "seed": 5, **given})


X = torch.randn(9, 7, 6, generator=torch.Generator().manual_seed(0))


def test_shapes_and_names() -> None:
    net = _network()
    y, state = net(X)
    assert y.shape == (9, 7, 2)
    assert state.shape == (9, WIRING.neurons)
    names = dict(net.named_parameters())
    assert len(names["w"]) == len(WIRING.synapses)
    assert names["input_w"].shape == (4, 6)
    assert names["output_w"].shape == (2, 3)
    y, _ = _network(every_step=False)(X)
    assert y.shape == (9, 2)
    assert LiquidNetwork(WIRING)(torch.randn(2, 3, 4))[0].shape == (2, 3, WIRING.motor)


def test_initial_parameters_lie_in_their_ranges() -> None:
    values = LiquidNetwork(WIRING, seed=3).effective()
    for name, (low, high) in {
        "gleak": (0.001, 1),
        "cm": (0.4, 0.6),
        "w": (0.001, 1),
        "sensory_sigma": (3, 8),
        "vleak": (-0.2, 0.2),
    }.items():
        assert values[name].min() >= low - 1e-5, name
        assert values[name].max() <= high + 1e-5, name
    assert torch.equal(
        values["erev"], torch.tensor(WIRING.synapse_arrays()[2], dtype=torch.float32)
    )
    assert torch.equal(LiquidNetwork(WIRING, seed=3).w, LiquidNetwork(WIRING, seed=3).w)
    assert not torch.equal(LiquidNetwork(WIRING, seed=3).w, LiquidNetwork(WIRING, seed=4).w)


@pytest.mark.parametrize("positive", ["softplus", "clip"])
def test_fused_reference_and_float64_agree(positive: str) -> None:
    net = _network(positive=positive)
    slow = copy.deepcopy(net)
    slow.use_reference = True
    exact = copy.deepcopy(net).double()
    results = [run(x)[0] for run, x in ((net, X), (slow, X), (exact, X.double()))]
    for result in results:
        result.square().sum().backward()
    assert results[2].dtype == torch.float64
    for other in (slow, exact):
        for ours, theirs in zip(net.parameters(), other.parameters(), strict=True):
            assert torch.allclose(
                ours.grad.double(),
                theirs.grad.double(),
                atol=1e-5 * max(1, float(theirs.grad.abs().max())),
            )
    assert torch.allclose(results[0].double(), results[2], atol=1e-5)


def test_lengths_equal_a_loop_over_cut_samples() -> None:
    for every_step in (True, False):
        net = _network(every_step=every_step)
        lengths = torch.tensor([7, 1, 3, 5, 7, 2, 6, 4, 1])
        padded = X.clone()
        for i, length in enumerate(lengths):
            padded[i, length:] = torch.nan
        y, state = net(padded, lengths=lengths)
        for i, length in enumerate(lengths):
            own_y, own_state = net(X[i : i + 1, :length])
            assert torch.equal(state[i], own_state[0])
            assert torch.equal(y[i, :length] if every_step else y[i], own_y[0])


def test_two_halves_with_the_state_carried_equal_one_run() -> None:
    net = _network()
    whole, final = net(X, elapsed=0.7)
    first, state = net(X[:, :3], elapsed=0.7)
    second, last = net(X[:, 3:], elapsed=0.7, state=state)
    assert torch.equal(torch.cat([first, second], dim=1), whole)
    assert torch.equal(last, final)


def test_elapsed_times_are_per_sample_and_step() -> None:
    net = _network()
    elapsed = torch.rand(9, 7) + 0.1
    y, _ = net(X, elapsed)
    alone, _ = net(X[4:5], elapsed[4:5])
    assert torch.equal(y[4], alone[0])
    assert not torch.allclose(y, net(X)[0], atol=1e-3)


def test_an_optimiser_learns() -> None:
    net = _network(every_step=False)
    target = X.mean(dim=(1, 2))[:, None].repeat(1, 2)
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    losses = []
    for _ in range(60):
        optimiser.zero_grad()
        loss = (net(X)[0] - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_clipping_keeps_conductances_positive() -> None:
    net = _network(positive="clip")
    with torch.no_grad():
        net.w -= 0.5
    assert net.w.min() < 0
    net.clip_parameters()
    assert net.w.min() == 0


def test_inverse_softplus() -> None:
    x = torch.tensor([1e-3, 0.5, 30.0])
    assert torch.allclose(torch.nn.functional.softplus(inverse_softplus(x)), x, rtol=1e-4)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"x": torch.zeros(6)}, r"x has shape \(6,\); give \(batch, time, 6\), or \(time, 6\)"),
        ({"x": torch.zeros(2, 3, 5)}, r"x has shape \(2, 3, 5\)"),
        ({"x": torch.zeros(2, 0, 6)}, "one time step or more"),
        ({"elapsed": torch.ones(9)}, r"elapsed has shape \(9,\)"),
        ({"elapsed": -torch.ones(9, 7)}, "negative or NaN"),
        ({"elapsed": float("nan")}, "negative or NaN"),
        ({"lengths": torch.full((9,), 8)}, "each from 0 to 7"),
        (
            {"state": torch.zeros(9, 3)},
            r"state has shape \(9, 3\); give \(batch, neurons and memory cells\) = \(9, 16\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _network()(**{"x": X, **given})


def test_unknown_constraint_is_refused() -> None:
    with pytest.raises(ValueError, match="positive is 'relu'"):
        _network(positive="relu")


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("neuron", KINDS)
def test_irregular_batches_equal_a_loop_over_samples(neuron: str, memory: str) -> None:
    """Irregular times, missing steps, padding: each sample runs as if alone, through its real
    steps."""
    torch.manual_seed(0)
    net = LiquidNetwork(
        ncp(3, 6, 4, 2, 2, 2, 4, 2), outputs=2, neuron=neuron, memory=memory, steps=2
    )
    x, elapsed = torch.randn(9, 7, 3), 0.3 * torch.rand(9, 7)
    missing = torch.rand(9, 7) < 0.3
    lengths = torch.tensor([7, 1, 0, 3, 7, 5, 2, 6, 4])
    y, state = net(
        torch.where(missing[..., None], torch.nan, x),
        torch.where(missing, 0.0, elapsed),
        lengths=lengths,
    )
    for sample in range(9):
        there = [t for t in range(int(lengths[sample])) if not missing[sample, t]]
        state_alone = torch.zeros(1, net.layout.state_size)
        for t in there:
            alone, state_alone = net(
                x[sample, t].reshape(1, 1, 3), elapsed[sample, t].reshape(1, 1), state_alone
            )
            assert torch.allclose(alone[0, 0], y[sample, t], atol=1e-6)
        assert torch.allclose(state_alone[0], state[sample], atol=1e-6)
