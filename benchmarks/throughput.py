"""What a search costs besides training: trials that take no time, through the real Ray pool and
into the real store.

    python benchmarks/throughput.py      (10,000 trials, random sampling, packs of 32)
    python benchmarks/throughput.py --sampler evolution --pruning halving

Prints trials a second from the first ask to the last row, how much the driver's memory grew a
trial, how large the store is, and how long it takes to open it again and walk to its end.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np

from wiring_search import search_spaces
from wiring_search.search.samplers import SAMPLERS
from wiring_search.search.study import search
from wiring_search.store import Store
from wiring_search.store.config import StudyConfig
from wiring_search.tasks.task import Split, Task
from wiring_search.training.pruning import PRUNING
from wiring_search.workers.jobs import Beat, Outcome, PackJob, PackResult, Status
from wiring_search.workers.ray_pool import RayPool

FACTS = {"metric": "accuracy", "rules": {}, "source": "made up", "features": 2, "outputs": 2}
STATE = bytes(12_000)  # what a candidate of 250 parameters leaves behind


def main() -> None:
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    arguments.add_argument("--trials", type=int, default=10_000)
    arguments.add_argument("--pack-size", type=int, default=32)
    arguments.add_argument("--sampler", choices=[*SAMPLERS], default="random")
    arguments.add_argument("--pruning", choices=[*PRUNING], default="none")
    arguments.add_argument("--workers", type=int, default=os.cpu_count())
    arguments.add_argument(
        "--states", action="store_true", help="workers send training states of the usual size, too"
    )
    arguments.add_argument("--json", action="store_true", help="one line of figures")
    given = arguments.parse_args()

    config = StudyConfig(
        task="digits",
        space=search_spaces.load("default").to_json(),
        trials=given.trials,
        sampler=given.sampler,
        pruning=given.pruning,
        pack_size=given.pack_size,
        ahead=2 * given.workers,
        scores=(),
    )
    split = Split(np.zeros((4, 3, 2), np.float32), np.zeros(4, np.int64))
    task = Task("empty", "classification", False, 2, "accuracy", split, split, split, {}, "")
    train = with_states if given.states else empty
    pool = RayPool(train, task, given.workers)
    with tempfile.TemporaryDirectory() as folder, closing(pool):
        warm_up(config, Path(folder) / "warm", pool)
        with closing(Store.create(Path(folder) / "run", config, FACTS)) as store:
            before = resident()
            start = time.perf_counter()
            driver = time.process_time()
            search(config, store, pool)
            seconds = time.perf_counter() - start
            driver = time.process_time() - driver
            grown = resident() - before
        size = sum(path.stat().st_size for path in (Path(folder) / "run").iterdir())
        start = time.perf_counter()
        reading = time.process_time()
        with closing(Store.open(Path(folder) / "run")) as store:
            trials = len(store.trials(candidates=False))
            opened = time.perf_counter() - start
            reading = time.process_time() - reading
            search(config, store, pool)
            walked = time.perf_counter() - start
            infeasible = sum(
                trial.status is Status.INFEASIBLE for trial in store.trials(candidates=False)
            )
    found = {
        "trials": given.trials,
        "infeasible": infeasible,
        "seconds": seconds,
        "trials_a_second": given.trials / seconds,
        "driver_cpu_seconds": driver,
        "memory_kb_a_trial": grown / trials / 1024,
        "peak_mb": peak() / 2**20,
        "store_kb_a_trial": size / trials / 1024,
        "reload_seconds": opened,
        "reload_cpu_seconds": reading,
        "walk_seconds": walked,
    }
    if given.json:
        print(json.dumps(found))
        return
    print(
        f"{given.sampler}, {given.pruning}: {given.trials:,} trials trained ({infeasible:,} "
        "infeasible besides)"
    )
    print(
        f"{given.trials / seconds:,.0f} trials a second ({seconds:.1f} s, {given.workers} workers, "
        f"packs of {given.pack_size})"
    )
    print(
        f"driver: {found['memory_kb_a_trial']:.2f} KB a trial, at most {found['peak_mb']:.0f} MB "
        "in all"
    )
    print(
        f"store: {found['store_kb_a_trial']:.1f} KB a trial; read again in {opened:.2f} s, "
        f"resumed in {walked:.2f} s"
    )


def warm_up(config: StudyConfig, folder: Path, pool: RayPool) -> None:
    """What is imported and allocated once: it is no trial's."""
    few = StudyConfig(**{**vars(config), "trials": 200})
    with closing(Store.create(folder, few, FACTS)) as store:
        search(few, store, pool)


def empty(task: Task, job: PackJob, beat: Beat) -> PackResult:
    return PackResult(
        job.number, tuple(outcome(candidate) for candidate in job.candidates), "empty"
    )


def with_states(task: Task, job: PackJob, beat: Beat) -> PackResult:
    return PackResult(
        job.number, tuple(outcome(candidate, STATE) for candidate in job.candidates), "empty"
    )


def outcome(candidate, state: bytes | None = b"") -> Outcome:
    size = candidate.wiring.synapse_count
    error = 0.1 + 3 / size + int(candidate.candidate_id, 16) % 1000 / 3000
    return Outcome(Status.OK, error, 1 - error, 10 * size, size, 2.0, 0.0, (error,), state)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    main()
