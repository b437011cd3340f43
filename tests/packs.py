"""Random ragged packs for the tests of everything that runs one."""

import numpy as np

from wiring_search.kernels.layout import PackLayout
from wiring_search.neurons.ltc import initial_parameters
from wiring_search.topologies import ncp, random_sparse
from wiring_search.wiring import Wiring


def random_wiring(rng: np.random.Generator, sensory: int | None = None, motor: int | None = None) -> Wiring:
    """An NCP or a random sparse wiring of 4 to about 20 neurons."""
    sensory = sensory or int(rng.integers(1, 6))
    motor = motor or int(rng.integers(1, 4))
    seed = int(rng.integers(1 << 30))
    if rng.random() < 0.5:
        inter, command = (int(n) for n in rng.integers(2, 9, 2))
        return ncp(sensory, inter, command, motor, min(2, inter), min(2, command), command, 1, seed=seed)
    neurons = motor + int(rng.integers(2, 10))
    return random_sparse(sensory, neurons, motor, sensory + neurons // 2 if sensory > 1 else neurons, 3 * neurons, seed=seed)


def random_layout(rng: np.random.Generator, size: int, features: int, outputs: int | None, projected: bool) -> PackLayout:
    sensory = None if projected else features
    wirings = tuple(random_wiring(rng, sensory, motor=2 if outputs is None else None) for _ in range(size))
    return PackLayout(wirings, tuple(int(n) for n in rng.integers(1, 7, size)), features, outputs)


def parameters(layout: PackLayout, rng: np.random.Generator) -> np.ndarray:
    """Positive where they must be, and everything away from its special initial value."""
    parts = []
    for wiring, shapes in zip(layout.wirings, layout.shapes, strict=True):
        polarities = wiring.synapse_arrays()[2], wiring.sensory_arrays()[2]
        parts += [v.ravel() for v in initial_parameters(shapes, *polarities, int(rng.integers(1 << 30))).values()]
    flat = np.concatenate(parts)
    return (flat + 0.1 * rng.random(len(flat))).astype(np.float32)


def inputs(
    layout: PackLayout, rng: np.random.Generator, batch: int, steps: int, gaps: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, elapsed, state. With gaps, a third of the elapsed times is 0 and x is NaN there."""
    x = rng.standard_normal((batch, steps, layout.features)).astype(np.float32)
    elapsed = (0.05 + 2 * rng.random((batch, steps))).astype(np.float32)
    if gaps:
        elapsed[rng.random((batch, steps)) < 0.33] = 0.0
        x[elapsed == 0] = np.nan
    return x, elapsed, (0.4 * rng.standard_normal((batch, layout.neurons))).astype(np.float32)
