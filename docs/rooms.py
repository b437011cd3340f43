"""Counts and draws the rooms of the package and the imports between them.

    python docs/rooms.py [CHECKOUT]

Prints rooms, floors, arrows and circles. Without CHECKOUT it also draws docs/figures/rooms.svg. A
room is a folder of wiring_search/, or a module directly in it; search_spaces/, workers/ and
benchmarks/ are rooms too. A room is one floor above the highest room that it imports.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "wiring_search"
FOLDERS = (PACKAGE, "search_spaces", "workers", "benchmarks")


def graph_of(root: Path = ROOT) -> nx.DiGraph:
    """An arrow from each room to every room it imports, imports within functions included."""
    graph = nx.DiGraph()
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            if (room := _room(file.relative_to(root).with_suffix("").parts)) is None:
                continue
            graph.add_node(room)
            for module in _imported(file):
                other = _room(module)
                if other not in (None, room):
                    graph.add_edge(room, other)
    return graph


def floors_of(graph: nx.DiGraph) -> list[list[str]]:
    """Rooms by floor, from the lowest to the highest. The rooms of a circle share a floor."""
    groups = nx.condensation(graph)
    floor: dict[int, int] = {}
    for group in reversed(list(nx.topological_sort(groups))):
        floor[group] = 1 + max((floor[below] for below in groups.successors(group)), default=-1)
    floors: list[list[str]] = [[] for _ in range(1 + max(floor.values()))]
    for group, height in floor.items():
        floors[height] += sorted(groups.nodes[group]["members"])
    return [sorted(rooms) for rooms in floors]


def circles_of(graph: nx.DiGraph) -> list[list[str]]:
    return [sorted(group) for group in nx.strongly_connected_components(graph) if len(group) > 1]


def summary(graph: nx.DiGraph) -> str:
    rooms, arrows = graph.number_of_nodes(), graph.number_of_edges()
    floors, circles = len(floors_of(graph)), len(circles_of(graph))
    return f"{rooms} rooms, {floors} floors, {arrows} arrows, {circles} circles"


def draw(graph: nx.DiGraph, file: Path) -> None:
    """Draws floors as rows. Leaves out an arrow that a path over other rooms implies."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "rooms"
    matplotlib.rcParams["svg.fonttype"] = "none"
    floors = floors_of(graph)
    wide = max(map(len, floors))
    axes = Figure(figsize=(1.8 * wide + 1, 0.95 * len(floors))).subplots()
    at = {
        room: ((i + 0.5) * wide / len(rooms), y)
        for y, rooms in enumerate(floors)
        for i, room in enumerate(rooms)
    }
    arrow = {"arrowstyle": "->", "color": "#9aa1a8", "shrinkA": 12, "shrinkB": 12}
    for upper, lower in nx.transitive_reduction(graph).edges:
        axes.annotate("", xy=at[lower], xytext=at[upper], arrowprops=arrow)
    box = {"boxstyle": "round,pad=0.4", "facecolor": "#eaf2f8", "edgecolor": "#0067a5"}
    for room, (x, y) in at.items():
        axes.text(x, y, room, ha="center", va="center", fontsize=10, bbox=box)
    axes.set(xlim=(0, wide), ylim=(-0.6, len(floors) - 0.4))
    axes.axis("off")
    axes.figure.savefig(file, bbox_inches="tight", metadata={"Date": None})


def _imported(file: Path) -> Iterator[tuple[str, ...]]:
    """Modules of this repository that a file imports, as parts of their names."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from (tuple(name.split(".")) for name in names if name.split(".")[0] in FOLDERS)


def _room(parts: tuple[str, ...]) -> str | None:
    """The room of a module; None for the package itself, which holds only its version."""
    if parts[0] == PACKAGE:
        parts = parts[1:]
    return None if not parts or parts[0] in ("__init__", "__version__") else parts[0]


if __name__ == "__main__":
    graph = graph_of(Path(sys.argv[1]).resolve()) if sys.argv[1:] else graph_of()
    print(summary(graph))
    for height, rooms in reversed(list(enumerate(floors_of(graph)))):
        print(f"floor {height}: {', '.join(rooms)}")
    for circle in circles_of(graph):
        print(f"circle: {', '.join(circle)}")
    if not sys.argv[1:]:
        draw(graph, ROOT / "docs" / "figures" / "rooms.svg")
