"""Tasks: data with a protocol. `load(name, options)` gives three clean splits and the trivial
baselines beside them."""

import difflib
from collections.abc import Callable
from dataclasses import dataclass, replace

from wiring_search.tasks import (
    activity,
    adding,
    copy_memory,
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
from wiring_search.tasks import csv_table as table
from wiring_search.tasks.checks import checked
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task

__all__ = ["TASKS", "Entry", "Split", "Task", "TaskOptions", "checked", "describe", "load"]


@dataclass(frozen=True)
class Entry:
    """summary: one line for a list of tasks. needs: the options without which it cannot be loaded.
    published: has the protocol of a paper (`--protocol paper`) beside the clean one, or one that is
    both."""

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
        occupancy.load, "is the room occupied: 16 steps of 5 features, 2 classes", _DIR, True
    ),
    "gesture": Entry(
        gesture.load,
        "phase of a gesture from hands and wrists: 32 steps of 32 features, 5 classes",
        _DIR,
        True,
    ),
    "activity": Entry(
        activity.load,
        "what a person does, from a phone: 16 steps of 561 features, 6 classes",
        _DIR,
        True,
    ),
    "person": Entry(
        person.load,
        "what a person does, from tags: 32 irregular steps of 7 features, 7 classes",
        _DIR,
        True,
    ),
    "traffic": Entry(
        traffic.load,
        "cars an hour from weather and calendar: 32 irregular steps of 8 features",
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
        "is it an ozone day: 32 irregular steps of 72 features, 2 classes, F1",
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
        "a data set of the UEA/UCR archive (.ts): a class or a number a series",
        "--data DIR or FILE",
    ),
    "parity": Entry(
        parity.load_events,
        "is the number of ones odd, from runs of bits: up to 32 irregular steps, 2 classes",
    ),
    "parity-dense": Entry(
        parity.load_dense, "the same bit by bit: up to 31 regular steps of 1 feature"
    ),
    "recall": Entry(
        recall.load, "the bits of 1, 2, 4 … up to --lag steps ago, at each step: 1 feature"
    ),
    "copy": Entry(
        copy_memory.load, "five symbols to be told again after --lag blanks: 10 features, 8 classes"
    ),
    "adding": Entry(adding.load, "the sum of two marked numbers among --lag: 2 features"),
    "csv": Entry(
        table.load,
        "your own table: one row a step, a class or a number to tell",
        "--data FILE --target COLUMN",
    ),
}


def load(name: str, options: TaskOptions | None = None) -> Task:
    """The task of that name. Raises ValueError for an unknown name, a protocol it has not, and data
    that are absent or do not fit."""
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1)
        raise ValueError(
            f"no task is called {name!r}; {f'did you mean {near[0]!r}?' if near else 'known: ' + ', '.join(TASKS)}"
        )
    options = options or TaskOptions()
    if options.protocol == "paper" and not TASKS[name].published:
        having = ", ".join(known for known, entry in TASKS.items() if entry.published)
        raise ValueError(
            f"task {name} has no published protocol beside its own; leave --protocol paper out (it is for {having})"
        )
    task = TASKS[name].load(options)
    return (
        replace(task, source=f"{task.source}; splits of the paper")
        if options.protocol == "paper"
        else task
    )


def describe(task: Task) -> str:
    """A few lines on sizes, metric and baselines (each an error on the validation split)."""
    sizes = ", ".join(f"{len(getattr(task, part)):,} {part}" for part in ("train", "valid", "test"))
    asked = "each step" if task.every_step else "the last step"
    error = {"accuracy": "1 − accuracy", "f1": "1 − F1", "mse": "mean squared error"}[task.metric]
    if task.train.scored is not None:
        asked = f"{task.train.scored.sum(axis=1).mean():g} of them"
    lines = [
        f"{task.name}: {task.kind}, {task.time_steps} steps of {task.features} features, {task.outputs} outputs at {asked}",
        f"sequences: {sizes}; error: {error}",
        *(f"baseline {name}: error {value:.4g}" for name, value in task.baselines.items()),
        f"source: {task.source}",
    ]
    return "\n".join(lines)
