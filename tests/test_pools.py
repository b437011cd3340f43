"""Both pools keep one contract; the Ray pool also outlives its workers."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from packs import random_wiring
from studies import fake_train, slow_train, tiny_task

from wiring_search.candidate import Candidate
from wiring_search.records import PackJob, PackResult, Rung, Status
from wiring_search.tasks.task import Task
from workers.inline import InlinePool
from workers.pool import Pool


def _jobs(count: int) -> list[PackJob]:
    import numpy as np

    rng = np.random.default_rng(0)
    return [PackJob(k, Rung(0, 1, 4), tuple(Candidate(random_wiring(rng)) for _ in range(2)), 0) for k in range(count)]


def _same(result: PackResult, job: PackJob) -> bool:
    """Equal to what the trainer gives here; compared as text, in which a NaN equals a NaN."""
    return repr(result.outcomes) == repr(fake_train(tiny_task(), job).outcomes)


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    import logging

    import ray

    # Workers find the stand-in trainers of this folder there.
    os.environ["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    if request.param == "inline":
        made: Pool = InlinePool(slow_train, tiny_task())
    else:
        request.getfixturevalue("local_ray")
        made = _ray_pool(slow_train, 2)
    yield made
    made.close()


def _ray_pool(train, workers: int) -> Pool:
    from workers.ray_pool import RayPool

    return RayPool(train, tiny_task(), workers)


def test_every_job_comes_back_once(pool: Pool) -> None:
    jobs = _jobs(5)
    for job in jobs:
        pool.submit(job)
    results = [pool.next_done() for _ in jobs]
    assert sorted(result.number for result in results) == [0, 1, 2, 3, 4]
    for result in results:
        assert _same(result, jobs[result.number])


def test_nothing_submitted_is_said(pool: Pool) -> None:
    with pytest.raises(RuntimeError, match="no job was submitted"):
        pool.next_done()


def test_jobs_can_be_submitted_in_between(pool: Pool) -> None:
    first, second, third = _jobs(3)
    pool.submit(first)
    pool.submit(second)
    done = {pool.next_done().number}
    pool.submit(third)
    assert done | {pool.next_done().number, pool.next_done().number} == {0, 1, 2}


def test_closing_twice_is_harmless(pool: Pool) -> None:
    pool.submit(_jobs(1)[0])
    pool.close()
    pool.close()


class _Deadly:
    """Kills its worker on the job with number 1, as often as `deaths` says (counted in a file, since workers die)."""

    def __init__(self, notes: Path, deaths: int) -> None:
        self.notes, self.deaths = notes, deaths

    def __call__(self, task: Task, job: PackJob) -> PackResult:
        if job.number == 1:
            with self.notes.open("a") as notes:
                notes.write("x")
            if len(self.notes.read_text()) <= self.deaths:
                os.kill(os.getpid(), signal.SIGKILL)
        return slow_train(task, job)


@pytest.mark.ray
@pytest.mark.parametrize("deaths", [1, 3])
def test_a_killed_worker_is_replaced_and_its_job_tried_again(deaths: int, tmp_path: Path, local_ray: None) -> None:
    pool, jobs = _ray_pool(_Deadly(tmp_path / "notes", deaths), 2), _jobs(4)
    for job in jobs:
        pool.submit(job)
    results = {result.number: result for result in (pool.next_done() for _ in jobs)}
    pool.close()
    for job in jobs:
        if job.number == 1 and deaths == 3:
            assert {o.status for o in results[1].outcomes} == {Status.CRASHED} and len(results[1].outcomes) == 2
            assert "its worker failed 3 times" in results[1].outcomes[0].message
        else:
            assert _same(results[job.number], job)


@pytest.mark.ray
def test_the_task_arrives_and_workers_keep_to_one_core(local_ray: None) -> None:
    pool = _ray_pool(_report_threads, 2)
    pool.submit(_jobs(1)[0])
    worker = pool.next_done().worker
    pool.close()
    assert worker == "tiny 1 1"


def _report_threads(task: Task, job: PackJob) -> PackResult:
    import numba
    import torch

    return PackResult(
        job.number, fake_train(task, job).outcomes, f"{task.name} {numba.get_num_threads()} {torch.get_num_threads()}"
    )


@pytest.mark.ray
def test_workers_work_at_once(local_ray: None) -> None:
    pool = _ray_pool(_half_a_second, 2)
    for job in _jobs(2):  # the workers' own start is not what is measured
        pool.submit(job)
    for _ in range(2):
        pool.next_done()
    start = time.perf_counter()
    for job in _jobs(4):
        pool.submit(job)
    for _ in range(4):
        pool.next_done()
    seconds = time.perf_counter() - start
    pool.close()
    assert 1.0 <= seconds < 1.8


def _half_a_second(task: Task, job: PackJob) -> PackResult:
    time.sleep(0.5)
    return fake_train(task, job)
