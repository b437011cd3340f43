"""Workers on a real Ray that are killed, kill themselves or hang, and clocks that jump, under whole
studies."""

import datetime
import logging
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pandas
import pytest

from tests.support.processes import workers_below
from tests.support.studies import fake_train, store, tiny_task
from wiring_search.search.budget import Budget, Meter
from wiring_search.search.study import search
from wiring_search.store import Store
from wiring_search.tasks.task import Task
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Beat, PackJob, PackResult, no_beat
from wiring_search.workers.pool import Train

pytestmark = [pytest.mark.ray, pytest.mark.slow]

STUDY = {"epochs": 9, "trials": 45, "pack_size": 4, "ahead": 3, "pruning": "halving"}
KILLS = {"synchronous": 20, "asynchronous": 6}


@pytest.fixture(scope="module")
def local_ray() -> Iterator[None]:
    import ray

    os.environ["PYTHONPATH"] = os.pathsep.join(
        [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    )
    ray.init(
        "local",
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    yield
    ray.shutdown()


def _found(mine: Store) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    return mine.table(), mine.history().drop(columns=["finished", "worker"])


def _undisturbed(folder: Path, **given: object) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    with closing(store(folder, **given)) as mine:
        assert search(mine.config, mine, InlinePool(fake_train, tiny_task()))
        return _found(mine)


def _on_ray(folder: Path, train: Train, patience: float = 300.0, **given: object) -> Store:
    from wiring_search.workers.ray_pool import RayPool

    mine, pool = store(folder, **given), RayPool(train, tiny_task(), 2, patience=patience)
    try:
        with mine.locked():
            assert search(mine.config, mine, pool)
    finally:
        pool.close()
    return mine


def _nothing_lost_or_doubled(mine: Store) -> None:
    trained = Counter((trial, pack.rung) for pack in mine.packs() for trial in pack.members)
    history = mine.history()
    assert set(trained.values()) == {1}
    assert sorted(trained) == list(zip(history["trial"], history["rung"], strict=True))
    assert not (mine.table()["status"] == "running").any()
    assert (history["rung"] == 0).sum() == mine.config.trials


@dataclass(frozen=True)
class _Noting:
    """Says in a file named after its process what it trains, for as long as it does: a second, and
    no time once all is calm."""

    notes: Path

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        note, partial = self.notes / str(os.getpid()), self.notes / f"{os.getpid()}.part"
        partial.write_text(" ".join(candidate.candidate_id for candidate in job.candidates))
        partial.rename(note)
        for _ in range(50):
            if not (self.notes / "calm").exists():
                time.sleep(0.02)
        note.unlink()
        return fake_train(task, job)


def _kill_workers(notes: Path, count: int, killed: list[int], over: threading.Event) -> None:
    """So many, each in the midst of a slice, at random. A candidate that was alone once when its
    worker died is spared: with two it would be given up, as one that kills its workers."""
    chance, alone = random.Random(3), set()
    while len(killed) < count and not over.is_set():
        time.sleep(chance.uniform(0.0, 0.4))
        victims = []
        for pid in workers_below(os.getpid()):
            try:
                trains = (notes / str(pid)).read_text().split()
            except FileNotFoundError:
                continue
            if pid not in killed and not (len(trains) == 1 and trains[0] in alone):
                victims.append((pid, trains))
        if victims:
            pid, trains = chance.choice(victims)
            os.kill(pid, signal.SIGKILL)
            killed.append(pid)
            alone.update(trains if len(trains) == 1 else ())
    (notes / "calm").touch()


@pytest.mark.parametrize("mode", list(KILLS))
def test_workers_killed_in_the_midst_of_packs_change_nothing(
    mode: str, local_ray: None, tmp_path: Path
) -> None:
    notes, given = tmp_path / "notes", {**STUDY, "asynchronous": mode == "asynchronous"}
    notes.mkdir()
    killed, over = [], threading.Event()
    killer = threading.Thread(target=_kill_workers, args=(notes, KILLS[mode], killed, over))
    killer.start()
    try:
        mine = _on_ray(tmp_path / "cut", _Noting(notes), **given)
    finally:
        over.set()
        killer.join()
    print(f"{mode}: {len(killed)} workers killed")
    assert len(killed) == KILLS[mode]
    _nothing_lost_or_doubled(mine)
    assert not (mine.table()["status"] == "crashed").any()
    if mode == "synchronous":
        table, history = _undisturbed(tmp_path / "whole", **given)
        assert mine.table().equals(table)
        assert _found(mine)[1].equals(history)


@dataclass(frozen=True)
class _Bad:
    """One candidate kills its worker, one sleeps for ever."""

    deadly: str
    hanging: str

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        inside = {candidate.candidate_id for candidate in job.candidates}
        if self.deadly in inside:
            os.kill(os.getpid(), signal.SIGKILL)
        if self.hanging in inside:
            time.sleep(10_000)
        return fake_train(task, job)


def test_a_study_outlives_a_candidate_that_kills_and_one_that_hangs(
    local_ray: None, tmp_path: Path
) -> None:
    # Random sampling proposes the same candidates, whatever their scores.
    given = {**STUDY, "trials": 24, "sampler": "random"}
    table, _ = _undisturbed(tmp_path / "whole", **given)
    fine = table[table["status"].isin(["ok", "pruned"])]["trial"].tolist()
    with closing(Store.open(tmp_path / "whole")) as whole:
        bad = {
            fine[2]: "its worker failed 2 times.*ActorDiedError",
            fine[9]: "it hung, with no beat for 10 s",
        }
        ids = [whole.trial(number).candidate_id for number in bad]
        before = whole.history().query("rung == 0").set_index("trial")
    mine = _on_ray(tmp_path / "cut", _Bad(*ids), patience=10.0, **given)
    _nothing_lost_or_doubled(mine)
    found = mine.table().set_index("trial")
    assert found.index[found["status"] == "crashed"].tolist() == list(bad)
    for number, why in bad.items():
        assert pandas.Series([found["message"][number]]).str.contains(why).all(), found["message"][
            number
        ]
    after = mine.history().query("rung == 0").set_index("trial")
    others, names = after.index.difference(list(bad)), ["status", "error", "synapses"]
    assert len(others) == 22
    assert after.loc[others, names].equals(before.loc[others, names])
    assert (found["status"] == "ok").sum() > 2


@dataclass(frozen=True)
class _BetweenClocks:
    """A third of a second with beats, between which the worker's wall clock is set to and fro by an
    hour."""

    def __call__(self, task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
        right = time.time
        try:
            for step in range(6):
                time.time = lambda: right() + random.choice((-3600, 3600))  # noqa: B023
                beat(step, 6)
                time.sleep(0.05)
        finally:
            time.time = right
        return fake_train(task, job)


def test_a_wall_clock_that_jumps_by_an_hour_makes_nothing_stale(
    local_ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In driver and workers; with a patience and a budget of ten minutes, and a second
    driver at the door."""
    from wiring_search.workers.ray_pool import RayPool

    right, jumps = time.time, Counter()

    def jumping() -> float:
        jump = 3600 * (int(time.monotonic() * 4) % 3 - 1)
        jumps[jump] += 1
        return right() + jump

    class Jumping(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Jumping":
            return cls.fromtimestamp(jumping(), tz)

    monkeypatch.setattr(time, "time", jumping)
    monkeypatch.setattr("wiring_search.store.rows.datetime", Jumping)
    monkeypatch.setattr(
        RayPool, "_give_up", lambda pool, hand: pytest.fail("a worker counts as hung")
    )
    meter, refused = Meter(Budget(minutes=10)), []
    mine, pool = (
        store(tmp_path / "jumped", **STUDY),
        RayPool(_BetweenClocks(), tiny_task(), 2, patience=600.0),
    )

    def until() -> str | None:
        with (
            pytest.raises(ValueError, match="another search is running"),
            Store.open(tmp_path / "jumped").locked(),
        ):
            pass
        refused.append(jumping())
        return meter.spent()

    with mine.locked():
        assert search(mine.config, mine, pool, until=until)
    pool.close()
    assert len(refused) > 10
    assert max(refused) - min(refused) > 3600
    assert set(jumps) == {-3600, 0, 3600}
    _nothing_lost_or_doubled(mine)
    monkeypatch.undo()
    table, history = _undisturbed(tmp_path / "whole", **STUDY)
    assert mine.table().equals(table)
    assert _found(mine)[1].equals(history)
    with Store.open(tmp_path / "jumped").locked():
        pass
