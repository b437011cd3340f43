"""The results store: the one source of truth of a study, in SQL.

A trial is written twice: when its pack is asked for (all trials of a pack in one transaction), and when it is
finished (likewise), before the sampler hears of it. Whatever is killed in between, a study that is opened again finds
packs that were asked for and not finished, and nothing half written. Tables, plots and the report are computed from
here alone, also while the search runs. Baselines that were trained beside the search have a table of their own, which
the sampler never sees; stores without one are those that have none.
"""

import math
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql
from filelock import FileLock, Timeout

from wiring_search import __version__
from wiring_search.candidate import Candidate
from wiring_search.config import StudyConfig
from wiring_search.records import Outcome, Status
from wiring_search.score_names import ALWAYS

if TYPE_CHECKING:
    import pandas

SCHEMA = 2
FILE = "results.sqlite"
_SCORES = ("error", "synapses", "parameters", "latency_us", "train_seconds")

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
    sql.Column("score_seconds", sql.Float),
    sql.Column("scores", sql.JSON),
    sql.Column("curve", sql.JSON),
    sql.Column("state", sql.LargeBinary),
    sql.Column("worker", sql.String),
    sql.Column("finished", sql.String),
)
_baselines = sql.Table(
    "baselines",
    _metadata,
    sql.Column("name", sql.String, primary_key=True),
    sql.Column("status", sql.String, nullable=False),
    sql.Column("synapses", sql.Integer, nullable=False),
    sql.Column("message", sql.String, nullable=False),
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
    synapses: int | None = None
    latency_us: float | None = None
    train_seconds: float | None = None
    score_seconds: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()

    @property
    def finished(self) -> bool:
        return self.status is not Status.RUNNING and (self.duplicate_of is None or self.error is not None or bool(self.message))

    def score(self, name: str) -> float:
        """A score by its name, NaN where there is none."""
        return _score(self, name)


@dataclass(frozen=True)
class Baseline:
    """One network that was trained to be compared with; see `wiring_search.baselines`."""

    name: str
    status: Status
    synapses: int
    message: str
    error: float | None
    metric: float | None
    parameters: int
    latency_us: float | None
    train_seconds: float | None
    curve: tuple[float, ...]

    def score(self, name: str) -> float:
        """A score by its name, NaN where there is none."""
        return _score(self, name)


class Store:
    """A study's store in a run folder. Make one with `create` or `open`."""

    def __init__(self, folder: Path, engine: sql.Engine) -> None:
        self.folder = folder
        self._engine = engine
        _bring_up_to_date(engine)
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
                scores, state = _scores(outcome, worker) | _measured(outcome), _trained(outcome)
                connection.execute(sql.update(_trials).where(_trials.c.trial == number).values(**scores, **state))
                connection.execute(sql.update(_trials).where(_trials.c.duplicate_of == number).values(**scores))

    def baseline_finished(self, name: str, outcome: Outcome, worker: str) -> None:
        """Write a baseline's outcome. Raises ValueError where it was written before."""
        row = {**_scores(outcome, worker), **_trained(outcome), "name": name}
        with self._engine.begin() as connection:
            _baselines.create(connection, checkfirst=True)  # a study of an earlier version has none
            try:
                connection.execute(sql.insert(_baselines), row)
            except sql.exc.IntegrityError:
                raise ValueError(f"{self.folder} has baseline {name!r} already; a baseline is trained once") from None

    def baselines(self) -> list[Baseline]:
        """All baselines that have been trained, in the order of training."""
        columns = [column for column in _baselines.columns if column.name not in ("state", "worker", "finished")]
        with self._engine.connect() as connection:
            if not sql.inspect(connection).has_table(_baselines.name):
                return []
            rows = connection.execute(sql.select(*columns).order_by(sql.text("rowid"))).mappings()
            return [Baseline(**{**row, "status": Status(row["status"]), "curve": _curve(row["curve"])}) for row in rows]

    def baseline_state(self, name: str) -> bytes | None:
        """The training state that a baseline ended with."""
        with self._engine.connect() as connection:
            return connection.execute(sql.select(_baselines.c.state).where(_baselines.c.name == name)).scalar_one_or_none()

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

    def trial(self, number: int) -> Trial:
        """Raises ValueError where there is no such trial."""
        trials = self.trials()
        if not 0 <= number < len(trials):
            raise ValueError(f"{self.folder} has no trial {number}; its trials are 0 to {len(trials) - 1}")
        return trials[number]

    def state(self, trial: int) -> bytes | None:
        """The training state that a trial ended with."""
        with self._engine.connect() as connection:
            return connection.execute(sql.select(_trials.c.state).where(_trials.c.trial == trial)).scalar_one_or_none()

    def table(self) -> "pandas.DataFrame":
        """One row a trial, scores and parameters as columns, then one row a trained baseline, which has a name in the
        column `baseline` and nothing in those that are about trials; see `wiring_search.results` for what is exported."""
        import pandas

        trials, dimensions = self.trials(), list(self.config.space["dimensions"])
        further = [name for name in self.config.measured if name not in ALWAYS]
        columns = [
            *("trial", "rung", "status", "wiring_id", "seed", *_SCORES, self.facts["metric"], *further, "score_seconds"),
            *("epochs", "pack", "duplicate_of", "message", "baseline"),
            *(f"p.{name}" for name in dimensions),
        ]
        rows = [self._row(row) for row in (*trials, *self.baselines())]
        # Whole numbers stay so, also where some rows have none.
        whole = ["trial", "rung", "synapses", "parameters", "pack", "duplicate_of"]
        whole += [f"p.{name}" for name in dimensions if all(isinstance(t.params.get(name, 0), int) for t in trials)]
        return pandas.DataFrame(rows, columns=columns).astype(dict.fromkeys(whole, "Int64"))

    def _row(self, row: Trial | Baseline) -> dict[str, Any]:
        of_all = {
            "status": row.status.value,
            "seed": self.config.seed,
            **{name: row.score(name) for name in (*_SCORES, *self.config.measured, "score_seconds")},
            self.facts["metric"]: row.score("metric"),
            "epochs": self.config.epochs,
            "message": row.message,
        }
        if isinstance(row, Baseline):
            return {**of_all, "baseline": row.name}
        return {
            **of_all,
            "trial": row.trial,
            "rung": row.rung,
            "wiring_id": row.candidate.wiring.wiring_id if row.candidate else None,
            "pack": row.pack,
            "duplicate_of": row.duplicate_of,
            "baseline": "",
            **{f"p.{name}": value for name, value in row.params.items()},
        }


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


def _bring_up_to_date(engine: sql.Engine) -> None:
    """A store of schema 1 lacks what candidates are scored on besides."""
    with engine.begin() as connection:
        if connection.execute(sql.select(_study.c.schema)).scalar_one() == 1:
            for column in (_trials.c.score_seconds, _trials.c.scores):
                kind = column.type.compile(engine.dialect)
                connection.execute(sql.text(f"ALTER TABLE trials ADD COLUMN {column.name} {kind}"))
            connection.execute(sql.update(_study).values(schema=SCHEMA))


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
        synapses=row.synapses,
        latency_us=row.latency_us,
        train_seconds=row.train_seconds,
        score_seconds=row.score_seconds,
        scores={name: math.nan if value is None else value for name, value in (row.scores or {}).items()},
        curve=_curve(row.curve),
    )


def _score(row: Trial | Baseline, name: str) -> float:
    value = row.scores.get(name) if isinstance(row, Trial) and name in row.scores else getattr(row, name, None)
    return math.nan if value is None else float(value)


def _scores(outcome: Outcome, worker: str) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {
        "error": number(outcome.error),
        "metric": number(outcome.metric),
        "parameters": outcome.parameters,
        "synapses": outcome.synapses,
        "latency_us": number(outcome.latency_us),
        "train_seconds": number(outcome.train_seconds),
        "message": outcome.message,
        "worker": worker,
        "finished": _now(),
    }


def _measured(outcome: Outcome) -> dict[str, Any]:
    """JSON knows no NaN: a score that could not be measured is null."""
    scores = {name: value if math.isfinite(value) else None for name, value in outcome.scores.items()}
    return {"scores": scores, "score_seconds": outcome.score_seconds}


def _trained(outcome: Outcome) -> dict[str, Any]:
    """JSON knows no NaN: an epoch that had none is null."""
    curve = [value if math.isfinite(value) else None for value in outcome.curve]
    return {"status": outcome.status.value, "curve": curve, "state": outcome.state}


def _curve(stored: list[float | None] | None) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in stored or ())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    packages = ("torch", "optuna", "ray", "numba", "numpy")
    return {"wiring-search": __version__, "python": platform.python_version(), **{name: version(name) for name in packages}}
