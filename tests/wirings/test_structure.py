"""Structural features equal those of networkx, on wirings of every topology."""

import math

import networkx
import numpy as np
import pytest

from wiring_search.wirings.structure import FEATURES, TRIADS, structure
from wiring_search.wirings.topologies import (
    fully_connected,
    layered,
    ncp,
    random_sparse,
    small_world,
)
from wiring_search.wirings.wiring import Wiring


def _wirings() -> list[Wiring]:
    rng = np.random.default_rng(5)
    drawn = []
    for seed in range(6):
        sensory, inter, command, motor = (
            int(rng.integers(low, high)) for low, high in ((2, 9), (4, 13), (3, 9), (1, 6))
        )
        n, share = inter + command + motor, float(rng.uniform(0.2, 0.9))
        drawn += [
            ncp(sensory, inter, command, motor, 2, 2, seed * 2 % (command**2), 2, share, seed),
            layered(sensory, inter, command, motor, float(rng.uniform(0.2, 1)), seed, share, seed),
            random_sparse(
                sensory, n, motor, 2 * sensory + n, int(rng.integers(2 * n, n * n)), share, seed
            ),
            small_world(sensory, n, motor, 2 + seed % 3, 0.3, 2, share, seed),
            fully_connected(sensory, 4 + seed, 1 + seed % 3, bool(seed % 2), share, seed),
        ]
    # A pair of ends that no path joins, a single neuron, and no synapse between neurons.
    drawn.append(Wiring(2, 1, 1, 1, ((0, 2, 1), (0, 0, -1)), ((1, 1, -1),), idle_allowed=True))
    drawn.append(Wiring(1, 0, 0, 1, ((0, 0, 1),), ()))
    drawn.append(Wiring(1, 0, 0, 2, ((0, 1, 1),), (), idle_allowed=True))
    return drawn


def _reference(wiring: Wiring) -> dict[str, float]:
    """The same features by networkx and plain definitions in numpy."""
    whole = wiring.to_networkx()
    neurons = [f"neuron_{i}" for i in range(wiring.neurons)]
    inner = whole.subgraph(neurons)
    simple = networkx.DiGraph(inner)
    simple.remove_edges_from(list(networkx.selfloop_edges(simple)))
    component = {
        node: k
        for k, nodes in enumerate(networkx.strongly_connected_components(inner))
        for node in nodes
    }
    lengths = dict(networkx.all_pairs_shortest_path_length(whole))
    paths = [
        lengths[f"sensory_{s}"][f"neuron_{m}"]
        for s in range(wiring.sensory)
        for m in range(wiring.motor)
        if f"neuron_{m}" in lengths[f"sensory_{s}"]
    ]
    between = [lengths[a][b] for a in neurons for b in neurons if a != b and b in lengths[a]]
    into, out = [whole.in_degree(v) for v in neurons], [whole.out_degree(v) for v in neurons]
    polarity = [p for _, _, p in whole.edges(data="polarity")]
    matrix = networkx.to_numpy_array(inner, nodelist=neurons, weight="polarity")
    census = networkx.triadic_census(simple) if len(neurons) > 2 else dict.fromkeys(TRIADS, 0)
    triads = sum(census[name] for name in TRIADS)
    sizes = [len(nodes) for nodes in networkx.strongly_connected_components(inner)]
    return {
        "sensory": wiring.sensory,
        "inter": wiring.inter,
        "command": wiring.command,
        "motor": wiring.motor,
        "neurons": len(neurons),
        "synapses": whole.number_of_edges(),
        "sensory_synapses": whole.number_of_edges() - inner.number_of_edges(),
        "inner_synapses": inner.number_of_edges(),
        "density": inner.number_of_edges() / len(neurons) ** 2,
        "sensory_density": (whole.number_of_edges() - inner.number_of_edges())
        / (wiring.sensory * len(neurons)),
        "reciprocity": networkx.overall_reciprocity(simple) if simple.number_of_edges() else 0,
        "recurrence": np.mean([component[a] == component[b] for a, b in inner.edges()])
        if inner.edges()
        else 0,
        "self_loops": networkx.number_of_selfloops(inner),
        "components": len(sizes),
        "largest_component": max(sizes),
        "path_mean": np.mean(paths) if paths else math.nan,
        "path_longest": max(paths) if paths else math.nan,
        "distance_mean": np.mean(between) if between else math.nan,
        **{
            f"in_degree_{name}": of(into)
            for name, of in (("mean", np.mean), ("spread", np.std), ("max", max))
        },
        **{
            f"out_degree_{name}": of(out)
            for name, of in (("mean", np.mean), ("spread", np.std), ("max", max))
        },
        "excitatory": np.mean(np.array(polarity) > 0),
        "clustering": networkx.average_clustering(simple),
        "spectral_radius": np.abs(np.linalg.eigvals(matrix)).max(),
        **{f"triad_{name}": census[name] / triads if triads else 0 for name in TRIADS},
    }


@pytest.mark.parametrize(
    "wiring",
    _wirings(),
    ids=lambda w: f"{w.sensory}-{w.inter}-{w.command}-{w.motor}-{w.synapse_count}",
)
def test_features_equal_those_of_networkx(wiring: Wiring) -> None:
    found, expected = structure(wiring), _reference(wiring)
    assert list(found) == list(FEATURES)
    # Eigenvalues of a defective matrix have an error of the order of the root of the rounding
    # error, here at most 1e-4.
    loose = {"spectral_radius": 1e-3}
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=loose.get(name, 1e-12), nan_ok=True), name


def test_the_wirings_above_show_every_triad() -> None:
    """Otherwise the comparison would prove nothing about the missing ones."""
    seen = {
        name for wiring in _wirings() for name in TRIADS if structure(wiring)[f"triad_{name}"] > 0
    }
    assert seen == set(TRIADS)


def test_polarities_change_only_their_share_and_the_spectral_radius() -> None:
    wiring = ncp(4, 6, 5, 2, 2, 2, 8, 2, 1.0, 3)
    flipped = Wiring(
        4,
        6,
        5,
        2,
        tuple((a, b, -p) for a, b, p in wiring.sensory_synapses),
        tuple((a, b, -p) for a, b, p in wiring.synapses),
    )
    plain, other = structure(wiring), structure(flipped)
    assert (plain.pop("excitatory"), other.pop("excitatory")) == (1.0, 0.0)
    assert plain.pop("spectral_radius") == pytest.approx(other.pop("spectral_radius"), abs=1e-9)
    assert plain == other
