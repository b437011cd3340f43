"""The results store: the one source of truth of a study, in SQL.

A trial is recorded when its pack is asked for, and again whenever a pack that it trains in
finishes. Each time, one transaction covers the whole pack, and the sampler learns of it afterwards.
So whatever is killed, a resumed study finds some packs still running, and nothing half written.
Tables, plots and the report are computed from the store alone, also while the search runs.
"""

from wiring_search.store.errors import StoreFault
from wiring_search.store.location import FILE, exists
from wiring_search.store.reading import StoreReader
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
    "StoreReader",
    "StoredPack",
    "Trial",
    "exists",
]
