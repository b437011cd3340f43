"""A search from a few words to its files: task, space, study, pool, store and report put together.

    from wiring_search.run import search, study_config

    run = search(study_config("digits", "small", trials=32), out="results/mine")
    print(run.answer())
    print(run.front())

The command line is a thin layer over this.
"""

from wiring_search.run.commands.baselines import (
    BaselineDone,
    BaselineEpoch,
    BaselineWatcher,
    train_baselines,
)
from wiring_search.run.commands.cost import costs
from wiring_search.run.commands.dynamics import DYNAMICS_PICTURE, DYNAMICS_TABLE, dynamics
from wiring_search.run.commands.matters import (
    CORRELATIONS_TABLE,
    IMPORTANCE_TABLE,
    STRUCTURE_TABLE,
    matters,
    pictures_of,
)
from wiring_search.run.commands.memory import MEMORY_PICTURE, MEMORY_TABLE, memory
from wiring_search.run.commands.repeat import Design, Repeats, design, repeat
from wiring_search.run.commands.retrain import (
    CONTROLS_TABLE,
    WINNERS_PICTURE,
    WINNERS_TABLE,
    Plan,
    Retrained,
    plan,
    retrain,
    winners,
)
from wiring_search.run.commands.robustness import ROBUSTNESS_PICTURE, ROBUSTNESS_TABLE, robustness
from wiring_search.run.commands.screen import Screened, screen
from wiring_search.run.commands.search import (
    UNLIMITED,
    resume,
    search,
    search_randomly,
    study_config,
)
from wiring_search.run.commands.solvers import SolverComparison, solvers
from wiring_search.run.files import save_figure
from wiring_search.run.folder import Run, player
from wiring_search.run.pools import (
    ALL_CORES,
    ONE_PROCESS,
    Resources,
    decided,
    default_pack_size,
    make_pool,
    training_pool,
)

__all__ = [
    "ALL_CORES",
    "CONTROLS_TABLE",
    "CORRELATIONS_TABLE",
    "DYNAMICS_PICTURE",
    "DYNAMICS_TABLE",
    "IMPORTANCE_TABLE",
    "MEMORY_PICTURE",
    "MEMORY_TABLE",
    "ONE_PROCESS",
    "ROBUSTNESS_PICTURE",
    "ROBUSTNESS_TABLE",
    "STRUCTURE_TABLE",
    "UNLIMITED",
    "WINNERS_PICTURE",
    "WINNERS_TABLE",
    "BaselineDone",
    "BaselineEpoch",
    "BaselineWatcher",
    "Design",
    "Plan",
    "Repeats",
    "Resources",
    "Retrained",
    "Run",
    "Screened",
    "SolverComparison",
    "costs",
    "decided",
    "default_pack_size",
    "design",
    "dynamics",
    "make_pool",
    "matters",
    "memory",
    "pictures_of",
    "plan",
    "player",
    "repeat",
    "resume",
    "save_figure",
    "retrain",
    "robustness",
    "screen",
    "search",
    "search_randomly",
    "solvers",
    "study_config",
    "train_baselines",
    "training_pool",
    "winners",
]
