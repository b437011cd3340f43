"""Expressivity as trajectory length: how long a path the network's state draws while its input goes
once round a circle.

    x(θ) = √(F/2) (cos θ · a + sin θ · b),    θ from 0 to 2π in T time steps of length 2π/T

with a, b orthonormal in the space of the F features, so that each feature has the variance ½ it has
in the published circle of two; a single feature is sin θ. The state starts at 0. The path of all
neurons is projected on its first two principal components, and its length there is divided by the
length of the input (Raghu et al., "On the expressive power of deep neural networks", ICML 2017;
with continuous time and principal components: Hasani et al., "Liquid time-constant networks", AAAI
2021, section 5). One turn, as published: a later one would add the same loop again.

Published lengths compare unlike things (LTC with recurrence, the others without) and grow with the
width as √k or k. Here every neuron has the recurrence of its wiring, the same input, and as much
time; and `expressivity` divides by the same measure of neural ODEs of equal width, fully connected
and as we initialise them, so that wirings of different sizes compare. `published_trajectory` has
the paper's set-up.

What it does not say: LTC is bounded by its reversal potentials, ±1 here and at the start, so its
paths are shorter than those of a neural ODE, which nothing bounds; the paper's are longer since its
potentials are drawn far apart, by √k (`benchmarks/expressivity.py` shows both). A CfC is a map, not
an ODE: its path depends on the number of time steps.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels.cpu import histories
from wiring_search.networks.kernels.layout import Kind
from wiring_search.scores.trained_packs import Scores, TrainedCandidates
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import fully_connected

TIME_STEPS = 100
# The kind of network that lengths are divided by.
REFERENCE = Kind("neural-ode", "heun")
_REFERENCE_SEEDS = 5


class Lengths(NamedTuple):
    """Lengths over the length of the input.

    Attributes:
        plane: (P,), of the path in the plane of two principal components.
        full: (P,), of the path among all neurons.
    """

    plane: np.ndarray
    full: np.ndarray


def circle(features: int, time_steps: int = TIME_STEPS, seed: int = 0) -> np.ndarray:
    """Return the input x of one turn; each time step holds the value of its middle.

    Args:
        features: F.
        time_steps: T of the turn.
        seed: Of a and b.

    Returns:
        (time_steps, features) float32.

    Raises:
        ValueError: There is no feature, or there are fewer than three time steps.
    """
    if features < 1:
        raise ValueError(f"features is {features}; give 1 or more")
    if time_steps < 3:
        raise ValueError(f"time_steps is {time_steps}; give 3 or more, or it is no circle")
    angle = (np.arange(time_steps) + 0.5) * (2 * np.pi / time_steps)
    if features == 1:
        return np.sin(angle)[:, None].astype(np.float32)
    frame, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((features, 2)))
    return (
        np.sqrt(features / 2) * np.stack([np.cos(angle), np.sin(angle)], axis=1) @ frame.T
    ).astype(np.float32)


def circle_length(features: int) -> float:
    """Return the length of the input's path: a circumference; there and back for one feature."""
    return 4.0 if features == 1 else 2 * np.pi * np.sqrt(features / 2)


def latent_trajectories(
    pack: Pack, time_steps: int = TIME_STEPS, seed: int = 0
) -> list[np.ndarray]:
    """Return the states of every candidate's neurons, from 0 at the start to the end of the turn.

    Args:
        pack: Fresh or trained.
        time_steps: T of the turn.
        seed: Of the circle.

    Returns:
        (time_steps + 1, neurons) float32 per candidate.

    Raises:
        ValueError: As of `circle`.
    """
    x = circle(pack.layout.features, time_steps, seed)[None]
    elapsed = np.full((1, time_steps), 2 * np.pi / time_steps, np.float32)
    rest = np.zeros((1, pack.layout.state_size), np.float32)
    _, _, kept = cpu.forward(pack.layout, pack.effective, x, elapsed, rest, False)
    visited = histories(pack.layout, kept)
    return [
        states[0, :, : made.neurons]
        for states, made in zip(visited, pack.layout.connections, strict=True)
    ]


def principal_plane(path: np.ndarray) -> np.ndarray:
    """Project a path on its first two principal components.

    Args:
        path: (points, neurons).

    Returns:
        (points, 2), or (points, 1) of one neuron.
    """
    centred = path - path.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    return centred @ axes[:, :-3:-1]


def path_length(path: np.ndarray) -> float:
    """Return the length of a path (points, dimensions), with straight lines between points."""
    return float(np.sqrt(np.square(np.diff(path, axis=0)).sum(axis=1)).sum())


def trajectory_lengths(pack: Pack, time_steps: int = TIME_STEPS, seed: int = 0) -> Lengths:
    """Return the lengths of every candidate, NaN where its states are not finite.

    Args:
        pack: Fresh or trained.
        time_steps: T of the turn.
        seed: Of the circle.

    Raises:
        ValueError: As of `circle`.
    """
    whole = circle_length(pack.layout.features)
    plane = np.full(pack.layout.size, np.nan)
    full = np.full(pack.layout.size, np.nan)
    for p, path in enumerate(latent_trajectories(pack, time_steps, seed)):
        path = path.astype(float)
        if np.isfinite(path).all():
            plane[p], full[p] = (
                path_length(principal_plane(path)) / whole,
                path_length(path) / whole,
            )
    return Lengths(plane, full)


def expressivity(pack: Pack, time_steps: int = TIME_STEPS, seed: int = 0) -> np.ndarray:
    """Return the length in the plane over that of neural ODEs with as many neurons.

    Args:
        pack: Fresh or trained.
        time_steps: T of the turn.
        seed: Of the circle.

    Returns:
        (P,), a pure number; more is more expressive; NaN where states are not finite.

    Raises:
        ValueError: As of `circle`.
    """
    features = pack.layout.features
    connections = pack.layout.connections
    usual = np.array(
        [neural_ode_length(made.neurons, features, time_steps, seed) for made in connections]
    )
    return trajectory_lengths(pack, time_steps, seed).plane / usual


def measure(trained: TrainedCandidates) -> Scores:
    """Return `expressivity` of trained candidates."""
    return {
        "expressivity": trained.per_pack(lambda pack: expressivity(pack, seed=trained.seed)),
    }


@cache
def neural_ode_length(
    neurons: int, features: int, time_steps: int = TIME_STEPS, seed: int = 0
) -> float:
    """Return the mean length in the plane of five fully connected neural ODEs.

    Their synapses are excitatory as often as inhibitory, and each feature is a sensory node.

    Args:
        neurons: Of each.
        features: F of the circle.
        time_steps: T of the turn.
        seed: Of the circle.
    """
    drawn = [
        Candidate(
            fully_connected(features, neurons, 1, excitatory=0.5, seed=k), *REFERENCE[:2], 1, seed=k
        )
        for k in range(_REFERENCE_SEEDS)
    ]
    return float(trajectory_lengths(Pack(drawn, features, 1), time_steps, seed).plane.mean())
