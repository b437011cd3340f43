"""A worker on a Ray cluster: an actor that trains slices one after another in one thread, and
answers in another."""

import os
import resource
import time
from dataclasses import dataclass

import ray

from wiring_search.tasks.task import Task
from wiring_search.workers.jobs import PackJob, PackResult
from wiring_search.workers.pool import Measure, Train

# What torch says of a GPU after an error on it: nothing works there any more in this process,
# whoever it is that trains.
_DEVICE_LOST = "CUDA error"


@dataclass(frozen=True, slots=True)
class Hello:
    """What a worker that has come up says of itself. node: Ray's id of it; speed: as its pool's
    measure says."""

    node: str
    speed: float


STARTING = Hello("", 0.0)  # of a worker that has not come up


@ray.remote(max_restarts=0, max_task_retries=0, concurrency_groups={"training": 1, "asking": 1})  # type: ignore[call-overload]
class _Worker:
    """threads: cores that it may use; parallelism beyond them is between workers."""

    def __init__(self, train: Train, task: Task, threads: int, measure: Measure) -> None:
        if not ray.get_gpu_ids():
            os.environ["CUDA_VISIBLE_DEVICES"] = (
                ""  # a worker that claims no GPU leaves them to those that do
            )
        self._train, self._task, self._threads, self._measure = train, task, threads, measure
        self._stopping = False
        self._beaten: float | None = None
        self._base = 0

    @ray.method(concurrency_group="training")
    def hello(self) -> Hello:
        self._keep_to_its_cores()
        measured = self._measure()
        self._base = _peak_bytes()
        return Hello(ray.get_runtime_context().get_node_id(), measured)

    @ray.method(concurrency_group="training")
    def train(self, part: PackJob) -> tuple[PackResult, int]:
        """The result, and the bytes that this worker has taken at its most for training."""
        self._keep_to_its_cores()
        self._beaten = time.monotonic()
        try:
            result = self._train(self._task, part, self._beat)
        finally:
            self._beaten = None
        if any(_DEVICE_LOST in outcome.message for outcome in result.outcomes):
            os._exit(1)  # so that the pool starts another one, and finds who it was
        return result, _peak_bytes() - self._base

    @ray.method(concurrency_group="asking")
    def silence(self) -> float:
        """Seconds since the last beat of what is trained now, 0 where nothing is. A clock that
        nobody sets."""
        beaten = self._beaten
        return 0.0 if beaten is None else time.monotonic() - beaten

    @ray.method(concurrency_group="asking")
    def stop(self) -> None:
        self._stopping = True

    def _beat(self, done: int, to_do: int) -> bool:
        self._beaten = time.monotonic()
        return not self._stopping

    def _keep_to_its_cores(self) -> None:
        """Both count threads for each thread that calls them, so this is said in the one that
        trains. Torch gets one: see `wiring_search.training.warm_up.one_torch_thread`."""
        import numba
        import torch

        numba.set_num_threads(min(self._threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
        torch.set_num_threads(1)


def _peak_bytes() -> int:
    # Linux counts kilobytes, macOS bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if os.uname().sysname == "Darwin" else 1024
    )
