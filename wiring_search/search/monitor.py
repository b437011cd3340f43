"""The state of a search, counted from its events: rungs, work, throughput, time left, front.

An event costs a few microseconds per outcome, however many came before: only the front, which is
small, is scanned for each.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from wiring_search.analysis.pareto import hypervolume, hypervolume_gain
from wiring_search.scores.catalogue import minimised
from wiring_search.search.budget import Budget, Meter
from wiring_search.search.events import (
    Estimated,
    Event,
    PackDone,
    PackStarted,
    PoolSeen,
    ReferenceChosen,
)
from wiring_search.store.config import StudyConfig
from wiring_search.workers.jobs import Outcome, Rung, Status

# The window of the current throughput, in seconds.
_NOW = 60.0
# Candidates that must have finished a rung before its share of promotions is trusted.
_MANY = 32


def shares(config: StudyConfig) -> tuple[float, ...]:
    """The share of all candidates expected to train at each rung; spared front members come on
    top."""
    return tuple(config.share**rung.number for rung in config.rungs)


def expected_epochs(config: StudyConfig) -> float:
    """Expected epochs per candidate, pruned ones included."""
    return sum(
        share * (rung.epochs - rung.start)
        for share, rung in zip(shares(config), config.rungs, strict=True)
    )


@dataclass
class RungCount:
    """Counts of one rung.

    Attributes:
        rung: The rung.
        trained: Number of candidates that finished it, failed ones included.
        promoted: Number of those that were promoted.
        share: Promoted over trained, at the latest promotion.
        running: Number of candidates in packs that are submitted and not back.
        diverged: Number of candidates whose training diverged here.
        crashed: Number of candidates whose worker crashed here.
    """

    rung: Rung
    trained: int = 0
    promoted: int = 0
    share: float = 0.0
    running: int = 0
    diverged: int = 0
    crashed: int = 0


class Front:
    """The Pareto front so far; equal points all stay. Adding compares a point with every member.

    Args:
        objectives: The names of the scores.

    Attributes:
        trials: The members' trials.
        points: (members, objectives), all to be minimised.
    """

    def __init__(self, objectives: tuple[str, ...]) -> None:
        self.objectives = objectives
        self.trials: list[int] = []
        self.points = np.empty((0, len(objectives)))  # every number to be small

    def add(self, trial: int, point: np.ndarray) -> bool:
        """Add a point if it belongs to the front. Returns whether it does; a point that is not
        finite does not."""
        if not np.isfinite(point).all():
            return False
        no_worse = np.all(self.points <= point, axis=1)
        if (no_worse & (self.points < point).any(axis=1)).any():
            return False
        # A member that is nowhere smaller and not equal is dominated by the new point.
        stays = np.any(self.points < point, axis=1) | no_worse
        self.trials = [
            member for member, stay in zip(self.trials, stays.tolist(), strict=True) if stay
        ] + [trial]
        self.points = np.vstack([self.points[stays], point])
        return True

    def rows(self, by: int) -> list[tuple[int, list[float]]]:
        """Each member's trial and objectives as shown to users, ascending in objective `by`."""
        shown = minimised(self.objectives, self.points)
        return [
            (self.trials[i], shown[i].tolist())
            for i in np.lexsort((np.array(self.trials), self.points[:, by]))
        ]


@dataclass
class _Recent:
    """Amounts of the last minute and their sums."""

    entries: deque[tuple[float, int, float]] = field(default_factory=deque)
    candidates: int = 0
    epochs: float = 0.0

    def add(self, now: float, candidates: int, epochs: float) -> None:
        self.entries.append((now, candidates, epochs))
        self.candidates += candidates
        self.epochs += epochs
        self.forget(now)

    def forget(self, now: float) -> None:
        while self.entries and self.entries[0][0] < now - _NOW:
            _, candidates, epochs = self.entries.popleft()
            self.candidates -= candidates
            self.epochs -= epochs


class Monitor:
    """Counts what a search has done; call `take` with every event.

    Errors after different budgets do not compare. So `front` and `best` are of the highest rung
    that any candidate has finished, `at`. A candidate is *decided* when it has finished rung 0.
    Work is counted in epochs of one candidate. Results restored from an earlier run count, but not
    towards throughput.

    Attributes:
        meter: Measures what is spent of the budget, from the first pack on; compiling kernels is
            free.
        best: Trial and error of the best candidate.
        results: Number of outcomes so far.
        trained: Number of those that this run trained.
        full: Number of candidates with the full budget that did not fail.
        workers: Number of workers that are up; None before the pool was seen.
        waiting: Number of packs that no worker has begun.
        reference: The reference point of hypervolumes, once it is chosen.
    """

    def __init__(
        self,
        config: StudyConfig,
        budget: Budget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        # It starts again with the first pack: kernels that are compiled before cost no budget.
        self.meter = Meter(budget or Budget(), clock)
        self.rungs = [RungCount(rung) for rung in config.rungs]
        self.front = Front(config.objectives)
        self.at = 0
        self.best: tuple[int, float] | None = None  # trial, error
        self.results = 0
        self.trained = 0
        self.full = 0
        self.workers: int | None = None
        self.waiting = 0
        self.estimated: Estimated | None = None
        self.reference: np.ndarray | None = None
        self._clock, self._shares = clock, shares(config)
        self._start = clock()
        self._submitted: float | None = None  # when the first pack was
        self._began: float | None = None  # when a worker was there for it
        self._under_way: dict[int, tuple[int, int]] = {}
        self._candidates = 0
        self._done_here = 0.0
        self._recent = _Recent()
        self._volume = 0.0

    @property
    def seconds(self) -> float:
        """Seconds since the monitor was made."""
        return self._clock() - self._start

    @property
    def started(self) -> bool:
        """Whether a pack was submitted; the budget runs from then on."""
        return self._submitted is not None

    @property
    def decided(self) -> int:
        """Number of candidates that finished rung 0, failed ones included."""
        return self.rungs[0].trained

    @property
    def failed(self) -> int:
        """Number of candidates that diverged or whose worker crashed."""
        return sum(count.diverged + count.crashed for count in self.rungs)

    def take(self, event: Event) -> None:
        """Count an event."""
        match event:
            case PackStarted():
                self._started(event)
            case PackDone():
                self._done(event)
            case PoolSeen():
                self.workers = event.workers
                self.waiting = event.waiting
                self.meter.workers(event.workers)
                self._begin()
            case Estimated():
                self.estimated = event
            case ReferenceChosen():
                self.reference = np.array(event.point)
                self._volume = hypervolume(self.front.points, self.reference)

    def candidates_a_minute(self) -> tuple[float, float] | None:
        """Candidates decided per minute, in the last minute and on average; None before the
        first."""
        if not self._candidates or self._began is None:
            return None
        running = max(self._clock() - self._began, 1e-3)
        self._recent.forget(self._clock())
        return 60 * self._recent.candidates / min(running, _NOW), 60 * self._candidates / running

    def epochs_a_second(self) -> float | None:
        """Epochs of one candidate per second, in the last minute; None before the first."""
        if not self._done_here or self._began is None:
            return None
        self._recent.forget(self._clock())
        return self._recent.epochs / min(max(self._clock() - self._began, 1e-3), _NOW)

    def work_to_do(self) -> float:
        """Epochs still expected, those under way included; inf without a number of trials."""
        expected = self.config.limit
        still = 0.0
        for count, share in zip(self.rungs, self._shares[1:] + (0.0,), strict=True):
            expected = max(expected, count.trained + count.running)
            still += (expected - count.trained) * (count.rung.epochs - count.rung.start)
            # The planned share is promoted, or more if more of many were: the front is spared.
            planned = share / self._shares[count.rung.number]
            expected *= max(planned, count.share) if count.trained >= _MANY else planned
        return still

    def seconds_left(self) -> float | None:
        """Seconds until the work is done or the budget is spent; None while neither is known."""
        left = min(self._by_work(), self.meter.left())
        return left if math.isfinite(left) else None

    @property
    def ends_by_budget(self) -> bool:
        """Whether the budget will probably be spent before all trials are trained."""
        return self.meter.left() < self._by_work()

    @property
    def progress(self) -> float:
        """The share that is done, 0 to 1: of the trials, or of the budget if that ends first."""
        left = self.meter.left()
        if self.started and left < self._by_work():
            return self.meter.seconds / max(self.meter.seconds + left, 1e-9)
        return self.decided / self.config.limit

    def _by_work(self) -> float:
        """Seconds of work left, at the rate so far or as estimated; inf if neither is known."""
        to_do = self.work_to_do()
        running = 0.0 if self._began is None else max(self._clock() - self._began, 1e-3)
        if self._done_here:
            # Packs under way are half done, on average.
            half = self._work_under_way() / 2
            return max(to_do - half, 0.0) * running / (self._done_here + half)
        if self.estimated is None:
            return math.inf
        return max(self.estimated.seconds - running, 0.0)

    def hypervolume(self) -> float | None:
        """The hypervolume of the front below the reference point; None before it is chosen."""
        return None if self.reference is None else self._volume

    def _started(self, event: PackStarted) -> None:
        if self._submitted is None:
            self._submitted, self.meter = self._clock(), Meter(self.meter.budget, self._clock)
            self.meter.workers(self.workers or 0)
        self._begin()
        self._under_way[event.pack] = event.rung, len(event.trials)
        self.rungs[event.rung].running += len(event.trials)
        if event.rung:
            self._promoted(event.rung - 1, len(event.trials))

    def _done(self, event: PackDone) -> None:
        started = self._under_way.pop(event.pack, None)
        count = self.rungs[event.rung]
        if started is not None:
            count.running -= started[1]
        elif event.rung:
            self._promoted(event.rung - 1, len(event.outcomes))
        count.trained += len(event.outcomes)
        self.results += len(event.outcomes)
        work = len(event.outcomes) * (count.rung.epochs - count.rung.start)
        if not event.restored:
            now = self._clock()
            self._began = self._began or self._submitted or now
            decided = len(event.outcomes) if event.rung == 0 else 0
            self.trained += len(event.outcomes)
            self._candidates += decided
            self._done_here += work
            self._recent.add(now, decided, work)
        for trial, outcome in event.outcomes.items():
            self._note(trial, outcome, event.rung)

    def _begin(self) -> None:
        if self._began is None and self._submitted is not None and self.workers:
            self._began = self._clock()

    def _promoted(self, rung: int, trials: int) -> None:
        count = self.rungs[rung]
        count.promoted += trials
        count.share = count.promoted / max(count.trained, count.promoted)

    def _note(self, trial: int, outcome: Outcome, rung: int) -> None:
        count = self.rungs[rung]
        last = len(self.rungs) - 1
        count.diverged += outcome.status is Status.DIVERGED
        count.crashed += outcome.status is Status.CRASHED
        if outcome.status not in (Status.OK, Status.PRUNED) or rung < self.at:
            return
        if rung > self.at:
            self.at, self.best, self.front, self._volume = (
                rung,
                None,
                Front(self.config.objectives),
                0.0,
            )
        if self.best is None or outcome.error < self.best[1]:
            self.best = trial, outcome.error
        point = minimised(
            self.config.objectives,
            np.array([outcome.score(name) for name in self.config.objectives]),
        )
        if self.reference is not None:
            self._volume += hypervolume_gain(point, self.front.points, self.reference)
        self.front.add(trial, point)
        self.full += rung == last

    def _work_under_way(self) -> float:
        """Epochs of the packs that a worker has begun; packs begin in the order of submission."""
        begun = max(len(self._under_way) - self.waiting, 0)
        if self.workers is not None:
            begun = min(begun, self.workers)
        work = 0.0
        for rung, trials in islice(self._under_way.values(), begun):
            of = self.rungs[rung].rung
            work += trials * (of.epochs - of.start)
        return work
