"""Topologies: functions from sizes, densities and a seed to a wiring.

Each is deterministic by its seed (numpy's PCG64) and draws exactly the number of synapses that it
was given. No neuron is dead or unreachable, and no sensory node is unused. Infeasible sizes raise
ValueError before any work. `excitatory` is the probability of polarity +1, `seed` that of the
wiring.
"""

from wiring_search.wirings.topologies.with_layers import auto_ncp, layered, ncp
from wiring_search.wirings.topologies.without_layers import (
    fully_connected,
    random_sparse,
    small_world,
)

__all__ = ["auto_ncp", "fully_connected", "layered", "ncp", "random_sparse", "small_world"]
