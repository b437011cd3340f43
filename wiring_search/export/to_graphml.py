"""`wiring.graphml`: every neuron and connection with its weights, for networkx, Gephi, Cytoscape,
yEd."""

from pathlib import Path

import networkx

from wiring_search.export.edges import graph_of, largest_difference
from wiring_search.export.parcel import Parcel
from wiring_search.export.verified import Check

FILES = ("wiring.graphml",)


def write(parcel: Parcel, folder: Path) -> None:
    networkx.write_graphml_xml(graph_of(parcel), folder / FILES[0], named_key_ids=True)


def check(parcel: Parcel, folder: Path) -> Check:
    return Check(*largest_difference(networkx.read_graphml(folder / FILES[0]), graph_of(parcel)))
