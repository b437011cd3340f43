"""Latency: what one time step of one sample costs on the fused CPU kernel, run as a controller
would run it.
"""

import time

import numpy as np

from wiring_search.networks.kernels import cpu
from wiring_search.training.pack import initial_weights, layout_of
from wiring_search.wirings.candidate import Candidate

_STEPS = 64


def latencies_us(candidate: Candidate, features: int, outputs: int, repeats: int = 7) -> np.ndarray:
    """Measure the latency of a time step, one sample at a time, on the calling thread alone.

    A repeat is a sequence of 64 steps with outputs at each, in one call of the kernel, the way into
    it and out of it included. The weights are the initial ones: the cost does not depend on them.
    The quickest repeat says what the work costs, the spread how busy the machine was.

    Args:
        candidate: What is run.
        features: F of the input.
        outputs: O of the readout.
        repeats: Of the measurement.

    Returns:
        (repeats,), microseconds per time step.
    """
    layout = layout_of((candidate,), features, outputs)
    params = initial_weights(layout, 0, candidate.seed)
    x = np.zeros((1, _STEPS, features), np.float32)
    elapsed = np.ones((1, _STEPS), np.float32)
    state = np.zeros((1, layout.state_size), np.float32)
    seconds = np.empty(repeats)
    with (
        cpu.one_thread()
    ):  # one sample is work for one core: other threads would only add the cost of waking them
        for repeat in range(repeats):
            start = time.perf_counter()
            cpu.forward(layout, params, x, elapsed, state, True)
            seconds[repeat] = time.perf_counter() - start
    return seconds / _STEPS * 1e6
