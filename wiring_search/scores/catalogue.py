"""The scores by name: what each says, in which unit, and which way it is good.

Inside, every objective is minimised. Only `minimised` turns round a score of which more is better.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True, slots=True)
class Score:
    """A score by what it says.

    Attributes:
        sentence: What it is, for lists.
        sign: 1 where smaller is better, −1 where larger is, 0 where neither is and it cannot be an
            objective.
        unit: "" for a pure number.
        worst: The worst value, None where there is no bound.
        measure: Of an extension's score, (network, task, seed) -> float.
        file: Of a built-in score that is measured after training: the module of
            `wiring_search.scores` whose `measure(trained)` returns it by its name, (candidates,).
            Scores of a group with one file are measured by one call.
    """

    sentence: str
    sign: int
    unit: str = ""
    worst: float | None = None
    measure: Callable[..., float] | None = None
    file: str = ""


# What every candidate has.
ALWAYS = {
    "error": Score(
        "on the validation split at the best epoch: 1 − accuracy, 1 − F1 or mean squared error; "
        "mean over repeats",
        1,
    ),
    "synapses": Score("connections, sensory ones and those of a memory included, each once", 1),
    "parameters": Score("everything that is trained, input map and readout too", 1),
    "latency_us": Score("a time step, one sample at a time, on the CPU kernel", 1, "µs"),
}
# What is measured besides, after training, by groups that can be asked for. Extensions add further
# scores.
GROUPS: dict[str, dict[str, Score]] = {
    "memory": {
        "memory": Score(
            "recall of a bit of k steps ago, learned afresh: area of the accuracy over log k, "
            "0 (chance) to 1",
            -1,
            worst=0.0,
            file="memory",
        ),
        "memory_lag": Score(
            "longest k that is recalled together with every shorter one",
            -1,
            "steps",
            0.0,
            file="memory",
        ),
    },
    "dynamics": {
        "expressivity": Score(
            "length of the trained network's trajectory over that of a neural ODE of equal width",
            -1,
            worst=0.0,
            file="trajectory",
        ),
        "gradient_slope": Score(
            "slope of log ‖∂ last state/∂ earlier state‖ over the lag; 0 carries furthest",
            0,
            "per step",
            file="gradient",
        ),
        "kernel_rank": Score(
            "number of inputs that the states tell apart linearly", -1, worst=0.0, file="rank"
        ),
    },
    "robustness": {
        "robustness": Score(
            "clean error over shifted error, mean over shifts of the input; 1: nothing lost",
            -1,
            worst=0.0,
            file="robustness",
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
    """Register a score of an extension beside the built-in ones.

    Args:
        group: The group that it is measured with; made where there is none of this name.
        name: Its name in tables and as an objective.
        score: What it says; an objective where its `sign` is not 0.
    """
    GROUPS.setdefault(group, {})[name] = score
    SCORES[name] = score
    if score.sign:
        OBJECTIVES[name] = score


def group_of(name: str) -> str | None:
    """Return the group that a score belongs to, None for those that need not be asked for."""
    return next((group for group, scores in GROUPS.items() if name in scores), None)


def minimised(objectives: tuple[str, ...], values: ArrayLike) -> np.ndarray:
    """Turn values so that smaller is better in each objective.

    Args:
        objectives: Names out of SCORES.
        values: (…, objectives), as they are shown.

    Returns:
        (…, objectives) float64.
    """
    return np.asarray(values, float) * np.array([SCORES[name].sign for name in objectives], float)
