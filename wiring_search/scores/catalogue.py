"""The scores by name: what each says, in which unit, and which way it is good.

Inside, every objective is minimised: `minimised` turns a score around where more is better, and
nobody else does.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Score:
    """sign: 1 where smaller is better, −1 where larger is, 0 where neither is and it cannot be an
    objective. worst: the worst that it can be, None where there is no bound. measure: of a score of
    an extension, (network, task, seed) -> float; the others are measured by `scoring`."""

    sentence: str
    sign: int
    unit: str = ""
    worst: float | None = None
    measure: Callable[..., float] | None = None


# What every candidate has.
ALWAYS = {
    "error": Score(
        "on the validation split at the best epoch: 1 − accuracy, 1 − F1 or mean squared error; mean over repeats",
        1,
    ),
    "synapses": Score("connections, sensory ones and those of a memory included, each once", 1),
    "parameters": Score("everything that is trained, input map and readout too", 1),
    "latency_us": Score("a time step, one sample at a time, on the CPU kernel", 1, "µs"),
}
# What is measured besides, after training, by groups that can be asked for. An extension adds its
# own.
GROUPS: dict[str, dict[str, Score]] = {
    "memory": {
        "memory": Score(
            "accuracy at recalling a bit of k steps ago, learned afresh: area over log k, 0 (chance) to 1",
            -1,
            worst=0.0,
        ),
        "memory_lag": Score(
            "the longest k that is recalled, and every shorter one", -1, "steps", 0.0
        ),
    },
    "dynamics": {
        "expressivity": Score(
            "length of the trained network's trajectory over that of a neural ODE of equal width",
            -1,
            worst=0.0,
        ),
        "gradient_slope": Score(
            "of the logarithm of ‖∂ last state/∂ earlier state‖ over the lag; 0 carries furthest",
            0,
            "a step",
        ),
        "kernel_rank": Score(
            "how many different inputs the states tell apart linearly", -1, worst=0.0
        ),
    },
    "robustness": {
        "robustness": Score(
            "mean over shifts of the input of clean error over shifted error, 1: nothing lost",
            -1,
            worst=0.0,
        ),
    },
}
# Those of them that a search measures unasked.
MEASURED = tuple(GROUPS)
# What repeats of a candidate, other initial weights, add.
REPEATED = {
    "error_se": Score("standard error of the error, over repeats", 0),
    "error_upper": Score(
        "upper end of the one-sided 95 % confidence interval of the error, over repeats", 1
    ),
}
SCORES = {
    **ALWAYS,
    **REPEATED,
    **{name: score for group in GROUPS.values() for name, score in group.items()},
}
OBJECTIVES = {name: score for name, score in SCORES.items() if score.sign}


def add_score(group: str, name: str, score: Score) -> None:
    """Make a score of an extension one like any other."""
    GROUPS.setdefault(group, {})[name] = score
    SCORES[name] = score
    if score.sign:
        OBJECTIVES[name] = score


def group_of(name: str) -> str | None:
    """The group that a score belongs to, None for those that need not be asked for."""
    return next((group for group, scores in GROUPS.items() if name in scores), None)


def minimised(objectives: tuple[str, ...], values: ArrayLike) -> np.ndarray:
    """values: (…, objectives) as they are shown. The same, each turned so that smaller is
    better."""
    return np.asarray(values, float) * np.array([SCORES[name].sign for name in objectives], float)
