"""Many workers whose jobs take very different times, under real studies: kept busy, and never seen
in a synchronous table."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.support.simulated_pool import SimulatedPool
from tests.support.studies import fake_train, store, tiny_task
from wiring_search import search_spaces
from wiring_search.search.study import search
from wiring_search.workers.jobs import PackJob

WORKERS, SPREAD = 256, 1.2


def _lognormal(seed: int, sigma: float = SPREAD):
    """Seconds that a job takes: its candidates times its epochs, times a factor with a heavy tail
    whose mean is 1."""
    rng = np.random.default_rng(seed)

    def seconds(part: PackJob) -> float:
        work = len(part.candidates) * (part.rung.epochs - part.rung.start)
        return work * float(rng.lognormal(-(sigma**2) / 2, sigma))

    return seconds


def _utilisation(folder: Path, asynchronous: bool, budget: float) -> float:
    """Of 256 workers until the budget, in seconds of the pool's clock, is spent; a study with no
    end, as with --minutes."""
    given = {
        "pruning": "halving",
        "epochs": 9,
        "trials": 10**6,
        "pack_size": 2,
        "ahead": WORKERS,
        "sampler": "random",
    }
    given |= {"space": search_spaces.load("default").to_json(), "asynchronous": asynchronous}
    pool = SimulatedPool(fake_train, tiny_task(), [1.0] * WORKERS, _lognormal(0))
    found: list[float] = []

    def until() -> str | None:
        if pool.now < budget:
            return None
        found.append(pool.utilisation)
        return "the budget is spent"

    with closing(store(folder, **given)) as mine:
        assert not search(mine.config, mine, pool, until=until)
        history = mine.history()
    assert history["rung"].nunique() >= 2
    assert not history.duplicated(["trial", "rung"]).any()
    return found[0]


@pytest.mark.slow
def test_an_asynchronous_study_keeps_256_workers_busy_through_heavy_tails(tmp_path: Path) -> None:
    shares = {mode: _utilisation(tmp_path / str(mode), mode, 12.0) for mode in (True, False)}
    print(
        f"256 workers are busy for {shares[True]:.1%} of the time; {shares[False]:.1%} in a "
        "synchronous study"
    )
    assert shares[True] > 0.95
    assert shares[True] > shares[False]


@pytest.mark.parametrize("sampler", ["tpe", "evolution"])
def test_neither_number_nor_speed_of_workers_shows_in_a_synchronous_table(
    sampler: str, tmp_path: Path
) -> None:
    given = {
        "pruning": "halving",
        "epochs": 9,
        "trials": 45,
        "pack_size": 4,
        "ahead": 9,
        "sampler": sampler,
    }
    found = []
    for count, speeds in enumerate(([1.0], [1.0, 1.0], [1.0, 4.0, 2.0, 1.0, 1.0, 4.0, 1.0, 2.0])):
        pool = SimulatedPool(fake_train, tiny_task(), speeds, _lognormal(count))
        with closing(store(tmp_path / str(count), **given)) as mine:
            assert search(mine.config, mine, pool)
            order = [pack.finish_order for pack in mine.packs() if pack.members]
            found.append((mine.table(), mine.history().drop(columns=["finished", "worker"]), order))
    assert found[2][2] != sorted(found[2][2]), "eight workers finished in order: nothing was tried"
    for table, history, _ in found[1:]:
        assert table.equals(found[0][0])
        assert history.equals(found[0][1])
