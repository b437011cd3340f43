"""The results store: the one source of truth of a study, in SQL.

A trial is written when its pack is asked for, and again whenever a pack that it trains in is
finished, each time in one transaction for the whole pack, before the sampler hears of it. Whatever
is killed in between, a study that is opened again finds packs that were asked for and not finished,
and nothing half written. Tables, plots and the report are computed from here alone, also while the
search runs.
"""

from wiring_search.store.errors import StoreFault
from wiring_search.store.location import FILE, exists
from wiring_search.store.rows import Baseline, Retraining, StoredPack, Trial
from wiring_search.store.store import Store
from wiring_search.store.tables import SCHEMA

__all__ = [
    "FILE",
    "SCHEMA",
    "Baseline",
    "Retraining",
    "Store",
    "StoreFault",
    "StoredPack",
    "Trial",
    "exists",
]
