"""What a search tells whoever watches it: the live view, logs, tests. Frozen values, in the order
in which things happen.

TaskLoaded, KernelPrepared …, Estimated, then PackStarted and PackDone in turns with PoolSeen
between them, Referred once, and at the end Exhausted or Stopped where the search did not get all
that it asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

from workers.jobs import Outcome


@dataclass(frozen=True)
class TaskLoaded:
    """The search is about to begin. description: sizes and baselines of its task, a few lines."""

    description: str


@dataclass(frozen=True)
class KernelPrepared:
    """A kernel is about to be compiled, or loaded where it was before. kind: what for; number: 1 to
    count."""

    kind: str
    number: int
    count: int


@dataclass(frozen=True)
class Estimated:
    """What the search is going to take, before it starts. seconds: of wall time with the workers
    that there are; core_hours: of all of them together; inf where it has no number of trials to end
    with."""

    seconds: float
    core_hours: float


@dataclass(frozen=True)
class PackStarted:
    """A pack goes to the pool. rung: its number; trials: those that train in it."""

    pack: int
    rung: int
    trials: tuple[int, ...]


@dataclass(frozen=True)
class PackDone:
    """This pack's outcomes by trial are in the store. `restored`: they were there already, from an
    earlier run.

    On rungs below the last a candidate that did well has the status "pruned", until it is promoted.
    """

    pack: int
    outcomes: dict[int, Outcome]
    restored: bool = False
    rung: int = 0


@dataclass(frozen=True)
class Referred:
    """From now on hypervolumes of the study's objectives are measured, from this point, every
    number of it to be small."""

    point: tuple[float, ...]


@dataclass(frozen=True)
class PoolSeen:
    """workers: how many there are now; waiting: packs submitted that no worker has begun."""

    workers: int
    waiting: int


@dataclass(frozen=True)
class Exhausted:
    """The space gave no new feasible point any more; the study ends with fewer trials than asked
    for."""

    trained: int


@dataclass(frozen=True)
class Stopped:
    """The search stops before its end, and can be gone on with; packs under way are about to be
    written down, or come back. reason: a few words."""

    reason: str


Event = (
    TaskLoaded
    | KernelPrepared
    | Estimated
    | PackStarted
    | PackDone
    | Referred
    | PoolSeen
    | Exhausted
    | Stopped
)
Watcher = Callable[[Event], None]
