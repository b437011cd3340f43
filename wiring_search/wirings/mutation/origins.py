"""Wirings made from others, and where their nodes come from, so that weights can follow them."""

from typing import Any, NamedTuple

from wiring_search.wirings.wiring import Wiring


class Origins(NamedTuple):
    """The number in the parent of every neuron and every sensory node of a child.

    Attributes:
        neurons: One number per neuron; None where it is new.
        sensory: One number per sensory node; None where it is new.
    """

    neurons: tuple[int | None, ...]
    sensory: tuple[int | None, ...]

    @classmethod
    def same(cls, wiring: Wiring) -> "Origins":
        """The origins of a wiring in itself."""
        return cls(tuple(range(wiring.neurons)), tuple(range(wiring.sensory)))

    def in_turn(self, earlier: "Origins") -> "Origins":
        """The origins in the grandparent.

        Args:
            earlier: The origins of the parent in the grandparent.
        """
        neurons = tuple(None if at is None else earlier.neurons[at] for at in self.neurons)
        return Origins(
            neurons, tuple(None if at is None else earlier.sensory[at] for at in self.sensory)
        )

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `json.dumps` takes; `from_json` reads it back."""
        return {"neurons": list(self.neurons), "sensory": list(self.sensory)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Origins":
        """The inverse of `to_json`."""
        return cls(tuple(data["neurons"]), tuple(data["sensory"]))


class Child(NamedTuple):
    """A wiring made from another one.

    Attributes:
        wiring: The new wiring.
        moves: The moves made, in order: "add", "remove", "rewire", "flip", "grow inter", "shrink
            command" …
        origins: Where its nodes come from in the parent.
    """

    wiring: Wiring
    moves: tuple[str, ...]
    origins: Origins


def survivors(parent: Wiring, child: Wiring, origins: Origins) -> int:
    """Count the synapses of a child that its parent has, too.

    Args:
        parent: The parent.
        child: The child.
        origins: The child's nodes in the parent.
    """
    inner = {(pre, post) for pre, post, _ in parent.synapses}
    outer = {(pre, post) for pre, post, _ in parent.sensory_synapses}
    neurons, sensory = origins
    found = sum((neurons[pre], neurons[post]) in inner for pre, post, _ in child.synapses)
    return found + sum(
        (sensory[pre], neurons[post]) in outer for pre, post, _ in child.sensory_synapses
    )
