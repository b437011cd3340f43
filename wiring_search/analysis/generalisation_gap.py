"""The generalisation gap: a validation front on the test split, and the selection bias of a search.

Points of a validation front may dominate each other on test. The *optimistic* front has those that
no other point dominates on test: the best choice among them. The *pessimistic* front has those that
dominate no other point on test: the worst choice. Validation cannot tell the two apart. The
difference of their hypervolumes, the approximation gap, is 0 if both splits agree.

A search reports the smallest of many noisy errors, so winners' errors are biased downwards. `drop`
measures this selection bias with fresh seeds.

Source:
    Feurer, Eggensperger, Bergman, Pfisterer, Bischl and Hutter, "Mind the Gap: measuring
    generalization performance across multiple objectives", IDA 2023, arXiv 2212.04183.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wiring_search.analysis.pareto import hypervolume, is_front
from wiring_search.analysis.significance import Mean, mean_of


@dataclass(frozen=True)
class FrontsOnTest:
    """Fronts of the same points on validation and on test.

    Attributes:
        optimistic: Which points are on the optimistic front, (n,) bool.
        pessimistic: Which points are on the pessimistic front, (n,) bool.
        volume_validation: Hypervolume of the points on validation.
        volume_optimistic: Hypervolume of the optimistic front on test.
        volume_pessimistic: Hypervolume of the pessimistic front on test.
    """

    optimistic: np.ndarray
    pessimistic: np.ndarray
    volume_validation: float
    volume_optimistic: float
    volume_pessimistic: float

    @property
    def gap(self) -> float:
        """(optimistic − pessimistic) / validation, of hypervolumes; NaN if the last is 0."""
        lost = self.volume_optimistic - self.volume_pessimistic
        return lost / self.volume_validation if self.volume_validation > 0 else math.nan


def fronts_on_test(validation: ArrayLike, test: ArrayLike, reference: ArrayLike) -> FrontsOnTest:
    """The fronts on test of a validation front.

    Args:
        validation: (n, objectives), smaller is better.
        test: (n, objectives) of the same points. A point with a NaN is on neither front.
        reference: (objectives,), where hypervolumes end.
    """
    before = np.asarray(validation, float)
    after = np.asarray(test, float)
    best = is_front(after)
    worst = is_front(-after)
    volumes = (hypervolume(points, reference) for points in (before, after[best], after[worst]))
    return FrontsOnTest(best, worst, *volumes)


def drop(before: ArrayLike, after: ArrayLike) -> Mean:
    """The mean increase of the errors over winners, with its interval over draws.

    A draw trains all winners on the same order of the data, so their errors move together. It
    therefore counts as one value, the mean of its winners. A missing winner is taken to have moved
    as the others did.

    Args:
        before: (winners, draws), or (winners, 1) if one number holds for all draws; NaN where a
            training failed.
        after: The same after the change.
    """
    change = np.atleast_2d(np.asarray(after, float) - np.asarray(before, float))
    change = change[np.isfinite(change).any(axis=1)]
    change = change[:, np.isfinite(change).any(axis=0)]
    if not change.size:
        return mean_of([])
    of_winner = np.nanmean(change, axis=1, keepdims=True)
    return mean_of((of_winner.mean() + np.nanmean(change - of_winner, axis=0)).tolist())
