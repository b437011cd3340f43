"""One driver at a time holds a study, in a file and in PostgreSQL; others may read it."""

import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.store.test_store import RUNNING, Make, Open
from tests.support.other_drivers import driving, holding
from wiring_search.analysis.table import front
from wiring_search.run import Run
from wiring_search.store import Store


def test_one_driver_at_a_time(folder: Path, make: Make, open_store: Open) -> None:
    mine, other = make(folder), open_store(folder)
    with (
        mine.locked(),
        pytest.raises(ValueError, match="another search is running"),
        other.locked(),
    ):
        pass
    with other.locked():
        assert other.trials() == []


def test_a_holder_is_named_and_its_hold_dies_with_it(folder: Path, make: Make) -> None:
    mine = make(folder)
    with holding(folder) as process:
        named = (
            rf"another search is running on {folder} "
            rf"\(.*process {process.pid} on {platform.node()}.* since 20"
        )
        with pytest.raises(ValueError, match=named), mine.locked():
            pass
        process.kill()
        process.wait()
        _until(lambda: _can_lock(mine))
        mine.record_pack(0, 0, [0], [RUNNING], {})


def test_a_study_is_read_while_another_process_writes_it(folder: Path, make: Make) -> None:
    """Every look shows whole packs: those that are asked for, running or finished all three."""
    mine = make(folder)
    sizes = []
    with driving(folder) as process:
        while len(sizes) < 20 or sizes[-1] == sizes[0]:
            table = Run(folder).table()
            assert len(table) % 3 == 0
            assert set(table["status"][:-3]) <= {"ok"}
            assert table["status"][-3:].nunique() <= 1
            assert len(front(table, ("error", "synapses"))) == sum(table["status"] == "ok")
            sizes.append(len(table))
            assert process.poll() is None
    assert sizes == sorted(sizes)
    _until(lambda: _can_lock(mine))
    packs = mine.packs()
    assert [p.finish_order for p in packs[:-1]] == list(range(len(packs) - 1))
    assert len(mine.trials()) == 3 * len(packs)


def _can_lock(mine: Store) -> bool:
    with suppress(ValueError), mine.locked():
        return True
    return False


def _until(reached: Callable[[], bool]) -> None:
    """A server takes a moment to notice that a client is dead."""
    for _ in range(12_000):
        if reached():
            return
        time.sleep(0.05)
    raise AssertionError("never came true")
