"""Who is promoted: successive halving with several objectives, asynchronous, by packs.

A candidate that has finished a rung is compared with all that were ever seen there: by
non-dominated rank, within a rank by spread. The better 1/eta of them go on to the next rung, and
every member of the rung's front does, however many those are. Who is not among them now may be
later, when others have come (Li et al. 2020, ASHA; for several objectives Schmucker et al. 2021 and
Salinas et al. 2021, whose epsilon-net is the spread here). Objectives count by their order alone:
stretching one of them changes nothing.

Promoted candidates go on in full packs; packs that are not full are sent when nothing new will be
asked for.
"""

from collections.abc import Sequence

import numpy as np

from wiring_search.analysis.pareto import rank
from wiring_search.workers.jobs import Rung

# A rung is looked through again when it has grown by so much of itself: what one more pack changes
# in thousands can wait.
_GROWTH = 0.05


def leading(points: np.ndarray, share: float) -> np.ndarray:
    """The places of those that go on, best first. points: (n, objectives), all to be small; rows
    that are not finite never do.

    The front, and more ranks as long as they fit into `share` of n; of the rank that does not fit,
    those that are spread out.
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
    """So many places, each as far as can be from those before it; the first is the best in the
    first objective.

    Distances are between orders within the points, not between values, so that no scale matters.
    """
    orders = np.stack(
        [np.unique(column, return_inverse=True)[1].reshape(-1) for column in points.T], axis=1
    )
    orders = orders / np.maximum(orders.max(axis=0, initial=0), 1)
    nearest = np.full(len(points), np.inf)
    chosen = np.empty(count, np.int64)
    place = int(np.lexsort(orders.T[::-1])[0]) if count else 0
    for i in range(count):
        chosen[i] = place
        nearest = np.minimum(nearest, np.abs(orders - orders[place]).max(axis=1))
        nearest[place] = -1.0
        place = int(nearest.argmax())
    return chosen


class Ladder:
    """Candidates on their way up. rungs: the budgets. share: of those seen at a rung, how many go
    on. pack_size: of a full pack. together: the first rung is looked through only when all
    candidates have been there.

    Bookkeeping without randomness: the same calls in the same order give the same promotions.
    """

    def __init__(
        self, rungs: Sequence[Rung], share: float, pack_size: int, together: bool = False
    ) -> None:
        self._pack_size, self._together = pack_size, together
        self._rungs = [_Seen(share) for _ in rungs[:-1]]

    def seen(self, rung: int, trial: int, values: Sequence[float] | None) -> None:
        """A candidate has finished a rung. values: its objectives, all to be small; None where it
        failed."""
        if rung < len(self._rungs):
            self._rungs[rung].add(trial, values)

    def next_pack(self, last: bool, under_way: int) -> tuple[int, tuple[int, ...]] | None:
        """The rung to train for and the trials that are promoted to it, or None where no pack is
        full, or with `last` where nobody is left to promote. last: nothing new will be asked for.
        under_way: packs that are training."""
        for below in reversed(range(len(self._rungs))):
            if self._together and not (last and under_way == 0):
                continue
            waiting = self._rungs[below].waiting(last)
            if len(waiting) >= (1 if last else self._pack_size):
                return below + 1, tuple(waiting[: self._pack_size])
        return None

    def promoted(self, rung: int, trials: Sequence[int]) -> None:
        """These train for `rung` now."""
        self._rungs[rung - 1].gone(trials)


class _Seen:
    """All that finished one rung, and who of them has gone on. When it is looked through depends on
    who was added alone, not on who asks: a study that is gone on with adds the same and asks less
    often."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._trials: list[int] = []
        self._points: list[Sequence[float]] = []
        self._gone: set[int] = set()
        self._waiting: list[int] = []
        self._looked_at = 0

    def add(self, trial: int, values: Sequence[float] | None) -> None:
        if values is None:
            return
        self._trials.append(trial)
        self._points.append(values)
        if len(self._trials) - self._looked_at > _GROWTH * self._looked_at:
            self._look()

    def waiting(self, now: bool) -> list[int]:
        """Those that may go on and have not, best first. now: with all that were added, however
        few."""
        if now and len(self._trials) > self._looked_at:
            self._look()
        return self._waiting

    def gone(self, trials: Sequence[int]) -> None:
        self._gone.update(trials)
        self._waiting = [trial for trial in self._waiting if trial not in self._gone]

    def _look(self) -> None:
        places = leading(np.array(self._points, float), self._share)
        self._waiting = [self._trials[p] for p in places if self._trials[p] not in self._gone]
        self._looked_at = len(self._trials)
