"""Drivers that are killed anywhere: one table all the same, nothing lost, nothing twice."""

import itertools
import random
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pandas
import pytest

from tests.search.test_study import Shuffled
from tests.support.killable_driver import PHASES, phase_in, prepare, started
from tests.support.studies import store
from wiring_search.search.study import search
from wiring_search.store import Store
from wiring_search.workers.jobs import Status

KILLS = 30
UNDER_WAY = PHASES[1:-1]
STUDY = {"epochs": 9, "pack_size": 4, "ahead": 3, "pruning": "halving"}


def _ended_well(folder: Path) -> None:
    """Every pack that was asked for is finished, every trial trained each rung up to its last one
    once, and none is under way."""
    with closing(Store.open(folder)) as store:
        packs, history, trials = store.packs(), store.history(), store.trials()
        assert store.ended is not None
    assert not any(trial.status is Status.RUNNING for trial in trials)
    assert sorted(pack.finish_order for pack in packs if pack.members) == list(
        range(sum(bool(pack.members) for pack in packs))
    )
    trained = [(trial, pack.rung) for pack in packs for trial in pack.members]
    assert sorted(trained) == list(zip(history["trial"], history["rung"], strict=True))
    assert len(set(trained)) == len(trained)
    reached = Counter(trial for trial, _ in trained)
    assert {trial.trial: trial.rung + 1 for trial in trials if trial.trains} == reached
    assert len(reached) == store.config.trials


def _found(folder: Path) -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """Its table, and its history without when things were finished."""
    with closing(Store.open(folder)) as store:
        return store.table(), store.history().drop(columns="finished")


def _undisturbed(folder: Path, workers: int, **given: object) -> float:
    """Seconds that a driver takes for it."""
    start = time.perf_counter()
    process = started(folder, workers, folder.with_suffix(".phase"), **given)
    process.join(600)
    assert process.exitcode == 0
    return time.perf_counter() - start


@pytest.mark.slow
@pytest.mark.parametrize("asynchronous", [False, True], ids=["synchronous", "asynchronous"])
@pytest.mark.parametrize(("sampler", "workers"), [("tpe", 0), ("evolution", 3)])
def test_drivers_killed_anywhere(
    sampler: str, workers: int, asynchronous: bool, tmp_path: Path
) -> None:
    """Studies, one after the other, until all kills are spent; each goes to its end. The first
    drivers halt of themselves, in a phase each, so that none goes without a kill on however quick a
    machine; the others are killed at any time."""
    prepare()
    chance, phases, halts, studies = random.Random(7), Counter(), list(UNDER_WAY), 0
    while phases.total() < KILLS:
        given = {
            **STUDY,
            "trials": 45 * max(workers, 1),
            "sampler": sampler,
            "asynchronous": asynchronous,
            "seed": studies,
        }
        whole, cut, notes = (tmp_path / f"{name}{studies}" for name in ("whole", "cut", "notes"))
        seconds = _undisturbed(whole, workers, **given)
        while True:
            halt = halts.pop(0) if halts else None
            process = started(cut, workers, notes, halt, **given)
            if halt:
                while phase_in(notes) != halt:
                    assert process.is_alive()
                    time.sleep(0.001)
            elif phases.total() < KILLS:
                process.join(
                    seconds * chance.uniform(0.02, 0.6)
                )  # most on their way; none gets far
            else:
                process.join(600)
            if process.exitcode is not None:
                break
            process.kill()
            process.join()
            phases[phase_in(notes)] += 1
        assert process.exitcode == 0
        _ended_well(whole)
        _ended_well(cut)
        if not asynchronous:
            assert all(
                mine.equals(other) for mine, other in zip(_found(cut), _found(whole), strict=True)
            )
        studies += 1
    print(f"{phases.total()} kills in {studies} studies: {dict(phases)}")
    assert set(UNDER_WAY) <= set(phases)


def test_a_rung_that_is_looked_through_now_and_then_is_so_after_resuming_too(
    tmp_path: Path,
) -> None:
    """Beyond a few dozen candidates a rung is not looked through for each new one; who is promoted
    when hangs on that."""
    given = {**STUDY, "trials": 135, "sampler": "evolution"}
    with closing(store(tmp_path / "whole", **given)) as whole:
        assert search(whole.config, whole, Shuffled())
    store(tmp_path / "cut", **given).close()
    for attempt in itertools.count():
        with closing(Store.open(tmp_path / "cut")) as cut:
            try:
                assert search(cut.config, cut, Shuffled(attempt, fail_after=7))
            except KeyboardInterrupt:
                continue
            cut.record_end()
            break
    assert attempt > 5
    assert all(
        mine.equals(other)
        for mine, other in zip(*map(_found, (tmp_path / "cut", tmp_path / "whole")), strict=True)
    )
    _ended_well(tmp_path / "cut")
