"""A study's store: how it is made and opened, and what is written to it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy as sql

from wiring_search.store import after_search as after
from wiring_search.store import writing
from wiring_search.store.config import StudyConfig
from wiring_search.store.environment import environment
from wiring_search.store.errors import database_faults
from wiring_search.store.location import FILE, engine_of, exists, holds_study, point, server_of
from wiring_search.store.locks import lock_file, lock_session, refuse_lost_lock
from wiring_search.store.migrations import bring_up_to_date, is_up_to_date
from wiring_search.store.postgres import Server, make_schema
from wiring_search.store.postgres import engine_of as engine_on
from wiring_search.store.reading import StoreReader
from wiring_search.store.rows import Retraining, Trial, now
from wiring_search.store.tables import METADATA, PACKS, SCHEMA, STUDY
from wiring_search.workers.jobs import Outcome


class Store(StoreReader):
    """A study's store in a run folder. Make one with `create` or `open`."""

    def __init__(self, folder: Path, engine: sql.Engine) -> None:
        super().__init__(folder, engine)
        self._writer = engine.execution_options(writes=True)
        self._lock: sql.Connection | None = None
        self._bring_up_to_date()
        with self._reading() as connection:
            row = connection.execute(sql.select(STUDY)).one()
        self.config = self._declared(StudyConfig.from_json(row.config))
        self.facts = _renamed(row.facts)
        self.versions = row.versions
        self.created = row.created

    @classmethod
    def create(
        cls, folder: Path, config: StudyConfig, facts: dict[str, Any], url: str | None = None
    ) -> "Store":
        """Make the store of a new study in `folder`.

        Args:
            folder: The run folder.
            config: What defines the study.
            facts: What tables and reports say about the task: metric, rules, sizes …
            url: Of a PostgreSQL database that keeps the study, under the folder's name. Without
                it, an SQLite file in the folder does.

        Raises:
            ValueError: The folder holds a study already, or the database one of that name.
        """
        _refuse_study(folder)
        server = None
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
        with _disposed_on_failure(engine):
            writer = engine.execution_options(writes=True)
            with database_faults(folder), writer.begin() as connection:
                if server is not None:
                    make_schema(connection, server.study)
                METADATA.create_all(connection)
                if connection.execute(sql.select(STUDY.c.schema)).first() is not None:
                    raise ValueError(_holds_study(folder))
                connection.execute(sql.insert(STUDY), row)
            return cls(folder, engine)

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """Open the store in `folder`, brought up to date where an earlier version wrote it.

        Raises:
            ValueError: The folder holds no study.
            StoreFault: The store cannot be read.
        """
        if not exists(folder):
            server = server_of(folder)
            missing = f"{FILE} is absent" if server is None else f"there is no {server}"
            raise ValueError(
                f"{folder} holds no study ({missing}); name a folder that `wiring-search search` "
                "wrote"
            )
        engine = engine_of(folder)
        with _disposed_on_failure(engine):
            return cls(folder, engine)

    @classmethod
    def attach(cls, folder: Path, url: str, name: str | None = None) -> "Store":
        """Let `folder` point to a study that a PostgreSQL database holds already.

        Args:
            folder: A new run folder, for instance on another machine.
            url: Of the database.
            name: The study's; by default the folder's.

        Raises:
            ValueError: The folder holds a study already, or the database none of that name.
        """
        _refuse_study(folder)
        server = Server(url, name or folder.resolve().name)
        if not _is_there(folder, server):
            raise ValueError(
                f"there is no {server}; name a study that `wiring-search search` wrote there"
            )
        point(folder, server)
        return cls.open(folder)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only search on this study. The lock of a dead process ends with it.

        Raises:
            ValueError: Another search is running; the message names it.
        """
        server = server_of(self.folder)
        if server is None:
            with lock_file(self.folder):
                yield
            return
        with lock_session(self.folder, server.study, self._engine) as self._lock:
            try:
                yield
            finally:
                self._lock = None

    @contextmanager
    def _writing(self) -> Iterator[sql.Connection]:
        """A transaction: all that is written in it, or nothing.

        It uses the connection that holds the lock, where there is one, so it fails if the lock was
        lost.
        """
        with database_faults(self.folder):
            if self._lock is None:
                with self._writer.begin() as connection:
                    yield connection
            else:
                refuse_lost_lock(self.folder, self._lock)
                with self._lock.begin():
                    yield self._lock

    def _declared(self, config: StudyConfig) -> StudyConfig:
        """Make the names of the study's extension known, without running its code.

        A store of version 0.2.0 or earlier does not say what the extension defines: there the code
        runs once, and the answer is kept.
        """
        extension = config.extension
        if extension is None:
            return config
        if extension.contents is None:
            extension = extension.described()
            config = replace(config, extension=extension)
            with self._writing() as connection:
                connection.execute(sql.update(STUDY).values(config=config.to_json()))
        extension.declare()
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
        """Record a pack that is about to train, in one transaction.

        Args:
            pack: Its number.
            rung: On which it trains.
            members: The trials that train in it, in order. Those that are not new were promoted,
                and are running again.
            trials: The new trials, infeasible ones and duplicates among them. A duplicate of a
                finished trial gets its scores at once.
            sampler_state: The sampler's state after it was asked for this pack.

        Raises:
            ValueError: A member does not exist.
        """
        with self._writing() as connection:
            writing.record_pack(connection, pack, rung, members, tuple(trials), sampler_state)

    def record_outcomes(self, pack: int, outcomes: dict[int, Outcome], worker: str) -> None:
        """Record the outcomes of a pack, by trial, in one transaction.

        They go into the history of rungs, the rows of the trials, and those of their duplicates.
        The pack's checkpoint is deleted.

        Args:
            pack: Its number.
            outcomes: By trial; of all members and of no other.
            worker: What trained them, for the log.

        Raises:
            ValueError: The pack is not running, or the outcomes are not those of its members.
        """
        epochs = [rung.epochs for rung in self.config.rungs]
        with self._writing() as connection:
            writing.record_outcomes(connection, pack, outcomes, worker, epochs)

    def record_checkpoint(self, pack: int, states: dict[int, bytes]) -> None:
        """Record the training states, by trial, of a pack that was stopped while it ran.

        They replace an earlier checkpoint of the pack.
        """
        with self._writing() as connection:
            writing.record_checkpoint(connection, pack, states)

    def record_baseline(self, name: str, outcome: Outcome, worker: str) -> None:
        """Record the outcome of a trained baseline.

        Args:
            name: See `wiring_search.training.baselines.catalogue`.
            outcome: Of its training.
            worker: What trained it, for the log.

        Raises:
            ValueError: The baseline is recorded already.
        """
        with self._writing() as connection:
            try:
                writing.record_baseline(connection, name, outcome, worker)
            except sql.exc.IntegrityError:
                raise ValueError(
                    f"{self.folder} has baseline {name!r} already; each baseline is trained once"
                ) from None

    def set_trials(self, trials: int) -> None:
        """Set how many candidates the study trains.

        Raises:
            ValueError: The study has asked for more already.
        """
        with self._writing() as connection:
            asked = connection.execute(
                sql.select(PACKS.c.members).where(PACKS.c.rung == 0)
            ).scalars()
            least = sum(len(members) for members in asked)
            if trials < least:
                raise ValueError(
                    f"trials is {trials}, but {self.folder} has asked for {least} already; "
                    f"give {least} or more"
                )
            self.config = replace(self.config, trials=trials)
            connection.execute(sql.update(STUDY).values(config=self.config.to_json(), ended=None))

    def record_end(self) -> None:
        """Record that the study has run to its end."""
        with self._writing() as connection:
            connection.execute(sql.update(STUDY).values(ended=now()))

    def record_reference_point(self, objectives: Sequence[str], point: Sequence[float]) -> None:
        """Record a reference point for good. One that is recorded already stays."""
        with self._writing() as connection:
            after.record_reference_point(connection, objectives, point)

    def record_retrainings(self, outcomes: Mapping[Retraining, Outcome], worker: str) -> None:
        """Record the outcomes of a pack of retrainings, in one transaction.

        Raises:
            ValueError: One of them is recorded already.
        """
        with self._writing() as connection:
            try:
                after.record_retrainings(connection, outcomes, worker)
            except sql.exc.IntegrityError:
                raise ValueError(
                    f"{self.folder} has one of these retrainings already; each is trained once"
                ) from None

    def record_opening(self, purpose: str, networks: Sequence[tuple[int, str, int]]) -> int:
        """Record for good that the test split is about to be read. Call it before reading.

        Args:
            purpose: In words.
            networks: Retrainings by (trial, control, draw).

        Returns:
            The number of this opening, from 1.

        Raises:
            ValueError: A network is not trained well, or the split was opened for it before.
        """
        with self._writing() as connection:
            return after.record_opening(connection, purpose, networks)

    def record_test_scores(
        self, values: Mapping[tuple[int, str, int], tuple[float, float]]
    ) -> None:
        """Record error and metric on the test split, by (trial, control, draw).

        Raises:
            ValueError: The split was not opened for a network, or its scores are recorded already.
        """
        with self._writing() as connection:
            after.record_test_scores(connection, values)


def _renamed(facts: dict[str, Any]) -> dict[str, Any]:
    """Version 0.2.0 and earlier kept the errors of trivial rules under the name `baselines`."""
    return {"rules" if name == "baselines" else name: fact for name, fact in facts.items()}


@contextmanager
def _disposed_on_failure(engine: sql.Engine) -> Iterator[None]:
    """Close the engine's connections where no store is left to close them."""
    try:
        yield
    except BaseException:
        engine.dispose()
        raise


def _holds_study(folder: Path) -> str:
    return f"{folder} holds a study already; resume it, or choose another folder"


def _refuse_study(folder: Path) -> None:
    if exists(folder):
        raise ValueError(_holds_study(folder))


def _is_there(folder: Path, server: Server) -> bool:
    engine = engine_on(server)
    try:
        return holds_study(folder, engine)
    finally:
        engine.dispose()


def _refuse_taken(folder: Path, server: Server) -> None:
    if _is_there(folder, server):
        raise ValueError(
            f"there is a {server} already; give the folder another name, or resume that study "
            "through Store.attach"
        )
