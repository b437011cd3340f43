"""What a study sees of execution: submit a job, get the next finished one. Two pools keep this contract: inline and
Ray."""

from collections.abc import Callable
from typing import Protocol

from wiring_search.records import PackJob, PackResult
from wiring_search.tasks.task import Task

# `wiring_search.training.train`, or a stand-in for tests.
Train = Callable[[Task, PackJob], PackResult]


class Pool(Protocol):
    """Every job submitted comes back once, in any order. A job whose worker fails comes back too, its candidates
    crashed."""

    @property
    def workers(self) -> int:
        """How many jobs are worked on at once."""
        ...

    def submit(self, job: PackJob) -> None: ...

    def next_done(self) -> PackResult:
        """The next finished job; waits for it. Raises RuntimeError where none was submitted."""
        ...

    def close(self) -> None:
        """Stop all work; results not fetched are lost. May be called twice."""
        ...
