"""Whether states kept to what their equation allows.

An explicit solver whose steps are too long leaves the range of the exact solution long before its
numbers become infinite; that is what "unstable" means here. Numpy arrays in, a bool out.
"""

import numpy as np

from wiring_search.networks.neurons.connections import Connections
from wiring_search.networks.neurons.dynamics import Dynamics

# How far a state may stray beyond its bounds, as a share of their distance.
SLACK = 0.05


def within_bounds(
    dynamics: Dynamics,
    memory: str,
    made: Connections,
    parameters: dict[str, np.ndarray],
    least: np.ndarray,
    greatest: np.ndarray,
) -> bool:
    """least, greatest: (neurons,), the extremes that each neuron had. parameters: as the dynamics
    sees them. memory: a name out of `candidate.MEMORIES`. Where the equation has no bounds,
    whatever is finite is within them."""
    if not (np.isfinite(least).all() and np.isfinite(greatest).all()):
        return False
    if dynamics.bounds is None:
        return True
    low, high = dynamics.bounds(made, parameters)
    if memory == "state":  # it may start neurons from anywhere in (−1, 1)
        low = np.minimum(low, -1.0)
        high = np.maximum(high, 1.0)
    slack = SLACK * (high - low)
    return bool((least >= low - slack).all() and (greatest <= high + slack).all())
