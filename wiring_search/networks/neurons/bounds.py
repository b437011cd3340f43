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
    """Whether all states stayed within the bounds of the exact solution, give or take SLACK.

    Where the equation has no bounds, every finite state is within them.

    Args:
        dynamics: Of the neuron.
        memory: A name out of `kinds.MEMORIES`.
        made: The connections.
        parameters: By name, as the dynamics sees them.
        least: (neurons,) the smallest state of each.
        greatest: (neurons,) the greatest state of each.
    """
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
