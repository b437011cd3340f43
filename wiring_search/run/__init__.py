"""A search from a few words to its files: where task, space, study, pool, store and report are put together.

    from wiring_search.run import search, study_config

    run = search(study_config("digits", "small", trials=32), out="results/mine")
    print(run.answer())
    print(run.front())

The command line is a thin layer over this.
"""

from wiring_search.run.baselined import BaselineDone, BaselineEpoch, BaselineWatcher, train_baselines
from wiring_search.run.folder import Run, player
from wiring_search.run.pools import ALL_CORES, ONE_PROCESS, Resources, decided, default_pack_size, make_pool, training_pool
from wiring_search.run.screened import Screened, screen
from wiring_search.run.searched import UNLIMITED, resume, search, search_randomly, study_config

__all__ = [
    "ALL_CORES",
    "ONE_PROCESS",
    "UNLIMITED",
    "BaselineDone",
    "BaselineEpoch",
    "BaselineWatcher",
    "Resources",
    "Run",
    "Screened",
    "decided",
    "default_pack_size",
    "make_pool",
    "player",
    "resume",
    "screen",
    "search",
    "search_randomly",
    "study_config",
    "train_baselines",
    "training_pool",
]
