"""The mirror: an Optuna study that says what the store says, brought up to date as often as one
likes, and shown by the real dashboard."""

import json
import math
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna
import pytest
import sqlalchemy

from tests.store.test_store import CANDIDATE, OTHER, OUTCOME
from tests.support.postgres import Postgres
from tests.support.studies import FACTS, config, store
from wiring_search import search_spaces
from wiring_search.store import Store, Trial
from wiring_search.store.optuna_mirror import mirror
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Outcome, Status

POINT = search_spaces.load("small").draw(np.random.default_rng(0))
LOST = Outcome(Status.DIVERGED, math.nan, math.nan, 30, 13, 1.5, 2.5, (), None, "why")
CUT = replace(OUTCOME, status=Status.PRUNED, error=0.5)


def _asked(
    number: int, pack: int = 0, candidate: Candidate | None = CANDIDATE, **given: object
) -> Trial:
    return replace(Trial(number, pack, 0, Status.RUNNING, POINT, candidate, None, "", {}), **given)


def _study(folder: Path) -> Store:
    """Under way: trial 0 runs, 1 is its duplicate, 2 infeasible, 3 pruned, 4 diverged."""
    mine = store(folder, epochs=9, pruning="halving", objectives=("error", "synapses"))
    twin = _asked(1, status=Status.DUPLICATE, duplicate_of=0)
    impossible = _asked(2, candidate=None, status=Status.INFEASIBLE, message="no")
    third = Candidate(CANDIDATE.wiring, steps=4)
    mine.record_pack(0, 0, [0], [_asked(0), twin, impossible], {})
    mine.record_pack(
        1,
        0,
        [3, 4],
        [_asked(3, 1, OTHER), _asked(4, 1, third, sampler_attrs={"parents": [0, 3]})],
        {},
    )
    mine.record_outcomes(1, {3: CUT, 4: LOST}, "me")
    return mine


@pytest.fixture(params=["sqlite", "journal", "postgresql"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    match request.param:
        case "sqlite":
            return f"sqlite:///{tmp_path / 'mirror.db'}"
        case "journal":
            return str(tmp_path / "mirror.log")
    server: Postgres = request.getfixturevalue("postgres")
    server.run("DROP DATABASE IF EXISTS mirrors", "postgres")
    server.run("CREATE DATABASE mirrors", "postgres")
    return server.url.replace("studies", "mirrors")


Load = Callable[[str, str], optuna.Study]


@pytest.fixture
def loaded() -> Iterator[Load]:
    """Loads a study from a storage by name; the storage's connections are closed in the end."""
    with ExitStack() as stack:

        def load(url: str, name: str) -> optuna.Study:
            if "://" not in url:
                backend = optuna.storages.journal.JournalFileBackend(url)
                storage = optuna.storages.JournalStorage(backend)
            else:
                storage = optuna.storages.RDBStorage(
                    url.replace("postgresql:", "postgresql+psycopg:")
                )
                stack.callback(storage.engine.dispose)
            return optuna.load_study(study_name=name, storage=storage)

        yield load


def test_the_mirror_says_what_the_store_says(
    tmp_path: Path, storage_url: str, loaded: Load
) -> None:
    mine = _study(tmp_path / "run")
    assert mirror(mine, storage_url) == 5
    assert mirror(mine, storage_url) == 0
    study = loaded(storage_url, "run")
    assert study.metric_names == ["error", "synapses"]
    assert [d.name for d in study.directions] == ["MINIMIZE"] * 2
    assert [t.state.name for t in study.trials] == ["RUNNING", "RUNNING", "FAIL", "RUNNING", "FAIL"]
    said = [t.user_attrs["status"] for t in study.trials]
    assert said == ["running", "duplicate", "infeasible", "pruned", "diverged"]
    assert study.trials[3].user_attrs["error"] == 0.5
    assert "error" not in study.trials[4].user_attrs
    assert study.trials[4].user_attrs["parents"] == [0, 3]
    assert study.trials[4].user_attrs["message"] == "why"
    assert all(trial.params == POINT for trial in study.trials)

    mine.record_outcomes(0, {0: OUTCOME}, "me")
    assert mirror(mine, storage_url) == 2
    first, twin, *_ = loaded(storage_url, "run").trials
    assert first.state.name == twin.state.name == "COMPLETE"
    assert (
        first.values
        == twin.values
        == [
            0.25,
            13,
        ]
    )
    assert first.user_attrs["accuracy"] == 0.75
    assert twin.user_attrs["duplicate of"] == 0

    mine.record_pack(2, 1, [3], [], {})
    assert mirror(mine, storage_url) == 1
    assert loaded(storage_url, "run").trials[3].user_attrs["status"] == "running"
    mine.record_outcomes(2, {3: CUT}, "me")
    mine.record_pack(3, 0, [5], [_asked(5, 3, Candidate(CANDIDATE.wiring, steps=5))], {})
    mine.record_end()
    assert mirror(mine, storage_url) == 2
    states = [t.state.name for t in loaded(storage_url, "run").trials]
    assert states == ["COMPLETE", "COMPLETE", "FAIL", "PRUNED", "FAIL", "RUNNING"]
    assert loaded(storage_url, "run").trials[3].user_attrs["rung"] == 1
    assert mirror(mine, storage_url) == 0
    assert [trial.number for trial in loaded(storage_url, "run").best_trials] == [0, 1]


def test_larger_is_better_where_it_is(tmp_path: Path, loaded: Load) -> None:
    mine = store(tmp_path / "run", scores=("memory",), objectives=("error", "memory"))
    mine.record_pack(0, 0, [0, 1], [_asked(0), _asked(1, candidate=OTHER)], {})
    good = replace(OUTCOME, scores={"memory": 0.5})
    mine.record_outcomes(0, {0: good, 1: replace(good, scores={"memory": math.nan})}, "me")
    url = f"sqlite:///{tmp_path / 'mirror.db'}"
    mirror(mine, url)
    study = loaded(url, "run")
    assert [d.name for d in study.directions] == ["MINIMIZE", "MAXIMIZE"]
    assert study.trials[0].values == [0.25, 0.5]
    assert study.trials[1].state.name == "FAIL"


def test_points_of_a_space_with_conditions_come_over(tmp_path: Path, loaded: Load) -> None:
    """Optuna knows one range by one name: alternatives of a dimension have several."""
    space = search_spaces.load("liquid")
    mine = Store.create(tmp_path / "run", config(space=space.to_json()), FACTS)
    rng = np.random.default_rng(0)
    points = [space.draw(rng) for _ in range(20)]
    mine.record_pack(0, 0, [], [_asked(n, params=point) for n, point in enumerate(points)], {})
    url = f"sqlite:///{tmp_path / 'mirror.db'}"
    mirror(mine, url)
    for point, trial in zip(points, loaded(url, "run").trials, strict=True):
        assert {name.split(":")[0]: value for name, value in trial.params.items()} == point


@pytest.mark.parametrize("name", ["lr%200.1", "a?b", "a#b", "größe"])
@pytest.mark.parametrize("kind", ["sqlite", "journal"])
def test_a_mirror_is_in_the_file_that_is_named(
    tmp_path: Path, name: str, kind: str, loaded: Load
) -> None:
    mine, folder = _study(tmp_path / name / "run"), tmp_path / name
    url = str(folder / "mirror.log")
    if kind == "sqlite":
        url = sqlalchemy.URL.create("sqlite", database=str(folder / "mirror.db")).render_as_string()
    assert mirror(mine, url) == 5
    assert len(loaded(url, "run").trials) == 5
    assert list(folder.glob("mirror.*"))
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_another_study_of_that_name_is_left_alone(tmp_path: Path, loaded: Load) -> None:
    url = f"sqlite:///{tmp_path / 'mirror.db'}"
    optuna.create_study(storage=url, study_name="run").optimize(lambda trial: 1.0, n_trials=1)
    with pytest.raises(ValueError, match="holds another study named 'run'; choose another storage"):
        mirror(_study(tmp_path / "run"), url)
    assert len(loaded(url, "run").trials) == 1


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:secret@127.0.0.1:1/db",
        "nothing://here",
        "sqlite:////nowhere/at/all.db",
        "/nowhere/x",
    ],
)
def test_a_storage_that_cannot_be_used_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(
        ValueError, match="the Optuna storage .* cannot be used .*; give a URL such as sqlite:///"
    ) as fault:
        mirror(_study(tmp_path / "run"), url)
    assert "secret" not in str(fault.value)


def test_following_ends_with_the_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: Load
) -> None:
    mine = _study(tmp_path / "run")
    url = f"sqlite:///{tmp_path / 'mirror.db'}"
    monkeypatch.setattr("wiring_search.store.optuna_mirror._LEAST_PAUSE", 0.05)

    def go_on() -> None:
        _until_mirrored(tmp_path / "mirror.db", 5)
        with_other_hands = Store.open(tmp_path / "run")
        with_other_hands.record_outcomes(0, {0: OUTCOME}, "me")
        with_other_hands.record_end()

    driver = threading.Thread(target=go_on)
    driver.start()
    assert mirror(mine, url, follow=True) == 5 + 3
    driver.join()
    assert loaded(url, "run").trials[0].values == [0.25, 13]


def _until_mirrored(file: Path, trials: int) -> None:
    for _ in range(12_000):
        with suppress(sqlite3.OperationalError), closing(sqlite3.connect(file)) as connection:
            if connection.execute("SELECT count(*) FROM trials").fetchone() == (trials,):
                return
        time.sleep(0.05)


@contextmanager
def _statements() -> Iterator[list[str]]:
    """First words of all statements of SQL meanwhile; one that inserts many rows counts once."""
    heard: list[str] = []

    def note(connection, cursor, statement: str, *rest: object) -> None:
        heard.append(statement.split()[0])

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        yield heard
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)


def test_a_thousand_trials_are_written_many_at_once(tmp_path: Path, loaded: Load) -> None:
    """Optuna's calls take several statements for each trial; what is there already is not
    written again."""
    mine, numbers = store(tmp_path / "run"), range(1000)
    mine.record_pack(0, 0, numbers, [_asked(number) for number in numbers], {})
    url = f"sqlite:///{tmp_path / 'mirror.db'}"
    with _statements() as first:
        assert mirror(mine, url) == 1000
    mine.record_outcomes(0, dict.fromkeys(numbers, OUTCOME), "me")
    with _statements() as second:
        assert mirror(mine, url) == 1000
    with _statements() as third:
        assert mirror(mine, url) == 0
    assert len(first) < 200
    assert len(second) < 200
    assert not {"INSERT", "UPDATE", "DELETE"} & set(third)
    assert {trial.state.name for trial in loaded(url, "run").trials} == {"COMPLETE"}


@contextmanager
def _dashboard(url: str) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        Path(sys.executable).with_name("optuna-dashboard"),
        url,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _got(address: str) -> dict:
    for _ in range(6_000):
        try:
            with urllib.request.urlopen(address, timeout=600) as answer:
                return json.loads(answer.read())
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


@pytest.mark.slow
@pytest.mark.parametrize("storage_url", ["sqlite"], indirect=True)
def test_the_real_dashboard_shows_the_study(tmp_path: Path, storage_url: str) -> None:
    mine = _study(tmp_path / "run")
    mirror(mine, storage_url)
    with _dashboard(storage_url) as address:
        (summary,) = _got(f"{address}/api/studies")["study_summaries"]
        assert summary["study_name"] == "run"
        assert summary["directions"] == ["minimize", "minimize"]
        shown = _got(f"{address}/api/studies/{summary['study_id']}")
        assert [trial["state"] for trial in shown["trials"]] == [
            "Running",
            "Running",
            "Fail",
            "Running",
            "Fail",
        ]
        with urllib.request.urlopen(f"{address}/csv/{summary['study_id']}") as answer:
            assert {"error", "synapses", "Param inter"} <= set(
                answer.readline().decode().strip().split(",")
            )
    mine.record_outcomes(0, {0: OUTCOME}, "me")
    mirror(mine, storage_url)
    with _dashboard(storage_url) as address:  # anew: it looks at a storage every ten seconds only
        first = _got(f"{address}/api/studies/{summary['study_id']}")["trials"][0]
        assert first["state"] == "Complete"
        assert first["values"] == [0.25, 13]
        assert {attr["key"] for attr in first["user_attrs"]} >= {
            "status",
            "rung",
            "error",
            "accuracy",
            "latency_us",
        }


def test_the_command_mirrors_a_run_folder(tmp_path: Path, loaded: Load) -> None:
    _study(tmp_path / "run").close()
    url = f"sqlite:///{tmp_path / 'mirror.db'}"
    command = [
        sys.executable,
        "-m",
        "wiring_search.cli",
        "mirror",
        tmp_path / "run",
        "--storage",
        url,
    ]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == f"Wrote 5 trials. View them with: optuna-dashboard {url}\n"
    assert len(loaded(url, "run").trials) == 5
