"""Candidates of a run folder looked at again: how robust, how costly, how they move and remember, how much of their error is
luck, what other solvers make of their weights; and what matters among all of them.

Everything but the suite of memory, which has tasks of its own, is measured on the validation split; the test split stays
sealed until `retrain` opens it. Like `wiring_search.run`, this is where store, task and scores are put together; the command line is
a thin layer over it.
"""

from wiring_search.examine.mattering import CORRELATIONS_TABLE, IMPORTANCE_TABLE, STRUCTURE_TABLE, matters, pictures_of
from wiring_search.examine.moved import DYNAMICS_PICTURE, DYNAMICS_TABLE, dynamics
from wiring_search.examine.remembered import MEMORY_PICTURE, MEMORY_TABLE, memory
from wiring_search.examine.repeated import Design, Repeats, design, repeat
from wiring_search.examine.retrained import (
    CONTROLS_TABLE,
    WINNERS_PICTURE,
    WINNERS_TABLE,
    Plan,
    Retrained,
    plan,
    retrain,
    winners,
)
from wiring_search.examine.shifted import ROBUSTNESS_PICTURE, ROBUSTNESS_TABLE, robustness
from wiring_search.examine.solved import SolverComparison, solvers
from wiring_search.examine.spent import costs

__all__ = [
    "CORRELATIONS_TABLE",
    "CONTROLS_TABLE",
    "DYNAMICS_PICTURE",
    "DYNAMICS_TABLE",
    "IMPORTANCE_TABLE",
    "MEMORY_PICTURE",
    "MEMORY_TABLE",
    "ROBUSTNESS_PICTURE",
    "ROBUSTNESS_TABLE",
    "STRUCTURE_TABLE",
    "WINNERS_PICTURE",
    "WINNERS_TABLE",
    "Design",
    "Plan",
    "Repeats",
    "Retrained",
    "SolverComparison",
    "costs",
    "design",
    "dynamics",
    "matters",
    "memory",
    "pictures_of",
    "plan",
    "repeat",
    "retrain",
    "robustness",
    "solvers",
    "winners",
]
