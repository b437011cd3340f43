"""Stores in a real PostgreSQL: many studies in one database, found by a small file, held by one
driver, never lost."""

import math
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path

import pytest

from tests.search.test_study import Shuffled
from tests.store.test_store import OUTCOME, RUNNING, TWIN
from tests.support.other_drivers import holding
from tests.support.postgres import Postgres, running
from tests.support.studies import FACTS, config
from wiring_search.search.study import search
from wiring_search.store import Store, StoreFault, exists
from wiring_search.store.location import POINTER
from wiring_search.workers.jobs import Status

Open = Callable[[Path], Store]


def test_a_database_holds_many_studies(tmp_path: Path, postgres: Postgres) -> None:
    names = ["one", "Two words", 'a "quoted" name', "drei-größer"]
    for seed, name in enumerate(names):
        with closing(
            Store.create(tmp_path / name, config(seed=seed), FACTS, postgres.url)
        ) as store:
            store.record_pack(0, 0, [0], [RUNNING, TWIN][: 1 + seed % 2], {})
    for seed, name in enumerate(names):
        with closing(Store.open(tmp_path / name)) as store:
            assert store.config.seed == seed
            assert len(store.trials()) == 1 + seed % 2
        assert [path.name for path in (tmp_path / name).iterdir()] == [POINTER]
    with pytest.raises(ValueError, match="holds a study already"):
        Store.create(tmp_path / "one", config(), FACTS, postgres.url)
    with pytest.raises(
        ValueError, match="there is a study 'one' of .* already; give the folder another name"
    ):
        Store.create(tmp_path / "elsewhere" / "one", config(), FACTS, postgres.url)
    assert not exists(tmp_path / "elsewhere" / "one")


def test_another_machine_resumes_a_study(
    tmp_path: Path, postgres: Postgres, open_store: Open
) -> None:
    here, there = tmp_path / "shared", tmp_path / "other machine"
    with closing(Store.create(here, config(), FACTS, postgres.url)) as store, store.locked():
        store.record_pack(0, 0, [0], [RUNNING], {})
    with pytest.raises(ValueError, match="there is no study 'other machine' of"):
        Store.attach(there, postgres.url)
    with closing(Store.attach(there, postgres.socket_url, "shared")) as store, store.locked():
        store.record_outcomes(0, {0: OUTCOME}, "me")
        with (
            pytest.raises(ValueError, match="another search is running on"),
            open_store(here).locked(),
        ):
            pass
    assert open_store(here).trial(0).error == 0.25
    with pytest.raises(ValueError, match="holds a study already"):
        Store.attach(there, postgres.url, "shared")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "postgresql://me:secret@host/db",
            r"the URL postgresql://me:\*\*\*@host/db holds a password",
        ),
        ("postgresql://me@host/db?password=secret", "holds a password"),
        ("mysql://me@host/db", "the store's URL is for mysql; give one of PostgreSQL"),
        ("results.sqlite", "'results.sqlite' is no URL; give one such as postgresql://"),
    ],
)
def test_a_url_that_will_not_do_is_refused(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as fault:
        Store.create(tmp_path / "run", config(), FACTS, url)
    assert "secret" not in str(fault.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["pg_mine", "x" * 64, "ö" * 32])
def test_a_name_that_postgresql_cannot_have_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="give the folder a name of 1 to 63 bytes"):
        Store.create(tmp_path / name, config(), FACTS, "postgresql://me@host/db")


def test_a_server_that_is_not_there_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with pytest.raises(StoreFault, match="the server cannot be reached .*refused"):
        Store.create(folder, config(), FACTS, "postgresql://me@127.0.0.1:1/db")
    assert not folder.exists()


def test_a_pointer_to_nothing_is_no_study(tmp_path: Path, postgres: Postgres) -> None:
    Store.create(tmp_path / "gone", config(), FACTS, postgres.url).close()
    postgres.run('DROP SCHEMA "gone" CASCADE')
    assert not exists(tmp_path / "gone")
    with pytest.raises(ValueError, match="holds no study .there is no study 'gone' of"):
        Store.open(tmp_path / "gone")
    Store.create(tmp_path / "gone", config(), FACTS, postgres.url).close()
    assert exists(tmp_path / "gone")


def test_a_study_of_a_later_version_is_refused(tmp_path: Path, postgres: Postgres) -> None:
    Store.create(tmp_path / "later", config(), FACTS, postgres.url).close()
    postgres.run('UPDATE "later".study SET schema = 99')
    with pytest.raises(ValueError, match="has store schema 99; this version reads schema"):
        Store.open(tmp_path / "later")


def test_a_driver_that_lost_its_lock_writes_no_more(
    tmp_path: Path, postgres: Postgres, open_store: Open
) -> None:
    """The server ends the session that holds the lock, and another driver takes the study up: the
    first one, which may not have noticed, can write nothing, however often it tries."""
    folder = tmp_path / "fenced"
    with closing(Store.create(folder, config(), FACTS, postgres.url)) as first, first.locked():
        first.record_pack(0, 0, [0], [RUNNING], {})
        postgres.run(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        with holding(folder):
            with pytest.raises(
                StoreFault, match="the server is shutting down, or ended the connection"
            ):
                first.record_outcomes(0, {0: OUTCOME}, "me")
            for _ in range(3):
                with pytest.raises(StoreFault, match="the lock on the study of .* was lost"):
                    first.record_outcomes(0, {0: OUTCOME}, "me")
            assert first.trials() == [RUNNING]
    again = open_store(folder)
    assert again.packs()[0].finish_order is None
    again.record_outcomes(0, {0: OUTCOME}, "me")


def test_a_lock_knows_no_clock(
    tmp_path: Path, postgres: Postgres, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock jumps an hour ahead or back: the search that locked a study keeps its lock."""
    import time

    now = time.time
    for name, url in (("file", None), ("server", postgres.url)):
        with closing(Store.create(tmp_path / name, config(), FACTS, url)) as store, store.locked():
            for jump in (3600.0, -3600.0):
                monkeypatch.setattr(time, "time", lambda jump=jump: now() + jump)
                with (
                    pytest.raises(ValueError, match="another search is running"),
                    open_store(tmp_path / name).locked(),
                ):
                    pass
            store.record_pack(0, 0, [0], [RUNNING], {})


def test_a_server_that_goes_away_leaves_whole_packs(tmp_path: Path) -> None:
    with running() as server:
        folder = tmp_path / "run"
        with closing(Store.create(folder, config(), FACTS, server.url)) as store, store.locked():
            store.record_pack(0, 0, [0], [RUNNING], {})
            store.record_outcomes(0, {0: OUTCOME}, "me")
            server.stop()
            for _ in range(2):
                with pytest.raises(
                    StoreFault,
                    match=r"[Rr]un `wiring-search resume .*",
                ):
                    store.record_pack(1, 0, [1], [TWIN], {})
            for look in (
                store.trials,
                lambda: Store.open(folder),
                lambda: exists(folder),
            ):
                with pytest.raises(StoreFault, match="the server"):
                    look()
        server.start()
        with closing(Store.open(folder)) as again, again.locked():
            assert [t.status for t in again.trials()] == [Status.OK]
            assert len(again.packs()) == 1
            again.record_pack(1, 0, [], [TWIN], {})
            assert math.isclose(again.trials()[1].score("error"), 0.25)


def test_a_user_without_rights_is_refused(tmp_path: Path, postgres: Postgres) -> None:
    postgres.run("DROP ROLE IF EXISTS guest; CREATE ROLE guest LOGIN")
    url = postgres.url.replace("tester@", "guest@")
    with pytest.raises(StoreFault, match="the user lacks the rights on the database"):
        Store.create(tmp_path / "run", config(), FACTS, url)
    postgres.run("GRANT CREATE ON DATABASE studies TO guest")
    Store.create(tmp_path / "run", config(), FACTS, url).close()
    assert exists(tmp_path / "run")


@pytest.mark.parametrize("pruning", ["none", "halving"])
def test_a_search_that_stops_and_resumes_gives_the_same_table_as_in_a_file(
    tmp_path: Path, postgres: Postgres, open_store: Open, pruning: str
) -> None:
    given = config(pruning=pruning, epochs=9, sampler="nsga2", trials=30)
    there, here = tmp_path / f"searched-{pruning}", tmp_path / "file"
    for folder, url, stops in ((here, None, [None]), (there, postgres.url, [2, 3, None])):
        Store.create(folder, given, FACTS, url).close()
        for seed, stop in enumerate(stops):
            ending = pytest.raises(KeyboardInterrupt) if stop else nullcontext()
            with ending, closing(Store.open(folder)) as mine, mine.locked():
                search(mine.config, mine, Shuffled(seed, stop))
    one, other = open_store(here), open_store(there)
    assert other.table().equals(one.table())
    assert len(one.table()) >= 30
    times = ["worker", "finished"]
    assert other.history().drop(columns=times).equals(one.history().drop(columns=times))
