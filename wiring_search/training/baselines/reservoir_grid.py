"""Liquid state machines as baselines: how far a wiring gets with only a linear readout trained.

A fixed random reservoir (`wiring_search.training.baselines.reservoir`) is set up as in a textbook,
for no task in particular. It has ten synapses per neuron, half of them inhibitory, and a spectral
radius of 0.9, just below where echoes stop fading. With a leak of 0.3 a neuron looks back over some
three steps, and further with those that feed it. There is one sensory synapse per neuron, or one
per feature where features are more. The readout is a ridge regression from all neurons, in closed
form. Its regularisation is the one of a few with the least error on the validation split, as the
best epoch is of a trained network.
"""

import math
import time
from typing import Any

import numpy as np

from wiring_search.tasks.task import Task
from wiring_search.training.baselines.readout import Readout, fit
from wiring_search.training.baselines.reservoir import Reservoir
from wiring_search.training.state import load_state, save_state
from wiring_search.wirings.topologies import random_sparse
from wiring_search.workers.jobs import Outcome, Status

RESERVOIRS = {f"reservoir-{neurons}": neurons for neurons in (16, 64, 200)}
_SYNAPSES_A_NEURON = 10
_SPECTRAL_RADIUS, _LEAK = 0.9, 0.3
_LATENCY_STEPS, _LATENCY_REPEATS = 64, 7


def reservoir(task: Task, name: str, seed: int) -> Reservoir:
    """Return the reservoir of this name.

    Args:
        task: Gives the features.
        name: A name out of RESERVOIRS.
        seed: Of wiring and weights.
    """
    neurons = RESERVOIRS[name]
    outer = max(task.features, neurons)
    inner = _SYNAPSES_A_NEURON * neurons
    wiring = random_sparse(task.features, neurons, neurons, outer, inner, excitatory=0.5, seed=seed)
    return Reservoir(wiring, spectral_radius=_SPECTRAL_RADIUS, leak=_LEAK, seed=seed)


def train(task: Task, fixed: Reservoir) -> Outcome:
    """Fit the readout on the training split and score it on the validation split.

    Args:
        task: Gives the splits and the metric.
        fixed: Stays as it is.

    Returns:
        `parameters` are the readout's, as nothing else is trained; `synapses` are the wiring's.
        `state` holds the readout (`load_readout`).
    """
    started = time.perf_counter()
    readout, error = fit(fixed, task)
    shared: dict[str, Any] = {
        "parameters": readout.weights.size + readout.bias.size,
        "synapses": fixed.wiring.synapse_count,
        "train_seconds": time.perf_counter() - started,
        "latency_us": _latency_us(fixed, readout, task.features),
        "curve": (error,),
    }
    if not math.isfinite(error):
        message = "the least-squares readout of this reservoir is not finite"
        return Outcome(Status.DIVERGED, math.nan, math.nan, message=message, **shared)
    return Outcome(
        Status.OK,
        error,
        1.0 - error if task.metric == "accuracy" else error,
        state=save_state(vars(readout)),
        **shared,
    )


def load_readout(state: bytes) -> Readout:
    """Return the readout in `Outcome.state`."""
    arrays = load_state(state)
    return Readout(arrays["weights"], arrays["bias"], float(arrays["regularisation"]))


def _latency_us(fixed: Reservoir, readout: Readout, features: int) -> float:
    """Microseconds per time step in numpy, one sample at a time: the quickest of several runs."""
    u = np.zeros((1, _LATENCY_STEPS, features))
    quickest = math.inf
    for _ in range(_LATENCY_REPEATS):
        start = time.perf_counter()
        readout.predict(fixed.states(u))
        quickest = min(quickest, time.perf_counter() - start)
    return quickest / _LATENCY_STEPS * 1e6
