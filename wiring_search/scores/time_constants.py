"""Effective time constants: how long each state of a network remembers itself, whatever the neurons
are.

    τ_i = Σ Δt / −Σ ln |∂s_i(t + Δt) / ∂s_i(t)|        over the time steps of a trajectory

τ_i is the time in which a small change of one state, all others held at the start of each step,
shrinks to 1/e. This is one definition for every neuron and for a memory's cells. For LTC without
self-loops it is the harmonic mean of the system time constant C / (g + Σ w s) of Hasani et al.
(AAAI 2021, theorem 1) over the trajectory, as its solver sees it. For the CT-RNN it is its τ; for
the neural ODE, which has no leak, ∞. A CfC neuron that is not connected to itself remembers nothing
of itself: 0. With a memory that gives the neurons their states it is the memory's cells that
remember.
"""

import numpy as np

from wiring_search.networks.kernels import cpu
from wiring_search.scores.gradient import one_step_passes
from wiring_search.training.pack import Pack


def time_constants(
    pack: Pack, x: np.ndarray, elapsed: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return the effective time constants of every candidate.

    Args:
        pack: Fresh or trained.
        x: (B, T, F) float32; few samples will do.
        elapsed: (B, T) float32, ones by default.

    Returns:
        (neurons and memory cells,) per candidate, in the unit of `elapsed`: 0 where a state keeps
        nothing of itself, ∞ where it does not forget by itself, or grows.
    """
    elapsed = np.ones(x.shape[:2], np.float32) if elapsed is None else elapsed
    result = []
    for kept in self_derivatives(pack, x, elapsed):
        with np.errstate(divide="ignore", invalid="ignore"):
            forgotten = -np.log(np.abs(kept)).sum(axis=(0, 1))
            result.append(np.where(forgotten <= 0, np.inf, elapsed.sum(dtype=float) / forgotten))
    return result


def self_derivatives(pack: Pack, x: np.ndarray, elapsed: np.ndarray) -> list[np.ndarray]:
    """Return ∂s_i(t + Δt) / ∂s_i(t) of every candidate, exactly.

    It takes one backward pass per time step with a unit vector for each state.

    Args:
        pack: Fresh or trained.
        x: (B, T, F) float32; few samples will do.
        elapsed: (B, T) float32.

    Returns:
        (B, T, neurons and memory cells) per candidate.
    """
    layout = pack.layout
    samples = len(x)
    numbers = np.concatenate(
        [np.arange(s.stop - s.start) for s in layout.states]
    )  # each state's number in its candidate
    most = int(numbers.max()) + 1
    probes = np.tile((numbers == np.arange(most)[:, None]).astype(np.float32), (samples, 1))
    no_output = np.zeros((layout.size, samples * most, 1, layout.output_size), np.float32)
    everywhere = np.arange(layout.state_size)
    found = []
    for step in one_step_passes(pack, np.repeat(x, most, axis=0), np.repeat(elapsed, most, axis=0)):
        _, grad, _, _ = cpu.backward(layout, pack.effective, step, no_output, probes, False)
        found.append(grad.reshape(samples, most, -1)[:, numbers, everywhere])
    stacked = np.stack(found, axis=1).astype(float)
    return [stacked[:, :, states] for states in layout.states]
