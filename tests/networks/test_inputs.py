"""What the networks accept as inputs: as `torch.nn.LSTM` does, or refused in one sentence."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from wiring_search.networks.backbone_cfc import BackboneCfC
from wiring_search.networks.hypersolver import Hypersolved
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.kinds import KINDS, MEMORIES
from wiring_search.wirings.topologies import auto_ncp, ncp

WIRING = ncp(6, 8, 5, 3, 2, 2, 6, 2, seed=1)
STATE = WIRING.neurons
X = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(0))
HALVES = (torch.bfloat16, torch.float16)

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "liquid": lambda **given: LiquidNetwork(WIRING, outputs=2, steps=2, **given),
    "backbone": lambda **given: BackboneCfC(6, STATE, 2, **given),
    "hypersolved": lambda **given: Hypersolved(LiquidNetwork(WIRING, outputs=2, **given)),
}
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


# ---- forms of x


@every_network
def test_one_sample_equals_a_batch_of_one(network) -> None:
    for every_step in (True, False):
        net = network(every_step=every_step)
        elapsed, start = torch.rand(4) + 0.1, torch.randn(STATE)
        y, state = net(X[0], elapsed, start, 3)
        batch_y, batch_state = net(X[:1], elapsed[None], start[None], torch.tensor([3]))
        assert torch.equal(y, batch_y[0])
        assert torch.equal(state, batch_state[0])


@every_network
def test_time_first_equals_batch_first(network) -> None:
    for every_step in (True, False):
        elapsed, lengths = torch.rand(3, 4) + 0.1, [4, 1, 2]
        y, state = network(every_step=every_step)(X, elapsed, lengths=lengths)
        turned = network(every_step=every_step, batch_first=False)
        turned_y, turned_state = turned(X.transpose(0, 1), elapsed.t(), lengths=lengths)
        assert torch.equal(turned_y.transpose(0, 1) if every_step else turned_y, y)
        assert torch.equal(turned_state, state)


@every_network
@pytest.mark.parametrize("lengths", [[4, 3, 1], [1, 4, 4]])
def test_a_packed_sequence_equals_lengths(network, lengths: list[int]) -> None:
    net = network()
    given = X.clone().requires_grad_()
    packed = pack_padded_sequence(given, lengths, batch_first=True, enforce_sorted=False)
    y, state = net(packed, 0.5)
    lstm_y, _ = nn.LSTM(6, 2)(packed)
    assert isinstance(y, PackedSequence)
    for ours, theirs in zip(y[1:], lstm_y[1:], strict=True):
        assert torch.equal(ours, theirs)
    padded_y, padded_state = net(X, 0.5, lengths=lengths)
    assert torch.equal(state, padded_state)
    for unpacked, padded, length in zip(
        pad_packed_sequence(y, batch_first=True)[0], padded_y, lengths, strict=True
    ):
        assert torch.equal(unpacked[:length], padded[:length])
    (gradient,) = torch.autograd.grad(y.data.sum(), given)
    valid = torch.arange(4) < torch.tensor(lengths)[:, None]
    (expected,) = torch.autograd.grad(net(given, 0.5, lengths=lengths)[0][valid].sum(), given)
    assert torch.equal(gradient, expected)


def test_elapsed_times_are_packed_as_x_is() -> None:
    net, elapsed, lengths = NETWORKS["liquid"](), torch.rand(3, 4, 1) + 0.1, [2, 4, 1]
    x, times = (
        pack_padded_sequence(each, lengths, batch_first=True, enforce_sorted=False)
        for each in (X, elapsed)
    )
    assert torch.equal(net(x, times)[1], net(X, elapsed[..., 0], lengths=lengths)[1])
    others = pack_padded_sequence(elapsed, [4, 2, 1], batch_first=True)
    with pytest.raises(ValueError, match="packed with different lengths or order"):
        net(x, others)


@every_network
def test_elapsed_times_may_have_a_feature_of_size_one(network) -> None:
    net, elapsed = network(), torch.rand(3, 4) + 0.1
    assert torch.equal(net(X, elapsed[..., None])[0], net(X, elapsed)[0])
    assert torch.equal(net(X[0], elapsed[0, :, None])[0], net(X[0], elapsed[0])[0])


def test_a_packed_sequence_gives_the_last_outputs_of_each_sample() -> None:
    net, lengths = NETWORKS["liquid"](every_step=False), [2, 4, 1]
    packed = pack_padded_sequence(X, lengths, batch_first=True, enforce_sorted=False)
    assert torch.equal(net(packed)[0], net(X, lengths=lengths)[0])


@every_network
def test_an_empty_batch_gives_an_empty_batch(network) -> None:
    net = network()
    y, state = net(X[:0])
    assert (y.shape, state.shape) == ((0, 4, 2), (0, STATE))
    y.sum().backward()
    assert all(not p.grad.any() for p in net.parameters() if p.grad is not None)


def test_strided_and_expanded_inputs_equal_their_copies() -> None:
    net = NETWORKS["liquid"]()
    strided = X.repeat(1, 2, 1)[:, ::2].transpose(0, 1).contiguous().transpose(0, 1)
    expanded, start = X[:1].expand(3, 4, 6), torch.randn(1, STATE).expand(3, STATE)
    for x in (strided, expanded):
        y, _ = net(x, torch.rand(1, 1).expand(3, 4), start)
        assert y.shape == (3, 4, 2)
        expected = net(x.contiguous(), state=start.contiguous())[0]
        assert torch.equal(net(x, state=start)[0], expected)


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("neuron", KINDS)
def test_nan_goes_on_where_time_passes(neuron: str, memory: str) -> None:
    net = LiquidNetwork(WIRING, outputs=2, neuron=neuron, memory=memory, steps=2)
    x = X.clone()
    x[1, 2, 3] = torch.nan
    y, state = net(x)
    net.use_reference = True
    reference_y, reference_state = net(x)
    assert torch.equal(y.isnan(), reference_y.isnan())
    assert torch.equal(state.isnan(), reference_state.isnan())
    assert y[1, 2:].isnan().any()
    assert not y[[0, 2]].isnan().any()


# ---- elapsed times and lengths


@pytest.mark.parametrize(
    "half",
    [0.5, np.float32(0.5), torch.tensor(0.5), torch.full((3, 4), 0.5, dtype=torch.float64)],
    ids=["number", "numpy", "0-d", "float64"],
)
@every_network
def test_one_elapsed_time_is_that_of_every_step(network, half) -> None:
    net = network()
    assert torch.equal(net(X, half)[0], net(X, torch.full((3, 4), 0.5))[0])


def test_an_elapsed_time_of_no_dimension_has_a_gradient() -> None:
    net, half = NETWORKS["liquid"](), torch.tensor(0.5, requires_grad=True)
    each = torch.full((3, 4), 0.5, requires_grad=True)
    net(X, half)[0].sum().backward()
    net(X, each)[0].sum().backward()
    assert torch.allclose(half.grad, each.grad.sum())


@pytest.mark.parametrize("kind", [tuple, list, np.array, torch.tensor])
def test_lengths_are_numbers_of_any_kind(kind) -> None:
    net = NETWORKS["liquid"]()
    counts = torch.tensor([1, 4, 0], dtype=torch.int32)
    assert torch.equal(net(X, lengths=kind([1, 4, 0]))[1], net(X, lengths=counts)[1])


@pytest.mark.parametrize("short", [1e-60, torch.full((3, 4), 1e-60, dtype=torch.float64)])
def test_a_time_too_short_for_the_dtype_still_passes(short) -> None:
    net = LiquidNetwork(WIRING, neuron="cfc")
    assert torch.allclose(net(X, short)[1], net(X, 1e-12)[1], atol=1e-6)
    assert net(X, short)[1].abs().max() > 0.01


@every_network
@pytest.mark.parametrize("filler", [torch.nan, torch.inf, -1.0])
def test_padding_is_anything_in_x_and_elapsed(network, filler: float) -> None:
    net, lengths = network(), torch.tensor([4, 1, 2])
    padding = torch.arange(4) >= lengths[:, None]
    elapsed = (torch.rand(3, 4) + 0.1).requires_grad_()
    padded = torch.where(padding[..., None], filler, X)
    y, state = net(padded, torch.where(padding, filler, elapsed), lengths=lengths)
    assert torch.equal(state, net(X, elapsed, lengths=lengths)[1])
    state.sum().backward()
    assert elapsed.grad.isfinite().all()


@pytest.mark.parametrize("neuron", ["cfc", "cfc-pure", "layered-cfc", "ltc"])
def test_a_step_of_length_zero_is_the_limit_of_short_ones(neuron: str) -> None:
    given = {"neuron": neuron, "outputs": 2, "dtype": torch.float64, "memory": "state"}
    elapsed = torch.tensor([[0.0, 0.3, 0.0, 0.7]], dtype=torch.float64).repeat(3, 1)
    short = torch.where(elapsed > 0, elapsed, 1e-12)
    x = X.double()
    held, stepping = (LiquidNetwork(WIRING, hold_at_zero=h, **given) for h in (True, False))
    y, state = stepping(x, elapsed)
    assert torch.allclose(y, held(x, short)[0], atol=1e-10)
    assert torch.allclose(state, held(x, short)[1], atol=1e-10)
    assert not torch.allclose(y, held(x, elapsed)[0], atol=1e-3)
    cut = stepping(x, elapsed, lengths=[1, 2, 4])[1]
    assert torch.allclose(cut[0], stepping(x[:1, :1], elapsed[:1, :1])[1][0])


# ---- dtypes


@pytest.mark.parametrize("memory", MEMORIES)
@pytest.mark.parametrize("neuron", KINDS)
@pytest.mark.parametrize("outputs", [None, 2])
def test_a_converted_network_keeps_its_dtype(neuron: str, memory: str, outputs) -> None:
    net = LiquidNetwork(WIRING, outputs=outputs, neuron=neuron, memory=memory, steps=2)
    exact = net(X)[0]
    for dtype in (torch.float64, *HALVES):
        x = X.to(dtype).requires_grad_()
        y, state = copy.deepcopy(net).to(dtype)(x, torch.ones(3, 4))
        assert y.dtype == dtype
        assert state.dtype == dtype
        assert torch.allclose(y.float(), exact, atol=0.15)
        y.sum().backward()
        assert x.grad.dtype == dtype


@pytest.mark.parametrize("neuron", KINDS)
def test_autocast_casts_inputs_to_the_parameters(neuron: str) -> None:
    for memory in MEMORIES:
        net = LiquidNetwork(WIRING, outputs=2, neuron=neuron, memory=memory, steps=2)
        _assert_autocast_casts(net)
        _assert_autocast_casts(copy.deepcopy(net).double())  # by the reference


@every_network
def test_autocast_casts_inputs_of_every_network(network) -> None:
    _assert_autocast_casts(network())


def _assert_autocast_casts(net: nn.Module) -> None:
    dtype = next(net.parameters()).dtype
    for given in HALVES:
        x = X.to(given).requires_grad_()
        y, state = net(x.to(dtype))
        with torch.autocast("cpu", torch.bfloat16):
            cast_y, cast_state = net(x, state=torch.zeros_like(state).to(given))
        assert cast_y.dtype == dtype
        assert torch.equal(cast_y, y)
        assert torch.equal(cast_state, state)
        cast_y.sum().backward()
        assert x.grad.dtype == given


def test_a_model_with_other_layers_trains_under_autocast() -> None:
    torch.manual_seed(0)
    before, net, after = nn.Linear(6, 6), NETWORKS["liquid"](), nn.Linear(2, 1)
    optimiser = torch.optim.Adam([*before.parameters(), *net.parameters(), *after.parameters()])
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = after(net(before(X))[0]).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


def test_parameters_take_torchs_default_dtype_or_one_that_is_given() -> None:
    assert LiquidNetwork(WIRING, dtype=torch.float64).w.dtype == torch.float64
    same = LiquidNetwork(WIRING, dtype=torch.float64)
    assert torch.equal(LiquidNetwork(WIRING).w.double(), same.w)
    torch.set_default_dtype(torch.float64)
    try:
        y, _ = LiquidNetwork(WIRING)(torch.randn(2, 3, 6))
    finally:
        torch.set_default_dtype(torch.float32)
    assert y.dtype == torch.float64


# ---- refusals

DTYPE = r"x is {0}, the network's parameters are float32; convert it: x.to\(torch.float32\)"
REFUSED = {
    **{
        f"x {name}": ({"x": X.to(getattr(torch, name))}, DTYPE.format(name))
        for name in ("float16", "bfloat16", "float64", "int64", "bool", "uint8")
    },
    "x complex": ({"x": X.to(torch.complex64)}, r"x is complex64.*view_as_real\(x\).flatten\(-2\)"),
    "x list": ({"x": [[0.0]]}, "x is of type list; give a tensor"),
    "x numpy": ({"x": X.numpy()}, "x is of type ndarray; give a tensor"),
    "x None": ({"x": None}, "x is of type NoneType; give a tensor"),
    "x sparse": ({"x": X.to_sparse()}, r"x is sparse_coo; give a dense one: x.to_dense\(\)"),
    "x nested": (
        {"x": torch.nested.nested_tensor([X[0], X[1, :2]], layout=torch.jagged)},
        r"x is a nested tensor; give x.to_padded_tensor\(0.0\) and lengths=",
    ),
    "x elsewhere": ({"x": X.to("meta")}, r"x is on meta, the network on cpu; give x.to\(\"cpu\"\)"),
    "x 0-d": ({"x": X[0, 0, 0]}, r"x has shape \(\); give \(batch, time, 6\), or \(time, 6\)"),
    "x 1-d": ({"x": X[0, 0]}, r"x has shape \(6,\); give"),
    "x 4-d": ({"x": X[None]}, r"x has shape \(1, 3, 4, 6\); give"),
    "x wide": ({"x": torch.zeros(4, 7)}, r"x has shape \(4, 7\); give .*6"),
    "x timeless": ({"x": X[:, :0]}, "one time step or more"),
    "elapsed inf": ({"elapsed": torch.inf}, "a negative or NaN or infinite entry, inf"),
    "elapsed infs": ({"elapsed": torch.full((3, 4), torch.inf)}, "infinite entry, inf"),
    "elapsed nan": ({"elapsed": torch.tensor(torch.nan)}, "negative or NaN or infinite entry, nan"),
    "elapsed < 0": ({"elapsed": -torch.rand(3, 4).round() - 1}, "negative or .* entry, -"),
    "elapsed huge": ({"elapsed": 1e300}, r"entry, 1e\+300 in float32"),
    "elapsed complex": ({"elapsed": torch.ones(3, 4) * 1j}, "elapsed is complex64; give real"),
    "elapsed list": ({"elapsed": [1.0, 1.0]}, "elapsed is of type list; give one number or a tens"),
    "elapsed state": ({"elapsed": (X, X)}, "elapsed is of type tuple; .* by name: state="),
    "elapsed short": ({"elapsed": torch.ones(3)}, r"elapsed has shape \(3,\); .* = \(3, 4\)"),
    "elapsed elsewhere": ({"elapsed": torch.ones(3, 4, device="meta")}, "elapsed is on meta, x on"),
    "lengths float": ({"lengths": torch.ones(3)}, "lengths are float32; give whole numbers"),
    "lengths floats": ({"lengths": [1.0, 2.0, 3.0]}, "lengths are float32; give whole numbers"),
    "lengths mask": ({"lengths": torch.ones(3, dtype=torch.bool)}, "lengths are bool; give whole"),
    "lengths text": ({"lengths": "321"}, "lengths are str; give whole numbers"),
    "lengths few": ({"lengths": [1, 2]}, r"lengths are \[1, 2\]; give one a sample"),
    "lengths long": ({"lengths": [1, 2, 5]}, "each from 0 to 4"),
    "lengths < 0": ({"lengths": [1, 2, -1]}, "each from 0 to 4"),
    "lengths twice": (
        {"x": pack_padded_sequence(X, [4, 4, 4], batch_first=True), "lengths": [1, 1, 1]},
        "a PackedSequence has its lengths already; leave lengths out",
    ),
    "packed float64": (
        {"x": pack_padded_sequence(X.double(), [4, 4, 4], batch_first=True)},
        "x is float64, the network's parameters are float32",
    ),
    "state pair": (
        {"state": (torch.zeros(3, STATE),) * 2},
        r"state is a tuple of 2; give one tensor .*torch.cat\(\(h, c\), dim=1\)",
    ),
    "state numpy": ({"state": np.zeros((3, STATE))}, "state is of type ndarray; give a tensor"),
    "state float64": ({"state": torch.zeros(3, STATE).double()}, "state is float64, the network's"),
    "state of an LSTM": (
        {"state": torch.zeros(1, 3, STATE)},
        rf"state has shape \(1, 3, {STATE}\); give .* = \(3, {STATE}\)",
    ),
    "state of one": ({"x": X[0], "state": torch.zeros(1, STATE + 1)}, rf"give .* = \({STATE},\)"),
}


@every_network
@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_in_a_sentence(network, case: str) -> None:
    given, message = REFUSED[case]
    with pytest.raises((TypeError, ValueError), match=message):
        network()(**{"x": X, **given})


def test_float64_is_refused_under_autocast_too() -> None:
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(ValueError, match="x is float64"):
        NETWORKS["liquid"]()(X.double())


def test_time_first_shapes_are_named_as_they_are_given() -> None:
    net = NETWORKS["liquid"](batch_first=False)
    with pytest.raises(ValueError, match=r"x has shape \(4, 3, 5\); give \(time, batch, 6\)"):
        net(torch.zeros(4, 3, 5))
    with pytest.raises(ValueError, match=r"shape \(3, 4\); give .* \(time, batch\) = \(4, 3\)"):
        net(torch.zeros(4, 3, 6), torch.ones(3, 4))


@pytest.mark.filterwarnings("ignore:Complex modules")
def test_parameters_of_no_such_dtype_are_refused() -> None:
    net = NETWORKS["liquid"]().to(torch.complex64)
    with pytest.raises(ValueError, match="parameters are complex64; a network computes in one of"):
        net(X.to(torch.complex64))


def test_parameters_that_differ_in_dtype_are_refused() -> None:
    net = NETWORKS["liquid"]()
    net.output_w = nn.Parameter(net.output_w.detach().double())
    with pytest.raises(ValueError, match="parameters are float32 on cpu and float64 on cpu; conv"):
        net(X)


MISSPELT = {
    "neuron": ("lct", "neuron is 'lct'; known neurons: ltc, .*; did you mean 'ltc'?"),
    "neuron ": ("CfC", "neuron is 'CfC'; .*; did you mean 'cfc'?"),
    "neuron  ": (None, "neuron is None; known neurons: ltc"),
    "neuron   ": (["ltc"], r"neuron is \['ltc'\]; known neurons: ltc"),
    "solver": ("semiimplicit", "solver is .*; did you mean 'semi-implicit'?"),
    "solver ": ("", "solver is ''; solvers of ltc: semi-implicit"),
    "memory": ("stat", "memory is 'stat'; known memories: .*; did you mean 'state'?"),
    "gradient": ("btpt", "gradient is 'btpt'; .*; did you mean 'bptt'?"),
    "features": (0, "features is 0; give 1 or more, a whole number"),
    "features ": (-6, "features is -6; give 1 or more, a whole number"),
    "features  ": (6.0, "features is 6.0; give 1 or more, a whole number"),
    "outputs": (0, "outputs is 0; give 1 or more, a whole number"),
    "outputs ": (True, "outputs is True; give 1 or more, a whole number"),
    "steps": (0, "steps is 0 with the semi-implicit solver; give 1 or more"),
}


@pytest.mark.parametrize("name", MISSPELT)
def test_a_setting_that_cannot_be_is_refused_in_a_sentence(name: str) -> None:
    value, message = MISSPELT[name]
    with pytest.raises(ValueError, match=message):
        LiquidNetwork(WIRING, **{name.strip(): value})


@pytest.mark.parametrize("wiring", [20, None, "ncp"])
def test_something_else_than_a_wiring_is_refused(wiring) -> None:
    with pytest.raises(TypeError, match="wiring is of type .*; give a Wiring"):
        LiquidNetwork(wiring)


def test_numbers_may_be_of_numpy() -> None:
    net = LiquidNetwork(auto_ncp(3, 8, 2, seed=0), outputs=np.int64(4), steps=np.int64(2))
    net.load_state_dict(net.state_dict())
    assert net(torch.zeros(1, 2, 3))[0].shape == (1, 2, 4)
