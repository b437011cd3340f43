"""The SQL of writing packs and what training them gave.

Each function works in the transaction of its caller, `wiring_search.store.store.Store`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sql

from wiring_search.store.rows import Trial, asked_row, measured_row, scores_row, trained_row
from wiring_search.store.tables import BASELINES, CHECKPOINTS, PACKS, RUNGS, TRIALS
from wiring_search.workers.jobs import Outcome, Status

# Times of a trial are summed over its rungs.
_TIMES = ("train_seconds", "score_seconds")
# What a duplicate repeats of the trial that it equals.
_REPEATED = (
    "rung",
    "message",
    "error",
    "metric",
    "parameters",
    "synapses",
    "latency_us",
    *_TIMES,
    "scores",
    "worker",
    "finished",
)
_OF_TRIAL = (*_REPEATED, "status", "curve")


def record_pack(
    connection: sql.Connection,
    pack: int,
    rung: int,
    members: Sequence[int],
    trials: Sequence[Trial],
    sampler_state: dict[str, Any],
) -> None:
    """See `Store.record_pack`.

    Args:
        connection: In a transaction that writes.
        pack: Its number.
        rung: On which it trains.
        members: The trials that train in it, in order.
        trials: The new trials.
        sampler_state: The sampler's state after it was asked for this pack.

    Raises:
        ValueError: A member does not exist.
    """
    row = {"pack": pack, "rung": rung, "members": list(members), "sampler_state": sampler_state}
    connection.execute(sql.insert(PACKS), row)
    rows = [asked_row(trial) for trial in trials]
    if rows:
        connection.execute(sql.insert(TRIALS), rows)
    _repeat_known(connection, rows)
    new = {row["trial"] for row in rows}
    promoted = [trial for trial in members if trial not in new]
    if promoted:
        running = (
            sql.update(TRIALS)
            .where(TRIALS.c.trial.in_(promoted))
            .values(status=Status.RUNNING.value)
        )
        if connection.execute(running).rowcount != len(promoted):
            raise ValueError(f"pack {pack} has a member that does not exist, among {promoted}")


def record_outcomes(
    connection: sql.Connection,
    pack: int,
    outcomes: Mapping[int, Outcome],
    worker: str,
    epochs: Sequence[int],
) -> None:
    """See `Store.record_outcomes`.

    Args:
        connection: In a transaction that writes.
        pack: Its number.
        outcomes: By trial.
        worker: What trained them, for the log.
        epochs: At which each rung ends.

    Raises:
        ValueError: The pack is not running, or the outcomes are not those of its members.
    """
    rung = _close_pack(connection, pack, set(outcomes))
    if not outcomes:
        return
    scores = {
        trial: {**scores_row(outcome, worker), **measured_row(outcome)}
        for trial, outcome in outcomes.items()
    }
    of_rung = {"pack": pack, "rung": rung, "epochs": epochs[rung]}
    history = [
        {**row, **of_rung, "trial": trial, "state": outcomes[trial].state}
        for trial, row in scores.items()
    ]
    connection.execute(sql.insert(RUNGS), history)
    rows = {
        trial: {**scores[trial], **trained_row(outcome), "rung": rung}
        for trial, outcome in outcomes.items()
    }
    connection.execute(
        _update(_OF_TRIAL, TRIALS.c.trial),
        [_new(trial, row, _OF_TRIAL) for trial, row in rows.items()],
    )
    connection.execute(
        _update(_REPEATED, TRIALS.c.duplicate_of),
        [_new(trial, row, _REPEATED) for trial, row in rows.items()],
    )
    connection.execute(sql.delete(CHECKPOINTS).where(CHECKPOINTS.c.pack == pack))


def record_checkpoint(connection: sql.Connection, pack: int, states: Mapping[int, bytes]) -> None:
    """See `Store.record_checkpoint`.

    Args:
        connection: In a transaction that writes.
        pack: Its number.
        states: Training states by trial.
    """
    connection.execute(sql.delete(CHECKPOINTS).where(CHECKPOINTS.c.pack == pack))
    rows = [{"pack": pack, "trial": trial, "state": state} for trial, state in states.items()]
    if rows:
        connection.execute(sql.insert(CHECKPOINTS), rows)


def record_baseline(connection: sql.Connection, name: str, outcome: Outcome, worker: str) -> None:
    """See `Store.record_baseline`.

    Args:
        connection: In a transaction that writes.
        name: Of the baseline.
        outcome: Of its training.
        worker: What trained it, for the log.

    Raises:
        IntegrityError: There is one of that name.
    """
    row = {
        **scores_row(outcome, worker),
        **trained_row(outcome),
        "state": outcome.state,
        "name": name,
        "place": _next(connection, BASELINES.c.place),
    }
    connection.execute(sql.insert(BASELINES), row)


def _close_pack(connection: sql.Connection, pack: int, trials: set[int]) -> int:
    """Give the pack its number among the finished ones; returns its rung."""
    query = sql.select(PACKS.c.rung, PACKS.c.members, PACKS.c.place).where(PACKS.c.pack == pack)
    row = connection.execute(query).first()
    if row is None:
        raise ValueError(f"pack {pack} is not running: it does not exist")
    if row.place is not None:
        raise ValueError(f"pack {pack} is not running: it is finished")
    if set(row.members) != trials:
        raise ValueError(
            f"pack {pack} has the members {row.members}, but the outcomes are of {sorted(trials)}"
        )
    finish_order = _next(connection, PACKS.c.place)
    connection.execute(sql.update(PACKS).where(PACKS.c.pack == pack).values(place=finish_order))
    return row.rung


def _next(connection: sql.Connection, column: sql.Column[int]) -> int:
    """One more than the largest value of a column, from 0."""
    query = sql.select(sql.func.coalesce(sql.func.max(column), -1) + 1)
    return connection.execute(query).scalar_one()


def _repeat_known(connection: sql.Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Give duplicates of finished trials their scores at once; others wait for the original."""
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
    """Update columns of trials, a row for each of the `_new` values; times are added."""

    def value(name: str) -> Any:
        new = sql.bindparam(f"new_{name}", type_=TRIALS.c[name].type)
        if name in _TIMES:
            return sql.func.coalesce(TRIALS.c[name], 0.0) + sql.func.coalesce(new, 0.0)
        return new

    return (
        sql.update(TRIALS)
        .where(where == sql.bindparam("of"))
        .values({name: value(name) for name in names})
    )


def _new(of: int, row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {"of": of, **{f"new_{name}": row[name] for name in names}}
