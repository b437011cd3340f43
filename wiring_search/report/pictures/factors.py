"""Pictures of what matters.

Importance bars, marginals, parallel coordinates, and features against scores.
"""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.analysis.factors import SIGNIFICANT, Factors, marginal
from wiring_search.scores.catalogue import SCORES
from wiring_search.wirings.palette import BLUE, EMPTY, FAINT, INK, PALE, VERMILION

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Lines and points beyond this many hide one another; a sample of them is drawn, and all of the
# front.
_MOST_DRAWN = 1000
_PANELS = 4  # in a row


def draw_importance(found: Factors) -> "Figure":
    """Draw bars with their intervals, one panel per objective.

    Dimensions are in the order of the first objective. A mark shows how far chance reaches; bars
    that do not exceed it are grey.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    names = found.importance.loc[
        found.importance["objective"] == found.objectives[0], "dimension"
    ].tolist()[::-1]
    figure = Figure(
        figsize=(2.2 + 3.1 * len(found.objectives), 1.4 + 0.3 * len(names)), layout="constrained"
    )
    panels = figure.subplots(1, len(found.objectives), sharey=True, squeeze=False)[0]
    heights = np.arange(len(names))
    for ax, objective in zip(panels, found.objectives, strict=True):
        shares = (
            found.importance[found.importance["objective"] == objective]
            .set_index("dimension")
            .loc[names]
        )
        beyond = shares["importance"] > shares["chance"]
        ax.barh(
            heights,
            shares["importance"].fillna(0.0),
            color=[BLUE if one else PALE for one in beyond],
            height=0.62,
        )
        ax.hlines(heights, shares["lower"], shares["upper"], color=INK, linewidth=1.4)
        ax.plot(
            shares["chance"],
            heights,
            linestyle="",
            marker="|",
            markersize=11,
            markeredgewidth=1.6,
            color=VERMILION,
        )
        ax.set(title=objective, xlabel="share of the importance", xlim=(0, None))
        ax.set_yticks(heights, names)
        ax.tick_params(axis="y", length=0)
        ax.spines[["top", "right"]].set_visible(False)
        if not shares["importance"].notna().any():
            ax.text(
                0.5,
                0.5,
                "too few trials to tell",
                transform=ax.transAxes,
                ha="center",
                color=FAINT,
            )
    marks = [
        Line2D([], [], color=INK),
        Line2D(
            [], [], color=VERMILION, linestyle="", marker="|", markersize=11, markeredgewidth=1.6
        ),
    ]
    figure.legend(
        marks,
        ["95 % interval", "as far as chance reaches"],
        loc="outside lower center",
        ncols=2,
        frameon=False,
        fontsize=9,
    )
    return figure


def draw_marginals(found: Factors, objective: str) -> "Figure":
    """Draw one objective against each dimension.

    Candidates are points, those on the front marked. Median and quartiles along the dimension are a
    line and a band (for names, bars).

    Args:
        found: What matters.
        objective: Its name.
    """
    from matplotlib.figure import Figure

    rows = -(-len(found.dimensions) // _PANELS)
    figure = Figure(figsize=(3.0 * _PANELS, 2.6 * rows + 0.5), layout="constrained")
    panels = figure.subplots(rows, _PANELS, sharey=True, squeeze=False).ravel()
    shown = _sample(found.candidates)
    for ax, (name, log) in zip(panels, found.dimensions.items(), strict=False):
        _marginal(ax, found.candidates, shown, name, log, objective)
    for ax in panels[len(found.dimensions) :]:
        ax.set_axis_off()
    for ax in panels[::_PANELS]:
        ax.set_ylabel(_scored(objective))
    values = found.candidates[objective].dropna()
    if values.min() > 0 and values.max() > 20 * values.min():
        panels[0].set_yscale("log")
    named = {
        label: mark
        for ax in panels
        for mark, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        named.values(),
        named.keys(),
        loc="outside lower center",
        ncols=5,
        frameon=False,
        fontsize=9,
        markerscale=1.4,
    )
    return figure


def draw_parallel(found: Factors) -> "Figure":
    """Draw one line per candidate through all dimensions and objectives.

    Lines are coloured by error (or else the first objective) from good, dark, to bad; the front is
    on top, thick. A line breaks where a dimension does not exist for the candidate. Dimensions that
    less than half of the candidates have are left out.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    by = "error" if "error" in found.objectives else found.objectives[0]
    shown = _sample(found.candidates)
    shown = shown.sort_values(by, ascending=SCORES[by].sign < 0, ignore_index=True)
    usual = {
        name: log
        for name, log in found.dimensions.items()
        if found.candidates[f"p.{name}"].notna().mean() >= 0.5
    }
    columns = [
        *((f"p.{name}", log) for name, log in usual.items()),
        *((name, False) for name in found.objectives),
    ]
    figure = Figure(figsize=(max(9.0, 0.95 * len(columns) + 1.5), 5.6), layout="constrained")
    ax = figure.add_subplot()
    heights = np.stack(
        [_axis(ax, k, shown[name], log) for k, (name, log) in enumerate(columns)], axis=1
    )
    lines = np.stack([np.broadcast_to(np.arange(len(columns)), heights.shape), heights], axis=2)
    ranks = shown[by].rank(pct=True, ascending=SCORES[by].sign > 0).to_numpy()
    front = shown["on_front"].to_numpy(bool)
    looks: dict[str, Any] = {
        "cmap": "viridis",
        "norm": Normalize(0, 1.08),
    }  # the palest yellow is invisible on white
    others = LineCollection(
        lines[~front],
        array=ranks[~front],
        linewidth=0.8,
        alpha=min(0.5, 30 / len(shown) + 0.12),
        **looks,
    )
    ax.add_collection(others)
    best = LineCollection(lines[front], array=ranks[front], linewidth=2.2, **looks)
    best.set_path_effects(_outlined())
    ax.add_collection(best)
    ax.set_xticks(
        range(len(columns)),
        [name.removeprefix("p.") for name, _ in columns],
        rotation=30,
        ha="right",
    )
    ax.vlines(range(len(columns)), 0, 1, color=FAINT, linewidth=0.8)
    ax.axvline(len(usual) - 0.5, color=FAINT, linestyle=":", linewidth=1)
    ax.set(xlim=(-0.4, len(columns) - 0.2), ylim=(-0.09, 1.09), yticks=[])
    ax.spines[:].set_visible(False)
    ax.tick_params(axis="x", length=0, pad=12)
    bar = figure.colorbar(best if front.any() else others, ax=ax, shrink=0.7, pad=0.01)
    bar.set_ticks([0.02, 1.0], labels=["best", "worst"])
    bar.set_label(f"rank by {by}", labelpad=-22)
    ax.set_title(_counted(shown, found), fontsize=10)
    return figure


def draw_correlations(found: Factors) -> "Figure":
    """Draw rank correlations of features and dimensions with scores, as they are and at equal size.

    Correlations that are not significant are faded.
    """
    from matplotlib.figure import Figure

    table = found.correlations
    features = list(
        dict.fromkeys(table.sort_values("kind", ascending=False, kind="stable")["feature"])
    )
    scores = list(found.scores)
    height = 1.6 + 0.23 * len(features)
    figure = Figure(figsize=(3.6 + 1.24 * max(len(scores), 2), height), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for ax, value, q, title in zip(
        panels,
        ("rho", "partial"),
        ("q", "partial_q"),
        ("as they are", "at equal size"),
        strict=True,
    ):
        cells, sure = (
            table.pivot(index="feature", columns="score", values=of).reindex(
                features, columns=scores
            )
            for of in (value, q)
        )
        image = _cells(ax, cells.to_numpy(float), sure.to_numpy(float) <= SIGNIFICANT)
        ax.set_title(title, fontsize=10)
        ax.set_xticks(
            range(len(scores)), [_scored(name) for name in scores], rotation=45, ha="right"
        )
        ax.set_yticks(range(len(features)), features)
    structural = table.loc[table["kind"] == "structure", "feature"].nunique()
    for ax in panels:
        ax.axhline(structural - 0.5, color=INK, linewidth=1)
    bar = figure.colorbar(image, ax=list(panels), shrink=min(0.6, 3 / height), pad=0.015, aspect=15)
    bar.set_label("rank correlation (faded: not significant)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    return figure


def _counted(shown: "pandas.DataFrame", found: Factors) -> str:
    of = f" of {len(found.candidates):,}" if len(shown) < len(found.candidates) else ""
    return f"{len(shown):,}{of} candidates; thick: the front"


def _sample(table: "pandas.DataFrame") -> "pandas.DataFrame":
    if len(table) <= _MOST_DRAWN:
        return table
    others = table[~table["on_front"]]
    return table.loc[
        sorted([*table.index[table["on_front"]], *others.sample(_MOST_DRAWN, random_state=0).index])
    ]


def _marginal(
    ax: "Axes",
    table: "pandas.DataFrame",
    shown: "pandas.DataFrame",
    name: str,
    log: bool | None,
    score: str,
) -> None:
    bins = marginal(table, name, score)
    column = f"p.{name}"
    rows = shown[shown[column].notna()]
    positions = {one["at"]: k for k, one in enumerate(bins)} if log is None else None
    x = rows[column].map(positions).astype(float) if positions else rows[column].astype(float)
    front = rows["on_front"].to_numpy(bool)
    ax.plot(
        x[~front],
        rows[score][~front],
        ".",
        color=FAINT,
        markersize=3,
        alpha=0.6,
        label="candidate",
    )
    at = [float(positions[one["at"]]) if positions else one["at"] for one in bins]
    lower, median, upper = ([one[which] for one in bins] for which in ("lower", "median", "upper"))
    if positions:
        ax.errorbar(
            at,
            median,
            _reaches(lower, median, upper),
            fmt="_",
            color=BLUE,
            markersize=14,
            markeredgewidth=2,
            elinewidth=2,
            label="median, quartiles",
        )
        ax.set_xticks(
            at,
            list(positions),
            rotation=30 if len(at) > 2 else 0,
            ha="right" if len(at) > 2 else "center",
            fontsize=8,
        )
        ax.set_xlim(-0.6, len(at) - 0.4)
    else:
        ax.plot(at, median, color=BLUE, linewidth=1.6, label="median")
        ax.fill_between(at, lower, upper, color=BLUE, alpha=0.18, linewidth=0, label="quartiles")
        if log:
            _logarithmic(ax, x)
    ax.plot(
        x[front], rows[score][front], "D", color=VERMILION, markersize=3.5, label="on the front"
    )
    ax.set_xlabel(name)
    ax.spines[["top", "right"]].set_visible(False)


def _reaches(lower: list[float], median: list[float], upper: list[float]) -> np.ndarray:
    return np.array([np.subtract(median, lower), np.subtract(upper, median)])


def _logarithmic(ax: "Axes", x: "pandas.Series") -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    ax.set_xscale("log")
    # Where a range is short, powers of ten alone would leave an axis without a number.
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if x.max() < 100 * x.min() else (1,)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _axis(ax: "Axes", across: int, values: "pandas.Series", log: bool | None) -> np.ndarray:
    """(rows,) Heights from 0 to 1 on a vertical axis. Its ends (or names) are written beside it."""
    if log is None:
        names = sorted(values.dropna().unique())
        for k, name in enumerate(names):
            ax.text(
                across + 0.05,
                k / max(len(names) - 1, 1),
                name,
                fontsize=8,
                color="black",
                va="center",
                path_effects=_outlined(),
            )
        return values.map(
            {name: k / max(len(names) - 1, 1) for k, name in enumerate(names)}
        ).to_numpy(float)
    numbers = values.astype(float).to_numpy()
    low = np.nanmin(numbers)
    high = np.nanmax(numbers)
    for end, height, va in ((low, -0.015, "top"), (high, 1.015, "bottom")):
        ax.text(across, height, f"{end:.3g}", fontsize=8, color=INK, ha="center", va=va)
    scaled, low, high = (
        (np.log(numbers), math.log(low), math.log(high)) if log else (numbers, low, high)
    )
    return (scaled - low) / (high - low or 1.0)


def _cells(ax: "Axes", values: np.ndarray, sure: np.ndarray) -> Any:
    from matplotlib import colormaps

    colours = colormaps["RdBu_r"].with_extremes(bad=EMPTY)  # grey: there is no such number
    image = ax.imshow(
        values,
        cmap=colours,
        vmin=-1,
        vmax=1,
        aspect="auto",
        alpha=np.where(sure | np.isnan(values), 1.0, 0.22),
    )
    for (row, column), value in np.ndenumerate(values):
        if math.isfinite(value):
            clear = sure[row, column]
            colour = "white" if clear and abs(value) > 0.55 else INK if clear else FAINT
            ax.text(
                column,
                row,
                f"{value:.2f}".replace("-", "−"),
                ha="center",
                va="center",
                fontsize=7,
                color=colour,
            )
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0, labelsize=8)
    return image


def _scored(name: str) -> str:
    """The name, and which way is good."""
    return f"{name} {'↓' if SCORES[name].sign > 0 else '↑'}"


def _outlined() -> list:
    from matplotlib.patheffects import Normal, Stroke

    return [Stroke(linewidth=3.4, foreground="white"), Normal()]
