"""Promotion: successive halving with several objectives, asynchronous, in packs.

A candidate that finished a rung is compared with all that ever finished it: by non-dominated rank,
and within a rank by spread. The better 1/eta of them are promoted, and every member of the rung's
Pareto front, however many there are. A candidate that is not promoted now may be later, when others
have finished. Only the order of an objective's values counts: stretching one changes nothing.

Promoted candidates train in full packs. Packs that are not full are sent when no new candidate will
be proposed.

Source: Li et al. 2020 (ASHA); for several objectives Schmucker et al. 2021 and Salinas et al. 2021,
whose epsilon-net is the spread here.
"""

from collections.abc import Sequence

import numpy as np

from wiring_search.analysis.pareto import rank
from wiring_search.workers.jobs import Rung

# A rung is ranked again when it has grown by this share: one more pack among thousands can wait.
_GROWTH = 0.05


def leading(points: np.ndarray, share: float) -> np.ndarray:
    """Choose the points to promote: the front, then more ranks while they fit, then those of the
    next rank that are spread out.

    Args:
        points: (n, objectives), all to be minimised. Rows that are not finite are never chosen.
        share: The share of the points to choose; the front is always chosen whole.

    Returns:
        (chosen,) int64 indices, best first.
    """
    wanted = int(len(points) * share)
    ranks = rank(points, enough=max(wanted, 1))
    chosen: list[int] = []
    for level in range(ranks.max(initial=-1) + 1):
        members = np.flatnonzero(ranks == level)
        room = wanted - len(chosen) if level else len(members)
        chosen += members[_spread_out(points[members], min(room, len(members)))].tolist()
    return np.array(chosen, np.int64)


def _spread_out(points: np.ndarray, count: int) -> np.ndarray:
    """Choose `count` indices, each as far as possible from those before it. The first is the best
    in the first objective.

    Distances are between ranks within a column, not between values, so that scales do not matter.
    """
    orders = np.stack(
        [np.unique(column, return_inverse=True)[1].reshape(-1) for column in points.T], axis=1
    )
    orders = orders / np.maximum(orders.max(axis=0, initial=0), 1)
    nearest = np.full(len(points), np.inf)
    chosen = np.empty(count, np.int64)
    index = int(np.lexsort(orders.T[::-1])[0]) if count else 0
    for i in range(count):
        chosen[i] = index
        nearest = np.minimum(nearest, np.abs(orders - orders[index]).max(axis=1))
        nearest[index] = -1.0
        index = int(nearest.argmax())
    return chosen


class Ladder:
    """Candidates on their way from rung to rung.

    Nothing is random: the same calls in the same order give the same promotions.

    Args:
        rungs: The training budgets, ascending.
        share: The share of the candidates that finished a rung to promote.
        pack_size: Number of candidates in a full pack.
        together: Whether to promote only after every candidate has finished the rung.
    """

    def __init__(
        self, rungs: Sequence[Rung], share: float, pack_size: int, together: bool = False
    ) -> None:
        self._pack_size = pack_size
        self._together = together
        self._rungs = [_Finished(share) for _ in rungs[:-1]]

    def seen(self, rung: int, trial: int, values: Sequence[float] | None) -> None:
        """Note that a candidate finished a rung.

        Args:
            rung: The number of the rung.
            trial: The candidate's trial.
            values: (objectives,), all to be minimised; None if it failed.
        """
        if rung < len(self._rungs):
            self._rungs[rung].add(trial, values)

    def next_pack(self, last: bool, under_way: int) -> tuple[int, tuple[int, ...]] | None:
        """Choose the next pack of promoted candidates.

        Args:
            last: Whether no new candidate will be proposed, so that packs need not be full.
            under_way: Number of packs that train now.

        Returns:
            The rung to train for and the promoted trials; None if there is no such pack.
        """
        for below in reversed(range(len(self._rungs))):
            if self._together and not (last and under_way == 0):
                continue
            waiting = self._rungs[below].waiting(last)
            if len(waiting) >= (1 if last else self._pack_size):
                return below + 1, tuple(waiting[: self._pack_size])
        return None

    def promoted(self, rung: int, trials: Sequence[int]) -> None:
        """Note that these trials train for `rung` now."""
        self._rungs[rung - 1].promote(trials)


class _Finished:
    """The candidates that finished one rung, and those of them that were promoted.

    When they are ranked depends only on what was added, not on what was asked: a resumed study adds
    the same candidates and asks less often.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._trials: list[int] = []
        self._points: list[Sequence[float]] = []
        self._promoted: set[int] = set()
        self._waiting: list[int] = []
        self._ranked = 0

    def add(self, trial: int, values: Sequence[float] | None) -> None:
        if values is None:
            return
        self._trials.append(trial)
        self._points.append(values)
        if len(self._trials) - self._ranked > _GROWTH * self._ranked:
            self._rank()

    def waiting(self, now: bool) -> list[int]:
        """Trials to promote, best first. now: rank again if any were added, however few."""
        if now and len(self._trials) > self._ranked:
            self._rank()
        return self._waiting

    def promote(self, trials: Sequence[int]) -> None:
        self._promoted.update(trials)
        self._waiting = [trial for trial in self._waiting if trial not in self._promoted]

    def _rank(self) -> None:
        chosen = leading(np.array(self._points, float), self._share)
        trials = [self._trials[index] for index in chosen]
        self._waiting = [trial for trial in trials if trial not in self._promoted]
        self._ranked = len(self._trials)
