"""The trials that a command is asked for."""

from collections.abc import Callable, Sequence

from wiring_search.analysis import table as results
from wiring_search.store import Store, Trial
from wiring_search.workers.jobs import Status

OnProgress = Callable[[int, int], None]


def trials_with_candidate(store: Store, numbers: Sequence[int]) -> list[Trial]:
    """Return trials, all with a candidate.

    Args:
        store: The study's store.
        numbers: Of the trials; the front where there is none.

    Raises:
        ValueError: There is no such trial, it was infeasible, or there is no front yet.
    """
    trials = store.trials()
    chosen = tuple(dict.fromkeys(numbers)) or tuple(
        map(int, results.front(store.table(), store.config.objectives)["trial"])
    )
    if not chosen:
        raise ValueError(
            f"{store.folder} has no front yet: no candidate has finished training; "
            "name trials with --trial"
        )
    for number in chosen:
        if not 0 <= number < len(trials):
            raise ValueError(
                f"{store.folder} has no trial {number}; its trials are 0 to {len(trials) - 1}"
            )
        if trials[number].candidate is None:
            raise ValueError(
                f"trial {number} was never built ({trials[number].message}); "
                "choose another with --trial"
            )
    return [trials[number] for number in chosen]


def trained_trials(store: Store, numbers: Sequence[int]) -> list[Trial]:
    """Return trials, all with a trained network.

    Args:
        store: The study's store.
        numbers: Of the trials; the front where there is none.

    Raises:
        ValueError: As `trials_with_candidate`, and for a trial without a trained network.
    """
    trials = store.trials()
    chosen = trials_with_candidate(store, numbers)
    for trial in chosen:
        original = trials[original_of(trial)]
        if original.status is not Status.OK:
            why = original.message or original.status.sentence
            raise ValueError(
                f"trial {trial.trial} has no trained network: {original.status.value} ({why}); "
                "choose another with --trial"
            )
    return chosen


def original_of(trial: Trial) -> int:
    """Return the trial whose training counts for this one: itself, unless it is a duplicate."""
    return trial.trial if trial.duplicate_of is None else trial.duplicate_of
