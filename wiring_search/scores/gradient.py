"""Gradient through time: how much of a gradient at the last state reaches the states before it.

    ‖∂s_T/∂s_{T−k}‖_F / √n    against the lag k = 0 … T

s holds the n states of a candidate, those of its neurons and of its memory's cells. At lag 0 the
norm is 1. Where it falls to nothing, a network cannot learn what lies k steps back. Where it grows
without end, it cannot learn at all (Bengio, Simard & Frasconi, "Learning long-term dependencies
with gradient descent is difficult", IEEE Transactions on Neural Networks 1994; Pascanu, Mikolov &
Bengio, "On the difficulty of training recurrent neural networks", ICML 2013).

No Jacobian is ever made. For a random unit vector v, E‖Jᵀv‖² = ‖J‖²_F / n (Hutchinson's estimator),
and Jᵀv is one backward pass of the fused kernel. Each sample carries a separate vector through the
pack, one time step after the other. The vector is normalised again after each step, and the
logarithms add up, so that nothing under- or overflows.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from wiring_search.networks.kernels import cpu, plain
from wiring_search.scores.trained_packs import Scores, TrainedCandidates
from wiring_search.training.loss import elapsed_of
from wiring_search.training.pack import Pack

# Over the whole sequence a healthy gradient keeps within this factor of where it started, up or
# down.
HEALTHY_FACTOR = 1e3
VANISHING = "vanishing"
HEALTHY = "healthy"
EXPLODING = "exploding"
UNDEFINED = "undefined"
# Validation sequences that `measure` looks at: they fill one tile of the kernel.
_SAMPLES = 16
# What a single time step leaves of a vector of length 1 counts as no less than this, the smallest
# normal float32. So a path that is cut has a slope too, of −87 per step.
_LEAST = float(np.finfo(np.float32).tiny)


class GradientFlow(NamedTuple):
    """How a gradient fares on its way back through time.

    Attributes:
        log_norms: (P, T + 1), natural logarithms of the norm at lags 0 … T.
        slopes: (P,), of the straight line through them, per time step; 0 keeps everything.
        verdicts: One per candidate: VANISHING, HEALTHY, EXPLODING, or UNDEFINED (not finite).
    """

    log_norms: np.ndarray
    slopes: np.ndarray
    verdicts: tuple[str, ...]


def gradient_flow(
    pack: Pack,
    x: np.ndarray,
    elapsed: np.ndarray | None = None,
    seed: int = 0,
    through_memory: bool = True,
) -> GradientFlow:
    """Measure the gradient flow of a pack on given inputs: random ones, or a task's.

    Sixteen samples cost as much as one.

    Args:
        pack: Fresh or trained.
        x: (B, T, F) float32.
        elapsed: (B, T) float32, ones by default. A step of no time passes the gradient on
            unchanged.
        seed: Of the random vectors, one per sample.
        through_memory: False for the gradient that goes from neuron to neuron alone: what reaches a
            memory's cells is dropped.
    """
    elapsed = np.ones(x.shape[:2], np.float32) if elapsed is None else elapsed
    log_norms = log_jacobian_norms(
        pack, x, elapsed, unit_probes(pack, len(x), seed), through_memory
    )
    slopes = fitted_slopes(log_norms)
    return GradientFlow(log_norms, slopes, tuple(verdict(slope, x.shape[1]) for slope in slopes))


def measure(trained: TrainedCandidates) -> Scores:
    """Return `gradient_slope` of trained candidates on a few validation sequences."""
    valid = trained.task.valid
    x = np.ascontiguousarray(valid.x[:_SAMPLES])
    elapsed = elapsed_of(valid)[:_SAMPLES]

    def slopes(pack: Pack) -> np.ndarray:
        return gradient_flow(pack, x, elapsed, seed=trained.seed).slopes

    return {"gradient_slope": trained.per_pack(slopes)}


def verdict(slope: float, steps: int) -> str:
    """Return what a slope means for a sequence.

    Args:
        slope: Of the logarithm of the norm, per time step.
        steps: Time steps of the sequence.

    Returns:
        VANISHING where a gradient shrinks by more than HEALTHY_FACTOR on its way through the
        sequence, EXPLODING where it grows by more than that, UNDEFINED where the slope is not
        finite, else HEALTHY.
    """
    if not np.isfinite(slope):
        return UNDEFINED
    limit = np.log(HEALTHY_FACTOR)
    return VANISHING if slope * steps < -limit else EXPLODING if slope * steps > limit else HEALTHY


def fitted_slopes(log_norms: np.ndarray) -> np.ndarray:
    """Return the slopes of straight lines through norms, by least squares.

    Args:
        log_norms: (P, lags).

    Returns:
        (P,), per lag.
    """
    lags = np.arange(log_norms.shape[1]) - (log_norms.shape[1] - 1) / 2
    # Not a matrix product: its sums would depend on how many rows there are.
    return (log_norms * lags).sum(axis=1) / (lags**2).sum()


def unit_probes(pack: Pack, samples: int, seed: int) -> np.ndarray:
    """Draw random vectors of length 1 in the states of each candidate.

    A candidate's vectors depend on how many states it has, not on its pack mates.

    Args:
        pack: Gives the states.
        samples: How many vectors.
        seed: Of the draw.

    Returns:
        (samples, states) float32.
    """
    states = pack.layout.states
    drawn = np.random.default_rng(seed).standard_normal(
        (max(s.stop - s.start for s in states), samples)
    )
    probes = np.concatenate([drawn[: s.stop - s.start] for s in states]).T.astype(np.float32)
    return _normalised(pack, probes)[0]


def log_jacobian_norms(
    pack: Pack, x: np.ndarray, elapsed: np.ndarray, probes: np.ndarray, through_memory: bool = True
) -> np.ndarray:
    """Return half the logarithm of the mean over samples of ‖Jᵀv‖², lag by lag.

    Args:
        pack: Fresh or trained.
        x: (B, T, F) float32.
        elapsed: (B, T) float32.
        probes: (B, states), the v.
        through_memory: See `gradient_flow`.

    Returns:
        (P, T + 1), for lags 0 … T.
    """
    kept = list(one_step_passes(pack, x, elapsed))
    dropped = np.concatenate(
        [np.arange(s.start + made.neurons, s.stop) for s, made in _members(pack)]
    )
    grad, logs = _normalised(pack, probes)
    lags = [logs]
    no_output = np.zeros((pack.layout.size, len(x), 1, pack.layout.output_size), np.float32)
    for step in reversed(kept):
        _, grad, _, _ = cpu.backward(pack.layout, pack.effective, step, no_output, grad, False)
        if not through_memory:
            grad[:, dropped] = 0.0
        grad, growth = _normalised(pack, grad)
        lags.append(lags[-1] + growth)
    return 0.5 * _log_mean_exp(2 * np.stack(lags, axis=-1))


def one_step_passes(
    pack: Pack, x: np.ndarray, elapsed: np.ndarray
) -> Iterator[cpu.Kept | plain.Kept]:
    """Yield the forward pass cut into time steps: of each, what its backward pass needs.

    Args:
        pack: Fresh or trained.
        x: (B, T, F) float32.
        elapsed: (B, T) float32.
    """
    state = np.zeros((len(x), pack.layout.state_size), np.float32)
    for t in range(x.shape[1]):
        now, dt, before = map(np.ascontiguousarray, (x[:, t : t + 1], elapsed[:, t : t + 1], state))
        _, state, kept = cpu.forward(pack.layout, pack.effective, now, dt, before, False)
        yield kept


def _members(pack: Pack):
    return zip(pack.layout.states, pack.layout.connections, strict=True)


def _normalised(pack: Pack, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """vectors (B, states), of length 1 in each candidate's states, and the logarithms (B, P) of the
    lengths they had."""
    states = pack.layout.states
    squares = np.add.reduceat(np.square(vectors, dtype=float), [s.start for s in states], axis=1)
    lengths = np.sqrt(squares)
    lengths = np.where(lengths < _LEAST, _LEAST, lengths)  # and NaN stays NaN
    per_state = np.repeat(lengths, [s.stop - s.start for s in states], axis=1)
    return (vectors / per_state).astype(np.float32), np.log(lengths)


def _log_mean_exp(values: np.ndarray) -> np.ndarray:
    """Over the first axis, the samples."""
    most = values.max(axis=0)
    return most + np.log(np.exp(values - most).mean(axis=0))
