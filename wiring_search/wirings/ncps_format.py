"""Conversion of wirings from and to the `ncps` package. Needs `ncps` installed."""

import copy
from typing import Any

import numpy as np

from wiring_search.wirings.wiring import Wiring

try:
    from ncps import wirings as ncps_wirings
except ImportError as missing:
    raise ImportError(
        "exchanging wirings with the ncps package needs it installed: pip install ncps"
    ) from missing


def from_ncps(wiring: ncps_wirings.Wiring, features: int | None = None) -> Wiring:
    """Convert an `ncps` wiring to ours with the same synapses, neuron for neuron.

    The wiring given is left as it is. Idle neurons and sensory nodes, which `ncps` allows, are kept
    (`Wiring.idle_allowed`).

    Args:
        wiring: A wiring of the package, built or not.
        features: The number of sensory nodes to build it with, where it is not built yet.

    Raises:
        ValueError: An unbuilt wiring comes without `features`, or a built one with another number.
    """
    if not wiring.is_built():
        if features is None:
            raise ValueError(
                "this ncps wiring is not built, so its synapses are not drawn yet; give "
                "features=…, or call its build()"
            )
        wiring = copy.deepcopy(wiring)
        wiring.build(features)
    elif features not in (None, wiring.input_dim):
        raise ValueError(
            f"this ncps wiring is built for {wiring.input_dim} features, not {features}; leave "
            "features out"
        )
    roles = [wiring.get_type_of_neuron(neuron) for neuron in range(wiring.units)]
    counts: dict[str, Any] = {role: roles.count(role) for role in ("inter", "command", "motor")}
    if roles != sorted(roles, key=["motor", "command", "inter"].index):
        raise ValueError(
            f"neurons of this wiring are {roles}; they are to be numbered motor first, then "
            "command, then inter"
        )
    synapses = _synapses(wiring.sensory_adjacency_matrix), _synapses(wiring.adjacency_matrix)
    try:
        return Wiring(
            wiring.input_dim, **counts, sensory_synapses=synapses[0], synapses=synapses[1]
        )
    except ValueError:
        return Wiring(
            wiring.input_dim,
            **counts,
            sensory_synapses=synapses[0],
            synapses=synapses[1],
            idle_allowed=True,
        )


def to_ncps(wiring: Wiring) -> "NcpsWiring":
    """Convert a wiring to a built `ncps` wiring with the same synapses.

    Layers are those of the package, as `ncps.torch.CfC` asks for them: inter, command and motor
    where there are neurons of all three roles (its NCP), one layer of all neurons otherwise (its
    FullyConnected and Random).
    """
    return NcpsWiring(wiring)


class NcpsWiring(ncps_wirings.Wiring):
    """An `ncps` wiring with given synapses.

    Building it again changes nothing. Wirings of the package draw synapses when they are built.
    """

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring.neurons)
        self.set_output_dim(wiring.motor)
        self._roles = wiring.roles
        for pre, post, polarity in wiring.synapses:
            self.add_synapse(pre, post, polarity)
        super().build(wiring.sensory)
        for pre, post, polarity in wiring.sensory_synapses:
            self.add_sensory_synapse(pre, post, polarity)

    def build(self, input_dim: int) -> None:
        if input_dim != self.input_dim:
            raise ValueError(
                f"this wiring has {self.input_dim} sensory nodes, not {input_dim}; give inputs of "
                "that size"
            )

    @property
    def num_layers(self) -> int:
        return len(self._layers())

    def get_neurons_of_layer(self, layer_id: int) -> list[int]:
        layers = self._layers()
        if layer_id not in range(len(layers)):
            raise ValueError(
                f"layer is {layer_id!r}; this wiring has layers 0 to {len(layers) - 1}"
            )
        return layers[layer_id]

    def get_type_of_neuron(self, neuron_id: int) -> str:
        return self._roles[neuron_id]

    def _layers(self) -> list[list[int]]:
        layers = [
            [i for i, role in enumerate(self._roles) if role == name]
            for name in ("inter", "command", "motor")
        ]
        return layers if all(layers) else [list(range(self.units))]


def _synapses(adjacency: np.ndarray) -> tuple[tuple[int, int, int], ...]:
    return tuple(
        (int(pre), int(post), int(adjacency[pre, post])) for pre, post in np.argwhere(adjacency)
    )
