"""Which nodes of a directed graph can be reached from others: one search, on sets of bits."""

from collections.abc import Iterable, Sequence


def successors(nodes: int, arcs: Iterable[tuple[int, int]]) -> list[int]:
    """The nodes that each node leads to in one step.

    Args:
        nodes: How many there are, numbered from 0.
        arcs: Pairs (from, to).

    Returns:
        One set of bits per node: bit k is set where an arc leads to node k.
    """
    following = [0] * nodes
    for start, end in arcs:
        following[start] |= 1 << end
    return following


def reachable(start: int, following: Sequence[int]) -> int:
    """The nodes that paths of any length lead to.

    Args:
        start: The nodes to start from, as bits. They belong to the result.
        following: Of each node, its successors as bits.

    Returns:
        The nodes reached, as bits.
    """
    found = waiting = start
    while waiting:
        lowest = waiting & -waiting
        new = following[lowest.bit_length() - 1] & ~found
        found |= new
        waiting = waiting ^ lowest | new
    return found


def bits(nodes: Iterable[int]) -> int:
    """A set of nodes as bits."""
    result = 0
    for node in nodes:
        result |= 1 << node
    return result


def members(found: int) -> list[int]:
    """The nodes of a set of bits, ascending."""
    return [node for node in range(found.bit_length()) if found >> node & 1]
