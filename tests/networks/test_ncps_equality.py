"""`from_ncps` on random modules of everything that `ncps` accepts: the same outputs, final states
and gradients as the module itself, in float64."""

import copy
from typing import Any

import ncps.wirings
import numpy as np
import pytest
import torch
from ncps.torch import LTC, CfC
from torch import nn

from wiring_search.networks.backbone_cfc import ACTIVATIONS, MODES
from wiring_search.networks.ncps_interop import from_ncps, state_order, to_ncps

FEATURES, STEPS = 4, 5
Rng = np.random.Generator


def _pick(rng: Rng, *choices: Any) -> Any:
    return choices[rng.integers(len(choices))]


def _wiring(rng: Rng, all_out: bool) -> ncps.wirings.Wiring:
    """all_out: where there is one layer, all its neurons are outputs."""
    seed = int(rng.integers(1000))
    outputs = 7 if all_out else 3
    return _pick(
        rng,
        ncps.wirings.NCP(6, 4, 2, 3, 2, 3, 2, seed=seed),
        ncps.wirings.AutoNCP(14, 3, sparsity_level=float(rng.uniform(0.2, 0.8)), seed=seed),
        ncps.wirings.FullyConnected(7, outputs, erev_init_seed=seed),
        ncps.wirings.Random(7, outputs, sparsity_level=0.5, random_seed=seed),
    )


def _ltc(rng: Rng) -> LTC:
    return LTC(
        FEATURES,
        _pick(rng, _wiring(rng, all_out=False), 6),
        return_sequences=_pick(rng, True, False),
        batch_first=_pick(rng, True, False),
        mixed_memory=_pick(rng, True, False),
        input_mapping=_pick(rng, "affine", "linear", None),
        output_mapping=_pick(rng, "affine", "linear", None),
        ode_unfolds=_pick(rng, 1, 3, np.int64(6)),
        implicit_param_constraints=_pick(rng, True, False),
    )


def _wired_cfc(rng: Rng) -> CfC:
    return CfC(
        FEATURES,
        _wiring(rng, all_out=True),
        proj_size=_pick(rng, None, 2),
        return_sequences=_pick(rng, True, False),
        batch_first=_pick(rng, True, False),
        mixed_memory=_pick(rng, True, False),
        mode=_pick(rng, *MODES),
    )


def _dense_cfc(rng: Rng) -> CfC:
    return CfC(
        FEATURES,
        5,
        proj_size=_pick(rng, None, 2),
        return_sequences=_pick(rng, True, False),
        batch_first=_pick(rng, True, False),
        mixed_memory=_pick(rng, True, False),
        mode=_pick(rng, *MODES),
        activation=_pick(rng, *ACTIVATIONS),
        backbone_units=_pick(rng, None, 9),
        backbone_layers=_pick(rng, None, 0, 2),
        backbone_dropout=_pick(rng, None, 0.3),
    ).eval()


MAKERS = {"ltc": _ltc, "wired cfc": _wired_cfc, "dense cfc": _dense_cfc}


def _module(kind: str, seed: int) -> LTC | CfC:
    """A random one, in float64, with all weights moved away from where they start."""
    torch.manual_seed(seed)
    module = MAKERS[kind](np.random.default_rng(seed)).double()
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if "mask" not in name:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return module


def _run(net: nn.Module, leaves: list[torch.Tensor], **how: Any) -> list[torch.Tensor]:
    """Outputs, final state in the order of `ncps`, and gradients of x and of the start."""
    x, start = (leaf.clone().requires_grad_() for leaf in leaves)
    if isinstance(net, LTC | CfC):
        size = net.state_size
        y, final = net(x, tuple(start.split(size, -1)) if net.use_mixed else start, **how)
        final = torch.cat(final, -1) if net.use_mixed else final
        if x.ndim == 2 and not net.return_sequences:
            y = y.reshape(-1)  # it leaves a dimension of 1 where time is first
    else:
        order = state_order(net)
        positions = torch.cat([order + part for part in range(0, start.shape[-1], len(order))])
        given = torch.empty_like(start)
        given[..., positions] = start
        how = {"elapsed" if name == "timespans" else name: value for name, value in how.items()}
        y, final = net(x, state=given, **how)
        final = final[..., positions]
    torch.manual_seed(3)
    weights, final_weights = (torch.randn(out.shape, dtype=out.dtype) for out in (y, final))
    ((y * weights).sum() + (final * final_weights).sum()).backward()
    return [y.detach(), final.detach(), x.grad, start.grad]


def _by_our_names(module: LTC | CfC) -> dict[str, torch.Tensor]:
    """The module's gradients by our names: they replace its weights, which are then converted."""
    carrier = copy.deepcopy(module)
    gradients = dict(module.named_parameters())
    with torch.no_grad():
        for name, parameter in carrier.named_parameters():
            if gradients[name].grad is not None:
                parameter.copy_(gradients[name].grad)
        taken = from_ncps(carrier)
        if module.use_mixed:  # the constant that is added to a forget gate is no gradient
            taken.memory_b.chunk(4)[2].sub_(1.0)
    return {name: p.detach() for name, p in taken.named_parameters() if p.requires_grad}


def _assert_near(ours: torch.Tensor, theirs: torch.Tensor, what: str) -> None:
    assert ours.shape == theirs.shape, what
    assert torch.allclose(ours, theirs, rtol=1e-9, atol=1e-9 * max(1.0, float(theirs.abs().max())))


def _assert_equal(module: LTC | CfC, leaves: list[torch.Tensor], **how: Any) -> None:
    ours = from_ncps(module)
    module.zero_grad()
    expected = _run(module, leaves, **how)
    for what, mine, theirs in zip(
        ("outputs", "final state", "gradient of x", "gradient of the start"),
        _run(ours, leaves, **how),
        expected,
        strict=True,
    ):
        _assert_near(mine, theirs, what)
    gradients = _by_our_names(module)
    found = {name: p.grad for name, p in ours.named_parameters() if p.requires_grad}
    assert found.keys() == gradients.keys()
    for name, gradient in found.items():
        _assert_near(gradient, gradients[name], name)


def _leaves(module: LTC | CfC, *batch: int) -> list[torch.Tensor]:
    shape = (*batch, STEPS) if module.batch_first else (STEPS, *batch)
    size = module.state_size * (1 + module.use_mixed)
    torch.manual_seed(4)
    return [
        torch.randn(*shape, FEATURES, dtype=torch.float64),
        0.5 * torch.randn(*batch, size, dtype=torch.float64),
    ]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("kind", MAKERS)
def test_random_modules_equal_the_originals(kind: str, seed: int) -> None:
    module = _module(kind, seed)
    _assert_equal(module, _leaves(module, 3))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", MAKERS)
def test_one_sample_without_a_batch_equals_the_originals(kind: str, seed: int) -> None:
    module = _module(kind, 50 + seed)
    _assert_equal(module, _leaves(module))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("kind", MAKERS)
def test_timespans_equal_the_originals(kind: str, seed: int) -> None:
    """One sample at a time: the package spreads the times of a batch over neurons."""
    module = _module(kind, 100 + seed)
    times = np.cumsum(np.random.default_rng(seed).uniform(0.1, 2.0, STEPS))
    timespans = torch.tensor(np.diff(times, prepend=times[0]))[None]  # the first one is 0
    if kind == "ltc":  # it divides by 0 there
        timespans = timespans + 0.2
    _assert_equal(
        module, _leaves(module, 1), timespans=timespans if module.batch_first else timespans.t()
    )


@pytest.mark.parametrize("seed", range(6))
def test_the_fused_kernel_takes_steps_of_length_zero(seed: int) -> None:
    module = _module("wired cfc", seed).float()
    leaves = [leaf.float() for leaf in _leaves(module, 1)]
    timespans = torch.zeros(leaves[0].shape[:2])
    ours = _run(from_ncps(module), leaves, timespans=timespans)
    for mine, theirs in zip(ours, _run(module, leaves, timespans=timespans), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5 * max(1.0, float(theirs.abs().max())))


@pytest.mark.parametrize("kind", ["wired cfc", "dense cfc"])
def test_a_first_observation_at_timespan_zero_counts(kind: str) -> None:
    ours = from_ncps(_module(kind, 7))
    first, _ = _leaves(_module(kind, 7), 1)
    elapsed = torch.zeros(first.shape[:2], dtype=torch.float64)
    assert not torch.allclose(ours(first, elapsed)[1], ours(2 * first, elapsed)[1], atol=1e-3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("kind", MAKERS)
def test_modules_go_there_and_back(kind: str, seed: int) -> None:
    module = _module(kind, 150 + seed)
    ours = from_ncps(module)
    back = to_ncps(ours)
    again = from_ncps(back)
    for name in ("batch_first", "return_sequences", "use_mixed"):
        assert getattr(back, name) == getattr(module, name)
    for mine, theirs in zip(again.parameters(), ours.parameters(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-15)
        assert mine.requires_grad == theirs.requires_grad
    leaves = _leaves(module, 2)
    for mine, theirs in zip(_run(back, leaves), _run(module, leaves), strict=True):
        _assert_near(mine, theirs, "the module made of ours")


@pytest.mark.parametrize("make", [LTC, CfC])
def test_a_wiring_that_served_two_modules_is_read_from_the_masks(make) -> None:
    wiring = ncps.wirings.NCP(8, 6, 2, 3, 2, 3, 2, seed=3)
    first = make(FEATURES, wiring)
    before = np.abs(wiring.sensory_adjacency_matrix).sum()
    second = make(FEATURES, wiring)
    assert np.abs(wiring.sensory_adjacency_matrix).sum() > before  # what makes it a trap
    for module in (first, second):
        _assert_equal(module.double(), _leaves(module, 2))


@pytest.mark.parametrize("make", [LTC, CfC])
def test_weights_of_another_wiring_bring_its_masks(make) -> None:
    torch.manual_seed(0)
    module, other = (make(FEATURES, ncps.wirings.NCP(8, 6, 2, 3, 2, 3, 2, seed=s)) for s in (3, 4))
    module.load_state_dict(other.state_dict())
    ours = from_ncps(module)
    for mine, theirs in zip(
        ours.layout.connections, from_ncps(other).layout.connections, strict=True
    ):
        assert np.array_equal(mine.sensory_pre, theirs.sensory_pre)
        assert np.array_equal(mine.pre, theirs.pre)
    _assert_equal(module.double(), _leaves(module, 2))


FROZEN = {
    "ltc": (("rnn_cell.w", "rnn_cell.input_b"), {"w", "input_b"}),
    "wired cfc": (("fc.weight", "lstm.recurrent_map.weight"), {"output_w", "memory_h"}),
    "dense cfc": (("fc.bias", "lstm.input_map.weight"), {"readout.bias", "memory_x"}),
}


@pytest.mark.parametrize("kind", FROZEN)
def test_frozen_parameters_stay_frozen(kind: str) -> None:
    module = {
        "ltc": lambda: LTC(FEATURES, ncps.wirings.AutoNCP(12, 3)),
        "wired cfc": lambda: CfC(FEATURES, ncps.wirings.AutoNCP(12, 3), 2, mixed_memory=True),
        "dense cfc": lambda: CfC(FEATURES, 5, 2, mixed_memory=True),
    }[kind]()
    learning = {name for name, p in from_ncps(module).named_parameters() if p.requires_grad}
    names, ours = FROZEN[kind]
    for name in names:
        module.get_parameter(name).requires_grad_(False)
    network = from_ncps(module)
    still = {name for name, p in network.named_parameters() if p.requires_grad}
    assert still == learning - ours
    back = to_ncps(network)
    assert [p.requires_grad for p in back.parameters()] == [
        p.requires_grad for p in module.parameters()
    ]


def test_a_frozen_module_is_frozen_and_gives_gradients_of_x() -> None:
    network = from_ncps(LTC(FEATURES, 6).requires_grad_(False))
    assert not any(p.requires_grad for p in network.parameters())
    x = torch.randn(2, 3, FEATURES, requires_grad=True)
    network(x)[0].sum().backward()
    assert x.grad.any()


def test_what_is_frozen_in_part_is_refused() -> None:
    module = CfC(FEATURES, ncps.wirings.AutoNCP(12, 3))
    module.rnn_cell.layer_1.ff1.requires_grad_(False)
    with pytest.raises(ValueError, match="ff1_b would be frozen in one part and learn in another"):
        from_ncps(module)
    network = from_ncps(CfC(FEATURES, ncps.wirings.AutoNCP(12, 3)))
    network.ff1_w.requires_grad_(False)
    with pytest.raises(ValueError, match="ff1.weight would be frozen in one part"):
        to_ncps(network)


@pytest.mark.parametrize("epsilon", [0.0, 1.5e-8, 1e-3])
def test_another_epsilon_is_refused(epsilon: float) -> None:
    with pytest.raises(ValueError, match="the kernels are made for 1e-08"):
        from_ncps(LTC(FEATURES, 6, epsilon=epsilon))


def _with_mask(value: float, at: tuple[int, int]) -> CfC:
    module = CfC(FEATURES, ncps.wirings.AutoNCP(12, 3))
    with torch.no_grad():
        module.rnn_cell.layer_0.sparsity_mask[at] = value
    return module


class _TwoLayers(ncps.wirings.AutoNCP):
    """Inter and command neurons in one layer."""

    @property
    def num_layers(self) -> int:
        return 2

    def get_neurons_of_layer(self, layer_id: int) -> list[int]:
        motors = list(range(self.output_dim))
        return motors if layer_id else list(range(self.output_dim, self.units))


def _with_gelu_by_hand() -> CfC:
    module = CfC(FEATURES, 5, activation="gelu")
    module.rnn_cell.backbone[1] = nn.GELU(approximate="tanh")
    return module


CHANGED = {
    "fractional mask": (lambda: _with_mask(0.5, (0, 0)), "entries other than 0 and 1"),
    "sparse recurrence": (lambda: _with_mask(0.0, (0, -1)), "leaves out recurrent connections"),
    "layers": (lambda: CfC(FEATURES, _TwoLayers(12, 3)), "this CfC has the layers"),
    "activation": (_with_gelu_by_hand, "not changed by hand"),
}


@pytest.mark.parametrize("what", CHANGED)
def test_modules_changed_by_hand_are_refused(what: str) -> None:
    make, message = CHANGED[what]
    with pytest.raises(ValueError, match=message):
        from_ncps(make())
