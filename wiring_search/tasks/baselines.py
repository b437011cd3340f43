"""Trivial rules that every score is shown beside: a liquid network that loses to one of them has learned nothing
worth its size.

Each is fitted on the training split and returns its error on another split: 1 − accuracy, 1 − F1, or mean squared error.
"""

import numpy as np

from wiring_search.tasks.task import Split

_CHUNK = 8192


def majority(train: Split, split: Split) -> float:
    """Always the most frequent class of the training split."""
    classes, counts = np.unique(train.counted, return_counts=True)
    return float(np.mean(split.counted != classes[counts.argmax()]))


def mean(train: Split, split: Split) -> float:
    """Always the mean target of the training split."""
    middle = train.counted.reshape(-1, train.y.shape[-1]).mean(axis=0, dtype=np.float64)
    return float(np.mean((split.counted - middle) ** 2))


def constant(split: Split, value: float) -> float:
    """Always the same number."""
    return float(np.mean((split.counted - value) ** 2, dtype=np.float64))


def persistence(split: Split) -> float:
    """For a target that is the next input: what is now, stays."""
    return float(np.mean((split.y.astype(np.float64) - split.x) ** 2))


def previous_target(split: Split) -> float:
    """The target of the step before, from the second step of each window on; misses for classes, squared errors for
    values."""
    now, before = split.y[:, 1:], split.y[:, :-1]
    return float(np.mean(now != before)) if np.issubdtype(split.y.dtype, np.integer) else float(np.mean((now - before) ** 2))


def linear(train: Split, split: Split, lags: int) -> float:
    """Least squares from the last `lags` inputs of a step to its target (an autoregression where the target is the
    next input).

    Fitted and judged on the steps that have so many inputs behind them, in float64, with a ridge of 1e-6.
    """
    inputs, targets = _lagged(train, lags)
    weights = np.linalg.solve(inputs.T @ inputs + 1e-6 * np.eye(inputs.shape[1]), inputs.T @ targets)
    inputs, targets = _lagged(split, lags)
    return float(np.mean((inputs @ weights - targets) ** 2))


def logistic(train: Split, split: Split) -> float:
    """Logistic regression on a whole sequence at once, for one class a sequence."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=500).fit(train.x.reshape(len(train), -1), train.y)
    return float(np.mean(model.predict(split.x.reshape(len(split), -1)) != split.y))


def linear_classes(train: Split, split: Split) -> float:
    """Least squares from one step (or a whole sequence, where one class a sequence is asked for) to classes one-hot; the
    largest output counts."""
    (inputs, classes), (others, truth) = _steps(train), _steps(split)
    targets = np.eye(classes.max() + 1)[classes]
    gram, seen = 1e-4 * len(inputs) * np.eye(inputs.shape[1]), 0.0
    for start in range(0, len(inputs), _CHUNK):  # float64 for a chunk at a time: there may be a hundred million inputs
        chunk = inputs[start : start + _CHUNK].astype(np.float64)
        gram += chunk.T @ chunk
        seen += chunk.T @ targets[start : start + _CHUNK]
    return float(np.mean((others @ np.linalg.solve(gram, seen)).argmax(axis=1) != truth))


def nearest(train: Split, split: Split) -> float:
    """The target of the nearest training sequence (Euclid, the padding included): misses, or squared errors."""
    known, asked = (part.x.reshape(len(part), -1).astype(np.float64) for part in (train, split))
    distances = (known**2).sum(axis=1) - 2 * asked @ known.T
    found = train.y[distances.argmin(axis=1)]
    wrong = found != split.y if np.issubdtype(split.y.dtype, np.integer) else (found - split.y) ** 2
    return float(np.mean(wrong))


def group_mean(train: Split, split: Split) -> float:
    """The mean training target of each value of the first input, where that names a group; of all, for a new one."""
    groups, places = np.unique(train.x[:, :, 0], return_inverse=True)
    targets, places = train.y[:, :, 0].astype(np.float64).ravel(), places.ravel()
    means = np.bincount(places, targets) / np.bincount(places)
    asked = np.minimum(np.searchsorted(groups, split.x[:, :, 0]), len(groups) - 1)
    known = groups[asked] == split.x[:, :, 0]
    return float(np.mean((np.where(known, means[asked], targets.mean()) - split.y[:, :, 0]) ** 2))


def missing_f1(found: np.ndarray, there: np.ndarray) -> float:
    """1 − F1 of class 1. Raises ValueError where there is none."""
    if not (there == 1).any():
        raise ValueError("no step of class 1 to be found: F1 is not defined")
    return float(np.sum((found == 1) != (there == 1)) / (np.sum(found == 1) + np.sum(there == 1)))


def _steps(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (rows, …) with a column of ones, and classes (rows,): one row a step, or a sequence."""
    rows = split.x.reshape(split.y.size, -1)
    return np.concatenate([rows, np.ones((len(rows), 1), rows.dtype)], axis=1), split.y.ravel()


def _lagged(split: Split, lags: int) -> tuple[np.ndarray, np.ndarray]:
    windows, steps, _ = split.x.shape
    columns = [split.x[:, lags - 1 - lag : steps - lag] for lag in range(lags)]
    columns.append(np.ones((windows, steps - lags + 1, 1)))
    inputs = np.concatenate(columns, axis=2, dtype=np.float64)
    targets = split.y[:, lags - 1 :].astype(np.float64)
    return inputs.reshape(-1, inputs.shape[2]), targets.reshape(-1, targets.shape[2])
