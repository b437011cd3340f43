"""Reservoirs whose memory is known in closed form."""

from wiring_search.training.baselines.reservoir import Reservoir
from wiring_search.wirings.wiring import Wiring


def delay_line(neurons: int) -> Wiring:
    """Sensory node → last neuron → … → neuron 0, which is the motor neuron."""
    return Wiring(
        1,
        neurons - 1,
        0,
        1,
        ((0, neurons - 1, 1),),
        tuple((i, i - 1, (-1) ** i) for i in range(1, neurons)),
    )


def linear(wiring: Wiring, **settings) -> Reservoir:
    """So weakly driven that tanh is the identity."""
    return Reservoir(wiring, input_scale=1e-4, **settings)
