"""How much outputs vary over a split: a network with a constant output has learned nothing,
whatever its error.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from wiring_search.tasks.task import Task


class Variation:
    """Adds up, batch by batch, how much values differ within a split.

    Args:
        task: Says whether values are classes, and how many there are.
    """

    def __init__(self, task: "Task") -> None:
        self._classes = task.outputs if task.kind == "classification" else 0
        self._count = 0
        self._first: torch.Tensor | None = None
        self._sums = self._squares = np.zeros(())

    def add(self, values: torch.Tensor, counted: torch.Tensor | None) -> None:
        """Add a batch of values.

        Args:
            values: (candidates, B), or with steps (candidates, B, T), of classes; of numbers with a
                last axis of outputs.
            counted: (B, T) bool, the steps that count; None for all.
        """
        last = values.dim() - (0 if self._classes else 1)
        rows = values[:, counted] if counted is not None else values.flatten(1, last - 1)
        self._count += rows.shape[1]
        if self._classes:
            found = [(rows == k).sum(dim=1) for k in range(self._classes)]
            self._sums = self._sums + torch.stack(found, dim=1).cpu().numpy()
            return
        if self._first is None:
            # Sums of squares lose small differences of large numbers, unless these start at 0.
            self._first = rows[:, :1].clone()
        rows = rows - self._first
        self._sums = self._sums + rows.sum(dim=1, dtype=torch.float64).cpu().numpy()
        squares = rows.square().sum(dim=1, dtype=torch.float64)
        self._squares = self._squares + squares.cpu().numpy()

    def amount(self) -> np.ndarray:
        """Return how much the values differ, 0 where all are the same, NaN where there are none.

        Returns:
            Of classes (candidates, 1): the share of decisions besides the most frequent class. Of
            numbers (candidates, outputs): standard deviations.
        """
        if not self._count:
            return np.full((1, 1), np.nan)
        if self._classes:
            return 1 - self._sums.max(axis=1, keepdims=True) / self._count
        variance = self._squares / self._count - (self._sums / self._count) ** 2
        return np.sqrt(np.maximum(variance, 0.0))


def relative_variation(outputs: Variation, targets: Variation) -> np.ndarray:
    """Return how much outputs vary over how much targets do.

    It is 0 for a constant and about 1 for outputs like the targets. Of several outputs the largest
    counts.

    Args:
        outputs: Of the candidates.
        targets: Of the same samples, as one candidate.

    Returns:
        (candidates,); NaN where no target varies.
    """
    there = targets.amount()[0]
    found = outputs.amount()
    varies = there > 0
    if not varies.any():
        return np.full(len(found), np.nan)
    return (found[:, varies] / there[varies]).max(axis=1)
