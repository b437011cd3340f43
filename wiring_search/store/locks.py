"""One driver a study: who holds it, and that a dead one's hold ends with it. No clock has a say in
it.

In a run folder it is a lock of the operating system on a file, which ends with the process. In
PostgreSQL it is an advisory lock of a session; all writes go over the connection of that session,
so a driver whose hold is gone cannot write any more.
"""

import hashlib
import os
import platform
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import sqlalchemy as sql
from filelock import FileLock, Timeout

from wiring_search.store.errors import StoreFault, told
from wiring_search.store.rows import now

_LOCK = "driver.lock"
_HOLDER = "driver.txt"  # beside the lock: whoever tries to take a locked file empties it

_TAKE = sql.text("SELECT pg_try_advisory_lock(:key)")
# A host that vanishes takes its session with it after a minute, not after the hours that are usual;
# a session that is silent while packs train is not ended for that.
_NOTICE = sql.text(
    "SELECT set_config(name, wanted, false) FROM pg_settings JOIN (VALUES ('tcp_keepalives_idle', '30'), "
    "('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '3'), ('idle_session_timeout', '0')) AS settings (name, wanted) "
    "USING (name)"
)
_WHO = sql.text(
    "SELECT application_name, to_char(backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC') AS since "
    "FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted AND objsubid = 1 "
    "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND (classid::bigint << 32) | objid::bigint = :key"
)


@contextmanager
def file_held(folder: Path) -> Iterator[None]:
    """Hold the study in `folder`. Raises ValueError where another driver does, StoreFault where no
    lock can be made."""
    lock = FileLock(folder / _LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        who = ""
        with suppress(OSError):
            who = (folder / _HOLDER).read_text(encoding="utf-8").strip()
        raise _another(folder, who) from None
    except OSError as fault:
        raise StoreFault(
            f"{folder / _LOCK} cannot be locked ({fault}); see that the folder is writable, and the disk not full"
        ) from None
    try:
        # It says who for a message only: the lock is what counts, also where this cannot be
        # written.
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
def session_held(folder: Path, study: str, engine: sql.Engine) -> Iterator[sql.Connection]:
    """Hold the study in PostgreSQL; gives the connection that holds it. Raises ValueError where
    another driver does."""
    with told(folder):
        connection = engine.connect()
    # it is closed in the end, and the hold with it; in the pool it would live on
    connection.detach()
    with closing(connection):
        with told(folder):
            taken, who = _take(connection, _key(study))
        if not taken:
            raise _another(folder, who)
        yield connection


def _take(connection: sql.Connection, key: int) -> tuple[bool, str]:
    """Try to hold; whether that went well, and otherwise who holds."""
    with connection.begin():
        connection.execute(_NOTICE)
        if connection.execute(_TAKE, {"key": key}).scalar_one():
            return True, ""
        row = connection.execute(_WHO, {"key": key}).first()
        return False, f"{row.application_name}, connected since {row.since}" if row else ""


def refuse_lost(folder: Path, connection: sql.Connection) -> None:
    """Raises StoreFault where the connection that holds the study was lost: the next use would open
    a new one, which holds nothing."""
    if connection.invalidated:
        raise StoreFault(
            f"the hold on the study of {folder} was lost with the connection to its server; another search may have taken it up, so "
            f"nothing more is written. `wiring-search resume {folder}` goes on from what is there"
        )


def _key(study: str) -> int:
    """A number for the study, not negative so that its halves are those that pg_locks shows."""
    return (
        int.from_bytes(hashlib.sha256(f"wiring-search {study}".encode()).digest()[:8], "big") >> 1
    )


def _another(folder: Path, who: str) -> ValueError:
    return ValueError(
        f"another search is running on {folder}{f' ({who})' if who else ''}; wait for it, or choose another folder"
    )
