"""Scaling of simulated work over raylets of one core each, all on this machine: how much of the
workers' time the pool uses.

    python benchmarks/raylets.py [seconds a job] [jobs a worker]

The trainer sleeps, so that more workers than cores can be kept busy. The same pool is used all
along: nodes join while it works. Efficiency is the time slept over the time that the workers were
there for it.
"""

import os
import sys
import time

import numpy as np
import ray
from ray.cluster_utils import Cluster

from wiring_search.tasks.task import Split, Task
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import Beat, Outcome, PackJob, PackResult, Rung, Status
from wiring_search.workers.ray_pool import RayPool

RAYLETS = (1, 2, 4, 8)


class Sleeping:
    """A trainer that takes so many seconds a job."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, task: Task, job: PackJob, beat: Beat) -> PackResult:
        time.sleep(self.seconds)
        outcome = Outcome(Status.OK, 0.5, 0.5, 100, 50, 1.0, self.seconds)
        return PackResult(job.number, (outcome,) * len(job.candidates), f"process {os.getpid()}")


def efficiency(pool: RayPool, workers: int, seconds: float, each: int) -> float:
    """Of `workers` workers, once they are up, for so many jobs each; two jobs a worker are
    submitted ahead."""
    job = PackJob(0, Rung(0, 1, 4), (Candidate(ncp(2, 4, 4, 2, 2, 2, 2, 2)),), 0)
    while pool.workers < workers:
        pool.submit(job)
        pool.next_done()
    jobs = workers * each
    started = time.perf_counter()
    for _ in range(2 * workers):
        pool.submit(job)
    for done in range(jobs):
        pool.next_done()
        if done + 2 * workers < jobs:
            pool.submit(job)
    return jobs * seconds / workers / (time.perf_counter() - started)


def main(seconds: float = 0.25, each: int = 16) -> None:
    split = Split(np.zeros((4, 3, 2), np.float32), np.zeros(4, np.int64))
    task = Task("tiny", "classification", False, 2, "accuracy", split, split, split, {}, "")
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False}
    )
    started = 0
    pool = RayPool(Sleeping(seconds), task, address=cluster.address)
    try:
        for raylets in RAYLETS:
            for _ in range(raylets - started):
                cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
            started = raylets
            print(
                f"{raylets} raylets: {100 * efficiency(pool, raylets, seconds, each):.1f} % "
                "efficiency",
                flush=True,
            )
    finally:
        pool.close()
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main(*(kind(given) for kind, given in zip((float, int), sys.argv[1:], strict=False)))
