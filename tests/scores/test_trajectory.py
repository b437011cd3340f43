"""Trajectory length against plain torch, singular values and closed forms; the paper's set-up
against its re-run.
"""

import numpy as np
import pytest
import torch

from benchmarks.published_trajectory import MODELS, published_length
from tests.support.random_packs import random_wiring
from wiring_search.networks.kernels import reference
from wiring_search.scores.trajectory import (
    circle,
    circle_length,
    expressivity,
    latent_trajectories,
    neural_ode_length,
    path_length,
    principal_plane,
    trajectory_lengths,
)
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS
from wiring_search.wirings.topologies import fully_connected

FEATURES = 3


def _candidates(neuron: str = "ltc", memory: str = "none", count: int = 4) -> list[Candidate]:
    rng = np.random.default_rng(2)
    solver = KINDS[neuron].usual_solver
    steps = [0 if solver == "closed-form" else 1 + k % 3 for k in range(count)]
    return [
        Candidate(random_wiring(rng), neuron, solver, steps[k], memory, seed=k)
        for k in range(count)
    ]


def _slow_states(candidate: Candidate, time_steps: int) -> np.ndarray:
    """(time_steps + 1, neurons): the plain reference in float64, one time step per call."""
    pack = Pack([candidate], FEATURES, 1)
    params = torch.from_numpy(pack.effective).double()
    x = torch.from_numpy(circle(FEATURES, time_steps)).double()
    state, states = (
        torch.zeros(1, pack.layout.state_size, dtype=torch.float64),
        [np.zeros(candidate.wiring.neurons)],
    )
    for t in range(time_steps):
        elapsed = torch.full((1, 1), 2 * np.pi / time_steps, dtype=torch.float64)
        _, state = reference.run(pack.layout, params, x[None, t : t + 1], elapsed, state, False)
        states.append(state[0, : candidate.wiring.neurons].numpy())
    return np.stack(states)


def _plane_by_svd(path: np.ndarray) -> np.ndarray:
    centred = path - path.mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    return centred @ axes[:2].T


@pytest.mark.parametrize(("neuron", "memory"), [("ltc", "none"), ("cfc", "none"), ("ltc", "state")])
def test_lengths_are_those_of_the_plain_reference(neuron: str, memory: str) -> None:
    candidates = _candidates(neuron, memory)
    pack = Pack(candidates, FEATURES, 1)
    found = trajectory_lengths(pack, time_steps=24)
    for p, candidate in enumerate(candidates):
        states = _slow_states(candidate, 24)
        assert np.abs(latent_trajectories(pack, 24)[p] - states).max() < 1e-5
        assert found.full[p] == pytest.approx(
            path_length(states) / circle_length(FEATURES), rel=1e-4
        )
        assert found.plane[p] == pytest.approx(
            path_length(_plane_by_svd(states)) / circle_length(FEATURES), rel=1e-4
        )


def test_pack_mates_do_not_change_a_bit() -> None:
    candidates = _candidates(count=6)
    together = Pack(candidates, FEATURES, 1)
    for p, candidate in enumerate(candidates):
        alone = Pack([candidate], FEATURES, 1)
        assert expressivity(alone)[0] == expressivity(together)[p]
        assert trajectory_lengths(alone).full[0] == trajectory_lengths(together).full[p]


def test_a_plane_is_what_singular_values_say() -> None:
    path = np.random.default_rng(0).standard_normal((50, 7)).cumsum(axis=0)
    assert path_length(principal_plane(path)) == pytest.approx(
        path_length(_plane_by_svd(path)), rel=1e-10
    )
    turned = path @ np.linalg.qr(np.random.default_rng(1).standard_normal((7, 7)))[0]
    assert path_length(principal_plane(turned)) == pytest.approx(
        path_length(principal_plane(path)), rel=1e-10
    )
    assert path_length(principal_plane(3 * path)) == pytest.approx(
        3 * path_length(principal_plane(path)), rel=1e-10
    )
    assert path_length(principal_plane(path)) < path_length(path)
    flat = path[:, :2]
    assert path_length(principal_plane(flat)) == pytest.approx(path_length(flat), rel=1e-10)
    assert path_length(principal_plane(flat[:, :1])) == pytest.approx(
        np.abs(np.diff(flat[:, 0])).sum(), rel=1e-10
    )


@pytest.mark.parametrize("features", [1, 2, 5])
def test_the_input_goes_round_once(features: int) -> None:
    x = circle(features, 400)
    closed = np.concatenate([x, x[:1]])
    assert path_length(closed) == pytest.approx(circle_length(features), rel=1e-2)
    assert np.square(x).sum() / x.size == pytest.approx(0.5, rel=1e-3)
    assert np.abs(x.mean(axis=0)).max() < 1e-5
    assert np.linalg.matrix_rank(x, tol=1e-3) == min(features, 2)


def test_an_integrator_without_recurrence_draws_what_calculus_says() -> None:
    """Small weights ε: dx/dθ = ε sin θ, so each neuron goes to 2ε and back."""
    pack = Pack([Candidate(fully_connected(1, 6, 1), "neural-ode", "rk4", 1)], 1, 1)
    own, small = pack.layout.slices[0], np.array([1e-3, -2e-3, 5e-4, 1e-3, 0.0, 3e-3], np.float32)
    pack.effective[own["w"]] = 0.0
    pack.effective[own["sensory_w"]] = small
    lengths = trajectory_lengths(pack)
    assert lengths.full[0] == pytest.approx(np.linalg.norm(small), rel=1e-3)
    assert lengths.plane[0] == pytest.approx(np.linalg.norm(small), rel=1e-3)
    pack.effective[own["sensory_w"]] = 2 * small
    assert trajectory_lengths(pack).plane[0] == pytest.approx(2 * lengths.plane[0], rel=1e-3)


def test_the_measure_of_neural_odes_is_one_for_neural_odes() -> None:
    drawn = [
        Candidate(fully_connected(2, 12, 1, excitatory=0.5, seed=k), "neural-ode", "rk4", 2, seed=k)
        for k in range(100, 120)
    ]
    found = expressivity(Pack(drawn, 2, 1))
    assert 0.8 < found.mean() < 1.25
    assert neural_ode_length(40, 2) / neural_ode_length(10, 2) == pytest.approx(
        2.0, rel=0.35
    )  # grows as √k


def test_states_that_are_not_finite_have_no_length() -> None:
    candidates = _candidates()
    pack, healthy = Pack(candidates, FEATURES, 1), expressivity(Pack(candidates, FEATURES, 1))
    pack.effective[pack.layout.blocks[1]] = np.nan
    found = expressivity(pack)
    assert np.isnan(found).tolist() == [False, True, False, False]
    assert np.array_equal(found[[0, 2, 3]], healthy[[0, 2, 3]])


def test_what_is_no_circle_is_refused() -> None:
    with pytest.raises(ValueError, match="features is 0"):
        circle(0)
    with pytest.raises(ValueError, match="time_steps is 2"):
        circle(2, 2)
    with pytest.raises(ValueError, match="known: neural-ode"):
        published_length("lstm", 10, 1.0)
    with pytest.raises(ValueError, match="known: tanh"):
        published_length("ltc", 10, 1.0, "gelu")


@pytest.mark.parametrize(
    ("activation", "width", "scale", "medians"),
    [
        ("tanh", 25, 2, (19.8, 12.8, 94, 80)),
        ("tanh", 100, 2, (38.8, 25.1, 374, 352)),
        ("tanh", 100, 1, (36.4, 17.5, 171, 121)),
        ("tanh", 100, 4, (47.9, 29.4, 826, 813)),
        ("relu", 100, 2, (81.6, 35.9, np.inf, 250)),
        ("hard-tanh", 100, 2, (40.8, 26.3, 385, 366)),
        ("coded-hard-tanh", 100, 2, (114, 74, np.inf, 559)),
    ],
)
def test_the_published_set_up_gives_what_its_re_run_gave(
    activation: str, width: int, scale: float, medians: tuple[float, ...]
) -> None:
    """Medians of five seeds, ours and theirs. With recurrence LTC varies by a factor of two from
    seed to seed, and at scale 1 the re-run's 171 lies above all of ours (107 to 166 in fifteen
    seeds)."""
    for model, expected in zip(MODELS, medians, strict=True):
        found = np.median(
            [published_length(model, width, scale, activation, seed) for seed in range(5)]
        )
        assert found == pytest.approx(expected, rel=0.25 if model == "ltc" else 0.12), model
