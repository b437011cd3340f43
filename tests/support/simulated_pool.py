"""A pool with a simulated clock: any number of workers of any speed, whose jobs take as long as
the test says."""

import heapq
from collections.abc import Callable, Sequence

from wiring_search.tasks.task import Task
from wiring_search.workers import limits
from wiring_search.workers.jobs import PackJob, PackResult
from wiring_search.workers.pool import NothingSubmitted, Train
from wiring_search.workers.slices import Board, Slice


class SimulatedPool:
    """See `wiring_search.workers.pool.Pool`; it cuts and gives out as the Ray pool does.
    seconds(part): how long a worker of speed 1 takes; one of speed 2 takes half of it. now: the
    time that has passed; busy: seconds that all workers together have trained."""

    def __init__(
        self, train: Train, task: Task, speeds: Sequence[float], seconds: Callable[[PackJob], float]
    ) -> None:
        self._train, self._task, self._seconds = train, task, seconds
        self._speeds, self.workers = speeds, len(speeds)
        self._board = Board()
        self._idle = sorted(range(len(speeds)), key=lambda worker: speeds[worker])
        self._running: list[tuple[float, int, Slice]] = []
        self.now = self.busy = 0.0
        self.taken = [0] * len(speeds)

    @property
    def waiting(self) -> int:
        return self._board.waiting

    @property
    def under_way(self) -> int:
        return self._board.under_way

    @property
    def utilisation(self) -> float:
        """The share of the workers' time until now in which they trained."""
        ahead = sum(end - self.now for end, _, _ in self._running)
        return (self.busy - ahead) / (self.now * self.workers)

    def submit(self, job: PackJob) -> None:
        self._board.add(job)
        self._start()

    def next_done(self, timeout: float | None = None) -> PackResult | None:
        if not self._running:
            raise NothingSubmitted
        result = None
        while result is None and self._running:
            self.now, worker, piece = heapq.heappop(self._running)
            result = self._board.record_result(
                piece, self._train(self._task, self._board.job(piece), lambda done, to_do: True)
            )
            self._idle.append(worker)
            self._start()
        return result

    def stop(self) -> None:
        self._board.stop()

    def close(self) -> None:
        self._running.clear()

    def _start(self) -> None:
        fastest = max(self._speeds)
        while (
            self._idle
            and (piece := self._board.take(limits.parts(self._speeds[self._idle[-1]], fastest)))
            is not None
        ):
            worker = self._idle.pop()
            took = self._seconds(self._board.job(piece)) / self._speeds[worker]
            self.busy += took
            self.taken[worker] += len(piece.indices)
            heapq.heappush(self._running, (self.now + took, worker, piece))
