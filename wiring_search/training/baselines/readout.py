"""The linear readout of a reservoir: ridge regression in closed form, and its error on a task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from wiring_search.tasks.task import Split, Task
from wiring_search.training.baselines.reservoir import Reservoir

REGULARISATIONS = (1e-6, 1e-4, 1e-2, 1.0, 100.0)

# Samples that run at once: what they hold fits a cache, four times as quick as thousands together.
_CHUNK = 256

Error = Callable[[np.ndarray, np.ndarray], float]


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
    """Return the readout that `score` judges, and its score.

    Args:
        reservoir: Stays as it is.
        task: Gives splits and metric.
        regularisation: See `fit_ridge`.
    """
    error = {"accuracy": misses, "f1": missing_f1, "mse": mean_squared_error}[task.metric]
    valid = _rows(reservoir, task, task.valid)
    readout = fit_ridge(*_rows(reservoir, task, task.train), regularisation, valid, error)
    return readout, error(readout.predict(valid[0]), valid[1])


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
