"""The picture of a front: size against error, with all other candidates."""

from typing import TYPE_CHECKING

import numpy as np

from wiring_search.analysis.expected_error import expected_errors
from wiring_search.analysis.front import Front
from wiring_search.analysis.pareto import is_front
from wiring_search.analysis.table import candidates, minimised_points
from wiring_search.scores.catalogue import SCORES
from wiring_search.store import Store
from wiring_search.wirings.palette import BASELINE, CANDIDATE, FRONT

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# A scale is logarithmic where its largest number is so many times its smallest.
_DECADES = 8


def draw_front(store: Store, front: Front) -> "Figure":
    """Draw synapses against error where both are objectives, else the first two objectives.

    Steps join candidates that no other beats in the two. Filled dots are on the front in all
    objectives, a ring marks the knee, bars are standard errors over trainings. Diamonds are trained
    baselines, lines trivial rules; rules far off are named below the picture.

    Args:
        store: The study's store.
        front: Its front.
    """
    from matplotlib.figure import Figure

    across, up = _axes(front.objectives)
    table = store.table()
    finished = candidates(table)
    finished = finished[np.isfinite(minimised_points(finished, (across, up))).all(axis=1)]
    figure = Figure(figsize=(8, 5.4), layout="constrained")
    axes = figure.subplots()
    axes.plot(
        finished[across],
        finished[up],
        "o",
        color=CANDIDATE,
        alpha=0.6,
        markersize=4,
        label="candidates",
        zorder=2,
    )
    axes.plot(*_steps(finished, across, up), color=FRONT, linewidth=1.5, zorder=3)
    _bars(axes, store, finished, across, up)
    best = front.rows[front.rows["baseline"] == ""]
    axes.plot(
        best[across], best[up], "o", color=FRONT, markersize=6, label="on the front", zorder=4
    )
    knee = best[best["knee"]]
    if len(knee):
        label = f"knee, trial {front.knee} ({front.stability:.0%} of resamples near it)"
        axes.plot(
            knee[across],
            knee[up],
            "o",
            mfc="none",
            mec="black",
            markersize=13,
            linestyle="",
            label=label,
            zorder=5,
        )
    trained = front.rows[(front.rows["baseline"] != "") & front.rows[up].notna()]
    if len(trained):
        axes.plot(
            trained[across],
            trained[up],
            "D",
            color=BASELINE,
            markersize=5,
            linestyle="",
            label="trained baselines",
            zorder=2,
        )
    for name, set_scale in ((across, axes.set_xscale), (up, axes.set_yscale)):
        values = finished[name].astype(float)
        if len(values) and values.min() > 0 and values.max() / values.min() >= _DECADES:
            set_scale("log")
    if up == "error":
        far = _rules(axes, store.facts.get("rules", {}), finished[up].astype(float))
    else:
        far = ""
    axes.set_xlabel(_titled(across, store) + far)
    axes.set_ylabel(_titled(up, store))
    axes.set_title(
        f"{store.config.task}: front in {', '.join(front.objectives)} (validation split)",
        fontsize=10,
    )
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def _axes(objectives: tuple[str, ...]) -> tuple[str, str]:
    if len(objectives) < 2 or {"error", "synapses"} <= set(objectives):
        return "synapses", "error"
    return objectives[0], objectives[1]


def _titled(name: str, store: Store) -> str:
    unit = SCORES[name].unit or (
        store.facts["metric"] if name == "error" and store.facts["metric"] == "mse" else ""
    )
    return name.replace("_", " ") + (f" ({unit})" if unit else "")


def _steps(finished: "pandas.DataFrame", across: str, up: str) -> tuple[list[float], list[float]]:
    """The corners of the stairs that nothing beats in the two scores, from the best in the one to
    the best in the other."""
    points = minimised_points(finished, (across, up))
    rows = np.flatnonzero(is_front(points))
    rows = rows[np.lexsort(points[rows].T[::-1])]
    x, y = (finished[name].astype(float).to_numpy()[rows] for name in (across, up))
    return np.repeat(x, 2)[1:].tolist(), np.repeat(y, 2)[:-1].tolist()


def _bars(axes: "Axes", store: Store, finished: "pandas.DataFrame", across: str, up: str) -> None:
    if up != "error":
        return
    known = expected_errors(store, finished)
    repeated = known["trainings"] > 1
    if repeated.any():
        bars = {
            "yerr": known["standard_error"][repeated],
            "fmt": "none",
            "ecolor": FRONT,
            "elinewidth": 1,
            "capsize": 2,
        }
        axes.errorbar(
            finished[across][repeated].astype(float),
            known["mean"][repeated],
            **bars,
            label="mean ± standard error",
            zorder=3,
        )


def _rules(axes: "Axes", rules: dict[str, float], errors: "pandas.Series") -> str:
    """Lines of the trivial rules that are near the candidates' errors; of the others, what stands
    below the picture."""
    if errors.empty:
        return ""
    near = {
        name: error
        for name, error in rules.items()
        if 0.5 * errors.min() <= error <= 1.5 * errors.max()
    }
    for name, error in near.items():
        axes.axhline(error, color=BASELINE, linestyle="--", linewidth=1, zorder=1)
        axes.annotate(
            name,
            (1, error),
            xycoords=("axes fraction", "data"),
            ha="right",
            va="bottom",
            color=BASELINE,
            fontsize=8,
        )
    far = ", ".join(f"{name} {error:.3g}" for name, error in rules.items() if name not in near)
    return f"\nbeyond the picture: {far}" if far else ""
