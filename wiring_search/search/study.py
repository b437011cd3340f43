"""The search loop: fill the pool with packs, collect what comes back, tell the sampler.

    ask for pack k ─► store ─► pool ─► store ─► tell pack k ─► promote, or ask for pack k + ahead …

`ahead` packs are under way at once. A pack holds new candidates, or candidates that were promoted
to a higher rung (`promotion`). In a synchronous study, the sampler learns of packs in the order of
their numbers, however they come back: the sampler, and so the table, does not depend on the number
of workers. In an asynchronous study it learns of them as they come back, so a slow pack delays no
other.

A resumed study takes the same steps again. A proposal, a promotion or a result that the store
already has is taken from there, after as many calls of `tell` as the first time. A pack that was
stopped continues from its checkpoint.
"""

import time
from dataclasses import replace

from wiring_search.analysis.reference_point import ENOUGH, reference
from wiring_search.search.events import (
    Exhausted,
    PackDone,
    PackStarted,
    PoolSeen,
    ReferenceChosen,
    Stopped,
    Watcher,
)
from wiring_search.search.pack_jobs import job_of
from wiring_search.search.planner import Pack, Planner
from wiring_search.store import Store
from wiring_search.store.config import StudyConfig
from wiring_search.workers.jobs import Outcome, PackResult, Status
from wiring_search.workers.pool import NothingSubmitted, Pool
from wiring_search.workers.signals import Until

# How long a stopped search waits for its packs; schedulers give thirty seconds.
_SECONDS_TO_STOP = 20.0
_SECONDS_BETWEEN_LOOKS = 0.5


def search(
    config: StudyConfig,
    store: Store,
    pool: Pool,
    watch: Watcher = lambda event: None,
    until: Until = lambda: None,
) -> bool:
    """Run the study to its end, from wherever the store says it stands.

    Args:
        config: The study's settings.
        store: The study's results so far. New ones are written to it.
        pool: Trains packs.
        watch: Called with every event (`search.events`).
        until: Called now and then. When it returns a reason, the search stops: within about
            twenty seconds the packs under way are stopped and their states saved.

    Returns:
        Whether the study got to its end.

    Raises:
        Exception: Whatever the pool raises when it cannot go on. The store keeps all results.
    """
    study = _Study(config, store, pool, watch, until)
    while study.fill():
        study.collect()
        study.tell()
    return study.finish()


class _Study:
    """A search that runs.

    Attributes:
        reason: Why it stops before its end; None while it goes on.
    """

    def __init__(
        self, config: StudyConfig, store: Store, pool: Pool, watch: Watcher, until: Until
    ) -> None:
        self._config = config
        self._store = store
        self._pool = pool
        self._watch = watch
        self._until = until
        self._planner = Planner(config, store)
        self._stored = {pack.number: pack for pack in store.packs()}
        self._under_way: dict[int, Pack] = {}
        # Outcomes of packs that are back and that the sampler does not know yet, by pack and trial.
        self._outcomes: dict[int, dict[int, Outcome]] = {}
        self._reference_chosen = False
        self.reason: str | None = None

    def fill(self) -> bool:
        """Ask for packs until `ahead` are under way. Returns whether the search goes on."""
        while len(self._under_way) < self._config.ahead and self.reason is None:
            number = self._planner.packs
            if number in self._stored:
                pack = self._planner.restored_pack(self._stored[number])
            else:
                pack = self._planner.next_pack(len(self._under_way))
            if pack is None:
                break
            self._under_way[number] = pack
            self._start(pack)
            self.reason = self._until()
        return bool(self._under_way) and self.reason is None

    def _start(self, pack: Pack) -> None:
        """Submit a pack, or take its outcomes from the store."""
        stored = self._stored.get(pack.number)
        finished = stored is not None and stored.finish_order is not None
        if finished or not pack.members:
            outcomes = self._store.outcomes(pack.number) if finished else {}
            self._outcomes[pack.number] = outcomes
            if outcomes:
                self._watch(PackDone(pack.number, outcomes, restored=True, rung=pack.rung))
        else:
            self._pool.submit(job_of(self._config, self._store, pack))
            self._watch(PackStarted(pack.number, pack.rung, pack.members))

    def collect(self) -> None:
        """Wait a moment for one more result, if the next pack to tell is not back yet."""
        if self._next_to_tell() is not None:
            return
        try:
            result = self._pool.next_done(_SECONDS_BETWEEN_LOOKS)
        except NothingSubmitted:
            # A signal may have stopped the pool before it began anything.
            self.reason = self._until()
            if self.reason is None:
                raise
            return
        if result is not None:
            self._record(result)
        self._watch(PoolSeen(self._pool.workers, self._pool.waiting))
        self.reason = self._until()

    def tell(self) -> None:
        """Tell the sampler the next pack, if it is back and the search goes on."""
        number = self._next_to_tell()
        if number is None or self.reason is not None:
            return
        self._planner.tell(self._under_way.pop(number), self._outcomes.pop(number))
        if not self._reference_chosen and self._planner.finished >= ENOUGH:
            point = reference(self._store, self._config.objectives).point
            self._watch(ReferenceChosen(tuple(point.tolist())))
            self._reference_chosen = True

    def finish(self) -> bool:
        """Stop what is under way, or note that the space is exhausted. Returns whether the study
        got to its end."""
        if self.reason is not None:
            self._watch(Stopped(self.reason))
            self._stop()
        elif self._planner.trained < self._config.limit:
            self._watch(Exhausted(self._planner.trained))
        return self.reason is None

    def _next_to_tell(self) -> int | None:
        """The pack to tell next; None if it is not back yet."""
        if not self._config.asynchronous:
            first = min(self._under_way)
            return first if first in self._outcomes else None
        return min(self._outcomes, key=self._turn, default=None)

    def _turn(self, number: int) -> int:
        """When an asynchronous study tells a pack: in the order in which packs came back, those of
        an earlier run first. A pack with nothing to train waits for no other."""
        if not self._under_way[number].members:
            return -1
        stored = self._stored.get(number)
        return 0 if stored is None else stored.finish_order or 0

    def _record(self, result: PackResult) -> None:
        """Write what came back to the store: outcomes, or the checkpoint of a stopped pack."""
        pack = self._under_way[result.number]
        outcomes = dict(zip(pack.members, result.outcomes, strict=True))
        if result.stopped_at is not None:
            states = {t: o.state for t, o in outcomes.items() if o.state is not None}
            self._store.record_checkpoint(pack.number, states)
            return
        if pack.rung < len(self._config.rungs) - 1:
            outcomes = {
                trial: replace(outcome, status=Status.PRUNED)
                if outcome.status is Status.OK
                else outcome
                for trial, outcome in outcomes.items()
            }
        self._store.record_outcomes(pack.number, outcomes, result.worker)
        self._watch(PackDone(pack.number, outcomes, rung=pack.rung))
        self._outcomes[pack.number] = outcomes

    def _stop(self) -> None:
        """Stop the packs under way and save their states. One that takes too long begins its rung
        again when the study resumes."""
        waiting = [p for n, p in self._under_way.items() if p.members and n not in self._outcomes]
        left = len(waiting)
        self._pool.stop()
        end = time.monotonic() + _SECONDS_TO_STOP
        while left and time.monotonic() < end:
            patience = min(_SECONDS_BETWEEN_LOOKS, max(end - time.monotonic(), 0.0))
            try:
                result = self._pool.next_done(patience)
            except NothingSubmitted:
                return
            if result is not None:
                self._record(result)
                left -= 1
