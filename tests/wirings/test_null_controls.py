"""Null controls keep what they must, as counted by networkx, and draw the rest uniformly.

A control that would change nothing gives its reason.
"""

from collections import Counter
from dataclasses import replace
from itertools import combinations

import networkx
import numpy as np
import pytest

from wiring_search.networks.neurons import NEURONS as DYNAMICS
from wiring_search.training.pack import layout_of
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS
from wiring_search.wirings.null_controls import CONTROLS, inapplicable, null_candidate, seen_by
from wiring_search.wirings.topologies import fully_connected, ncp, random_sparse
from wiring_search.wirings.wiring import Wiring

WIRINGS = {
    "ncp": ncp(5, 8, 6, 3, 2, 3, 6, 3, seed=1),
    "random": random_sparse(4, 12, 2, 10, 30, seed=2),
    "small": ncp(2, 3, 2, 1, 1, 1, 1, 1, seed=3),
}


def _candidate(wiring: Wiring, neuron: str = "ltc") -> Candidate:
    solver = KINDS[neuron].usual_solver
    return Candidate(
        wiring, neuron, solver, 0 if solver == "closed-form" else 2, learning_rate=0.02, seed=5
    )


def _parameters(candidate: Candidate):
    return lambda wiring: layout_of((replace(candidate, wiring=wiring),), 5, 3).true_parameters(0)


def _null(wiring: Wiring, control: str, seed: int = 0, neuron: str = "ltc") -> Wiring:
    candidate = _candidate(wiring, neuron)
    found = null_candidate(candidate, control, seed, _parameters(candidate))
    assert replace(found, wiring=wiring) == candidate
    return found.wiring


def _degrees(wiring: Wiring, part: str) -> tuple[dict, dict]:
    graph = wiring.to_networkx()
    edges = [(a, b) for a, b in graph.edges if a.startswith(part)]
    kept = graph.edge_subgraph(edges)
    return dict(kept.in_degree()), dict(kept.out_degree())


def _sizes(wiring: Wiring) -> tuple[int, ...]:
    return (
        wiring.sensory,
        wiring.inter,
        wiring.command,
        wiring.motor,
        len(wiring.sensory_synapses),
        len(wiring.synapses),
    )


def _signs(wiring: Wiring) -> list[Counter]:
    return [
        Counter(sign for *_, sign in part) for part in (wiring.sensory_synapses, wiring.synapses)
    ]


def _between(wiring: Wiring) -> Counter:
    roles = dict(wiring.to_networkx().nodes(data="role"))
    return Counter((roles[a], roles[b]) for a, b in wiring.to_networkx().edges)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["ncp", "random"])
def test_rewiring_keeps_degrees_layers_and_outgoing_signs(name: str, seed: int) -> None:
    wiring, null = WIRINGS[name], _null(WIRINGS[name], "rewired", seed)
    assert networkx.to_edgelist(null.to_networkx()) != networkx.to_edgelist(wiring.to_networkx())
    for part in ("sensory", "neuron"):
        assert _degrees(null, part) == _degrees(wiring, part)
    assert _sizes(null) == _sizes(wiring)
    assert _between(null) == _between(wiring)
    leaving = [Counter((pre, sign) for pre, _, sign in of.synapses) for of in (null, wiring)]
    assert leaving[0] == leaving[1]
    assert _signs(null) == _signs(wiring)


@pytest.mark.parametrize("name", ["ncp", "random"])
def test_random_controls_keep_only_sizes(name: str) -> None:
    wiring, null = WIRINGS[name], _null(WIRINGS[name], "random")
    assert _sizes(null) == _sizes(wiring)
    assert _signs(null) == _signs(wiring)
    assert _degrees(null, "neuron") != _degrees(wiring, "neuron")


def test_polarity_controls_keep_the_graph() -> None:
    wiring, null = WIRINGS["ncp"], _null(WIRINGS["ncp"], "polarity")
    assert null.to_networkx().edges == wiring.to_networkx().edges
    assert null != wiring
    assert _signs(null) == _signs(wiring)


@pytest.mark.parametrize("neuron", ["ltc", "cfc", "layered-cfc", "ct-rnn"])
def test_dense_controls_have_as_many_parameters(neuron: str) -> None:
    """No other number of neurons gives a number of parameters that is nearer."""
    wiring = WIRINGS["ncp"]
    null, count = _null(wiring, "dense", neuron=neuron), _parameters(_candidate(wiring, neuron))
    assert null.synapse_count == null.neurons * (null.sensory + null.neurons)
    assert null.sensory == wiring.sensory
    sizes = [count(fully_connected(wiring.sensory, n, min(wiring.motor, n))) for n in range(1, 20)]
    assert abs(count(null) - count(wiring)) == min(abs(size - count(wiring)) for size in sizes)


@pytest.mark.parametrize("control", CONTROLS)
def test_equal_seeds_draw_equal_nulls_and_other_seeds_others(control: str) -> None:
    wirings = [_null(WIRINGS["ncp"], control, seed) for seed in (0, 0, 1, 2)]
    assert wirings[0] == wirings[1]
    assert len(set(wirings)) == 3


def test_random_nulls_are_uniform_over_all_feasible_wirings() -> None:
    """All feasible wirings of a small size are listed. A chi-square test compares how often each
    is drawn."""
    wiring = Wiring(1, 2, 0, 1, ((0, 1, 1), (0, 2, 1)), ((1, 0, 1), (2, 0, 1), (1, 2, 1)))
    outer, inner = (
        [(0, post, 1) for post in range(3)],
        [(a, b, 1) for a in range(3) for b in range(3) if a != b],
    )
    feasible = []
    for first in combinations(outer, 2):
        for second in combinations(inner, 3):
            try:
                feasible.append(Wiring(1, 2, 0, 1, first, second))
            except ValueError:
                continue
    feasible.remove(wiring)
    counts = Counter(_null(wiring, "random", seed) for seed in range(12 * len(feasible)))
    assert set(counts) <= set(feasible)
    assert len(feasible) > 10
    from scipy.stats import chisquare

    assert chisquare([counts[one] for one in feasible]).pvalue > 0.001


def test_rewirings_are_uniform_over_all_with_the_same_degrees() -> None:
    wiring = Wiring(3, 0, 0, 3, ((0, 0, 1), (1, 1, 1), (2, 2, 1), (0, 1, 1)), ())
    counts = Counter(_null(wiring, "rewired", seed) for seed in range(400))
    same = {
        tuple(sorted(pairs))
        for pairs in combinations([(a, b) for a in range(3) for b in range(3)], 4)
        if np.bincount([a for a, _ in pairs], minlength=3).tolist() == [2, 1, 1]
        and np.bincount([b for _, b in pairs], minlength=3).tolist() == [1, 2, 1]
    }
    assert {
        tuple(sorted((a, b) for a, b, _ in null.sensory_synapses)) for null in counts
    } == same - {tuple(sorted((a, b) for a, b, _ in wiring.sensory_synapses))}
    from scipy.stats import chisquare

    assert chisquare(list(counts.values())).pvalue > 0.001


@pytest.mark.parametrize("neuron", KINDS)
def test_what_a_neuron_sees_is_what_its_connections_depend_on(neuron: str) -> None:
    """Two wirings have the same connections and first weights exactly if `seen_by` gives the same
    synapses for both."""

    def made(wiring: Wiring) -> tuple:
        found = DYNAMICS[neuron].connections(wiring)
        rng = np.random.default_rng(0)
        drawn = {
            n: DYNAMICS[neuron].initial(rng, n, s, found).tolist()
            for n, s in DYNAMICS[neuron].shapes(found).items()
        }
        ends = [a.tolist() for a in (found.pre, found.post, found.sensory_pre, found.sensory_post)]
        pins = sorted((name, where.tolist()) for name, where in found.pinned().items())
        return repr((ends, drawn, pins))

    wiring = WIRINGS["ncp"]
    others = [*(_null(wiring, control) for control in ("rewired", "random", "polarity")), wiring]
    synapse = next(
        k
        for k, (pre, post, _) in enumerate(wiring.synapses)
        if wiring.roles[pre] == wiring.roles[post]
    )
    others.append(
        replace(wiring, synapses=wiring.synapses[:synapse] + wiring.synapses[synapse + 1 :])
    )
    for other in others:
        assert (seen_by(neuron, other) == seen_by(neuron, wiring)) == (made(other) == made(wiring))


@pytest.mark.parametrize(
    ("neuron", "control", "reason"),
    [
        ("cfc", "polarity", "cfc does not look at polarities"),
        ("ltc", "dense", "it is fully connected already"),
        ("ltc", "random", "there is no other feasible wiring of its size"),
        (
            "layered-cfc",
            "rewired",
            "there is no other feasible wiring with the same degrees that layered-cfc would see",
        ),
    ],
)
def test_a_control_that_changes_nothing_is_not_applicable(
    neuron: str, control: str, reason: str
) -> None:
    candidate = _candidate(fully_connected(2, 4, 1), neuron)
    assert inapplicable(candidate, control).startswith(reason)
    with pytest.raises(ValueError, match=f"control {control} is not applicable: {reason}"):
        null_candidate(candidate, control, 0, _parameters(candidate))


def test_layered_cfc_gets_random_wirings_of_the_size_that_it_sees() -> None:
    wiring = WIRINGS["ncp"]
    null = _null(wiring, "random", neuron="layered-cfc")
    assert len(seen_by("layered-cfc", null)) == len(seen_by("layered-cfc", wiring))
    assert _between(null) == _between(wiring)


def test_an_unknown_control_is_refused() -> None:
    with pytest.raises(
        ValueError,
        match="control 'tangled' is not known; give some of rewired, random, polarity, dense",
    ):
        inapplicable(_candidate(WIRINGS["small"]), "tangled")
