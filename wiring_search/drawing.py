"""A layered picture of a wiring with matplotlib: sensory nodes, inter, command and motor neurons from left to right.

Excitatory synapses are blue, solid and end in an arrow; inhibitory ones orange, dashed and end in a bar (the two
colours are told apart by colour-blind readers, and the ends without colour). Synapses within a layer bow out; a
self-loop is a small circle.
"""

from typing import TYPE_CHECKING

from wiring_search.wiring import Wiring

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXCITATORY, INHIBITORY = "#0067a5", "#c4500a"
_LAYERS = ("sensory", "inter", "command", "motor")
_SPACING = 1.6
Place = tuple[float, float]


def draw(wiring: Wiring, ax: "Axes | None" = None) -> "Axes":
    """Draw into `ax`, or into a new figure of fitting size; the axes."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    sensory, neurons = places(wiring)
    tallest = max(wiring.sensory, wiring.inter, wiring.command, wiring.motor)
    if ax is None:
        ax = Figure(figsize=(8, min(max(3.5, 0.3 * tallest), 12)), layout="constrained").add_subplot()
    size = max(18.0, min(190.0, 2600.0 / tallest))
    alpha = max(0.2, min(0.85, 40 / wiring.synapse_count))
    for pre, post, polarity in wiring.sensory_synapses:
        _synapse(ax, sensory[pre], neurons[post], polarity, alpha, size)
    for pre, post, polarity in wiring.synapses:
        _synapse(ax, neurons[pre], neurons[post], polarity, alpha, size)
    looks = {"sensory": "#d9dcdf", "inter": "#ffffff", "command": "#ffffff", "motor": "#30363c"}
    for role, spots in _by_role(wiring, sensory, neurons).items():
        x, y = zip(*spots, strict=True)
        ax.scatter(x, y, s=size, facecolor=looks[role], edgecolor="#30363c", linewidth=1, zorder=3)
        ax.text(x[0], 1.02, f"{role}\n{len(spots)}", ha="center", va="bottom", fontsize=10, color="#30363c")
    lines = [Line2D([], [], color=EXCITATORY), Line2D([], [], color=INHIBITORY, linestyle="--")]
    ax.legend(lines, ["excitatory", "inhibitory"], loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, frameon=False)
    ax.set(xlim=(-0.4, 3 * _SPACING + 0.4), ylim=(-0.02, 1.12))
    ax.set_axis_off()
    return ax


def places(wiring: Wiring) -> tuple[list[Place], list[Place]]:
    """Where sensory nodes and neurons stand, by their numbers."""
    counts = {"sensory": wiring.sensory, "inter": wiring.inter, "command": wiring.command, "motor": wiring.motor}
    columns = {
        role: [(layer * _SPACING, 1 - (i + 0.5) / counts[role]) for i in range(counts[role])]
        for layer, role in enumerate(_LAYERS)
    }
    return columns["sensory"], [*columns["motor"], *columns["command"], *columns["inter"]]


def _by_role(wiring: Wiring, sensory: list[Place], neurons: list[Place]) -> dict[str, list[Place]]:
    spots = {"sensory": sensory}
    for role, place in zip(wiring.roles, neurons, strict=True):
        spots.setdefault(role, []).append(place)
    return spots


def _synapse(ax: "Axes", start: Place, end: Place, polarity: int, alpha: float, size: float) -> None:
    from matplotlib.patches import Circle, FancyArrowPatch

    colour = EXCITATORY if polarity > 0 else INHIBITORY
    line = {"color": colour, "linestyle": "-" if polarity > 0 else (0, (4, 2)), "linewidth": 1.1, "alpha": alpha, "zorder": 1}
    if start == end:
        ax.add_patch(Circle((start[0] + 0.07, start[1]), 0.07, fill=False, **line))
        return
    within_layer = start[0] == end[0]
    bow = -0.35 if within_layer else 0.06
    ends = "-|>" if polarity > 0 else "|-|,widthA=0,widthB=.25"
    shrink = size**0.5 / 2 + 1
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle=ends,
            mutation_scale=7,
            connectionstyle=f"arc3,rad={bow}",
            shrinkA=shrink,
            shrinkB=shrink,
            **line,
        )
    )
