"""What a process does once before it trains: kernels compiled, torch kept to one thread."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import numpy as np
import torch

from wiring_search.networks.kernels import cpu, plain
from wiring_search.networks.kernels.layout import Kind
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp


def warm_up(
    kinds: Iterable[Kind] = (Kind(),),
    on_progress: Callable[[str, int, int], None] = lambda kind, number, count: None,
) -> None:
    """Compile the kernels of these kinds, or load them from numba's cache on disk.

    The first time after an installation a kind takes about ten seconds.

    Args:
        kinds: Kinds without a compiled kernel are passed over.
        on_progress: Called with (kind, number, count) before each.
    """
    wiring = ncp(2, 2, 1, 1, 1, 1, 0, 1)
    apart: dict[tuple[str, ...], Kind] = {}
    for kind in kinds:
        if plain.is_needed(kind):
            continue
        apart.setdefault(cpu.compiled_apart(kind), kind)
    for number, kind in enumerate(apart.values(), start=1):
        on_progress(f"{kind.neuron}, {kind.solver}, memory {kind.memory}", number, len(apart))
        candidate = Candidate(
            wiring, kind.neuron, kind.solver, 0 if kind.solver == "closed-form" else 1, kind.memory
        )
        x, elapsed = np.zeros((1, 1, 2), np.float32), np.ones((1, 1), np.float32)
        Pack([candidate], 2, 1).train_step(x, elapsed, True, lambda y: y.flatten(1).sum(dim=1))


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Keep torch to one thread inside the block.

    Tensors of small networks are too small to share: on busy cores, threads that wait for each
    other take ten times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
