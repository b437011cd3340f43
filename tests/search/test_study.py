"""The study: one table from any number of workers, in any order, stopped anywhere; nothing trained
twice."""

import math
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import optuna
import pandas
import pytest

from tests.support.studies import FACTS, config, fake_train, store, tiny_task
from wiring_search.analysis.table import front
from wiring_search.scores.evaluate import train_and_score
from wiring_search.search.events import (
    Event,
    Exhausted,
    PackDone,
    PackStarted,
    ReferenceChosen,
    Stopped,
)
from wiring_search.search.samplers import SAMPLERS
from wiring_search.search.samplers.optuna_sampler import OptunaSampler
from wiring_search.search.study import search
from wiring_search.search_spaces import Choice, Space
from wiring_search.store import Store
from wiring_search.tasks import load
from wiring_search.tasks.task import Split, Task
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import PackJob, PackResult, Status


class Shuffled:
    """A pool whose results come in a random order, as from many workers; notes what was trained,
    and fails after so many jobs."""

    workers, waiting = 1, 0

    def __init__(self, seed: int = 0, fail_after: int | None = None) -> None:
        self._random, self._left = random.Random(seed), fail_after
        self._jobs: list[PackJob] = []
        self.trained: Counter[str] = Counter()

    def submit(self, job: PackJob) -> None:
        self._jobs.append(job)

    def next_done(self, timeout: float | None = None) -> PackResult:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left = None if self._left is None else self._left - 1
        job = self._jobs.pop(self.chosen())
        self.trained.update(candidate.candidate_id for candidate in job.candidates)
        return fake_train(tiny_task(), job)

    def chosen(self) -> int:
        return self._random.randrange(len(self._jobs))

    def stop(self) -> None:
        pass


def _run(folder: Path, pool: InlinePool | None = None, **given: object) -> pandas.DataFrame:
    mine = store(folder, **given)
    search(mine.config, mine, pool or InlinePool(fake_train, tiny_task()))
    return mine.table()


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "gp"])
def test_the_order_of_results_does_not_show(sampler: str, tmp_path: Path) -> None:
    straight = _run(tmp_path / "a", sampler=sampler)
    for seed in (1, 2):
        assert _run(tmp_path / f"b{seed}", Shuffled(seed), sampler=sampler).equals(straight)
    assert (straight["status"].isin(["ok", "diverged"])).sum() == 20


@pytest.mark.parametrize("sampler", [name for name in SAMPLERS if name != "gp"])
def test_stopped_anywhere_and_resumed_it_ends_with_the_same_table(
    sampler: str, tmp_path: Path
) -> None:
    straight = _run(tmp_path / "whole", sampler=sampler, trials=30)
    for stop in range(0, 10, 3):
        folder = tmp_path / f"cut{stop}"
        mine, trained = store(folder, sampler=sampler, trials=30), Counter()
        for attempt in range(20):
            pool = Shuffled(attempt, fail_after=stop + 1 if attempt else stop)
            again = Store.open(folder)
            try:
                search(again.config, again, pool)
            except KeyboardInterrupt:
                continue
            finally:
                trained += pool.trained
            break
        else:
            raise AssertionError("never came to an end")
        assert mine.table().equals(straight)
        assert set(trained.values()) == {1}, "a finished candidate was trained again"


def test_other_seeds_give_other_tables(tmp_path: Path) -> None:
    one, other = (_run(tmp_path / str(seed), seed=seed, sampler="random") for seed in (0, 1))
    assert not one["p.inter"].equals(other["p.inter"])


def test_samplers_learn_from_what_they_are_told(tmp_path: Path) -> None:
    """Over several seeds, TPE's hypervolume on a task with a known best direction is above
    random's."""
    from wiring_search.analysis.pareto import hypervolume

    volumes = {"tpe": [], "random": []}
    for sampler, found in volumes.items():
        for seed in range(4):
            table = _run(tmp_path / f"{sampler}{seed}", sampler=sampler, seed=seed, trials=60)
            found.append(hypervolume(table[["error", "synapses"]].astype(float), (0.5, 90)))
    assert sum(volumes["tpe"]) > sum(volumes["random"])


def test_infeasible_points_are_told_and_never_trained(tmp_path: Path) -> None:
    space = config().space
    narrow = {**space, "constraints": [*space["constraints"], "inter > 8"]}
    pool = Shuffled()
    table = _run(tmp_path, pool, space=narrow, sampler="random")
    bad = table[table["status"] == "infeasible"]
    assert len(bad) > 2
    assert bad["error"].isna().all()
    assert bad["message"].str.contains("inter > 8 does not hold").all()
    assert sum(pool.trained.values()) == 20
    assert (table["p.inter"][table["status"] == "ok"] > 8).all()


def _few_points() -> dict:
    """Five wirings, and a dimension that does not matter (motor fan-in with one motor neuron: see
    the topology)."""
    fixed = {
        "sensory": 2,
        "inter": 4,
        "command": 2,
        "motor": 1,
        "sensory_fanout": 4,
        "inter_fanout": 2,
        "recurrent_synapses": 0,
    }
    dimensions = {name: Choice((value,)) for name, value in fixed.items()}
    return Space(
        "ncp",
        {
            **dimensions,
            "motor_fanin": Choice((1, 2)),
            "excitatory": Choice((1.0,)),
            "steps": Choice((1, 2, 3, 4, 5)),
        },
    ).to_json()


def test_duplicates_repeat_scores_and_a_used_up_space_ends_the_search(tmp_path: Path) -> None:
    pool, events = Shuffled(), []
    mine = store(tmp_path, space=_few_points(), sampler="random")
    search(mine.config, mine, pool, events.append)
    table = mine.table()
    assert set(pool.trained.values()) == {1}
    assert len(pool.trained) <= 10
    assert isinstance(events[-1], Exhausted)
    assert events[-1].trained == len(pool.trained) < 20
    twins = table[table["status"] == "duplicate"]
    originals = table.set_index("trial").loc[twins["duplicate_of"].astype(int)]
    for name in ("wiring_id", "error", "synapses", "parameters"):
        assert twins[name].fillna(-1).tolist() == originals[name].fillna(-1).tolist()
    again = Store.open(tmp_path)
    search(again.config, again, Shuffled(fail_after=0))
    assert again.table().equals(table)


def test_watchers_hear_of_every_trained_trial_once(tmp_path: Path) -> None:
    mine, heard = store(tmp_path), []
    search(mine.config, mine, Shuffled(), heard.append)
    started = [event.pack for event in heard if isinstance(event, PackStarted)]
    referred = [event for event in heard if isinstance(event, ReferenceChosen)]
    heard = [event for event in heard if isinstance(event, PackDone)]
    assert not any(event.restored for event in heard)
    assert sorted(started) == sorted(event.pack for event in heard)
    numbers = [number for event in heard for number in event.outcomes]
    assert sorted(numbers) == [
        t.trial for t in mine.trials() if t.status in (Status.OK, Status.DIVERGED)
    ]
    replay: list[PackDone] = []
    search(mine.config, mine, Shuffled(fail_after=0), replay.append)
    assert [event for event in replay if isinstance(event, ReferenceChosen)] == referred
    assert len(referred) == 1
    replay = [event for event in replay if isinstance(event, PackDone)]
    assert all(event.restored for event in replay)
    assert len(replay) == len(heard)


TIMES = ["latency_us", "train_seconds"]
RUNGS = {"epochs": 9, "trials": 45, "pack_size": 4, "ahead": 3}
PRUNING = ["halving", "median", "one-epoch"]


class Stoppable(Shuffled):
    """Asked to stop, it gives back what it has as stopped, one epoch into the rung."""

    def stop(self) -> None:
        self._stopped = True

    def next_done(self, timeout=None) -> PackResult:
        result = super().next_done()
        if not getattr(self, "_stopped", False):
            return result
        outcomes = [replace(o, status=Status.RUNNING, state=b"under way") for o in result.outcomes]
        return replace(result, outcomes=tuple(outcomes), stopped_at=1)


@pytest.mark.parametrize("pruning", PRUNING)
def test_a_pruned_study_trains_each_rung_once_and_few_to_the_end(
    pruning: str, tmp_path: Path
) -> None:
    pool = Shuffled()
    mine = store(tmp_path, pruning=pruning, **RUNGS)
    assert search(mine.config, mine, pool)
    rungs, table = [rung.epochs for rung in mine.config.rungs], mine.table()
    history = mine.history()
    assert not history.duplicated(["trial", "rung"]).any()
    assert len(history) == sum(pool.trained.values())
    counts = history.groupby("rung").size().tolist()
    assert counts[0] == 45
    assert len(counts) == len(rungs)
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] < 30
    trained = table[table["status"].isin(["ok", "pruned", "diverged"])]
    assert len(trained) == 45
    assert (trained["epochs"] == [rungs[r] for r in trained["rung"]]).all()
    assert (
        (table["status"] == "ok").sum()
        == (history[history["rung"] == len(rungs) - 1]["status"] == "ok").sum()
        > 2
    )
    assert set(table["status"][table["rung"] < len(rungs) - 1]) <= {
        "pruned",
        "diverged",
        "infeasible",
        "duplicate",
    }


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("pruning", PRUNING)
@pytest.mark.parametrize("sampler", ["tpe", "evolution"])
def test_a_pruned_study_stopped_anywhere_ends_well(
    sampler: str, pruning: str, asynchronous: bool, tmp_path: Path
) -> None:
    """Killed, or stopped and written down, again and again: each candidate trains once a rung; a
    synchronous study ends with the same table as one that nothing happened to."""
    given = {**RUNGS, "pruning": pruning, "sampler": sampler, "asynchronous": asynchronous}
    straight = _run(tmp_path / "whole", Shuffled(99), **given)
    mine = store(tmp_path / "cut", **given)
    for attempt in range(40):
        pool, again = (
            Stoppable(attempt, fail_after=attempt % 4 if attempt % 2 else None),
            Store.open(tmp_path / "cut"),
        )
        asked = iter(range(3 + 7 * attempt))
        try:
            ended = search(
                again.config,
                again,
                pool,
                until=lambda asked=asked: None if next(asked, None) is not None else "enough",
            )
        except KeyboardInterrupt:
            ended = False
        if ended:
            break
    else:
        raise AssertionError("never came to an end")
    history = mine.history()
    assert not history.duplicated(["trial", "rung"]).any()
    assert (history.groupby("rung").size().iloc[0]) == 45
    if not asynchronous:
        assert mine.table().equals(straight)


def test_what_was_stopped_goes_on_from_its_states(tmp_path: Path) -> None:
    mine, heard = store(tmp_path, pruning="halving", **RUNGS), []
    reasons = iter([None] * 8 + ["fifteen minutes are over"] * 9)
    assert not search(mine.config, mine, Stoppable(), heard.append, until=lambda: next(reasons))
    assert heard.count(Stopped("fifteen minutes are over")) == 1
    stopped = [pack for pack in mine.packs() if mine.checkpoint(pack.number)]
    assert stopped
    assert all(pack.finish_order is None for pack in stopped)

    class Noting(Shuffled):
        def submit(self, job: PackJob) -> None:
            states.setdefault(job.number, job.states)
            super().submit(job)

    states: dict[int, tuple] = {}
    assert search(mine.config, mine, Noting())
    for pack in stopped:
        assert states[pack.number] == (b"under way",) * len(pack.members)
        assert not mine.checkpoint(pack.number)
    promoted = [
        pack
        for pack in mine.packs()
        if pack.rung and pack.number not in {p.number for p in stopped}
    ]
    assert all(set(states[pack.number]) == {b"state"} for pack in promoted if pack.number in states)


@pytest.mark.slow
def test_children_inherit_what_the_sampler_had_heard_of(tmp_path: Path) -> None:
    """With real training, stopped and resumed: results that came early change nothing."""

    class Training(Shuffled):
        def next_done(self, timeout: float | None = None) -> PackResult:
            if self._left == 0:
                raise KeyboardInterrupt
            self._left = None if self._left is None else self._left - 1
            job = self._jobs.pop(self.chosen())
            inherited.extend(job.states if job.rung.number == 0 else ())
            return train_and_score(digits, job)

    digits, inherited = few_digits(), []
    given = {
        "facts": {**FACTS, "features": 8, "outputs": 10},
        **RUNGS,
        "epochs": 4,
        "trials": 60,
        "pruning": "halving",
        "sampler": "evolution",
        "inherit": True,
    }
    straight = _run(tmp_path / "whole", Training(1), **given).drop(columns=TIMES)
    assert any(state is not None for state in inherited)
    assert straight["parents"].str.len().gt(0).sum() > 10
    mine = store(tmp_path / "cut", **given)
    for attempt in range(12):
        try:
            search(mine.config, mine, Training(attempt + 2, fail_after=3 + 2 * attempt))
        except KeyboardInterrupt:
            continue
        break
    assert attempt > 2
    assert mine.table().drop(columns=TIMES).equals(straight)
    assert (
        not _run(tmp_path / "afresh", Training(1), **{**given, "inherit": False})
        .drop(columns=TIMES)
        .equals(straight)
    )


def few_digits() -> Task:
    digits = load("digits")
    train, valid = (Split(split.x[:60], split.y[:60]) for split in (digits.train, digits.valid))
    return replace(digits, train=train, valid=valid)


def test_an_asynchronous_study_waits_for_no_pack(tmp_path: Path) -> None:
    """The first pack comes back last. By then everything else is asked for, trained and
    promoted."""

    class Slow(Shuffled):
        def chosen(self) -> int:
            index = next((k for k, job in enumerate(self._jobs) if job.number), 0)
            order.append(self._jobs[index].number)
            return index

    order: list[int] = []
    mine = store(tmp_path, pruning="halving", asynchronous=True, **RUNGS)
    search(mine.config, mine, Slow())
    packs = mine.packs()
    assert max(packs, key=lambda pack: pack.finish_order).number in (0, len(packs) - 1)
    assert order.index(0) > len(order) * 0.7
    assert (mine.history()["rung"] == 2).sum() > 2


def test_a_resumed_study_may_have_more_trials(tmp_path: Path) -> None:
    """Earlier proposals and promotions stay, whatever the study would ask for now."""
    mine = store(tmp_path, pruning="halving", **RUNGS)
    search(mine.config, mine, Shuffled())
    before = mine.history()
    longer = replace(mine.config, trials=70)
    search(longer, mine, Shuffled())
    after = mine.history()
    kept = after.merge(before[["trial", "rung"]], on=["trial", "rung"]).sort_values(
        ["trial", "rung"], ignore_index=True
    )
    assert kept.equals(before.sort_values(["trial", "rung"], ignore_index=True))
    assert (after["rung"] == 0).sum() == 70
    assert not after.duplicated(["trial", "rung"]).any()


@pytest.mark.parametrize("trials", [None, 1_000_000])
def test_a_study_without_a_number_of_trials_runs_until_it_is_stopped(
    trials: int | None, tmp_path: Path
) -> None:
    """None is no number; 1,000,000 stood for it in stores of version 0.1."""
    mine = store(tmp_path, trials=trials, sampler="random")
    events: list[Event] = []
    spent = lambda: "spent" if len(mine.packs()) > 12 else None  # noqa: E731
    assert not search(mine.config, mine, Shuffled(), events.append, spent)
    assert Stopped("spent") in events
    reopened = Store.open(tmp_path)
    assert reopened.config.trials == trials
    trained = len(reopened.history())
    with reopened.locked():
        reopened.set_trials(60)
    assert search(reopened.config, reopened, Shuffled())
    assert trained < len(reopened.history()) == 60


def test_a_study_without_a_number_of_trials_ends_with_its_space(tmp_path: Path) -> None:
    mine, events = store(tmp_path, space=_few_points(), sampler="random", trials=None), []
    assert search(mine.config, mine, Shuffled(), events.append)
    assert isinstance(events[-1], Exhausted)


def test_one_epoch_needs_a_number_of_trials() -> None:
    with pytest.raises(ValueError, match="trials is None; give a number of trials"):
        config(trials=None, pruning="one-epoch")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("objective", ["error", "latency_us", "memory"])
@pytest.mark.parametrize("pruning", ["none", "halving"])
def test_no_objective_that_is_not_finite_reaches_the_sampler(
    pruning: str, objective: str, value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(task, job, beat):
        result = fake_train(task, job)
        outcomes = [replace(o, scores={"memory": 0.5}) for o in result.outcomes]
        bad = [
            replace(o, scores={"memory": value})
            if objective == "memory"
            else replace(o, **{objective: value})
            for o in outcomes
        ]
        return replace(
            result,
            outcomes=tuple(
                b if p % 2 else o for p, (o, b) in enumerate(zip(outcomes, bad, strict=True))
            ),
        )

    scores, original = [], OptunaSampler.tell

    def tell(self, number, values, final=True):
        scores.append(values)
        original(self, number, values, final)

    monkeypatch.setattr(OptunaSampler, "tell", tell)
    given = {
        "objectives": ("error", "latency_us", "memory"),
        "scores": ("memory",),
        "pruning": pruning,
        "epochs": 9,
    }
    mine = store(tmp_path, **given)
    search(mine.config, mine, InlinePool(spoilt, tiny_task()))
    assert len(scores) >= 20
    assert all(values is None or all(map(math.isfinite, values)) for values in scores)
    table = mine.table()
    assert not (table["status"] == "running").any()
    assert set(table["trial"][table["status"] == "ok"]) >= set(
        front(table, mine.config.objectives)["trial"]
    )


def test_packs_are_asked_for_no_further_ahead_than_said(tmp_path: Path) -> None:
    class Counting(Shuffled):
        submitted = returned = most = 0

        def submit(self, job: PackJob) -> None:
            self.submitted += 1
            self.most = max(self.most, self.submitted - self.returned)
            super().submit(job)

        def next_done(self, timeout: float | None = None) -> PackResult:
            self.returned += 1
            return super().next_done()

    pool = Counting()
    _run(tmp_path, pool, ahead=3)
    assert pool.most == 3


def test_optuna_learns_failures_as_failures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    original = optuna.storages.InMemoryStorage.set_trial_state_values

    def tell(self, trial_id, state, values=None):
        calls.append((self.get_trial_number_from_id(trial_id), values, state))
        return original(self, trial_id, state, values)

    monkeypatch.setattr(optuna.storages.InMemoryStorage, "set_trial_state_values", tell)
    table = _run(tmp_path).set_index("trial")
    trained = [n for n, *_ in calls if table.loc[n, "status"] in ("ok", "diverged")]
    assert len(trained) > 10
    assert trained == sorted(trained)
    for number, values, state in calls:
        row = table.loc[number]
        if row["status"] == "ok":
            assert values == [row["error"], row["synapses"]]
        elif row["status"] in ("diverged", "infeasible"):
            assert state is optuna.trial.TrialState.FAIL


@pytest.mark.slow
def test_gp_sampler_runs_and_resumes(tmp_path: Path) -> None:
    straight = _run(tmp_path / "a", sampler="gp", trials=15)
    folder = tmp_path / "b"
    mine = store(folder, sampler="gp", trials=15)
    with pytest.raises(KeyboardInterrupt):
        search(mine.config, mine, Shuffled(fail_after=3))
    search(mine.config, mine, Shuffled())
    assert mine.table().equals(straight)
