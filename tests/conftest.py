"""What tests of several files share: a width of tables, and one PostgreSQL server a session, started for the first test that wants it."""

import os
from collections.abc import Iterator

import pytest
from postgres import Postgres, running

# Tables are as wide as they need to be, wherever tests run; what prints them asks this when it is imported.
os.environ["COLUMNS"] = "200"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server
