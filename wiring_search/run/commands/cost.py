"""What candidates cost."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from wiring_search.run.trials import trials_with_candidate
from wiring_search.store import Store

if TYPE_CHECKING:
    from wiring_search.scores.cost import Cost


def costs(out: str | Path, trials: Sequence[int] = ()) -> "dict[int, Cost]":
    """What candidates cost, by trial; latencies are measured now. trials: as for `robustness`,
    trained or not.

    Raises ValueError for trials that have no candidate.
    """
    from wiring_search.scores.cost import cost

    with closing(Store.open(Path(out))) as store:
        config, facts, chosen = store.config, store.facts, trials_with_candidate(store, trials)
    task = config.load_task()
    return {
        trial.trial: cost(
            trial.candidate, facts["features"], facts["outputs"], task.time_steps, config.batch_size
        )
        for trial in chosen
        if trial.candidate is not None
    }
