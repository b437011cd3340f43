"""The work of `dynamics`: how candidates move, before and after training."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from wiring_search import tasks
from wiring_search.run.trials import original_of, trained_trials
from wiring_search.store import Store, Trial

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

    from wiring_search.scores.gradient import GradientFlow
    from wiring_search.training.pack import Pack

DYNAMICS_TABLE, DYNAMICS_PICTURE = "dynamics.csv", "dynamics.png"
# Validation sequences that gradients are measured on: one tile of the kernel. Trials that a picture
# can tell apart.
_SEQUENCES, _DRAWN = 16, 4


def dynamics(out: str | Path, trials: Sequence[int] = ()) -> "pandas.DataFrame":
    """Measure how candidates move, before and after training.

    Gradients and time constants are measured on validation sequences. Writes dynamics.csv and
    dynamics.png into the folder: trajectories on a circle, gradient over lag, time constants.

    Args:
        out: The run folder.
        trials: Their numbers; the front by default. The picture shows the first four.

    Returns:
        One row per trial and stage ("fresh", "trained"): expressivity, gradient_slope, its meaning
        (`gradient`), kernel_rank, and quartiles of the time constants.

    Raises:
        ValueError: A trial has no trained network.
    """
    import pandas

    folder = Path(out)
    with closing(Store.open(folder)) as store:
        config = store.config
        chosen = trained_trials(store, trials)
        states = [store.state(original_of(trial)) or b"" for trial in chosen]
    task = config.load_task()
    rows: list[dict[str, object]] = []
    seen: dict[str, list[_Seen]] = {"fresh": [], "trained": []}
    for trial, state in zip(chosen, states, strict=True):
        for stage, pack in _stages(task, trial, state).items():
            row, found = _moved(task, pack, f"trial {trial.trial}", config.seed)
            rows.append({"trial": trial.trial, "stage": stage, **row})
            seen[stage].append(found)
    table = pandas.DataFrame(rows)
    table.to_csv(folder / DYNAMICS_TABLE, index=False)
    _draw_dynamics(seen["fresh"][:_DRAWN], seen["trained"][:_DRAWN]).savefig(
        folder / DYNAMICS_PICTURE, dpi=150
    )
    return table


class _Seen(NamedTuple):
    label: str
    path: np.ndarray
    flow: "GradientFlow"
    time_constants: np.ndarray


def _draw_dynamics(fresh: list[_Seen], trained: list[_Seen]) -> "Figure":
    from matplotlib.figure import Figure

    from wiring_search.report.pictures.dynamics import (
        draw_gradient_flow,
        draw_time_constants,
        draw_trajectories,
    )

    figure = Figure(figsize=(15, 5.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    labels = [one.label for one in trained]
    draw_trajectories([one.path for one in trained], labels, left)
    draw_gradient_flow(_joined(fresh), [f"{label}, fresh" for label in labels], middle, "--")
    draw_gradient_flow(_joined(trained), [f"{label}, trained" for label in labels], middle)
    draw_time_constants([one.time_constants for one in trained], labels, right)
    titles = (
        "states while the input goes once round a circle",
        "gradient through time",
        "time constants",
    )
    for axes, title in zip((left, middle, right), titles, strict=True):
        axes.set_title(title, fontsize=10)
        # Below the axes: nothing that is drawn may lie under it.
        axes.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.13),
            ncols=1 + (axes is middle),
            frameon=False,
            fontsize=8,
        )
    return figure


def _joined(seen: list[_Seen]) -> "GradientFlow":
    from wiring_search.scores.gradient import GradientFlow

    flows = [one.flow for one in seen]
    norms, slopes = (np.concatenate([flow[part] for flow in flows]) for part in (0, 1))
    return GradientFlow(
        norms, slopes, tuple(verdict for flow in flows for verdict in flow.verdicts)
    )


def _stages(task: tasks.Task, trial: Trial, state: bytes) -> "dict[str, Pack]":
    from wiring_search.scores.trained_packs import trained_pack
    from wiring_search.training.pack import Pack

    assert trial.candidate is not None
    fresh = Pack([trial.candidate], task.features, task.outputs)
    return {"fresh": fresh, "trained": trained_pack(task, [trial.candidate], [state])}


def _moved(
    task: tasks.Task, pack: "Pack", label: str, seed: int
) -> tuple[dict[str, object], _Seen]:
    """A row of the table, and what is drawn."""
    from wiring_search.scores.gradient import gradient_flow
    from wiring_search.scores.rank import kernel_rank
    from wiring_search.scores.time_constants import time_constants
    from wiring_search.scores.trajectory import expressivity, latent_trajectories
    from wiring_search.training.loss import elapsed_of

    x = np.ascontiguousarray(task.valid.x[:_SEQUENCES])
    elapsed = elapsed_of(task.valid)[:_SEQUENCES]
    flow = gradient_flow(pack, x, elapsed, seed)
    taus = time_constants(pack, x[:2], elapsed[:2])[0]
    quartiles = np.quantile(taus, (0.25, 0.5, 0.75), method="nearest")
    row = {
        "expressivity": float(expressivity(pack, seed=seed)[0]),
        "gradient_slope": float(flow.slopes[0]),
        "gradient": flow.verdicts[0],
        "kernel_rank": float(kernel_rank(pack, seed=seed)[0]),
        **{
            f"tau_{name}": float(value)
            for name, value in zip(("lower", "median", "upper"), quartiles, strict=True)
        },
    }
    return row, _Seen(label, latent_trajectories(pack, seed=seed)[0], flow, taus)
