"""A study's store: what is written, and when; what is read."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from wiring_search.store import after_search as after
from wiring_search.store import frames
from wiring_search.store.config import StudyConfig
from wiring_search.store.environment import environment
from wiring_search.store.errors import told
from wiring_search.store.location import FILE, engine_of, exists, holds_study, point, server_of
from wiring_search.store.locks import file_held, refuse_lost, session_held
from wiring_search.store.migrations import bring_up_to_date, is_up_to_date
from wiring_search.store.postgres import Server, make_schema
from wiring_search.store.postgres import engine_of as engine_on
from wiring_search.store.rows import (
    Baseline,
    Retraining,
    StoredPack,
    Trial,
    asked_row,
    curve_of,
    measured_row,
    now,
    outcome_of,
    scores_row,
    trained_row,
    trial_of,
)
from wiring_search.store.tables import (
    BASELINES,
    CHECKPOINTS,
    METADATA,
    PACKS,
    RETRAINED,
    RUNGS,
    SCHEMA,
    STUDY,
    TRIALS,
)
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Outcome, Status

if TYPE_CHECKING:
    import pandas

_NOT_TRIAL = ("worker", "finished", "asked")
_NOT_RUNG = [column for column in RUNGS.columns if column.name != "state"]
# What duplicates repeat of the trial that they are equal to.
_TIMES = ("train_seconds", "score_seconds")
_REPEATED = (
    *(
        "rung",
        "message",
        "error",
        "metric",
        "parameters",
        "synapses",
        "latency_us",
        *_TIMES,
        "scores",
    ),
    *("worker", "finished"),
)


class Store:
    """A study's store in a run folder. Make one with `create` or `open`."""

    def __init__(self, folder: Path, engine: sql.Engine) -> None:
        self.folder = folder
        self._engine = engine
        self._writer = engine.execution_options(writes=True)
        self._lease: sql.Connection | None = None
        self._bring_up_to_date()
        with self._reading() as connection:
            row = connection.execute(sql.select(STUDY)).one()
        self.config = self._declared(StudyConfig.from_json(row.config))
        self.facts: dict[str, Any] = row.facts
        self.versions: dict[str, str] = row.versions
        self.created: str = row.created

    @classmethod
    def create(
        cls, folder: Path, config: StudyConfig, facts: dict[str, Any], url: str | None = None
    ) -> "Store":
        """A new study in `folder`. facts: what tables and reports say about the task (metric,
        baselines …). url: of a PostgreSQL database to keep it in, under the folder's name; without
        it, a file in the folder.

        Raises ValueError where the folder holds a study already, or the database one of that name.
        """
        if exists(folder):
            raise ValueError(f"{folder} holds a study already; resume it, or choose another folder")
        if url is not None:
            server = Server(url, folder.resolve().name)
            _refuse_taken(folder, server)
            point(folder, server)
        folder.mkdir(parents=True, exist_ok=True)
        engine = engine_of(folder)
        row = {
            "schema": SCHEMA,
            "config": config.to_json(),
            "facts": facts,
            "versions": environment(),
            "created": now(),
        }
        with told(folder), engine.execution_options(writes=True).begin() as connection:
            if url is not None:
                make_schema(connection, server.study)
            METADATA.create_all(connection)
            if connection.execute(sql.select(STUDY.c.schema)).first() is not None:
                raise ValueError(
                    f"{folder} holds a study already; resume it, or choose another folder"
                )
            connection.execute(sql.insert(STUDY), row)
        return cls(folder, engine)

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """The study in `folder`, brought up to date where it was written by an earlier version.
        Raises ValueError where there is none, StoreFault where it cannot be read."""
        if not exists(folder):
            server = server_of(folder)
            missing = f"{FILE} is not there" if server is None else f"there is no {server}"
            raise ValueError(
                f"{folder} holds no study ({missing}); name a folder that `wiring-search search` wrote"
            )
        return cls(folder, engine_of(folder))

    @classmethod
    def attach(cls, folder: Path, url: str, name: str | None = None) -> "Store":
        """Make `folder` one of a study that is in a PostgreSQL database already, such as on another
        machine. name: the study's, by default the folder's. Raises ValueError where the folder
        holds a study, or the database none of that name.
        """
        if exists(folder):
            raise ValueError(f"{folder} holds a study already; choose another folder")
        server = Server(url, name or folder.resolve().name)
        if not _is_there(folder, server):
            raise ValueError(
                f"there is no {server}; name one that `wiring-search search` wrote there"
            )
        point(folder, server)
        return cls.open(folder)

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only driver of this study; a dead driver's hold ends with it. Raises ValueError
        where another one lives, naming it."""
        server = server_of(self.folder)
        if server is None:
            with file_held(self.folder):
                yield
            return
        with session_held(self.folder, server.study, self._engine) as self._lease:
            try:
                yield
            finally:
                self._lease = None

    @contextmanager
    def _writing(self) -> Iterator[sql.Connection]:
        """A transaction: all that is written in it, or nothing. It goes over the connection that
        holds the study, where one does, so it fails where the hold was lost."""
        with told(self.folder):
            if self._lease is None:
                with self._writer.begin() as connection:
                    yield connection
            else:
                refuse_lost(self.folder, self._lease)
                with self._lease.begin():
                    yield self._lease

    @contextmanager
    def _reading(self) -> Iterator[sql.Connection]:
        with told(self.folder), self._engine.connect() as connection:
            yield connection

    def _declared(self, config: StudyConfig) -> StudyConfig:
        """Make the names of the study's extension known. No code of it runs, but for a study of
        version 0.2.0 or earlier: its code says what it defines, once, and that is kept."""
        extension = config.extension
        if extension is None:
            return config
        if extension.contents is None:
            config = replace(config, extension=extension.described())
            with self._writing() as connection:
                connection.execute(sql.update(STUDY).values(config=config.to_json()))
        assert config.extension is not None
        config.extension.declare()
        return config

    def _bring_up_to_date(self) -> None:
        try:
            with self._reading() as connection:
                if is_up_to_date(connection):
                    return
            with self._writing() as connection:
                bring_up_to_date(connection)
        except ValueError as fault:
            raise ValueError(f"{self.folder} cannot be read: {fault}") from None

    def record_pack(
        self,
        pack: int,
        rung: int,
        members: Sequence[int],
        trials: Iterable[Trial],
        sampler_state: dict[str, Any],
    ) -> None:
        """Write a pack that was asked for, all of it or nothing: the pack, the trials that are new,
        and that the others of its members, which were promoted, are running again.

        members: trials that train in the pack, in order. trials: the new ones, also those that are
        infeasible or duplicates (a duplicate of one that is finished gets its scores at once).
        Raises ValueError for a member that there is not.
        """
        rows = [asked_row(trial) for trial in trials]
        new = {row["trial"] for row in rows}
        promoted = [trial for trial in members if trial not in new]
        with self._writing() as connection:
            connection.execute(
                sql.insert(PACKS),
                {
                    "pack": pack,
                    "rung": rung,
                    "members": list(members),
                    "sampler_state": sampler_state,
                },
            )
            if rows:
                connection.execute(sql.insert(TRIALS), rows)
            _repeat_known(connection, rows)
            if promoted:
                running = (
                    sql.update(TRIALS)
                    .where(TRIALS.c.trial.in_(promoted))
                    .values(status=Status.RUNNING.value)
                )
                if connection.execute(running).rowcount != len(promoted):
                    raise ValueError(
                        f"pack {pack} of {self.folder} has a member that was never asked for, among {promoted}"
                    )

    def record_outcomes(self, pack: int, outcomes: dict[int, Outcome], worker: str) -> None:
        """Write what a pack gave, by trial, all of it or nothing: in the history of rungs, in the
        rows of the trials, and in those of their duplicates. The pack's checkpoint is deleted.

        Raises ValueError for a pack that is not under way, and where outcomes are not those of its
        members.
        """
        scores = {
            trial: {**scores_row(outcome, worker), **measured_row(outcome)}
            for trial, outcome in outcomes.items()
        }
        with self._writing() as connection:
            rung = self._close_pack(connection, pack, set(outcomes))
            if not outcomes:
                return
            of_rung = {"pack": pack, "rung": rung, "epochs": self.config.rungs[rung].epochs}
            states = {trial: outcome.state for trial, outcome in outcomes.items()}
            history = [
                {**row, **of_rung, "trial": trial, "state": states[trial]}
                for trial, row in scores.items()
            ]
            connection.execute(sql.insert(RUNGS), history)
            own = (*_REPEATED, "status", "curve")
            rows = {
                trial: {**scores[trial], **trained_row(outcome), "rung": rung}
                for trial, outcome in outcomes.items()
            }
            connection.execute(
                _update(own, TRIALS.c.trial), [_new(trial, row, own) for trial, row in rows.items()]
            )
            connection.execute(
                _update(_REPEATED, TRIALS.c.duplicate_of),
                [_new(trial, row, _REPEATED) for trial, row in rows.items()],
            )
            connection.execute(sql.delete(CHECKPOINTS).where(CHECKPOINTS.c.pack == pack))

    def _close_pack(self, connection: sql.Connection, pack: int, trials: set[int]) -> int:
        """Give the pack its place among the finished ones; its rung."""
        row = connection.execute(
            sql.select(PACKS.c.rung, PACKS.c.members, PACKS.c.place).where(PACKS.c.pack == pack)
        ).first()
        if row is None or row.place is not None:
            raise ValueError(
                f"pack {pack} of {self.folder} is not under way: it {'was never asked for' if row is None else 'is finished'}"
            )
        if set(row.members) != trials:
            raise ValueError(
                f"pack {pack} of {self.folder} has the members {row.members}; there are outcomes of {sorted(trials)}"
            )
        place = connection.execute(
            sql.select(sql.func.coalesce(sql.func.max(PACKS.c.place), -1) + 1)
        ).scalar_one()
        connection.execute(sql.update(PACKS).where(PACKS.c.pack == pack).values(place=place))
        return row.rung

    def record_checkpoint(self, pack: int, states: dict[int, bytes]) -> None:
        """Keep the states, by trial, of a pack that was stopped under way; those of an earlier
        checkpoint go."""
        with self._writing() as connection:
            connection.execute(sql.delete(CHECKPOINTS).where(CHECKPOINTS.c.pack == pack))
            if states:
                connection.execute(
                    sql.insert(CHECKPOINTS),
                    [
                        {"pack": pack, "trial": trial, "state": state}
                        for trial, state in states.items()
                    ],
                )

    def checkpoint(self, pack: int) -> dict[int, bytes]:
        """The checkpoint of a pack that was stopped under way; empty where there is none."""
        query = sql.select(CHECKPOINTS.c.trial, CHECKPOINTS.c.state).where(
            CHECKPOINTS.c.pack == pack
        )
        with self._reading() as connection:
            return {
                row.trial: row.state
                for row in connection.execute(query.order_by(CHECKPOINTS.c.trial))
            }

    def record_baseline(self, name: str, outcome: Outcome, worker: str) -> None:
        """Write a baseline's outcome. Raises ValueError where it was written before."""
        with self._writing() as connection:
            place = connection.execute(
                sql.select(sql.func.coalesce(sql.func.max(BASELINES.c.place), -1) + 1)
            ).scalar_one()
            row = {
                **scores_row(outcome, worker),
                **trained_row(outcome),
                "state": outcome.state,
                "name": name,
                "place": place,
            }
            try:
                connection.execute(sql.insert(BASELINES), row)
            except sql.exc.IntegrityError:
                raise ValueError(
                    f"{self.folder} has baseline {name!r} already; a baseline is trained once"
                ) from None

    def baselines(self) -> list[Baseline]:
        """All baselines that have been trained, in the order of training."""
        columns = [
            column
            for column in BASELINES.columns
            if column.name not in ("place", "state", "worker", "finished")
        ]
        with self._reading() as connection:
            rows = connection.execute(sql.select(*columns).order_by(BASELINES.c.place)).mappings()
            return [
                Baseline(
                    **{**row, "status": Status(row["status"]), "curve": curve_of(row["curve"])}
                )
                for row in rows
            ]

    def baseline_state(self, name: str) -> bytes | None:
        """The training state that a baseline ended with."""
        with self._reading() as connection:
            return connection.execute(
                sql.select(BASELINES.c.state).where(BASELINES.c.name == name)
            ).scalar_one_or_none()

    def set_trials(self, trials: int) -> None:
        """Let the study go on until so many candidates are trained. Raises ValueError for fewer
        than have been asked for."""
        with self._writing() as connection:
            asked = connection.execute(
                sql.select(PACKS.c.members).where(PACKS.c.rung == 0)
            ).scalars()
            least = sum(len(members) for members in asked)
            if trials < least:
                raise ValueError(
                    f"trials is {trials}, but {self.folder} has asked for {least} already; give {least} or more"
                )
            self.config = replace(self.config, trials=trials)
            connection.execute(sql.update(STUDY).values(config=self.config.to_json(), ended=None))

    def record_end(self) -> None:
        """Note that the study has run to its end."""
        with self._writing() as connection:
            connection.execute(sql.update(STUDY).values(ended=now()))

    @property
    def ended(self) -> str | None:
        """When the study ran to its end, None before."""
        with self._reading() as connection:
            return connection.execute(sql.select(STUDY.c.ended)).scalar_one()

    def version(self) -> str:
        """Another text whenever there is something new to read: rungs, trials, baselines, retrained
        networks, the end."""
        kept = (
            PACKS.c.pack,
            TRIALS.c.trial,
            RUNGS.c.trial,
            BASELINES.c.name,
            RETRAINED.c.trial,
            RETRAINED.c.tested,
        )
        counts = [sql.select(sql.func.count(column)).scalar_subquery() for column in kept]
        with self._reading() as connection:
            row = connection.execute(sql.select(*counts, STUDY.c.config, STUDY.c.ended)).one()
        return "-".join(map(str, (*row[:-2], row.config["trials"], row.ended or "")))

    def packs(self) -> list[StoredPack]:
        """All packs that were asked for, by number."""
        query = sql.select(PACKS.c.pack, PACKS.c.rung, PACKS.c.members, PACKS.c.place).order_by(
            PACKS.c.pack
        )
        with self._reading() as connection:
            return [
                StoredPack(row.pack, row.rung, tuple(row.members), row.place)
                for row in connection.execute(query)
            ]

    def sampler_state(self, pack: int) -> dict[str, Any]:
        """What the sampler kept beside its trials, after it was asked for this pack."""
        with self._reading() as connection:
            return connection.execute(
                sql.select(PACKS.c.sampler_state).where(PACKS.c.pack == pack)
            ).scalar_one()

    def outcomes(self, pack: int) -> dict[int, Outcome]:
        """What a finished pack gave, by trial in the order of its members, without states and
        curves; empty while it is under way."""
        with self._reading() as connection:
            members = connection.execute(
                sql.select(PACKS.c.members).where(PACKS.c.pack == pack)
            ).scalar_one()
            found = {
                row.trial: outcome_of(row)
                for row in connection.execute(sql.select(*_NOT_RUNG).where(RUNGS.c.pack == pack))
            }
        return {trial: found[trial] for trial in members} if found else {}

    def trials(self, pack: int | None = None, candidates: bool = True) -> list[Trial]:
        """All trials, or those that were asked for with one pack, by number.

        candidates: False leaves them out, which is faster by far; their identities are there.
        """
        left_out = _NOT_TRIAL if candidates else (*_NOT_TRIAL, "candidate")
        query = sql.select(
            *(column for column in TRIALS.columns if column.name not in left_out)
        ).order_by(TRIALS.c.trial)
        if pack is not None:
            query = query.where(TRIALS.c.pack == pack)
        with self._reading() as connection:
            return [trial_of(row) for row in connection.execute(query)]

    def trial(self, number: int) -> Trial:
        """Raises ValueError where there is no such trial."""
        columns = [column for column in TRIALS.columns if column.name not in _NOT_TRIAL]
        with self._reading() as connection:
            row = connection.execute(sql.select(*columns).where(TRIALS.c.trial == number)).first()
            if row is None:
                last = (
                    connection.execute(
                        sql.select(sql.func.count()).select_from(TRIALS)
                    ).scalar_one()
                    - 1
                )
                raise ValueError(f"{self.folder} has no trial {number}; its trials are 0 to {last}")
            return trial_of(row)

    def candidates(self, trials: Sequence[int]) -> list[Candidate]:
        """The candidates of these trials, in their order. Raises ValueError for a trial that has
        none."""
        with self._reading() as connection:
            query = sql.select(TRIALS.c.trial, TRIALS.c.candidate).where(
                TRIALS.c.trial.in_(list(trials))
            )
            found = {trial: candidate for trial, candidate in connection.execute(query)}
        for trial in trials:
            if found.get(trial) is None:
                raise ValueError(
                    f"trial {trial} of {self.folder} has no candidate: it is infeasible, or was never asked for"
                )
        return [Candidate.from_json(found[trial]) for trial in trials]

    def states(self, trials: Sequence[int], rung: int | None = None) -> list[bytes | None]:
        """The training states that these trials ended a rung with, the last one by default, in
        their order."""
        query = sql.select(RUNGS.c.trial, RUNGS.c.state).where(RUNGS.c.trial.in_(list(trials)))
        if rung is None:
            of = RUNGS.alias()
            last = (
                sql.select(sql.func.max(of.c.rung))
                .where(of.c.trial == RUNGS.c.trial)
                .scalar_subquery()
            )
            query = query.where(RUNGS.c.rung == last)
        else:
            query = query.where(RUNGS.c.rung == rung)
        with self._reading() as connection:
            found = {trial: state for trial, state in connection.execute(query)}
        return [found.get(trial) for trial in trials]

    def state(self, trial: int) -> bytes | None:
        """The training state that a trial ended its last rung with."""
        return self.states([trial])[0]

    def times(self) -> dict[int, tuple[str, str | None]]:
        """When each trial was asked for, and when it finished its last rung: ISO 8601, UTC."""
        with self._reading() as connection:
            rows = connection.execute(sql.select(TRIALS.c.trial, TRIALS.c.asked, TRIALS.c.finished))
            return {row.trial: (row.asked, row.finished) for row in rows}

    def table(self) -> "pandas.DataFrame":
        """One row a trial, then one a trained baseline; see `wiring_search.store.frames`, and
        `wiring_search.analysis.table` for what is exported."""
        return frames.table(
            self.config, self.facts["metric"], self.trials(candidates=False), self.baselines()
        )

    def history(self) -> "pandas.DataFrame":
        """One row a trial and rung that it has finished."""
        with self._reading() as connection:
            rows = (
                connection.execute(sql.select(*_NOT_RUNG).order_by(RUNGS.c.trial, RUNGS.c.rung))
                .mappings()
                .all()
            )
        return frames.history(self.config, self.facts["metric"], rows)

    def reference_point(self, objectives: Sequence[str]) -> tuple[float, ...] | None:
        """Where hypervolumes of these objectives, in this order, are measured from; None before it
        was kept."""
        with self._reading() as connection:
            return after.reference_point(connection, objectives)

    def record_reference_point(self, objectives: Sequence[str], point: Sequence[float]) -> None:
        """Keep the point for good; where there is one already, that one stays."""
        with self._writing() as connection:
            after.keep_reference_point(connection, objectives, point)

    def record_retrainings(self, outcomes: Mapping[Retraining, Outcome], worker: str) -> None:
        """Write what a pack of retrainings gave, all of it or nothing. Raises ValueError where one
        was written before."""
        with self._writing() as connection:
            try:
                after.keep_retrained(connection, outcomes, worker)
            except sql.exc.IntegrityError:
                raise ValueError(
                    f"{self.folder} has one of these retrainings already; each is trained once"
                ) from None

    def retrainings(self) -> "pandas.DataFrame":
        """One row a retraining, by trial, control and draw; see
        `wiring_search.store.frames.retrained`."""
        with self._reading() as connection:
            return frames.retrained(after.retrained(connection))

    def retrained_networks(
        self, keys: Iterable[tuple[int, str, int]]
    ) -> list[tuple[Retraining, bytes | None]]:
        """Of retrainings by (trial, control, draw): what was trained, and the training state that
        it ended with."""
        with self._reading() as connection:
            return after.networks(connection, keys)

    def record_opening(self, purpose: str, networks: Sequence[tuple[int, str, int]]) -> int:
        """Note for good that the test split is going to be read, for what, and for which
        retrainings; which opening it is, from
        1. Call it before the split is read. Raises ValueError for a network that is not trained well, or was opened for."""
        with self._writing() as connection:
            return after.open_test(connection, purpose, networks)

    def record_test_scores(
        self, values: Mapping[tuple[int, str, int], tuple[float, float]]
    ) -> None:
        """Write error and metric on the test split, by retraining. Raises ValueError for one that
        the split was not opened for, or that has its numbers."""
        with self._writing() as connection:
            after.keep_tested(connection, values)

    def openings(self) -> "pandas.DataFrame":
        """One row an opening of the test split; see `wiring_search.store.frames.openings`."""
        with self._reading() as connection:
            return frames.openings(after.openings(connection))


def _is_there(folder: Path, server: Server) -> bool:
    engine = engine_on(server)
    try:
        return holds_study(folder, engine)
    finally:
        engine.dispose()


def _refuse_taken(folder: Path, server: Server) -> None:
    if _is_there(folder, server):
        raise ValueError(
            f"there is a {server} already; give the folder another name, or go on with that study by Store.attach"
        )


def _repeat_known(connection: sql.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Duplicates of trials that are finished get their scores at once; those of others, with
    them."""
    duplicates = {
        row["trial"]: row["duplicate_of"] for row in rows if row["duplicate_of"] is not None
    }
    if not duplicates:
        return
    query = sql.select(TRIALS.c.trial, *(TRIALS.c[name] for name in _REPEATED)).where(
        TRIALS.c.finished.is_not(None)
    )
    query = query.where(TRIALS.c.trial.in_(set(duplicates.values())))
    known = {row["trial"]: row for row in connection.execute(query).mappings()}
    values = [
        _new(trial, dict(known[original]), _REPEATED)
        for trial, original in duplicates.items()
        if original in known
    ]
    if values:
        connection.execute(_update(_REPEATED, TRIALS.c.trial), values)


def _update(names: Sequence[str], where: sql.Column) -> sql.Update:
    """Columns of trials by name, for as many rows as there are `_new` values; times are added to
    what the row has."""

    def value(name: str) -> Any:
        new = sql.bindparam(f"new_{name}", type_=TRIALS.c[name].type)
        return (
            sql.func.coalesce(TRIALS.c[name], 0.0) + sql.func.coalesce(new, 0.0)
            if name in _TIMES
            else new
        )

    return (
        sql.update(TRIALS)
        .where(where == sql.bindparam("of"))
        .values({name: value(name) for name in names})
    )


def _new(of: int, row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {"of": of, **{f"new_{name}": row[name] for name in names}}
