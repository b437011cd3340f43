"""Cost: what a candidate takes to run, to train and to store. It is counted where possible and
measured elsewhere.

    synapse updates per time step
        = synapses between neurons × function evaluations + sensory synapses + the memory's

A sensory value is held during a time step, and the memory looks once, so theirs are computed once.
Synapses between neurons are computed anew by every stage of every sub-step.

    bytes to train = 4 × (history + gradients + optimiser)
        history    = samples × (time steps + 1) × states
                     (the kernel keeps the state at the start of each time step, and runs the
                     sub-steps again on the way back: their number does not count)
        gradients  = (tiles + 1) × parameters
                     (the sum over a tile of sixteen samples, and over tiles)
        optimiser  = 4 × parameters
                     (stored and effective weights, both moments of Adam)

Samples are rounded up to whole tiles. What pack mates share (inputs) and what is small (outputs, a
core's scratch) is left out.
"""

from dataclasses import dataclass

import numpy as np

from wiring_search.networks.kernels.cpu.simd import LANES
from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.networks.solver_accuracy import function_evaluations
from wiring_search.training.latency import latencies_us
from wiring_search.training.pack import layout_of
from wiring_search.wirings.candidate import Candidate

_BYTES = 4
_REPEATS = 51


@dataclass(frozen=True)
class Latency:
    """Microseconds per time step, one sample at a time, over repeated measurements.

    Attributes:
        quickest: The quickest repeat.
        lower: The lower quartile.
        median: The median.
        upper: The upper quartile.
    """

    quickest: float
    lower: float
    median: float
    upper: float


@dataclass(frozen=True)
class Cost:
    """What a candidate costs.

    Attributes:
        synapses: Connections, the memory's too.
        parameters: Trainable numbers.
        state_size: Numbers carried from one time step to the next.
        function_evaluations: Per time step of one sample.
        synapse_updates: Per time step of one sample.
        training_bytes: Bytes for one minibatch.
        latency_us: Microseconds per time step, measured now, on this machine.
    """

    synapses: int
    parameters: int
    state_size: int
    function_evaluations: int
    synapse_updates: int
    training_bytes: int
    latency_us: Latency


def cost(
    candidate: Candidate,
    features: int,
    outputs: int,
    time_steps: int,
    batch_size: int,
    repeats: int = _REPEATS,
) -> Cost:
    """Return everything a candidate costs.

    Args:
        candidate: What is counted and measured.
        features: Of the task.
        outputs: Of the task.
        time_steps: Of the task's sequences.
        batch_size: Sequences per minibatch.
        repeats: Of the measurement of latency.
    """
    layout = layout_of((candidate,), features, outputs)
    evaluations = function_evaluations(candidate.solver, candidate.steps)
    return Cost(
        synapses=layout.synapses(0),
        parameters=layout.true_parameters(0),
        state_size=layout.state_size,
        function_evaluations=evaluations,
        synapse_updates=layout.synapses(0) + (evaluations - 1) * len(layout.connections[0].pre),
        training_bytes=_training_bytes(layout, time_steps, batch_size),
        latency_us=_latency(latencies_us(candidate, features, outputs, repeats)),
    )


def _training_bytes(layout: PackLayout, time_steps: int, batch_size: int) -> int:
    tiles = -(-batch_size // LANES)
    history = tiles * LANES * (time_steps + 1) * layout.state_size
    gradients = (tiles + 1) * layout.parameters
    optimiser = 4 * layout.parameters
    return _BYTES * (history + gradients + optimiser)


def _latency(microseconds: np.ndarray) -> Latency:
    return Latency(
        float(microseconds.min()), *map(float, np.quantile(microseconds, (0.25, 0.5, 0.75)))
    )
