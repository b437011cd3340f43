"""A worker on a Ray cluster: an actor that trains slices in one thread and answers in another."""

import os
import resource
import time
from dataclasses import dataclass

import ray

from wiring_search.tasks.task import Task
from wiring_search.workers.jobs import PackJob, PackResult
from wiring_search.workers.pool import Measure, Train

# How torch reports an error on a GPU. Afterwards nothing works there any more in this process.
_DEVICE_LOST = "CUDA error"


@dataclass(frozen=True, slots=True)
class WorkerInfo:
    """What a worker reports once it is up.

    Attributes:
        node: Ray's id of its node.
        speed: By the measure of its pool.
    """

    node: str
    speed: float


STARTING = WorkerInfo("", 0.0)  # of a worker that is not up yet


@ray.remote(max_restarts=0, max_task_retries=0, concurrency_groups={"training": 1, "asking": 1})  # type: ignore[call-overload]
class _Worker:
    """Trains slices.

    Args:
        train: Trains a job.
        task: The data, shared by the workers of a node.
        threads: Cores it may use; further parallelism is between workers.
        measure: Returns its speed.
    """

    def __init__(self, train: Train, task: Task, threads: int, measure: Measure) -> None:
        if not ray.get_gpu_ids():
            # A worker that claims no GPU leaves them to those that do.
            os.environ["CUDA_VISIBLE_DEVICES"] = ""
        self._train = train
        self._task = task
        self._threads = threads
        self._measure = measure
        self._stopping = False
        self._last_beat: float | None = None
        self._base = 0

    @ray.method(concurrency_group="training")
    def start(self) -> WorkerInfo:
        """Measure the worker's speed."""
        self._limit_threads()
        measured = self._measure()
        self._base = _peak_bytes()
        return WorkerInfo(ray.get_runtime_context().get_node_id(), measured)

    @ray.method(concurrency_group="training")
    def train(self, part: PackJob) -> tuple[PackResult, int]:
        """Return the result, and the bytes that training has taken at most so far."""
        self._limit_threads()
        self._last_beat = time.monotonic()
        try:
            result = self._train(self._task, part, self._beat)
        finally:
            self._last_beat = None
        if any(_DEVICE_LOST in outcome.message for outcome in result.outcomes):
            os._exit(1)  # the pool starts another worker, and finds the candidate
        return result, _peak_bytes() - self._base

    @ray.method(concurrency_group="asking")
    def silence(self) -> float:
        """Return seconds since the last beat of training, 0 while nothing trains."""
        last_beat = self._last_beat
        return 0.0 if last_beat is None else time.monotonic() - last_beat

    @ray.method(concurrency_group="asking")
    def stop(self) -> None:
        """Ask training to stop at its next beat."""
        self._stopping = True

    def _beat(self, done: int, to_do: int) -> bool:
        self._last_beat = time.monotonic()
        return not self._stopping

    def _limit_threads(self) -> None:
        """Limit the kernels and torch to the worker's cores.

        The kernels take numba's number. Torch keeps its number per calling thread, so the thread
        that trains sets it. It gets one: see `training.warm_up.one_torch_thread`.
        """
        import numba
        import torch

        config = numba.config
        config.NUMBA_NUM_THREADS = min(self._threads, config.NUMBA_NUM_THREADS)
        torch.set_num_threads(1)


def _peak_bytes() -> int:
    # Linux counts kilobytes, macOS bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (
        1 if os.uname().sysname == "Darwin" else 1024
    )
