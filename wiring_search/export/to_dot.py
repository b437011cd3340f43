"""`wiring.dot`: a picture in layers for Graphviz (`dot -Tsvg wiring.dot`).

Blue arrows excite and orange dashed bars inhibit, as in `wiring_search.wirings.drawing`. Strong
weights have wide lines.
"""

import re
from pathlib import Path

import networkx

from wiring_search.export.edges import graph_of, largest_difference
from wiring_search.export.format import Format
from wiring_search.export.parcel import Parcel
from wiring_search.export.verified import Check
from wiring_search.wirings.palette import BLACK, EXCITATORY, INHIBITORY, NODES, WHITE

FILES = ("wiring.dot",)
_LAYERS = ("sensory", "inter", "command", "motor")
_THINNEST, _THICKEST = 0.5, 4.0
_LINE = re.compile(
    r'^ *"(?P<pre>\w+)"(?: -> "(?P<post>\w+)")? \[(?P<attributes>.*)\];$', re.MULTILINE
)
_ATTRIBUTE = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# Attributes of the picture, not of the network.
_LOOKS = {"label", "color", "style", "arrowhead", "penwidth", "fillcolor", "fontcolor"}


def write(parcel: Parcel, folder: Path) -> None:
    (folder / FILES[0]).write_text(_text(graph_of(parcel), parcel.name), encoding="utf-8")


def check(parcel: Parcel, folder: Path) -> Check:
    wanted = graph_of(parcel)
    return Check(
        *largest_difference(_read((folder / FILES[0]).read_text(encoding="utf-8"), wanted), wanted)
    )


def _text(graph: networkx.DiGraph, name: str) -> str:
    strongest = (
        max((abs(strength) for *_, strength in graph.edges(data="strength")), default=0.0) or 1.0
    )
    lines = [f"digraph {name} {{", "  rankdir=LR;", '  node [shape="circle"];']
    for role in _LAYERS:
        nodes = [(node, data) for node, data in graph.nodes(data=True) if data["role"] == role]
        if nodes:
            lines += [
                "  {",
                "    rank=same;",
                *(f"    {_node(node, data)}" for node, data in nodes),
                "  }",
            ]
    lines += [
        f"  {_edge(pre, post, data, strongest)}" for pre, post, data in graph.edges(data=True)
    ]
    return "\n".join([*lines, "}", ""])


def _node(node: str, data: dict) -> str:
    looks = {
        "label": data.get("feature", node.split("_")[1]),
        "style": "filled",
        "fillcolor": NODES[data["role"]],
        "fontcolor": WHITE if data["role"] == "motor" else BLACK,
    }
    return f'"{node}" [{_attributes(looks | data)}];'


def _edge(pre: str, post: str, data: dict, strongest: float) -> str:
    excites = data["strength"] >= 0
    share = abs(data["strength"]) / strongest
    looks = {
        "color": EXCITATORY if excites else INHIBITORY,
        "style": "solid" if excites else "dashed",
        "arrowhead": "normal" if excites else "tee",
        "penwidth": f"{_THINNEST + (_THICKEST - _THINNEST) * share:.2f}",
    }
    return f'"{pre}" -> "{post}" [{_attributes(looks | data)}];'


def _attributes(values: dict) -> str:
    escaped = {
        name: str(value).replace("\\", "\\\\").replace('"', '\\"') for name, value in values.items()
    }
    return ", ".join(f'{name}="{value}"' for name, value in escaped.items())


def _read(text: str, like: networkx.DiGraph) -> networkx.DiGraph:
    """The graph of a text that `_text` wrote, with numbers of the types in `like`."""
    graph = networkx.DiGraph()
    for line in _LINE.finditer(text):
        pre = line["pre"]
        post = line["post"]
        model = like.edges.get((pre, post), {}) if post else like.nodes.get(pre, {})
        found = {
            n: re.sub(r"\\(.)", r"\1", v)
            for n, v in _ATTRIBUTE.findall(line["attributes"])
            if n not in _LOOKS
        }
        data = {name: type(model.get(name, ""))(value) for name, value in found.items()}
        if post:
            graph.add_edge(pre, post, **data)
        else:
            graph.add_node(pre, **data)
    return graph


_LOADING = """Graphviz:

```
dot -Tsvg wiring.dot -o wiring.svg
```
"""

FORMAT = Format(
    summary="a picture for Graphviz",
    write=write,
    files=lambda parcel: FILES,
    check=check,
    loading=_LOADING,
)
