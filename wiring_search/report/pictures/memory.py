"""A picture of the memory suite: accuracy over lag, one panel per task, one line per trial."""

from pathlib import Path
from typing import TYPE_CHECKING

from wiring_search.wirings.palette import INK, KINDS

if TYPE_CHECKING:
    import pandas

# Markers tell trials apart without colour.
_MARKERS = "osD^vPX*"


def write_memory_plot(table: "pandas.DataFrame", path: Path) -> Path:
    """Draw accuracy over lag. Bars are the spread over seeds, chance is dashed.

    Args:
        table: Rows of `examine.memory`.
        path: The picture's file.

    Returns:
        The path.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import NullFormatter, ScalarFormatter

    tasks = list(dict.fromkeys(table["task"]))
    columns = min(len(tasks), 4)
    lines = -(-len(tasks) // columns)
    figure = Figure(figsize=(3.4 * columns + 0.6, 2.9 * lines + 0.7), layout="constrained")
    panels = figure.subplots(lines, columns, squeeze=False).ravel()
    for panel, task in zip(panels, tasks, strict=False):
        curves = table[table["task"] == task]
        for index, (trial, curve) in enumerate(curves.groupby("trial", sort=False)):
            colour = KINDS[index % len(KINDS)]
            marker = _MARKERS[index % len(_MARKERS)]
            spread = curve["spread"].fillna(0.0)
            panel.errorbar(
                curve["lag"],
                curve["mean"],
                spread,
                label=f"trial {trial}",
                color=colour,
                marker=marker,
                capsize=2,
                linewidth=1.4,
            )
        panel.axhline(
            curves["chance"].iloc[0], color=INK, linestyle="--", linewidth=1, label="chance"
        )
        panel.set_xscale("log", base=2)
        panel.set_xticks(sorted(curves["lag"].unique()))
        panel.xaxis.set_major_formatter(ScalarFormatter())
        panel.xaxis.set_minor_formatter(NullFormatter())
        metric = curves["metric"].iloc[0]
        panel.set(
            title=task,
            xlabel="lag, steps",
            ylabel="mean squared error" if metric == "mse" else metric,
        )
        panel.set_ylim(bottom=0.0) if metric == "mse" else panel.set_ylim(0.0, 1.03)
        panel.spines[["top", "right"]].set_visible(False)
        panel.grid(alpha=0.25)
    for panel in panels[len(tasks) :]:
        panel.set_axis_off()
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=7, frameon=False
    )
    figure.savefig(path, dpi=150)
    return path
