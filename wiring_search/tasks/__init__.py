"""Tasks: data with a protocol. `load(name, options)` gives three clean splits and the trivial baselines beside them."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from wiring_search.tasks import adding, copy_memory, digits, half_cheetah, occupancy, parity, recall, table
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task

__all__ = ["TASKS", "Split", "Task", "TaskOptions", "describe", "load"]


@dataclass(frozen=True)
class Entry:
    """summary: one line for a list of tasks. needs: the options without which it cannot be loaded."""

    load: Callable[[TaskOptions], Task]
    summary: str
    needs: str = ""


TASKS: dict[str, Entry] = {
    "digits": Entry(digits.load_rows, "handwritten digits row by row: 8 steps of 8 features, 10 classes"),
    "pixel-digits": Entry(digits.load_pixels, "the same pixel by pixel: 64 steps of 1 feature; long-range memory"),
    "permuted-pixel-digits": Entry(digits.load_permuted_pixels, "the same in a fixed random order of pixels"),
    "half-cheetah": Entry(half_cheetah.load, "next observation of a simulated runner: 32 steps of 17 features", "--data DIR"),
    "occupancy": Entry(occupancy.load, "is the room occupied: 16 steps of 5 features, 2 classes", "--data DIR"),
    "parity": Entry(parity.load_events, "is the number of ones odd, from runs of bits: up to 32 irregular steps, 2 classes"),
    "parity-dense": Entry(parity.load_dense, "the same bit by bit: up to 31 regular steps of 1 feature"),
    "recall": Entry(recall.load, "the bits of 1, 2, 4 … up to --lag steps ago, at each step: 1 feature"),
    "copy": Entry(copy_memory.load, "five symbols to be told again after --lag blanks: 10 features, 8 classes"),
    "adding": Entry(adding.load, "the sum of two marked numbers among --lag: 2 features"),
    "csv": Entry(table.load, "your own table: one row a step, a class or a number to tell", "--data FILE --target COLUMN"),
}


def load(name: str, options: TaskOptions | None = None) -> Task:
    """The task of that name. Raises ValueError for an unknown name, and for data that are absent or do not fit."""
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1)
        raise ValueError(f"no task is called {name!r}; {f'did you mean {near[0]!r}?' if near else 'known: ' + ', '.join(TASKS)}")
    return TASKS[name].load(options or TaskOptions())


def describe(task: Task) -> str:
    """A few lines on sizes, metric and baselines (each an error on the validation split)."""
    sizes = ", ".join(f"{len(getattr(task, part)):,} {part}" for part in ("train", "valid", "test"))
    asked = "each step" if task.every_step else "the last step"
    if task.train.scored is not None:
        asked = f"{task.train.scored.sum(axis=1).mean():g} of them"
    error = "1 − accuracy" if task.metric == "accuracy" else "mean squared error"
    lines = [
        f"{task.name}: {task.kind}, {task.time_steps} steps of {task.features} features, {task.outputs} outputs at {asked}",
        f"sequences: {sizes}; error: {error}",
        *(f"baseline {name}: error {value:.4g}" for name, value in task.baselines.items()),
        f"source: {task.source}",
    ]
    return "\n".join(lines)
