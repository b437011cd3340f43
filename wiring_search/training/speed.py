"""How fast a worker is: a short timed run of the kernel that all training runs on."""

import math
import time

import numpy as np
import torch

from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp

_SECONDS = 0.05
_CANDIDATES = 8
_SAMPLES = 16
_STEPS = 16
_FEATURES = 4


def speed() -> float:
    """Return the training steps per second of a small pack of LTCs, on the caller's threads.

    It is the best of some runs: what else happens on the machine makes a run slower, never faster.
    """
    pack = Pack(
        [Candidate(ncp(_FEATURES, 8, 6, 1, 4, 4, 4, 4, seed=s)) for s in range(_CANDIDATES)],
        _FEATURES,
        1,
    )
    x = np.zeros((_SAMPLES, _STEPS, _FEATURES), np.float32)
    elapsed = np.ones((_SAMPLES, _STEPS), np.float32)
    pack.train_step(
        x, elapsed, False, _loss
    )  # compiled, or loaded from numba's cache, and not timed
    best = math.inf
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        pack.train_step(x, elapsed, False, _loss)
        best = min(best, time.perf_counter() - start)
    return 1.0 / best


def _loss(predictions: torch.Tensor) -> torch.Tensor:
    return predictions.flatten(1).square().sum(dim=1)
