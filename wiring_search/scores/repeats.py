"""Repeats: the error of a candidate is one draw of three lotteries. How much does each of them move
it?

A point of the space is trained with W wirings (seeds of its topology) × I initialisations × D
orders of the minibatches, all combinations. The errors are split by analysis of variance with
random effects:

    y[w, i, d] = mean + wiring[w] + initialisation[w, i] + order[d] + residual[w, i, d]

An initialisation belongs to its wiring, for the same seed means other numbers to another wiring. An
order is the same for all. What an order does to one network and not to another is in the residual.
Setting the mean squares of a balanced design equal to their expectations (Searle, Casella,
McCulloch, "Variance Components", 1992, chapter 4)

    E MS_wiring         = residual + D initialisation + D I wiring       W − 1 degrees of freedom
    E MS_initialisation = residual + D initialisation                    W (I − 1)
    E MS_order          = residual + W I order                           D − 1
    E MS_residual       = residual                                       (W I − 1)(D − 1)

gives the estimates. An estimate below 0 is set to 0.

Means of repeated scores have t-distributed bounds, below.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wiring_search.tasks.task import Task
from wiring_search.training import loop as training
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import PackJob, PackResult, Rung

_PACK = 8
Train = Callable[[Task, PackJob], PackResult]
# on_progress(trainings done, of all)
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class VarianceSplit:
    """Variances of the error, by what causes them.

    Attributes:
        wiring: NaN where there was one wiring only.
        initialisation: Of initial weights.
        order: Of the order of the minibatches.
        residual: What is left, interactions included.
    """

    wiring: float
    initialisation: float
    order: float
    residual: float

    @property
    def shares(self) -> dict[str, float]:
        """The share of each known variance in their sum, by name; 0 where nothing varies."""
        known = {name: value for name, value in vars(self).items() if not math.isnan(value)}
        total = sum(known.values())
        return {name: value / total if total > 0 else 0.0 for name, value in known.items()}


def variance_split(errors: np.ndarray) -> VarianceSplit:
    """Return the four components of errors.

    Args:
        errors: (wirings, initialisations, orders).

    Raises:
        ValueError: The shape is another, there are fewer than two initialisations or orders, or an
            error is not finite (the design is no longer balanced without it).

    Source:
        Searle, Casella, McCulloch, "Variance Components", 1992, chapter 4.
    """
    if errors.ndim != 3 or errors.shape[0] < 1 or min(errors.shape[1:]) < 2:
        raise ValueError(
            f"errors have shape {errors.shape}; "
            "give (wirings, initialisations, orders), two or more of the last two each"
        )
    if not np.isfinite(errors).all():
        lost = int((~np.isfinite(errors)).sum())
        raise ValueError(
            f"{lost} of {errors.size} errors are not finite; "
            "a split needs every training of the design to end well"
        )
    y = errors.astype(np.float64)
    wirings, inits, orders = y.shape
    of_wiring, of_network, of_order = (
        y.mean(axis=axes, keepdims=True) for axes in ((1, 2), 2, (0, 1))
    )
    between_networks = orders * ((of_network - of_wiring) ** 2).sum() / (wirings * (inits - 1))
    between_orders = wirings * inits * ((of_order - y.mean()) ** 2).sum() / (orders - 1)
    left = ((y - of_network - of_order + y.mean()) ** 2).sum() / (
        (wirings * inits - 1) * (orders - 1)
    )
    wiring = math.nan
    if wirings > 1:
        between_wirings = inits * orders * ((of_wiring - y.mean()) ** 2).sum() / (wirings - 1)
        wiring = max(0.0, float(between_wirings - between_networks) / (inits * orders))
    return VarianceSplit(
        wiring=wiring,
        initialisation=max(0.0, float(between_networks - left) / orders),
        order=max(0.0, float(between_orders - left) / (wirings * inits)),
        residual=float(left),
    )


def crossed_errors(
    task: Task,
    wirings: Sequence[Candidate],
    init_seeds: Sequence[int],
    data_seeds: Sequence[int],
    rung: Rung,
    on_progress: Progress = lambda done, count: None,
    train: Train = training.train,
) -> np.ndarray:
    """Train every combination and return the validation errors.

    Wirings and initialisations train side by side in packs, each pack once for every order.

    Args:
        task: The task to train on.
        wirings: One candidate each; its seed is replaced.
        init_seeds: Seeds of the initial weights.
        data_seeds: Seeds of the order of the minibatches.
        rung: Epochs and batch size.
        on_progress: Called with (trainings done, all trainings) after each pack.
        train: Trains a pack.

    Returns:
        (wirings, initialisations, orders); NaN where a training failed.
    """
    members = [replace(candidate, seed=seed) for candidate in wirings for seed in init_seeds]
    errors = np.full((len(members), len(data_seeds)), np.nan)
    for order, data_seed in enumerate(data_seeds):
        for start in range(0, len(members), _PACK):
            chosen = members[start : start + _PACK]
            outcomes = train(task, PackJob(0, rung, tuple(chosen), data_seed)).outcomes
            errors[start : start + len(chosen), order] = [outcome.error for outcome in outcomes]
            on_progress(order * len(members) + start + len(chosen), errors.size)
    return errors.reshape(len(wirings), len(init_seeds), len(data_seeds))


def mean(scores: np.ndarray) -> np.ndarray:
    """Return the mean (…) of repeated scores (…, repeats)."""
    return np.mean(scores, axis=-1)


def standard_error(scores: np.ndarray) -> np.ndarray:
    """Return the standard error of the mean of repeated scores, s / √repeats.

    Args:
        scores: (…, repeats).

    Returns:
        (…).

    Raises:
        ValueError: There are fewer than two repeats.
    """
    repeats = scores.shape[-1]
    if repeats < 2:
        raise ValueError(f"{repeats} repeats have no spread; give two or more")
    return np.std(scores, axis=-1, ddof=1) / math.sqrt(repeats)


def upper_bound(scores: np.ndarray, confidence: float = 0.95) -> np.ndarray:
    """Return the bound below which the expected score lies (one-sided, Student's t).

    Args:
        scores: (…, repeats).
        confidence: From 0.5 to less than 1.

    Returns:
        (…).

    Raises:
        ValueError: There are fewer than two repeats, or `confidence` is out of range.
    """
    return mean(scores) + _reach(scores.shape[-1], confidence) * standard_error(scores)


def lower_bound(scores: np.ndarray, confidence: float = 0.95) -> np.ndarray:
    """Return the bound above which the expected score lies (one-sided, Student's t).

    Args:
        scores: (…, repeats).
        confidence: From 0.5 to less than 1.

    Returns:
        (…).

    Raises:
        ValueError: There are fewer than two repeats, or `confidence` is out of range.
    """
    return mean(scores) - _reach(scores.shape[-1], confidence) * standard_error(scores)


def _reach(repeats: int, confidence: float) -> float:
    """In standard errors."""
    from scipy.special import stdtrit

    if not 0.5 <= confidence < 1:
        raise ValueError(
            f"confidence is {confidence!r}; give a number from 0.5 to less than 1, such as 0.95"
        )
    return float(stdtrit(repeats - 1, confidence))
