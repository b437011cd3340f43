"""One search per study: locks that end with their process, without any clock.

In a run folder it is a lock of the operating system on a file. In PostgreSQL it is an advisory lock
of a session; all writes use the connection of that session, so a search that lost its lock cannot
write.
"""

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sql
from filelock import FileLock, Timeout

from wiring_search.store.errors import StoreFault, database_faults
from wiring_search.store.rows import now

_LOCK = "driver.lock"
_HOLDER = "driver.txt"  # beside the lock: an attempt to take a locked file empties it

_TAKE = sql.text("SELECT pg_try_advisory_lock(:key)")
# The session of a vanished host ends after a minute, not after the usual hours. A session that is
# silent while packs train does not end.
_NOTICE = sql.text(
    "SELECT set_config(name, wanted, false) FROM pg_settings JOIN (VALUES "
    "('tcp_keepalives_idle', '30'), ('tcp_keepalives_interval', '10'), "
    "('tcp_keepalives_count', '3'), ('idle_session_timeout', '0')) "
    "AS settings (name, wanted) USING (name)"
)
_HOLDER_OF = sql.text(
    "SELECT application_name, "
    "to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC') AS since "
    "FROM pg_locks JOIN pg_stat_activity USING (pid) "
    "WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (classid::bigint << 32) | objid::bigint = :key"
)


@contextmanager
def lock_file(folder: Path) -> Iterator[None]:
    """Lock the study in `folder`.

    Raises:
        ValueError: Another search has locked it.
        StoreFault: The lock cannot be made.
    """
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        holder = ""
        with suppress(OSError):
            holder = (folder / _HOLDER).read_text(encoding="utf-8").strip()
        raise _another(folder, holder) from None
    except OSError as fault:
        raise StoreFault(
            f"{folder / _LOCK} cannot be locked ({fault}); make the folder writable, and check "
            "that the disk is not full"
        ) from None
    try:
        # The name serves a message only: the lock counts, even if this cannot be written.
        with suppress(OSError):
            (folder / _HOLDER).write_text(
                f"process {os.getpid()} on {platform.node()}, since {now()}\n", encoding="utf-8"
            )
        yield
    finally:
        with suppress(OSError):
            (folder / _HOLDER).unlink()
        lock.release()


@contextmanager
def lock_session(folder: Path, study: str, engine: sql.Engine) -> Iterator[sql.Connection]:
    """Lock the study in PostgreSQL.

    Args:
        folder: The run folder, for messages.
        study: The name that the lock is for.
        engine: Of the database; the lock takes one connection of it.

    Yields:
        The connection that holds the lock.

    Raises:
        ValueError: Another search has locked it.
    """
    with database_faults(folder):
        connection = engine.connect()
    # Detached, it is closed in the end, and its lock with it; the pool would keep it.
    connection.detach()
    with closing(connection):
        with database_faults(folder):
            taken, holder = _take(connection, _key(study))
        if not taken:
            raise _another(folder, holder)
        yield connection


def _take(connection: sql.Connection, key: int) -> tuple[bool, str]:
    """Try to lock. Returns whether that worked, and otherwise the holder's name."""
    with connection.begin():
        connection.execute(_NOTICE)
        if connection.execute(_TAKE, {"key": key}).scalar_one():
            return True, ""
        row = connection.execute(_HOLDER_OF, {"key": key}).first()
        return False, f"{row.application_name}, connected since {row.since}" if row else ""


def refuse_lost_lock(folder: Path, connection: sql.Connection) -> None:
    """Raises StoreFault where the connection that held the lock is gone.

    Its next use would open a new connection, which holds none.
    """
    if connection.invalidated:
        raise StoreFault(
            f"the lock on the study of {folder} was lost with the connection to its server; "
            "another search may have resumed the study, so nothing more is written. "
            f"Run `wiring-search resume {folder}` to continue"
        )


def _key(study: str) -> int:
    """A number for the study. It is not negative, so that pg_locks shows its halves."""
    return (
        int.from_bytes(hashlib.sha256(f"wiring-search {study}".encode()).digest()[:8], "big") >> 1
    )


def _another(folder: Path, holder: str) -> ValueError:
    return ValueError(
        f"another search is running on {folder}{f' ({holder})' if holder else ''}; wait for it, "
        "or choose another folder"
    )
