"""The Ray pool: long-lived actors, one core each, that train packs; the data is sent once.

An actor that dies (killed, out of memory, its node gone) is replaced, and its job given to the new one, twice at
most; a job that takes a third actor with it is reported as crashed, all its candidates together. The driver is never
taken down by a worker.
"""

import logging
import math
import os
import re
import socket
from collections import deque

import ray
from ray.exceptions import RayActorError, RayError

from wiring_search.records import Outcome, PackJob, PackResult, Status
from wiring_search.tasks.task import Task
from workers.pool import Train

_TRIES = 3


class RayPool:
    """See `workers.pool.Pool`. workers: actors, one a core by default. address: a Ray cluster's, or None for a local
    Ray.

    A local Ray is told to have as many cores as workers are asked for. Raises ValueError where the address cannot be reached, and
    where a cluster has fewer cores than workers.
    """

    def __init__(self, train: Train, task: Task, workers: int | None = None, address: str | None = None) -> None:
        self._started_ray = _connect(address, workers)
        cores = int(ray.cluster_resources().get("CPU", 0))
        self.workers = workers or max(cores, 1)
        if self.workers > cores:  # an actor without a core would wait for ever, and its job with it
            if self._started_ray:
                ray.shutdown()
            raise ValueError(f"{self.workers} workers need a core each, and this Ray cluster has {cores}; give --workers {cores}")
        self._train, self._task = ray.put(train), ray.put(task)
        self._jobs: deque[tuple[PackJob, int]] = deque()
        self._running: dict[ray.ObjectRef, tuple[ray.actor.ActorHandle, PackJob, int]] = {}
        self._idle = [self._actor() for _ in range(self.workers)]

    def submit(self, job: PackJob) -> None:
        self._jobs.append((job, 1))
        self._start()

    def next_done(self) -> PackResult:
        while True:
            if not self._running:
                raise RuntimeError("no job was submitted; submit one before asking for a result")
            # Woken now and then, so that an interrupt from the keyboard is heard.
            done, _ = ray.wait(list(self._running), num_returns=1, timeout=0.2)
            for reference in done:
                result = self._collect(reference)
                self._start()
                if result is not None:
                    return result

    def close(self) -> None:
        for actor in [*self._idle, *(actor for actor, _, _ in self._running.values())]:
            ray.kill(actor)
        self._idle, self._running = [], {}
        self._jobs.clear()
        if self._started_ray:
            ray.shutdown()
            self._started_ray = False

    def _start(self) -> None:
        while self._idle and self._jobs:
            actor, (job, attempt) = self._idle.pop(), self._jobs.popleft()
            self._running[actor.train.remote(job)] = (actor, job, attempt)

    def _collect(self, reference: ray.ObjectRef) -> PackResult | None:
        """The result, or None where the job is to be tried again."""
        actor, job, attempt = self._running.pop(reference)
        try:
            result = ray.get(reference)
        except RayError as failure:
            if isinstance(failure, RayActorError):
                actor = self._actor()
            self._idle.append(actor)
            if attempt < _TRIES:
                self._jobs.appendleft((job, attempt + 1))
                return None
            return _crashed(job, failure)
        self._idle.append(actor)
        return result

    def _actor(self) -> ray.actor.ActorHandle:
        return _Worker.remote(self._train, self._task)


@ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)
class _Worker:
    """Trains one pack at a time. Keeps to its core: parallelism is between actors."""

    def __init__(self, train: Train, task: Task) -> None:
        import numba
        import torch

        numba.set_num_threads(1)
        torch.set_num_threads(1)
        self._train, self._task = train, task

    def train(self, job: PackJob) -> PackResult:
        return self._train(self._task, job)


def _connect(address: str | None, workers: int | None) -> bool:
    """Connect to Ray, or start a local one; whether it was started here."""
    if ray.is_initialized():
        return False
    # Ray announces a change of defaults for GPUs on every start; workers here claim none.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    # "local" said in so many words: without it Ray joins any cluster that it finds traces of on this machine, even of a dead one.
    where = {"address": address} if address else {"address": "local", "num_cpus": workers, "include_dashboard": False}
    hint = ""
    try:
        _knock(address)
        hint = "" if "RAY_AUTH_MODE" in os.environ else "; a cluster that asks for a token needs RAY_AUTH_MODE=token"
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except (OSError, ValueError) as cause:
        raise ValueError(f"no Ray cluster answers at {address!r}: {cause}{hint}; leave --address out for a local Ray") from cause
    return True


def _knock(address: str | None) -> None:
    """Raise OSError within seconds where nobody listens at host:port: Ray itself would try for minutes."""
    host, colon, port = (address or "").removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()


def _crashed(job: PackJob, failure: RayError) -> PackResult:
    """Every candidate of the job crashed. Ray's messages are tracebacks in colour; what went wrong stands in the last line."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(failure)).strip().splitlines()
    message = f"its worker failed {_TRIES} times, the last time with {type(failure).__name__}: {lines[-1].strip()}"
    outcome = Outcome(Status.CRASHED, math.nan, math.nan, 0, 0, math.nan, math.nan, message=message)
    return PackResult(job.number, (outcome,) * len(job.candidates), "lost")
