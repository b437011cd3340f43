"""The job of a pack: its candidates, and the states that their training starts from."""

from typing import Any

from wiring_search.search.planner import Pack
from wiring_search.store import Store
from wiring_search.store.config import StudyConfig
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import PackJob


def job_of(config: StudyConfig, store: Store, pack: Pack) -> PackJob:
    """Make the job that trains a pack for its rung.

    A candidate starts from its checkpoint if the pack was stopped, else from the state of the rung
    below, else from the inherited weights of its parent, else afresh.

    Args:
        config: The study's settings.
        store: The study's results, with states, checkpoints and candidates.
        pack: The pack. Candidates that it does not hold come from the store.

    Returns:
        The job, ready to be submitted to a pool.
    """
    known = {trial.trial: trial.candidate for trial in pack.trials}
    asked = [found for trial in pack.members if (found := known.get(trial)) is not None]
    candidates = asked if len(asked) == len(pack.members) else store.candidates(pack.members)
    if pack.rung:
        states = store.states(pack.members, pack.rung - 1)
    else:
        attrs = {trial.trial: trial.sampler_attrs for trial in pack.trials}
        states = [
            _inherited(store, candidate, attrs[trial])
            for trial, candidate in zip(pack.members, candidates, strict=True)
        ]
    stopped = store.checkpoint(pack.number)
    states = [stopped.get(trial, state) for trial, state in zip(pack.members, states, strict=True)]
    return PackJob(
        pack.number,
        config.rungs[pack.rung],
        tuple(candidates),
        config.seed,
        tuple(states) if any(state is not None for state in states) else (),
        config.groups_at(pack.rung),
        config.repeats,
    )


def _inherited(store: Store, child: Candidate, attrs: dict[str, Any]) -> bytes | None:
    """The weights of the child's first parent, as of the latest rung that the sampler knew."""
    if "inherits" not in attrs:
        return None
    from wiring_search.training.weight_inheritance import inherited_state
    from wiring_search.wirings.mutation import Origins

    parent, rung = attrs["inherits"]
    (candidate,) = store.candidates([parent])
    (state,) = store.states([parent], rung)
    if state is None:
        return None
    origins = Origins.from_json(attrs["origins"])
    return inherited_state(
        candidate, state, child, origins, store.facts["features"], store.facts["outputs"]
    )
