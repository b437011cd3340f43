"""Which inputs a reservoir tells apart, measured as ranks before anything is trained.

`wiring_search.scores.rank` measures the same of candidates, with the same streams and threshold.
"""

import numpy as np

from wiring_search.training.baselines.reservoir import Reservoir


def kernel_quality(
    reservoir: Reservoir,
    streams: int | None = None,
    steps: int = 50,
    threshold: float = 0.01,
    seed: int = 0,
) -> int:
    """Return how many different inputs the reservoir tells apart linearly.

    It is the rank of the states (streams × neurons) that as many different streams lead to. The
    streams are independent numbers, uniform in −1 … 1, one per sensory node and step. More is
    better, if the `generalisation_rank` stays small: their difference is the merit.

    Args:
        reservoir: Stays as it is.
        streams: How many; as many as neurons by default.
        steps: Time steps of each stream.
        threshold: Singular values above this share of the largest count.
        seed: Of the streams.

    Raises:
        ValueError: There is less than one stream or step, or `threshold` is not from 0 to below 1.

    Source:
        Legenstein & Maass, "Edge of chaos and prediction of computational performance for neural
        circuit models", Neural Networks 20, 2007.
    """
    count = _streams(reservoir, streams, steps, threshold)
    u = different_streams(count, steps, reservoir.wiring.sensory, seed)
    return numerical_rank(reservoir.states(u, every_step=False), threshold)


def generalisation_rank(
    reservoir: Reservoir,
    streams: int | None = None,
    steps: int = 50,
    jitter: float = 0.1,
    threshold: float = 0.01,
    seed: int = 0,
) -> int:
    """Return the rank of the states that jittered copies of one stream lead to.

    It is small where the reservoir takes them for the same.

    Args:
        reservoir: Stays as it is.
        streams: How many copies; as many as neurons by default.
        steps: Time steps of each stream.
        jitter: Standard deviation of the normal numbers that every number of every copy is moved
            by.
        threshold: Singular values above this share of the largest count.
        seed: Of the streams.

    Raises:
        ValueError: As of `kernel_quality`, and where `jitter` is negative.

    Source:
        Legenstein & Maass 2007, theorem 5.1: it bounds the VC-dimension of the readouts.
    """
    count = _streams(reservoir, streams, steps, threshold)
    u = jittered_streams(count, steps, reservoir.wiring.sensory, jitter, seed)
    return numerical_rank(reservoir.states(u, every_step=False), threshold)


def different_streams(count: int, steps: int, width: int, seed: int) -> np.ndarray:
    """Draw streams of independent numbers, uniform in −1 … 1.

    Args:
        count: How many. The first ones are the same whatever `count`.
        steps: Time steps of each.
        width: Numbers per time step.
        seed: Of the draw.

    Returns:
        (count, steps, width).
    """
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (count, steps, width))


def jittered_streams(count: int, steps: int, width: int, jitter: float, seed: int) -> np.ndarray:
    """Draw copies of the first of `different_streams`, each number moved by a normal one.

    Args:
        count: How many.
        steps: Time steps of each.
        width: Numbers per time step.
        jitter: The standard deviation.
        seed: Of the draw.

    Returns:
        (count, steps, width).

    Raises:
        ValueError: `jitter` is negative.
    """
    if not jitter >= 0:
        raise ValueError(f"jitter is {jitter}; give a standard deviation, 0 or more")
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.0, 1.0, (1, steps, width)) + jitter * rng.standard_normal(
        (count, steps, width)
    )


def numerical_rank(states: np.ndarray, threshold: float) -> int:
    """Return how many singular values of (streams, neurons) are above threshold × the largest."""
    scales = np.linalg.svd(states, compute_uv=False)
    return int((scales > threshold * scales[0]).sum())


def check_rank_settings(streams: int, steps: int, threshold: float) -> None:
    """Check the settings of a rank.

    Args:
        streams: How many, 1 or more.
        steps: Time steps of each, 1 or more.
        threshold: A share of the largest singular value, from 0 to below 1.

    Raises:
        ValueError: There is less than one stream or step, or `threshold` is not from 0 to below 1.
    """
    for name, value in {"streams": streams, "steps": steps}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more")
    if not 0 <= threshold < 1:
        raise ValueError(
            f"threshold is {threshold}; give a share of the largest singular value, from 0 to "
            "below 1"
        )


def _streams(reservoir: Reservoir, streams: int | None, steps: int, threshold: float) -> int:
    streams = reservoir.wiring.neurons if streams is None else streams
    check_rank_settings(streams, steps, threshold)
    return streams
