"""A network as a graph with weights, for GraphML and Graphviz files.

Its edges are the connections that the network computes with: the wiring's synapses. Layered CfC
neurons ignore some of these, and add dense recurrence and gates (`neurons.cfc`).
"""

import networkx
import numpy as np

from wiring_search.export.parcel import Parcel, columns_json
from wiring_search.networks.neurons import NEURONS


def graph_of(parcel: Parcel) -> networkx.DiGraph:
    """A graph with the names of `Wiring.to_networkx`; parameters are attributes of nodes and edges.

    Edges have a `strength`, for pictures: w E for LTC, the weight for rate neurons, the mean of the
    heads' weights for CfC.
    """
    network = parcel.network
    parameters = parcel.parameters
    made = network.layout.connections[0]
    wiring = network.wiring
    names = [
        entry["name"] for entry in columns_json(parcel.inputs, network.layout.features, "feature")
    ]
    graph = networkx.DiGraph(
        name=parcel.name, idle_allowed=wiring.idle_allowed, neuron=parcel.candidate.neuron
    )
    for node in range(wiring.sensory):
        if wiring.sensory == len(names) and parcel.candidate.memory != "input":
            named = {"feature": names[node]}
        else:
            named = {}
        graph.add_node(f"sensory_{node}", role="sensory", **named)
    of_neuron = [
        name
        for name, shape in NEURONS[parcel.candidate.neuron].shapes(made).items()
        if shape == (made.neurons,)
    ]
    of_edge = [name.removeprefix("sensory_") for name in parameters if name.startswith("sensory_")]
    of_neuron = [name for name in of_neuron if name not in of_edge]
    for node, role in enumerate(wiring.roles):
        graph.add_node(
            f"neuron_{node}",
            role=role,
            **{name: float(parameters[name][node]) for name in of_neuron},
        )
    edges = (
        ("sensory", "sensory_", made.sensory_pre, made.sensory_post, made.sensory_polarity),
        ("neuron", "", made.pre, made.post, made.polarity),
    )
    for kind, prefix, pre, post, polarity in edges:
        for edge in range(len(pre)):
            weights = {name: float(parameters[prefix + name][edge]) for name in of_edge}
            graph.add_edge(
                f"{kind}_{pre[edge]}",
                f"neuron_{post[edge]}",
                polarity=int(polarity[edge]),
                strength=_strength(weights),
                **weights,
            )
    return graph


def largest_difference(graph: networkx.DiGraph, wanted: networkx.DiGraph) -> tuple[float, float]:
    """The largest difference of a weight, absolute and relative to the largest weight.

    Raises:
        ValueError: Nodes, edges or other attributes differ.
    """
    absolute = 0.0
    largest = 1e-30
    for ours, theirs in (
        (dict(graph.nodes), dict(wanted.nodes)),
        (dict(graph.edges), dict(wanted.edges)),
    ):
        if ours.keys() != theirs.keys():
            raise ValueError(
                "its nodes or edges differ from the network's: "
                f"{sorted(ours.keys() ^ theirs.keys())[:3]} …"
            )
        for part, attributes in theirs.items():
            if ours[part].keys() != attributes.keys():
                raise ValueError(
                    f"{part} has the attributes {sorted(ours[part])}, not {sorted(attributes)}"
                )
            for name, value in attributes.items():
                if isinstance(value, str):
                    if ours[part][name] != value:
                        raise ValueError(f"{part} has {name} {ours[part][name]!r}, not {value!r}")
                    continue
                absolute = max(absolute, abs(ours[part][name] - value))
                largest = max(largest, abs(value))
    return absolute, absolute / largest


def _strength(weights: dict[str, float]) -> float:
    if "erev" in weights:
        return weights["w"] * weights["erev"]
    heads = [value for name, value in weights.items() if name in ("w", "ff1_w", "ff2_w")]
    return float(np.mean(heads or list(weights.values())))
