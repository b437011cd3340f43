"""The work of `robustness`: errors of trained candidates under every shift of the data."""

import math
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wiring_search import tasks
from wiring_search.run.trials import OnProgress, original_of, trained_trials
from wiring_search.store import Store, Trial

if TYPE_CHECKING:
    import pandas


ROBUSTNESS_TABLE, ROBUSTNESS_PICTURE = "robustness.csv", "robustness.png"


def robustness(
    out: str | Path, trials: Sequence[int] = (), on_progress: OnProgress = lambda done, count: None
) -> "pandas.DataFrame":
    """Score trained candidates under every shift of `scores.robustness`.

    Writes robustness.csv and robustness.png into the folder.

    Args:
        out: The run folder.
        trials: Their numbers; the front by default.
        on_progress: Called with (done, count) of errors.

    Returns:
        One row per trial and shift: trial, synapses, robustness (of the trial), family, level,
        error, times_clean, relative. The first row of a trial has the family "clean".

    Raises:
        ValueError: A trial has no trained network.
    """
    import pandas

    from wiring_search.report.pictures.robustness import draw
    from wiring_search.scores.robustness import CLEAN

    folder = Path(out)
    with closing(Store.open(folder)) as store:
        config = store.config
        chosen = trained_trials(store, trials)
        states = [store.state(original_of(trial)) for trial in chosen]
    task = config.load_task()
    table = pandas.DataFrame(
        _rows(task, chosen, _errors(task, chosen, states, config.seed, on_progress), config.seed)
    )
    table.to_csv(folder / ROBUSTNESS_TABLE, index=False)
    draw(table[table["family"] != CLEAN]).savefig(folder / ROBUSTNESS_PICTURE, dpi=150)
    return table


def _errors(
    task: tasks.Task, chosen: list[Trial], states: list, seed: int, on_progress: OnProgress
) -> dict[str, np.ndarray]:
    """Errors of all trials by shift, (trials,) each, for any mixture of kinds."""
    from wiring_search.scores.robustness import robustness as errors_of
    from wiring_search.scores.trained_packs import trained_packs

    errors: dict[str, np.ndarray] = {}
    done = 0
    for indices, pack in trained_packs(
        task, [trial.candidate for trial in chosen if trial.candidate], states
    ):
        for name, of in errors_of(
            task, pack, seed, partial(_report_pack, on_progress, done, len(indices), len(chosen))
        ).items():
            errors.setdefault(name, np.empty(len(chosen)))[indices] = of
        done += len(indices)
    return errors


def _report_pack(
    on_progress: OnProgress, before: int, members: int, everyone: int, shift: int, shifts: int
) -> None:
    on_progress(before * shifts + members * shift, everyone * shifts)


def _rows(
    task: tasks.Task, chosen: list[Trial], errors: dict[str, np.ndarray], seed: int
) -> list[dict]:
    from wiring_search.scores.robustness import CLEAN, relative_errors, score, shifts, times_clean

    total = score(task, errors)
    times = times_clean(task, errors)
    relative = {CLEAN: np.ones(len(chosen)), **relative_errors(task, errors)}
    kinds = {
        CLEAN: (CLEAN, math.nan),
        **{shift.name: (shift.family, shift.level) for shift in shifts(task, seed)},
    }
    return [
        {
            "trial": trial.trial,
            "synapses": trial.synapses,
            "robustness": float(total[index]),
            "family": family,
            "level": level,
            "error": float(errors[name][index]),
            "times_clean": float(times[name][index]),
            "relative": float(relative[name][index]),
        }
        for index, trial in enumerate(chosen)
        for name, (family, level) in kinds.items()
    ]
