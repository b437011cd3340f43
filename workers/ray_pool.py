"""The Ray pool: long-lived actors on a cluster whose nodes may come and go.

The data are sent to every node once.

    board ─slice─► idle worker that is up ─result─► board ─job─► study

A worker is lost when its process dies. It is killed when its training gives no beat for `patience`
seconds. Its slice goes back to the board, which halves it and tries again (`slices`); no worker can
take the driver down. A slice is as large as the speed and memory of its worker allow (`limits`).
"""

import gc
import math
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, cast

import ray

from wiring_search.tasks.task import Task
from wiring_search.workers import limits
from wiring_search.workers.jobs import PackJob, PackResult
from wiring_search.workers.pool import (
    Measure,
    NothingSubmitted,
    NoWorkerStarts,
    Train,
    equally_fast,
)
from wiring_search.workers.ray_cluster import (
    Node,
    connect,
    free_room,
    nodes,
    refuse_too_many,
    room_on,
)
from wiring_search.workers.ray_failures import (
    NODE_LOST,
    brief,
    lost_with_node,
    raised_by_trainer,
)
from wiring_search.workers.ray_worker import STARTING, WorkerInfo, _Worker
from wiring_search.workers.signals import signals_ignored
from wiring_search.workers.slices import Board, Slice

# Seconds between two looks at the cluster's nodes.
_REFRESH = 2.0
# Seconds of waiting at a stretch, so that a keyboard interrupt comes through.
_NAP = 0.2
# After so many failed starts in a row the fault is not the cluster's.
_FAILED_STARTS = 3


@dataclass(eq=False, slots=True)
class _Handle:
    """The driver's handle of a worker.

    Attributes:
        actor: The Ray actor.
        awaited: Its next answer: its `WorkerInfo`, then the results of its slices.
        info: STARTING until it is up.
        slice: What it trains now.
        silence_ref: An answer about its last beat that is under way.
        silence: Seconds without a beat.
    """

    actor: ray.actor.ActorHandle
    awaited: ray.ObjectRef | None
    info: WorkerInfo = STARTING
    slice: Slice | None = None
    silence_ref: ray.ObjectRef | None = None
    silence: float = 0.0


class RayPool:
    """See `wiring_search.workers.pool.Pool`.

    Args:
        train: Trains a job; called in the workers.
        task: The data.
        workers: Actors at most; None for as many as the cluster has room for, now and later.
        address: Of a Ray cluster ("auto", "host:port", "ray://host:port"); None for a local Ray.
        cpus: Cores per worker.
        gpus: GPUs per worker: a share of one, or whole ones.
        patience: Seconds without a beat after which a worker counts as hung.
        measure: Returns the speed of the worker that calls it; jobs are cut to fit.

    Raises:
        ValueError: A setting is out of range, no cluster answers, or a local Ray has no room for so
            many workers. (A cluster may grow: there they are waited for.)
    """

    def __init__(
        self,
        train: Train,
        task: Task,
        workers: int | None = None,
        address: str | None = None,
        cpus: int = 1,
        gpus: float = 0.0,
        patience: float = 300.0,
        measure: Measure = equally_fast,
    ) -> None:
        _check(workers, cpus, gpus, patience)
        self._wanted = workers
        self._cpus = cpus
        self._gpus = gpus
        self._patience = patience
        self._started_ray = connect(address, workers and workers * cpus)
        if address is None:
            try:
                refuse_too_many(workers or 1, cpus, gpus)
            except ValueError:
                if self._started_ray:
                    ray.shutdown()
                raise
        self._train = ray.put(train)
        self._task = ray.put(task)
        self._measure = measure
        self._board = Board()
        self._limits = limits.Limits()
        self._ready: deque[PackResult] = deque()
        self._nodes: dict[str, Node] = {}
        self._handles: list[_Handle] = []
        self._idle: list[_Handle] = []  # the fastest last
        self._awaited: dict[ray.ObjectRef, _Handle] = {}
        self._failed_starts = 0
        self._stopping = self._stop_sent = False
        self._next_refresh = self._last_check = time.monotonic()
        self._refresh_nodes()

    @property
    def workers(self) -> int:
        return sum(handle.info is not STARTING for handle in self._handles)

    @property
    def waiting(self) -> int:
        return 0 if self._stopping else self._board.waiting

    @property
    def under_way(self) -> int:
        return self._board.under_way + len(self._ready)

    def submit(self, job: PackJob) -> None:
        self._board.add(job)
        self._start()

    def next_done(self, timeout: float | None = None) -> PackResult | None:
        end = math.inf if timeout is None else time.monotonic() + timeout
        while True:
            self._send_stop()
            if self._ready:
                return self._ready.popleft()
            if not self.under_way and not self.waiting:
                raise NothingSubmitted
            now = time.monotonic()
            if now >= self._next_refresh:
                self._refresh_nodes()
            if now >= self._last_check + self._interval:
                self._check_beats()
            self._wait(max(0.0, min(_NAP, end - now)))
            self._start()
            if not self._ready and time.monotonic() >= end:
                return None

    def stop(self) -> None:
        # A signal's handler may call this at any moment, so the rest is done in `next_done`.
        self._stopping = True

    def close(self) -> None:
        # An interrupt while Ray shuts down ends the process. So can an answer that arrives, or a
        # reference that is freed, meanwhile or afterwards (all seen in 2.60). So signals are
        # ignored, the last answers are taken first, and no reference is left.
        with signals_ignored():
            for handle in self._handles:
                ray.kill(handle.actor)
            if self._awaited:
                ray.wait(list(self._awaited), num_returns=len(self._awaited), timeout=_NAP)
            self._handles, self._idle = [], []
            self._awaited.clear()
            self._board.clear()
            self._ready.clear()
            if self._started_ray:
                del self._train, self._task
                gc.collect()
                ray.shutdown()
                self._started_ray = False

    def _start(self) -> None:
        """Give slices to idle workers, the fastest first."""
        fastest = max(
            (handle.info.speed for handle in self._handles if handle.info is not STARTING),
            default=1.0,
        )
        while self._idle and self._board.queued and not self._stopping:
            handle = self._idle.pop()
            most = self._limits.most(self._memory(handle), self._memory(handle))
            piece = self._board.take(limits.parts(handle.info.speed, fastest), most)
            handle.slice = piece
            handle.silence_ref = None
            handle.silence = 0.0
            self._expect(handle, handle.actor.train.remote(self._board.job(piece)))

    def _wait(self, seconds: float) -> None:
        """Take an answer; wait for it where there is none."""
        if not self._awaited:
            time.sleep(seconds)
            return
        awaited = list(self._awaited)
        done, _ = ray.wait(awaited, num_returns=1, timeout=seconds)
        for reference in done:
            handle = self._awaited.pop(reference)
            if handle.info is STARTING:
                self._admit(handle, reference)
            else:
                self._collect(handle, reference)

    def _admit(self, handle: _Handle, reference: ray.ObjectRef) -> None:
        try:
            handle.info = ray.get(reference)
        except ray.exceptions.RayError as failure:  # another worker starts instead
            self._drop(handle)
            self._failed_starts += not isinstance(failure, NODE_LOST)
            if self._failed_starts >= _FAILED_STARTS and not self.workers:
                raise NoWorkerStarts(
                    f"no worker starts; {self._failed_starts} tried, the last failed: "
                    f"{brief(failure)}"
                ) from failure
            return
        self._failed_starts = 0
        self._make_idle(handle)

    def _collect(self, handle: _Handle, reference: ray.ObjectRef) -> None:
        piece, handle.slice = cast(Slice, handle.slice), None  # it had one
        try:
            result, taken = ray.get(reference)
        except Exception as failure:  # the worker died, or its trainer raised: see `_failed`
            done = self._failed(handle, piece, failure)
        else:
            self._limits.record_use(len(piece.indices), taken)
            done = self._board.record_result(piece, result)
            self._make_idle(handle)
        if done is not None:
            self._ready.append(done)

    def _failed(self, handle: _Handle, piece: Slice, failure: Exception) -> PackResult | None:
        if raised_by_trainer(failure):
            self._make_idle(handle)
        else:
            self._drop(handle)
        if limits.out_of_memory(failure) and len(piece.indices) > 1:
            self._limits.record_too_large(self._memory(handle), len(piece.indices))
            return self._board.record_too_large(piece)
        if lost_with_node(failure, handle.info.node):
            return self._board.record_loss(piece, brief(failure))
        return self._board.record_failure(piece, brief(failure))

    def _refresh_nodes(self) -> None:
        """Look up the cluster's nodes, drop workers whose node is gone, start some where there is
        room."""
        self._next_refresh = time.monotonic() + _REFRESH
        self._nodes = {node.id: node for node in nodes()}
        for handle in [handle for handle in self._idle if handle.info.node not in self._nodes]:
            self._drop(handle)
        if self._stopping:
            return
        for _ in range(self._workers_wanted() - len(self._handles)):
            self._start_worker()

    def _workers_wanted(self) -> int:
        """How many workers there should be now, up or starting."""
        if self._wanted is not None:
            return self._wanted
        # Never more than there is room for: on a cluster that grows with demand, every waiting
        # worker would add a node. But one in any case, for a cluster that has no node yet.
        starting = len(self._handles) - self.workers
        free = max(0, free_room(self._cpus, self._gpus) - starting)
        room = room_on(self._nodes.values(), self._cpus, self._gpus)
        return max(1, min(room, len(self._handles) + free))

    def _start_worker(self) -> None:
        options = {
            "num_cpus": self._cpus,
            "num_gpus": self._gpus,
            "scheduling_strategy": "SPREAD",
        }
        actor_class: Any = _Worker  # Ray's decorator makes it one
        actor = actor_class.options(**options).remote(
            self._train, self._task, self._cpus, self._measure
        )
        handle = _Handle(actor, None)
        self._handles.append(handle)
        self._expect(handle, actor.start.remote())

    @property
    def _interval(self) -> float:
        """Seconds between two checks of the workers' beats."""
        return min(5.0, self._patience / 4)

    def _check_beats(self) -> None:
        """Read the workers' answers about their last beat, ask again, and give up silent ones.

        A worker that does not answer is as silent as one without a beat. Time without checks, while
        the study was busy or this process slept, counts as one interval at most.
        """
        now = time.monotonic()
        unchecked = min(now - self._last_check, self._interval)
        self._last_check = now
        asked = [handle.silence_ref for handle in self._handles if handle.silence_ref is not None]
        answered = set(ray.wait(asked, num_returns=len(asked), timeout=0)[0]) if asked else set()
        for handle in [handle for handle in self._handles if handle.info is not STARTING]:
            if handle.silence_ref in answered:
                self._read_silence(handle)
            elif handle.slice is not None:
                handle.silence += unchecked
            if handle.slice is not None and handle.silence > self._patience:
                self._give_up(handle)
            elif handle.silence_ref is None:
                handle.silence_ref = handle.actor.silence.remote()

    def _read_silence(self, handle: _Handle) -> None:
        silence_ref = cast(ray.ObjectRef, handle.silence_ref)  # it was asked
        handle.silence_ref = None
        try:
            handle.silence = ray.get(silence_ref)
        except Exception:  # it died; if it had a slice, the answer to that says so
            if handle.slice is None:
                self._drop(handle)

    def _give_up(self, handle: _Handle) -> None:
        """Drop a worker that hangs."""
        del self._awaited[cast(ray.ObjectRef, handle.awaited)]
        self._drop(handle)
        piece, handle.slice = cast(Slice, handle.slice), None  # it had one
        done = self._board.record_failure(piece, f"it hung, with no beat for {self._patience:g} s")
        if done is not None:
            self._ready.append(done)

    def _send_stop(self) -> None:
        if not self._stopping or self._stop_sent:
            return
        self._stop_sent = True
        self._ready.extend(self._board.stop())
        for handle in self._handles:
            if handle.slice is not None:
                handle.actor.stop.remote()

    def _expect(self, handle: _Handle, reference: ray.ObjectRef) -> None:
        handle.awaited = reference
        self._awaited[reference] = handle

    def _make_idle(self, handle: _Handle) -> None:
        self._idle.append(handle)
        self._idle.sort(key=lambda handle: handle.info.speed)

    def _drop(self, handle: _Handle) -> None:
        """Forget a worker that is gone or of no use; the next refresh starts another one."""
        ray.kill(handle.actor)
        self._handles.remove(handle)
        if handle in self._idle:
            self._idle.remove(handle)
        self._next_refresh = 0.0

    def _memory(self, handle: _Handle) -> float:
        """A worker's share of its node's memory, in bytes; also its kind for `Limits`."""
        node = self._nodes.get(handle.info.node)
        return math.inf if node is None else node.memory * self._cpus / max(node.cpus, 1)


def _check(workers: int | None, cpus: int, gpus: float, patience: float) -> None:
    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; give 1 or more, or leave it out for one per core")
    if cpus < 1:
        raise ValueError(f"cpus is {cpus}; give 1 or more cores per worker")
    if not 0 <= gpus < math.inf or (gpus > 1 and gpus != int(gpus)):
        raise ValueError(f"gpus is {gpus}; give a share of a GPU such as 0.25, or whole ones")
    if not patience > 0:
        raise ValueError(f"patience is {patience}; give a number of seconds above 0")
