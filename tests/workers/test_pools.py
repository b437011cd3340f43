"""Both pools keep one contract: every job comes back once, even if its workers die."""

import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.support.pack_jobs import EPOCHS, only_these_crashed
from tests.support.pack_jobs import jobs as _jobs
from tests.support.studies import fake_train, slow_train, tiny_task
from wiring_search.tasks.task import Task
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Beat, PackJob, PackResult, Status, no_beat
from wiring_search.workers.pool import NothingSubmitted, NoWorkerStarts, Pool, Train, jobs_wanted
from wiring_search.workers.slices import TRIES


def _same(result: PackResult, job: PackJob) -> bool:
    """Whether a result equals the trainer's here; compared as text, in which a NaN equals a NaN."""
    return repr(result.outcomes) == repr(fake_train(tiny_task(), job).outcomes)


def _all_of(pool: Pool, jobs: list[PackJob]) -> dict[int, PackResult]:
    for job in jobs:
        pool.submit(job)
    found = [pool.next_done() for _ in jobs]
    assert sorted(result.number for result in found if result) == sorted(job.number for job in jobs)
    assert pool.waiting == pool.under_way == 0
    return {result.number: result for result in found if result}


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    import ray

    # Workers find the stand-in trainers of this folder there.
    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    )
    ray.init(
        "local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()


def _ray_pool(train: Train, workers: int | None = 2, **given) -> Pool:
    from wiring_search.workers.ray_pool import RayPool

    return RayPool(train, tiny_task(), workers, **given)


def _until_up(pool: Pool, workers: int) -> None:
    """Keep the pool busy until so many workers are up."""
    while pool.workers < workers:
        pool.submit(_jobs(1)[0])
        pool.next_done()


@pytest.fixture(params=["inline", pytest.param("ray", marks=pytest.mark.ray)])
def pool_of(request: pytest.FixtureRequest) -> Iterator[Callable[[Train], Pool]]:
    """A function that makes a pool of either kind around a trainer."""
    made: list[Pool] = []
    if request.param == "ray":
        request.getfixturevalue("local_ray")

    def make(train: Train) -> Pool:
        made.append(
            InlinePool(train, tiny_task()) if request.param == "inline" else _ray_pool(train)
        )
        return made[-1]

    yield make
    for pool in made:
        pool.close()


def test_every_job_comes_back_once(pool_of) -> None:
    jobs = _jobs(5)
    for number, result in _all_of(pool_of(slow_train), jobs).items():
        assert _same(result, jobs[number])
        assert result.stopped_at is None


def test_nothing_submitted_is_said(pool_of) -> None:
    with pytest.raises(NothingSubmitted, match="the pool has no job; submit one"):
        pool_of(slow_train).next_done()


def test_a_pool_wants_jobs_before_it_has_workers_and_none_when_it_has_enough(pool_of) -> None:
    """A caller that submits only what is wanted gets all its jobs done."""
    pool, jobs, found = pool_of(slow_train), _jobs(8), []
    assert jobs_wanted(pool) >= 1
    left = list(jobs)
    while len(found) < len(jobs):
        while left and jobs_wanted(pool):
            pool.submit(left.pop())
        assert not left or pool.waiting + pool.under_way >= 3 * max(1, pool.workers)
        result = pool.next_done(timeout=0.2)
        found += [result.number] if result else []
    assert sorted(found) == [job.number for job in jobs]
    assert pool.workers >= 1
    assert jobs_wanted(pool) == 3 * pool.workers


def test_jobs_can_be_submitted_in_between(pool_of) -> None:
    pool, (first, second, third) = pool_of(slow_train), _jobs(3)
    pool.submit(first)
    pool.submit(second)
    done = {pool.next_done().number}
    pool.submit(third)
    assert done | {pool.next_done().number, pool.next_done().number} == {0, 1, 2}


def test_closing_twice_is_harmless(pool_of) -> None:
    pool = pool_of(slow_train)
    pool.submit(_jobs(1)[0])
    pool.close()
    pool.close()


def test_waiting_ends_with_the_timeout(pool_of) -> None:
    pool, jobs = pool_of(_a_quarter_second), _jobs(4)
    for job in jobs:
        pool.submit(job)
    assert pool.waiting + pool.under_way == 4
    found, empty = [], 0
    while len(found) < 4:
        result = pool.next_done(timeout=0.0)
        found += [result.number] if result else []
        empty += result is None
    assert sorted(found) == [0, 1, 2, 3]
    assert empty > 0 or isinstance(pool, InlinePool)


def _a_quarter_second(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    time.sleep(0.25)
    return fake_train(task, job)


@dataclass(frozen=True)
class _Raising:
    """Raises for slices with any of these seeds."""

    seeds: tuple[int, ...]

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        if any(candidate.seed in self.seeds for candidate in job.candidates):
            raise ArithmeticError("it cannot be counted")
        return fake_train(task, job)


def test_only_those_that_fail_alone_are_crashed(pool_of) -> None:
    jobs = _jobs(3, candidates=5)
    results = _all_of(pool_of(_Raising((3, 5))), jobs)
    only_these_crashed(jobs, results, (3, 5), "ArithmeticError: it cannot be counted")


@dataclass(frozen=True)
class _Narrow:
    """Has memory for `most` candidates, and notes the size of each slice."""

    most: int
    notes: Path

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        with self.notes.open("a") as notes:
            notes.write(f"{len(job.candidates)} ")
        if len(job.candidates) > self.most:
            raise MemoryError(f"{len(job.candidates)} candidates side by side")
        return fake_train(task, job)


def test_memory_that_runs_out_halves_the_slice_and_is_remembered(pool_of, tmp_path: Path) -> None:
    pool, jobs = pool_of(_Narrow(3, tmp_path / "notes")), _jobs(6, candidates=8)
    results = _all_of(pool, jobs[:4]) | _all_of(pool, jobs[4:])
    for job in jobs:
        assert _same(results[job.number], job)
    tried = [int(size) for size in (tmp_path / "notes").read_text().split()]
    assert max(tried[-8:]) <= 3  # the last two jobs were never tried whole
    assert tried.count(8) <= 2  # one per worker, before the first of them has failed


@dataclass(frozen=True)
class _Stoppable:
    """Epochs of 0.05 s per candidate, with a beat after each.

    States hold the number of epochs done.

    Attributes:
        begun: A file, made with the first epoch.
    """

    begun: Path

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        for epoch in range(EPOCHS * 100):
            time.sleep(0.05)
            self.begun.touch()
            if not beat(epoch, EPOCHS * 100):
                outcomes = fake_train(task, job).outcomes
                return PackResult(job.number, outcomes, stopped_at=epoch)
        raise AssertionError("it was not stopped")


def test_stopping_brings_back_what_was_begun_and_forgets_the_rest(pool_of, tmp_path: Path) -> None:
    pool = pool_of(_Stoppable(tmp_path / "begun"))
    for job in _jobs(6):
        pool.submit(job)
    if isinstance(pool, InlinePool):  # it is stopped from within, as by a signal
        signal.signal(signal.SIGALRM, lambda number, frame: pool.stop())
        signal.setitimer(signal.ITIMER_REAL, 0.3)
    else:
        while not (tmp_path / "begun").exists():
            assert pool.next_done(timeout=0.05) is None
        pool.stop()
    found = []
    while pool.under_way or pool.waiting:
        result = pool.next_done(timeout=5.0)
        found += [result] if result else []
    assert 1 <= len(found) <= pool.workers
    assert all(result.stopped_at is not None for result in found)
    pool.submit(_jobs(1)[0])
    with pytest.raises(NothingSubmitted, match="the pool has no job; submit one"):
        pool.next_done()


@dataclass(frozen=True)
class _Deadly:
    """Kills its worker when one of these seeds is among its candidates, `deaths` times.

    Deaths are counted in a file, since workers die.
    """

    seeds: tuple[int, ...]
    notes: Path
    deaths: int = 1000

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        if any(candidate.seed in self.seeds for candidate in job.candidates):
            with self.notes.open("a") as notes:
                notes.write("x")
            if len(self.notes.read_text()) <= self.deaths:
                os.kill(os.getpid(), signal.SIGKILL)
        return fake_train(task, job)


@pytest.mark.ray
def test_a_worker_killed_once_costs_no_candidate_anything(tmp_path: Path, local_ray: None) -> None:
    pool, jobs = _ray_pool(_Deadly((2,), tmp_path / "notes", deaths=1)), _jobs(4)
    results = _all_of(pool, jobs)
    pool.close()
    assert all(_same(results[job.number], job) for job in jobs)


@pytest.mark.ray
@pytest.mark.slow
def test_a_candidate_that_kills_its_worker_is_found(tmp_path: Path, local_ray: None) -> None:
    pool, jobs = _ray_pool(_Deadly((5,), tmp_path / "notes")), _jobs(3, candidates=4)
    results = _all_of(pool, jobs)
    pool.close()
    only_these_crashed(jobs, results, (5,), "ActorDiedError")
    assert len((tmp_path / "notes").read_text()) == 2 + TRIES  # with three others, with one, alone


@dataclass(frozen=True)
class _SpoilsItsGpu:
    """Fails as after an error on a GPU, once this seed is among its candidates.

    All candidates of the slice fail, and so does all that the process trains afterwards.
    """

    seed: int

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        result = fake_train(task, job)
        if "SPOILT" not in os.environ and all(
            candidate.seed != self.seed for candidate in job.candidates
        ):
            return result
        os.environ["SPOILT"] = "1"
        failed = {
            "status": Status.CRASHED,
            "message": "AcceleratorError: CUDA error: an illegal memory access was encountered",
        }
        return replace(
            result, outcomes=tuple(replace(outcome, **failed) for outcome in result.outcomes)
        )


@pytest.mark.ray
@pytest.mark.slow
def test_a_candidate_that_spoils_a_gpu_costs_the_others_nothing(local_ray: None) -> None:
    pool, jobs = _ray_pool(_SpoilsItsGpu(5)), _jobs(3, candidates=4)
    results = _all_of(pool, jobs)
    pool.close()
    only_these_crashed(jobs, results, (5,), "ActorDiedError")


@dataclass(frozen=True)
class _Hanging:
    """Hangs when this seed is among its candidates.

    It sleeps with no beat, or its whole process is stopped.
    """

    seed: int
    stops_its_process: bool

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        for step in range(80):  # 4 s: longer than the patience, but it beats
            time.sleep(0.05)
            beat(step, 80)
        if any(candidate.seed == self.seed for candidate in job.candidates):
            if self.stops_its_process:
                os.kill(os.getpid(), signal.SIGSTOP)
            time.sleep(1000)
        return fake_train(task, job)


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("stops_its_process", [False, True])
def test_a_candidate_that_hangs_is_found_by_its_missing_beats(
    stops_its_process: bool, local_ray: None
) -> None:
    pool, jobs = _ray_pool(_Hanging(1, stops_its_process), patience=3.0), _jobs(2)
    results = _all_of(pool, jobs)
    pool.close()
    only_these_crashed(jobs, results, (1,), "it hung, with no beat for 3 s")


@pytest.mark.ray
def test_workers_share_one_copy_of_the_task_and_keep_to_their_cores(local_ray: None) -> None:
    pool, jobs = _ray_pool(_report), _jobs(4)
    _until_up(pool, 2)
    seen = [result.worker.split(" ") for result in _all_of(pool, jobs).values()]
    pool.close()
    assert len({pid for pid, *_ in seen}) == 2
    assert {tuple(rest) for _, *rest in seen} == {
        tuple(seen[0][1:])
    }  # the same offset in the same shared memory
    assert seen[0][2:] == ["False", "tiny", "1", "1"]


def _report(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    """Facts of the worker, as the result's `worker`.

    They are its pid, file and offset in shared memory of the task's inputs, whether they can be
    written, its name, and its threads.
    """
    import torch

    from wiring_search.networks.kernels.cpu import thread_count

    time.sleep(0.3)  # both workers get jobs
    x = task.train.x
    address = x.ctypes.data
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, offset, _, inode, *_ = line.split()
        start, end = (int(number, 16) for number in span.split("-"))
        if start <= address < end:
            offset_in_file = f"{inode}:{int(offset, 16) + address - start}"
    threads = f"{thread_count()} {torch.get_num_threads()}"
    report = f"{os.getpid()} {offset_in_file} {x.flags.writeable} {task.name} {threads}"
    return PackResult(job.number, fake_train(task, job).outcomes, report)


@dataclass(frozen=True)
class _Meeting:
    """Trains only once another worker trains too: each leaves a file and waits for a second one."""

    folder: Path

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        (self.folder / str(os.getpid())).touch()
        gives_up = time.monotonic() + 120
        while len(list(self.folder.iterdir())) < 2:
            assert time.monotonic() < gives_up, "no other worker trained at the same time"
            time.sleep(0.01)
        return fake_train(task, job)


@pytest.mark.ray
def test_workers_work_at_once(tmp_path: Path, local_ray: None) -> None:
    pool, jobs = _ray_pool(_Meeting(tmp_path)), _jobs(4)
    results = _all_of(pool, jobs)
    pool.close()
    for job in jobs:
        assert _same(results[job.number], job)


@pytest.mark.ray
def test_ten_thousand_empty_trials_cost_no_memory(local_ray: None) -> None:
    pool, jobs = _ray_pool(_empty), _jobs(1, candidates=20) * 500
    _until_up(pool, 2)
    grown = _bytes_grown(pool, jobs)
    pool.close()
    assert grown / 10_000 < 2000


def _bytes_grown(pool: Pool, jobs: list[PackJob]) -> int:
    """Memory of this process that training takes, from the twentieth job on."""
    before = 0
    for number, job in enumerate(jobs):
        pool.submit(job)
        if number >= 4:
            pool.next_done()
        if number == 20:
            before = _resident()
    for _ in range(4):
        pool.next_done()
    return _resident() - before


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _empty(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    blank = fake_train(task, job).outcomes[0]
    return PackResult(
        job.number, tuple(replace(blank, state=os.urandom(4000)) for _ in job.candidates)
    )


@pytest.mark.ray
def test_what_a_local_ray_has_no_room_for_is_refused(local_ray: None) -> None:
    with pytest.raises(
        ValueError, match="3 workers need a core each, and this Ray cluster has 2; give --workers 2"
    ):
        _ray_pool(fake_train, 3)
    with pytest.raises(
        ValueError,
        match="1 workers need 4 cores each, and this Ray cluster has 2; give each worker less",
    ):
        _ray_pool(fake_train, None, cpus=4)
    with pytest.raises(ValueError, match="patience is 0"):
        _ray_pool(fake_train, 1, patience=0)


@pytest.mark.ray
def test_workers_that_cannot_start_are_said(local_ray: None) -> None:
    pool = _ray_pool(_Unreadable())
    pool.submit(_jobs(1)[0])
    with pytest.raises(NoWorkerStarts, match="no worker starts.*cannot be read here"):
        pool.next_done()
    pool.close()


def _cannot_be_read() -> None:
    raise ImportError("cannot be read here")


class _Unreadable:
    """A trainer that cannot be unpickled."""

    def __reduce__(self):
        return _cannot_be_read, ()
