"""Ranks of the liquid network itself, and the proxies of many candidates: slow loops and closed
cases."""

import numpy as np
import pytest
import torch

from tests.support.random_packs import random_wiring
from wiring_search.networks.kernels import reference
from wiring_search.scores import proxies as module
from wiring_search.scores.gradient import gradient_flow
from wiring_search.scores.proxies import PROXIES, proxies
from wiring_search.scores.rank import generalisation_rank, kernel_rank
from wiring_search.scores.trajectory import expressivity
from wiring_search.training.baselines.reservoir import Reservoir
from wiring_search.training.baselines.reservoir_ranks import kernel_quality as echo_state_quality
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import fully_connected, random_sparse
from wiring_search.wirings.wiring import Wiring

FEATURES = 2


def _candidates(
    count: int, neuron: str = "ltc", solver: str = "semi-implicit", steps: int = 2
) -> list[Candidate]:
    rng = np.random.default_rng(8)
    return [Candidate(random_wiring(rng), neuron, solver, steps, seed=k) for k in range(count)]


def _delay_line(neurons: int) -> Candidate:
    """CT-RNN neurons in a row, of which Euler's step of one unit of time makes shift registers: τ =
    1."""
    row = tuple((i + 1, i, 1) for i in range(neurons - 1))
    return Candidate(
        Wiring(1, neurons - 1, 0, 1, ((0, neurons - 1, 1),), row), "ct-rnn", "euler", 1
    )


def _slow_rank(candidate: Candidate, u: np.ndarray, threshold: float) -> int:
    pack = Pack([candidate], FEATURES, 1)
    params, rest = (
        torch.from_numpy(pack.effective).double(),
        torch.zeros(len(u), pack.layout.state_size).double(),
    )
    _, final = reference.run(
        pack.layout, params, torch.from_numpy(u), torch.ones(u.shape[:2]).double(), rest, False
    )
    scales = np.linalg.svd(final.numpy()[:, : candidate.wiring.neurons], compute_uv=False)
    return int((scales > threshold * scales[0]).sum())


def test_ranks_are_those_of_the_plain_reference() -> None:
    candidates = _candidates(5)
    pack, rng = Pack(candidates, FEATURES, 1), np.random.default_rng(4)
    for p, candidate in enumerate(candidates):
        n = candidate.wiring.neurons
        u = np.random.default_rng(4).uniform(-1, 1, (n, 12, FEATURES))
        assert kernel_rank(pack, steps=12, seed=4)[p] == _slow_rank(candidate, u, 0.01)
    base = rng.uniform(-1, 1, (1, 12, FEATURES))
    copies = base + 0.3 * rng.standard_normal((9, 12, FEATURES))
    found = generalisation_rank(pack, streams=9, steps=12, jitter=0.3, seed=4)
    assert found.tolist() == [_slow_rank(candidate, copies, 0.01) for candidate in candidates]


@pytest.mark.parametrize(("steps", "rank"), [(3, 3), (6, 6), (30, 9)])
def test_the_rank_of_a_delay_line_is_what_it_holds(steps: int, rank: int) -> None:
    pack = Pack([_delay_line(9)], 1, 1)
    pack.effective[pack.layout.slices[0]["w"]] = 1.0
    pack.effective[pack.layout.slices[0]["sensory_w"]] = 0.1
    assert kernel_rank(pack, streams=20, steps=steps, threshold=1e-5)[0] == rank
    assert kernel_rank(pack, streams=5, steps=steps, threshold=1e-5)[0] == min(rank, 5)
    assert generalisation_rank(pack, steps=steps, jitter=0.0)[0] == 1


def test_jitter_is_told_apart_less_than_different_streams() -> None:
    drawn = [
        Candidate(random_sparse(2, 40, 2, 20, 160, seed=k), "ct-rnn", "rk4", 1, seed=k)
        for k in range(3)
    ]
    pack = Pack(drawn, FEATURES, 1)
    ranks = np.stack([generalisation_rank(pack, jitter=jitter) for jitter in (0.0, 0.01, 0.1, 1.0)])
    assert (ranks[0] == 1).all()
    assert (np.diff(ranks, axis=0) >= 0).all()
    assert (ranks[2] < kernel_rank(pack)).all()
    assert (kernel_rank(pack) <= 40).all()
    assert echo_state_quality(Reservoir(drawn[0].wiring)) <= 40


def test_ranks_do_not_depend_on_pack_mates() -> None:
    candidates = _candidates(6)
    together = (
        kernel_rank(Pack(candidates, FEATURES, 1)),
        generalisation_rank(Pack(candidates, FEATURES, 1)),
    )
    for p, candidate in enumerate(candidates):
        alone = Pack([candidate], FEATURES, 1)
        assert (kernel_rank(alone)[0], generalisation_rank(alone)[0]) == (
            together[0][p],
            together[1][p],
        )


def test_settings_out_of_range_are_refused() -> None:
    pack = Pack(_candidates(1), FEATURES, 1)
    for call, message in (
        (lambda: kernel_rank(pack, streams=0), "streams is 0"),
        (lambda: kernel_rank(pack, steps=0), "steps is 0"),
        (lambda: generalisation_rank(pack, threshold=1.0), "threshold is 1.0"),
        (lambda: generalisation_rank(pack, jitter=-0.1), "jitter is -0.1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_mixed_candidates_one_by_one_and_at_once_are_the_same_bit_for_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_PACK", 3)
    kinds = [("ltc", "semi-implicit", 2), ("ct-rnn", "rk4", 1), ("cfc", "closed-form", 0)]
    mixed = [
        candidate
        for few in zip(*(_candidates(4, *kind) for kind in kinds), strict=True)
        for candidate in few
    ]
    done: list[tuple[int, int]] = []
    found = proxies(mixed, FEATURES, seed=1, progress=lambda *counts: done.append(counts))
    assert tuple(found) == PROXIES
    assert done[-1] == (12, 12)
    assert len(done) == 6
    for p, candidate in enumerate(mixed):
        alone = proxies([candidate], FEATURES, seed=1)
        assert all(
            np.array_equal(alone[name][0], found[name][p], equal_nan=True) for name in PROXIES
        )
    x = np.random.default_rng(1).uniform(-1, 1, (16, 32, FEATURES)).astype(np.float32)
    pack = Pack(mixed[:1], FEATURES, 1)
    assert found["expressivity"][0] == expressivity(pack, seed=1)[0]
    assert found["gradient_slope"][0] == gradient_flow(pack, x, seed=1).slopes[0]
    assert found["kernel_rank"][0] == kernel_rank(pack, seed=1)[0]
    assert np.isfinite(np.concatenate(list(found.values()))).all()


def test_a_candidate_whose_solver_explodes_is_nan_and_nobody_else() -> None:
    sound = _candidates(2, "ltc", "euler", 6)
    wild = Candidate(fully_connected(FEATURES, 30, 1, excitatory=0.5), "ltc", "euler", 1)
    found = proxies([sound[0], wild, sound[1]], FEATURES)
    assert np.isnan(found["kernel_rank"]).tolist() == [False, True, False]
    assert np.isnan(found["gradient_slope"]).tolist() == [False, True, False]
    assert np.isfinite(found["expressivity"]).all()  # whose steps are short


def test_no_candidates_have_no_proxies() -> None:
    assert all(len(values) == 0 for values in proxies([], FEATURES).values())
