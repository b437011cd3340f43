"""How long a reservoir remembers its input, measured before anything is trained."""

import numpy as np

from wiring_search.training.baselines.readout import fit_ridge
from wiring_search.training.baselines.reservoir import Reservoir

# A squared correlation over n samples of nothing is above 15.1 / n once in ten thousand times (χ²
# with one degree of freedom).
_CHANCE = 15.1


def memory_curve(
    reservoir: Reservoir, delays: int | None = None, length: int | None = None, seed: int = 0
) -> np.ndarray:
    """Measure how well the state recalls its input of k steps ago, k = 1 … delays.

    The input is one stream of independent numbers, uniform in −1 … 1 (through the projection where
    there are several sensory nodes). A least-squares readout per delay is fitted on the first half
    of the steps; the correlation is taken on the other half. What is not above chance there counts
    as 0, as otherwise every delay adds a little.

    Args:
        reservoir: Stays as it is.
        delays: Twice the neurons by default.
        length: Steps; by default 40 × (delays + neurons), and at least 4,000.
        seed: Of the input.

    Returns:
        (delays,), squared correlations.

    Raises:
        ValueError: There is less than one delay, or `length` is below 10 × (delays + neurons).

    Source:
        Dambre et al., "Information processing capacity of dynamical systems", Scientific Reports 2,
        2012.
    """
    neurons = reservoir.wiring.neurons
    delays = 2 * neurons if delays is None else delays
    if delays < 1:
        raise ValueError(f"delays is {delays}; give 1 or more")
    shortest = 10 * (delays + neurons)
    length = max(4000, 4 * shortest) if length is None else length
    if length < shortest:
        raise ValueError(
            f"length is {length}; give {shortest} or more, ten steps a delay and a neuron"
        )
    # From rest to where the start is forgotten; every target needs its past, too.
    warm_up = delays + 10 * neurons + round(20 / reservoir.leak)
    u = np.random.default_rng(seed).uniform(-1.0, 1.0, warm_up + length)
    states = reservoir.states(u[None, :, None])[0, warm_up:]
    targets = np.stack([u[warm_up - k : len(u) - k] for k in range(1, delays + 1)], axis=1)
    half = length // 2
    recalled = fit_ridge(states[:half], targets[:half], 0.0).predict(states[half:])
    return _squared_correlations(recalled, targets[half:])


def memory_capacity(
    reservoir: Reservoir, delays: int | None = None, length: int | None = None, seed: int = 0
) -> float:
    """Return the sum of `memory_curve`, at most the number of neurons.

    A delay of 0 is no memory and not counted.

    Args:
        reservoir: Stays as it is.
        delays: Twice the neurons by default.
        length: Steps; see `memory_curve`.
        seed: Of the input.

    Raises:
        ValueError: As of `memory_curve`.

    Source:
        Jaeger, "Short term memory in echo state networks", GMD report 152, 2001, proposition 2.
    """
    return float(memory_curve(reservoir, delays, length, seed).sum())


def _squared_correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Column by column, (n, columns) each; 0 where a column is constant or no more than chance."""
    a = a - a.mean(axis=0)
    b = b - b.mean(axis=0)
    together = (a * b).sum(axis=0) ** 2
    apart = (a**2).sum(axis=0) * (b**2).sum(axis=0)
    squared = np.divide(together, apart, out=np.zeros_like(apart), where=apart > 0)
    return np.where(squared > _CHANCE / len(a), squared, 0.0)
