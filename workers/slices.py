"""What a pool has to do, and what became of it: jobs in order, cut into slices for those who ask
for work, joined again.

A candidate's numbers do not depend on its pack mates, so candidates of a job may be trained apart:
on a slow worker or one with little memory, and to find out which of them kills its worker.
Bookkeeping alone: no clock, no process, no Ray.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from wiring_search.workers.jobs import Outcome, PackJob, PackResult, Status

# A candidate that took so many workers with it when it was trained alone is crashed.
TRIES = 2
# So many nodes may be lost under a slice before it is suspected itself.
LOSSES = 4


@dataclass(frozen=True, slots=True)
class Slice:
    """Candidates of a job, by their places in it. job: the board's number of it. failures: how
    often it failed (only a candidate that is alone is counted). losses: nodes that were lost under
    it."""

    job: int
    places: tuple[int, ...]
    failures: int = 0
    losses: int = 0


def join(job: PackJob, parts: Iterable[tuple[tuple[int, ...], PackResult]]) -> PackResult:
    """One result of a job's slices, each with the places of its candidates; together they have
    every place once.

    Stopped where one of them was, at the smallest epoch of all.
    """
    found: dict[int, Outcome] = {}
    workers, stops = [], []
    for places, result in parts:
        found |= zip(places, result.outcomes, strict=True)
        workers.append(result.worker)
        stops.append(result.stopped_at)
    stopped_at = min((epoch for epoch in stops if epoch is not None), default=None)
    outcomes = tuple(found[place] for place in range(len(job.candidates)))
    return PackResult(
        job.number, outcomes, ", ".join(dict.fromkeys(filter(None, workers))), stopped_at
    )


def untouched(part: PackJob) -> PackResult:
    """The result of candidates that were stopped before anybody began them: their states as they
    were given."""
    states = part.states or (None,) * len(part.candidates)
    blank = Outcome(Status.RUNNING, math.nan, math.nan, 0, 0, math.nan, math.nan)
    return PackResult(
        part.number,
        tuple(replace(blank, state=state) for state in states),
        stopped_at=part.rung.start,
    )


def crashed(part: PackJob, message: str) -> PackResult:
    outcome = Outcome(Status.CRASHED, math.nan, math.nan, 0, 0, math.nan, math.nan, message=message)
    return PackResult(part.number, (outcome,) * len(part.candidates))


@dataclass(slots=True)
class _Open:
    job: PackJob
    parts: list[tuple[tuple[int, ...], PackResult]]
    begun: bool = False


class Board:
    """Jobs to do, first come first served. What `take` gave must be told of once, by `finished`,
    `failed`, `lost` or `too_large`; each returns the job's result where it was the last piece of
    it, else None."""

    def __init__(self) -> None:
        self._jobs: dict[int, _Open] = {}
        self._queue: deque[Slice] = deque()
        self._next = 0
        self._stopped = False

    @property
    def waiting(self) -> int:
        """Jobs that nobody has begun."""
        return sum(not entry.begun for entry in self._jobs.values())

    @property
    def under_way(self) -> int:
        """Jobs that were begun and are not finished."""
        return sum(entry.begun for entry in self._jobs.values())

    @property
    def queued(self) -> bool:
        """Whether `take` has something to give."""
        return bool(self._queue)

    def add(self, job: PackJob) -> None:
        if self._stopped:
            return
        self._jobs[self._next] = _Open(job, [])
        self._queue.append(Slice(self._next, tuple(range(len(job.candidates)))))
        self._next += 1

    def take(self, parts: int = 1, most: int | None = None) -> Slice | None:
        """The next slice, None where nothing waits: one of so many equal parts of the first job,
        and at most so many candidates."""
        if not self._queue:
            return None
        first = self._queue.popleft()
        entry = self._jobs[first.job]
        entry.begun = True
        size = math.ceil(len(entry.job.candidates) / parts)
        size = max(1, size if most is None else min(size, most))
        if size < len(first.places):
            self._queue.appendleft(replace(first, places=first.places[size:]))
            first = replace(first, places=first.places[:size])
        return first

    def job(self, piece: Slice) -> PackJob:
        """What is to be trained."""
        job = self._jobs[piece.job].job
        return job if len(piece.places) == len(job.candidates) else job.part(piece.places)

    def finished(self, piece: Slice, result: PackResult) -> PackResult | None:
        entry = self._jobs[piece.job]
        entry.parts.append((piece.places, result))
        if sum(len(places) for places, _ in entry.parts) < len(entry.job.candidates):
            return None
        return join(self._jobs.pop(piece.job).job, entry.parts)

    def failed(self, piece: Slice, why: str) -> PackResult | None:
        """It took its worker with it: each half is tried again, and a candidate that is alone
        `TRIES` times in all."""
        if len(piece.places) > 1:
            return self.too_large(piece)
        failures = piece.failures + 1
        if failures < TRIES:
            return self._again(replace(piece, failures=failures))
        message = (
            f"its worker failed {failures} times while it was trained alone, the last time: {why}"
        )
        return self.finished(piece, crashed(self.job(piece), message))

    def lost(self, piece: Slice, why: str) -> PackResult | None:
        """Its worker went without a fault of the slice, a node that was switched off say: tried
        again as it is."""
        if piece.losses == LOSSES:
            return self.failed(piece, why)
        return self._again(replace(piece, losses=piece.losses + 1))

    def too_large(self, piece: Slice) -> PackResult | None:
        """It did not fit into memory: each half is tried again; of one candidate there are none,
        see `failed`."""
        middle = (len(piece.places) + 1) // 2
        halves = [
            replace(piece, places=half, losses=0)
            for half in (piece.places[:middle], piece.places[middle:])
        ]
        return self._again(*halves)

    def stop(self) -> list[PackResult]:
        """Nothing is given out any more. Jobs that were not begun are forgotten; the results of
        those that only waited for pieces that were not begun."""
        self._stopped = True
        queued, self._queue = self._queue, deque()
        self._jobs = {number: entry for number, entry in self._jobs.items() if entry.begun}
        done = [
            self.finished(piece, untouched(self.job(piece)))
            for piece in queued
            if piece.job in self._jobs
        ]
        return [result for result in done if result is not None]

    def clear(self) -> None:
        self._jobs.clear()
        self._queue.clear()

    def _again(self, *pieces: Slice) -> PackResult | None:
        if not self._stopped:
            self._queue.extendleft(reversed(pieces))
            return None
        done = [self.finished(piece, untouched(self.job(piece))) for piece in pieces]
        return done[-1]
