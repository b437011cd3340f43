"""The dense CfC against `ncps.torch.CfC` with the same weights where that works, and against a loop
over single samples of its cell where times are irregular; weights there and back."""

import copy
import pickle

import pytest
import torch
from ncps.torch import CfC

from wiring_search.networks.backbone_cfc import ACTIVATIONS, MODES, BackboneCfC
from wiring_search.networks.ncps_interop import from_ncps, state_order, to_ncps

FEATURES, UNITS, BATCH, STEPS = 3, 5, 6, 7
MODULES = {
    **{
        f"{mode}{' with memory' if m else ''}": {"mode": mode, "mixed_memory": m}
        for mode in MODES
        for m in (False, True)
    },
    **{f"{name}, two layers": {"activation": name, "backbone_layers": 2} for name in ACTIVATIONS},
    "no backbone": {"backbone_layers": 0, "mixed_memory": True},
    "pure, no backbone": {"backbone_layers": 0, "mode": "pure"},
    "projected": {"proj_size": 2, "mixed_memory": True},
    "last step": {"return_sequences": False, "proj_size": 4, "backbone_layers": 3},
}


def _module(what: str, dtype: torch.dtype = torch.float64) -> CfC:
    torch.manual_seed(2)
    return CfC(FEATURES, UNITS, **{"backbone_units": 11, **MODULES[what]}).to(dtype)


def _normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _relative(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    assert ours.shape == theirs.shape
    assert ours.dtype == theirs.dtype
    return float((ours - theirs).detach().abs().max()) / max(
        1.0, float(theirs.detach().abs().max())
    )


def _loss(y: torch.Tensor, final: torch.Tensor) -> torch.Tensor:
    return (y * _normal(*y.shape, seed=3)).sum() + (final * _normal(*final.shape, seed=4)).sum()


def _in_our_places(module: CfC) -> dict[str, torch.Tensor]:
    """The module's gradients by our names.

    They replace the module's weights, which are then converted like weights.
    """
    carrier = copy.deepcopy(module)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            dict(carrier.named_parameters())[name].copy_(parameter.grad)
        taken = from_ncps(carrier)
        if taken.mixed_memory:
            taken.memory_b.chunk(4)[2].sub_(
                1.0
            )  # the constant that is added to a forget gate is no gradient
    return dict(taken.named_parameters())


def _assert_same_gradients(ours: BackboneCfC, theirs: CfC, tolerance: float) -> None:
    expected = _in_our_places(theirs)
    assert expected
    assert expected.keys() == dict(ours.named_parameters()).keys()
    for name, parameter in ours.named_parameters():
        assert _relative(parameter.grad, expected[name].detach()) < tolerance, name


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("what", MODULES)
def test_regular_time_equals_the_original(what: str, dtype: torch.dtype, tolerance: float) -> None:
    theirs = _module(what, dtype)
    ours = from_ncps(theirs)
    assert isinstance(ours, BackboneCfC)
    assert ours.state_size == UNITS * (2 if theirs.use_mixed else 1)
    assert state_order(ours).tolist() == list(range(UNITS))
    leaves = [
        t.to(dtype).requires_grad_()
        for t in (_normal(BATCH, STEPS, FEATURES), _normal(BATCH, ours.state_size))
    ]
    copies = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    y, final = theirs(leaves[0], leaves[1].split(UNITS, dim=1) if theirs.use_mixed else leaves[1])
    final = torch.cat(final, dim=1) if theirs.use_mixed else final
    our_y, our_final = ours(copies[0], state=copies[1])
    _loss(y, final).backward()
    _loss(our_y, our_final).backward()
    assert _relative(our_y, y) < tolerance
    assert _relative(our_final, final) < tolerance
    for mine, leaf in zip(copies, leaves, strict=True):
        assert _relative(mine.grad, leaf.grad) < tolerance
    _assert_same_gradients(ours, theirs, tolerance)


@pytest.mark.parametrize("what", MODULES)
def test_weights_go_back_as_they_came(what: str) -> None:
    theirs = _module(what)
    back = to_ncps(from_ncps(theirs))
    assert str(back) == str(theirs)
    assert back.return_sequences == theirs.return_sequences
    mine, original = back.state_dict(), theirs.state_dict()
    assert mine.keys() == original.keys()
    assert all(_relative(mine[name], original[name]) < 1e-15 for name in mine)


def _irregular() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """x, elapsed times with gaps, and lengths, of a batch."""
    lengths = torch.tensor([STEPS, 1, 4, STEPS - 1, 0, 2])
    elapsed = _normal(BATCH, STEPS, seed=6).abs()
    elapsed[0, 2] = elapsed[2, 0] = elapsed[3, 4] = 0.0
    return _normal(BATCH, STEPS, FEATURES, seed=5), elapsed, lengths


def _one_sample(
    module: CfC, x: torch.Tensor, elapsed: torch.Tensor, state: torch.Tensor, held: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The module's cell, step by step, without the steps that are held."""
    h, c = state[None, :UNITS], state[None, UNITS:]
    states = []
    for now, gap, holds in zip(x, elapsed, held, strict=True):
        if not holds:
            start = h
            if module.use_mixed:
                start, c = module.lstm(now[None], (h, c))
            h, _ = module.rnn_cell(now[None], start, gap)
        states.append(h[0])
    y = module.fc(torch.stack(states)) if module.return_sequences else module.fc(h[0])
    return y, torch.cat([h, c], dim=1)[0]


@pytest.mark.parametrize("hold_at_zero", [True, False])
@pytest.mark.parametrize("what", MODULES)
def test_irregular_time_equals_a_loop_over_samples(what: str, hold_at_zero: bool) -> None:
    theirs = _module(what)
    ours = from_ncps(theirs)
    assert not ours.hold_at_zero
    ours.hold_at_zero = hold_at_zero
    x, elapsed, lengths = _irregular()
    held = torch.arange(STEPS) >= lengths[:, None]
    if hold_at_zero:
        held = held | (elapsed == 0)
    leaves = [
        t.clone().requires_grad_() for t in (x, elapsed, _normal(BATCH, ours.state_size, seed=7))
    ]
    copies = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    samples = zip(*leaves, held, strict=True)
    y, final = map(
        torch.stack, zip(*(_one_sample(theirs, *sample) for sample in samples), strict=True)
    )
    our_y, our_final = ours(copies[0], copies[1], copies[2], lengths)
    _loss(y, final).backward()
    _loss(our_y, our_final).backward()
    assert _relative(our_y, y) < 1e-12
    assert _relative(our_final, final) < 1e-12
    for mine, leaf in zip(copies, leaves, strict=True):
        assert _relative(mine.grad, leaf.grad) < 1e-12
    _assert_same_gradients(ours, theirs, 1e-12)


@pytest.mark.parametrize("what", MODULES)
def test_what_stands_in_the_padding_does_not_matter(what: str) -> None:
    ours = from_ncps(_module(what))
    ours.hold_at_zero = True
    x, elapsed, lengths = _irregular()
    held = (elapsed == 0) | (torch.arange(STEPS) >= lengths[:, None])
    results = []
    for filler in (0.0, float("nan"), float("inf")):
        ours.zero_grad()
        filled = torch.where(held[:, :, None], filler, x).requires_grad_()
        y, final = ours(filled, elapsed, lengths=lengths)
        _loss(y, final).backward()
        assert (filled.grad[held] == 0).all()
        assert (filled.grad[~held] != 0).any()
        results.append(
            [y, final, filled.grad, *(parameter.grad for parameter in ours.parameters())]
        )
    for poisoned in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(poisoned, results[0], strict=True))


def test_one_number_and_ones_and_nothing_are_the_same_times() -> None:
    net, x = BackboneCfC(FEATURES, UNITS), _normal(BATCH, STEPS, FEATURES).float()
    plain, ones, number = net(x)[0], net(x, torch.ones(BATCH, STEPS))[0], net(x, 1.0)[0]
    assert torch.equal(plain, ones)
    assert torch.equal(plain, number)
    assert not torch.allclose(plain, net(x, 2.0)[0], atol=1e-3)


def test_dropout_acts_in_training_as_in_the_original() -> None:
    """From the second layer on; equal draws of torch's generator drop the same units."""
    x, start = _normal(BATCH, STEPS, FEATURES).float(), torch.zeros(BATCH, UNITS)
    theirs = CfC(FEATURES, UNITS, backbone_units=11, backbone_layers=3, backbone_dropout=0.4)
    ours = from_ncps(theirs)
    torch.manual_seed(8)
    expected = theirs(x, start)[0]
    torch.manual_seed(8)
    dropped = ours(x)[0]
    assert _relative(dropped, expected) < 2e-6
    assert not torch.allclose(dropped, ours.eval()(x)[0], atol=1e-3)
    assert _relative(from_ncps(theirs.eval())(x)[0], theirs(x, start)[0]) < 2e-6
    assert to_ncps(ours).rnn_cell.backbone[4].p == 0.4
    assert not to_ncps(ours).training
    assert from_ncps(CfC(FEATURES, UNITS, backbone_dropout=0.4)).dropout == 0.0, (
        "with one layer it does nothing there"
    )


def test_sizes_are_those_of_the_original() -> None:
    """34,888 parameters, as the original has with 20 inputs and 50 units."""
    assert sum(p.numel() for p in BackboneCfC(20, 50).parameters()) == 34_888
    for what in MODULES:
        theirs = _module(what)
        assert sum(p.numel() for p in from_ncps(theirs).parameters()) == sum(
            p.numel() for p in theirs.parameters()
        )


def test_the_seed_decides_and_torchs_own_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (
        BackboneCfC(3, 4, 2, mixed_memory=True, seed=seed).state_dict() for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(
        torch.equal(first[name], other[name])
        for name in first
        if name.endswith("weight") or "memory" in name
    )


def test_initial_weights_are_xaviers_head_by_head() -> None:
    net = BackboneCfC(20, 60, backbone_units=100)
    for weights in (net.backbone[0].weight, *net.heads.weight.split(60)):
        bound = (6 / sum(weights.shape)) ** 0.5
        assert 0.97 * bound < weights.abs().max() <= bound
        assert abs(weights.mean()) < 0.05 * bound
    pure = BackboneCfC(20, 60, mode="pure")
    assert (pure.amplitude == 1).all()
    assert (pure.w_tau == 0).all()
    assert (pure.heads.bias == 0).all()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))])
def test_copies_give_the_same_outputs(copied) -> None:
    net, x = (
        BackboneCfC(FEATURES, UNITS, 2, mixed_memory=True),
        _normal(BATCH, STEPS, FEATURES).float(),
    )
    assert torch.equal(copied(net)(x)[0], net(x)[0])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "gated"}, "mode is 'gated'; give one of default, no_gate, pure"),
        ({"activation": "sine"}, "activation is 'sine'; give one of silu"),
        ({"units": 0}, "units is 0; give 1 or more"),
        ({"outputs": 0}, "outputs is 0"),
        ({"backbone_layers": -1}, "backbone_layers is -1"),
        ({"backbone_layers": 2, "dropout": 1.0}, "dropout is 1.0; give a share"),
        ({"dropout": 0.1}, "there are 1; give backbone_layers=2"),
    ],
)
def test_what_makes_no_network_is_refused(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        BackboneCfC(**{"features": 3, "units": 4, **given})


def test_inputs_that_do_not_fit_are_refused() -> None:
    net, x = BackboneCfC(3, 4, mixed_memory=True), torch.zeros(2, 5, 3)
    for call, message in (
        (lambda: net(x[:, :, :2]), r"x has shape \(2, 5, 2\); give \(batch, time, 3\)"),
        (lambda: net(x, state=torch.zeros(2, 4)), r"state has shape \(2, 4\); give .* = \(2, 8\)"),
        (lambda: net(x, torch.ones(2)), r"elapsed has shape \(2,\)"),
        (lambda: net(x, -1.0), "elapsed has a negative"),
        (lambda: net(x, lengths=torch.tensor([6, 1])), r"lengths are \[6, 1\]"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_a_backbone_changed_by_hand_is_refused() -> None:
    module = CfC(3, 4)
    module.rnn_cell.backbone[1] = torch.nn.Softsign()
    with pytest.raises(ValueError, match="not changed by hand"):
        from_ncps(module)
