"""Stores that a test makes or opens, closed when it ends."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.studies import FACTS, config
from wiring_search.store import Store

Make = Callable[..., Store]
_NUMBERS = itertools.count()


@pytest.fixture
def closed_later() -> Iterator[Callable[[Store], Store]]:
    """Takes a store, and closes it when the test ends."""
    with ExitStack() as stack:

        def keep(store: Store) -> Store:
            stack.callback(store.close)
            return store

        yield keep


@pytest.fixture
def open_store(closed_later: Callable[[Store], Store]) -> Callable[[Path], Store]:
    """Opens the store in a folder."""
    return lambda folder: closed_later(Store.open(folder))


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, closed_later: Callable[[Store], Store]) -> Make:
    """Makes a study in a folder, in either of the databases that stores can be in."""
    url = None
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url
    return lambda folder, **given: closed_later(Store.create(folder, config(**given), FACTS, url))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for a study; no two have the same name, as studies in one database have not."""
    return tmp_path / f"run-{next(_NUMBERS)}"
