"""What a study sees of execution: submit a job, get the next finished one. Two pools keep this
contract: inline and Ray."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from wiring_search.workers.jobs import Beat, PackJob, PackResult

if TYPE_CHECKING:
    from wiring_search.tasks.task import Task

# `wiring_search.scores.evaluate.train_and_score`, or a stand-in for tests.
Train = Callable[["Task", PackJob, Beat], PackResult]
# How fast the calling process trains, for cutting jobs: `wiring_search.training.speed.speed`, or a
# stand-in.
Measure = Callable[[], float]


class NothingSubmitted(LookupError):
    """A result was asked for, but the pool has no job to return one for."""

    def __init__(self) -> None:
        super().__init__("the pool has no job; submit one before you ask for a result")


class NoWorkerStarts(RuntimeError):
    """Workers fail while they start, so no job can be trained."""


def equally_fast() -> float:
    """The speed measure of a pool that treats all workers as equally fast."""
    return 1.0


# Jobs to each worker: one that it works on, and two that wait, so that none is idle while the
# caller is busy.
_JOBS_TO_A_WORKER = 3


class Pool(Protocol):
    """Every job submitted comes back once, in any order. A candidate that kills or hangs its worker
    comes back crashed, and its pack mates trained: a pool may train the candidates of a job apart,
    since their numbers do not depend on it."""

    @property
    def workers(self) -> int:
        """How many pieces are worked on at once, now; on a cluster 0 until the first worker is up.

        It says nothing of how many jobs to submit: a pool takes jobs before it has workers. Ask
        `jobs_wanted`."""
        ...

    @property
    def waiting(self) -> int:
        """Jobs submitted that no worker has begun."""
        ...

    @property
    def under_way(self) -> int:
        """Jobs that were begun and have not come back."""
        ...

    def submit(self, job: PackJob) -> None: ...

    def next_done(self, timeout: float | None = None) -> PackResult | None:
        """Wait for the next finished job.

        Args:
            timeout: Seconds to wait at most; None waits as long as it takes.

        Returns:
            The job's result, or None after the timeout.

        Raises:
            NothingSubmitted: The pool has no job, neither waiting nor under way.
            NoWorkerStarts: Several workers in a row failed to start, and none is up.
        """
        ...

    def stop(self) -> None:
        """Ask all jobs under way to stop at their next beat: they come back stopped
        (`PackResult.stopped_at`), or finished where they were done. Jobs that were not begun are
        forgotten, and do not come back; so are those submitted later. A candidate of a job under
        way that nobody had begun has the status running, and its state as it was given.

        May be called from a signal's handler, or from within a beat."""
        ...

    def close(self) -> None:
        """Stop all work at once; results not fetched are lost. May be called twice."""
        ...


def jobs_wanted(pool: Pool) -> int:
    """How many more jobs keep every worker busy.

    Ask again whenever a result or a timeout came back, since workers come and go.

    Args:
        pool: One that was not stopped.

    Returns:
        0 or more; at least 1 where the pool has no job, even before its first worker is up.
    """
    return max(0, _JOBS_TO_A_WORKER * max(1, pool.workers) - pool.waiting - pool.under_way)
