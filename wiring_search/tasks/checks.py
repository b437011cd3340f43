"""Whether a task of an extension can be trained on."""

import numpy as np

from wiring_search.tasks.task import Split, Task

_METRICS = {"classification": ("accuracy", "f1"), "regression": ("mse",)}


def checked(task: Task) -> Task:
    """Return the task unchanged once its arrays are checked.

    Args:
        task: A task that an extension made.

    Raises:
        ValueError: Shapes, types or values are not those of `task.Task` and `task.Split`.
    """
    if task.metric not in _METRICS.get(task.kind, ()):
        allowed = "; ".join(f"{kind}: {', '.join(metrics)}" for kind, metrics in _METRICS.items())
        raise ValueError(f"kind is {task.kind!r} with the metric {task.metric!r}; give {allowed}")
    for name in ("train", "valid", "test"):
        _check(task, name, getattr(task, name))
    for name, columns, count in (
        ("inputs", task.inputs, task.features),
        ("targets", task.targets, task.outputs),
    ):
        if columns is not None and len(columns.names) != count:
            raise ValueError(
                f"{name} names {len(columns.names)} columns, and there are {count}; "
                "name each once, in their order"
            )
    if not all(np.isfinite(error) for error in task.rules.values()):
        raise ValueError(
            f"rules are {task.rules}; give finite errors on the validation split, or none"
        )
    return task


def _check(task: Task, name: str, split: Split) -> None:
    x = split.x
    y = split.y
    if x.ndim != 3 or x.dtype != np.float32 or 0 in x.shape or x.shape[2] != task.features:
        raise ValueError(
            f"{name}.x is {x.dtype} of shape {x.shape}; "
            f"give float32 (samples, steps, {task.features}), none of them 0"
        )
    if not np.isfinite(x).all():
        raise ValueError(
            f"{name}.x has {(~np.isfinite(x)).sum()} values that are not finite; fill the gaps"
        )
    steps = x.shape[:2] if task.every_step else x.shape[:1]
    classes = task.kind == "classification"
    wanted = (
        np.dtype(np.int64 if classes else np.float32),
        steps if classes else (*steps, task.outputs),
    )
    if (y.dtype, y.shape) != wanted:
        raise ValueError(f"{name}.y is {y.dtype} of shape {y.shape}; give {wanted[0]} {wanted[1]}")
    if task.kind == "classification" and not (0 <= y.min() and y.max() < task.outputs):
        raise ValueError(
            f"{name}.y has classes from {y.min()} to {y.max()}; "
            f"give ids from 0 to {task.outputs - 1} (outputs − 1)"
        )
    if not np.isfinite(y).all():
        raise ValueError(f"{name}.y has {(~np.isfinite(y)).sum()} values that are not finite")
