"""A task: sequences with targets, cut into three splits, as plain numpy values.

Train is for weights, validation for the search and early stopping, test is sealed until winners are
retrained: nothing in the search reads `Task.test`. Overlapping windows never cross a split; scaling
statistics come from the training split.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from wiring_search.tasks.columns import Columns


@dataclass(frozen=True, eq=False)
class Split:
    """n samples of T steps with F features.

    x: (n, T, F) float32. y: int64 class ids, (n,) or (n, T) with every step; or float32 values, (n,
    O) or (n, T, O). elapsed: (n, T) float32 time units since the previous step, or None for 1.0
    everywhere. lengths: (n,) int64 valid steps of each sample (the rest is padding), or None where
    all T are valid. scored: (n, T) bool, with every step: the steps whose targets count, in
    training too; or None for all valid ones.
    """

    x: np.ndarray
    y: np.ndarray
    elapsed: np.ndarray | None = None
    lengths: np.ndarray | None = None
    scored: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.x)

    def first(self, count: int) -> "Split":
        """Its first samples."""
        rest = (self.elapsed, self.lengths, self.scored)
        cut = (None if part is None else part[:count] for part in rest)
        return Split(self.x[:count], self.y[:count], *cut)

    @property
    def counted(self) -> np.ndarray:
        """The targets that count: y, or its scored steps one after another."""
        return self.y if self.scored is None else self.y[self.scored]


@dataclass(frozen=True, eq=False)
class Task:
    """name: as on the command line. kind: what the targets are. every_step: a target at each step,
    or one a sequence.

    outputs: readout size (classes, or target dimensions). metric: the name of the task's own
    metric: "accuracy" for classification (error = 1 − accuracy), or "f1" of class 1 where that
    class is rare (error = 1 − F1); "mse" for regression (error = mse). baselines: trivial rules and
    their *error on the validation split* by name, to stand beside every score. source: where the
    data come from, one sentence. class_weights: what a sample of each class counts in the training
    loss, None for all the same; errors are never weighted. inputs, targets: what the columns of x
    are, and those of y or the classes; None where the task keeps neither names nor statistics.
    """

    name: str
    kind: Literal["classification", "regression"]
    every_step: bool
    outputs: int
    metric: Literal["accuracy", "f1", "mse"]
    train: Split
    valid: Split
    test: Split
    baselines: dict[str, float]
    source: str
    class_weights: tuple[float, ...] | None = None
    inputs: Columns | None = None
    targets: Columns | None = None

    @property
    def features(self) -> int:
        return self.train.x.shape[2]

    @property
    def time_steps(self) -> int:
        return self.train.x.shape[1]

    def sealed(self) -> "Task":
        """The same with an empty test split: what a stranger's measure may see during a search."""
        return replace(self, test=self.test.first(0))


SHARES = ("accuracy", "f1")


def value_of(metric: str, error: float) -> float:
    """A task's own metric from its error: accuracy and F1 are shares, 1 − error; any other metric
    is the error itself."""
    return 1.0 - error if metric in SHARES else error
