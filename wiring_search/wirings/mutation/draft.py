"""A wiring that is being changed: nodes keep their names while others come and go."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from wiring_search.wirings.mutation.origins import Origins
from wiring_search.wirings.mutation.roles import ROLES, Roles, joined_roles
from wiring_search.wirings.reachability import bits, reachable, successors
from wiring_search.wirings.wiring import Wiring

# Role, and index among the parent's nodes of that role; new nodes have indices beyond those.
Node = tuple[str, int]
Pair = tuple[Node, Node]
T = TypeVar("T")


@dataclass
class Draft:
    """A wiring that is being changed. It need not be feasible.

    Attributes:
        nodes: The nodes of each role.
        synapses: Polarities by the synapses' ends.
        joined: The pairs of roles that synapses may join.
        fresh: The index of the next new node.
    """

    nodes: dict[str, list[Node]]
    synapses: dict[Pair, int]
    joined: frozenset[Roles]
    fresh: int

    @classmethod
    def of(
        cls, wiring: Wiring, recurrent: bool, indices: dict[str, list[int]] | None = None
    ) -> "Draft":
        """Draft a wiring.

        Args:
            wiring: The graph.
            recurrent: Whether synapses from command to command neurons may be added where there are
                none yet.
            indices: Of the nodes of each role; by default they are counted from 0.

        Returns:
            The draft of the same graph.
        """
        indices = indices or {role: list(range(getattr(wiring, role))) for role in ROLES}
        nodes = {role: [(role, index) for index in found] for role, found in indices.items()}
        numbered = [*nodes["motor"], *nodes["command"], *nodes["inter"]]
        synapses = {
            (nodes["sensory"][pre], numbered[post]): polarity
            for pre, post, polarity in wiring.sensory_synapses
        }
        synapses |= {
            (numbered[pre], numbered[post]): polarity for pre, post, polarity in wiring.synapses
        }
        fresh = max(map(len, nodes.values()))
        return cls(nodes, synapses, joined_roles(wiring, recurrent), fresh)

    def copied(self) -> "Draft":
        """A copy that changes alone."""
        nodes = {role: list(found) for role, found in self.nodes.items()}
        return Draft(nodes, dict(self.synapses), self.joined, self.fresh)

    @property
    def neurons(self) -> int:
        """The number of motor, command and inter neurons."""
        return sum(len(self.nodes[role]) for role in ROLES[1:])

    @property
    def numbered(self) -> tuple[list[Node], list[Node]]:
        """The neurons and the sensory nodes, in the order of their numbers in a wiring."""
        nodes = self.nodes
        return [*nodes["motor"], *nodes["command"], *nodes["inter"]], nodes["sensory"]

    def numbers(self) -> dict[Node, int]:
        """The number of each node in a wiring."""
        return {node: number for found in self.numbered for number, node in enumerate(found)}

    def origins(self, numbers: dict[Node, int]) -> Origins:
        """Where the nodes come from.

        Args:
            numbers: The numbers of the parent's nodes.
        """
        neurons, sensory = self.numbered
        return Origins(
            tuple(numbers.get(node) for node in neurons),
            tuple(numbers.get(node) for node in sensory),
        )

    def wiring(self) -> Wiring:
        """The graph of the draft.

        Raises:
            ValueError: The draft is not feasible.
        """
        number = self.numbers()
        synapses = [
            (pre[0], (number[pre], number[post], polarity))
            for (pre, post), polarity in self.synapses.items()
        ]
        counts: dict[str, Any] = {role: len(found) for role, found in self.nodes.items()}
        return Wiring(
            **counts,
            sensory_synapses=tuple(synapse for role, synapse in synapses if role == "sensory"),
            synapses=tuple(synapse for role, synapse in synapses if role != "sensory"),
        )

    def is_feasible(self) -> bool:
        """Whether every node is reached from a sensory node and reaches a motor neuron."""
        return not self._loose(True) and not self._loose(False)

    def mend(self, rng: np.random.Generator) -> bool:
        """Add synapses until every node is reached from a sensory node and reaches a motor neuron.

        Returns:
            Whether it succeeded; False where no synapse that `joined` allows mends it.
        """
        return self._mend(rng, forward=True) and self._mend(rng, forward=False)

    def _mend(self, rng: np.random.Generator, forward: bool) -> bool:
        """Add synapses from reached nodes onto those that are not, or, if not `forward`, from dead
        nodes onto those that act."""
        while loose := self._loose(forward):
            ends = [node for found in self.nodes.values() for node in found if node not in loose]
            for node in (node for found in self.nodes.values() for node in found if node in loose):
                pairs = [
                    pair
                    for end in ends
                    if roles_of(pair := (end, node) if forward else (node, end)) in self.joined
                ]
                if pairs:
                    self.synapses[one_of(pairs, rng)] = any_polarity(rng)
                    break
            else:
                return False
        return True

    def _loose(self, forward: bool) -> set[Node]:
        """Nodes that no path from a sensory node reaches, or, if not `forward`, nodes from which no
        path reaches a motor neuron."""
        nodes = [node for found in self.nodes.values() for node in found]
        number = {node: k for k, node in enumerate(nodes)}
        arcs = ((number[pre], number[post]) for pre, post in self.synapses)
        following = successors(len(nodes), arcs if forward else ((b, a) for a, b in arcs))
        start = bits(number[node] for node in self.nodes["sensory" if forward else "motor"])
        found = reachable(start, following)
        return {node for k, node in enumerate(nodes) if not found >> k & 1}


def roles_of(pair: Pair) -> Roles:
    """The roles of a synapse's two ends."""
    return pair[0][0], pair[1][0]


def one_of(items: Sequence[T], rng: np.random.Generator) -> T:
    """Draw one of the items, all equally likely."""
    return items[int(rng.integers(len(items)))]


def any_polarity(rng: np.random.Generator) -> int:
    """Draw +1 or −1, both equally likely."""
    return 1 if rng.random() < 0.5 else -1
