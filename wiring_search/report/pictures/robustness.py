"""A picture of robustness: the error under a shift as a multiple of the clean error."""

from typing import TYPE_CHECKING

from wiring_search.scores.robustness import FAMILIES
from wiring_search.wirings.palette import FAINT

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

_COLUMNS, _MOST_NAMED = 3, 24


def draw(table: "pandas.DataFrame") -> "Figure":
    """Draw one panel per family of shifts, one line per trial.

    Lines are coloured from few synapses (dark) to many. Every family starts without a shift, at 1.

    Args:
        table: Rows of shifted trials, with columns trial, synapses, family, level, times_clean.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    families = [name for name in FAMILIES if (table["family"] == name).any()]
    trials = table.drop_duplicates("trial").sort_values(["synapses", "trial"])
    rows = -(-len(families) // _COLUMNS)
    figure = Figure(figsize=(10.5, 3.2 * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).ravel()
    for ax in panels[len(families) :]:
        ax.set_axis_off()
    for ax, family in zip(panels, families, strict=False):
        label, unshifted = FAMILIES[family]
        for index, (trial, synapses) in enumerate(
            zip(trials["trial"], trials["synapses"], strict=True)
        ):
            shifted = table[(table["family"] == family) & (table["trial"] == trial)]
            points = sorted(
                [(unshifted, 1.0), *zip(shifted["level"], shifted["times_clean"], strict=True)]
            )
            colour = colormaps["viridis"](0.9 * index / max(len(trials) - 1, 1))
            ax.plot(
                *zip(*points, strict=True),
                marker="o",
                markersize=3,
                linewidth=1.3,
                color=colour,
                label=f"{trial} ({synapses})",
            )
        ax.axhline(1.0, color=FAINT, linewidth=0.8, zorder=0)
        ax.set(title=family, xlabel=label, yscale="log")
        if unshifted == 1.0:
            ax.set_xscale("log", base=2)
        levels = sorted({unshifted, *table.loc[table["family"] == family, "level"]})
        ax.set_xticks(levels, [f"{level:g}" for level in levels])
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_formatter("")
        ax.spines[["top", "right"]].set_visible(False)
    for ax in panels[::_COLUMNS]:
        ax.set_ylabel("error / clean error")
    handles, names = panels[0].get_legend_handles_labels()
    if len(names) <= _MOST_NAMED:
        figure.legend(
            handles,
            names,
            loc="outside right upper",
            title="trial (synapses)",
            frameon=False,
            fontsize=8,
        )
    return figure
