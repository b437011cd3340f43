"""The loss of predictions against a split's targets, one number per candidate."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from wiring_search.tasks.task import Split, Task


def as_pack(task: Task, y: torch.Tensor) -> torch.Tensor:
    """Return outputs of one network as those of a pack of one.

    Args:
        task: Says whether there is an output per step.
        y: (B, T, O) where it does, else (B, O).

    Returns:
        (1, B, T or 1, O).
    """
    return y[None] if task.every_step else y[None, :, None]


@dataclass(frozen=True)
class Targets:
    """What predictions for some samples are compared with, on a device.

    Attributes:
        y: (n, …).
        counted: (n, T) bool, which steps count; None for all.
        class_weights: (classes,), or None.
    """

    y: torch.Tensor
    counted: torch.Tensor | None
    class_weights: torch.Tensor | None

    @classmethod
    def of(
        cls, task: Task, split: Split, rows: np.ndarray | slice, device: torch.device
    ) -> "Targets":
        """Return the targets of some rows of a split, copied to a device.

        Args:
            task: Says whether steps count one by one, and gives class weights.
            split: Gives the targets.
            rows: Which samples.
            device: Where predictions lie.
        """
        counted = _counted(split, rows) if task.every_step else None
        if task.class_weights is None:
            weights = None
        else:
            weights = torch.tensor(task.class_weights, dtype=torch.float64, device=device)
        y = torch.from_numpy(np.array(split.y[rows])).to(
            device
        )  # a copy: a worker's task is read-only
        return cls(y, None if counted is None else counted.to(device), weights)

    def at(self, rows: np.ndarray | torch.Tensor) -> "Targets":
        """Return the targets of some of these samples."""
        return Targets(
            self.y[rows], None if self.counted is None else self.counted[rows], self.class_weights
        )


def loss_of(task: Task, split: Split, rows: np.ndarray) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the loss that trains on some rows of a split; see `loss_to`.

    Args:
        task: Gives the kind of loss.
        split: Gives the targets.
        rows: Which samples the predictions are for.
    """
    return lambda predictions: loss_to(task, Targets.of(task, split, rows, predictions.device))(
        predictions
    )


def loss_to(task: Task, targets: Targets) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the loss against given targets.

    Args:
        task: Gives the kind of loss.
        targets: On the device of the predictions.

    Returns:
        A function from predictions (candidates, B, T or 1, O) to losses (candidates,).
    """

    def loss(predictions: torch.Tensor) -> torch.Tensor:
        wrong, weights = wrongness_to(task, targets, predictions, for_training=True)
        return wrong / weights

    return loss


def wrongness(task, split, rows, predictions, for_training) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two sums whose ratio is the loss or the error; those of batches may be added up first.

    The first is cross entropy (training), misses (scoring) or squared errors. The second is their
    number. For F1, they are misses over positives found and positives there are: 1 − F1 = 1 − 2 tp
    / (2 tp + fp + fn) = (fp + fn) / ((tp + fp) + (tp + fn)).

    Args:
        task: Gives kind, metric and class weights.
        split: Gives the targets.
        rows: Which samples the predictions are for.
        predictions: (candidates, B, T or 1, O).
        for_training: Whether the ratio is the loss, or the error.

    Returns:
        (candidates,) each.
    """
    return wrongness_to(
        task, Targets.of(task, split, rows, predictions.device), predictions, for_training
    )


def wrongness_to(
    task: Task, targets: Targets, predictions: torch.Tensor, for_training: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sums of `wrongness` against given targets.

    Args:
        task: Gives kind and metric.
        targets: On the device of the predictions.
        predictions: (candidates, B, T or 1, O).
        for_training: Whether the ratio is the loss, or the error.

    Returns:
        (candidates,) each.
    """
    target = targets.y
    if not task.every_step:
        predictions = predictions[:, :, 0]
    if task.kind == "regression":
        each = (predictions - target).square().mean(dim=-1)
    elif for_training:
        classes = target.expand(len(predictions), *target.shape).unsqueeze(-1)
        each = -predictions.log_softmax(dim=-1).gather(-1, classes).squeeze(-1)
        if targets.class_weights is not None:
            each = each * targets.class_weights.to(each.dtype)[target]
    else:
        # NaN compares false with everything: an output that is not finite must count as a failure,
        # not as class 0.
        finite = predictions.isfinite().all(dim=-1)
        each = torch.where(finite, (predictions.argmax(dim=-1) != target).float(), torch.nan)
    weights = torch.ones_like(each)
    if task.metric == "f1" and not for_training:
        weights = (predictions.argmax(dim=-1) == 1).float() + (target == 1).float()
    if targets.counted is not None:
        each, weights = (
            torch.where(targets.counted, values, torch.zeros_like(values))
            for values in (each, weights)
        )
    return each.flatten(1).sum(dim=1), weights.flatten(1).sum(dim=1)


def _counted(split: Split, rows: np.ndarray | slice) -> torch.Tensor | None:
    """Which steps of these samples count, (n, T) bool; None for all."""
    counted = None if split.scored is None else split.scored[rows]
    if split.lengths is not None:
        valid = np.arange(split.x.shape[1]) < split.lengths[rows, None]
        counted = valid if counted is None else valid & counted
    return None if counted is None else torch.from_numpy(np.array(counted))


def elapsed_of(split: Split) -> np.ndarray:
    """Return a split's elapsed times, (n, T) float32, 0 in the padding; ones where it has none."""
    elapsed = np.ones(split.x.shape[:2], np.float32) if split.elapsed is None else split.elapsed
    if split.lengths is None:
        return np.ascontiguousarray(elapsed, np.float32)
    valid = np.arange(split.x.shape[1]) < split.lengths[:, None]
    return np.where(valid, elapsed, 0.0).astype(np.float32)
