"""Names in a space: topologies, the dimensions of each, and the values of dimensions with names."""

import inspect
from collections.abc import Callable, Collection

from wiring_search.wirings import topologies
from wiring_search.wirings.kinds import GRADIENTS, KINDS, MEMORIES
from wiring_search.wirings.wiring import Wiring

TOPOLOGIES: dict[str, Callable[..., Wiring]] = {
    "ncp": topologies.ncp,
    "auto_ncp": topologies.auto_ncp,
    "random_sparse": topologies.random_sparse,
    "fully_connected": topologies.fully_connected,
    "small_world": topologies.small_world,
    "layered": topologies.layered,
}
# Layered neurons look at the synapses from layer to layer alone: only these topologies have layers.
LAYERED_TOPOLOGIES = ("ncp", "auto_ncp", "layered")
# Dimensions of the candidate; all others are arguments of the topology. `wiring_seed` is the
# topology's `seed`.
CANDIDATE_DIMENSIONS = ("neuron", "solver", "steps", "gradient", "memory", "learning_rate")
# Dimensions that are chosen by name, and the names; all others are numbers.
NAMES: dict[str, Collection[str]] = {
    "topology": tuple(TOPOLOGIES),
    "neuron": KINDS,
    "solver": tuple(dict.fromkeys(name for kind in KINDS.values() for name in kind.solvers)),
    "memory": MEMORIES,
    "gradient": GRADIENTS,
}


def known_dimensions(topology: str) -> dict[str, bool]:
    """Return the dimensions that a space with this topology may have.

    Returns:
        Whether each is required, by name.
    """
    arguments = inspect.signature(TOPOLOGIES[topology]).parameters.values()
    wiring = {
        a.name: a.default is a.empty
        for a in arguments
        if a.name not in ("seed", "self_connections")
    }
    return {**wiring, "wiring_seed": False, **dict.fromkeys(CANDIDATE_DIMENSIONS, False)}
