"""Kernel rank and generalisation rank of the liquid network itself: what it tells apart, and what
it takes for the same.

Kernel rank is the rank of the final states (streams × neurons) that different random input streams
lead to. Generalisation rank is that of the states that jittered copies of one stream lead to.
Definitions, streams and threshold are those of `reservoir_ranks`, where an echo state network of
random weights stands for the wiring. Here the candidate's neurons run with the weights they have,
fresh or trained. More of the first and less of the second is better (Legenstein & Maass, "Edge of
chaos and prediction of computational performance for neural circuit models", Neural Networks 20,
2007).

Every candidate sees the first of the same streams, as many as it has neurons.
"""

import numpy as np

from wiring_search.networks.kernels import cpu
from wiring_search.scores.trained_packs import Scores, TrainedCandidates
from wiring_search.training.baselines.reservoir_ranks import (
    check_rank_settings,
    different_streams,
    jittered_streams,
    numerical_rank,
)
from wiring_search.training.pack import Pack

STEPS, JITTER, THRESHOLD = 50, 0.1, 0.01


def kernel_rank(
    pack: Pack,
    streams: int | None = None,
    steps: int = STEPS,
    threshold: float = THRESHOLD,
    seed: int = 0,
) -> np.ndarray:
    """Return the ranks of the states that different streams lead to.

    Args:
        pack: Fresh or trained.
        streams: How many; by default as many as a candidate has neurons.
        steps: Time steps of each stream.
        threshold: Singular values above this share of the largest count.
        seed: Of the streams.

    Returns:
        (P,), from 0 to the number of neurons; NaN where a state is not finite.

    Raises:
        ValueError: A number is out of range, see `reservoir_ranks.check_rank_settings`.

    Source:
        Legenstein & Maass, Neural Networks 20, 2007.
    """
    count = _count(pack, streams, steps, threshold)
    return _ranks(
        pack, different_streams(count, steps, pack.layout.features, seed), streams, threshold
    )


def generalisation_rank(
    pack: Pack,
    streams: int | None = None,
    steps: int = STEPS,
    jitter: float = JITTER,
    threshold: float = THRESHOLD,
    seed: int = 0,
) -> np.ndarray:
    """Return the ranks of the states that jittered copies of one stream lead to.

    Args:
        pack: Fresh or trained.
        streams: How many copies; by default as many as a candidate has neurons.
        steps: Time steps of each stream.
        jitter: Standard deviation of the normal numbers that are added to the stream.
        threshold: Singular values above this share of the largest count.
        seed: Of the streams.

    Returns:
        (P,), as of `kernel_rank`.

    Raises:
        ValueError: A number is out of range, see `reservoir_ranks.check_rank_settings`, or `jitter`
            is negative.

    Source:
        Legenstein & Maass, Neural Networks 20, 2007.
    """
    count = _count(pack, streams, steps, threshold)
    return _ranks(
        pack, jittered_streams(count, steps, pack.layout.features, jitter, seed), streams, threshold
    )


def measure(trained: TrainedCandidates) -> Scores:
    """Return `kernel_rank` of trained candidates."""
    return {"kernel_rank": trained.per_pack(lambda pack: kernel_rank(pack, seed=trained.seed))}


def _count(pack: Pack, streams: int | None, steps: int, threshold: float) -> int:
    count = max(made.neurons for made in pack.layout.connections) if streams is None else streams
    check_rank_settings(count, steps, threshold)
    return count


def _ranks(pack: Pack, u: np.ndarray, streams: int | None, threshold: float) -> np.ndarray:
    """u: (streams, steps, features)."""
    rest = np.zeros((len(u), pack.layout.state_size), np.float32)
    elapsed = np.ones(u.shape[:2], np.float32)
    _, final, _ = cpu.forward(
        pack.layout, pack.effective, u.astype(np.float32), elapsed, rest, False
    )
    ranks = np.full(pack.layout.size, np.nan)
    for p, (at, made) in enumerate(zip(pack.layout.states, pack.layout.connections, strict=True)):
        states = final[: streams or made.neurons, at.start : at.start + made.neurons].astype(float)
        if np.isfinite(states).all():
            ranks[p] = numerical_rank(states, threshold)
    return ranks
