"""What work runs on: workers of a Ray cluster, or this process."""

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import search_spaces
from wiring_search.tasks import Task

if TYPE_CHECKING:
    from wiring_search.kernels.layout import Kind
    from workers.pool import Pool, Train


@dataclass(frozen=True)
class Resources:
    """What a search runs on. workers: Ray actors, as many as there is room for by default; 0 trains in this process, without Ray.
    address: a Ray cluster to use, None for a local Ray. cpus: cores a worker; gpus: its share of a GPU. patience: seconds
    without a sign of life from its training loop, after which a worker counts as hung."""

    workers: int | None = None
    address: str | None = None
    cpus: int = 1
    gpus: float = 0.0
    patience: float = 300.0

    @property
    def cores(self) -> int:
        """Cores that each worker keeps busy; this process, all there are."""
        return (os.cpu_count() or 1) if self.workers == 0 else self.cpus


ALL_CORES = Resources()
ONE_PROCESS = Resources(workers=0)


def make_pool(
    train: "Train",
    task: Task,
    resources: Resources,
    kinds: "list[Kind]",
    told: Callable[[str, int, int], None],
) -> "Pool":
    """A pool of workers that call `train`. kinds: what they will train, told: heard of each that has to be compiled first."""
    from wiring_search.training import warm_up

    # Compile once, here: workers then find the kernels in the cache instead of compiling them side by side.
    warm_up(kinds, told)
    if resources.workers == 0:
        from workers.inline import InlinePool

        return InlinePool(train, task)
    from workers.ray_pool import RayPool

    return RayPool(train, task, **asdict(resources))


def kinds_of(space: search_spaces.Space) -> "list[Kind]":
    """What candidates of a space are trained as."""
    from wiring_search.kernels.layout import Kind

    return [Kind(*dynamics) for dynamics in space.dynamics()]
