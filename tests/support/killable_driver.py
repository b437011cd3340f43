"""Processes that search stand-in studies and get killed. Each notes what it does in a file."""

import functools
import mmap
import multiprocessing
import os
import queue
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.support.studies import FACTS, config, fake_train, tiny_task
from wiring_search.search.study import search
from wiring_search.store import Store, exists
from wiring_search.tasks.task import Task
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Beat, PackJob, PackResult, no_beat
from wiring_search.workers.pool import Train

PHASES = (
    "starting",
    "making the store",
    "walking again",
    "asking or telling",
    "writing an ask",
    "training",
    "writing results",
    "ended",
)

# Forked from a process that has imported everything once: a driver is there in milliseconds, so
# that kills do not all find it importing.
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.support.killable_driver", "pytest"])
# Where it finds this file: it does not inherit the path along which tests import.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
)


def sleepy_train(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    """Sleep 5 to 20 ms per candidate."""
    time.sleep(
        sum(0.005 * (1 + int(candidate.candidate_id, 16) % 4) for candidate in job.candidates)
    )
    return fake_train(task, job)


class Threads:
    """A pool of threads, for trainers that sleep. Results come back in any order."""

    waiting = 0

    def __init__(self, train: Train, task: Task, workers: int) -> None:
        self._train, self._task, self.workers = train, task, workers
        self._threads = ThreadPoolExecutor(workers)
        self._done: queue.SimpleQueue[PackResult] = queue.SimpleQueue()

    def submit(self, job: PackJob) -> None:
        self._threads.submit(lambda: self._done.put(self._train(self._task, job, no_beat)))

    def next_done(self, timeout: float | None = None) -> PackResult | None:
        try:
            return self._done.get(timeout=timeout)
        except queue.Empty:
            return None

    def stop(self) -> None:
        pass

    def close(self) -> None:
        self._threads.shutdown()


def started(
    folder: Path, workers: int, notes: Path, halt: str | None = None, **given: object
) -> BaseProcess:
    """Start a process that makes the study in `folder`, or resumes it.

    Args:
        folder: The run folder.
        workers: Threads that train; 0 trains inline.
        notes: The file that `phase_in` reads.
        halt: The phase in which the process stops and waits to be killed.
        given: Settings of the study.
    """
    notes.write_bytes(b"\0")
    process = _PROCESSES.Process(
        target=_drive, args=(folder, workers, notes, halt, given), daemon=True
    )
    process.start()
    return process


def prepare() -> None:
    """Import everything that drivers need, once."""
    process = _PROCESSES.Process(target=int)
    process.start()
    process.join()


def phase_in(notes: Path) -> str:
    """The phase that a driver noted last."""
    return PHASES[notes.read_bytes()[0]]


def _drive(folder: Path, workers: int, notes: Path, halt: str | None, given: dict) -> None:
    with notes.open("r+b") as file, mmap.mmap(file.fileno(), 1) as byte:

        def note(phase: str) -> None:
            byte[0] = PHASES.index(phase)
            if phase == halt:
                signal.pause()

        def around(function: Callable, phase: str) -> Callable:
            @functools.wraps(function)
            def noted(*args, **kwargs):
                note(phase)
                try:
                    return function(*args, **kwargs)
                finally:
                    note("asking or telling")

            return noted

        Store.record_pack = around(Store.record_pack, "writing an ask")
        Store.record_outcomes = around(Store.record_outcomes, "writing results")
        if not exists(folder):
            note("making the store")
            Store.create(folder, config(**given), FACTS).close()
        note("walking again")
        pool = (
            InlinePool(sleepy_train, tiny_task())
            if workers == 0
            else Threads(sleepy_train, tiny_task(), workers)
        )
        pool.next_done = around(pool.next_done, "training")
        with closing(Store.open(folder)) as store, store.locked():
            if search(store.config, store, pool):
                store.record_end()
        pool.close()
        note("ended")
