"""A study's trials as an Optuna study, for optuna-dashboard and other readers of Optuna storages.

    mirror(store, "sqlite:///dashboard.db")      # then: optuna-dashboard sqlite:///dashboard.db

The mirror is a copy and is never read back. It has the run folder's name, the study's objectives
and directions, and trials of the same numbers. User attributes hold everything else that the store
knows of a trial. Optuna's finished trials cannot change, so a trial that may still be promoted
stays running there until the study has ended, with the status "pruned" among its attributes.

Optuna's calls take 4 to 70 ms per trial. Databases are therefore written table by table, thousands
of trials at once. Journal files are written through Optuna's calls.
"""

import json
import math
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

import optuna
import sqlalchemy as sql
from optuna.distributions import distribution_to_json
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState, create_trial

from wiring_search.scores.catalogue import SCORES
from wiring_search.search_spaces import Space
from wiring_search.search_spaces.optuna_space import distributions_at
from wiring_search.store import Store, Trial
from wiring_search.workers.jobs import Status

_SOURCE = "wiring-search"  # the study attribute that says which study this is a mirror of
_LEAST_PAUSE = 2.0
_AT_ONCE = 1000

# What may change of a trial in the mirror: its state there, its status, its rung.
_Standing = tuple[TrialState, str, int]


def mirror(store: Store, storage_url: str, follow: bool = False) -> int:
    """Bring the mirror of this study in an Optuna storage up to date.

    Args:
        store: The study's.
        storage_url: Of a database (sqlite:///file.db, postgresql://user@host/database), or the
            path of a journal file.
        follow: Keep the mirror up to date until the study has ended.

    Returns:
        How many trials were written.

    Raises:
        ValueError: The storage cannot be used, or holds another study of that name.
    """
    name = store.folder.resolve().name
    with _storage_faults(storage_url), _opened(storage_url) as storage:
        study = _study(store, storage, name, storage_url)
        copy: _Tables | _Calls
        if isinstance(storage, RDBStorage):
            copy = _Tables(storage, study)
        else:
            copy = _Calls(storage, study)
        there = copy.there()
        written = 0
        while True:
            began = time.monotonic()
            ended = store.ended is not None
            changed = [
                trial
                for trial in _trials(store, ended)
                if there.get(trial.number) != _standing(trial)
            ]
            for start in range(0, len(changed), _AT_ONCE):
                copy.write(changed[start : start + _AT_ONCE], len(there))
                there |= {
                    trial.number: _standing(trial) for trial in changed[start : start + _AT_ONCE]
                }
            written += len(changed)
            if ended or not follow:
                return written
            time.sleep(
                max(_LEAST_PAUSE, 10 * (time.monotonic() - began))
            )  # a large study is looked at less often


@contextmanager
def _opened(url: str) -> Iterator[BaseStorage]:
    """The storage; its connections are closed in the end, which Optuna leaves to its users."""
    storage = _storage(url)
    try:
        yield storage
    finally:
        if isinstance(storage, RDBStorage):
            storage.remove_session()
            storage.engine.dispose()


def _storage(url: str) -> BaseStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if "://" not in url:
            return JournalStorage(JournalFileBackend(url))
        parsed = sql.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        waiting = {"connect_args": {"timeout": 30}} if parsed.get_backend_name() == "sqlite" else {}
        return RDBStorage(parsed.render_as_string(hide_password=False), engine_kwargs=waiting)


def _study(store: Store, storage: BaseStorage, name: str, url: str) -> int:
    """The study in the storage, made where there is none; its number there."""
    directions: list[Literal["minimize", "maximize"]] = [
        "minimize" if SCORES[objective].sign > 0 else "maximize"
        for objective in store.config.objectives
    ]
    source = f"{store.config.task}, {store.created}, seed {store.config.seed}"
    if name not in {study.study_name for study in storage.get_all_studies()}:
        study = optuna.create_study(storage=storage, study_name=name, directions=directions)
        study.set_user_attr(_SOURCE, source)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            study.set_metric_names(list(store.config.objectives))
    number = storage.get_study_id_from_name(name)
    if storage.get_study_user_attrs(number).get(_SOURCE) != source:
        raise ValueError(
            f"{url} holds another study named {name!r}; choose another storage, or delete "
            "that study"
        )
    return number


def _trials(store: Store, ended: bool) -> list[FrozenTrial]:
    """The store's trials as Optuna has them."""
    space = Space.from_json(store.config.space)
    times = store.times()
    trials = store.trials(candidates=False)
    states = {trial.trial: _state(trial, ended) for trial in trials}
    for trial in trials:
        if trial.duplicate_of is not None:
            states[trial.trial] = states[trial.duplicate_of]
    return [
        _frozen(store, space, trial, states[trial.trial], *times[trial.trial]) for trial in trials
    ]


def _state(trial: Trial, ended: bool) -> TrialState:
    match trial.status:
        case Status.OK:
            return TrialState.COMPLETE
        case Status.PRUNED:
            return TrialState.PRUNED if ended else TrialState.RUNNING
        case Status.RUNNING:
            return TrialState.RUNNING
    return TrialState.FAIL


def _frozen(
    store: Store, space: Space, trial: Trial, state: TrialState, asked: str, finished: str | None
) -> FrozenTrial:
    objectives = store.config.objectives
    values = [trial.score(name) for name in objectives] if state is TrialState.COMPLETE else None
    if values is not None and not all(map(math.isfinite, values)):
        state = TrialState.FAIL
        values = None
    distributions = distributions_at(space, trial.params)
    frozen = create_trial(
        state=state,
        values=values,
        params={key: trial.params[name] for key, (name, _) in distributions.items()},
        distributions={key: distribution for key, (_, distribution) in distributions.items()},
        user_attrs=_attributes(store, trial),
    )
    frozen.number = trial.trial
    frozen.datetime_start = _local(asked)
    frozen.datetime_complete = _local(finished or asked) if state.is_finished() else None
    return frozen


def _attributes(store: Store, trial: Trial) -> dict[str, Any]:
    """What the store knows of a trial. Missing numbers are left out: JSON has no NaN."""
    numbers = {name: trial.score(name) for name in (*store.config.measured, "score_seconds")}
    numbers[store.facts["metric"]] = trial.score("metric")
    said = {
        "candidate": trial.candidate_id,
        "wiring": trial.wiring_id,
        "duplicate of": trial.duplicate_of,
        "message": trial.message or None,
        "parents": trial.sampler_attrs.get("parents") or None,
    }
    return {
        "status": trial.status.value,
        "rung": trial.rung,
        "epochs": store.config.rungs[trial.rung].epochs,
        "pack": trial.pack,
        **{name: value for name, value in said.items() if value is not None},
        **{name: value for name, value in numbers.items() if math.isfinite(value)},
    }


def _standing(trial: FrozenTrial) -> _Standing:
    return trial.state, trial.user_attrs.get("status", ""), trial.user_attrs.get("rung", -1)


def _local(time: str) -> datetime:
    """The time as Optuna keeps it: local, without a zone."""
    return datetime.fromisoformat(time).astimezone().replace(tzinfo=None)


class _Calls:
    """Writes through Optuna's calls."""

    def __init__(self, storage: BaseStorage, study: int) -> None:
        self._storage = storage
        self._study = study

    def there(self) -> dict[int, _Standing]:
        """What the mirror says of its trials, by number."""
        return {
            trial.number: _standing(trial)
            for trial in self._storage.get_all_trials(self._study, deepcopy=False)
        }

    def write(self, trials: Sequence[FrozenTrial], there: int) -> None:
        """Write trials; those from number `there` on are new."""
        for trial in trials:
            if trial.number >= there:
                self._storage.create_new_trial(self._study, trial)
                continue
            number = self._storage.get_trial_id_from_study_id_trial_number(
                self._study, trial.number
            )
            old = self._storage.get_trial(number).user_attrs
            for key, value in trial.user_attrs.items():
                if old.get(key) != value:
                    self._storage.set_trial_user_attr(number, key, value)
            if trial.state.is_finished():
                self._storage.set_trial_state_values(number, trial.state, trial.values)


class _Tables:
    """Writes into the tables of Optuna's databases. Optuna checked their version on opening."""

    def __init__(self, storage: RDBStorage, study: int) -> None:
        self._engine = storage.engine
        self._study = study
        metadata = sql.MetaData()
        metadata.reflect(
            self._engine, only=["trials", "trial_params", "trial_values", "trial_user_attributes"]
        )
        self._trials = metadata.tables["trials"]
        self._params = metadata.tables["trial_params"]
        self._values = metadata.tables["trial_values"]
        self._attributes = metadata.tables["trial_user_attributes"]

    def there(self) -> dict[int, _Standing]:
        """What the mirror says of its trials, by number."""
        status, rung = (self._attributes.alias() for _ in range(2))

        def said(attributes: sql.FromClause, key: str) -> sql.ColumnElement[bool]:
            return (attributes.c.trial_id == self._trials.c.trial_id) & (attributes.c.key == key)

        rows = self._trials.outerjoin(status, said(status, "status")).outerjoin(
            rung, said(rung, "rung")
        )
        query = sql.select(
            self._trials.c.number, self._trials.c.state, status.c.value_json, rung.c.value_json
        )
        query = query.select_from(rows).where(self._trials.c.study_id == self._study)
        with self._engine.connect() as connection:
            return {
                number: (TrialState[state], json.loads(status or '""'), json.loads(rung or "-1"))
                for number, state, status, rung in connection.execute(query)
            }

    def write(self, trials: Sequence[FrozenTrial], there: int) -> None:
        """Write trials in one transaction; those from number `there` on are new."""
        new = [trial for trial in trials if trial.number >= there]
        old = [trial for trial in trials if trial.number < there]
        with self._engine.begin() as connection:
            self._insert(
                connection,
                self._trials,
                [{**_row(t), "study_id": self._study, "number": t.number} for t in new],
            )
            numbers = [trial.number for trial in trials]
            query = sql.select(self._trials.c.number, self._trials.c.trial_id).where(
                self._trials.c.study_id == self._study,
                self._trials.c.number.between(min(numbers), max(numbers)),
            )
            ids = {number: trial for number, trial in connection.execute(query)}
            self._insert(
                connection,
                self._params,
                [row for t in new for row in _params_rows(t, ids[t.number])],
            )
            if old:
                changed = [ids[trial.number] for trial in old]
                connection.execute(
                    sql.delete(self._attributes).where(self._attributes.c.trial_id.in_(changed))
                )
                connection.execute(
                    sql.update(self._trials).where(self._trials.c.trial_id == sql.bindparam("of")),
                    [{**_row(trial), "of": ids[trial.number]} for trial in old],
                )
            self._insert(
                connection,
                self._values,
                [row for t in trials for row in _values_rows(t, ids[t.number])],
            )
            self._insert(
                connection,
                self._attributes,
                [row for t in trials for row in _attributes_rows(t, ids[t.number])],
            )

    @staticmethod
    def _insert(connection: sql.Connection, table: sql.Table, rows: list[dict[str, Any]]) -> None:
        if rows:
            connection.execute(sql.insert(table), rows)


def _row(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "state": trial.state.name,
        "datetime_start": trial.datetime_start,
        "datetime_complete": trial.datetime_complete,
    }


def _params_rows(trial: FrozenTrial, of: int) -> Iterator[dict[str, Any]]:
    for name, value in trial.params.items():
        distribution = trial.distributions[name]
        yield {
            "trial_id": of,
            "param_name": name,
            "param_value": distribution.to_internal_repr(value),
            "distribution_json": distribution_to_json(distribution),
        }


def _values_rows(trial: FrozenTrial, of: int) -> Iterator[dict[str, Any]]:
    for objective, value in enumerate(trial.values or ()):
        yield {"trial_id": of, "objective": objective, "value": value, "value_type": "FINITE"}


def _attributes_rows(trial: FrozenTrial, of: int) -> Iterator[dict[str, Any]]:
    for key, value in trial.user_attrs.items():
        yield {"trial_id": of, "key": key, "value_json": json.dumps(value)}


@contextmanager
def _storage_faults(url: str) -> Iterator[None]:
    try:
        yield
    except (
        sql.exc.SQLAlchemyError,
        optuna.exceptions.StorageInternalError,
        ModuleNotFoundError,
        OSError,
    ) as fault:
        shown = sql.make_url(url) if "://" in url else url  # without its password
        said = " ".join(str(getattr(fault, "orig", None) or fault).split())
        raise ValueError(
            f"the Optuna storage {shown} cannot be used ({said}); give a URL such as "
            "sqlite:///dashboard.db, or the path of a journal file"
        ) from fault
