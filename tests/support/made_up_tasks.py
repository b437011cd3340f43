"""Small made-up tasks of sequences for what trains, and a split that must not be read."""

from dataclasses import replace

import numpy as np

from wiring_search.tasks.task import Split, Task
from wiring_search.workers.jobs import Outcome

FEATURES = 3


class Sealed:
    """A test split that must not be read."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the test split was read: {name}")

    def __len__(self) -> int:
        raise AssertionError("the test split was read")


def _split(n: int, kind: str, every_step: bool, timed: bool, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    x = rng.random((n, 6, FEATURES)).astype(np.float32)
    elapsed = rng.uniform(0.1, 2.0, (n, 6)).astype(np.float32)
    lengths = rng.integers(1, 7, n)
    value = np.cumsum(x.sum(axis=2), axis=1)
    value = value if every_step else value[np.arange(n), (lengths if timed else np.full(n, 6)) - 1]
    y = (
        (value > np.median(value)).astype(np.int64)
        if kind == "classification"
        else value[..., None].astype(np.float32)
    )
    return Split(x, y, elapsed, lengths) if timed else Split(x, y)


def made_up_task(
    kind: str = "classification", every_step: bool = False, timed: bool = False
) -> Task:
    """A task with sequences of 6 steps, 50 for training and 30 for validation.

    The target is the sum of the inputs so far, or whether it is above the median. `timed` adds
    random elapsed times and lengths.
    """
    return Task(
        name="made up",
        kind=kind,
        every_step=every_step,
        outputs=2 if kind == "classification" else 1,
        metric="accuracy" if kind == "classification" else "mse",
        train=_split(50, kind, every_step, timed, 0),
        valid=_split(30, kind, every_step, timed, 1),
        test=Sealed(),
        rules={},
        source="",
    )


def timeless(outcome: Outcome) -> Outcome:
    """The outcome without its times and its training state."""
    return replace(outcome, train_seconds=0.0, latency_us=0.0, state=None)
