"""What generated tasks have in common: three splits drawn from seeds of their own, and a lag."""

from collections.abc import Callable

from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split

_LEAST_SAMPLES = 100

# (samples, seed) -> samples of a task, a function of the two alone
Draw = Callable[[int, tuple[int, ...]], Split]


def splits(task: str, options: TaskOptions, seed: int, draw: Draw) -> dict[str, Split]:
    """As many sequences for training as asked for, and a tenth of that for validation and for test.

    Raises ValueError for fewer than 100.
    """
    if options.samples < _LEAST_SAMPLES:
        raise ValueError(
            f"--samples is {options.samples}; task {task} needs {_LEAST_SAMPLES} or more"
        )
    sizes = {
        "train": options.samples,
        "valid": options.samples // 10,
        "test": options.samples // 10,
    }
    return {part: draw(size, (seed, number)) for number, (part, size) in enumerate(sizes.items())}


def lag_of(task: str, options: TaskOptions, usual: int, least: int = 1) -> int:
    """The lag asked for, or the task's usual one. Raises ValueError for a shorter one than makes
    sense."""
    lag = usual if options.lag is None else options.lag
    if lag < least:
        raise ValueError(f"--lag is {lag}; task {task} needs {least} or more")
    return lag
