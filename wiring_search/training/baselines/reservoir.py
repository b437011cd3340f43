"""A wiring as a liquid state machine: a fixed random reservoir and a linear readout.

Only the readout is fitted. Measures say what the reservoir computes before anything is trained.

    x' = (1 − leak)^Δt x + (1 − (1 − leak)^Δt) tanh(W x + W_in u + b)

With the usual Δt = 1 this is the leaky echo state network, x' = (1 − leak) x + leak tanh(…)
(Jaeger, GMD report 148, 2001; Maass, Natschläger & Markram, Neural Computation 14, 2002, for the
liquid of spiking neurons). Other elapsed times relax for as long, and Δt = 0 holds the state. W and
W_in have an entry where the wiring has a synapse; its polarity is the sign. Matrices are dense: at
200 neurons a step of 360 streams takes a millisecond. No torch.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real

import numpy as np

from wiring_search.tasks.task import Split, Task
from wiring_search.wirings.wiring import Wiring

REGULARISATIONS = (1e-6, 1e-4, 1e-2, 1.0, 100.0)

# A squared correlation over n samples of nothing is above 15.1 / n once in ten thousand times (χ²
# with one degree of freedom).
_CHANCE = 15.1

# Samples that run at once: what they hold fits a cache, four times as quick as thousands together.
_CHUNK = 256

Error = Callable[[np.ndarray, np.ndarray], float]


@dataclass(frozen=True)
class Reservoir:
    """A fixed random reservoir on a wiring.

    Attributes:
        wiring: Where W and W_in have entries, and their signs.
        spectral_radius: The largest |eigenvalue| that W is scaled to, > 0. A wiring without a cycle
            has a nilpotent W, whose radius is 0 at any scale: its synapses stay as drawn (it is a
            cascade of filters, and forgets by itself).
        leak: Share of a state that a unit time step replaces, above 0 and at most 1.
        input_scale: Of W_in, ≥ 0.
        bias_scale: Of b, ≥ 0.
        seed: Of the magnitudes, uniform in 0.5 … 1.5 before scaling so that no synapse is drawn
            away, and of the biases, uniform within ±bias_scale.

    Raises:
        ValueError: A number is out of these ranges.
    """

    wiring: Wiring
    spectral_radius: float = 0.9
    leak: float = 0.3
    input_scale: float = 1.0
    bias_scale: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("spectral_radius", "leak", "input_scale", "bias_scale"):
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
                raise ValueError(f"{name} is {value!r}; give a number")
        if self.spectral_radius <= 0:
            raise ValueError(
                f"spectral_radius is {self.spectral_radius}; give a number above 0 such as 0.9"
            )
        if not 0 < self.leak <= 1:
            raise ValueError(
                f"leak is {self.leak}; give a number above 0 and at most 1 (no memory of its own)"
            )
        for name in ("input_scale", "bias_scale"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; give 0 or more")
        if (
            not isinstance(self.seed, int | np.integer)
            or isinstance(self.seed, bool)
            or self.seed < 0
        ):
            raise ValueError(f"seed is {self.seed!r}; give a whole number, 0 or more")

    @cached_property
    def recurrent(self) -> np.ndarray:
        """W: (neurons, neurons), entry [post, pre]."""
        pre, post, polarity = self.wiring.synapse_arrays()
        w = np.zeros((self.wiring.neurons, self.wiring.neurons))
        w[post, pre] = polarity * self._generator("recurrent").uniform(0.5, 1.5, len(pre))
        radius = spectral_radius(w)
        return w * (self.spectral_radius / radius) if radius > 0 else w

    @cached_property
    def sensory(self) -> np.ndarray:
        """The sensory synapses: (neurons, sensory nodes), entry [neuron, sensory node]."""
        pre, post, polarity = self.wiring.sensory_arrays()
        w = np.zeros((self.wiring.neurons, self.wiring.sensory))
        w[post, pre] = (
            polarity * self._generator("sensory").uniform(0.5, 1.5, len(pre)) * self.input_scale
        )
        return w

    @cached_property
    def bias(self) -> np.ndarray:
        """b: (neurons,)."""
        return self._generator("bias").uniform(
            -self.bias_scale, self.bias_scale, self.wiring.neurons
        )

    def input_weights(self, features: int) -> np.ndarray:
        """Return W_in, (neurons, features).

        There is one feature per sensory node where their numbers agree. Otherwise features pass
        through a fixed random projection with entries of variance 1/features, as a network's
        projection starts.

        Args:
            features: F of the input.
        """
        if features == self.wiring.sensory:
            return self.sensory
        projection = self._generator("projection").normal(
            0.0, features**-0.5, (self.wiring.sensory, features)
        )
        return self.sensory @ projection

    def states(
        self, u: np.ndarray, elapsed: np.ndarray | None = None, every_step: bool = True
    ) -> np.ndarray:
        """Return the states that an input leads to from rest.

        Args:
            u: (batch, time, features).
            elapsed: (batch, time) time since the previous step, ≥ 0, 1.0 by default; where it is 0
                the state is held and u is not looked at.
            every_step: Whether all states are returned, or those after the last step.

        Returns:
            (batch, time, neurons), or (batch, neurons) without `every_step`.

        Raises:
            ValueError: A shape is another, or a time is negative.
        """
        u = np.asarray(u, float)
        if u.ndim != 3 or 0 in u.shape:
            raise ValueError(f"u has shape {u.shape}; give (batch, time, features), none of them 0")
        elapsed = np.ones(u.shape[:2]) if elapsed is None else np.asarray(elapsed, float)
        if elapsed.shape != u.shape[:2]:
            raise ValueError(
                f"elapsed has shape {elapsed.shape}; give (batch, time) = {u.shape[:2]}"
            )
        if not (elapsed >= 0).all():
            raise ValueError(
                "elapsed has a negative or NaN entry; times since the previous step are 0 or more"
            )
        drive = (
            np.where(elapsed[:, :, None] > 0, u, 0.0) @ self.input_weights(u.shape[2]).T + self.bias
        )
        held = (1.0 - self.leak) ** elapsed[:, :, None]
        x = np.zeros((len(u), self.wiring.neurons))
        recurrent = self.recurrent.T
        kept = np.empty(drive.shape if every_step else (0, 0, 0))
        for t in range(u.shape[1]):
            x = held[:, t] * x + (1.0 - held[:, t]) * np.tanh(x @ recurrent + drive[:, t])
            if every_step:
                kept[:, t] = x
        return kept if every_step else x

    def _generator(self, part: str) -> np.random.Generator:
        """One stream of numbers per part: each is the same whichever is asked for first."""
        parts = ("recurrent", "sensory", "bias", "projection")
        return np.random.default_rng((self.seed, parts.index(part)))


def spectral_radius(w: np.ndarray) -> float:
    """Return the largest |eigenvalue| of a square matrix, exactly 0 where its graph has no cycle.

    Nodes that lie before or behind all cycles add eigenvalues 0 only. They are taken off first: the
    eigenvalues of a nilpotent block are what rounding hits hardest.
    """
    linked = w != 0
    core = np.ones(len(w), bool)
    while True:
        inner = linked & core & core[:, None]
        smaller = inner.any(axis=0) & inner.any(axis=1)
        if (smaller == core).all():
            break
        core = smaller
    return float(np.abs(np.linalg.eigvals(w[np.ix_(core, core)])).max()) if core.any() else 0.0


@dataclass(frozen=True, eq=False)
class Readout:
    """A linear readout.

    Attributes:
        weights: (outputs, neurons).
        bias: (outputs,).
        regularisation: The λ it was fitted with.
    """

    weights: np.ndarray
    bias: np.ndarray
    regularisation: float

    def predict(self, states: np.ndarray) -> np.ndarray:
        """Return outputs (…, outputs) from states (…, neurons)."""
        return states @ self.weights.T + self.bias


def mean_squared_error(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean squared error of predictions, over all entries."""
    return float(np.mean((predictions - targets) ** 2))


def misses(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Return 1 − accuracy of the largest output, targets one-hot."""
    return float(np.mean(predictions.argmax(axis=-1) != targets.argmax(axis=-1)))


def missing_f1(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Return 1 − F1 of class 1 where it has the largest output, targets one-hot."""
    found = predictions.argmax(axis=-1) == 1
    there = targets.argmax(axis=-1) == 1
    return float(np.sum(found != there) / (np.sum(found) + np.sum(there)))


def fit_ridge(
    states: np.ndarray,
    targets: np.ndarray,
    regularisation: float | Sequence[float] = 1e-4,
    valid: tuple[np.ndarray, np.ndarray] | None = None,
    error: Error = mean_squared_error,
) -> Readout:
    """Return the readout with the least Σ‖y − W x − b‖² + λ‖W‖², in closed form.

    The bias is not held down.

    Args:
        states: (n, neurons).
        targets: (n, outputs).
        regularisation: λ ≥ 0; 0 is least squares, of the smallest norm where it is not unique. Of
            several λ the one is taken whose `error` on `valid` is least, the largest λ of equals.
        valid: (states, targets) to choose λ on.
        error: Of predictions and targets.

    Raises:
        ValueError: λ is negative, there is none, or there are several without `valid`.
    """
    several = sorted(np.atleast_1d(np.asarray(regularisation, float)).tolist(), reverse=True)
    if not several or not min(several) >= 0:
        raise ValueError(
            f"regularisation is {regularisation!r}; give one or several numbers, 0 or more"
        )
    if len(several) > 1 and valid is None:
        raise ValueError(
            f"{len(several)} regularisations but no validation data; "
            "give valid=(states, targets), or one of them"
        )
    states = np.asarray(states, float)
    targets = np.asarray(targets, float)
    state_mean = states.mean(axis=0)
    target_mean = targets.mean(axis=0)
    left, scales, right = np.linalg.svd(states - state_mean, full_matrices=False)
    seen = left.T @ (targets - target_mean)
    lost = scales <= scales.max(initial=0.0) * max(states.shape) * np.finfo(float).eps
    readouts = []
    for penalty in several:
        gain = np.divide(scales, scales**2 + penalty, out=np.zeros_like(scales), where=~lost)
        weights = (right.T @ (gain[:, None] * seen)).T
        readouts.append(Readout(weights, target_mean - weights @ state_mean, float(penalty)))
    if valid is None or len(readouts) == 1:
        return readouts[0]
    return min(readouts, key=lambda readout: error(readout.predict(valid[0]), valid[1]))


def score(
    reservoir: Reservoir, task: Task, regularisation: float | Sequence[float] = REGULARISATIONS
) -> float:
    """Return the error on the validation split with a ridge readout fitted on the training split.

    It is the same number that training gives for a candidate: 1 − accuracy, 1 − F1, or mse, per
    step or at the last valid step, as the task asks. Of several regularisations that with the least
    error counts, as a candidate's best epoch does.

    Args:
        reservoir: Stays as it is.
        task: Gives splits and metric.
        regularisation: See `fit_ridge`.
    """
    return fit(reservoir, task, regularisation)[1]


def fit(
    reservoir: Reservoir, task: Task, regularisation: float | Sequence[float] = REGULARISATIONS
) -> tuple[Readout, float]:
    """Return the readout that `score` judges, and its score; arguments as of `score`."""
    error = {"accuracy": misses, "f1": missing_f1, "mse": mean_squared_error}[task.metric]
    valid = _rows(reservoir, task, task.valid)
    readout = fit_ridge(*_rows(reservoir, task, task.train), regularisation, valid, error)
    return readout, error(readout.predict(valid[0]), valid[1])


def memory_curve(
    reservoir: Reservoir, delays: int | None = None, length: int | None = None, seed: int = 0
) -> np.ndarray:
    """Measure how well the state recalls its input of k steps ago, k = 1 … delays.

    The input is one stream of independent numbers, uniform in −1 … 1 (through the projection where
    there are several sensory nodes). A least-squares readout per delay is fitted on the first half
    of the steps; the correlation is taken on the other half. What is not above chance there counts
    as 0, as otherwise every delay adds a little.

    Args:
        reservoir: Stays as it is.
        delays: Twice the neurons by default.
        length: Steps; by default 40 × (delays + neurons), and at least 4,000.
        seed: Of the input.

    Returns:
        (delays,), squared correlations.

    Raises:
        ValueError: There is less than one delay, or `length` is below 10 × (delays + neurons).

    Source:
        Dambre et al., "Information processing capacity of dynamical systems", Scientific Reports 2,
        2012.
    """
    neurons = reservoir.wiring.neurons
    delays = 2 * neurons if delays is None else delays
    if delays < 1:
        raise ValueError(f"delays is {delays}; give 1 or more")
    shortest = 10 * (delays + neurons)
    length = max(4000, 4 * shortest) if length is None else length
    if length < shortest:
        raise ValueError(
            f"length is {length}; give {shortest} or more, ten steps a delay and a neuron"
        )
    # From rest to where the start is forgotten; every target needs its past, too.
    warm_up = delays + 10 * neurons + round(20 / reservoir.leak)
    u = np.random.default_rng(seed).uniform(-1.0, 1.0, warm_up + length)
    states = reservoir.states(u[None, :, None])[0, warm_up:]
    targets = np.stack([u[warm_up - k : len(u) - k] for k in range(1, delays + 1)], axis=1)
    half = length // 2
    recalled = fit_ridge(states[:half], targets[:half], 0.0).predict(states[half:])
    return _squared_correlations(recalled, targets[half:])


def memory_capacity(
    reservoir: Reservoir, delays: int | None = None, length: int | None = None, seed: int = 0
) -> float:
    """Return the sum of `memory_curve`, at most the number of neurons.

    A delay of 0 is no memory and not counted. Arguments and errors are those of `memory_curve`.

    Source:
        Jaeger, "Short term memory in echo state networks", GMD report 152, 2001, proposition 2.
    """
    return float(memory_curve(reservoir, delays, length, seed).sum())


def kernel_quality(
    reservoir: Reservoir,
    streams: int | None = None,
    steps: int = 50,
    threshold: float = 0.01,
    seed: int = 0,
) -> int:
    """Return how many different inputs the reservoir tells apart linearly.

    It is the rank of the states (streams × neurons) that as many different streams lead to. The
    streams are independent numbers, uniform in −1 … 1, one per sensory node and step. More is
    better, if the `generalisation_rank` stays small: their difference is the merit.

    Args:
        reservoir: Stays as it is.
        streams: How many; as many as neurons by default.
        steps: Time steps of each stream.
        threshold: Singular values above this share of the largest count.
        seed: Of the streams.

    Raises:
        ValueError: There is less than one stream or step, or `threshold` is not from 0 to below 1.

    Source:
        Legenstein & Maass, "Edge of chaos and prediction of computational performance for neural
        circuit models", Neural Networks 20, 2007.
    """
    count = _streams(reservoir, streams, steps, threshold)
    u = different_streams(count, steps, reservoir.wiring.sensory, seed)
    return numerical_rank(reservoir.states(u, every_step=False), threshold)


def generalisation_rank(
    reservoir: Reservoir,
    streams: int | None = None,
    steps: int = 50,
    jitter: float = 0.1,
    threshold: float = 0.01,
    seed: int = 0,
) -> int:
    """Return the rank of the states that jittered copies of one stream lead to.

    It is small where the reservoir takes them for the same.

    Args:
        reservoir: Stays as it is.
        streams: How many copies; as many as neurons by default.
        steps: Time steps of each stream.
        jitter: Standard deviation of the normal numbers that every number of every copy is moved
            by.
        threshold: Singular values above this share of the largest count.
        seed: Of the streams.

    Raises:
        ValueError: As of `kernel_quality`, and where `jitter` is negative.

    Source:
        Legenstein & Maass 2007, theorem 5.1: it bounds the VC-dimension of the readouts.
    """
    count = _streams(reservoir, streams, steps, threshold)
    u = jittered_streams(count, steps, reservoir.wiring.sensory, jitter, seed)
    return numerical_rank(reservoir.states(u, every_step=False), threshold)


def different_streams(count: int, steps: int, width: int, seed: int) -> np.ndarray:
    """Draw streams of independent numbers, uniform in −1 … 1.

    Args:
        count: How many. The first ones are the same whatever `count`.
        steps: Time steps of each.
        width: Numbers per time step.
        seed: Of the draw.

    Returns:
        (count, steps, width).
    """
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (count, steps, width))


def jittered_streams(count: int, steps: int, width: int, jitter: float, seed: int) -> np.ndarray:
    """Draw copies of the first of `different_streams`, each number moved by a normal one.

    Args:
        count: How many.
        steps: Time steps of each.
        width: Numbers per time step.
        jitter: The standard deviation.
        seed: Of the draw.

    Returns:
        (count, steps, width).

    Raises:
        ValueError: `jitter` is negative.
    """
    if not jitter >= 0:
        raise ValueError(f"jitter is {jitter}; give a standard deviation, 0 or more")
    rng = np.random.default_rng(seed)
    return rng.uniform(-1.0, 1.0, (1, steps, width)) + jitter * rng.standard_normal(
        (count, steps, width)
    )


def numerical_rank(states: np.ndarray, threshold: float) -> int:
    """Return how many singular values of (streams, neurons) are above threshold × the largest."""
    scales = np.linalg.svd(states, compute_uv=False)
    return int((scales > threshold * scales[0]).sum())


def _streams(reservoir: Reservoir, streams: int | None, steps: int, threshold: float) -> int:
    streams = reservoir.wiring.neurons if streams is None else streams
    check_rank_settings(streams, steps, threshold)
    return streams


def check_rank_settings(streams: int, steps: int, threshold: float) -> None:
    """Check the settings of a rank.

    Raises:
        ValueError: There is less than one stream or step, or `threshold` is not from 0 to below 1.
    """
    for name, value in {"streams": streams, "steps": steps}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more")
    if not 0 <= threshold < 1:
        raise ValueError(
            f"threshold is {threshold}; give a share of the largest singular value, from 0 to "
            "below 1"
        )


def _squared_correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Column by column, (n, columns) each; 0 where a column is constant or no more than chance."""
    a = a - a.mean(axis=0)
    b = b - b.mean(axis=0)
    together = (a * b).sum(axis=0) ** 2
    apart = (a**2).sum(axis=0) * (b**2).sum(axis=0)
    squared = np.divide(together, apart, out=np.zeros_like(apart), where=apart > 0)
    return np.where(squared > _CHANCE / len(a), squared, 0.0)


def _rows(reservoir: Reservoir, task: Task, split: Split) -> tuple[np.ndarray, np.ndarray]:
    """States (rows, neurons) and targets (rows, outputs): one row per sample, or per step that
    counts."""
    elapsed: np.ndarray
    if split.elapsed is None:
        elapsed = np.ones(split.x.shape[:2])
    else:
        elapsed = np.asarray(split.elapsed, float)
    valid = np.ones(elapsed.shape, bool)
    if split.lengths is not None:
        valid = np.arange(elapsed.shape[1]) < split.lengths[:, None]
    elapsed = np.where(valid, elapsed, 0.0)
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(split.x), _CHUNK)]
    states = np.concatenate(
        [reservoir.states(split.x[chunk], elapsed[chunk], task.every_step) for chunk in chunks]
    )
    counted = valid if split.scored is None else valid & split.scored
    y = split.y[counted] if task.every_step else split.y
    targets = np.eye(task.outputs)[y] if task.kind == "classification" else y
    return (states[counted] if task.every_step else states), targets
