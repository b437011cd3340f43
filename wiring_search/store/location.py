"""Where a study's tables are: in an SQLite file of its run folder, or in a PostgreSQL database that
a small file of the folder points to."""

from pathlib import Path
from typing import Any

import sqlalchemy as sql

from wiring_search.store import postgres
from wiring_search.store.errors import database_faults
from wiring_search.store.postgres import Server
from wiring_search.store.tables import STUDY

FILE = "results.sqlite"
POINTER = "store.url"  # two lines: the URL of a database, the name of the study in it


def exists(folder: Path) -> bool:
    """Whether `folder` holds a study. A search killed while it made the store leaves none.

    Raises:
        StoreFault: The server cannot be reached, or the file is damaged.
    """
    file = folder / FILE
    if server_of(folder) is None and (not file.is_file() or file.stat().st_size == 0):
        return False
    engine = engine_of(folder)
    try:
        return holds_study(folder, engine)
    finally:
        engine.dispose()


def holds_study(folder: Path, engine: sql.Engine) -> bool:
    """Whether the database has the study's one row. folder: for the message of a fault."""
    with database_faults(folder), engine.connect() as connection:
        return (
            sql.inspect(connection).has_table("study")
            and connection.execute(sql.select(STUDY.c.schema)).first() is not None
        )


def server_of(folder: Path) -> Server | None:
    """The server that the folder points to; None where the folder keeps the study itself."""
    try:
        lines = (folder / POINTER).read_text(encoding="utf-8").split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(lines) < 2:
        raise ValueError(
            f"{folder / POINTER} is damaged; give it two lines: the URL of a database, and the "
            "name of the study there"
        )
    return Server(lines[0], lines[1])


def point(folder: Path, server: Server) -> None:
    """Let `folder` point to a study on that server."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{POINTER}.part"
    partial.write_text(f"{server.url}\n{server.study}\n", encoding="utf-8")
    partial.replace(folder / POINTER)


def engine_of(folder: Path) -> sql.Engine:
    server = server_of(folder)
    return _sqlite(folder / FILE) if server is None else postgres.engine_of(server)


def _sqlite(file: Path) -> sql.Engine:
    # Not pasted into a URL: there, % ? and # of a name would mean something else, and lead to
    # another file.
    engine = sql.create_engine(
        sql.URL.create("sqlite", database=str(file)), connect_args={"timeout": 30}
    )

    @sql.event.listens_for(engine, "connect")
    def use_write_ahead_log(connection: Any, _: Any) -> None:
        # Readers are not blocked by the writer, and a killed writer leaves the last whole
        # transaction.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        # The driver must begin no transactions by itself: it does before some statements only.
        connection.isolation_level = None

    @sql.event.listens_for(engine, "begin")
    def begin(connection: sql.Connection) -> None:
        # A writer says so at the start: a reader that turned writer would fail if another process
        # had written since.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
