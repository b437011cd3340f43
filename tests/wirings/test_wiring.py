"""Wirings are checked when they are made, canonical, and equal after every round trip."""

import json

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.random_packs import random_wiring
from wiring_search.wirings.drawing import draw
from wiring_search.wirings.topologies import fully_connected
from wiring_search.wirings.wiring import Wiring, pruned

OUTER, INNER = ((0, 2, 1), (1, 2, -1)), ((2, 1, 1), (1, 0, -1), (1, 1, 1))


def _wiring(**given) -> Wiring:
    return Wiring(
        **{
            "sensory": 2,
            "inter": 1,
            "command": 1,
            "motor": 1,
            "sensory_synapses": OUTER,
            "synapses": INNER,
            **given,
        }
    )


wirings = st.integers(0, 10_000).map(lambda seed: random_wiring(np.random.default_rng(seed)))


@given(wirings)
@settings(max_examples=40, deadline=None)
def test_json_networkx_and_graphml_keep_a_wiring(wiring: Wiring) -> None:
    assert Wiring.from_json(json.loads(json.dumps(wiring.to_json()))) == wiring
    assert Wiring.from_networkx(wiring.to_networkx()) == wiring
    assert Wiring.from_graphml(wiring.to_graphml()) == wiring


@given(wirings)
@settings(max_examples=40, deadline=None)
def test_every_node_lies_on_a_path_that_networkx_finds(wiring: Wiring) -> None:
    graph = wiring.to_networkx()
    assert graph.number_of_edges() == wiring.synapse_count
    graph.add_edges_from(("source", f"sensory_{i}") for i in range(wiring.sensory))
    graph.add_edges_from((f"neuron_{i}", "sink") for i in range(wiring.motor))
    everything = set(graph.nodes)
    assert networkx.descendants(graph, "source") | {"source"} == everything
    assert networkx.ancestors(graph, "sink") | {"sink"} == everything


def test_order_does_not_matter_and_polarity_does() -> None:
    one, other = (
        _wiring(),
        _wiring(synapses=tuple(reversed(INNER)), sensory_synapses=tuple(reversed(OUTER))),
    )
    assert one == other
    assert one.wiring_id == other.wiring_id
    assert len(one.wiring_id) == 16
    assert one.synapses == ((1, 0, -1), (1, 1, 1), (2, 1, 1))
    flipped = _wiring(synapses=((2, 1, -1), (1, 0, -1), (1, 1, 1)))
    assert flipped.wiring_id != one.wiring_id


def test_arrays_roles_and_counts() -> None:
    wiring = _wiring()
    pre, post, polarity = wiring.synapse_arrays()
    assert (pre.tolist(), post.tolist(), polarity.tolist()) == (
        [1, 1, 2],
        [0, 1, 1],
        [-1, 1, 1],
    )
    assert pre.dtype == np.int32
    assert wiring.roles == ("motor", "command", "inter")
    assert wiring.neurons == 3
    assert wiring.synapse_count == 5
    assert [len(a) for a in Wiring(1, 0, 0, 1, ((0, 0, 1),), ()).synapse_arrays()] == [0, 0, 0]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"motor": 0}, "motor is 0; give a whole number, 1 or more"),
        ({"inter": 1.5}, "inter is 1.5"),
        ({"synapses": (*INNER, (3, 0, 1))}, "starts at neuron 3; neurons are numbered 0 to 2"),
        ({"synapses": (*INNER, (0, 5, 1))}, "ends at neuron 5"),
        (
            {"sensory_synapses": (*OUTER, (2, 0, 1))},
            "starts at sensory node 2; sensory nodes are numbered 0 to 1",
        ),
        ({"synapses": (*INNER, (0, 0, 2))}, r"has polarity 2; give \+1 \(excitatory\) or -1"),
        ({"synapses": (*INNER, (2, 1, -1))}, "2 → 1 is given twice"),
        ({"synapses": ((2, 1, 1, 1),)}, "triples of whole numbers"),
        ({"synapses": (*INNER, (0.9, 0, 1))}, "triples of whole numbers"),
        (
            {"sensory_synapses": OUTER[:1]},
            "sensory node 1 has no synapse; add one, or give 1 sensory nodes",
        ),
        ({"sensory_synapses": ((0, 1, 1), (1, 1, 1))}, "inter neuron 2 cannot be reached"),
        ({"synapses": ((2, 0, 1),)}, "command neuron 1 cannot be reached"),
        (
            {"synapses": ((2, 1, 1), (2, 0, 1))},
            "command neuron 1 is dead: no path leads from it to a motor neuron",
        ),
    ],
)
def test_error_messages_name_the_fault_and_its_mend(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _wiring(**given)


def test_idle_neurons_are_accepted_if_allowed_and_pruned() -> None:
    idle = _wiring(inter=2, synapses=(*INNER, (3, 3, 1)), idle_allowed=True)
    assert Wiring.from_json(idle.to_json()) == idle
    assert Wiring.from_graphml(idle.to_graphml()) == idle
    assert pruned(idle) == _wiring()
    with pytest.raises(ValueError, match="motor neuron 0 is not reached"):
        pruned(_wiring(synapses=(), idle_allowed=True))


def test_json_with_another_form_is_refused() -> None:
    data = _wiring().to_json()
    with pytest.raises(ValueError, match=r"unknown \['colour'\]"):
        Wiring.from_json({**data, "colour": "blue"})
    del data["motor"]
    with pytest.raises(ValueError, match=r"lacks \['motor'\]"):
        Wiring.from_json(data)


@given(wirings)
@settings(max_examples=20, deadline=None)
def test_pruning_changes_nothing_without_idle_neurons(wiring: Wiring) -> None:
    assert pruned(wiring) == wiring


def test_foreign_graphs_are_refused_with_the_reason() -> None:
    graph = _wiring().to_networkx()
    with pytest.raises(ValueError, match="node 'cortex' is not known"):
        Wiring.from_networkx(networkx.relabel_nodes(graph, {"neuron_0": "cortex"}))
    graph.nodes["neuron_0"]["role"], graph.nodes["neuron_2"]["role"] = "inter", "motor"
    with pytest.raises(ValueError, match="numbered motor first"):
        Wiring.from_networkx(graph)


def test_the_picture_shows_every_synapse_with_its_polarity() -> None:
    from wiring_search.wirings.drawing import positions
    from wiring_search.wirings.palette import EXCITATORY, INHIBITORY

    wiring = fully_connected(3, 4, 2, seed=1)
    ax = draw(wiring)
    colours = [patch.get_edgecolor() for patch in ax.patches]
    assert len(colours) == wiring.synapse_count
    from matplotlib.colors import to_rgba

    excitatory = sum(p > 0 for *_, p in (*wiring.synapses, *wiring.sensory_synapses))
    assert sum(c[:3] == to_rgba(EXCITATORY)[:3] for c in colours) == excitatory
    assert (
        sum(c[:3] == to_rgba(INHIBITORY)[:3] for c in colours) == wiring.synapse_count - excitatory
    )
    styles = {(patch.get_edgecolor()[:3], str(patch.get_linestyle())) for patch in ax.patches}
    assert len(styles) == 2
    sensory, neurons = positions(wiring)
    assert len(set(sensory + neurons)) == 3 + 4
    assert draw(wiring, ax) is ax


def test_layers_without_neurons_take_no_room_in_the_picture() -> None:
    from wiring_search.wirings.drawing import positions

    columns = [
        sorted({x for spots in positions(w) for x, _ in spots})
        for w in (_wiring(), fully_connected(2, 3, 1))
    ]
    assert len(columns[0]) == 4
    assert columns[1] == columns[0][:3]


def test_a_self_loop_stays_beside_its_neuron_at_any_resolution() -> None:
    ax = draw(Wiring(1, 0, 0, 1, ((0, 0, 1),), ((0, 0, -1),)))
    for dpi in (50, 200):
        ax.figure.set_dpi(dpi)
        ax.figure.canvas.draw()
        neuron = ax.transData.transform(ax.collections[1].get_offsets()[0])
        loop = ax.patches[1].get_window_extent()
        assert loop.width > 0
        assert abs(loop.x0 - neuron[0]) < 0.15 * dpi
        assert abs(loop.x1 - neuron[0]) < 0.4 * dpi
