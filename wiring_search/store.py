"""The results store: the one source of truth of a study, in SQL.

A trial is written twice: when its pack is asked for (all trials of a pack in one transaction), and when it is
finished (likewise), before the sampler hears of it. Whatever is killed in between, a study that is opened again finds
packs that were asked for and not finished, and nothing half written. Tables, plots and the report are computed from
here alone, also while the search runs.
"""

import json
import math
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql
from filelock import FileLock, Timeout

from wiring_search import __version__
from wiring_search.candidate import Candidate
from wiring_search.config import StudyConfig
from wiring_search.records import Outcome, Status

if TYPE_CHECKING:
    import pandas

SCHEMA = 1
FILE = "results.sqlite"

_metadata = sql.MetaData()
_study = sql.Table(
    "study",
    _metadata,
    sql.Column("schema", sql.Integer, nullable=False),
    sql.Column("config", sql.JSON, nullable=False),
    sql.Column("facts", sql.JSON, nullable=False),
    sql.Column("versions", sql.JSON, nullable=False),
    sql.Column("created", sql.String, nullable=False),
    sql.Column("ended", sql.String),
)
_packs = sql.Table(
    "packs",
    _metadata,
    sql.Column("pack", sql.Integer, primary_key=True),
    sql.Column("sampler_state", sql.JSON, nullable=False),
)
_trials = sql.Table(
    "trials",
    _metadata,
    sql.Column("trial", sql.Integer, primary_key=True),
    sql.Column("pack", sql.Integer, nullable=False, index=True),
    sql.Column("rung", sql.Integer, nullable=False),
    sql.Column("status", sql.String, nullable=False),
    sql.Column("params", sql.JSON, nullable=False),
    sql.Column("candidate", sql.JSON),
    sql.Column("candidate_id", sql.String),
    sql.Column("wiring_id", sql.String),
    sql.Column("synapses", sql.Integer),
    sql.Column("duplicate_of", sql.Integer),
    sql.Column("message", sql.String, nullable=False, default=""),
    sql.Column("sampler_attrs", sql.JSON, nullable=False),
    sql.Column("asked", sql.String, nullable=False),
    sql.Column("error", sql.Float),
    sql.Column("metric", sql.Float),
    sql.Column("parameters", sql.Integer),
    sql.Column("latency_us", sql.Float),
    sql.Column("train_seconds", sql.Float),
    sql.Column("curve", sql.JSON),
    sql.Column("state", sql.LargeBinary),
    sql.Column("worker", sql.String),
    sql.Column("finished", sql.String),
)


@dataclass(frozen=True)
class Trial:
    """One row. What a trial has not (yet) got is None: candidate where infeasible, scores until finished."""

    trial: int
    pack: int
    rung: int
    status: Status
    params: dict[str, Any]
    candidate: Candidate | None
    duplicate_of: int | None
    message: str
    sampler_attrs: dict[str, Any]
    error: float | None = None
    metric: float | None = None
    parameters: int | None = None
    latency_us: float | None = None
    train_seconds: float | None = None
    curve: tuple[float, ...] = ()

    @property
    def synapses(self) -> int | None:
        return self.candidate.wiring.synapse_count if self.candidate else None

    @property
    def finished(self) -> bool:
        return self.status is not Status.RUNNING and (self.duplicate_of is None or self.error is not None or bool(self.message))

    def score(self, name: str) -> float:
        """A score by its name, NaN where there is none."""
        value = getattr(self, name)
        return math.nan if value is None else float(value)


class Store:
    """A study's store in a run folder. Make one with `create` or `open`."""

    def __init__(self, folder: Path, engine: sql.Engine) -> None:
        self.folder = folder
        self._engine = engine
        with engine.connect() as connection:
            row = connection.execute(sql.select(_study)).one()
        if row.schema != SCHEMA:
            raise ValueError(f"{folder} was written with store schema {row.schema}; this version reads schema {SCHEMA}")
        self.config = StudyConfig.from_json(row.config)
        self.facts: dict[str, Any] = row.facts
        self.versions: dict[str, str] = row.versions
        self.created: str = row.created
        self.ended: str | None = row.ended

    @classmethod
    def create(cls, folder: Path, config: StudyConfig, facts: dict[str, Any]) -> "Store":
        """A new study in `folder`. facts: what tables and reports say about the task (metric, baselines …).

        Raises ValueError where the folder holds a study already.
        """
        if exists(folder):
            raise ValueError(f"{folder} holds a study already; resume it, or choose another folder")
        folder.mkdir(parents=True, exist_ok=True)
        engine = _engine(folder)
        row = {"schema": SCHEMA, "config": config.to_json(), "facts": facts, "versions": _versions(), "created": _now()}
        with engine.begin() as connection:
            _metadata.create_all(connection)
            connection.execute(sql.insert(_study), row)
        return cls(folder, engine)

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """The study in `folder`. Raises ValueError where there is none."""
        if not exists(folder):
            raise ValueError(f"{folder} holds no study ({FILE} is not there); name a folder that `wiring-search search` wrote")
        return cls(folder, _engine(folder))

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Be the only driver of this study; a dead driver's hold ends with it. Raises ValueError where another one
        lives."""
        lock = FileLock(self.folder / "driver.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise ValueError(f"another search is running on {self.folder}; wait for it, or choose another folder") from None
        try:
            yield
        finally:
            lock.release()

    def asked(self, pack: int, trials: Iterable[Trial], sampler_state: dict[str, Any]) -> None:
        """Write a pack that was asked for: all its trials or none."""
        rows = [
            {
                "trial": t.trial,
                "pack": pack,
                "rung": t.rung,
                "status": t.status.value,
                "params": t.params,
                "candidate": t.candidate.to_json() if t.candidate else None,
                "candidate_id": t.candidate.candidate_id if t.candidate else None,
                "wiring_id": t.candidate.wiring.wiring_id if t.candidate else None,
                "synapses": t.synapses,
                "duplicate_of": t.duplicate_of,
                "message": t.message,
                "sampler_attrs": t.sampler_attrs,
                "asked": _now(),
            }
            for t in trials
        ]
        with self._engine.begin() as connection:
            connection.execute(sql.insert(_packs), {"pack": pack, "sampler_state": sampler_state})
            if rows:
                connection.execute(sql.insert(_trials), rows)

    def finished(self, outcomes: dict[int, Outcome], worker: str) -> None:
        """Write outcomes by trial number, and repeat them in the rows of their duplicates: all or none."""
        with self._engine.begin() as connection:
            for number, outcome in outcomes.items():
                scores = _scores(outcome, worker)
                state = {"status": outcome.status.value, "curve": json.loads(_json(outcome.curve)), "state": outcome.state}
                connection.execute(sql.update(_trials).where(_trials.c.trial == number).values(**scores, **state))
                connection.execute(sql.update(_trials).where(_trials.c.duplicate_of == number).values(**scores))

    def end(self) -> None:
        """Note that the study has run to its end."""
        with self._engine.begin() as connection:
            connection.execute(sql.update(_study).values(ended=_now()))

    def packs(self) -> int:
        """How many packs have been asked for."""
        with self._engine.connect() as connection:
            return connection.execute(sql.select(sql.func.count()).select_from(_packs)).scalar_one()

    def sampler_state(self, pack: int) -> dict[str, Any]:
        with self._engine.connect() as connection:
            return connection.execute(sql.select(_packs.c.sampler_state).where(_packs.c.pack == pack)).scalar_one()

    def trials(self, pack: int | None = None) -> list[Trial]:
        """All trials, or those of one pack, by number."""
        columns = [column for column in _trials.columns if column.name != "state"]
        query = sql.select(*columns).order_by(_trials.c.trial)
        if pack is not None:
            query = query.where(_trials.c.pack == pack)
        with self._engine.connect() as connection:
            return [_trial(row) for row in connection.execute(query)]

    def state(self, trial: int) -> bytes | None:
        """The training state that a trial ended with."""
        with self._engine.connect() as connection:
            return connection.execute(sql.select(_trials.c.state).where(_trials.c.trial == trial)).scalar_one_or_none()

    def table(self) -> "pandas.DataFrame":
        """One row a trial, scores and parameters as columns; see `wiring_search.results` for what is exported."""
        import pandas

        metric, seed, epochs = self.facts["metric"], self.config.seed, self.config.epochs
        dimensions = list(self.config.space["dimensions"])
        rows = [
            {
                "trial": t.trial,
                "rung": t.rung,
                "status": t.status.value,
                "wiring_id": t.candidate.wiring.wiring_id if t.candidate else None,
                "seed": seed,
                **{name: t.score(name) for name in ("error", "synapses", "parameters", "latency_us", "train_seconds")},
                metric: t.score("metric"),
                "epochs": epochs,
                "pack": t.pack,
                "duplicate_of": t.duplicate_of,
                "message": t.message,
                **{f"p.{name}": t.params.get(name) for name in dimensions},
            }
            for t in self.trials()
        ]
        columns = [
            *("trial", "rung", "status", "wiring_id", "seed", "error", "synapses", "parameters", "latency_us", "train_seconds"),
            *(metric, "epochs", "pack", "duplicate_of", "message"),
            *(f"p.{name}" for name in dimensions),
        ]
        table = pandas.DataFrame(rows, columns=columns)
        return table.astype({name: "Int64" for name in ("synapses", "parameters", "duplicate_of")})


def exists(folder: Path) -> bool:
    """Whether `folder` holds a study: a search killed while it made the store has left none."""
    if not (folder / FILE).is_file():
        return False
    engine = _engine(folder)
    try:
        with engine.connect() as connection:
            return (
                sql.inspect(connection).has_table("study") and connection.execute(sql.select(_study.c.schema)).first() is not None
            )
    finally:
        engine.dispose()


def _engine(folder: Path) -> sql.Engine:
    engine = sql.create_engine(f"sqlite:///{folder / FILE}", connect_args={"timeout": 30})

    @sql.event.listens_for(engine, "connect")
    def use_write_ahead_log(connection: Any, _: Any) -> None:
        # Readers are not blocked by the writer, and a killed writer leaves the last whole transaction.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def _trial(row: Any) -> Trial:
    return Trial(
        trial=row.trial,
        pack=row.pack,
        rung=row.rung,
        status=Status(row.status),
        params=row.params,
        candidate=Candidate.from_json(row.candidate) if row.candidate else None,
        duplicate_of=row.duplicate_of,
        message=row.message,
        sampler_attrs=row.sampler_attrs,
        error=row.error,
        metric=row.metric,
        parameters=row.parameters,
        latency_us=row.latency_us,
        train_seconds=row.train_seconds,
        curve=tuple(math.nan if value is None else value for value in row.curve or ()),
    )


def _scores(outcome: Outcome, worker: str) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "error": number(outcome.error),
        "metric": number(outcome.metric),
        "parameters": outcome.parameters,
        "latency_us": number(outcome.latency_us),
        "train_seconds": number(outcome.train_seconds),
        "message": outcome.message,
        "worker": worker,
        "finished": _now(),
    }


def _json(curve: tuple[float, ...]) -> str:
    return json.dumps([value if math.isfinite(value) else None for value in curve])


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "optuna", "ray", "numba", "numpy")
    return {"wiring-search": __version__, "python": platform.python_version(), **{name: version(name) for name in packages}}
