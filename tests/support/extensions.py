"""The tables that extensions add to, put back after a test."""

from collections.abc import Iterator
from contextlib import contextmanager

from wiring_search import tasks
from wiring_search.networks import neurons
from wiring_search.scores import catalogue
from wiring_search.store import extension
from wiring_search.store.extension_tables import EXTENSION_EXPORTS, EXTENSION_SAMPLERS
from wiring_search.wirings.kinds import KINDS

TABLES = (
    KINDS,
    neurons.NEURONS,
    catalogue.GROUPS,
    catalogue.SCORES,
    catalogue.OBJECTIVES,
    tasks.TASKS,
    EXTENSION_EXPORTS,
    EXTENSION_SAMPLERS,
    extension.LOADED,
    extension.DECLARED,
)


@contextmanager
def tables_restored() -> Iterator[None]:
    """An extension is for the life of a process; after this context the process has none of it."""
    before = [dict(table) for table in TABLES]
    try:
        yield
    finally:
        for table, was in zip(TABLES, before, strict=True):
            table.clear()
            table.update(was)
