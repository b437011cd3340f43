"""What a worker does with a job: train its candidates, with repeats if asked for, then measure the
scores besides the error.

A repeat is the same candidate from other initial weights; all repeats of a candidate are members of
the pack, which makes them cheap. The error is their mean, its curve and the weights that are kept
are those of the first; one repeat that diverges makes the candidate diverged, for a mean over those
that did not would flatter it. What is measured afterwards is measured on the weights of the best
epoch, on all candidates of the pack at once; only `memory` trains, on a task of its own.

A measure that fails costs its own scores and nothing else: they are NaN, and the candidate's
message says why.
"""

import io
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from wiring_search.networks.liquid_network import network_of
from wiring_search.scores import robustness
from wiring_search.scores.catalogue import GROUPS
from wiring_search.scores.gradient import gradient_flow
from wiring_search.scores.memory import recall_scores
from wiring_search.scores.rank import kernel_rank
from wiring_search.scores.repeats import mean, standard_error, upper_bound
from wiring_search.scores.trained_packs import trained_packs
from wiring_search.scores.trajectory import expressivity
from wiring_search.tasks.task import Task
from wiring_search.training.devices import packs_on
from wiring_search.training.loop import train
from wiring_search.training.loss import elapsed_of
from wiring_search.training.state import load_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import (
    VARIATION,
    Beat,
    Outcome,
    PackJob,
    PackResult,
    Status,
    no_beat,
)

# So many validation sequences show how far gradients reach: one tile of the kernel.
_SHOWN = 16

Scores = dict[str, np.ndarray]


def train_and_score(
    task: Task, job: PackJob, beat: Beat = no_beat, device: str = "cpu"
) -> PackResult:
    """Train the job's candidates for its rung and measure all that it asks for. device: see
    `devices.packs_on`; scores are measured on the CPU. Never raises for what a candidate does;
    raises MemoryError as `training.train` does. A training that was asked to stop is not
    measured."""
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
    buffer = io.BytesIO()
    np.savez(buffer, **{**load_state(first), **further})  # type: ignore[arg-type]
    return buffer.getvalue()


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
    places = [p for p, outcome in enumerate(outcomes) if outcome.status is Status.OK]
    candidates = [job.candidates[p] for p in places]
    states = [outcomes[p].state or b"" for p in places]
    for group in job.scores if places else ():
        beat(job.rung.epochs, job.rung.epochs)
        started = time.perf_counter()
        found, faults = _measured(group, task, candidates, states, job.data_seed)
        share = (time.perf_counter() - started) / len(places)
        for member, p in enumerate(places):
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


def _measured(
    group: str, task: Task, candidates: list[Candidate], states: list[bytes], seed: int
) -> tuple[Scores, list[str]]:
    """The scores of a group, (candidates,) each, and what went wrong with each candidate. Where the
    pack fails as a whole, they are measured one by one, so that none costs the others anything."""
    try:
        measure = _MEASURES.get(group) or partial(_own, group)
        return measure(task, candidates, states, seed), [""] * len(candidates)
    except Exception as failure:  # whatever it is, the training that it follows must not be lost
        if len(candidates) > 1:
            alone = [
                _measured(group, task, [c], [state], seed)
                for c, state in zip(candidates, states, strict=True)
            ]
            found = {
                name: np.concatenate([scores[name] for scores, _ in alone])
                for name in GROUPS[group]
            }
            return found, [fault for _, (fault,) in alone]
        nothing = {name: np.full(len(candidates), math.nan) for name in GROUPS[group]}
        return nothing, [f"{group} could not be measured: {type(failure).__name__}: {failure}"]


def _memory(task: Task, candidates: list[Candidate], states: list[bytes], seed: int) -> Scores:
    recalled = recall_scores(candidates, seed)
    return {
        "memory": np.array([found.area for found in recalled]),
        "memory_lag": np.array([found.longest for found in recalled], float),
    }


def _dynamics(task: Task, candidates: list[Candidate], states: list[bytes], seed: int) -> Scores:
    found = {name: np.full(len(candidates), math.nan) for name in GROUPS["dynamics"]}
    x = np.ascontiguousarray(task.valid.x[:_SHOWN])
    elapsed = elapsed_of(task.valid)[:_SHOWN]
    for places, pack in trained_packs(task, candidates, states):
        found["expressivity"][places] = expressivity(pack, seed=seed)
        found["gradient_slope"][places] = gradient_flow(pack, x, elapsed, seed=seed).slopes
        found["kernel_rank"][places] = kernel_rank(pack, seed=seed)
    return found


def _robustness(task: Task, candidates: list[Candidate], states: list[bytes], seed: int) -> Scores:
    found = np.full(len(candidates), math.nan)
    for places, pack in trained_packs(task, candidates, states):
        found[places] = robustness.score(task, robustness.robustness(task, pack, seed))
    return {"robustness": found}


def _own(
    group: str, task: Task, candidates: list[Candidate], states: list[bytes], seed: int
) -> Scores:
    """The scores of an extension, whose measures are functions of one network."""
    weights = [load_state(state)["best_weights"] for state in states]
    networks = [
        network_of(c, task.features, task.outputs, w, task.every_step)
        for c, w in zip(candidates, weights, strict=True)
    ]
    scores, sealed = GROUPS[group].items(), task.sealed()
    return {
        name: np.array([measure(network, sealed, seed) for network in networks], float)
        for name, score in scores
        if (measure := score.measure) is not None
    }


_MEASURES: dict[str, Callable[[Task, list[Candidate], list[bytes], int], Scores]] = {
    "memory": _memory,
    "dynamics": _dynamics,
    "robustness": _robustness,
}
