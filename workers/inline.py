"""The inline pool trains in the calling process, when a result is asked for.

It needs no Ray and is easy to debug.
"""

import math
import time
from collections import deque

from wiring_search.tasks.task import Task
from wiring_search.workers.jobs import PackJob, PackResult
from wiring_search.workers.limits import Limits, out_of_memory
from wiring_search.workers.pool import NothingSubmitted, Train
from wiring_search.workers.slices import Board

_HERE = "here"


class InlinePool:
    """See `Pool`. It does not outlive a candidate that kills or hangs the process."""

    workers = 1

    def __init__(self, train: Train, task: Task) -> None:
        self._train = train
        self._task = task
        self._board, self._limits = Board(), Limits()
        self._ready: deque[PackResult] = deque()
        self._stopping = False

    @property
    def waiting(self) -> int:
        return 0 if self._stopping else self._board.waiting

    @property
    def under_way(self) -> int:
        return self._board.under_way + len(self._ready)

    def submit(self, job: PackJob) -> None:
        self._board.add(job)

    def next_done(self, timeout: float | None = None) -> PackResult | None:
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            if self._stopping:
                self._ready.extend(self._board.stop())
            if self._ready:
                return self._ready.popleft()
            if not self._board.queued:
                raise NothingSubmitted
            self._train_next()
            if not self._ready and time.monotonic() >= end:
                return None

    def stop(self) -> None:
        # A signal's handler may call this at any moment, so the rest is done in `next_done`.
        self._stopping = True

    def close(self) -> None:
        self._board.clear()
        self._ready.clear()

    def _train_next(self) -> None:
        piece = self._board.take(most=self._limits.most(_HERE, math.inf))
        if piece is None:
            return
        try:
            done = self._board.record_result(
                piece, self._train(self._task, self._board.job(piece), self._beat)
            )
        except Exception as failure:  # a candidate must not end its pack mates or the search
            if out_of_memory(failure) and len(piece.indices) > 1:
                self._limits.record_too_large(_HERE, len(piece.indices))
                done = self._board.record_too_large(piece)
            else:
                done = self._board.record_failure(piece, f"{type(failure).__name__}: {failure}")
        if done is not None:
            self._ready.append(done)

    def _beat(self, done: int, to_do: int) -> bool:
        return not self._stopping
