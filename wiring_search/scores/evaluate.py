"""What a worker does with a job: it trains the candidates, with repeats if asked for, then measures
the scores besides the error.

A repeat is the same candidate from other initial weights. All repeats of a candidate are members of
the pack, which makes them cheap. The error is their mean; the curve and the weights that are kept
are those of the first repeat. One repeat that diverges makes the candidate diverged: a mean over
the others would flatter it. Scores are measured on the weights of the best epoch, on all candidates
of the pack at once. Only `memory` trains, on a separate task.

A measure that fails costs only its scores: they are NaN, and the candidate's message says why.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module

import numpy as np

from wiring_search.networks.liquid_network import LiquidNetwork, network_of
from wiring_search.scores.catalogue import GROUPS
from wiring_search.scores.repeats import mean, standard_error, upper_bound
from wiring_search.scores.trained_packs import Scores, TrainedCandidates
from wiring_search.tasks.task import Task
from wiring_search.training.devices import packs_on
from wiring_search.training.loop import train
from wiring_search.training.state import load_state, save_state
from wiring_search.workers.jobs import (
    VARIATION,
    Beat,
    Outcome,
    PackJob,
    PackResult,
    Status,
    no_beat,
)


def train_and_score(
    task: Task, job: PackJob, beat: Beat = no_beat, device: str = "cpu"
) -> PackResult:
    """Train the job's candidates for its rung and measure all scores that it asks for.

    A candidate that fails is an outcome, not an exception. A training that was asked to stop is not
    measured.

    Args:
        task: The task to train on.
        job: Candidates, rung, repeats and groups of scores.
        beat: See `workers.jobs.Beat`.
        device: See `devices.packs_on`. Scores are measured on the CPU.

    Returns:
        One outcome per candidate.

    Raises:
        ValueError: `device` is unknown, or cannot be used here.
        MemoryError: Several candidates together need more memory than there is.
    """
    result = train(task, _repeated(job), beat, packs_on(device))
    outcomes = [
        _together(result.outcomes[p :: len(job.candidates)]) for p in range(len(job.candidates))
    ]
    if result.stopped_at is None:
        outcomes = _scored(task, job, outcomes, beat)
    return replace(result, outcomes=tuple(outcomes))


def _repeated(job: PackJob) -> PackJob:
    """All candidates, then all of them again with the next seeds, and so on."""
    copies = [
        replace(candidate, seed=candidate.seed + r)
        for r in range(job.repeats)
        for candidate in job.candidates
    ]
    if job.repeats == 1 or not job.states:
        return replace(job, candidates=tuple(copies))
    apart = [_apart(state, job.repeats) for state in job.states]
    return replace(
        job,
        candidates=tuple(copies),
        states=tuple(states[r] for r in range(job.repeats) for states in apart),
    )


def _apart(state: bytes | None, repeats: int) -> list[bytes | None]:
    """The states of a candidate's repeats out of the one that was kept; inherited weights are the
    first one's alone."""
    arrays = {} if state is None else load_state(state)
    return [
        state,
        *(
            arrays[f"repeat_{r}"].tobytes() if f"repeat_{r}" in arrays else None
            for r in range(1, repeats)
        ),
    ]


def _kept(states: Sequence[bytes | None]) -> bytes | None:
    """One state for all repeats: the first one's, with the others as bytes in it."""
    first, *others = states
    if first is None:
        return None
    further = {
        f"repeat_{r}": np.frombuffer(state or b"", np.uint8)
        for r, state in enumerate(others, start=1)
    }
    return save_state({**load_state(first), **further})


def _together(repeats: Sequence[Outcome]) -> Outcome:
    """One outcome of a candidate's repeats."""
    if len(repeats) == 1:
        return repeats[0]
    seconds = sum(outcome.train_seconds for outcome in repeats)
    state = _kept([outcome.state for outcome in repeats])
    if any(outcome.status is Status.RUNNING for outcome in repeats):
        whole = state if all(outcome.state is not None for outcome in repeats) else None
        return replace(repeats[0], status=Status.RUNNING, state=whole, train_seconds=seconds)
    failed = next((outcome for outcome in repeats if outcome.status is not Status.OK), None)
    if failed is not None:
        lost = sum(outcome.status is not Status.OK for outcome in repeats)
        return replace(
            failed,
            train_seconds=seconds,
            message=f"{lost} of {len(repeats)} repeats: {failed.message}",
        )
    errors = np.array([outcome.error for outcome in repeats])
    metric = float(np.mean([outcome.metric for outcome in repeats]))
    scores = {
        "error_se": float(standard_error(errors)),
        "error_upper": float(upper_bound(errors)),
        VARIATION: float(np.mean([outcome.score(VARIATION) for outcome in repeats])),
    }
    return replace(
        repeats[0],
        error=float(mean(errors)),
        metric=metric,
        train_seconds=seconds,
        scores=scores,
        state=state,
    )


def _scored(task: Task, job: PackJob, outcomes: list[Outcome], beat: Beat) -> list[Outcome]:
    indices = [p for p, outcome in enumerate(outcomes) if outcome.status is Status.OK]
    candidates = [job.candidates[p] for p in indices]
    states = [outcomes[p].state or b"" for p in indices]
    trained = TrainedCandidates(task, candidates, states, job.data_seed)
    for group in job.scores if indices else ():
        beat(job.rung.epochs, job.rung.epochs)
        started = time.perf_counter()
        found, faults = _measured(group, trained)
        share = (time.perf_counter() - started) / len(indices)
        for member, p in enumerate(indices):
            scores = {name: float(values[member]) for name, values in found.items()}
            was = outcomes[p]
            message = "; ".join(filter(None, (was.message, faults[member])))
            outcomes[p] = replace(
                was,
                scores={**was.scores, **scores},
                score_seconds=was.score_seconds + share,
                message=message,
            )
    return outcomes


def _measured(group: str, trained: TrainedCandidates) -> tuple[Scores, list[str]]:
    """Return the scores of a group, (candidates,) each, and what went wrong with each candidate.

    Where the pack fails as a whole, candidates are measured one by one: none costs the others
    anything.
    """
    try:
        return _scores_of(group, trained), [""] * len(trained.candidates)
    except Exception as failure:  # a measure must never lose the training before it
        if len(trained.candidates) > 1:
            pairs = zip(trained.candidates, trained.states, strict=True)
            alone = [
                _measured(group, replace(trained, candidates=[c], states=[s])) for c, s in pairs
            ]
            found = {
                name: np.concatenate([scores[name] for scores, _ in alone])
                for name in GROUPS[group]
            }
            return found, [fault for _, (fault,) in alone]
        nothing = {name: np.full(1, math.nan) for name in GROUPS[group]}
        return nothing, [f"{group} could not be measured: {type(failure).__name__}: {failure}"]


def _scores_of(group: str, trained: TrainedCandidates) -> Scores:
    """Return a group's scores: each file of the catalogue is asked once, each measure of an
    extension once per network."""
    found: Scores = {}
    for file in dict.fromkeys(score.file for score in GROUPS[group].values() if score.file):
        found |= import_module(f"wiring_search.scores.{file}").measure(trained)
    measures = {name: score.measure for name, score in GROUPS[group].items() if score.measure}
    networks = _networks(trained) if measures else []
    sealed = trained.task.sealed()
    for name, measure in measures.items():
        values = [measure(network, sealed, trained.seed) for network in networks]
        found[name] = np.array(values, float)
    return {name: found[name] for name in GROUPS[group]}


def _networks(trained: TrainedCandidates) -> list[LiquidNetwork]:
    task = trained.task
    weights = [load_state(state)["best_weights"] for state in trained.states]
    return [
        network_of(candidate, task.features, task.outputs, best, task.every_step)
        for candidate, best in zip(trained.candidates, weights, strict=True)
    ]
