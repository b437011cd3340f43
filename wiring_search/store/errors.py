"""Faults of disks, servers and files, each explained in one sentence with its mend.

Every write is one transaction, so the message can promise that nothing is half written.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sql


class StoreFault(ValueError):
    """The store cannot be read or written. Nothing is half written; the message says the mend."""


# By the beginning of SQLite's name of the error; the first that fits.
_SQLITE = {
    "SQLITE_FULL": ("the disk is full", "free some space"),
    "SQLITE_IOERR": (
        "the disk reported an error; it may be full or detached",
        "free some space, and check the disk",
    ),
    "SQLITE_READONLY": ("it is read-only", "make the folder and its files writable"),
    "SQLITE_CANTOPEN": (
        "its files cannot be opened",
        "make the folder and its files writable, and check that the disk is not full",
    ),
    "SQLITE_BUSY": ("another program has locked it for half a minute", "end that program"),
    "SQLITE_CORRUPT": (
        "the file is damaged",
        "restore a copy, or save what is left with the command .recover of sqlite3",
    ),
    "SQLITE_NOTADB": ("the file is damaged", "restore a copy"),
}
# By PostgreSQL's class or code of the error.
_POSTGRES = {
    "53100": ("the server's disk is full", "free some space there"),
    "53": ("the server lacks memory or connections", "give it more of both"),
    "25006": ("the server is read-only", "make it writable"),
    "57P": ("the server is shutting down, or ended the connection", "start it again"),
    "28": (
        "the server refuses this user",
        "give the password in PGPASSWORD or ~/.pgpass, and check the server's access rules",
    ),
    "42501": (
        "the user lacks the rights on the database",
        "grant them: CREATE on the database, for the first study",
    ),
}
_UNREACHED = (
    "the server cannot be reached",
    "check that it runs, and that address and password (PGPASSWORD or ~/.pgpass) are right",
)


@contextmanager
def database_faults(folder: Path) -> Iterator[None]:
    """Raise StoreFault for faults from outside the program; its bugs stay what they are."""
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
        f"the store of {folder} failed: {reason} ({said}). Nothing is half written, and all "
        f"earlier results are safe; {mend}, then run `wiring-search resume {folder}`"
    )


def _known(fault: sql.exc.DBAPIError) -> tuple[str, str]:
    name = getattr(fault.orig, "sqlite_errorname", None)
    if name is not None:
        return next(
            (known for start, known in _SQLITE.items() if name.startswith(start)),
            ("SQLite failed", "mend that"),
        )
    code = _code(fault)
    if code is None:
        return _UNREACHED
    return next(
        (known for start, known in _POSTGRES.items() if code.startswith(start)),
        ("the server refused", "mend that"),
    )


def _code(fault: sql.exc.DBAPIError) -> Any:
    return getattr(fault.orig, "sqlstate", None)
