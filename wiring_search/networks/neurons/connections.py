"""What a neuron's dynamics sees of a wiring: its connections, as index arrays.

Nearly always these are the wiring's synapses. The layered CfC of the `ncps` package connects more
(dense recurrence within a layer, dense gates), and says so here, so that its true number of
connections is what is counted and paid.
"""

from dataclasses import dataclass

import numpy as np

from wiring_search.wirings.wiring import Wiring


@dataclass(frozen=True, eq=False)
class Connections:
    """Connections as index arrays, sorted by (post, pre).

    Attributes:
        neurons: Their number. They are numbered layer by layer, the output layer first.
        layer_ends: Last number + 1 of each layer.
        pre: (E,) sources, of connections between neurons.
        post: (E,) targets.
        polarity: (E,) −1 or 1.
        sensory_pre: (Es,) sources, of connections from sensory nodes.
        sensory_post: (Es,) targets.
        sensory_polarity: (Es,) −1 or 1.
        pins: Names of parameters and where they are pinned at zero, bool, one per connection.
    """

    neurons: int
    layer_ends: tuple[int, int, int]
    pre: np.ndarray
    post: np.ndarray
    polarity: np.ndarray
    sensory_pre: np.ndarray
    sensory_post: np.ndarray
    sensory_polarity: np.ndarray
    pins: tuple[tuple[str, np.ndarray], ...] = ()

    def pinned(self) -> dict[str, np.ndarray]:
        return dict(self.pins)


def synapses_of(wiring: Wiring) -> Connections:
    """The synapses of the wiring, as they are."""
    pre, post, polarity = wiring.synapse_arrays()
    sensory_pre, sensory_post, sensory_polarity = wiring.sensory_arrays()
    ends = wiring.motor, wiring.motor + wiring.command, wiring.neurons
    return Connections(
        wiring.neurons, ends, pre, post, polarity, sensory_pre, sensory_post, sensory_polarity
    )
