"""A task: sequences with targets, cut into three splits, as plain numpy values.

Train is for weights, validation for the search and early stopping, test is sealed until winners are
retrained: nothing in the search reads `Task.test`. Overlapping windows never cross a split; scaling
statistics come from the training split.
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from wiring_search.tasks.columns import Columns


@dataclass(frozen=True, eq=False)
class Split:
    """n samples of T steps with F features.

    Attributes:
        x: (n, T, F) float32.
        y: int64 class ids, (n,) or, with every step, (n, T); or float32 values, (n, O) or (n, T,
            O).
        elapsed: (n, T) float32, time units since the previous step, or None for 1.0 everywhere.
        lengths: (n,) int64, valid steps of each sample (the rest is padding), or None where all T
            are valid.
        scored: (n, T) bool, with every step: the steps whose targets count, in training too; or
            None for all valid ones.
    """

    x: np.ndarray
    y: np.ndarray
    elapsed: np.ndarray | None = None
    lengths: np.ndarray | None = None
    scored: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def first(self, count: int) -> "Split":
        """Return its first samples.

        Args:
            count: How many.
        """
        rest = (self.elapsed, self.lengths, self.scored)
        cut = (None if part is None else part[:count] for part in rest)
        return Split(self.x[:count], self.y[:count], *cut)

    @property
    def counted(self) -> np.ndarray:
        """The targets that count: y, or its scored steps in sequence."""
        return self.y if self.scored is None else self.y[self.scored]


@dataclass(frozen=True, eq=False)
class Task:
    """A learning task: splits, metric, and what to compare with.

    Attributes:
        name: As on the command line.
        kind: Of the targets.
        every_step: Whether there is a target at each step, or one per sequence.
        outputs: Size of the readout: classes, or dimensions of the target.
        metric: "accuracy" of classes (error = 1 − accuracy), "f1" of class 1 where it is rare
            (error = 1 − F1), "mse" of numbers (error = mse).
        train: Split that trains.
        valid: Split that validates: it chooses the best epoch, and gives the error of candidates.
        test: Split that is read once, at the end.
        rules: Errors of trivial rules on the validation split, by name.
        source: Where the data come from, in one sentence.
        class_weights: Weight of each class in the training loss; None for equal weights. Errors
            are never weighted.
        inputs: Names and scale of the columns of x; None where the task keeps neither.
        targets: The same of y, or the names of the classes.
    """

    name: str
    kind: Literal["classification", "regression"]
    every_step: bool
    outputs: int
    metric: Literal["accuracy", "f1", "mse"]
    train: Split
    valid: Split
    test: Split
    rules: dict[str, float]
    source: str
    class_weights: tuple[float, ...] | None = None
    inputs: Columns | None = None
    targets: Columns | None = None

    def __new__(cls, *_: Any, **fields: Any) -> "Task":
        """Refuse the name that `rules` had in version 0.2.0 and earlier."""
        if "baselines" in fields:
            raise TypeError(
                "Task has no field baselines: baselines are trained networks; "
                "give the errors of trivial rules as rules={name: error}"
            )
        return super().__new__(cls)

    @property
    def features(self) -> int:
        return self.train.x.shape[2]

    @property
    def time_steps(self) -> int:
        return self.train.x.shape[1]

    def sealed(self) -> "Task":
        """Return the task with an empty test split, for measures of an extension."""
        return replace(self, test=self.test.first(0))


SHARES = ("accuracy", "f1")


def value_of(metric: str, error: float) -> float:
    """Return a task's metric from its error: 1 − error for accuracy and F1, else the error.

    Args:
        metric: Of the task.
        error: Of a candidate or a rule.
    """
    return 1.0 - error if metric in SHARES else error
