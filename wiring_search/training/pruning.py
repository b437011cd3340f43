"""Pruning: the ways in which candidates climb from rung to rung, by name. No torch here.

A way is a value: where its rungs end, which share of a rung is promoted, and when. The study's
`search.promotion.Ladder` does the rest. To add a way, add an entry to PRUNING.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Promotion:
    """How candidates are promoted.

    Attributes:
        summary: One sentence for help and documentation.
        ends: (epochs, eta, first_epochs) -> the epochs at which the rungs end, ascending; the last
            one is `epochs`.
        share: eta -> the share of a rung's candidates that is promoted, above 0 and up to 1. The
            rung's Pareto front is always promoted.
        together: Promote only after every candidate has finished the rung.
    """

    summary: str
    ends: Callable[[int, int, int], tuple[int, ...]]
    share: Callable[[int], float]
    together: bool = False


def _geometric(epochs: int, eta: int, first_epochs: int) -> tuple[int, ...]:
    """Each rung has eta times the epochs of the one below; by default there are three."""
    first = first_epochs or math.ceil(epochs / eta**2)
    ends = [epochs]
    while ends[0] > first:
        ends.insert(0, max(first, math.ceil(ends[0] / eta)))
    return tuple(ends)


PRUNING: dict[str, Promotion] = {
    "none": Promotion(
        "every candidate gets the full budget",
        lambda epochs, eta, first: (epochs,),
        lambda eta: 1.0,
    ),
    "halving": Promotion(
        "the best 1/eta of a rung are promoted, and its front (ASHA)",
        _geometric,
        lambda eta: 1 / eta,
    ),
    "median": Promotion(
        "the better half of a rung is promoted, and its front",
        _geometric,
        lambda eta: 1 / 2,
    ),
    "one-epoch": Promotion(
        "all candidates train for one epoch, then the best for the full budget (Egele et al. 2023)",
        lambda epochs, eta, first: tuple(sorted({1, epochs})),
        lambda eta: 1 / eta**2,
        together=True,
    ),
}

# How the sampler sees a candidate that was not promoted.
CUT_AS = {
    "pruned": "as worse than every candidate with the full budget",
    "left-out": "not at all",
    "low-fidelity": "with its scores at the last rung that it finished",
}
