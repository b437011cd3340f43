"""The events of a search, for its watchers: the live view, loggers, tests.

Events are frozen values and arrive in the order in which things happen: TaskLoaded,
KernelPrepared …, Estimated; then PackStarted and PackDone alternate, with PoolSeen between them and
ReferenceChosen once; at the end Exhausted or Stopped, if the search did not train every trial.
"""

from collections.abc import Callable
from dataclasses import dataclass

from wiring_search.workers.jobs import Outcome


@dataclass(frozen=True)
class TaskLoaded:
    """The search is about to begin.

    Attributes:
        description: Sizes and rules of the task, in a few lines.
    """

    description: str


@dataclass(frozen=True)
class KernelPrepared:
    """A kernel is about to be compiled, or loaded from the cache.

    Attributes:
        kind: The neuron, solver and memory that it runs.
        number: Which one it is, from 1.
        count: How many there are.
    """

    kind: str
    number: int
    count: int


@dataclass(frozen=True)
class Estimated:
    """How long the search will take, before it starts.

    Attributes:
        seconds: Wall time with the workers at hand; inf if only a budget ends the search.
        core_hours: Core-hours of all workers together; inf likewise.
    """

    seconds: float
    core_hours: float


@dataclass(frozen=True)
class PackStarted:
    """A pack goes to the pool.

    Attributes:
        pack: The number of the pack.
        rung: The number of the rung it trains for.
        trials: The trials that train in it.
    """

    pack: int
    rung: int
    trials: tuple[int, ...]


@dataclass(frozen=True)
class PackDone:
    """The outcomes of a pack are in the store.

    Below the last rung a good candidate has the status "pruned" until it is promoted.

    Attributes:
        pack: The number of the pack.
        outcomes: Outcomes by trial.
        restored: Whether an earlier run trained it.
        rung: The number of the rung.
    """

    pack: int
    outcomes: dict[int, Outcome]
    restored: bool = False
    rung: int = 0


@dataclass(frozen=True)
class ReferenceChosen:
    """The reference point for hypervolumes is fixed from now on.

    Attributes:
        point: One number per objective, each to be minimised.
    """

    point: tuple[float, ...]


@dataclass(frozen=True)
class PoolSeen:
    """The state of the pool.

    Attributes:
        workers: Number of workers that are up.
        waiting: Number of submitted packs that no worker has begun.
    """

    workers: int
    waiting: int


@dataclass(frozen=True)
class Exhausted:
    """The space has no new feasible point; the study ends early.

    Attributes:
        trained: Number of candidates that were trained.
    """

    trained: int


@dataclass(frozen=True)
class Stopped:
    """The search stops before its end and can be resumed. Packs under way are about to be saved.

    Attributes:
        reason: Why, in a few words.
    """

    reason: str


Event = (
    TaskLoaded
    | KernelPrepared
    | Estimated
    | PackStarted
    | PackDone
    | ReferenceChosen
    | PoolSeen
    | Exhausted
    | Stopped
)
Watcher = Callable[[Event], None]
