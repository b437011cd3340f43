"""Trivial rules that every score is shown beside. A liquid network that loses to one of them has
learned nothing worth its size.

Each rule is fitted on the training split and returns its error on another split: 1 − accuracy,
1 − F1, or mean squared error.
"""

from dataclasses import dataclass

import numpy as np

from wiring_search.tasks.task import Split

_CHUNK = 8192
_RIDGE = 1e-3


def majority(train: Split, split: Split) -> float:
    """Error of always the most frequent class of the training split."""
    classes, counts = np.unique(train.counted, return_counts=True)
    return float(np.mean(split.counted != classes[counts.argmax()]))


def mean(train: Split, split: Split) -> float:
    """Error of always the mean target of the training split."""
    middle = train.counted.reshape(-1, train.y.shape[-1]).mean(axis=0, dtype=np.float64)
    return float(np.mean((split.counted - middle) ** 2))


def constant(split: Split, value: float) -> float:
    """Error of always the same number."""
    return float(np.mean((split.counted - value) ** 2, dtype=np.float64))


def persistence(split: Split) -> float:
    """Error of predicting the present input, for a target that is the next input."""
    return float(np.mean((split.y.astype(np.float64) - split.x) ** 2))


def previous_target(split: Split) -> float:
    """Error of the target of the step before, from the second step of each window on.

    Args:
        split: With a target at every step.

    Returns:
        The share of misses for classes, the mean squared error for values.
    """
    now = split.y[:, 1:]
    before = split.y[:, :-1]
    if np.issubdtype(split.y.dtype, np.integer):
        return float(np.mean(now != before))
    return float(np.mean((now - before) ** 2))


def linear(train: Split, split: Split, lags: int) -> float:
    """Error of ridge regression from the last inputs of a step to its target.

    It is an autoregression where the target is the next input. Inputs are clipped to their range in
    training and standardised: a rule must not win or lose by extrapolation. It is fitted and
    judged, in float64, on the steps that have `lags` inputs behind them.

    Args:
        train: Split that the rule is fitted on.
        split: Split that it is judged on.
        lags: Inputs that the rule sees, the present one included.
    """
    inputs, targets = _lagged(train, lags)
    scale = _Scale.of(inputs)
    middle = targets.mean(axis=0)
    inputs = scale(inputs)
    weights = np.linalg.solve(_ridge(inputs) + inputs.T @ inputs, inputs.T @ (targets - middle))
    inputs, targets = _lagged(split, lags)
    return float(np.mean((scale(inputs) @ weights + middle - targets) ** 2))


def logistic(train: Split, split: Split) -> float:
    """Error of logistic regression on a whole sequence at once, for one class per sequence."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=500).fit(train.x.reshape(len(train), -1), train.y)
    return float(np.mean(model.predict(split.x.reshape(len(split), -1)) != split.y))


def linear_classes(train: Split, split: Split) -> float:
    """Error of ridge regression to one-hot classes; the largest output decides.

    The rule sees one step, or a whole sequence where each sequence has one class. Inputs are
    clipped and standardised as in `linear`.
    """
    (inputs, classes), (others, truth) = _steps(train), _steps(split)
    scale = _Scale.of(inputs)
    targets = np.eye(classes.max() + 1)[classes]
    middle = targets.mean(axis=0)
    gram = _ridge(inputs)
    seen = 0.0
    # float64 for a chunk at a time: there may be a hundred million inputs.
    for start in range(0, len(inputs), _CHUNK):
        chunk = scale(inputs[start : start + _CHUNK])
        gram += chunk.T @ chunk
        seen += chunk.T @ (targets[start : start + _CHUNK] - middle)
    weights = np.linalg.solve(gram, seen)
    starts = range(0, len(others), _CHUNK)
    found = [(scale(others[at : at + _CHUNK]) @ weights + middle).argmax(axis=1) for at in starts]
    return float(np.mean(np.concatenate(found) != truth))


def nearest(train: Split, split: Split) -> float:
    """Error of the target of the nearest training sequence (Euclid, the padding included).

    Returns:
        The share of misses for classes, the mean squared error for values.
    """
    known, asked = (part.x.reshape(len(part), -1).astype(np.float64) for part in (train, split))
    distances = (known**2).sum(axis=1) - 2 * asked @ known.T
    found = train.y[distances.argmin(axis=1)]
    wrong = found != split.y if np.issubdtype(split.y.dtype, np.integer) else (found - split.y) ** 2
    return float(np.mean(wrong))


def group_mean(train: Split, split: Split) -> float:
    """Error of the mean training target of the step's group, the value of its first input.

    A value that training lacks gets the mean of all targets.
    """
    groups, indices = np.unique(train.x[:, :, 0], return_inverse=True)
    targets = train.y[:, :, 0].astype(np.float64).ravel()
    indices = indices.ravel()
    means = np.bincount(indices, targets) / np.bincount(indices)
    asked = np.minimum(np.searchsorted(groups, split.x[:, :, 0]), len(groups) - 1)
    known = groups[asked] == split.x[:, :, 0]
    return float(np.mean((np.where(known, means[asked], targets.mean()) - split.y[:, :, 0]) ** 2))


def missing_f1(found: np.ndarray, there: np.ndarray) -> float:
    """Return 1 − F1 of class 1.

    Args:
        found: Predicted classes.
        there: True classes, of the same shape.

    Raises:
        ValueError: No true class is 1.
    """
    if not (there == 1).any():
        raise ValueError("no step of class 1 to be found: F1 is not defined")
    return float(np.sum((found == 1) != (there == 1)) / (np.sum(found == 1) + np.sum(there == 1)))


@dataclass(frozen=True)
class _Scale:
    """What the training split says of each input, (inputs,) each: its range, mean and standard
    deviation (1 where it never changes)."""

    low: np.ndarray
    high: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray

    @classmethod
    def of(cls, inputs: np.ndarray) -> "_Scale":
        deviation = inputs.std(axis=0, dtype=np.float64)
        low = inputs.min(axis=0)
        high = inputs.max(axis=0)
        mean = inputs.mean(axis=0, dtype=np.float64)
        return cls(low, high, mean, np.where(low == high, 1.0, deviation))

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """(rows, inputs) clipped and standardised, float64."""
        return (np.clip(inputs, self.low, self.high) - self.mean) / self.deviation


def _ridge(inputs: np.ndarray) -> np.ndarray:
    """What is added to the Gram matrix of standardised inputs: 1e-3 of each one's variance."""
    return _RIDGE * len(inputs) * np.eye(inputs.shape[1])


def _steps(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (rows, …) and classes (rows,): one row per step, or per sequence."""
    return split.x.reshape(split.y.size, -1), split.y.ravel()


def _lagged(split: Split, lags: int) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (rows, lags · features), the newest first, and targets (rows, outputs), float64."""
    steps = split.x.shape[1]
    columns = [split.x[:, lags - 1 - lag : steps - lag] for lag in range(lags)]
    inputs = np.concatenate(columns, axis=2, dtype=np.float64)
    targets = split.y[:, lags - 1 :].astype(np.float64)
    return inputs.reshape(-1, inputs.shape[2]), targets.reshape(-1, targets.shape[2])
