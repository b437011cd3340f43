"""The findings of `scores.solver_choice`, for people: a table, sentences, and a picture."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wiring_search.analysis.table import nearly
from wiring_search.wirings.palette import BLUE, GREEN, GRID, INK, OCHRE, PINK, VERMILION

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

    from wiring_search.scores.solver_choice import Alternative

_COLOURS = {
    "semi-implicit": BLUE,
    "closed-form": PINK,
    "euler": VERMILION,
    "heun": OCHRE,
    "rk4": GREEN,
}


def table(rows: "Sequence[Alternative]", metric: str) -> "pandas.DataFrame":
    """Return one row per alternative.

    Args:
        rows: The alternatives.
        metric: The task's; names the metric's column.
    """
    import pandas

    return pandas.DataFrame([asdict(row) for row in rows]).rename(columns={"metric": metric})


def sentences(rows: "Sequence[Alternative]", metric: str) -> str:
    """Return what the table says, in sentences.

    They name a cheaper solver that is nearly as good, if any, and the metric of the equation
    itself.

    Args:
        rows: The alternatives.
        metric: The task's.
    """
    usual = next(row for row in rows if row.trained_with)
    fine = next(row for row in rows if row.fine)
    greatest, within = nearly(usual.error, metric)
    good = [
        row
        for row in rows
        if row.stable
        and row.error <= greatest
        and row.function_evaluations < usual.function_evaluations
    ]
    said = f"Trained with {named(usual)}: {metric} {usual.metric:.4g}."
    if good:
        best = min(good, key=lambda row: (row.function_evaluations, row.error))
        said += (
            f" The cheapest stable solver within {within}: {named(best)}, {metric} "
            f"{best.metric:.4g}."
        )
    else:
        said += f" No cheaper stable solver comes within {within}."
    said += f" The differential equation itself, solved finely: {metric} {fine.metric:.4g}"
    relies = ", so the weights count on the errors of the solver they were trained with."
    return said + ("." if fine.error <= greatest else relies)


def named(row: "Alternative") -> str:
    """Return the solver, its sub-steps and its cost, in words."""
    evaluations = (
        f"{row.function_evaluations} evaluation{'s' if row.function_evaluations > 1 else ''}"
    )
    if row.steps:
        return f"{row.solver} × {row.steps} ({evaluations})"
    return f"{row.solver} ({evaluations})"


def draw(rows: "Sequence[Alternative]", path: Path, title: str, metric: str) -> None:
    """Draw terminal error, and the task's error, against function evaluations per time step.

    Args:
        rows: The alternatives.
        path: The picture's file.
        title: Above the picture.
        metric: The task's.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    figure.suptitle(title)
    left.set(
        yscale="log", ylabel="relative to the fine solution", title="terminal error of the solver"
    )
    _curves(left, rows, "terminal_error", _beyond(rows, "terminal_error"))
    least = min(
        (row.terminal_error for row in rows if 0 < row.terminal_error < math.inf), default=0.1
    )
    left.set_ylim(bottom=10.0 ** math.floor(math.log10(least)))
    right.set(
        ylabel="1 − accuracy" if metric == "accuracy" else metric,
        title="error of the task on its validation split",
    )
    _curves(right, rows, "error", 1.0 if metric == "accuracy" else _beyond(rows, "error"))
    fine = next(row for row in rows if row.fine)
    if math.isfinite(fine.error):
        right.axhline(
            fine.error, color=INK, linestyle=":", linewidth=1, label="fine solution", zorder=1
        )
    lines, names = right.get_legend_handles_labels()
    marks = _marks(any(row.solver.startswith("hyper-") for row in rows))
    figure.legend(
        [*lines, *marks],
        [*names, *(mark.get_label() for mark in marks)],
        loc="outside right center",
        frameon=False,
    )
    figure.savefig(path, dpi=150)


def _beyond(rows: "Sequence[Alternative]", name: str) -> float:
    """A height above all stable solvers.

    Others explode, and would hide the differences between these.
    """
    return 1.5 * max(
        (getattr(row, name) for row in rows if row.stable and math.isfinite(getattr(row, name))),
        default=1.0,
    )


def _curves(ax: "Axes", rows: "Sequence[Alternative]", name: str, highest: float) -> None:
    """One line per solver. What is higher, or not finite, is drawn at the upper edge."""
    shown = [row for row in rows if not row.fine]
    for solver in dict.fromkeys(row.solver for row in shown):
        of_solver = [row for row in shown if row.solver == solver]
        family = solver.removeprefix("hyper-")
        marker = "o" if family == solver else "*"
        style: dict[str, Any] = {"color": _COLOURS[family], "zorder": 2}
        x = [row.function_evaluations for row in of_solver]
        y = [getattr(row, name) for row in of_solver]
        y = [min(value, highest) if math.isfinite(value) else highest for value in y]
        ax.plot(
            x, y, linestyle="-" if family == solver else "--", linewidth=1.2, label=solver, **style
        )
        for row, *at in zip(of_solver, x, y, strict=True):
            fill: dict[str, Any] = {} if row.stable else {"markerfacecolor": "white"}
            ax.plot(*at, marker=marker, markersize=6 if marker == "o" else 10, **fill, **style)
            if row.trained_with:
                ax.plot(
                    *at,
                    marker="o",
                    markersize=14,
                    markerfacecolor="none",
                    markeredgecolor=INK,
                    zorder=3,
                )
    ax.set_xscale("log", base=2)
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_xlabel("function evaluations a time step")
    ax.grid(color=GRID, linewidth=0.8, zorder=0)


def _marks(hyper: bool) -> list:
    """What the markers mean, for the legend."""
    from matplotlib.lines import Line2D

    looks: dict[str, dict[str, Any]] = {
        "trained with": {"marker": "o", "markersize": 14, "markerfacecolor": "none"},
        **({"hypersolver": {"marker": "*", "markersize": 10}} if hyper else {}),
        "stable": {"marker": "o"},
        "not stable;\nat the edge: far beyond": {"marker": "o", "markerfacecolor": "white"},
    }
    return [
        Line2D([], [], color=INK, linestyle="", label=name, **look) for name, look in looks.items()
    ]
