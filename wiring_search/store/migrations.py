"""Bringing stores of earlier schemas up to date, step by step, when they are opened.

Each step is written in plain SQL: `wiring_search.store.tables` describes the last schema, which no
earlier step may use.
"""

import json

import sqlalchemy as sql

from wiring_search.store.tables import SCHEMA


def is_up_to_date(connection: sql.Connection) -> bool:
    return _schema(connection) == SCHEMA


def bring_up_to_date(connection: sql.Connection) -> None:
    """Take all steps that this store lacks, in the caller's transaction.

    Raises:
        ValueError: This version does not know the store's schema.
    """
    schema = _schema(connection)
    if not 1 <= schema <= SCHEMA:
        raise ValueError(
            f"it has store schema {schema}; this version reads schema {SCHEMA} and earlier ones. "
            "Install the version that wrote it, or a later one"
        )
    for step in _STEPS[schema - 1 :]:
        step(connection)
    if schema < SCHEMA:
        connection.execute(sql.text("UPDATE study SET schema = :schema"), {"schema": SCHEMA})


def _schema(connection: sql.Connection) -> int:
    schemas = connection.execute(sql.text("SELECT schema FROM study")).scalars().all()
    if len(schemas) != 1:
        raise ValueError(
            f"its table `study` has {len(schemas)} rows, and a store holds 1 study; restore a copy"
        )
    return schemas[0]


def _scores_besides(connection: sql.Connection) -> None:
    """1 to 2: further scores of candidates."""
    connection.execute(sql.text("ALTER TABLE trials ADD COLUMN score_seconds FLOAT"))
    connection.execute(sql.text("ALTER TABLE trials ADD COLUMN scores JSON"))


def _rungs_of_budget(connection: sql.Connection) -> None:
    """2 to 3: packs have members, a rung and an order of finishing; rungs and baselines are kept.

    In schema 2 every pack had the full budget, and finished in the order of asking.
    """
    for statement in _RUNGS_OF_BUDGET.split(";"):
        connection.execute(sql.text(statement))
    config = json.loads(connection.execute(sql.text("SELECT config FROM study")).scalar_one())
    connection.execute(
        sql.text(
            "INSERT INTO rungs "
            f"SELECT trial, 0, pack, :epochs, status, message, synapses, {_SCORES} FROM trials "
            "WHERE status NOT IN ('running', 'infeasible', 'duplicate')"
        ),
        {"epochs": config["epochs"]},
    )
    connection.execute(
        sql.text("UPDATE trials SET state = NULL")
    )  # a column that no later schema has
    members: dict[int, list[int]] = {
        pack: [] for (pack,) in connection.execute(sql.text("SELECT pack FROM packs ORDER BY pack"))
    }
    under_way = set()
    query = (
        "SELECT pack, trial, status FROM trials "
        "WHERE status NOT IN ('infeasible', 'duplicate') ORDER BY trial"
    )
    for pack, trial, status in connection.execute(sql.text(query)):
        members[pack].append(trial)
        if status == "running":
            under_way.add(pack)
    # A pack was asked for when fewer than `ahead` were running. It was the last one if it is not
    # full.
    trained = 0
    for pack, state in connection.execute(
        sql.text("SELECT pack, sampler_state FROM packs ORDER BY pack")
    ).all():
        exhausted = len(members[pack]) < min(config["pack_size"], config["trials"] - trained)
        noted = {
            "told": max(pack - config["ahead"] + 1, 0),
            "exhausted": exhausted,
            "sampler": json.loads(state),
        }
        update = sql.text("UPDATE packs SET sampler_state = :state WHERE pack = :pack")
        connection.execute(update, {"state": json.dumps(noted), "pack": pack})
        trained += len(members[pack])
    indices = {
        pack: index for index, pack in enumerate(pack for pack in members if pack not in under_way)
    }
    if members:
        connection.execute(
            sql.text("UPDATE packs SET members = :members, place = :place WHERE pack = :pack"),
            [
                {"pack": pack, "members": json.dumps(trials), "place": indices.get(pack)}
                for pack, trials in members.items()
            ],
        )


_SCORES = (
    "error, metric, parameters, latency_us, train_seconds, score_seconds, scores, state, worker, "
    "finished"
)
_RUNGS_OF_BUDGET = """
ALTER TABLE packs ADD COLUMN rung INTEGER NOT NULL DEFAULT 0;
ALTER TABLE packs ADD COLUMN members TEXT NOT NULL DEFAULT '[]';
ALTER TABLE packs ADD COLUMN place INTEGER;
CREATE UNIQUE INDEX ix_packs_place ON packs (place);
CREATE INDEX ix_trials_duplicate_of ON trials (duplicate_of);
CREATE TABLE rungs (
    trial INTEGER NOT NULL, rung INTEGER NOT NULL, pack INTEGER NOT NULL,
    epochs INTEGER NOT NULL, status VARCHAR NOT NULL, message VARCHAR NOT NULL,
    synapses INTEGER, error DOUBLE, metric DOUBLE, parameters INTEGER, latency_us DOUBLE,
    train_seconds DOUBLE, score_seconds DOUBLE, scores TEXT, state BLOB, worker VARCHAR,
    finished VARCHAR, PRIMARY KEY (trial, rung)
);
CREATE INDEX ix_rungs_pack ON rungs (pack);
CREATE TABLE checkpoints (
    pack INTEGER NOT NULL, trial INTEGER NOT NULL, state BLOB NOT NULL, PRIMARY KEY (pack, trial)
);
CREATE TABLE IF NOT EXISTS baselines (
    name VARCHAR NOT NULL PRIMARY KEY, status VARCHAR NOT NULL, synapses INTEGER NOT NULL,
    message VARCHAR NOT NULL, error FLOAT, metric FLOAT, parameters INTEGER, latency_us FLOAT,
    train_seconds FLOAT, curve JSON, state BLOB, worker VARCHAR, finished VARCHAR
);
ALTER TABLE baselines ADD COLUMN place INTEGER;
UPDATE baselines SET place = rowid;
CREATE UNIQUE INDEX ix_baselines_place ON baselines (place)
"""


def _what_comes_after_the_search(connection: sql.Connection) -> None:
    """3 to 4: reference points of hypervolumes, retrained winners, and openings of the test split.

    From 3 on, a store may be in PostgreSQL.
    """
    blob = "BYTEA" if connection.dialect.name == "postgresql" else "BLOB"
    for statement in _AFTER_THE_SEARCH.format(blob=blob).split(";"):
        connection.execute(sql.text(statement))


_AFTER_THE_SEARCH = """
CREATE TABLE reference_points (
    objectives VARCHAR NOT NULL PRIMARY KEY, point TEXT NOT NULL, noted VARCHAR NOT NULL
);
CREATE TABLE retrained (
    trial INTEGER NOT NULL, control VARCHAR NOT NULL, draw INTEGER NOT NULL,
    candidate TEXT NOT NULL, candidate_id VARCHAR NOT NULL, wiring_id VARCHAR NOT NULL,
    seed BIGINT NOT NULL, data_seed BIGINT NOT NULL, status VARCHAR NOT NULL,
    synapses INTEGER NOT NULL, message VARCHAR NOT NULL, error DOUBLE PRECISION,
    metric DOUBLE PRECISION, parameters INTEGER, latency_us DOUBLE PRECISION,
    train_seconds DOUBLE PRECISION, opening INTEGER, test_error DOUBLE PRECISION,
    test_metric DOUBLE PRECISION, tested VARCHAR, curve TEXT, state {blob}, worker VARCHAR,
    finished VARCHAR, PRIMARY KEY (trial, control, draw)
);
CREATE TABLE openings (
    opening INTEGER NOT NULL PRIMARY KEY, opened VARCHAR NOT NULL, purpose VARCHAR NOT NULL,
    networks TEXT NOT NULL
)
"""
_STEPS = (_scores_besides, _rungs_of_budget, _what_comes_after_the_search)
