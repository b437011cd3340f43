"""Tasks: data with a protocol.

`load(name, options)` returns a task: three splits, and the errors of trivial rules beside them. A
new task is a file with a `load(options)` and an entry of `TASKS`.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

from wiring_search.tasks import (
    activity,
    adding,
    copy_memory,
    csv_table,
    digits,
    gesture,
    half_cheetah,
    occupancy,
    ozone,
    parity,
    person,
    power,
    recall,
    smnist,
    traffic,
    uea,
    walker2d,
)
from wiring_search.tasks.checks import checked
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task

__all__ = ["TASKS", "Entry", "Split", "Task", "TaskOptions", "checked", "describe", "load"]


@dataclass(frozen=True)
class Entry:
    """A task that can be loaded by name.

    Attributes:
        load: Returns the task.
        summary: One line for the list of tasks.
        needs: The options without which it cannot be loaded.
        published: Whether `--protocol paper` exists: the splits of a paper beside the clean ones,
            or splits that are both.
    """

    load: Callable[[TaskOptions], Task]
    summary: str
    needs: str = ""
    published: bool = False


_DIR = "--data DIR"
TASKS: dict[str, Entry] = {
    "digits": Entry(
        digits.load_rows, "handwritten digits row by row: 8 steps of 8 features, 10 classes"
    ),
    "pixel-digits": Entry(
        digits.load_pixels, "the same pixel by pixel: 64 steps of 1 feature; long-range memory"
    ),
    "permuted-pixel-digits": Entry(
        digits.load_permuted_pixels, "the same in a fixed random order of pixels"
    ),
    "half-cheetah": Entry(
        half_cheetah.load,
        "next observation of a simulated runner: 32 steps of 17 features",
        _DIR,
        True,
    ),
    "occupancy": Entry(
        occupancy.load, "occupancy of a room: 16 steps of 5 features, 2 classes", _DIR, True
    ),
    "gesture": Entry(
        gesture.load,
        "phase of a gesture from hands and wrists: 32 steps of 32 features, 5 classes",
        _DIR,
        True,
    ),
    "activity": Entry(
        activity.load,
        "activity of a person, from a phone: 16 steps of 561 features, 6 classes",
        _DIR,
        True,
    ),
    "person": Entry(
        person.load,
        "activity of a person, from tags: 32 irregular steps of 7 features, 7 classes",
        _DIR,
        True,
    ),
    "traffic": Entry(
        traffic.load,
        "cars per hour from weather and calendar: 32 irregular steps of 8 features",
        _DIR,
        True,
    ),
    "power": Entry(
        power.load,
        "power of a household from its other meters: 32 irregular steps of 6 features",
        _DIR,
        True,
    ),
    "ozone": Entry(
        ozone.load,
        "ozone days: 32 irregular steps of 72 features, 2 classes, F1",
        _DIR,
        True,
    ),
    "walker2d": Entry(
        walker2d.load,
        "next frame of a simulated walker: 64 irregular steps of 17 features",
        _DIR,
        True,
    ),
    "smnist": Entry(
        smnist.load_rows, "MNIST row by row: 28 steps of 28 features, 10 classes", _DIR, True
    ),
    "smnist-events": Entry(
        smnist.load_events,
        "MNIST as runs of pixels: up to 256 irregular steps of 1 feature",
        _DIR,
        True,
    ),
    "uea": Entry(
        uea.load,
        "a data set of the UEA/UCR archive (.ts): a class or a number per series",
        "--data DIR or FILE",
    ),
    "parity": Entry(
        parity.load_events,
        "parity of a bit stream, from runs of bits: up to 32 irregular steps, 2 classes",
    ),
    "parity-dense": Entry(
        parity.load_dense, "the same bit by bit: up to 31 regular steps of 1 feature"
    ),
    "recall": Entry(
        recall.load, "bits of 1, 2, 4 … up to --lag steps ago, at each step: 1 feature"
    ),
    "copy": Entry(
        copy_memory.load, "repeat five symbols after --lag blanks: 10 features, 8 classes"
    ),
    "adding": Entry(adding.load, "sum of two marked numbers among --lag: 2 features"),
    "csv": Entry(
        csv_table.load,
        "your own table: one row per step, a class or a number to predict",
        "--data FILE --target COLUMN",
    ),
}


def load(name: str, options: TaskOptions | None = None) -> Task:
    """Return the task of a name.

    Args:
        name: A name of `TASKS`.
        options: What the user chose; the defaults where it is None.

    Raises:
        ValueError: The name is unknown, the task lacks the protocol, or its data are missing or do
            not fit.
    """
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(TASKS)}"
        raise ValueError(f"no task is called {name!r}; {hint}")
    options = options or TaskOptions()
    if options.protocol == "paper" and not TASKS[name].published:
        having = ", ".join(known for known, entry in TASKS.items() if entry.published)
        raise ValueError(
            f"task {name} has no protocol of a paper; leave out --protocol paper "
            f"(it is for {having})"
        )
    task = TASKS[name].load(options)
    if options.protocol == "paper":
        return replace(task, source=f"{task.source}; splits of the paper")
    return task


def describe(task: Task) -> str:
    """Return a few lines on sizes, metric and rules (with their errors on the validation split)."""
    sizes = ", ".join(f"{len(getattr(task, part)):,} {part}" for part in ("train", "valid", "test"))
    asked = "each step" if task.every_step else "the last step"
    error = {"accuracy": "1 − accuracy", "f1": "1 − F1", "mse": "mean squared error"}[task.metric]
    if task.train.scored is not None:
        asked = f"{task.train.scored.sum(axis=1).mean():g} of them"
    lines = [
        f"{task.name}: {task.kind}, {task.time_steps} steps of {task.features} features, "
        f"{task.outputs} outputs at {asked}",
        f"sequences: {sizes}; error: {error}",
        *(f"rule {name}: error {value:.4g}" for name, value in task.rules.items()),
        f"source: {task.source}",
    ]
    return "\n".join(lines)
