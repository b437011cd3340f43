"""Trajectory length as the LTC paper measured it: random layers without training, driven by (sin t,
cos t) for t from 0 to 2π (Hasani et al., "Liquid time-constant networks", AAAI 2021, section 5, and
the code published with it).

    neural ODE   dy = f(Wᵀu + b)
    CT-RNN       dy = −y/τ + f(Wᵀu + b)
    LTC          dy = −y (1/τ + |f(Wᵀu + b)| + |f(Rᵀy + b_r)|) + f(Wᵀu + b) ΣE + f(Rᵀy + b_r) ΣE_r

y(0) = 0; W, R and E from N(0, s) with s as the standard deviation and no division by the width k,
biases from N(0, 1), τ = |N(0, 1)|, ΣE over k numbers a neuron; u between 100 samples is a straight
line. The length is that of the path in its first two principal components, not divided by that of
the input. The paper's comparison is of LTC with recurrence, the others without; `ltc` and
`ltc-without-recurrence` tell what that does. Lengths of neural ODE and CT-RNN grow as √k, that of
LTC as k, because ΣE does so as √k.

Integrated here by classic RK4. τ is at least 0.01: a neuron faster than that hardly moves, but
would ask for a finer step. LTC with recurrence and an activation that is not bounded becomes
stiffer than any usual step allows, and diverges.
"""

from collections.abc import Callable

import numpy as np

from wiring_search.scores.trajectory import path_length, principal_plane

MODELS = ("neural-ode", "ct-rnn", "ltc", "ltc-without-recurrence")
_SAMPLES, _LEAST_TAU = 100, 0.01


def _hard_tanh(z: np.ndarray) -> np.ndarray:
    return np.clip(z, -1.0, 1.0)


def _coded_hard_tanh(z: np.ndarray) -> np.ndarray:
    """As in the published code, whose `if` asks a whole layer at once: z itself unless all of it
    saturates on one side."""
    return np.sign(z) if (z > 1).all() or (z < -1).all() else z


def _relu(z: np.ndarray) -> np.ndarray:
    return np.maximum(z, 0.0)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": _relu,
    "hard-tanh": _hard_tanh,
    "coded-hard-tanh": _coded_hard_tanh,
}


def published_length(
    model: str, width: int, scale: float, activation: str = "tanh", seed: int = 0, steps: int = 1000
) -> float:
    """The length of one random layer's trajectory, ∞ where it diverges. model: one of MODELS.
    width: k neurons. scale: s. activation: one of ACTIVATIONS. steps: of RK4. Raises ValueError for
    names that are not known."""
    if model not in MODELS:
        raise ValueError(f"model is {model!r}; known: {', '.join(MODELS)}")
    if activation not in ACTIVATIONS:
        raise ValueError(f"activation is {activation!r}; known: {', '.join(ACTIVATIONS)}")
    field = _field(model, width, scale, ACTIVATIONS[activation], np.random.default_rng(seed))
    with np.errstate(all="ignore"):
        path = _rk4(field, _inputs(steps), np.zeros(width), 2 * np.pi / steps)
    return path_length(principal_plane(path)) if np.isfinite(path).all() else np.inf


def _field(model: str, k: int, scale: float, f: Callable, rng: np.random.Generator) -> Callable:
    """dy/dt as a function of u and y."""
    w, b, tau = (
        rng.normal(0, scale, (2, k)),
        rng.normal(0, 1, k),
        np.maximum(np.abs(rng.normal(0, 1, k)), _LEAST_TAU),
    )
    recurrent, recurrent_b = rng.normal(0, scale, (k, k)), rng.normal(0, 1, k)
    reversal, recurrent_reversal = (rng.normal(0, scale, (k, k)).sum(axis=0) for _ in range(2))

    def ltc(u: np.ndarray, y: np.ndarray) -> np.ndarray:
        outer, inner = f(u @ w + b), f(y @ recurrent + recurrent_b)
        return (
            -y * (1 / tau + np.abs(outer) + np.abs(inner))
            + outer * reversal
            + inner * recurrent_reversal
        )

    def ltc_without_recurrence(u: np.ndarray, y: np.ndarray) -> np.ndarray:
        outer = f(u @ w + b)
        return -y * (1 / tau + np.abs(outer)) + outer * reversal

    fields = (
        lambda u, y: f(u @ w + b),
        lambda u, y: -y / tau + f(u @ w + b),
        ltc,
        ltc_without_recurrence,
    )
    return dict(zip(MODELS, fields, strict=True))[model]


def _inputs(steps: int) -> np.ndarray:
    """u at both ends and the middle of every step: (2 steps + 1, 2)."""
    samples = np.linspace(0, 2 * np.pi, _SAMPLES)
    at = np.linspace(0, 2 * np.pi, 2 * steps + 1)
    return np.stack([np.interp(at, samples, of(samples)) for of in (np.sin, np.cos)], axis=1)


def _rk4(field: Callable, u: np.ndarray, y: np.ndarray, h: float) -> np.ndarray:
    """All states (steps + 1, k)."""
    path = [y]
    for start in range(0, len(u) - 2, 2):
        k1 = field(u[start], y)
        k2 = field(u[start + 1], y + h / 2 * k1)
        k3 = field(u[start + 1], y + h / 2 * k2)
        k4 = field(u[start + 2], y + h * k3)
        y = y + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
        path.append(y)
    return np.stack(path)
