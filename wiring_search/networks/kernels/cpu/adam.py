"""One Adam step for a whole pack; each candidate has a separate learning rate and is clipped alone.

The flat vector holds `raw` numbers; where `positive`, the dynamics sees softplus(raw). The step
takes the gradient by the effective numbers, turns it into one by the raw numbers, clips its norm
candidate by candidate, updates, and writes the new effective numbers. A candidate whose gradient is
not finite is not touched, and said to be lost (Kingma & Ba, "Adam", ICLR 2015, algorithm 1).
"""

import numpy as np
from numba import njit

_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8


@njit(cache=True, error_model="numpy")
def effective_of(raw, positive, effective):
    """softplus(raw) where `positive`, raw elsewhere.

    Args:
        raw: (parameters,) float32.
        positive: (parameters,) bool.
        effective: (parameters,) float32, written.
    """
    for i in range(len(raw)):
        effective[i] = (
            np.maximum(raw[i], 0.0) + np.log1p(np.exp(-np.abs(raw[i]))) if positive[i] else raw[i]
        )


@njit(cache=True, error_model="numpy")
def adam_step(
    starts, raw, effective, positive, grad, first, second, learning_rates, largest_norm, step, alive
):
    """One step of Adam for each candidate p with alive[p].

    It writes raw, effective, the moments, `step` and `alive`, and uses up `grad`.

    Args:
        starts: (P + 1,) where the candidates' blocks start.
        raw: (parameters,) float32, the stored numbers.
        effective: (parameters,) float32, as the dynamics sees them.
        positive: (parameters,) bool, where softplus makes them positive.
        grad: (parameters,) float32, by the effective numbers.
        first: (parameters,) float32, running mean of the gradient.
        second: (parameters,) float32, running mean of its square.
        learning_rates: (P,).
        largest_norm: To which a candidate's gradient is clipped.
        step: (P,) int, updates done, counted up.
        alive: (P,) bool, set to False where a gradient is not finite.

    Source:
        Kingma & Ba, "Adam", ICLR 2015, algorithm 1.
    """
    for p in range(len(starts) - 1):
        if not alive[p]:
            continue
        squared = 0.0
        for i in range(starts[p], starts[p + 1]):
            if positive[i]:
                grad[i] *= -np.expm1(
                    -effective[i]
                )  # the derivative of softplus, sigmoid(raw), from its value
            squared += np.float64(grad[i]) ** 2
        if not np.isfinite(squared):
            alive[p] = False
            continue
        step[p] += 1
        scale = min(1.0, largest_norm / (np.sqrt(squared) + 1e-12))
        correction1 = 1.0 - _BETA1 ** step[p]
        correction2 = 1.0 - _BETA2 ** step[p]
        for i in range(starts[p], starts[p + 1]):
            g = grad[i] * scale
            first[i] = _BETA1 * first[i] + (1.0 - _BETA1) * g
            second[i] = _BETA2 * second[i] + (1.0 - _BETA2) * g * g
            raw[i] -= (
                learning_rates[p]
                * (first[i] / correction1)
                / (np.sqrt(second[i] / correction2) + _EPSILON)
            )
    effective_of(raw, positive, effective)
