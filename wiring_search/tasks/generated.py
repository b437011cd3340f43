"""What generated tasks share: three splits drawn from separate seeds, and a lag."""

from collections.abc import Callable

from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split

_LEAST_SAMPLES = 100

# (samples, seed) -> samples of a task, a function of the two alone
Draw = Callable[[int, tuple[int, ...]], Split]


def splits(task: str, options: TaskOptions, seed: int, draw: Draw) -> dict[str, Split]:
    """Draw the three splits of a generated task.

    Args:
        task: The task's name, for messages.
        options: `samples` says how many sequences train; a tenth of that validates, and a tenth
            tests.
        seed: Of the task.
        draw: Draws samples.

    Returns:
        The splits "train", "valid" and "test".

    Raises:
        ValueError: Fewer than 100 samples.
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
    """Return the lag of a generated task.

    Args:
        task: The task's name, for messages.
        options: `lag` is the lag asked for, if any.
        usual: The lag where none is asked for.
        least: The shortest lag that makes sense.

    Raises:
        ValueError: The lag is shorter than `least`.
    """
    lag = usual if options.lag is None else options.lag
    if lag < least:
        raise ValueError(f"--lag is {lag}; task {task} needs {least} or more")
    return lag
