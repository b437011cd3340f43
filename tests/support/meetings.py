"""A trainer whose jobs wait for each other: workers are at work at once, or none gets on."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.studies import fake_train
from wiring_search.tasks.task import Task
from wiring_search.workers.jobs import Beat, PackJob, PackResult, no_beat


@dataclass(frozen=True)
class Meeting:
    """A job ends once as many workers as expected have come to the meeting.

    Workers that wait in vain count as hung when the pool's patience is over.

    Args:
        folder: Empty, and read by all workers: each notes there that it has come.
    """

    folder: Path

    def expect(self, workers: int, name: str) -> "Meeting":
        """Calls a new meeting, which ends those before it."""
        (self.folder / name).mkdir()
        (self.folder / "new").write_text(f"{workers} {name}")
        (self.folder / "new").rename(self.folder / "called")
        return self

    def come(self) -> int:
        """How many workers have come to this meeting."""
        return len(list(self._called()[1].iterdir()))

    def _called(self) -> tuple[int, Path]:
        workers, name = (self.folder / "called").read_text().split()
        return int(workers), self.folder / name

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        while True:
            workers, room = self._called()
            (room / str(os.getpid())).touch()
            if len(list(room.iterdir())) >= workers:
                return fake_train(task, job)
            time.sleep(0.02)
