"""A study: candidates are asked for, packed, trained by a pool rung by rung, written to the store,
and told to the sampler.

    ask pack k ─► store ─► pool ─► store ─► tell pack k ─► promote or ask pack k + ahead …

`ahead` packs are under way at once. A pack holds candidates that are new, or those that are
promoted to a higher rung (`halving`). In a synchronous study packs are told in the order of their
numbers, however they come back: the sampler, and so the table, does not notice how many workers
there are. In an asynchronous one they are told as they come back, and nobody waits for a slow pack.

Resuming is the same walk again, where an ask, a promotion or a result that the store knows is taken
from there, each when it was first made: after as many packs had been told. A pack that had been
stopped goes on from its checkpoint.

An infeasible point is told at once and never trained; a candidate equal to an earlier one is not
trained again, it gets its scores.
"""

import math
import time
from dataclasses import dataclass, replace
from typing import Any

from wiring_search.analysis.reference_point import ENOUGH, reference
from wiring_search.scores.catalogue import minimised
from wiring_search.search.events import (
    Exhausted,
    PackDone,
    PackStarted,
    PoolSeen,
    ReferenceChosen,
    Stopped,
    Watcher,
)
from wiring_search.search.promotion import Ladder
from wiring_search.search.samplers import sampler_of
from wiring_search.search.samplers.contract import Proposal
from wiring_search.search_spaces import Infeasible, Space
from wiring_search.store import Store, StoredPack, Trial
from wiring_search.store.config import StudyConfig
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Outcome, PackJob, PackResult, Status
from wiring_search.workers.pool import NothingSubmitted, Pool
from wiring_search.workers.signals import Until

# Points in a row that are infeasible or seen before, after which a space counts as used up.
_GIVE_UP_AFTER = 300
# So long a pack may take to come back when the search is asked to stop; schedulers give thirty
# seconds.
_SECONDS_TO_STOP = 20.0
_SECONDS_BETWEEN_LOOKS = 0.5


def search(
    config: StudyConfig,
    store: Store,
    pool: Pool,
    watch: Watcher = lambda event: None,
    until: Until = lambda: None,
) -> bool:
    """Run the study to its end, from wherever the store says it stands. Returns whether it got
    there.

    until: asked now and then; where it gives a reason, packs under way are stopped and their states
    written down, within about twenty seconds. Raises whatever the pool raises when it cannot go on;
    what was finished until then is in the store.
    """
    walk = _Walk(config, store)
    stored = {pack.number: pack for pack in store.packs()}
    under_way: dict[int, _Pack] = {}
    known: dict[int, dict[int, Outcome]] = {}
    reason = None
    referred = False
    while True:
        while len(under_way) < config.ahead and reason is None:
            number = walk.asked
            pack = (
                walk.again(stored[number]) if number in stored else walk.next_pack(len(under_way))
            )
            if pack is None:
                break
            under_way[number] = pack
            found = (
                store.outcomes(number)
                if number in stored and stored[number].finish_order is not None
                else None
            )
            if found is None and pack.members:
                pool.submit(_job(config, store, pack))
                watch(PackStarted(number, pack.rung, pack.members))
            else:
                known[number] = found or {}
                if found:
                    watch(PackDone(number, found, restored=True, rung=pack.rung))
            reason = until()
        if not under_way or reason is not None:
            break
        ready = _next_to_tell(config, under_way, known, stored)
        if ready is None:
            try:
                result = pool.next_done(_SECONDS_BETWEEN_LOOKS)
            except NothingSubmitted:
                reason = until()
                if reason is None:
                    raise
                # a signal told the pool to stop before it had begun anything: it has nothing to
                # give back
                continue
            if result is not None:
                known |= _write(config, store, under_way, result, watch)
            watch(PoolSeen(pool.workers, pool.waiting))
            reason = until()
        else:
            walk.tell(under_way.pop(ready), known.pop(ready))
            if not referred and walk.finished >= ENOUGH:
                watch(ReferenceChosen(tuple(reference(store, config.objectives).point.tolist())))
                referred = True
    if reason is not None:
        watch(Stopped(reason))
        _stop(
            config, store, pool, {n: pack for n, pack in under_way.items() if n not in known}, watch
        )
    elif walk.trained < config.limit:
        watch(Exhausted(walk.trained))
    return reason is None


@dataclass(frozen=True)
class _Pack:
    """members: trials that train in it, in order; trials: those that were asked for with it, the
    ones that never train too."""

    number: int
    rung: int
    members: tuple[int, ...]
    trials: tuple[Trial, ...] = ()


def _next_to_tell(
    config: StudyConfig,
    under_way: dict[int, _Pack],
    known: dict[int, dict[int, Outcome]],
    stored: dict[int, StoredPack],
) -> int | None:
    """The pack whose outcomes the walk goes on with; None: it is not back yet."""
    if not config.asynchronous:
        first = min(under_way)
        return first if first in known else None
    # As they came back, in an earlier run first; a pack with nothing to train has no place and
    # waits for nobody.
    places = {number: stored[number].finish_order if number in stored else None for number in known}
    return min(
        known,
        key=lambda number: -1 if not under_way[number].members else places[number] or 0,
        default=None,
    )


class _Walk:
    """Makes packs, or takes them from the store; tells the sampler and the ladder, and remembers
    which candidates there were."""

    def __init__(self, config: StudyConfig, store: Store) -> None:
        self._config, self._store = config, store
        self._space = Space.from_json(config.space)
        self._sampler = sampler_of(config, self._space)
        self._ladder = Ladder(
            config.rungs, config.share, config.pack_size, config.promotion.together
        )
        self._last = len(config.rungs) - 1
        self._next = 0
        self._seen: dict[str | None, int] = {}
        self._told: dict[
            int, tuple[tuple[float, ...] | None, int]
        ] = {}  # values, and the rung where they were found
        self.asked = self.told = 0
        self.trained = 0
        self.finished = 0  # told of, with the full budget and all objectives
        self.ended = False

    def next_pack(self, under_way: int) -> _Pack | None:
        """The next pack, written to the store; None where there is nothing to do until another one
        is told.

        The highest rung with a full pack waiting comes first; then new candidates; at the end packs
        that are not full.
        """
        promoted = self._ladder.next_pack(self.ended, under_way)
        if promoted is not None:
            pack = _Pack(self.asked, *promoted)
            self._store.record_pack(pack.number, pack.rung, pack.members, (), {"told": self.told})
            return self._taken(pack)
        if self.ended:
            return None
        wanted = int(min(self._config.pack_size, self._config.limit - self.trained))
        trials = tuple(self._ask(wanted))
        pack = _Pack(self.asked, 0, tuple(trial.trial for trial in trials if trial.trains), trials)
        self.ended = len(pack.members) < wanted
        state = {"told": self.told, "exhausted": self.ended, "sampler": self._sampler.state()}
        self._store.record_pack(pack.number, 0, pack.members, trials, state)
        return self._taken(pack)

    def again(self, stored: StoredPack) -> _Pack | None:
        """The same from the store; None where it was made only after more packs had been told."""
        state = self._store.sampler_state(stored.number)
        if state["told"] > self.told:
            return None
        if stored.rung:
            return self._taken(_Pack(stored.number, stored.rung, stored.members))
        trials = tuple(
            self._store.trials(stored.number, candidates=self._sampler.remembers_candidates)
        )
        for trial in trials:
            self._sampler.put_back(
                trial.trial, Proposal(trial.params, trial.sampler_attrs, trial.candidate)
            )
            self._note(trial)
        self._sampler.set_state(state["sampler"])
        self.ended = state["exhausted"]
        return self._taken(_Pack(stored.number, 0, stored.members, trials))

    def _taken(self, pack: _Pack) -> _Pack:
        self.asked += 1
        if pack.rung:
            self._ladder.promoted(pack.rung, pack.members)
            if self._sampler.remembers_candidates:
                for number, candidate in zip(
                    pack.members, self._store.candidates(pack.members), strict=True
                ):
                    self._sampler.note(number, candidate)
        else:
            self.trained += len(pack.members)
            self.ended = self.ended or self.trained >= self._config.limit
        return pack

    def tell(self, pack: _Pack, outcomes: dict[int, Outcome]) -> None:
        """A pack's scores, in the order of its trials. (Infeasible trials have been told.)"""
        for number in pack.members:
            values = self._objectives(outcomes[number])
            self._ladder.seen(pack.rung, number, values)
            self.finished += pack.rung == self._last and values is not None
            self._tell(number, values, pack.rung)
        for trial in pack.trials:
            if trial.duplicate_of is not None:
                self._tell(trial.trial, *self._told.get(trial.duplicate_of, (None, self._last)))
        self.told += 1

    def _tell(self, number: int, values: tuple[float, ...] | None, rung: int) -> None:
        self._sampler.tell(number, values, rung == self._last)
        self._told[number] = values, rung

    def _ask(self, wanted: int) -> list[Trial]:
        trials: list[Trial] = []
        trained = in_vain = 0
        while trained < wanted and in_vain < _GIVE_UP_AFTER:
            trial = self._trial(self._sampler.ask(self._next))
            trains = trial.trains
            trained, in_vain = trained + trains, 0 if trains else in_vain + 1
            self._note(trial)
            trials.append(trial)
        return trials

    def _trial(self, proposal: Proposal) -> Trial:
        attrs = proposal.attrs
        if self._config.inherit and self._config.repeats == 1 and (parents := attrs.get("parents")):
            attrs = {**attrs, "inherits": [parents[0], self._told[parents[0]][1]]}
        try:
            candidate = proposal.candidate or self._space.build(proposal.point, self._config.seed)
        except Infeasible as reason:
            return Trial(
                self._next,
                self.asked,
                0,
                Status.INFEASIBLE,
                proposal.point,
                None,
                None,
                str(reason),
                attrs,
            )
        trial = Trial(
            self._next, self.asked, 0, Status.RUNNING, proposal.point, candidate, None, "", attrs
        )
        original = self._seen.get(trial.candidate_id)
        return (
            trial
            if original is None
            else replace(trial, status=Status.DUPLICATE, duplicate_of=original)
        )

    def _note(self, trial: Trial) -> None:
        self._next = trial.trial + 1
        if trial.status is Status.INFEASIBLE:
            self._sampler.tell(trial.trial, None)
        elif trial.trains:
            self._seen[trial.candidate_id] = trial.trial
            if trial.candidate is not None:
                self._sampler.note(trial.trial, trial.candidate)

    def _objectives(self, outcome: Outcome) -> tuple[float, ...] | None:
        if outcome.status not in (Status.OK, Status.PRUNED):
            return None
        objectives = self._config.objectives
        values = tuple(
            map(float, minimised(objectives, [outcome.score(name) for name in objectives]))
        )
        return values if all(map(math.isfinite, values)) else None


def _job(config: StudyConfig, store: Store, pack: _Pack) -> PackJob:
    rung = config.rungs[pack.rung]
    known = {trial.trial: trial.candidate for trial in pack.trials}
    asked = [found for trial in pack.members if (found := known.get(trial)) is not None]
    candidates = asked if len(asked) == len(pack.members) else store.candidates(pack.members)
    if pack.rung:
        states = store.states(pack.members, pack.rung - 1)
    else:
        attrs = {trial.trial: trial.sampler_attrs for trial in pack.trials}
        states = [
            _inherited(store, c, attrs[trial])
            for trial, c in zip(pack.members, candidates, strict=True)
        ]
    stopped = store.checkpoint(pack.number)
    states = [stopped.get(trial, state) for trial, state in zip(pack.members, states, strict=True)]
    kept = tuple(states) if any(state is not None for state in states) else ()
    return PackJob(
        pack.number,
        rung,
        tuple(candidates),
        config.seed,
        kept,
        config.groups_at(pack.rung),
        config.repeats,
    )


def _inherited(store: Store, child: Candidate, attrs: dict[str, Any]) -> bytes | None:
    """What a child starts with: the weights of its first parent, as they were at the rung that the
    sampler had heard of."""
    if "inherits" not in attrs:
        return None
    from wiring_search.training.weight_inheritance import inherited_state
    from wiring_search.wirings.mutation import Origins

    parent, rung = attrs["inherits"]
    (candidate,), (state,) = store.candidates([parent]), store.states([parent], rung)
    if state is None:
        return None
    origins = Origins.from_json(attrs["origins"])
    return inherited_state(
        candidate, state, child, origins, store.facts["features"], store.facts["outputs"]
    )


def _write(
    config: StudyConfig,
    store: Store,
    under_way: dict[int, _Pack],
    result: PackResult,
    watch: Watcher,
) -> dict[int, dict[int, Outcome]]:
    """Outcomes by pack and trial, once they are in the store; of a pack that was stopped, where it
    stands is."""
    pack = under_way[result.number]
    outcomes = dict(zip(pack.members, result.outcomes, strict=True))
    if result.stopped_at is not None:
        store.record_checkpoint(
            pack.number, {trial: o.state for trial, o in outcomes.items() if o.state is not None}
        )
        return {}
    if pack.rung < len(config.rungs) - 1:
        outcomes = {
            t: replace(o, status=Status.PRUNED) if o.status is Status.OK else o
            for t, o in outcomes.items()
        }
    store.record_outcomes(pack.number, outcomes, result.worker)
    watch(PackDone(pack.number, outcomes, rung=pack.rung))
    return {pack.number: outcomes}


def _stop(
    config: StudyConfig, store: Store, pool: Pool, under_way: dict[int, _Pack], watch: Watcher
) -> None:
    """Packs under way are stopped, and what they have come to is written down; those that take too
    long begin their rung again when the study is gone on with."""
    pool.stop()
    end = time.monotonic() + _SECONDS_TO_STOP
    left = sum(bool(pack.members) for pack in under_way.values())
    while left and time.monotonic() < end:
        try:
            result = pool.next_done(min(_SECONDS_BETWEEN_LOOKS, max(end - time.monotonic(), 0.0)))
        except NothingSubmitted:
            return  # nothing is under way any more
        if result is not None:
            _write(config, store, under_way, result, watch)
            left -= 1
