"""The study: one table from any number of workers, in any order, stopped anywhere; nothing trained twice."""

import random
from collections import Counter
from pathlib import Path

import optuna
import pandas
import pytest
from studies import config, fake_train, store, tiny_task

from search_spaces import Choice, Space
from wiring_search.config import SAMPLERS
from wiring_search.events import Exhausted, PackDone
from wiring_search.records import PackJob, PackResult, Status
from wiring_search.store import Store
from wiring_search.study import search
from workers.inline import InlinePool


class Shuffled(InlinePool):
    """Results in a random order, as from many workers; notes what was trained, and fails after so many jobs."""

    def __init__(self, seed: int = 0, fail_after: int | None = None) -> None:
        super().__init__(fake_train, tiny_task())
        self._random, self._left = random.Random(seed), fail_after
        self.trained: Counter[str] = Counter()

    def next_done(self) -> PackResult:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left = None if self._left is None else self._left - 1
        self._jobs.rotate(self._random.randrange(len(self._jobs)))
        for candidate in self._jobs[0].candidates:
            self.trained[candidate.candidate_id] += 1
        return super().next_done()


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
def test_stopped_anywhere_and_resumed_it_ends_with_the_same_table(sampler: str, tmp_path: Path) -> None:
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
    """Over several seeds, TPE's hypervolume on a task with a known best direction is above random's."""
    from wiring_search.pareto import hypervolume

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
    assert len(bad) > 2 and bad["error"].isna().all() and bad["message"].str.contains("inter > 8 does not hold").all()
    assert sum(pool.trained.values()) == 20 and (table["p.inter"][table["status"] == "ok"] > 8).all()


def _few_points() -> dict:
    """Five wirings, and a dimension that does not matter (motor fan-in with one motor neuron: see the topology)."""
    fixed = {"sensory": 2, "inter": 4, "command": 2, "motor": 1, "sensory_fanout": 4, "inter_fanout": 2, "recurrent_synapses": 0}
    dimensions = {name: Choice((value,)) for name, value in fixed.items()}
    return Space(
        "ncp", {**dimensions, "motor_fanin": Choice((1, 2)), "excitatory": Choice((1.0,)), "steps": Choice((1, 2, 3, 4, 5))}
    ).to_json()


def test_duplicates_repeat_scores_and_a_used_up_space_ends_the_search(tmp_path: Path) -> None:
    pool, events = Shuffled(), []
    mine = store(tmp_path, space=_few_points(), sampler="random")
    search(mine.config, mine, pool, events.append)
    table = mine.table()
    assert set(pool.trained.values()) == {1} and len(pool.trained) <= 10
    assert isinstance(events[-1], Exhausted) and events[-1].trained == len(pool.trained) < 20
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
    assert all(isinstance(event, PackDone) and not event.restored for event in heard)
    numbers = [number for event in heard for number in event.outcomes]
    assert sorted(numbers) == [t.trial for t in mine.trials() if t.status in (Status.OK, Status.DIVERGED)]
    replay: list[PackDone] = []
    search(mine.config, mine, Shuffled(fail_after=0), replay.append)
    assert all(event.restored for event in replay) and len(replay) == len(heard)


def test_packs_are_asked_for_no_further_ahead_than_said(tmp_path: Path) -> None:
    class Counting(InlinePool):
        submitted = told = most = 0

        def submit(self, job: PackJob) -> None:
            self.submitted += 1
            self.most = max(self.most, self.submitted - self.told)
            super().submit(job)

        def next_done(self) -> PackResult:
            self.told += 1
            return super().next_done()

    pool = Counting(fake_train, tiny_task())
    _run(tmp_path, pool, ahead=3)
    assert pool.most == 3


def test_optuna_is_told_failures_as_failures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    original = optuna.Study.tell
    monkeypatch.setattr(
        optuna.Study,
        "tell",
        lambda self, trial, values=None, state=None, **k: (
            told.append((trial, values, state)),
            original(self, trial, values, state=state, **k),
        )[1],
    )
    table = _run(tmp_path).set_index("trial")
    assert [number for number, *_ in told] == sorted(number for number, *_ in told) or (table["status"] == "infeasible").any()
    for number, values, state in told:
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
