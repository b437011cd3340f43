"""What can happen to a store from outside, told in a sentence: a full disk, a server that is gone,
a damaged file.

Every write is one transaction, so the message can promise that nothing is half written.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sql


class StoreFault(ValueError):
    """The store cannot be read or written; nothing is half written. The message says why, and the
    mend."""


# By the beginning of SQLite's name of the error; the first that fits.
_SQLITE = {
    "SQLITE_FULL": ("the disk is full", "free some space"),
    "SQLITE_IOERR": (
        "the disk gave an error; it may be full, or gone",
        "free some space, and see to the disk",
    ),
    "SQLITE_READONLY": ("it is read-only", "make the folder and its files writable"),
    "SQLITE_CANTOPEN": (
        "its files cannot be opened",
        "make the folder and its files writable, and see that the disk is not full",
    ),
    "SQLITE_BUSY": ("another program has kept it locked for half a minute", "end that program"),
    "SQLITE_CORRUPT": (
        "the file is damaged",
        "put back a copy, or save what is left by the command .recover of sqlite3",
    ),
    "SQLITE_NOTADB": ("the file is damaged", "put back a copy"),
}
# By PostgreSQL's class or code of the error.
_POSTGRES = {
    "53100": ("the server's disk is full", "free some space there"),
    "53": ("the server lacks memory or connections", "give it more"),
    "25006": ("the server takes no writes now", "make it writable"),
    "57P": ("the server is shutting down, or ended the connection", "see that it runs"),
    "28": (
        "the server does not let this user in",
        "give a password by PGPASSWORD or ~/.pgpass, and see its rules of access",
    ),
    "42501": (
        "the user lacks the rights on the database",
        "grant them: CREATE on the database, for the first study",
    ),
}
_UNREACHED = (
    "the server cannot be reached",
    "see that it runs, and that address and password (PGPASSWORD or ~/.pgpass) are right",
)


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Turn what the database cannot help into a StoreFault; faults of the program itself stay what
    they are."""
    try:
        yield
    except (sql.exc.IntegrityError, sql.exc.ProgrammingError, sql.exc.DataError) as fault:
        if _code(fault) != "42501":
            raise
        raise StoreFault(_sentence(folder, fault)) from fault
    except sql.exc.DBAPIError as fault:
        raise StoreFault(_sentence(folder, fault)) from fault


def _sentence(folder: Path, fault: sql.exc.DBAPIError) -> str:
    reason, mend = _known(fault)
    said = " ".join(str(fault.orig).split())
    return (
        f"the store of {folder} failed: {reason} ({said}). What was being written is there whole or not at all, everything before is; "
        f"{mend}, then `wiring-search resume {folder}` goes on"
    )


def _known(fault: sql.exc.DBAPIError) -> tuple[str, str]:
    name = getattr(fault.orig, "sqlite_errorname", None)
    if name is not None:
        return next(
            (known for start, known in _SQLITE.items() if name.startswith(start)),
            ("SQLite gave up", "see to that"),
        )
    code = _code(fault)
    if code is None:
        return _UNREACHED
    return next(
        (known for start, known in _POSTGRES.items() if code.startswith(start)),
        ("the server refused", "see to that"),
    )


def _code(fault: sql.exc.DBAPIError) -> Any:
    return getattr(fault.orig, "sqlstate", None)
