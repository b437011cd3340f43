"""A layered picture of a wiring with matplotlib.

Sensory nodes, inter, command and motor neurons stand from left to right. Excitatory synapses are
blue, solid and end in an arrow; inhibitory ones are orange, dashed and end in a bar. Colour-blind
readers can distinguish the two colours, and the ends differ without colour. Synapses within a layer
bow out, downward ones to the right and upward ones to the left. A self-loop is a small loop. Layers
without neurons take no room.
"""

from typing import TYPE_CHECKING, Any

from wiring_search.wirings.palette import EXCITATORY, INHIBITORY, INK, NODES
from wiring_search.wirings.wiring import Wiring

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LAYERS = ("sensory", "inter", "command", "motor")
_SPACING = 1.6
Position = tuple[float, float]


def draw(wiring: Wiring, ax: "Axes | None" = None) -> "Axes":
    """Draw a wiring.

    Args:
        wiring: The graph.
        ax: The axes to draw into; a new figure of fitting size by default.

    Returns:
        The axes.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    sensory, neurons = positions(wiring)
    tallest = max(wiring.sensory, wiring.inter, wiring.command, wiring.motor)
    if ax is None:
        ax = Figure(
            figsize=(8, min(max(3.5, 0.42 * tallest), 12)), layout="constrained"
        ).add_subplot()
    size = max(18.0, min(190.0, 2600.0 / tallest))
    # Each synapse is to be seen in a small wiring, and where they are dense in a large one.
    alpha = max(0.15, min(0.9, 8 / wiring.synapse_count**0.5))
    for pre, post, polarity in wiring.sensory_synapses:
        _synapse(ax, sensory[pre], neurons[post], polarity, alpha, size)
    for pre, post, polarity in wiring.synapses:
        _synapse(ax, neurons[pre], neurons[post], polarity, alpha, size)
    for role, spots in _by_role(wiring, sensory, neurons).items():
        x, y = zip(*spots, strict=True)
        ax.scatter(x, y, s=size, facecolor=NODES[role], edgecolor=INK, linewidth=1, zorder=3)
        ax.text(
            x[0],
            1.02,
            f"{role}\n{len(spots)}",
            ha="center",
            va="bottom",
            fontsize=10,
            color=INK,
        )
    lines = [Line2D([], [], color=EXCITATORY), Line2D([], [], color=INHIBITORY, linestyle="--")]
    names = ["excitatory →", "inhibitory ⊣"]
    ax.legend(lines, names, loc="upper center", bbox_to_anchor=(0.5, 0.0), ncols=2, frameon=False)
    ax.set(xlim=(-0.4, max(x for x, _ in neurons) + 0.4), ylim=(-0.02, 1.12))
    ax.set_axis_off()
    return ax


def positions(wiring: Wiring) -> tuple[list[Position], list[Position]]:
    """The positions of sensory nodes and of neurons in the picture.

    Returns:
        Positions of the sensory nodes and of the neurons, each by number.
    """
    counts = {
        "sensory": wiring.sensory,
        "inter": wiring.inter,
        "command": wiring.command,
        "motor": wiring.motor,
    }
    present = [role for role in _LAYERS if counts[role]]
    columns = {
        role: [(layer * _SPACING, 1 - (i + 0.5) / counts[role]) for i in range(counts[role])]
        for layer, role in enumerate(present)
    }
    return columns["sensory"], [
        index for role in ("motor", "command", "inter") for index in columns.get(role, ())
    ]


def _by_role(
    wiring: Wiring, sensory: list[Position], neurons: list[Position]
) -> dict[str, list[Position]]:
    spots = {"sensory": sensory}
    for role, index in zip(wiring.roles, neurons, strict=True):
        spots.setdefault(role, []).append(index)
    return spots


def _synapse(
    ax: "Axes", start: Position, end: Position, polarity: int, alpha: float, size: float
) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.transforms import ScaledTranslation

    radius = size**0.5 / 2  # of a node, in points
    line: dict[str, Any] = {
        "arrowstyle": "-|>" if polarity > 0 else "|-|,widthA=0,widthB=.25",
        "linestyle": "-" if polarity > 0 else (0, (4, 2)),
        "color": EXCITATORY if polarity > 0 else INHIBITORY,
        "mutation_scale": 7,
        "linewidth": 1.1,
        "alpha": alpha,
        "zorder": 1,
    }
    if start == end:  # from the node's upper right to its lower right, in inches around it
        x = 0.7 * radius / 72
        y = 0.8 * radius / 72
        around: Any = ax.figure.dpi_scale_trans + ScaledTranslation(*start, ax.transData)  # type: ignore[arg-type]  # any transform does
        loop: dict[str, Any] = {
            "connectionstyle": "arc3,rad=-2.4",
            "shrinkA": 0,
            "shrinkB": 0,
            "transform": around,
        }
        ax.add_patch(FancyArrowPatch((x, y), (x, -y), **loop, **line))
        return
    # Within a layer, short synapses bow more, or they would hide behind the nodes between.
    bow = 0.06 if start[0] != end[0] else -0.3 - 0.06 / abs(start[1] - end[1])
    course: dict[str, Any] = {
        "connectionstyle": f"arc3,rad={bow}",
        "shrinkA": radius + 1,
        "shrinkB": radius + 1,
    }
    ax.add_patch(FancyArrowPatch(start, end, **course, **line))
