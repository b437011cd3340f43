"""The inline pool: jobs are trained in the calling process, when their result is asked for. No Ray; easy to debug."""

from collections import deque

from wiring_search.records import PackJob, PackResult, no_beat
from wiring_search.tasks.task import Task
from workers.pool import Train


class InlinePool:
    """See `workers.pool.Pool`."""

    workers = 1

    def __init__(self, train: Train, task: Task) -> None:
        self._train, self._task = train, task
        self._jobs: deque[PackJob] = deque()

    def submit(self, job: PackJob) -> None:
        self._jobs.append(job)

    def next_done(self, timeout: float | None = None) -> PackResult:
        if not self._jobs:
            raise RuntimeError("no job was submitted; submit one before asking for a result")
        return self._train(self._task, self._jobs.popleft(), no_beat)

    def stop(self) -> None:
        self._jobs.clear()

    def close(self) -> None:
        self._jobs.clear()
