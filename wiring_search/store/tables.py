"""The tables of a store, the same in SQLite and in PostgreSQL.

study: one row. packs: one row per pack, in the order of asking; `place` is the order of finishing.
trials: one row per trial, as it is now. rungs: one row per trial and finished rung, never changed.
checkpoints: training states of packs that were stopped while they ran. baselines: networks trained
beside the search, which the sampler never sees. reference_points: one row per set of objectives,
for hypervolumes; the first that is recorded stays. retrained: one row per winner or control and
fresh seed. openings: one row per reading of the test split; rows are only ever added.
"""

import json
from typing import Any

import sqlalchemy as sql

SCHEMA = 4


class Plain(sql.TypeDecorator):
    """Plain data as JSON text. The databases' JSON types will not do: PostgreSQL's has no NaN, and
    SQLite's is text anyway."""

    impl = sql.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sql.Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: sql.Dialect) -> Any:
        return None if value is None else json.loads(value)


def _scores() -> list[sql.Column]:
    """Columns of scores, in every table of trained networks."""
    return [
        sql.Column("error", sql.Double),
        sql.Column("metric", sql.Double),
        sql.Column("parameters", sql.Integer),
        sql.Column("latency_us", sql.Double),
        sql.Column("train_seconds", sql.Double),
    ]


METADATA = sql.MetaData()
STUDY = sql.Table(
    "study",
    METADATA,
    sql.Column("schema", sql.Integer, nullable=False),
    sql.Column("config", Plain, nullable=False),
    sql.Column("facts", Plain, nullable=False),
    sql.Column("versions", Plain, nullable=False),
    sql.Column("created", sql.String, nullable=False),
    sql.Column("ended", sql.String),
)
PACKS = sql.Table(
    "packs",
    METADATA,
    sql.Column("pack", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("rung", sql.Integer, nullable=False),
    sql.Column("members", Plain, nullable=False),
    sql.Column("place", sql.Integer, unique=True),
    sql.Column("sampler_state", Plain, nullable=False),
)
TRIALS = sql.Table(
    "trials",
    METADATA,
    sql.Column("trial", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("pack", sql.Integer, nullable=False, index=True),
    sql.Column("rung", sql.Integer, nullable=False),
    sql.Column("status", sql.String, nullable=False),
    sql.Column("params", Plain, nullable=False),
    sql.Column("candidate", Plain),
    sql.Column("candidate_id", sql.String),
    sql.Column("wiring_id", sql.String),
    sql.Column("synapses", sql.Integer),
    sql.Column("duplicate_of", sql.Integer, index=True),
    sql.Column("message", sql.String, nullable=False, default=""),
    sql.Column("sampler_attrs", Plain, nullable=False),
    sql.Column("asked", sql.String, nullable=False),
    *_scores(),
    sql.Column("score_seconds", sql.Double),
    sql.Column("scores", Plain),
    sql.Column("curve", Plain),
    sql.Column("worker", sql.String),
    sql.Column("finished", sql.String),
)
RUNGS = sql.Table(
    "rungs",
    METADATA,
    sql.Column("trial", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("rung", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("pack", sql.Integer, nullable=False, index=True),
    sql.Column("epochs", sql.Integer, nullable=False),
    sql.Column("status", sql.String, nullable=False),
    sql.Column("message", sql.String, nullable=False),
    sql.Column("synapses", sql.Integer),
    *_scores(),
    sql.Column("score_seconds", sql.Double),
    sql.Column("scores", Plain),
    sql.Column("state", sql.LargeBinary),
    sql.Column("worker", sql.String),
    sql.Column("finished", sql.String),
)
CHECKPOINTS = sql.Table(
    "checkpoints",
    METADATA,
    sql.Column("pack", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("trial", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("state", sql.LargeBinary, nullable=False),
)
BASELINES = sql.Table(
    "baselines",
    METADATA,
    sql.Column("name", sql.String, primary_key=True),
    sql.Column("place", sql.Integer, unique=True),
    sql.Column("status", sql.String, nullable=False),
    sql.Column("synapses", sql.Integer, nullable=False),
    sql.Column("message", sql.String, nullable=False),
    *_scores(),
    sql.Column("curve", Plain),
    sql.Column("state", sql.LargeBinary),
    sql.Column("worker", sql.String),
    sql.Column("finished", sql.String),
)
REFERENCE_POINTS = sql.Table(
    "reference_points",
    METADATA,
    sql.Column("objectives", sql.String, primary_key=True),
    sql.Column("point", Plain, nullable=False),
    sql.Column("noted", sql.String, nullable=False),
)
RETRAINED = sql.Table(
    "retrained",
    METADATA,
    sql.Column("trial", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("control", sql.String, primary_key=True),
    sql.Column("draw", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("candidate", Plain, nullable=False),
    sql.Column("candidate_id", sql.String, nullable=False),
    sql.Column("wiring_id", sql.String, nullable=False),
    sql.Column("seed", sql.BigInteger, nullable=False),
    sql.Column("data_seed", sql.BigInteger, nullable=False),
    sql.Column("status", sql.String, nullable=False),
    sql.Column("synapses", sql.Integer, nullable=False),
    sql.Column("message", sql.String, nullable=False),
    *_scores(),
    sql.Column("opening", sql.Integer),
    sql.Column("test_error", sql.Double),
    sql.Column("test_metric", sql.Double),
    sql.Column("tested", sql.String),
    sql.Column("curve", Plain),
    sql.Column("state", sql.LargeBinary),
    sql.Column("worker", sql.String),
    sql.Column("finished", sql.String),
)
OPENINGS = sql.Table(
    "openings",
    METADATA,
    sql.Column("opening", sql.Integer, primary_key=True, autoincrement=False),
    sql.Column("opened", sql.String, nullable=False),
    sql.Column("purpose", sql.String, nullable=False),
    sql.Column("networks", Plain, nullable=False),
)
