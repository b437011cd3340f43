"""What tests of several files share: one PostgreSQL server a session, started for the first test that wants it."""

from collections.abc import Iterator

import pytest
from postgres import Postgres, running


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server
