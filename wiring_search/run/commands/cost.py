"""The work of `cost`: what candidates cost to run and to train."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from wiring_search.run.trials import trials_with_candidate
from wiring_search.store import Store

if TYPE_CHECKING:
    from wiring_search.scores.cost import Cost


def costs(out: str | Path, trials: Sequence[int] = ()) -> "dict[int, Cost]":
    """Measure what candidates cost, trained or not. Latencies are measured now.

    Args:
        out: The run folder.
        trials: Their numbers; the front by default.

    Returns:
        The cost by trial.

    Raises:
        ValueError: A trial has no candidate.
    """
    from wiring_search.scores.cost import cost

    with closing(Store.open(Path(out))) as store:
        config = store.config
        facts = store.facts
        chosen = trials_with_candidate(store, trials)
    task = config.load_task()
    return {
        trial.trial: cost(
            trial.candidate, facts["features"], facts["outputs"], task.time_steps, config.batch_size
        )
        for trial in chosen
        if trial.candidate is not None
    }
