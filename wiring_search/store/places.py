"""Where a study's tables are: in an SQLite file of its run folder."""

from pathlib import Path
from typing import Any

import sqlalchemy as sql

from wiring_search.store.tables import STUDY

FILE = "results.sqlite"


def exists(folder: Path) -> bool:
    """Whether `folder` holds a study: a search killed while it made the store has left none."""
    if not (folder / FILE).is_file():
        return False
    engine = engine_of(folder)
    try:
        with engine.connect() as connection:
            return (
                sql.inspect(connection).has_table("study") and connection.execute(sql.select(STUDY.c.schema)).first() is not None
            )
    finally:
        engine.dispose()


def engine_of(folder: Path) -> sql.Engine:
    return _sqlite(folder / FILE)


def _sqlite(file: Path) -> sql.Engine:
    engine = sql.create_engine(f"sqlite:///{file}", connect_args={"timeout": 30})

    @sql.event.listens_for(engine, "connect")
    def use_write_ahead_log(connection: Any, _: Any) -> None:
        # Readers are not blocked by the writer, and a killed writer leaves the last whole transaction.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.isolation_level = None  # the driver begins no transaction of its own, before some statements and not others

    @sql.event.listens_for(engine, "begin")
    def begin(connection: sql.Connection) -> None:
        # Who is going to write says so at once: a reader that turns writer would fail where another has written since.
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
