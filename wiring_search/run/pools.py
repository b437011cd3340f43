"""The machines of a command: workers of a Ray cluster, or this process."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from wiring_search import search_spaces
from wiring_search.store.config import StudyConfig
from wiring_search.store.extension import Extension, extended
from wiring_search.tasks import Task

if TYPE_CHECKING:
    from wiring_search.networks.kernels.layout import Kind
    from wiring_search.workers.pool import Pool, Train

# Candidates per pack on a GPU. Larger packs train faster per candidate, but the sampler would
# propose more of them without results.
_MANY = 256


@dataclass(frozen=True)
class Resources:
    """What a command runs on.

    Attributes:
        workers: Ray actors; None: as many as there is room for; 0: train in this process.
        address: A Ray cluster; None: a local Ray.
        cpus: Cores per worker.
        gpus: Share of a GPU per worker.
        patience: Seconds without progress after which a worker counts as hung.
        device: "cpu", "cuda", or "auto": the GPU if this machine has one and all candidates have a
            kernel there; each worker then gets a GPU unless `gpus` says otherwise.
    """

    workers: int | None = None
    address: str | None = None
    cpus: int = 1
    gpus: float = 0.0
    patience: float = 300.0
    device: str = "auto"

    @property
    def cores(self) -> int:
        """Cores that each worker keeps busy; all there are for this process."""
        return (os.cpu_count() or 1) if self.workers == 0 else self.cpus


ALL_CORES = Resources()
ONE_PROCESS = Resources(workers=0)


def make_pool(
    train: "Train",
    task: Task,
    resources: Resources,
    kinds: "list[Kind]",
    on_kernel: Callable[[str, int, int], None],
) -> "Pool":
    """Make a pool of workers that call `train`.

    Args:
        train: Trains a pack.
        task: The task.
        resources: How many workers, and where they run.
        kinds: What they will train; the kernels are compiled first.
        on_kernel: Called with (kind, number, count) before each kernel is compiled.
    """
    from wiring_search.training.warm_up import warm_up

    # Compile once, here: workers then find the kernels in the cache, and none compiles them again.
    warm_up(kinds, on_kernel)
    if resources.workers == 0:
        from wiring_search.workers.inline import InlinePool

        return InlinePool(train, task)
    from wiring_search.training.speed import speed
    from wiring_search.workers.ray_pool import RayPool

    on = resources
    return RayPool(train, task, on.workers, on.address, on.cpus, on.gpus, on.patience, speed)


def training_pool(
    extension: Extension | None,
    task: Task,
    resources: Resources,
    kinds: "list[Kind]",
    on_kernel: Callable[[str, int, int], None],
) -> "Pool":
    """Make a pool of workers that train candidates and score them.

    Args:
        extension: The study's extension, which each worker loads.
        task: See `make_pool`.
        resources: See `make_pool`. Its device must be decided; workers train on it.
        kinds: See `make_pool`.
        on_kernel: See `make_pool`.
    """
    from wiring_search.scores.evaluate import train_and_score

    return make_pool(
        extended(extension, partial(train_and_score, device=resources.device)),
        task,
        resources,
        kinds,
        on_kernel,
    )


def decided(resources: Resources, kinds: "list[Kind]") -> Resources:
    """Decide the device, "cpu" or "cuda", and give a GPU to each worker that is to use one.

    Args:
        resources: What a command runs on.
        kinds: What it will train.

    Raises:
        ValueError: The device is unknown, or "cuda" for this process or machine, which has none.
    """
    from wiring_search.training.devices import DEVICES, has_gpu_kernel, packs_on, why_no_gpu

    device = resources.device
    here = resources.workers == 0 or resources.address is None
    if device not in DEVICES or (device == "cuda" and here):
        packs_on(device)
    if device == "auto":
        device = "cuda" if not why_no_gpu() and all(map(has_gpu_kernel, kinds)) else "cpu"
    return replace(resources, device=device, gpus=resources.gpus or float(device == "cuda"))


def default_pack_size(
    config: StudyConfig,
    resources: Resources = ALL_CORES,
    load_task: Callable[[], Task] | None = None,
) -> int:
    """Return how many candidates train side by side where a study does not say.

    A core fills its caches with few. A GPU idles unless it trains hundreds at once: 256, repeats
    counted, or as many as its free memory has room for. (The memory of a cluster's GPUs cannot be
    seen from here; there a pack without room is halved.)

    Args:
        config: The study; its pack size is ignored.
        resources: What it runs on.
        load_task: Returns the study's task, called only on a GPU; by default it is loaded here.

    Raises:
        ValueError: See `decided`.
    """
    from wiring_search.training.devices import why_no_gpu

    space = search_spaces.Space.from_json(config.space)
    resources = decided(resources, kinds_of(space))
    if resources.device == "cpu":
        return StudyConfig.pack_size
    if why_no_gpu():
        return max(1, _MANY // config.repeats)
    task = (load_task or config.load_task)()
    room = _room_on_gpu(task, space, config.seed, min(resources.gpus, 1.0))
    return max(1, min(_MANY, room) // config.repeats)


def _room_on_gpu(task: Task, space: search_spaces.Space, seed: int, share: float) -> int:
    """Candidates that fit into half of a worker's share of the free memory.

    The other half is for larger ones.
    """
    from wiring_search.run.estimate import typical
    from wiring_search.training.gpu_pack import room_for
    from wiring_search.training.pack import group_by_kind

    candidates = typical(space, 64, seed)
    packs = [[candidates[p] for p in indices] for indices in group_by_kind(candidates)]
    sizes = task.features, task.outputs, task.time_steps
    return min(room_for(pack, *sizes, share / 2) for pack in packs)


def kinds_of(space: search_spaces.Space) -> "list[Kind]":
    """Return the kinds that candidates of a space are trained as."""
    from wiring_search.networks.kernels.layout import Kind

    return [Kind(*dynamics) for dynamics in space.dynamics()]
