"""What is left of a validation front on the test split, and how far searching had flattered it.

Points that no other one dominates on validation may dominate each other on test. Of the returned
points, the *optimistic* front is those that no other one dominates on test: what one gets who
happens to choose well. The *pessimistic* one is those that dominate no other on test: what one gets
who happens to choose badly, which cannot be told from validation. The difference of their
hypervolumes, the approximation gap, is 0 where the test split agrees with the validation split.
(Feurer, Eggensperger, Bergman, Pfisterer, Bischl and Hutter, "Mind the Gap: measuring
generalization performance across multiple objectives", IDA 2023, arXiv 2212.04183.)

A search reports the smallest of many errors, each a draw: a winner was also lucky. `drop` is what
fresh seeds take back.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from wiring_search.analysis.pareto import hypervolume, is_front
from wiring_search.analysis.significance import Mean, mean_of


@dataclass(frozen=True)
class FrontsOnTest:
    """optimistic, pessimistic: which of the points are on each, (n,) bool. The volumes are from
    `reference` on, of the points as validation saw them, and of both fronts on test. gap:
    (optimistic − pessimistic) over the volume on validation."""

    optimistic: np.ndarray
    pessimistic: np.ndarray
    volume_validation: float
    volume_optimistic: float
    volume_pessimistic: float

    @property
    def gap(self) -> float:
        lost = self.volume_optimistic - self.volume_pessimistic
        return lost / self.volume_validation if self.volume_validation > 0 else math.nan


def fronts_on_test(validation: ArrayLike, test: ArrayLike, reference: ArrayLike) -> FrontsOnTest:
    """validation, test: (n, objectives) of the same points, smaller is better; a point with a NaN
    on test is on neither front."""
    before, after = np.asarray(validation, float), np.asarray(test, float)
    best, worst = is_front(after), is_front(-after)
    volumes = (hypervolume(points, reference) for points in (before, after[best], after[worst]))
    return FrontsOnTest(best, worst, *volumes)


def drop(before: ArrayLike, after: ArrayLike) -> Mean:
    """How much greater the errors became, the mean over winners, with its interval over draws.

    before, after: (winners, draws), or (winners, 1) where there is one number for all draws; NaN
    where a training failed. A draw trains all winners on the same order of the data, so that they
    move together, and it counts as one value: their mean, in which a winner that is absent is taken
    to have moved as the others did.
    """
    change = np.atleast_2d(np.asarray(after, float) - np.asarray(before, float))
    change = change[np.isfinite(change).any(axis=1)]
    change = change[:, np.isfinite(change).any(axis=0)]
    if not change.size:
        return mean_of([])
    of_winner = np.nanmean(change, axis=1, keepdims=True)
    return mean_of((of_winner.mean() + np.nanmean(change - of_winner, axis=0)).tolist())
