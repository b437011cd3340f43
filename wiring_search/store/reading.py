"""What is read from a store."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sql

from wiring_search.store import after_search as after
from wiring_search.store import frames
from wiring_search.store.config import StudyConfig
from wiring_search.store.errors import database_faults
from wiring_search.store.rows import (
    Baseline,
    Retraining,
    StoredPack,
    Trial,
    curve_of,
    outcome_of,
    trial_of,
)
from wiring_search.store.tables import (
    BASELINES,
    CHECKPOINTS,
    PACKS,
    RETRAINED,
    RUNGS,
    STUDY,
    TRIALS,
)
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Outcome, Status

if TYPE_CHECKING:
    import pandas

_NOT_TRIAL = ("worker", "finished", "asked")
_NOT_BASELINE = ("place", "state", "worker", "finished")
_NOT_RUNG = [column for column in RUNGS.columns if column.name != "state"]


class StoreReader:
    """A study's store, for reading.

    Attributes:
        folder: The run folder.
        config: What defines the study.
        facts: What tables and reports say about the task: metric, rules, sizes …
        versions: Versions, commit and machine, as `wiring_search.store.environment` found them.
        created: When the study began, ISO 8601, UTC.
    """

    folder: Path
    config: StudyConfig
    facts: dict[str, Any]
    versions: dict[str, str]
    created: str

    def __init__(self, folder: Path, engine: sql.Engine) -> None:
        self.folder = folder
        self._engine = engine

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def _reading(self) -> Iterator[sql.Connection]:
        with database_faults(self.folder), self._engine.connect() as connection:
            yield connection

    @property
    def ended(self) -> str | None:
        """When the study ran to its end (ISO 8601, UTC); None before."""
        with self._reading() as connection:
            return connection.execute(sql.select(STUDY.c.ended)).scalar_one()

    def version(self) -> str:
        """A text that changes whenever there is something new to read."""
        counted = (
            PACKS.c.pack,
            TRIALS.c.trial,
            RUNGS.c.trial,
            BASELINES.c.name,
            RETRAINED.c.trial,
            RETRAINED.c.tested,
        )
        counts = [sql.select(sql.func.count(column)).scalar_subquery() for column in counted]
        with self._reading() as connection:
            row = connection.execute(sql.select(*counts, STUDY.c.config, STUDY.c.ended)).one()
        return "-".join(map(str, (*row[:-2], row.config["trials"], row.ended or "")))

    def packs(self) -> list[StoredPack]:
        """All packs, by number."""
        columns = PACKS.c.pack, PACKS.c.rung, PACKS.c.members, PACKS.c.place
        with self._reading() as connection:
            rows = connection.execute(sql.select(*columns).order_by(PACKS.c.pack))
            return [StoredPack(row.pack, row.rung, tuple(row.members), row.place) for row in rows]

    def sampler_state(self, pack: int) -> dict[str, Any]:
        """The sampler's state right after it was asked for this pack."""
        with self._reading() as connection:
            return connection.execute(
                sql.select(PACKS.c.sampler_state).where(PACKS.c.pack == pack)
            ).scalar_one()

    def outcomes(self, pack: int) -> dict[int, Outcome]:
        """Outcomes of a finished pack by trial, in the order of its members.

        They hold neither training states nor curves. Empty while the pack is running.
        """
        with self._reading() as connection:
            members = connection.execute(
                sql.select(PACKS.c.members).where(PACKS.c.pack == pack)
            ).scalar_one()
            rows = connection.execute(sql.select(*_NOT_RUNG).where(RUNGS.c.pack == pack))
            found = {row.trial: outcome_of(row) for row in rows}
        return {trial: found[trial] for trial in members} if found else {}

    def checkpoint(self, pack: int) -> dict[int, bytes]:
        """Training states, by trial, of a pack that was stopped while it ran; often empty."""
        query = (
            sql.select(CHECKPOINTS.c.trial, CHECKPOINTS.c.state)
            .where(CHECKPOINTS.c.pack == pack)
            .order_by(CHECKPOINTS.c.trial)
        )
        with self._reading() as connection:
            return {row.trial: row.state for row in connection.execute(query)}

    def trials(self, pack: int | None = None, candidates: bool = True) -> list[Trial]:
        """Trials by number.

        Args:
            pack: Only those that were asked for with this pack.
            candidates: False leaves the candidates out, which is much faster. Their identities
                stay.
        """
        left_out = _NOT_TRIAL if candidates else (*_NOT_TRIAL, "candidate")
        columns = [column for column in TRIALS.columns if column.name not in left_out]
        query = sql.select(*columns).order_by(TRIALS.c.trial)
        if pack is not None:
            query = query.where(TRIALS.c.pack == pack)
        with self._reading() as connection:
            return [trial_of(row) for row in connection.execute(query)]

    def trial(self, number: int) -> Trial:
        """A trial by its number. Raises ValueError where there is none."""
        columns = [column for column in TRIALS.columns if column.name not in _NOT_TRIAL]
        with self._reading() as connection:
            row = connection.execute(sql.select(*columns).where(TRIALS.c.trial == number)).first()
            if row is not None:
                return trial_of(row)
            count = connection.execute(sql.select(sql.func.count(TRIALS.c.trial))).scalar_one()
        known = f"its trials are 0 to {count - 1}" if count else "it has no trials yet"
        raise ValueError(f"{self.folder} has no trial {number}; {known}")

    def candidates(self, trials: Sequence[int]) -> list[Candidate]:
        """The candidates of these trials, in their order.

        Raises:
            ValueError: A trial has no candidate.
        """
        query = sql.select(TRIALS.c.trial, TRIALS.c.candidate).where(
            TRIALS.c.trial.in_(list(trials))
        )
        with self._reading() as connection:
            found = {row.trial: row.candidate for row in connection.execute(query)}
        for trial in trials:
            if found.get(trial) is None:
                raise ValueError(
                    f"trial {trial} of {self.folder} has no candidate: it is infeasible, or it "
                    "does not exist"
                )
        return [Candidate.from_json(found[trial]) for trial in trials]

    def states(self, trials: Sequence[int], rung: int | None = None) -> list[bytes | None]:
        """Training states of these trials at the end of a rung, in their order.

        Args:
            rung: The last one that each trial finished, by default.
        """
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
            found = {row.trial: row.state for row in connection.execute(query)}
        return [found.get(trial) for trial in trials]

    def state(self, trial: int) -> bytes | None:
        """The training state of a trial at the end of its last rung."""
        return self.states([trial])[0]

    def times(self) -> dict[int, tuple[str, str | None]]:
        """When each trial was asked for, and when it finished its last rung (ISO 8601, UTC)."""
        with self._reading() as connection:
            rows = connection.execute(sql.select(TRIALS.c.trial, TRIALS.c.asked, TRIALS.c.finished))
            return {row.trial: (row.asked, row.finished) for row in rows}

    def baselines(self) -> list[Baseline]:
        """Trained baselines, in the order of training."""
        columns = [column for column in BASELINES.columns if column.name not in _NOT_BASELINE]
        query = sql.select(*columns).order_by(BASELINES.c.place)
        with self._reading() as connection:
            return [
                Baseline(
                    **{**row, "status": Status(row["status"]), "curve": curve_of(row["curve"])}
                )
                for row in connection.execute(query).mappings()
            ]

    def baseline_state(self, name: str) -> bytes | None:
        """The training state of a baseline at the end of its training."""
        with self._reading() as connection:
            return connection.execute(
                sql.select(BASELINES.c.state).where(BASELINES.c.name == name)
            ).scalar_one_or_none()

    def table(self) -> "pandas.DataFrame":
        """One row per trial, then one per trained baseline; see `frames.table`."""
        return frames.table(
            self.config, self.facts["metric"], self.trials(candidates=False), self.baselines()
        )

    def history(self) -> "pandas.DataFrame":
        """One row per trial and finished rung; see `frames.history`."""
        query = sql.select(*_NOT_RUNG).order_by(RUNGS.c.trial, RUNGS.c.rung)
        with self._reading() as connection:
            rows = connection.execute(query).mappings().all()
        return frames.history(self.config, self.facts["metric"], rows)

    def reference_point(self, objectives: Sequence[str]) -> tuple[float, ...] | None:
        """The reference point of hypervolumes in these objectives, in this order; None before one
        is recorded."""
        with self._reading() as connection:
            return after.reference_point(connection, objectives)

    def retrainings(self) -> "pandas.DataFrame":
        """One row per retraining, by trial, control and draw; see `frames.retrainings`."""
        with self._reading() as connection:
            return frames.retrainings(after.retrainings(connection))

    def retrained_networks(
        self, keys: Iterable[tuple[int, str, int]]
    ) -> list[tuple[Retraining, bytes | None]]:
        """Retrainings by (trial, control, draw), each with its training state at the end."""
        with self._reading() as connection:
            return after.networks(connection, keys)

    def openings(self) -> "pandas.DataFrame":
        """One row per opening of the test split; see `frames.openings`."""
        with self._reading() as connection:
            return frames.openings(after.openings(connection))
