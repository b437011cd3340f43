"""Trivial rules that every score is shown beside: a liquid network that loses to one of them has learned nothing
worth its size.

Each is fitted on the training split and returns its error on another split: 1 − accuracy, or mean squared error.
"""

import numpy as np

from wiring_search.tasks.task import Split


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


def _lagged(split: Split, lags: int) -> tuple[np.ndarray, np.ndarray]:
    windows, steps, _ = split.x.shape
    columns = [split.x[:, lags - 1 - lag : steps - lag] for lag in range(lags)]
    columns.append(np.ones((windows, steps - lags + 1, 1)))
    inputs = np.concatenate(columns, axis=2, dtype=np.float64)
    targets = split.y[:, lags - 1 :].astype(np.float64)
    return inputs.reshape(-1, inputs.shape[2]), targets.reshape(-1, targets.shape[2])
