"""Draws the figures of the documentation, from searches that it runs.

    python docs/figures/make.py [FOLDER OF THE RUNS]

The searches use digits and the space `small`: one search of 96 candidates for the front and its
wirings, three of 32 for the attainment surfaces. They take a few minutes; finished runs are reused.
The same seeds draw the same pictures.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from wiring_search.analysis.pareto import attainment
from wiring_search.run import ONE_PROCESS, Run, search, study_config
from wiring_search.wirings.drawing import draw

HERE = Path(__file__).resolve().parent
BLUE, ORANGE, GREY = "#0067a5", "#c4500a", "#9aa1a8"


def searched(runs: Path, seed: int, trials: int) -> Run:
    config = study_config("digits", "small", trials=trials, epochs=40, seed=seed, scores=())
    return search(config, runs / f"{seed}-{trials}", ONE_PROCESS)


def draw_front(run: Run) -> Figure:
    """Every candidate, the front as a staircase, and logistic regression."""
    table, front = run.table(), run.front()
    trained = table[(table["status"] == "ok") & (table["baseline"] == "")]
    ax = _axes("synapses", "accuracy on validation")
    ax.scatter(
        trained["synapses"],
        trained["accuracy"],
        s=16,
        color=GREY,
        label=f"{len(trained)} candidates",
    )
    best = front.sort_values("synapses")["accuracy"].cummax()
    ax.step(front["synapses"], best, where="post", color=BLUE)
    ax.scatter(front["synapses"], front["accuracy"], s=26, color=BLUE, label="front", zorder=3)
    logistic = 1 - run.rules["logistic regression on all pixels"]
    ax.axhline(
        logistic, color=ORANGE, linestyle="--", label="logistic regression on all pixels at once"
    )
    ax.figure.legend(frameon=False, loc="outside upper center", ncols=3)
    return ax.figure


def draw_attainment(runs: list[Run]) -> Figure:
    """The median attainment surface between the best and the worst: how much a front depends on the
    seed."""
    ax = _axes("synapses", "error on validation")
    points = [run.front()[["synapses", "error"]].to_numpy(float) for run in runs]
    right = max(front[:, 0].max() for front in points)
    one, half, every = (
        _stairs(surface, right) for surface in attainment(points, (1 / len(points), 0.5, 1.0))
    )
    across = np.unique(np.concatenate([one[:, 0], every[:, 0]]))
    low, high = (_height(stairs, across) for stairs in (one, every))
    ax.fill_between(
        across,
        low,
        high,
        step="post",
        color=BLUE,
        alpha=0.18,
        linewidth=0,
        label="from the best to the worst",
    )
    ax.step(*half.T, where="post", color=BLUE, label=f"median of {len(runs)} searches")
    ax.set(ylim=(0, None))
    ax.figure.legend(frameon=False, loc="outside upper center", ncols=2)
    return ax.figure


def _stairs(corners: np.ndarray, right: float) -> np.ndarray:
    """The corners, with the last step extended to `right`."""
    return np.concatenate([corners, [[right, corners[-1, 1]]]])


def _height(stairs: np.ndarray, across: np.ndarray) -> np.ndarray:
    """The staircase's height at `across`; NaN to the left of its first corner."""
    step = np.searchsorted(stairs[:, 0], across, side="right") - 1
    return np.where(step < 0, np.nan, stairs[np.maximum(step, 0), 1])


def _axes(x: str, y: str):
    ax = Figure(figsize=(7, 3.8), layout="constrained").add_subplot()
    ax.set(xlabel=x, ylabel=y)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _save(figure: Figure, name: str) -> None:
    figure.savefig(HERE / name, facecolor="white", metadata={"Date": None})
    print(HERE / name)


def main(runs: Path) -> None:
    matplotlib.rcParams |= {
        "svg.fonttype": "none",
        "svg.hashsalt": "wiring-search",
        "font.family": "sans-serif",
    }
    run = searched(runs, 0, 96)
    _save(draw_front(run), "front.svg")
    front = run.front()
    chosen = front[front["accuracy"] >= front["accuracy"].max() - 0.05].iloc[0]
    _save(draw(run.trial(int(chosen["trial"])).candidate.wiring).figure, "wiring.svg")
    _save(draw_attainment([searched(runs, seed, 32) for seed in range(3)]), "attainment.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/figures"))
