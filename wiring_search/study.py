"""A study: candidates are asked for, packed, trained by a pool, written to the store, and told to the sampler.

    ask pack k ─► store ─► pool ─► store ─► tell pack k ─► ask pack k + ahead …

The order of asks and tells is fixed: pack k + ahead is asked for when packs up to k, and no others, have been told.
Results may arrive in any order from any number of workers; the sampler, and so the table, does not notice. Resuming
is the same walk again, where an ask or a result that the store knows is taken from there.

An infeasible point is told at once and never trained; a candidate equal to an earlier one is not trained again, it
gets its scores.
"""

from dataclasses import replace

from search_spaces import Infeasible, Space
from wiring_search.candidate import Candidate
from wiring_search.config import StudyConfig
from wiring_search.events import Exhausted, PackDone, Watcher
from wiring_search.records import Outcome, PackJob, PackResult, Rung, Status
from wiring_search.sampling import Sampler
from wiring_search.score_names import minimised
from wiring_search.store import Store, Trial
from workers.pool import Pool

# Points in a row that are infeasible or seen before, after which a space counts as used up.
_GIVE_UP_AFTER = 300


def search(config: StudyConfig, store: Store, pool: Pool, watch: Watcher = lambda event: None) -> None:
    """Run the study to its end, from wherever the store says it stands.

    Raises whatever the pool raises when it cannot go on; what was finished until then is in the store.
    """
    asking = _Asking(config, store)
    packs: dict[int, list[Trial]] = {}
    results: dict[int, dict[int, Outcome]] = {}
    asked = told = 0
    while True:
        while asked < told + config.ahead and not asking.ended:
            packs[asked] = trials = asking.pack(asked)
            known = _known(trials)
            if known is None:
                pool.submit(_job(config, asked, trials))
            else:
                results[asked] = known
                if known:
                    watch(PackDone(asked, known, restored=True))
            asked += 1
        if told == asked:
            break
        while told not in results:
            result = pool.next_done()
            results[result.number] = _write(store, packs[result.number], result)
            watch(PackDone(result.number, results[result.number]))
        asking.tell(packs.pop(told), results.pop(told))
        told += 1
    if asking.trained < config.trials:
        watch(Exhausted(asking.trained))


class _Asking:
    """The sampler's side of the walk: makes packs, or takes them from the store, and remembers which candidates there
    were."""

    def __init__(self, config: StudyConfig, store: Store) -> None:
        self._config, self._store = config, store
        self._space = Space.from_json(config.space)
        self._sampler = Sampler(config.sampler, self._space, len(config.objectives), config.seed)
        self._stored = store.packs()
        self._next = 0
        self._seen: dict[str, int] = {}
        self._values: dict[int, tuple[float, ...] | None] = {}
        self.trained = 0
        self.ended = False

    def pack(self, number: int) -> list[Trial]:
        """The trials of the next pack, in the store already or written to it now."""
        wanted = min(self._config.pack_size, self._config.trials - self.trained)
        if number < self._stored:
            trials = self._store.trials(number)
            for trial in trials:
                self._sampler.put_back(trial.params, trial.sampler_attrs)
                self._note(trial)
            self._sampler.set_state(self._store.sampler_state(number))
        else:
            trials = self._ask(number, wanted)
            self._store.asked(number, trials, self._sampler.state())
        to_train = sum(_trains(trial) for trial in trials)
        self.trained += to_train
        self.ended = self.trained >= self._config.trials or to_train < wanted
        return trials

    def tell(self, trials: list[Trial], outcomes: dict[int, Outcome]) -> None:
        """A pack's scores, in the order of its trials. (Infeasible trials have been told.)"""
        for trial in trials:
            if trial.status is Status.INFEASIBLE:
                continue
            if trial.duplicate_of is None:
                self._values[trial.trial] = self._objectives(outcomes[trial.trial])
            else:
                self._values[trial.trial] = self._values[trial.duplicate_of]
            self._sampler.tell(trial.trial, self._values[trial.trial])

    def _ask(self, pack: int, wanted: int) -> list[Trial]:
        trials: list[Trial] = []
        in_vain = 0
        while sum(_trains(trial) for trial in trials) < wanted and in_vain < _GIVE_UP_AFTER:
            params, attrs = self._sampler.ask(self._next)
            trial = self._trial(pack, params, attrs)
            in_vain = 0 if _trains(trial) else in_vain + 1
            self._note(trial)
            trials.append(trial)
        return trials

    def _trial(self, pack: int, params: dict, attrs: dict) -> Trial:
        trial = Trial(self._next, pack, 0, Status.RUNNING, params, None, None, "", attrs)
        try:
            candidate = self._space.build(params, self._config.seed)
        except Infeasible as reason:
            return replace(trial, status=Status.INFEASIBLE, message=str(reason))
        original = self._seen.get(candidate.candidate_id)
        if original is not None:
            return replace(trial, status=Status.DUPLICATE, candidate=candidate, duplicate_of=original)
        return replace(trial, candidate=candidate)

    def _note(self, trial: Trial) -> None:
        self._next = trial.trial + 1
        if trial.status is Status.INFEASIBLE:
            self._sampler.tell(trial.trial, None)
        elif trial.duplicate_of is None and trial.candidate is not None:
            self._seen[trial.candidate.candidate_id] = trial.trial

    def _objectives(self, outcome: Outcome) -> tuple[float, ...] | None:
        if outcome.status is not Status.OK:
            return None
        objectives = self._config.objectives
        return tuple(map(float, minimised(objectives, [outcome.score(name) for name in objectives])))


def _trains(trial: Trial) -> bool:
    return trial.candidate is not None and trial.duplicate_of is None


def _known(trials: list[Trial]) -> dict[int, Outcome] | None:
    """The outcomes of a pack that is finished in the store (or has nothing to train), else None."""
    to_train = [trial for trial in trials if _trains(trial)]
    if any(trial.status is Status.RUNNING for trial in to_train):
        return None
    return {
        t.trial: Outcome(
            t.status,
            t.score("error"),
            t.score("metric"),
            t.parameters or 0,
            t.synapses or 0,
            t.score("latency_us"),
            t.score("train_seconds"),
            t.curve,
            scores=t.scores,
            score_seconds=t.score("score_seconds"),
        )
        for t in to_train
    }


def _job(config: StudyConfig, number: int, trials: list[Trial]) -> PackJob:
    candidates: list[Candidate] = [trial.candidate for trial in trials if _trains(trial) and trial.candidate is not None]
    rung = Rung(0, config.epochs, config.batch_size)
    return PackJob(number, rung, tuple(candidates), config.seed, scores=config.scores, repeats=config.repeats)


def _write(store: Store, trials: list[Trial], result: PackResult) -> dict[int, Outcome]:
    numbers = [trial.trial for trial in trials if _trains(trial)]
    outcomes = dict(zip(numbers, result.outcomes, strict=True))
    store.finished(outcomes, result.worker)
    return outcomes
