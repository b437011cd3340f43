"""Crossing of two wirings.

As in NEAT, crossing matches the neurons that have a common origin (Stanley and Miikkulainen,
"Evolving neural networks through augmenting topologies", Evolutionary Computation 2002). Unlike in
NEAT, networks shrink, too. The result is always feasible.
"""

from itertools import chain, count

import numpy as np

from wiring_search.wirings.mutation.draft import Draft, Node, roles_of
from wiring_search.wirings.mutation.moves import Limits
from wiring_search.wirings.mutation.origins import Child, Origins
from wiring_search.wirings.mutation.roles import ROLES
from wiring_search.wirings.wiring import Wiring


def cross(
    a: Wiring, b: Wiring, limits: Limits, rng: np.random.Generator, matches: Origins | None = None
) -> tuple[Child, Child] | None:
    """Make one wiring out of two.

    Each layer has the nodes that it has in one of the two. Synapses that both have are kept. A
    synapse that only one has is kept by chance, or always where the other lacks one of its ends.
    Only pairs of roles that may be joined in `a` have synapses.

    Args:
        a: The first parent.
        b: The second parent.
        limits: Bounds of the child's sizes.
        rng: Source of random numbers.
        matches: For every neuron and sensory node of b, which of a's it is. Those with None are
            matched by their order in their layers, as all are by default.

    Returns:
        The wiring as a child of `a` and as a child of `b`; None where the two do not go together.
    """
    first = Draft.of(a, limits.recurrent)
    matches = matches or Origins((None,) * b.neurons, (None,) * b.sensory)
    second = Draft.of(b, limits.recurrent, _matched(a, b, matches))
    nodes = {role: (first, second)[rng.integers(2)].nodes[role] for role in ROLES}
    if not limits.neurons[0] <= sum(len(nodes[role]) for role in ROLES[1:]) <= limits.neurons[1]:
        nodes = first.nodes
    kept = _all(nodes)
    common = _all(first.nodes) & _all(second.nodes)
    synapses = {}
    for pair in dict.fromkeys((*first.synapses, *second.synapses)):
        if kept.issuperset(pair) and roles_of(pair) in first.joined:
            found = [draft.synapses[pair] for draft in (first, second) if pair in draft.synapses]
            if len(found) == 2 or not common.issuperset(pair) or rng.random() < 0.5:
                synapses[pair] = found[int(rng.random() * len(found))]
    child = Draft({role: list(found) for role, found in nodes.items()}, synapses, first.joined, 0)
    if not child.mend(rng):
        return None
    wiring = child.wiring()
    of_a, of_b = (child.origins(parent.numbers()) for parent in (first, second))
    return Child(wiring, ("cross",), of_a), Child(wiring, ("cross",), of_b)


def _matched(a: Wiring, b: Wiring, matches: Origins) -> dict[str, list[int]]:
    """The indices of b's nodes by role: those of a's nodes that they match, or indices beyond."""
    indices = {}
    for role in ROLES:
        first, start = (_starts(wiring)[role] for wiring in (a, b))
        known = (matches.sensory if role == "sensory" else matches.neurons)[
            start : start + getattr(b, role)
        ]
        found = [None if at is None else at - first for at in known]
        free = chain(
            (index for index in range(getattr(a, role)) if index not in found),
            count(getattr(a, role)),
        )
        indices[role] = [next(free) if index is None else index for index in found]
    return indices


def _all(nodes: dict[str, list[Node]]) -> set[Node]:
    return {node for found in nodes.values() for node in found}


def _starts(wiring: Wiring) -> dict[str, int]:
    """The number of the first node of each role."""
    return {
        "sensory": 0,
        "motor": 0,
        "command": wiring.motor,
        "inter": wiring.motor + wiring.command,
    }
