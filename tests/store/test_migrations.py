"""Stores of earlier schemas open, say the same as then, and can be resumed. They are built here
by the SQL of then; those of schema 3, in both databases, by taking away what came after it."""

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.postgres import Postgres
from tests.support.studies import FACTS, config
from wiring_search.store import FILE, SCHEMA, Baseline, Retraining, Store, StoredPack, Trial
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import Outcome, Status

CANDIDATES = [Candidate(ncp(2, 3, 2, 1, 1, 1, 0, 1, seed=seed), steps=2) for seed in (1, 2, 3)]
SCHEMA_1 = """
CREATE TABLE study (schema INTEGER NOT NULL, config JSON NOT NULL, facts JSON NOT NULL,
    versions JSON NOT NULL, created VARCHAR NOT NULL, ended VARCHAR);
CREATE TABLE packs (pack INTEGER NOT NULL, sampler_state JSON NOT NULL, PRIMARY KEY (pack));
CREATE TABLE trials (trial INTEGER NOT NULL, pack INTEGER NOT NULL, rung INTEGER NOT NULL,
    status VARCHAR NOT NULL, params JSON NOT NULL, candidate JSON, candidate_id VARCHAR,
    wiring_id VARCHAR, synapses INTEGER, duplicate_of INTEGER, message VARCHAR NOT NULL,
    sampler_attrs JSON NOT NULL, asked VARCHAR NOT NULL, error FLOAT, metric FLOAT,
    parameters INTEGER, latency_us FLOAT, train_seconds FLOAT, curve JSON, state BLOB,
    worker VARCHAR, finished VARCHAR, PRIMARY KEY (trial));
CREATE INDEX ix_trials_pack ON trials (pack);
"""
SCHEMA_2 = """
ALTER TABLE trials ADD COLUMN score_seconds FLOAT;
ALTER TABLE trials ADD COLUMN scores JSON;
CREATE TABLE baselines (name VARCHAR NOT NULL, status VARCHAR NOT NULL, synapses INTEGER NOT NULL,
    message VARCHAR NOT NULL, error FLOAT, metric FLOAT, parameters INTEGER, latency_us FLOAT,
    train_seconds FLOAT, curve JSON, state BLOB, worker VARCHAR,
    finished VARCHAR, PRIMARY KEY (name));
INSERT INTO baselines
    VALUES ('lstm-4', 'ok', 9, '', 0.5, 0.5, 9, 1.0, 1.0, '[0.5]', x'01', 'me', 'then');
INSERT INTO baselines
    VALUES ('gru-4', 'diverged', 9, 'why', NULL, NULL, 9, 1.0, 1.0, '[null]', NULL, 'me', 'then');
UPDATE trials SET scores = '{"memory":0.5,"memory_lag":null}', score_seconds = 0.25
    WHERE finished IS NOT NULL;
"""


# Versions up to 0.2.0 had this name for rules.
FACTS_THEN = {"baselines" if name == "rules" else name: fact for name, fact in FACTS.items()}


def _store(folder: Path, schema: int) -> None:
    """Pack 0: trial 0 ok, 1 its duplicate, 2 infeasible, 3 diverged. Pack 1: nothing to train. Pack
    2: trial 5 under way."""
    folder.mkdir()
    settings = config().to_json()
    later = ("scores", "repeats")[2 * (schema > 1) :]
    later += ("pruning", "eta", "first_epochs", "cut_as", "asynchronous", "inherit")
    old = {name: value for name, value in settings.items() if name not in later}
    first, lost, under_way = CANDIDATES
    with closing(sqlite3.connect(folder / FILE)) as connection:
        connection.executescript(SCHEMA_1)
        connection.execute(
            "INSERT INTO study VALUES (?, ?, ?, ?, ?, NULL)",
            (schema, json.dumps(old), json.dumps(FACTS_THEN), "{}", "2026-01-01"),
        )
        connection.executemany(
            "INSERT INTO packs VALUES (?, ?)", [(0, '{"generation": 0}'), (1, "{}"), (2, "{}")]
        )

        def add(
            trial: int,
            pack: int,
            status: str,
            candidate: Candidate | None,
            twin: int | None = None,
            **further,
        ) -> None:
            row = {
                "trial": trial,
                "pack": pack,
                "rung": 0,
                "status": status,
                "params": '{"inter": 3}',
                "candidate": json.dumps(candidate and candidate.to_json()),
                "candidate_id": candidate and candidate.candidate_id,
                "wiring_id": candidate and candidate.wiring.wiring_id,
                "duplicate_of": twin,
                "message": "",
                "sampler_attrs": "{}",
                "asked": "then",
                **further,
            }
            columns, marks = ", ".join(row), ", ".join("?" * len(row))
            connection.execute(
                f"INSERT INTO trials ({columns}) VALUES ({marks})", tuple(row.values())
            )

        done = {
            "parameters": 30,
            "synapses": 13,
            "latency_us": 1.5,
            "train_seconds": 2.5,
            "worker": "me",
            "finished": "then",
        }
        good = {"error": 0.25, "metric": 0.75, **done}
        add(0, 0, "ok", first, **good, curve="[0.5, 0.25]", state=b"weights")
        add(1, 0, "duplicate", first, 0, **good)
        add(2, 0, "infeasible", None, message="no")
        add(3, 0, "diverged", lost, **{**done, "message": "why"}, curve="[null]")
        add(4, 1, "infeasible", None, message="no")
        add(5, 2, "running", under_way)
        if schema == 2:
            connection.executescript(SCHEMA_2)
        connection.commit()


@pytest.mark.parametrize("schema", [1, 2])
def test_a_store_of_an_earlier_schema_says_the_same(tmp_path: Path, schema: int) -> None:
    _store(tmp_path / "run", schema)
    with closing(Store.open(tmp_path / "run")) as store:
        assert store.config == config()
        assert store.facts == FACTS
        assert store.ended is None
        assert store.packs() == [
            StoredPack(0, 0, (0, 3), 0),
            StoredPack(1, 0, (), 1),
            StoredPack(2, 0, (5,), None),
        ]
        assert [store.sampler_state(pack)["told"] for pack in range(3)] == [
            0,
            0,
            1,
        ]  # two were asked for ahead
        assert store.sampler_state(0)["sampler"] == {"generation": 0}
        assert store.sampler_state(0)["exhausted"]
        trials = store.trials()
        assert [t.status for t in trials] == [
            "ok",
            "duplicate",
            "infeasible",
            "diverged",
            "infeasible",
            "running",
        ]
        assert [t.candidate for t in trials] == [
            CANDIDATES[0],
            CANDIDATES[0],
            None,
            CANDIDATES[1],
            None,
            CANDIDATES[2],
        ]
        assert [t.error for t in trials] == [0.25, 0.25, None, None, None, None]
        assert trials[0].curve == (0.5, 0.25)
        assert store.states([3, 0]) == [None, b"weights"]
        scores = {"memory": 0.5, "memory_lag": math.nan} if schema == 2 else {}
        assert repr(trials[0].scores) == repr(scores)
        assert repr(trials[1].scores) == repr(scores)
        outcomes = store.outcomes(0)
        assert list(outcomes) == [0, 3]
        assert outcomes[0].error == 0.25
        assert repr(outcomes[0].scores) == repr(scores)
        assert outcomes[3].status is Status.DIVERGED
        assert math.isnan(outcomes[3].error)
        assert outcomes[3].message == "why"
        assert store.history()["epochs"].tolist() == [store.config.epochs] * 2
        baselines = (
            [Baseline("lstm-4", Status.OK, 9, "", 0.5, 0.5, 9, 1.0, 1.0, (0.5,))]
            if schema == 2
            else []
        )
        assert store.baselines()[:1] == baselines
        assert len(store.baselines()) == 2 * (schema - 1)


@pytest.mark.parametrize("schema", [1, 2])
def test_a_store_of_an_earlier_schema_is_gone_on_with(tmp_path: Path, schema: int) -> None:
    _store(tmp_path / "run", schema)
    outcome = Outcome(Status.OK, 0.125, 0.875, 30, 13, 1.5, 2.5, (0.5, 0.125), b"more")
    with closing(Store.open(tmp_path / "run")) as store:
        store.record_checkpoint(2, {5: b"half way"})
        store.record_outcomes(2, {5: outcome}, "me")
        store.record_baseline("rnn-4", outcome, "me")
    with closing(Store.open(tmp_path / "run")) as store:
        assert store.packs()[2].finish_order == 2
        assert store.trial(5).error == 0.125
        assert store.state(5) == b"more"
        assert store.outcomes(2)[5].error == 0.125
        assert store.checkpoint(2) == {}
        assert [b.name for b in store.baselines()] == [
            *["lstm-4", "gru-4"][: 2 * (schema - 1)],
            "rnn-4",
        ]
        assert len(store.table()) == 6 + len(store.baselines())


def test_a_migrated_store_has_the_columns_of_a_new_one(tmp_path: Path) -> None:
    def columns(folder: Path) -> dict[str, set[str]]:
        with closing(sqlite3.connect(folder / FILE)) as connection:
            tables = [
                name
                for (name,) in connection.execute(
                    "SELECT name FROM sqlite_master WHERE type = 'table'"
                )
            ]
            return {
                table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
                for table in tables
            }

    _store(tmp_path / "old", 1)
    Store.open(tmp_path / "old").close()
    Store.create(tmp_path / "new", config(), FACTS).close()
    old, new = columns(tmp_path / "old"), columns(tmp_path / "new")
    old["trials"].remove("state")  # it is in rungs now, and empty here
    assert old == new


def test_a_migration_is_whole_or_not_at_all(tmp_path: Path) -> None:
    """The last table to be made is in the way already: all that came before it is taken back."""
    _store(tmp_path / "run", 1)
    with closing(sqlite3.connect(tmp_path / "run" / FILE)) as connection:
        connection.execute("CREATE TABLE openings (mine INTEGER)")
        before = list(connection.iterdump())
    with pytest.raises(Exception, match="openings"):
        Store.open(tmp_path / "run")
    with closing(sqlite3.connect(tmp_path / "run" / FILE)) as connection:
        assert list(connection.iterdump()) == before


_AFTER_3 = (
    "DROP TABLE reference_points; DROP TABLE retrained; DROP TABLE openings; "
    "UPDATE study SET schema = 3;"
)


def _use_what_came_after_3(folder: Path) -> None:
    retraining = Retraining(0, "", 0, CANDIDATES[0], 7)
    outcome = Outcome(Status.OK, 0.125, 0.875, 30, 13, 1.5, 2.5, (0.5, 0.125), b"more")
    with closing(Store.open(folder)) as store:
        assert [trial.error for trial in store.trials()][:1] == [0.25]
        store.record_reference_point(("error", "synapses"), (1.0, 20.0))
        store.record_retrainings({retraining: outcome}, "me")
        store.record_opening("winners", [retraining.key])
        store.record_test_scores({retraining.key: (0.5, 0.5)})
    with closing(Store.open(folder)) as store:
        assert store.reference_point(("error", "synapses")) == (1.0, 20.0)
        assert store.retrained_networks([retraining.key]) == [(retraining, b"more")]
        assert store.retrainings()["test_error"].tolist() == [0.5]
        assert len(store.openings()) == 1


def _fill(store: Store) -> None:
    outcome = Outcome(Status.OK, 0.25, 0.75, 30, 13, 1.5, 2.5, (0.5, 0.25), b"weights")
    store.record_pack(
        0, 0, [0], [Trial(0, 0, 0, Status.RUNNING, {}, CANDIDATES[0], None, "", {})], {}
    )
    store.record_outcomes(0, {0: outcome}, "me")


def test_what_comes_after_the_search_fits_into_a_store_of_schema_3(tmp_path: Path) -> None:
    with closing(Store.create(tmp_path, config(), FACTS)) as store:
        _fill(store)
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.executescript(_AFTER_3)
    _use_what_came_after_3(tmp_path)


def test_what_comes_after_the_search_fits_into_a_store_of_schema_1(tmp_path: Path) -> None:
    _store(tmp_path / "run", 1)
    _use_what_came_after_3(tmp_path / "run")


def test_what_comes_after_the_search_fits_into_postgresql(
    tmp_path: Path, postgres: Postgres
) -> None:
    columns = (
        "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns "
        "WHERE table_schema = '{}' ORDER BY 1, 2"
    )
    for name in ("old", "new"):
        with closing(Store.create(tmp_path / name, config(), FACTS, postgres.url)) as store:
            _fill(store)
    postgres.run(f"SET search_path TO old; {_AFTER_3}")
    _use_what_came_after_3(tmp_path / "old")
    assert postgres.run(columns.format("old")) == postgres.run(columns.format("new"))
    _use_what_came_after_3(tmp_path / "new")


@pytest.mark.parametrize("schema", [0, 99])
def test_an_unknown_schema_is_refused(tmp_path: Path, schema: int) -> None:
    Store.create(tmp_path, config(), FACTS).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("UPDATE study SET schema = ?", (schema,))
        connection.commit()
    with pytest.raises(
        ValueError, match=f"schema {schema}; this version reads schema {SCHEMA} and earlier"
    ):
        Store.open(tmp_path)
