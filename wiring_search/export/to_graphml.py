"""`wiring.graphml`: neurons and connections with their weights, for networkx, Gephi, Cytoscape and
yEd."""

from pathlib import Path

import networkx

from wiring_search.export.edges import graph_of, largest_difference
from wiring_search.export.format import Format
from wiring_search.export.parcel import Parcel
from wiring_search.export.verified import Check

FILES = ("wiring.graphml",)


def write(parcel: Parcel, folder: Path) -> None:
    networkx.write_graphml_xml(graph_of(parcel), folder / FILES[0], named_key_ids=True)


def check(parcel: Parcel, folder: Path) -> Check:
    return Check(*largest_difference(networkx.read_graphml(folder / FILES[0]), graph_of(parcel)))


_LOADING = """GraphML (nodes with their role and parameters, edges with polarity and weights):

```python
graph = networkx.read_graphml("wiring.graphml")
```
"""

FORMAT = Format(
    summary="the graph with its weights",
    write=write,
    files=lambda parcel: FILES,
    check=check,
    loading=_LOADING,
)
