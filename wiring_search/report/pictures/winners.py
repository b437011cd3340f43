"""A picture of winners: their errors in the search, with fresh seeds and on the test split.

Beside that it shows how much worse (or not) their controls are.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.analysis.winners import SURE, Winners
from wiring_search.wirings.null_controls import CONTROLS
from wiring_search.wirings.palette import BLUE, FAINT, GREEN, PINK, VERMILION

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLOURS = dict(zip(CONTROLS, (GREEN, BLUE, PINK, VERMILION), strict=True))


def draw(found: Winners) -> "Figure":
    """Draw sizes against errors, with 95 % intervals over seeds, and the two fronts on test.

    With controls there is a second panel: control − winner, filled where it is surely not 0 after
    Holm's correction.
    """
    from matplotlib.figure import Figure

    compared = found.controls[found.controls["difference"].notna()]
    height = max(4.6, 1.4 + 0.24 * len(compared))
    figure = Figure(figsize=(13.5 if len(compared) else 7.5, height), layout="constrained")
    panels = figure.subplots(1, 2 if len(compared) else 1, squeeze=False)[0]
    _draw_errors(found, panels[0])
    if len(compared):
        _draw_controls(found, panels[1])
    return figure


def _draw_errors(found: Winners, ax: "Axes") -> None:
    from matplotlib.ticker import LogLocator, MaxNLocator, ScalarFormatter
    from matplotlib.transforms import offset_copy

    table = found.table
    sizes = table["synapses"].to_numpy(float)
    ax.plot(sizes, table["searched"], "o", mfc="none", color=FAINT, label="in the search")
    bars = [
        ("valid", BLUE, "s", f"validation, {found.seeds} fresh seeds"),
        ("test", VERMILION, "D", "test, the same networks"),
    ]
    for (name, colour, marker, label), points in zip(bars, (-3.5, 0.0), strict=True):
        if table[name].notna().any():
            reach = (table[name] - table[f"{name}_lower"]).fillna(0.0)
            aside = offset_copy(ax.transData, ax.get_figure(root=True), x=points, units="points")
            style: dict[str, Any] = {
                "fmt": marker,
                "color": colour,
                "markersize": 5,
                "capsize": 2,
                "linewidth": 1,
            }
            ax.errorbar(sizes, table[name], reach, label=label, transform=aside, **style)
            ax.update_datalim(
                [
                    *zip(sizes, table[name] - reach, strict=True),
                    *zip(sizes, table[name] + reach, strict=True),
                ]
            )
    right = sizes.max() * 1.1
    for name, line in (("optimistic", "-"), ("pessimistic", ":")):
        chosen = table[table[name] & table["test"].notna()].sort_values("synapses")
        if len(chosen) > 1:
            ax.step(
                np.append(chosen["synapses"], right),
                np.append(chosen["test"], chosen["test"].iloc[-1]),
                line,
                where="post",
                color=VERMILION,
                linewidth=1,
                label=f"{name} front on test",
            )
    ax.set(xlabel="synapses", ylabel="error", title="Winners, trained again")
    if sizes.max() > 4 * sizes.min():
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter("")
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.autoscale_view()
    ax.legend(frameon=False, fontsize=8)
    ax.spines[["top", "right"]].set_visible(False)


def _draw_controls(found: Winners, ax: "Axes") -> None:
    rows = list(found.controls[found.controls["difference"].notna()].iloc[::-1].itertuples())
    named = set()
    for index, row in enumerate(rows):
        colour = _COLOURS[row.control]
        sure = row.p_holm < SURE
        reach = [[row.difference - row.lower], [row.upper - row.difference]]
        label = "" if row.control in named else CONTROLS[row.control]
        named.add(row.control)
        ax.errorbar(
            row.difference,
            index,
            xerr=np.nan_to_num(reach),
            fmt="o",
            color=colour,
            mfc=colour if sure else "white",
            label=label,
            capsize=2,
        )
    ax.axvline(0.0, color=FAINT, linewidth=0.8, zorder=0)
    ax.set_yticks(
        range(len(rows)), [f"trial {row.trial}, {row.control}" for row in rows], fontsize=8
    )
    splits = " and ".join(dict.fromkeys(row.split for row in rows))
    ax.set(
        xlabel=f"error of the control − error of the winner ({splits})",
        title="Right of 0: the winner's wiring is better",
    )
    handles, names = ax.get_legend_handles_labels()
    ax.figure.legend(
        handles[::-1], names[::-1], frameon=False, fontsize=8, loc="outside lower right", ncols=2
    )
    ax.spines[["top", "right"]].set_visible(False)
