"""A pack trains each candidate exactly as it would be trained alone, and as torch would."""

from collections.abc import Callable
from inspect import isfunction, signature

import numpy as np
import pytest
import torch

from tests.support.random_packs import random_wiring
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.training.pack import Pack, initial_weights
from wiring_search.training.pack_like import PackLike
from wiring_search.wirings.candidate import Candidate

FEATURES, OUTPUTS = 3, 2
RNG = np.random.default_rng(0)
X = RNG.standard_normal((21, 5, FEATURES)).astype(np.float32)
ELAPSED = np.ones((21, 5), np.float32)
TARGET = torch.tensor(RNG.standard_normal((21, 1, OUTPUTS)), dtype=torch.float32)


def _loss(y: torch.Tensor) -> torch.Tensor:
    return (y - TARGET).square().mean(dim=(1, 2, 3))


def _candidates(count: int = 4) -> list[Candidate]:
    rng = np.random.default_rng(1)
    return [
        Candidate(random_wiring(rng), steps=1 + k % 3, learning_rate=0.003 * 3**k, seed=k)
        for k in range(count)
    ]


def _train(pack: Pack, steps: int) -> Pack:
    for _ in range(steps):
        pack.train_step(X, ELAPSED, False, _loss)
    return pack


def test_in_a_pack_and_alone_is_the_same_bit_for_bit() -> None:
    candidates = _candidates()
    together = _train(Pack(candidates, FEATURES, OUTPUTS), 6)
    for p, candidate in enumerate(candidates):
        alone = _train(Pack([candidate], FEATURES, OUTPUTS), 6)
        assert np.array_equal(alone.weights(0), together.weights(p))
        assert not np.array_equal(
            alone.weights(0), initial_weights(alone.layout, 0, candidate.seed)
        )


def test_a_candidate_learns_as_with_torch() -> None:
    candidate = _candidates()[1]
    pack = _train(Pack([candidate], FEATURES, OUTPUTS), 10)
    network = LiquidNetwork(
        candidate.wiring,
        FEATURES,
        OUTPUTS,
        steps=candidate.steps,
        every_step=False,
        seed=candidate.seed,
    )
    optimiser = torch.optim.Adam(network.parameters(), candidate.learning_rate)
    for _ in range(10):
        optimiser.zero_grad()
        (network(torch.from_numpy(X))[0] - TARGET[:, 0]).square().mean().backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    theirs = torch.cat([p.detach().reshape(-1) for p in network.parameters()]).numpy()
    assert np.abs(pack.weights(0) - theirs).max() < 2e-4 * np.abs(theirs).max()


def test_a_poisoned_candidate_is_frozen_and_its_mates_do_not_notice() -> None:
    candidates = _candidates()
    states = [None, dict(Pack(candidates[1:2], FEATURES, OUTPUTS).state(0)), None, None]
    states[1]["weights"] = np.full_like(states[1]["weights"], np.nan)
    poisoned = _train(Pack(candidates, FEATURES, OUTPUTS, states), 5)
    healthy = _train(Pack(candidates, FEATURES, OUTPUTS), 5)
    assert poisoned.alive.tolist() == [True, False, True, True]
    for p in (0, 2, 3):
        assert np.array_equal(poisoned.weights(p), healthy.weights(p))


def test_a_state_resumes_bit_for_bit_in_another_pack() -> None:
    candidates = _candidates()
    whole = _train(Pack(candidates, FEATURES, OUTPUTS), 8)
    first = _train(Pack(candidates, FEATURES, OUTPUTS), 3)
    order = [2, 0]
    repacked = Pack(
        [candidates[p] for p in order], FEATURES, OUTPUTS, [first.state(p) for p in order]
    )
    _train(repacked, 5)
    for position, p in enumerate(order):
        assert np.array_equal(repacked.weights(position), whole.weights(p))


def test_another_candidates_state_is_refused() -> None:
    pack = Pack(_candidates(), FEATURES, OUTPUTS)
    with pytest.raises(ValueError, match="parameters but its state has"):
        Pack(_candidates()[:1], FEATURES, OUTPUTS, [pack.state(3)])


def test_a_pack_of_either_device_takes_what_training_gives_it() -> None:
    """The methods of `PackLike`, by the names and kinds of their parameters."""
    pytest.importorskip("triton", reason="the GPU's packs are made with it")
    from wiring_search.training.gpu_pack import GpuPack

    asked = {name: m for name, m in vars(PackLike).items() if isfunction(m) and name[0] != "_"}
    assert {"predict_checked", "steps_on", "weights", "state"} <= set(asked)
    for pack in (Pack, GpuPack):
        for name, method in asked.items():
            assert _parameters(getattr(pack, name)) == _parameters(method), (pack, name)


def _parameters(method: Callable) -> list[tuple[str, object]]:
    return [(name, given.kind) for name, given in signature(method).parameters.items()]
