"""The work of `repeat`: one candidate trained with other seeds, for error bars and variance."""

import math
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wiring_search.run.trials import OnProgress, trials_with_candidate
from wiring_search.search_spaces import Space
from wiring_search.store import Store, Trial
from wiring_search.store.config import StudyConfig
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Rung

if TYPE_CHECKING:
    from wiring_search.scores.repeats import VarianceSplit


@dataclass(frozen=True)
class Repeats:
    """A trial trained again with other seeds.

    Attributes:
        trial: Its number.
        searched: Its error in the search: one training, and selected for being good.
        errors: Shape (wirings, initialisations, data orders), NaN where a training failed. The
            trial's wiring comes first.
        mean: Error of the trial's wiring over initialisations, each averaged over the orders. This
            and the following are NaN where fewer than two initialisations finished.
        standard_error: Of `mean`.
        upper: Lies above the expected error with 95 % confidence.
        spread: Standard deviation of one training of the trial's wiring.
    """

    trial: int
    searched: float
    errors: np.ndarray
    mean: float
    standard_error: float
    upper: float
    spread: float

    @property
    def split(self) -> "VarianceSplit":
        """The sources of the errors' variance.

        Raises:
            ValueError: A training failed.
        """
        from wiring_search.scores.repeats import variance_split

        return variance_split(self.errors)


@dataclass(frozen=True)
class Design:
    """What `repeat` trains.

    Attributes:
        wirings: Candidates at one point of the space, the trial's first.
        init_seeds: Of initial weights. The search used none of them.
        data_seeds: Of the data order. The search used none of them.
    """

    wirings: tuple[Candidate, ...]
    init_seeds: tuple[int, ...]
    data_seeds: tuple[int, ...]

    @property
    def trainings(self) -> int:
        return len(self.wirings) * len(self.init_seeds) * len(self.data_seeds)


def design(out: str | Path, trial: int, seeds: int = 5) -> Design:
    """Combine wirings, initialisations and data orders.

    Args:
        out: The run folder.
        trial: The trial's number.
        seeds: How many of each; fewer wirings if there are no more.

    Raises:
        ValueError: Fewer than two seeds, or a trial without a candidate.
    """
    if seeds < 2:
        raise ValueError(f"--seeds is {seeds}; a spread needs two or more")
    with closing(Store.open(Path(out))) as store:
        config, (chosen,) = store.config, trials_with_candidate(store, (trial,))
    fresh = tuple(range(config.seed + 1, config.seed + 1 + seeds))
    return Design(_wirings(config, chosen, seeds), fresh, fresh)


def repeat(
    out: str | Path, trial: int, seeds: int = 5, on_progress: OnProgress = lambda done, count: None
) -> Repeats:
    """Train a trial anew, with the budget of its search, by all combinations of `design`.

    Writes repeat-N.csv into the folder.

    Args:
        out: The run folder.
        trial: The trial's number, N.
        seeds: See `design`.
        on_progress: Called with (done, count) of trainings.

    Raises:
        ValueError: See `design`.
    """
    import pandas

    from wiring_search.scores import repeats

    folder = Path(out)
    plan = design(out, trial, seeds)
    with closing(Store.open(folder)) as store:
        config = store.config
        searched = store.trials()[trial].score("error")
    task = config.load_task()
    rung = Rung(0, config.epochs, config.batch_size)
    errors = repeats.crossed_errors(
        task, plan.wirings, plan.init_seeds, plan.data_seeds, rung, on_progress
    )
    rows = [
        {
            "wiring_id": plan.wirings[w].wiring.wiring_id,
            "init_seed": plan.init_seeds[i],
            "data_seed": plan.data_seeds[d],
            "error": error,
        }
        for (w, i, d), error in np.ndenumerate(errors)
    ]
    pandas.DataFrame(rows).to_csv(folder / f"repeat-{trial}.csv", index=False)
    finished = errors[0][np.isfinite(errors[0]).all(axis=1)]
    means = finished.mean(axis=1)
    known = len(means) > 1
    return Repeats(
        trial=trial,
        searched=searched,
        errors=errors,
        mean=float(repeats.mean(means)) if known else math.nan,
        standard_error=float(repeats.standard_error(means)) if known else math.nan,
        upper=float(repeats.upper_bound(means)) if known else math.nan,
        spread=float(finished.std(ddof=1)) if known else math.nan,
    )


def _wirings(config: StudyConfig, trial: Trial, count: int) -> tuple[Candidate, ...]:
    """Candidates with distinct wirings: the trial's, then the next wiring seeds at its point."""
    assert trial.candidate is not None
    found = {trial.candidate.wiring.wiring_id: trial.candidate}
    if "wiring_seed" in trial.params:
        space = Space.from_json(config.space)
        for step in range(1, count):
            other = space.build(
                {**trial.params, "wiring_seed": trial.params["wiring_seed"] + step}, config.seed
            )
            found.setdefault(other.wiring.wiring_id, other)
    return tuple(found.values())
