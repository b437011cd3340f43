"""Reachability against networkx, on random graphs with self-loops and isolated nodes."""

import networkx
import numpy as np
import pytest

from wiring_search.wirings.reachability import bits, members, reachable, successors


@pytest.mark.parametrize("seed", range(20))
def test_reachable_nodes_are_those_of_networkx(seed: int) -> None:
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(1, 90))  # beyond 64 bits, too
    arcs = [tuple(pair) for pair in rng.integers(nodes, size=(nodes, 2)).tolist()]
    start = sorted({int(k) for k in rng.integers(nodes, size=3)})
    graph = networkx.DiGraph(arcs)
    graph.add_nodes_from(range(nodes))
    expected = set(start).union(*(networkx.descendants(graph, node) for node in start))
    found = reachable(bits(start), successors(nodes, arcs))
    assert members(found) == sorted(expected)


def test_no_start_reaches_no_node() -> None:
    assert reachable(0, successors(2, [(0, 1)])) == 0
