"""The board of a pool: jobs in order, cut into slices for workers, and their results joined again.

A candidate's numbers do not depend on its pack mates, so candidates of a job may be trained apart:
on a slow worker or one with little memory, and to find out which of them kills its worker. This
file only keeps the books: no clock, no process, no Ray.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from wiring_search.workers.jobs import Outcome, PackJob, PackResult, Status

# A candidate that loses so many workers while it is trained alone counts as crashed.
TRIES = 2
# A slice may lose so many nodes before it is suspected itself.
LOSSES = 4


@dataclass(frozen=True, slots=True)
class Slice:
    """Some candidates of a job.

    Attributes:
        job: The board's number of the job.
        indices: The candidates, by their index in the job.
        failures: How often it failed; counted for a single candidate only.
        losses: Nodes that were lost while they trained it.
    """

    job: int
    indices: tuple[int, ...]
    failures: int = 0
    losses: int = 0


def join(job: PackJob, parts: Iterable[tuple[tuple[int, ...], PackResult]]) -> PackResult:
    """Join the results of a job's slices.

    Args:
        job: The whole job.
        parts: The indices of each slice's candidates with its result; together every index once.

    Returns:
        One result; stopped if one of them was, at the smallest epoch of all.
    """
    found: dict[int, Outcome] = {}
    workers, stops = [], []
    for indices, result in parts:
        found |= zip(indices, result.outcomes, strict=True)
        workers.append(result.worker)
        stops.append(result.stopped_at)
    stopped_at = min((epoch for epoch in stops if epoch is not None), default=None)
    outcomes = tuple(found[index] for index in range(len(job.candidates)))
    return PackResult(
        job.number, outcomes, ", ".join(dict.fromkeys(filter(None, workers))), stopped_at
    )


def untouched_result(part: PackJob) -> PackResult:
    """Return the result of candidates that were stopped before training began.

    Args:
        part: The candidates as a job.

    Returns:
        Their states as given.
    """
    states = part.states or (None,) * len(part.candidates)
    blank = Outcome(Status.RUNNING, math.nan, math.nan, 0, 0, math.nan, math.nan)
    return PackResult(
        part.number,
        tuple(replace(blank, state=state) for state in states),
        stopped_at=part.rung.start,
    )


def crashed_result(part: PackJob, message: str) -> PackResult:
    """Return the result of candidates whose worker failed too often.

    Args:
        part: The candidates as a job.
        message: Why, for each candidate.
    """
    outcome = Outcome(Status.CRASHED, math.nan, math.nan, 0, 0, math.nan, math.nan, message=message)
    return PackResult(part.number, (outcome,) * len(part.candidates))


@dataclass(slots=True)
class _Open:
    job: PackJob
    parts: list[tuple[tuple[int, ...], PackResult]]
    begun: bool = False


class Board:
    """Jobs to do, first come first served.

    Each slice that `take` returns is reported once, by `record_result`, `record_failure`,
    `record_loss` or `record_too_large`. These return the job's result after its last slice, else
    None.
    """

    def __init__(self) -> None:
        self._jobs: dict[int, _Open] = {}
        self._queue: deque[Slice] = deque()
        self._next = 0
        self._stopped = False

    @property
    def waiting(self) -> int:
        """Jobs that no worker has begun."""
        return sum(not entry.begun for entry in self._jobs.values())

    @property
    def under_way(self) -> int:
        """Jobs that were begun and are not finished."""
        return sum(entry.begun for entry in self._jobs.values())

    @property
    def queued(self) -> bool:
        """Whether `take` returns a slice."""
        return bool(self._queue)

    def add(self, job: PackJob) -> None:
        if self._stopped:
            return
        self._jobs[self._next] = _Open(job, [])
        self._queue.append(Slice(self._next, tuple(range(len(job.candidates)))))
        self._next += 1

    def take(self, parts: int = 1, most: int | None = None) -> Slice | None:
        """Take the next slice off the queue.

        Args:
            parts: The slice is one of so many equal parts of its job.
            most: Candidates at most; None for no limit.

        Returns:
            The slice, None where the queue is empty.
        """
        if not self._queue:
            return None
        first = self._queue.popleft()
        entry = self._jobs[first.job]
        entry.begun = True
        size = math.ceil(len(entry.job.candidates) / parts)
        size = max(1, size if most is None else min(size, most))
        if size < len(first.indices):
            self._queue.appendleft(replace(first, indices=first.indices[size:]))
            first = replace(first, indices=first.indices[:size])
        return first

    def job(self, piece: Slice) -> PackJob:
        """Return the candidates of a slice as a job.

        Args:
            piece: A slice of this board.
        """
        job = self._jobs[piece.job].job
        return job if len(piece.indices) == len(job.candidates) else job.part(piece.indices)

    def record_result(self, piece: Slice, result: PackResult) -> PackResult | None:
        """Record the result of a slice.

        Args:
            piece: The slice.
            result: Of its candidates.

        Returns:
            See the class.
        """
        entry = self._jobs[piece.job]
        entry.parts.append((piece.indices, result))
        if sum(len(indices) for indices, _ in entry.parts) < len(entry.job.candidates):
            return None
        return join(self._jobs.pop(piece.job).job, entry.parts)

    def record_failure(self, piece: Slice, why: str) -> PackResult | None:
        """Record a slice whose worker died.

        Each half is tried again, a single candidate `TRIES` times in all.

        Args:
            piece: The slice.
            why: The reason, for a candidate's message.

        Returns:
            See the class.
        """
        if len(piece.indices) > 1:
            return self.record_too_large(piece)
        failures = piece.failures + 1
        if failures < TRIES:
            return self._again(replace(piece, failures=failures))
        message = (
            f"its worker failed {failures} times while it was trained alone, the last time: {why}"
        )
        return self.record_result(piece, crashed_result(self.job(piece), message))

    def record_loss(self, piece: Slice, why: str) -> PackResult | None:
        """Record a slice whose worker was lost through no fault of the slice.

        Its node may have failed, for example. The slice is tried again as it is.

        Args:
            piece: The slice.
            why: The reason, for a candidate's message.

        Returns:
            See the class.
        """
        if piece.losses == LOSSES:
            return self.record_failure(piece, why)
        return self._again(replace(piece, losses=piece.losses + 1))

    def record_too_large(self, piece: Slice) -> PackResult | None:
        """Record a slice that did not fit into memory.

        Each half is tried again. A single candidate has no halves; see `record_failure`.

        Args:
            piece: The slice.

        Returns:
            See the class.
        """
        middle = (len(piece.indices) + 1) // 2
        halves = [
            replace(piece, indices=half, losses=0)
            for half in (piece.indices[:middle], piece.indices[middle:])
        ]
        return self._again(*halves)

    def stop(self) -> list[PackResult]:
        """Give out no further slice, and forget the jobs that were not begun.

        Returns:
            The results of begun jobs whose remaining slices were not begun.
        """
        self._stopped = True
        queued = self._queue
        self._queue = deque()
        self._jobs = {number: entry for number, entry in self._jobs.items() if entry.begun}
        done = [
            self.record_result(piece, untouched_result(self.job(piece)))
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
        done = [self.record_result(piece, untouched_result(self.job(piece))) for piece in pieces]
        return done[-1]
