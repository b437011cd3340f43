"""Pictures of dynamics with matplotlib: trajectories, gradient norms over the lag, time constants.

Each function takes what the measure of that name returns and one label per candidate. It draws into
`ax` or into a new figure, and returns the axes. It draws at most eight candidates, as many as there
are colours that can be told apart.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.scores.gradient import GradientFlow
from wiring_search.scores.trajectory import path_length, principal_plane
from wiring_search.wirings.palette import FAINT, KINDS

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_trajectories(
    paths: Sequence[np.ndarray], labels: Sequence[str], ax: "Axes | None" = None
) -> "Axes":
    """Draw each trajectory in its first two principal components, from the dot on.

    Args:
        paths: Per candidate (points, neurons), as of `latent_trajectories`.
        labels: One per candidate.
        ax: Axes to draw into; None for a new figure.

    Raises:
        ValueError: More than eight candidates, another number of labels, or a candidate of a single
            neuron.
    """
    ax = _axes(ax, (5.5, 5), len(paths), len(labels))
    for path, label, colour in zip(paths, labels, KINDS, strict=False):
        plane = principal_plane(path.astype(float))
        if plane.shape[1] < 2:
            raise ValueError(
                f"{label} has one neuron, and so no plane; draw candidates of two neurons or more"
            )
        ax.plot(
            *plane.T, color=colour, linewidth=1.6, label=f"{label}, length {path_length(plane):.2g}"
        )
        ax.plot(*plane[0], "o", color=colour, markersize=5)
    ax.set(xlabel="first principal component", ylabel="second principal component")
    ax.set_aspect("equal", adjustable="datalim")
    return _legend(ax)


def draw_gradient_flow(
    flow: GradientFlow, labels: Sequence[str], ax: "Axes | None" = None, line_style: str = "-"
) -> "Axes":
    """Draw the norm at every lag as dots, the fitted slope as a line; 1 keeps everything.

    Args:
        flow: Of all candidates.
        labels: One per candidate.
        ax: Axes to draw into; None for a new figure.
        line_style: Matplotlib's, so that two flows of the same candidates can share axes and
            colours.

    Raises:
        ValueError: More than eight candidates, or another number of labels.
    """
    ax = _axes(ax, (6.5, 4.2), len(flow.log_norms), len(labels))
    lags = np.arange(flow.log_norms.shape[1])
    ax.axhline(0, color=FAINT, linewidth=0.8)
    for norms, slope, verdict, label, colour in zip(*flow, labels, KINDS, strict=False):
        line = norms.mean() + slope * (lags - lags.mean())
        ax.plot(lags, norms / np.log(10), ".", color=colour, markersize=5)
        ax.plot(
            lags,
            line / np.log(10),
            color=colour,
            linewidth=1.2,
            linestyle=line_style,
            label=f"{label}: {slope:+.3f} a step, {verdict}",
        )
    ax.yaxis.set_major_formatter(lambda exponent, _: f"$10^{{{exponent:g}}}$")
    ticks: Any = ax.yaxis.get_major_locator()  # an AutoLocator, by default
    ticks.set_params(integer=True)
    ax.set(
        xlabel="lag k, time steps", ylabel=r"$\|\partial s_T / \partial s_{T-k}\|_F \, / \sqrt{n}$"
    )
    return _legend(ax)


def draw_time_constants(
    constants: Sequence[np.ndarray], labels: Sequence[str], ax: "Axes | None" = None
) -> "Axes":
    """Draw, for each time constant, the share of states with no more than that.

    The legend gives the states whose time constant is 0 or ∞.

    Args:
        constants: Per candidate (states,), as of `time_constants`.
        labels: One per candidate.
        ax: Axes to draw into; None for a new figure.

    Raises:
        ValueError: More than eight candidates, or another number of labels.
    """
    ax = _axes(ax, (6.5, 4.2), len(constants), len(labels))
    for values, label, colour in zip(constants, labels, KINDS, strict=False):
        finite = np.sort(values[(values > 0) & np.isfinite(values)])
        below = (values == 0).sum()
        shares = (below + np.arange(1, len(finite) + 1)) / len(values)
        apart = "".join(
            f", {count} {what}"
            for count, what in ((below, "at 0"), (int(np.isposinf(values).sum()), "at ∞"))
            if count
        )
        ax.plot(
            finite,
            shares,
            ".-",
            color=colour,
            drawstyle="steps-post",
            linewidth=1.2,
            label=f"{label}{apart}",
        )
    ax.set(
        xscale="log",
        ylim=(0, 1.03),
        xlabel="time constant, units of elapsed time",
        ylabel="share of states",
    )
    return _legend(ax)


def _axes(ax: "Axes | None", size: tuple[float, float], count: int, labels: int) -> "Axes":
    from matplotlib.figure import Figure

    if count > len(KINDS):
        raise ValueError(
            f"{count} candidates; draw at most {len(KINDS)} at once, or their colours cannot "
            "be told apart"
        )
    if count != labels:
        raise ValueError(f"{count} candidates but {labels} labels; give one to each")
    return Figure(figsize=size, layout="constrained").add_subplot() if ax is None else ax


def _legend(ax: "Axes") -> "Axes":
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(frameon=False, fontsize=9)
    return ax
