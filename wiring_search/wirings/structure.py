"""Features of a wiring as numbers.

They are sizes, density, reciprocity, recurrence, paths, degrees, clustering and motifs.

    structure(wiring)["recurrence"]  # FEATURES says what each name means

All describe the graph alone, before any training. "Inner" refers to synapses between neurons.
Sensory nodes count in paths, in in-degrees and in the features named after them. A mean over
nothing is NaN; a share of nothing is 0.

Clustering: Fagiolo, "Clustering in complex directed networks", Physical Review E 76 (2007),
equation 6. Triads: Holland & Leinhardt, "A method for detecting structure in sociometric data",
American Journal of Sociology 76 (1970), and their letters. Triads are counted here by products of
the matrices of mutual, one-way and absent pairs.
"""

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
from threadpoolctl import threadpool_limits

from wiring_search.wirings.wiring import Wiring

# The thirteen connected triads: all kinds of the triad census but those that leave a neuron out.
TRIADS = {
    "021D": "one feeds two",
    "021U": "two feed one",
    "021C": "a chain",
    "111D": "a pair that feeds each other, and a third that feeds one of them",
    "111U": "a pair that feeds each other, and one of them feeds a third",
    "030T": "a feed-forward loop",
    "030C": "a feedback loop of three",
    "201": "two pairs that feed each other, joined at one neuron",
    "120D": "a third feeds both of a pair that feeds each other",
    "120U": "both of a pair that feeds each other feed a third",
    "120C": "a feedback loop of three, one pair of which feeds each other",
    "210": "all joined, but one pair only one way",
    "300": "each of three feeds the other two",
}
FEATURES = {
    "sensory": "sensory nodes",
    "inter": "inter neurons",
    "command": "command neurons",
    "motor": "motor neurons",
    "neurons": "inter, command and motor neurons",
    "synapses": "of the wiring, sensory ones included",
    "sensory_synapses": "from sensory nodes onto neurons",
    "inner_synapses": "between neurons",
    "density": "inner synapses over neurons²",
    "sensory_density": "sensory synapses over sensory nodes × neurons",
    "reciprocity": "share of the inner synapses, self-loops left out, that another one answers the "
    "other way round",
    "recurrence": "share of the inner synapses that lie on a directed cycle, self-loops included",
    "self_loops": "synapses of a neuron onto itself",
    "components": "strongly connected components of the neurons",
    "largest_component": "neurons in the largest of them",
    "path_mean": "synapses on the shortest path from a sensory node to a motor neuron, mean over "
    "the pairs that have one",
    "path_longest": "the largest of these",
    "distance_mean": "synapses on the shortest path from a neuron to another, mean over the pairs "
    "that have one",
    "in_degree_mean": "synapses onto a neuron, sensory ones included: mean over neurons",
    "in_degree_spread": "their standard deviation",
    "in_degree_max": "their maximum",
    "out_degree_mean": "synapses from a neuron: mean over neurons",
    "out_degree_spread": "their standard deviation",
    "out_degree_max": "their maximum",
    "excitatory": "share of all synapses with polarity +1",
    "clustering": "how often two neighbours of a neuron are joined: Fagiolo's coefficient, mean "
    "over neurons",
    "spectral_radius": "largest absolute eigenvalue of the inner synapses' polarities as a matrix",
    **{
        f"triad_{name}": f"share of the connected triads of neurons: {what}"
        for name, what in TRIADS.items()
    },
}


def structures(
    wirings: Sequence[Wiring], on_progress: Callable[[int, int], None] = lambda done, count: None
) -> list[dict[str, float]]:
    """Compute the features of many wirings.

    Args:
        wirings: The graphs.
        on_progress: Called as on_progress(done, count) after every 50 wirings and after the last.

    Returns:
        `structure` of each.
    """
    found = []
    # The matrices are too small to share: threads would wait for one another.
    with threadpool_limits(1, "blas"):
        for wiring in wirings:
            found.append(structure(wiring))
            if len(found) % 50 == 0 or len(found) == len(wirings):
                on_progress(len(found), len(wirings))
    return found


def structure(wiring: Wiring) -> dict[str, float]:
    """Compute the features of one wiring.

    Returns:
        Numbers by the names of FEATURES and in their order.
    """
    graph = _Graph(wiring)
    to_motor = graph.from_sensory[:, : wiring.motor]
    between = graph.between[graph.between > 0]
    counts = {
        name: float(getattr(wiring, name))
        for name in ("sensory", "inter", "command", "motor", "neurons")
    }
    synapses, outer, inner = (
        wiring.synapse_count,
        len(wiring.sensory_synapses),
        len(wiring.synapses),
    )
    return {
        **counts,
        "synapses": float(synapses),
        "sensory_synapses": float(outer),
        "inner_synapses": float(inner),
        "density": inner / wiring.neurons**2,
        "sensory_density": outer / (wiring.sensory * wiring.neurons),
        "reciprocity": _share(graph.mutual.sum(), graph.one_way.sum() + graph.mutual.sum()),
        "recurrence": _share(graph.returns[graph.signed != 0].sum(), inner),
        "self_loops": float(np.count_nonzero(graph.signed.diagonal())),
        "components": float(round((1 / graph.component_sizes).sum())),
        "largest_component": float(graph.component_sizes.max()),
        "path_mean": _mean(to_motor[to_motor > 0]),
        "path_longest": float(to_motor.max()) if (to_motor > 0).any() else np.nan,
        "distance_mean": _mean(between),
        **_degrees("in_degree", graph.outer.sum(axis=0) + (graph.signed != 0).sum(axis=0)),
        **_degrees("out_degree", (graph.signed != 0).sum(axis=1)),
        "excitatory": _share(graph.positive, synapses),
        "clustering": _clustering(graph),
        "spectral_radius": _spectral_radius(graph),
        **_triad_shares(graph),
    }


class _Graph:
    """The matrices of a wiring.

    Attributes:
        signed: (neurons, neurons) polarities, from the row to the column.
        outer: (sensory, neurons) 0 or 1, the sensory synapses.
        positive: Number of excitatory synapses of both kinds.
        mutual: (neurons, neurons) 0 or 1, the pairs that are joined in both directions, without
            self-loops.
        one_way: (neurons, neurons) 0 or 1, the pairs that are joined in one direction.
        from_sensory: (sensory, neurons) synapses on the shortest path, 0 where there is none.
        between: (neurons, neurons) likewise; 0 on the diagonal.
        returns: (neurons, neurons) whether a path leads from the column back to the row.
        component_sizes: (neurons,) neurons in the strongly connected component of each.
    """

    def __init__(self, wiring: Wiring) -> None:
        n = wiring.neurons
        self.signed, self.outer = np.zeros((n, n)), np.zeros((wiring.sensory, n))
        pre, post, polarity = wiring.synapse_arrays()
        self.signed[pre, post] = polarity
        pre, post, sensory_polarity = wiring.sensory_arrays()
        self.outer[pre, post] = 1.0
        self.positive = int((sensory_polarity > 0).sum() + (polarity > 0).sum())
        joined = (self.signed != 0).astype(float)
        np.fill_diagonal(joined, 0.0)
        self.mutual = joined * joined.T
        self.one_way = joined - self.mutual
        self._walk(joined)

    def _walk(self, joined: np.ndarray) -> None:
        """Breadth first from all sensory nodes and neurons at once."""
        sensory, n = self.outer.shape
        at = np.vstack([self.outer, np.eye(n)])
        unseen = at == 0
        steps = np.zeros_like(at)
        steps[:sensory][self.outer > 0] = 1
        done = 0
        while at.any():
            done += 1
            fresh = ((at @ joined) > 0) & unseen
            steps[:sensory][fresh[:sensory]] = done + 1
            steps[sensory:][fresh[sensory:]] = done
            unseen &= ~fresh
            at = fresh.astype(float)
        self.from_sensory = steps[:sensory]
        self.between = steps[sensory:]
        reached = ~unseen[sensory:]
        self.returns = reached.T
        self.component_sizes = (reached & reached.T).sum(axis=1)

    @cached_property
    def cyclic(self) -> np.ndarray:
        """(neurons,) Whether the neuron lies on a directed cycle."""
        return (self.component_sizes > 1) | (self.signed.diagonal() != 0)


def _clustering(graph: _Graph) -> float:
    both = graph.one_way + graph.one_way.T + 2 * graph.mutual
    triangles = ((both @ both) * both).sum(axis=1)
    degrees = both.sum(axis=1)
    mutual = graph.mutual.sum(axis=1)
    possible = 2 * (degrees * (degrees - 1) - 2 * mutual)
    return float(
        np.divide(triangles, possible, out=np.zeros_like(triangles), where=triangles > 0).mean()
    )


def _spectral_radius(graph: _Graph) -> float:
    """The largest absolute eigenvalue of the polarities.

    Neurons on no cycle are left out. They add only eigenvalues of 0: the matrix is
    block-triangular, with a block per strongly connected component.
    """
    cyclic = np.flatnonzero(graph.cyclic)
    if cyclic.size:
        return float(np.abs(np.linalg.eigvals(graph.signed[np.ix_(cyclic, cyclic)])).max())
    return 0.0


def _triad_shares(graph: _Graph) -> dict[str, float]:
    m = graph.mutual
    s = graph.one_way
    none = 1.0 - m - s - s.T
    np.fill_diagonal(none, 0.0)
    fed_by_one = s.T @ s
    feed_one = s @ s.T
    chain = s @ s
    both_ways = m @ m
    # Sums of products over all pairs count a triad once per order of its neurons that gives the
    # same triad: twice, three or six times.
    counts = {
        "021D": np.vdot(fed_by_one, none) / 2,
        "021U": np.vdot(feed_one, none) / 2,
        "021C": np.vdot(chain, none),
        "111D": np.vdot(m @ s.T, none),
        "111U": np.vdot(m @ s, none),
        "030T": np.vdot(chain, s),
        "030C": np.vdot(chain, s.T) / 3,
        "201": np.vdot(both_ways, none) / 2,
        "120D": np.vdot(fed_by_one, m) / 2,
        "120U": np.vdot(feed_one, m) / 2,
        "120C": np.vdot(chain, m),
        "210": np.vdot(both_ways, s),
        "300": np.vdot(both_ways, m) / 6,
    }
    total = sum(counts.values())
    return {f"triad_{name}": _share(count, total) for name, count in counts.items()}


def _degrees(name: str, values: np.ndarray) -> dict[str, float]:
    return {
        f"{name}_mean": float(values.mean()),
        f"{name}_spread": float(values.std()),
        f"{name}_max": float(values.max()),
    }


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
