"""Studies in a PostgreSQL database. Each has its schema, so one database holds many.

The URL is SQLAlchemy's (postgresql://user@host:5432/database). Run folders keep it, so it may hold
no password; PostgreSQL's client takes that from PGPASSWORD or ~/.pgpass.
"""

import os
import platform
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sql

_LONGEST_NAME = 63  # bytes; PostgreSQL cuts longer names short


@dataclass(frozen=True)
class Server:
    """A study in a PostgreSQL database.

    Attributes:
        url: Of the database.
        study: The name of the study and of its schema.

    Raises:
        ValueError: The URL is not PostgreSQL's or holds a password, or the name is not allowed.
    """

    url: str
    study: str

    def __post_init__(self) -> None:
        try:
            url = sql.make_url(self.url)
        except sql.exc.ArgumentError:
            raise ValueError(
                f"{self.url!r} is no URL; give one such as postgresql://user@host/database"
            ) from None
        if url.drivername not in ("postgresql", "postgresql+psycopg"):
            raise ValueError(
                f"the store's URL is for {url.drivername}; give one of PostgreSQL, such as "
                "postgresql://user@host/database"
            )
        if url.password is not None or {"password", "sslpassword"} & set(url.query):
            raise ValueError(
                f"the URL {url.set(query={})} holds a password, which the run folder would keep in "
                "plain text; leave it out, and give the password in PGPASSWORD or ~/.pgpass"
            )
        if (
            not self.study
            or len(self.study.encode()) > _LONGEST_NAME
            or self.study.startswith("pg_")
        ):
            raise ValueError(
                f"a study in PostgreSQL has its folder's name, and cannot be named {self.study!r}; "
                f"give the folder a name of 1 to {_LONGEST_NAME} bytes that does not begin with pg_"
            )

    def __str__(self) -> str:
        return f"study {self.study!r} of {self.url}"


def engine_of(server: Server) -> sql.Engine:
    """Connections that see the tables of this study alone.

    Raises:
        ValueError: PostgreSQL's driver is not installed.
    """
    url = sql.make_url(server.url).set(drivername="postgresql+psycopg")
    # Nothing passes through a connection while packs train; keepalives show whether it lives.
    arguments: dict[str, Any] = {
        "connect_timeout": 10,
        "keepalives_idle": 30,
        "keepalives_interval": 10,
        "keepalives_count": 3,
    }
    arguments["application_name"] = f"wiring-search, process {os.getpid()} on {platform.node()}"[
        :_LONGEST_NAME
    ]
    try:
        engine = sql.create_engine(url, connect_args=arguments, pool_pre_ping=True)
    except ModuleNotFoundError:
        raise ValueError(
            "PostgreSQL needs its driver: pip install 'wiring-search[postgres]'"
        ) from None

    @sql.event.listens_for(engine, "connect")
    def look_into_the_study(connection: Any, _: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('search_path', quote_ident(%s), false)", (server.study,)
            )
        connection.commit()

    return engine


def make_schema(connection: sql.Connection, name: str) -> None:
    """Make the schema of a study, unless it exists: making one may take rights that using one does
    not."""
    if not sql.inspect(connection).has_schema(name):
        connection.execute(sql.schema.CreateSchema(name))
