"""The planner of a study: which pack comes next, new or restored, and what the sampler learns.

An infeasible point is never trained; the sampler learns of it at once. A candidate equal to an
earlier one is not trained again: it gets that candidate's scores.
"""

import math
from dataclasses import dataclass, replace

from wiring_search.scores.catalogue import minimised
from wiring_search.search.promotion import Ladder
from wiring_search.search.samplers import sampler_of
from wiring_search.search.samplers.contract import Proposal
from wiring_search.search_spaces import Infeasible, Space
from wiring_search.store import Store, StoredPack, Trial
from wiring_search.store.config import StudyConfig
from wiring_search.workers.jobs import Outcome, Status

# Points in a row that are infeasible or seen before, after which a space counts as exhausted.
_GIVE_UP_AFTER = 300


@dataclass(frozen=True)
class Pack:
    """Candidates that train side by side.

    Attributes:
        number: The number of the pack, from 0.
        rung: The number of the rung that it trains for.
        members: The trials that train, in order.
        trials: All trials that were proposed for it, those that never train included; empty for a
            pack of promoted candidates.
    """

    number: int
    rung: int
    members: tuple[int, ...]
    trials: tuple[Trial, ...] = ()


class Planner:
    """Makes packs or restores them from the store, and tells the sampler and the ladder.

    Attributes:
        packs: Number of packs made or restored so far; the next one's number.
        trained: Number of candidates in packs of the first rung so far.
        finished: Number of candidates with the full budget and finite objectives that the sampler
            knows.
    """

    def __init__(self, config: StudyConfig, store: Store) -> None:
        self._config = config
        self._store = store
        self._space = Space.from_json(config.space)
        self._sampler = sampler_of(config, self._space)
        self._ladder = Ladder(
            config.rungs, config.share, config.pack_size, config.promotion.together
        )
        self._last = len(config.rungs) - 1
        self._next_trial = 0
        # The first trial of each candidate.
        self._trial_of: dict[str | None, int] = {}
        # The latest objectives of each trial, and their rung.
        self._latest: dict[int, tuple[tuple[float, ...] | None, int]] = {}
        self._tell_calls = 0
        self._proposes = True
        self.packs = 0
        self.trained = 0
        self.finished = 0

    def next_pack(self, under_way: int) -> Pack | None:
        """Make the next pack and record it in the store.

        The highest rung with a full pack waiting comes first, then new candidates, and at the end
        packs that are not full.

        Args:
            under_way: Number of packs that train now.

        Returns:
            The pack; None if there is nothing to do until `tell` was called for another pack.
        """
        promoted = self._ladder.next_pack(not self._proposes, under_way)
        if promoted is not None:
            rung, members = promoted
            pack = Pack(self.packs, rung, members)
            self._store.record_pack(pack.number, rung, members, (), {"told": self._tell_calls})
            return self._taken(pack)
        if not self._proposes:
            return None
        wanted = int(min(self._config.pack_size, self._config.limit - self.trained))
        trials = tuple(self._ask(wanted))
        members = tuple(trial.trial for trial in trials if trial.trains)
        pack = Pack(self.packs, 0, members, trials)
        self._proposes = len(members) == wanted
        state = {
            "told": self._tell_calls,
            "exhausted": not self._proposes,
            "sampler": self._sampler.state(),
        }
        self._store.record_pack(pack.number, 0, members, trials, state)
        return self._taken(pack)

    def restored_pack(self, stored: StoredPack) -> Pack | None:
        """Take the next pack from the store.

        Returns:
            The pack; None if it was made after more calls of `tell` than there were by now.
        """
        state = self._store.sampler_state(stored.number)
        if state["told"] > self._tell_calls:
            return None
        if stored.rung:
            return self._taken(Pack(stored.number, stored.rung, stored.members))
        trials = tuple(
            self._store.trials(stored.number, candidates=self._sampler.remembers_candidates)
        )
        for trial in trials:
            proposal = Proposal(trial.params, trial.sampler_attrs, trial.candidate)
            self._sampler.put_back(trial.trial, proposal)
            self._note(trial)
        self._sampler.set_state(state["sampler"])
        self._proposes = not state["exhausted"]
        return self._taken(Pack(stored.number, 0, stored.members, trials))

    def tell(self, pack: Pack, outcomes: dict[int, Outcome]) -> None:
        """Tell the sampler and the ladder a pack's outcomes, in the order of its trials.

        Args:
            pack: The pack that was trained. The sampler knows its infeasible trials already.
            outcomes: Outcomes by trial.
        """
        for number in pack.members:
            values = self._objectives(outcomes[number])
            self._ladder.seen(pack.rung, number, values)
            self.finished += pack.rung == self._last and values is not None
            self._tell(number, values, pack.rung)
        for trial in pack.trials:
            if trial.duplicate_of is not None:
                values, rung = self._latest.get(trial.duplicate_of, (None, self._last))
                self._tell(trial.trial, values, rung)
        self._tell_calls += 1

    def _taken(self, pack: Pack) -> Pack:
        """Count a pack that is about to train."""
        self.packs += 1
        if not pack.rung:
            self.trained += len(pack.members)
            self._proposes = self._proposes and self.trained < self._config.limit
            return pack
        self._ladder.promoted(pack.rung, pack.members)
        if self._sampler.remembers_candidates:
            candidates = self._store.candidates(pack.members)
            for number, candidate in zip(pack.members, candidates, strict=True):
                self._sampler.note(number, candidate)
        return pack

    def _tell(self, number: int, values: tuple[float, ...] | None, rung: int) -> None:
        self._sampler.tell(number, values, rung == self._last)
        self._latest[number] = values, rung

    def _ask(self, wanted: int) -> list[Trial]:
        """Ask for trials until so many of them train, or the space counts as exhausted."""
        trials: list[Trial] = []
        trained = in_vain = 0
        while trained < wanted and in_vain < _GIVE_UP_AFTER:
            trial = self._trial(self._sampler.ask(self._next_trial))
            trained += trial.trains
            in_vain = 0 if trial.trains else in_vain + 1
            self._note(trial)
            trials.append(trial)
        return trials

    def _trial(self, proposal: Proposal) -> Trial:
        """The trial of a proposal: to be trained, infeasible, or a duplicate."""
        attrs = proposal.attrs
        parents = attrs.get("parents")
        if self._config.inherit and self._config.repeats == 1 and parents:
            attrs = {**attrs, "inherits": [parents[0], self._latest[parents[0]][1]]}
        trial = Trial(
            self._next_trial, self.packs, 0, Status.RUNNING, proposal.point, None, None, "", attrs
        )
        try:
            candidate = proposal.candidate or self._space.build(proposal.point, self._config.seed)
        except Infeasible as reason:
            return replace(trial, status=Status.INFEASIBLE, message=str(reason))
        trial = replace(trial, candidate=candidate)
        original = self._trial_of.get(trial.candidate_id)
        if original is None:
            return trial
        return replace(trial, status=Status.DUPLICATE, duplicate_of=original)

    def _note(self, trial: Trial) -> None:
        """Count a new trial, and tell the sampler whether it is infeasible or trains."""
        self._next_trial = trial.trial + 1
        if trial.status is Status.INFEASIBLE:
            self._sampler.tell(trial.trial, None)
        elif trial.trains:
            self._trial_of[trial.candidate_id] = trial.trial
            if trial.candidate is not None:
                self._sampler.note(trial.trial, trial.candidate)

    def _objectives(self, outcome: Outcome) -> tuple[float, ...] | None:
        """The objectives of an outcome, to be minimised; None if it failed or one is not finite."""
        if outcome.status not in (Status.OK, Status.PRUNED):
            return None
        names = self._config.objectives
        scores = minimised(names, [outcome.score(name) for name in names])
        values = tuple(map(float, scores))
        return values if all(map(math.isfinite, values)) else None
