"""Wirings to mutate and cross, and checks of their children."""

from collections.abc import Callable

from wiring_search.wirings.mutation import Child, Limits, Origins
from wiring_search.wirings.topologies import (
    fully_connected,
    layered,
    ncp,
    random_sparse,
    small_world,
)
from wiring_search.wirings.wiring import Wiring

LIMITS = Limits(sensory=(2, 8), inter=(3, 12), command=(2, 8), motor=(1, 4), neurons=(8, 20))
MADE: dict[str, Callable[[int], Wiring]] = {
    "ncp": lambda seed: ncp(4, 7, 4, 2, 2, 2, 4, 2, seed=seed),
    "layered": lambda seed: layered(4, 6, 4, 2, 0.6, seed=seed),
    "random_sparse": lambda seed: random_sparse(4, 11, 2, 12, 30, seed=seed),
    "small_world": lambda seed: small_world(3, 11, 2, 3, seed=seed),
    "fully_connected": lambda seed: fully_connected(3, 9, 2, seed=seed),
}


def edges_of(wiring: Wiring, origins: Origins) -> dict[tuple, int]:
    """Polarities by the numbers of the ends in the parent. New ends have their numbers in the
    child."""
    neurons = [at if at is not None else ("new", i) for i, at in enumerate(origins.neurons)]
    sensory = [
        ("sensory", at) if at is not None else ("new sensory", i)
        for i, at in enumerate(origins.sensory)
    ]
    inner = {(neurons[pre], neurons[post]): polarity for pre, post, polarity in wiring.synapses}
    return inner | {
        (sensory[pre], neurons[post]): polarity for pre, post, polarity in wiring.sensory_synapses
    }


def check_origins(parent: Wiring, child: Child) -> None:
    """Each node comes from a node of its role, and no two from the same one."""
    origins = child.origins
    assert len(origins.neurons) == child.wiring.neurons
    assert len(origins.sensory) == child.wiring.sensory
    for i, at in enumerate(origins.neurons):
        assert at is None or parent.roles[at] == child.wiring.roles[i]
    for found in origins:
        old = [at for at in found if at is not None]
        assert len(old) == len(set(old))
