"""What can be said of a candidate before anything is trained.

Expressivity, gradient slope and kernel rank are measured at initialisation, of candidates by the
thousand.

They are called proxies because a search would like them to predict the error. How well they do is
to be measured, task by task.
"""

from collections.abc import Callable, Sequence

import numpy as np
from threadpoolctl import threadpool_limits

from wiring_search.scores.gradient import gradient_flow
from wiring_search.scores.rank import kernel_rank
from wiring_search.scores.trajectory import expressivity
from wiring_search.training.baselines.reservoir_ranks import different_streams
from wiring_search.training.pack import Pack, group_by_kind
from wiring_search.wirings.candidate import Candidate

PROXIES = ("expressivity", "gradient_slope", "kernel_rank")
Progress = Callable[[int, int], None]

_PACK = 128
# Sixteen samples fill the lanes of the kernel.
_SAMPLES, _TIME_STEPS = 16, 32


def proxies(
    candidates: Sequence[Candidate], features: int, seed: int = 0, progress: Progress | None = None
) -> dict[str, np.ndarray]:
    """Measure PROXIES of untrained candidates.

    Args:
        candidates: Of any mixture of kinds; each gives the seed of its weights.
        features: Of the input that they would read.
        seed: Of the inputs.
        progress: Called with (candidates done, all candidates) after each pack.

    Returns:
        (P,) each by name, in the order of the candidates; NaN where a number is not finite.
        `expressivity` is that of `trajectory.expressivity`. `gradient_slope` is of the logarithm
        per time step (`gradient.gradient_flow`), on streams of independent numbers, uniform in −1 …
        1. `kernel_rank` is that of `rank.kernel_rank`.
    """
    found = {name: np.full(len(candidates), np.nan) for name in PROXIES}
    x = different_streams(_SAMPLES, _TIME_STEPS, features, seed).astype(np.float32)
    done = 0
    with threadpool_limits(1, "blas"):  # matrices of a few dozen rows: a second thread only costs
        for indices in group_by_kind(candidates, _PACK):
            pack = Pack([candidates[p] for p in indices], features, 1)
            measured = (
                expressivity(pack, seed=seed),
                gradient_flow(pack, x, seed=seed).slopes,
                kernel_rank(pack, seed=seed),
            )
            for name, values in zip(PROXIES, measured, strict=True):
                found[name][indices] = np.where(np.isfinite(values), values, np.nan)
            done += len(indices)
            if progress is not None:
                progress(done, len(candidates))
    return found
