"""Empty trials through the real Ray pool: what the pool itself costs.

python benchmarks/pool_overhead.py [trials] [pack size] [workers]
"""

import os
import sys
import time

import numpy as np

from wiring_search.tasks.task import Split, Task
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import Beat, Outcome, PackJob, PackResult, Rung, Status
from wiring_search.workers.ray_pool import RayPool

# Bytes of the training state of a small candidate.
_STATE = 4000


def empty(task: Task, job: PackJob, beat: Beat) -> PackResult:
    return PackResult(job.number, tuple(_outcome() for _ in job.candidates), "empty")


def _outcome() -> Outcome:
    return Outcome(Status.OK, 0.5, 0.5, 100, 50, 1.0, 0.0, (0.5,), os.urandom(_STATE))


def main(trials: int = 10_000, pack_size: int = 32, workers: int = 2) -> None:
    split = Split(np.zeros((4, 3, 2), np.float32), np.zeros(4, np.int64))
    task = Task("tiny", "classification", False, 2, "accuracy", split, split, split, {}, "")
    candidates = [Candidate(ncp(2, 8, 6, 2, 4, 4, 4, 4, seed=seed)) for seed in range(trials)]
    jobs = [
        PackJob(k, Rung(0, 1, 32), tuple(candidates[start : start + pack_size]), 0)
        for k, start in enumerate(range(0, trials, pack_size))
    ]
    pool = RayPool(empty, task, workers)
    pool.submit(jobs[0])
    pool.next_done()
    waiting = iter(jobs)
    started, cpu = time.perf_counter(), time.process_time()
    for _ in range(2 * workers):
        pool.submit(next(waiting))
    for _ in jobs:
        pool.next_done()
        if (job := next(waiting, None)) is not None:
            pool.submit(job)
    seconds, in_driver = time.perf_counter() - started, time.process_time() - cpu
    pool.close()
    print(
        f"{trials} trials in packs of {pack_size} on {workers} workers: {seconds:.1f} s, "
        f"{trials / seconds:.0f} trials a second, "
        f"{1000 * seconds / len(jobs):.1f} ms a pack; the driver's CPU "
        f"{1000 * in_driver / len(jobs):.1f} ms a pack"
    )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
