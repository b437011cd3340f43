"""The SQL of what follows a search: reference points, retrainings, openings of the test split.

Each function works in the transaction of its caller, the `Store` method of the same name.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sql

from wiring_search.store.rows import Retraining, finite, now, retraining_of, retraining_row, text
from wiring_search.store.tables import OPENINGS, REFERENCE_POINTS, RETRAINED
from wiring_search.workers.jobs import Outcome, Status

Key = tuple[int, str, int]

_HEAVY = ("candidate", "curve", "state")
_IS = [RETRAINED.c[name] == sql.bindparam(f"of_{name}") for name in ("trial", "control", "draw")]


def reference_point(
    connection: sql.Connection, objectives: Sequence[str]
) -> tuple[float, ...] | None:
    query = sql.select(REFERENCE_POINTS.c.point).where(
        REFERENCE_POINTS.c.objectives == _name(objectives)
    )
    point = connection.execute(query).scalar_one_or_none()
    return None if point is None else tuple(point)


def record_reference_point(
    connection: sql.Connection, objectives: Sequence[str], point: Sequence[float]
) -> None:
    """See `Store.record_reference_point`.

    Args:
        connection: In a transaction that writes.
        objectives: Names, in order.
        point: (objectives,), smaller is better.
    """
    row = {
        "objectives": _name(objectives),
        "point": [float(value) for value in point],
        "noted": now(),
    }
    connection.execute(_insert(connection)(REFERENCE_POINTS).on_conflict_do_nothing(), row)


def record_retrainings(
    connection: sql.Connection, outcomes: Mapping[Retraining, Outcome], worker: str
) -> None:
    """See `Store.record_retrainings`.

    Args:
        connection: In a transaction that writes.
        outcomes: Of each retraining.
        worker: What trained them, for the log.

    Raises:
        IntegrityError: One of them is recorded already.
    """
    connection.execute(
        sql.insert(RETRAINED), [retraining_row(*pair, worker) for pair in outcomes.items()]
    )


def retrainings(connection: sql.Connection) -> list[dict[str, Any]]:
    columns = [column for column in RETRAINED.columns if column.name not in _HEAVY]
    query = sql.select(*columns).order_by(RETRAINED.c.trial, RETRAINED.c.control, RETRAINED.c.draw)
    return [dict(row) for row in connection.execute(query).mappings()]


def networks(
    connection: sql.Connection, keys: Iterable[Key]
) -> list[tuple[Retraining, bytes | None]]:
    columns = ("trial", "control", "draw", "candidate", "data_seed", "state")
    query = sql.select(*(RETRAINED.c[name] for name in columns)).where(*_IS)
    rows = [connection.execute(query, _of(key)).one() for key in keys]
    return [(retraining_of(row), row.state) for row in rows]


def record_opening(connection: sql.Connection, purpose: str, keys: Sequence[Key]) -> int:
    """See `Store.record_opening`.

    Args:
        connection: In a transaction that writes.
        purpose: In words.
        keys: Retrainings by (trial, control, draw).

    Returns:
        The number of this opening, from 1.

    Raises:
        ValueError: A network is not trained well, or the split was opened for it before.
    """
    if not keys:
        raise ValueError("the test split is opened for networks; name at least one")
    for key in keys:
        found = connection.execute(
            sql.select(RETRAINED.c.status, RETRAINED.c.opening).where(*_IS), _of(key)
        ).first()
        if found is None or found.status != Status.OK.value:
            raise ValueError(f"network {key} is not trained well; test one whose status is ok")
        if found.opening is not None:
            raise ValueError(
                f"opening {found.opening} of the test split was for network {key} already; "
                "each network is tested once"
            )
    number = connection.execute(
        sql.select(sql.func.coalesce(sql.func.max(OPENINGS.c.opening), 0) + 1)
    ).scalar_one()
    row = {
        "opening": number,
        "opened": now(),
        "purpose": text(purpose),
        "networks": [list(key) for key in keys],
    }
    connection.execute(sql.insert(OPENINGS), row)
    connection.execute(
        sql.update(RETRAINED).where(*_IS).values(opening=number), [_of(key) for key in keys]
    )
    return number


def record_test_scores(
    connection: sql.Connection, values: Mapping[Key, tuple[float, float]]
) -> None:
    """See `Store.record_test_scores`."""
    of = sql.update(RETRAINED).where(
        *_IS, RETRAINED.c.opening.is_not(None), RETRAINED.c.tested.is_(None)
    )
    for key, (error, metric) in values.items():
        row = {"test_error": finite(error), "test_metric": finite(metric), "tested": now()}
        if connection.execute(of.values(row), _of(key)).rowcount != 1:
            raise ValueError(
                f"the test split was not opened for network {key}, or its test scores are "
                "recorded already"
            )


def openings(connection: sql.Connection) -> list[dict[str, Any]]:
    return [
        dict(row)
        for row in connection.execute(sql.select(OPENINGS).order_by(OPENINGS.c.opening)).mappings()
    ]


def _name(objectives: Sequence[str]) -> str:
    return " ".join(objectives)


def _of(key: Key) -> dict[str, Any]:
    return {
        f"of_{name}": value for name, value in zip(("trial", "control", "draw"), key, strict=True)
    }


def _insert(connection: sql.Connection) -> Any:
    """The insert that can ignore conflicts; each database has its dialect's."""
    from sqlalchemy.dialects import postgresql, sqlite

    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
