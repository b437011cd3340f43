"""The Ray pool: long-lived actors on a cluster whose nodes may come and go; the data is sent to
every node once.

    board ─slice─► idle worker that is up ─result─► board ─job─► study

A worker is lost when its process dies, or when the loop that trains gives no beat for `patience`
seconds: then it is killed. What it trained goes back to the board, which halves it and tries again
(`wiring_search.workers.slices`); the driver is never taken down by a worker. A slice is as large as its worker is
fast and its memory allows (`wiring_search.workers.limits`).
"""

import gc
import math
import re
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, cast

import ray
from ray.exceptions import (
    ActorUnavailableError,
    NodeDiedError,
    ObjectFetchTimedOutError,
    ObjectLostError,
    RayActorError,
    RayTaskError,
)

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
from wiring_search.workers.ray_cluster import Node, connect, free_room, nodes, room
from wiring_search.workers.ray_worker import STARTING, Hello, _Worker
from wiring_search.workers.signals import deaf
from wiring_search.workers.slices import Board, Slice

# Seconds between two looks at which nodes there are.
_LOOK = 2.0
# Seconds of waiting in one piece, so that an interrupt from the keyboard is heard.
_NAP = 0.2
# Workers in a row that failed to start, after which it is not the cluster's fault.
_FAILED_STARTS = 3

_NOT_ITS_FAULT = (ActorUnavailableError, NodeDiedError, ObjectLostError, ObjectFetchTimedOutError)


@dataclass(eq=False, slots=True)
class _Hand:
    """A worker, as the driver sees it. waits_for: its hello, then the result of its slice. silence:
    seconds without a beat."""

    actor: ray.actor.ActorHandle
    waits_for: ray.ObjectRef | None
    hello: Hello = STARTING
    slice: Slice | None = None
    pulse: ray.ObjectRef | None = None
    silence: float = 0.0


class RayPool:
    """See `wiring_search.workers.pool.Pool`.

    workers: actors at most; by default as many as the cluster has room for, now and later. address:
    a Ray cluster's ("auto", "host:port", "ray://host:port"), or None for a local Ray. cpus: cores a
    worker; gpus: its share of a GPU. patience: seconds without a beat after which a worker counts
    as hung. measure: how fast a worker is, by its own clock; jobs are cut to fit.

    Raises ValueError for settings out of range, where the address cannot be reached, and where a
    local Ray has no room for so many workers; on a cluster they are waited for, since it may grow.
    `next_done` raises NoWorkerStarts where workers fail while they start.
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
        self._wanted, self._cpus, self._gpus, self._patience = workers, cpus, gpus, patience
        self._started_ray = connect(address, workers and workers * cpus)
        if address is None:
            self._refuse_too_many()
        self._train, self._task, self._measure = ray.put(train), ray.put(task), measure
        self._board, self._limits = Board(), limits.Limits()
        self._ready: deque[PackResult] = deque()
        self._nodes: dict[str, Node] = {}
        self._hands: list[_Hand] = []
        self._idle: list[_Hand] = []  # the fastest last
        self._waited_for: dict[ray.ObjectRef, _Hand] = {}
        self._failed_starts = 0
        self._stopping = self._told_to_stop = False
        self._next_look = self._last_listened = time.monotonic()
        self._look()

    @property
    def workers(self) -> int:
        return sum(hand.hello is not STARTING for hand in self._hands)

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
            self._heed_stop()
            if self._ready:
                return self._ready.popleft()
            if not self.under_way and not self.waiting:
                raise NothingSubmitted
            now = time.monotonic()
            if now >= self._next_look:
                self._look()
            if now >= self._last_listened + self._interval:
                self._listen()
            self._wait(max(0.0, min(_NAP, end - now)))
            self._start()
            if not self._ready and time.monotonic() >= end:
                return None

    def stop(self) -> None:
        # May be called in the middle of anything, by a signal's handler: the rest is done when a
        # result is asked for.
        self._stopping = True

    def close(self) -> None:
        # Ray that is interrupted while it shuts down ends the process, and so can an answer that
        # comes, or a reference that is freed, meanwhile or afterwards (all seen in 2.60): nothing
        # is heard, the last answers come before, and nothing is left.
        with deaf():
            for hand in self._hands:
                ray.kill(hand.actor)
            if self._waited_for:
                ray.wait(list(self._waited_for), num_returns=len(self._waited_for), timeout=_NAP)
            self._hands, self._idle = [], []
            self._waited_for.clear()
            self._board.clear()
            self._ready.clear()
            if self._started_ray:
                del self._train, self._task
                gc.collect()
                ray.shutdown()
                self._started_ray = False

    def _start(self) -> None:
        """Give every idle worker a slice, the fastest first, while there are any."""
        fastest = max(
            (hand.hello.speed for hand in self._hands if hand.hello is not STARTING), default=1.0
        )
        while self._idle and self._board.queued and not self._stopping:
            hand = self._idle.pop()
            most = self._limits.most(self._memory(hand), self._memory(hand))
            piece = self._board.take(limits.parts(hand.hello.speed, fastest), most)
            hand.slice, hand.pulse, hand.silence = piece, None, 0.0
            self._expect(hand, hand.actor.train.remote(self._board.job(piece)))

    def _wait(self, seconds: float) -> None:
        """Take what has come; where nothing has, wait for it."""
        if not self._waited_for:
            time.sleep(seconds)
            return
        waited_for = list(self._waited_for)
        done, _ = ray.wait(waited_for, num_returns=1, timeout=seconds)
        for reference in done:
            hand = self._waited_for.pop(reference)
            if hand.hello is STARTING:
                self._greet(hand, reference)
            else:
                self._collect(hand, reference)

    def _greet(self, hand: _Hand, reference: ray.ObjectRef) -> None:
        try:
            hand.hello = ray.get(reference)
        except (
            Exception
        ) as failure:  # of any kind: another worker is started, and three in a row are told
            self._drop(hand)
            self._failed_starts += not isinstance(failure, _NOT_ITS_FAULT)
            if self._failed_starts >= _FAILED_STARTS and not self.workers:
                raise NoWorkerStarts(
                    f"no worker starts; {self._failed_starts} tried, the last one failed: {_brief(failure)}"
                ) from failure
            return
        self._failed_starts = 0
        self._rest(hand)

    def _collect(self, hand: _Hand, reference: ray.ObjectRef) -> None:
        piece, hand.slice = cast(Slice, hand.slice), None  # it had one
        try:
            result, taken = ray.get(reference)
        except (
            Exception
        ) as failure:  # a dead worker, or whatever its trainer raised: `_failed` tells them apart
            done = self._failed(hand, piece, failure)
        else:
            self._limits.measured(len(piece.places), taken)
            done = self._board.finished(piece, result)
            self._rest(hand)
        if done is not None:
            self._ready.append(done)

    def _failed(self, hand: _Hand, piece: Slice, failure: Exception) -> PackResult | None:
        if isinstance(failure, RayTaskError):  # the trainer raised it, and its worker lives
            self._rest(hand)
        else:
            self._drop(hand)
        if limits.out_of_memory(failure) and len(piece.places) > 1:
            self._limits.did_not_fit(self._memory(hand), len(piece.places))
            return self._board.too_large(piece)
        if self._is_lost(hand, failure):
            return self._board.lost(piece, _brief(failure))
        return self._board.failed(piece, _brief(failure))

    def _is_lost(self, hand: _Hand, failure: Exception) -> bool:
        """Whether the worker went with its node, or for another reason that is no fault of what it
        trained."""
        if (
            isinstance(failure, _NOT_ITS_FAULT)
            or "node has died" in str(failure)
            or getattr(failure, "preempted", False)
        ):
            return True
        return isinstance(failure, RayActorError) and hand.hello.node not in {
            node.id for node in nodes()
        }

    def _look(self) -> None:
        """See which nodes there are, drop workers whose node is gone, and start workers where there
        is room."""
        self._next_look = time.monotonic() + _LOOK
        self._nodes = {node.id: node for node in nodes()}
        for hand in [hand for hand in self._idle if hand.hello.node not in self._nodes]:
            self._drop(hand)
        if self._stopping:
            return
        starting = len(self._hands) - self.workers
        wanted = sum(
            room(node.cpus, node.gpus, self._cpus, self._gpus) for node in self._nodes.values()
        )
        if self._wanted is None:
            # Never more than there is room for: on a cluster that grows with demand, every one that
            # waits would add a node. But one in any case, for a cluster that has no node yet.
            wanted = max(
                1,
                min(
                    wanted, len(self._hands) + max(0, free_room(self._cpus, self._gpus) - starting)
                ),
            )
        else:
            wanted = self._wanted
        for _ in range(wanted - len(self._hands)):
            options = {
                "num_cpus": self._cpus,
                "num_gpus": self._gpus,
                "scheduling_strategy": "SPREAD",
            }
            actor_class: Any = _Worker  # Ray's decorator makes it one
            actor = actor_class.options(**options).remote(
                self._train, self._task, self._cpus, self._measure
            )
            hand = _Hand(actor, None)
            self._hands.append(hand)
            self._expect(hand, actor.hello.remote())

    @property
    def _interval(self) -> float:
        """Seconds between two askings for beats."""
        return min(5.0, self._patience / 4)

    def _listen(self) -> None:
        """Ask every worker that trains for its beats, take the answers to the last asking, and give
        up those that are silent.

        One that does not answer is as silent as one that answers that it had no beat. Time in which
        nobody listened, since the study was busy or this process asleep, counts as one interval at
        most."""
        now = time.monotonic()
        unheard = min(now - self._last_listened, self._interval)
        self._last_listened = now
        asked = [hand.pulse for hand in self._hands if hand.pulse is not None]
        answered = set(ray.wait(asked, num_returns=len(asked), timeout=0)[0]) if asked else set()
        for hand in [hand for hand in self._hands if hand.hello is not STARTING]:
            if hand.pulse in answered:
                self._hear(hand)
            elif hand.slice is not None:
                hand.silence += unheard
            if hand.slice is not None and hand.silence > self._patience:
                self._give_up(hand)
            elif hand.pulse is None:
                hand.pulse = hand.actor.silence.remote()

    def _hear(self, hand: _Hand) -> None:
        pulse, hand.pulse = cast(ray.ObjectRef, hand.pulse), None  # it was asked
        try:
            hand.silence = ray.get(pulse)
        except Exception:  # it died: where it had a slice, that is told by the slice's result
            if hand.slice is None:
                self._drop(hand)

    def _give_up(self, hand: _Hand) -> None:
        """The worker hangs."""
        del self._waited_for[cast(ray.ObjectRef, hand.waits_for)]
        self._drop(hand)
        piece, hand.slice = cast(Slice, hand.slice), None  # it had one
        done = self._board.failed(piece, f"it hung, with no beat for {self._patience:g} s")
        if done is not None:
            self._ready.append(done)

    def _heed_stop(self) -> None:
        if not self._stopping or self._told_to_stop:
            return
        self._told_to_stop = True
        self._ready.extend(self._board.stop())
        for hand in self._hands:
            if hand.slice is not None:
                hand.actor.stop.remote()

    def _expect(self, hand: _Hand, reference: ray.ObjectRef) -> None:
        hand.waits_for = reference
        self._waited_for[reference] = hand

    def _rest(self, hand: _Hand) -> None:
        self._idle.append(hand)
        self._idle.sort(key=lambda hand: hand.hello.speed)

    def _drop(self, hand: _Hand) -> None:
        """It is gone, or of no use; another one is started in its place at once."""
        ray.kill(hand.actor)
        self._hands.remove(hand)
        if hand in self._idle:
            self._idle.remove(hand)
        self._next_look = 0.0

    def _memory(self, hand: _Hand) -> float:
        """Bytes of its node that are a worker's share; also what kind of worker it is."""
        node = self._nodes.get(hand.hello.node)
        return math.inf if node is None else node.memory * self._cpus / max(node.cpus, 1)

    def _refuse_too_many(self) -> None:
        has = nodes()
        most = sum(room(node.cpus, node.gpus, self._cpus, self._gpus) for node in has)
        if (self._wanted or 1) <= most:
            return
        if self._started_ray:
            ray.shutdown()
        need = "a core" if self._cpus == 1 else f"{self._cpus} cores"
        need += f" and {self._gpus:g} of a GPU" if self._gpus else ""
        there = f"{sum(node.cpus for node in has):g}" + (
            f", and {sum(node.gpus for node in has):g} GPUs" if self._gpus else ""
        )
        mend = f"give --workers {most}" if most else "give each less"
        raise ValueError(
            f"{self._wanted or 1} workers need {need} each, and this Ray cluster has {there}; {mend}"
        )


def _check(workers: int | None, cpus: int, gpus: float, patience: float) -> None:
    if workers is not None and workers < 1:
        raise ValueError(
            f"workers is {workers}; give 1 or more, or none for as many as there are cores"
        )
    if cpus < 1:
        raise ValueError(f"cpus is {cpus}; give 1 or more cores a worker")
    if not 0 <= gpus < math.inf or (gpus > 1 and gpus != int(gpus)):
        raise ValueError(f"gpus is {gpus}; give a share of a GPU such as 0.25, or whole ones")
    if not patience > 0:
        raise ValueError(
            f"patience is {patience}; give a positive number of seconds without a beat"
        )


def _brief(failure: BaseException) -> str:
    """Ray's messages are tracebacks in colour; what went wrong stands in the last line."""
    lines = re.sub(r"\x1b\[[0-9;]*m", "", str(failure)).strip().splitlines()
    last = lines[-1].strip() if lines else ""
    return last if isinstance(failure, RayTaskError) else f"{type(failure).__name__}: {last}"
