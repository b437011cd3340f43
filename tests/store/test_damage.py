"""What happens to a store from outside: full disks, read-only files, torn and damaged files.
Nothing is half written."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.store.test_store import IMPOSSIBLE, OUTCOME, RUNNING, TWIN
from tests.support.studies import FACTS, config, store
from wiring_search.run.files import export
from wiring_search.store import FILE, Store, StoreFault, Trial, exists
from wiring_search.workers.jobs import Status

PACK = 3
FRAME = 24 + 4096  # bytes in the log: a header and a page
LARGE = replace(OUTCOME, state=os.urandom(1_000))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True
    )
    if mounted.returncode != 0:
        pytest.skip("a small disk needs the right to mount one: run as root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def _trials(pack: int) -> list[Trial]:
    return [
        replace(RUNNING, trial=number, pack=pack)
        for number in range(PACK * pack, PACK * pack + PACK)
    ]


def _ask(mine: Store, pack: int) -> None:
    mine.record_pack(
        pack, 0, [trial.trial for trial in _trials(pack)], _trials(pack), {"generation": pack}
    )


def _finish(mine: Store, pack: int) -> None:
    mine.record_outcomes(pack, {trial.trial: LARGE for trial in _trials(pack)}, "me")


def _consistent(mine: Store) -> int:
    """How many packs are finished; each is there whole."""
    packs, trials = mine.packs(), mine.trials()
    assert [trial.trial for trial in trials] == [trial for pack in packs for trial in pack.members]
    for pack in packs:
        status = Status.OK if pack.finish_order is not None else Status.RUNNING
        assert {trials[number].status for number in pack.members} == {status}
        assert len(mine.outcomes(pack.number)) == (PACK if pack.finish_order is not None else 0)
        states = mine.states(pack.members)
        assert (
            states == [LARGE.state] * PACK
            if pack.finish_order is not None
            else states == [None] * PACK
        )
    return sum(pack.finish_order is not None for pack in packs)


def test_a_full_disk_stops_cleanly_and_the_study_resumes_after(small_disk: Path) -> None:
    """However many bytes are left when the disk runs full: a fault that says so, all packs whole,
    and on it goes."""
    for left in range(0, 200_000, 23_000):
        folder, ballast = small_disk / f"run-{left}", small_disk / "ballast"
        with closing(store(folder)) as mine, mine.locked():
            _ask(mine, 0)
            _finish(mine, 0)
            with ballast.open("wb") as full:
                full.write(bytes(max(0, shutil.disk_usage(small_disk).free - left - 8192)))
            with pytest.raises(StoreFault, match="is full|may be full|not full") as fault:
                for pack in range(1, 50):
                    _ask(mine, pack)
                    _finish(mine, pack)
            assert f"free some space, then run `wiring-search resume {folder}`" in str(
                fault.value
            ) or "not full" in str(fault.value)
            done = _consistent(mine)
            assert done >= 1
        ballast.unlink()
        with closing(Store.open(folder)) as again, again.locked():
            assert _consistent(again) == done
            for pack in again.packs():
                if pack.finish_order is None:
                    _finish(again, pack.number)
            after = len(again.packs())
            _ask(again, after)
            _finish(again, after)
            assert _consistent(again) == after + 1
        shutil.rmtree(folder)


def test_a_store_that_reached_its_greatest_size_is_full(tmp_path: Path) -> None:
    mine = store(tmp_path)
    _ask(mine, 0)
    with mine._writing() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")  # no page more than there are
    with pytest.raises(
        StoreFault,
        match=f"the store of {tmp_path} failed: the disk is full .* free some space, "
        "then run `wiring-search",
    ):
        for pack in range(10):
            if pack:
                _ask(mine, pack)
            _finish(mine, pack)
    assert _consistent(mine) < 10
    mine.close()
    again = Store.open(tmp_path)
    for pack in again.packs():
        if pack.finish_order is None:
            _finish(again, pack.number)
    done = _consistent(again)
    _ask(again, done)
    assert _consistent(again) == done


def test_a_store_that_became_read_only_says_so(tmp_path: Path) -> None:
    mine = store(tmp_path)
    _ask(mine, 0)
    with mine._reading() as connection:
        connection.exec_driver_sql("PRAGMA query_only = ON")
    with pytest.raises(
        StoreFault,
        match="it is read-only .*make the folder and its files writable, "
        "then run `wiring-search resume",
    ):
        _finish(mine, 0)
    mine.close()
    again = Store.open(tmp_path)
    _finish(again, 0)
    assert _consistent(again) == 1


def _torn(tmp_path: Path) -> tuple[Path, bytes, int]:
    """A study as a power cut would leave it: pack 0 is in the file, packs 1 and 2 are in the log.
    The folder, the log, and where in the log the last transaction begins."""
    with closing(store(tmp_path / "run")) as mine:
        _ask(mine, 0)
        _finish(mine, 0)
        with mine._engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")  # the log cannot be emptied within a transaction
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        for pack in (1, 2):
            _ask(mine, pack)
            _finish(mine, pack)
        log = tmp_path / "run" / f"{FILE}-wal"
        before = log.stat().st_size
        mine.record_baseline("lstm-4", OUTCOME, "me")
        (tmp_path / "torn").mkdir()
        shutil.copy(tmp_path / "run" / FILE, tmp_path / "torn")
        return tmp_path / "torn", log.read_bytes(), before


def _with_log(folder: Path, log: bytes) -> None:
    """The file as it was, with this log; no trace of earlier readers."""
    (folder / f"{FILE}-shm").unlink(missing_ok=True)
    (folder / f"{FILE}-wal").write_bytes(log)


@pytest.mark.slow
def test_a_log_cut_anywhere_loses_the_last_transaction_at_most(tmp_path: Path) -> None:
    folder, log, last = _torn(tmp_path)
    assert last < len(log)
    file = (folder / FILE).read_bytes()
    for cut in [last - 1, last, *range(len(log) - FRAME, len(log), 7), len(log) - 1, len(log)]:
        _with_log(folder, log[:cut])
        with closing(sqlite3.connect(folder / FILE)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            finished = connection.execute(
                "SELECT count(*) FROM packs WHERE place IS NOT NULL"
            ).fetchone()[0]
            baselines = connection.execute("SELECT count(*) FROM baselines").fetchone()[0]
        assert (finished, baselines) == (3 - (cut < last), int(cut == len(log)))
        (folder / FILE).write_bytes(file)  # the log was written into it on closing


@pytest.mark.slow
@pytest.mark.parametrize("rest", ["cut", "zeros", "noise"])
def test_a_study_with_a_torn_log_opens_and_resumes(tmp_path: Path, rest: str) -> None:
    """Cuts all over the log, also through earlier transactions: each leaves a study that is whole
    up to some pack."""
    folder, log, last = _torn(tmp_path)
    file = (folder / FILE).read_bytes()
    filled = {"cut": b"", "zeros": bytes(len(log)), "noise": os.urandom(len(log))}[rest]
    seen = set()
    for cut in [*range(0, len(log), 4133), *range(last - 8, last + 32, 9), len(log)]:
        (folder / FILE).write_bytes(file)
        _with_log(folder, log[:cut] + filled[cut:])
        with closing(Store.open(folder)) as mine, mine.locked():
            done = _consistent(mine)
            assert len(mine.baselines()) == int(cut == len(log))
            assert done == 3 or cut < last
            seen.add((done, len(mine.packs())))
            packs = len(mine.packs())
            _ask(mine, packs)
            _finish(mine, packs)
        with closing(Store.open(folder)) as again:
            assert _consistent(again) == done + 1
    assert {(1, 1), (1, 2), (2, 2), (2, 3), (3, 3)} == seen


@pytest.mark.parametrize("damage", ["beginning", "middle", "half"])
def test_a_damaged_file_is_reported(tmp_path: Path, damage: str) -> None:
    with closing(store(tmp_path)) as mine:
        for pack in range(3):
            _ask(mine, pack)
            _finish(mine, pack)
    content = bytearray((tmp_path / FILE).read_bytes())
    match damage:
        case "beginning":
            content[:100] = bytes(100)
        case "middle":
            content[4096:] = os.urandom(len(content) - 4096)
        case "half":
            del content[8192:]
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(StoreFault, match="the file is damaged"):
        Store.open(tmp_path).trials()


def test_exports_leave_no_half_file(tmp_path: Path, small_disk: Path) -> None:
    mine = store(small_disk / "run")
    mine.record_pack(0, 0, [0], [RUNNING, TWIN, IMPOSSIBLE], {})
    mine.record_outcomes(0, {0: OUTCOME}, "me")
    before = {path.name: path.read_bytes() for path in export(mine)}
    with (
        (small_disk / "ballast").open("wb", buffering=0) as full,
        pytest.raises(OSError, match="No space"),
    ):
        while True:
            full.write(bytes(1000))
    with pytest.raises(
        ValueError,
        match=r"trials.parquet cannot be written .*No space.* then run `wiring-search report",
    ):
        export(mine)
    assert {
        path.name: path.read_bytes() for path in mine.folder.iterdir() if path.name in before
    } == before
    assert not list(mine.folder.glob("*.part"))
    (small_disk / "ballast").unlink()
    assert len(export(mine)) == 3


def test_a_store_that_cannot_be_made_leaves_no_study(small_disk: Path) -> None:
    with (small_disk / "ballast").open("wb") as full:
        full.write(bytes(shutil.disk_usage(small_disk).free - 20_000))
    with pytest.raises(StoreFault, match="full"):
        Store.create(small_disk / "run", config(), FACTS)
    (small_disk / "ballast").unlink()
    assert not exists(small_disk / "run")
    Store.create(small_disk / "run", config(), FACTS).close()
    assert exists(small_disk / "run")
