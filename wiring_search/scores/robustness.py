"""Robustness: how much of its error a trained network keeps when its data shift.

    relative error under a shift = error on the validation split / error on the shifted one, 0 … 1
    robustness = the mean of it over all shifts

1 is a network that loses nothing, 0 one that is lost. It is a ratio, so read it beside the error: a
network that has learned nothing has nothing to lose. Shifts, levels in brackets (`shifts` says what
each does):

    noise        on every input [share of the feature's spread on the training split]
    drop-timed   samples are missing, the elapsed times say so [share]
    drop-hidden  the same samples are missing, the elapsed times do not say so [share]
    duration     the process takes so many times as long. With times: the same inputs by another
                 clock. Without, the sensor keeps its rate: every second step, or straight lines
                 between the steps
    length       the process waits at its first step before it starts [times as long]
    channels     so many features of each sample stand at their training mean [count]

Levels are those usual for sequences. The training and the test split are never scored. Random
shifts draw the same numbers for each level, timed or hidden: levels differ by nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from wiring_search.scores.shifts import (
    dropped,
    every_second,
    interpolated,
    lengthened,
    lengths_of,
    noisy,
    paced,
    without_channels,
)
from wiring_search.scores.trained_packs import Scores, TrainedCandidates
from wiring_search.tasks.task import Split, Task
from wiring_search.training.loop import validation_errors
from wiring_search.training.pack import Pack

CLEAN = "clean"
# Families in the order of tables and pictures: what a level means, and the level at which nothing
# is shifted.
FAMILIES: dict[str, tuple[str, float]] = {
    "noise": ("noise, in spreads of the feature", 0.0),
    "drop-timed": ("share of samples missing, elapsed times known", 0.0),
    "drop-hidden": ("share of samples missing, elapsed times hidden", 0.0),
    "duration": ("times as slow", 1.0),
    "length": ("times as long, waiting first", 1.0),
    "channels": ("features missing", 0.0),
}
_NOISE = (0.05, 0.1, 0.2, 0.35)
_DROPPED = (0.1, 0.3, 0.5)
_CHANNELS = (0.1, 0.3)
_FASTER = 0.5
_SLOWER = (2, 4)


@dataclass(frozen=True)
class Shift:
    """A shift of a split at one level.

    Attributes:
        family: A name out of FAMILIES.
        level: How much of it.
        apply: Returns a split's shifted copy; the split stays as it is.
    """

    family: str
    level: float
    apply: Callable[[Split], Split]

    @property
    def name(self) -> str:
        return f"{self.family} {self.level:g}"


def shifts(task: Task, seed: int = 0) -> list[Shift]:
    """Return all shifts that apply to a task; a single feature is never missing.

    Args:
        task: Its training split gives means and spreads of the features.
        seed: Of the random shifts.
    """
    means, spread = _moments(task.train)
    for_noise, for_drops, for_channels = ((seed, number) for number in range(3))
    result = [
        Shift("noise", sigma, partial(noisy, spread=spread, sigma=sigma, seed=for_noise))
        for sigma in _NOISE
    ]
    for family, timed in (("drop-timed", True), ("drop-hidden", False)):
        result += [
            Shift(family, p, partial(dropped, share=p, timed=timed, seed=for_drops))
            for p in _DROPPED
        ]
    if task.valid.elapsed is None:
        result.append(Shift("duration", _FASTER, every_second))
        result += [
            Shift("duration", k, partial(interpolated, factor=k, every_step=task.every_step))
            for k in _SLOWER
        ]
    else:
        result += [
            Shift("duration", factor, partial(paced, factor=factor))
            for factor in (_FASTER, *_SLOWER)
        ]
    result.append(Shift("length", 2, partial(lengthened, every_step=task.every_step)))
    counts = sorted({max(1, round(share * task.features)) for share in _CHANNELS} - {task.features})
    return result + [
        Shift("channels", n, partial(without_channels, means=means, count=n, seed=for_channels))
        for n in counts
    ]


def robustness(
    task: Task,
    pack: Pack,
    seed: int = 0,
    on_progress: Callable[[int, int], None] = lambda done, count: None,
) -> dict[str, np.ndarray]:
    """Return the errors of a trained pack on the validation split by shift.

    Args:
        task: The task it was trained on.
        pack: Trained.
        seed: Of the random shifts.
        on_progress: Called with (shifts done, all shifts) after each of them.

    Returns:
        (P,) by name: `CLEAN` first, then every one of `shifts`.
    """
    chosen = shifts(task, seed)
    errors = {CLEAN: validation_errors(task, task.valid, pack)}
    for done, shift in enumerate(chosen, start=1):
        errors[shift.name] = validation_errors(task, shift.apply(task.valid), pack)
        on_progress(done, len(chosen))
    return errors


def times_clean(task: Task, errors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return each error over the clean one.

    Both are held above what the split can tell from 0: half a miss, or what single precision makes
    of the targets. So a network without any error is not lost with its first one.

    Args:
        task: Gives that resolution.
        errors: (P,) by name, from `robustness`.

    Returns:
        (P,) by name: infinite where an output stops being finite, NaN where the clean error is no
        number.
    """
    least = _resolution(task)
    clean = np.maximum(errors[CLEAN], least)
    return {
        name: np.where(np.isnan(of), np.inf, np.maximum(of, least)) / clean
        for name, of in errors.items()
    }


def relative_errors(task: Task, errors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the clean error over each shifted one.

    Args:
        task: See `times_clean`.
        errors: (P,) by name, from `robustness`.

    Returns:
        (P,) by shift, 0 … 1; 1 where the shift does not harm (or happens to help).
    """
    return {
        name: np.minimum(1.0, 1.0 / times)
        for name, times in times_clean(task, errors).items()
        if name != CLEAN
    }


def score(task: Task, errors: dict[str, np.ndarray]) -> np.ndarray:
    """Return `robustness` as one number per candidate: the mean over shifts of `relative_errors`.

    Args:
        task: See `times_clean`.
        errors: (P,) by name, from `robustness`.

    Returns:
        (P,).
    """
    relative = list(relative_errors(task, errors).values())
    # One after the other: numpy's mean adds up in an order that depends on P.
    return sum(relative, np.zeros(())) / len(relative)


def measure(trained: TrainedCandidates) -> Scores:
    """Return `robustness` of trained candidates."""

    def scores(pack: Pack) -> np.ndarray:
        return score(trained.task, robustness(trained.task, pack, trained.seed))

    return {"robustness": trained.per_pack(scores)}


def _resolution(task: Task) -> float:
    split = task.valid
    if task.kind == "regression":
        return float(np.finfo(np.float32).eps * np.mean(np.square(split.y, dtype=np.float64)))
    return 0.5 / float(lengths_of(split).sum() if task.every_step else len(split))


def _moments(split: Split) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread (F,) of each feature over all valid steps."""
    valid = np.arange(split.x.shape[1]) < lengths_of(split)[:, None]
    x = split.x[valid].astype(np.float64)
    return x.mean(axis=0), x.std(axis=0)
