"""The contract of a pool: submit a job, get the next finished one.

Two pools keep it: `inline.InlinePool` and `ray_pool.RayPool`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the command line catches `NoWorkerStarts`, and its --help loads no numpy
    from wiring_search.tasks.task import Task
    from wiring_search.workers.jobs import Beat, PackJob, PackResult

# `wiring_search.scores.evaluate.train_and_score`, or a stand-in for tests.
Train = Callable[["Task", "PackJob", "Beat"], "PackResult"]
# Returns how fast the calling process trains, so that jobs are cut to fit:
# `wiring_search.training.speed.speed`, or a stand-in.
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


# Jobs per worker: one under way and two that wait, so no worker idles while the caller is busy.
_JOBS_PER_WORKER = 3


class Pool(Protocol):
    """A pool trains jobs. Every submitted job comes back once, in any order.

    A candidate that kills or hangs its worker comes back crashed, and its pack mates trained. A
    pool may train the candidates of a job apart, since their numbers do not depend on each other.
    """

    @property
    def workers(self) -> int:
        """Workers that are up now; on a cluster 0 until the first has started.

        A pool takes jobs before it has workers: ask `jobs_wanted` how many to submit.
        """
        ...

    @property
    def waiting(self) -> int:
        """Submitted jobs that no worker has begun."""
        ...

    @property
    def under_way(self) -> int:
        """Begun jobs that have not come back."""
        ...

    def submit(self, job: "PackJob") -> None:
        """Queue a job. It never waits."""
        ...

    def next_done(self, timeout: float | None = None) -> "PackResult | None":
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
        """Ask all jobs under way to stop at their next beat.

        They come back stopped (`PackResult.stopped_at`), or finished where they were done. Jobs
        that were not begun, and those submitted later, are forgotten and do not come back. A
        candidate of a job under way that no worker had begun has the status running, and its state
        as given.

        May be called from a signal's handler, or within a beat.
        """
        ...

    def close(self) -> None:
        """Stop all work at once; results that were not fetched are lost. May be called twice."""
        ...


def jobs_wanted(pool: Pool) -> int:
    """Return how many more jobs keep every worker busy.

    Ask again after every result or timeout, since workers come and go.

    Args:
        pool: A pool that was not stopped.

    Returns:
        0 or more; at least 1 where the pool has no job, even before its first worker is up.
    """
    return max(0, _JOBS_PER_WORKER * max(1, pool.workers) - pool.waiting - pool.under_way)
