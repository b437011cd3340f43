"""A pack through a rung: minibatches, validation after each epoch, the best epoch's score.

Every candidate of a pack sees the same minibatches in the same order, drawn from the job's data
seed and the number of the epoch. After each epoch the validation split is scored, and the weights
of a candidate's best epoch are kept (early stopping); the error of that epoch is the candidate's.
The test split is never read.

A training state holds all that resuming needs: weights, moments, epochs done, the curve so far. A
candidate that is trained rung by rung, in other packs each time, or stopped and resumed, learns bit
for bit what it would learn in one go.

A candidate whose loss, gradient or validation output stops being finite is *diverged*: it leaves
the pack, and its pack mates train on. A pack that fails as a whole is trained candidate by
candidate, and one that fails alone is *crashed*. Only where memory runs out do several candidates
go back to the pool, which makes smaller packs.
"""

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from wiring_search.tasks.task import Split, Task, value_of
from wiring_search.training.latency import latencies_us
from wiring_search.training.loss import Targets, as_pack, elapsed_of, loss_to, wrongness
from wiring_search.training.pack import EVALUATION_BATCH, Pack, group_by_kind, layout_of
from wiring_search.training.pack_like import PackLike
from wiring_search.training.state import State, epochs_of, load_state, save_state
from wiring_search.training.variation import Variation, relative_variation
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

# How a pack is made of candidates, features, outputs and training states: `Pack`, or what
# `devices.packs_on` gives.
MakePack = Callable[..., PackLike]


def train(task: Task, job: PackJob, beat: Beat = no_beat, make: MakePack = Pack) -> PackResult:
    """Train the job's candidates for its rung.

    A candidate that fails is an outcome, not an exception; a keyboard interrupt passes through.

    Args:
        task: Its training split trains, its validation split chooses the best epoch.
        job: Candidates of any kinds, and the rung.
        beat: See `workers.jobs.Beat`.
        make: Makes packs, and so decides on the device.

    Returns:
        One outcome per candidate.

    Raises:
        MemoryError: Several candidates together need more memory than there is.
    """
    results: dict[int, Outcome] = {}
    stops = []
    epochs = [epochs_of(state) for state in job.states]
    for indices in group_by_kind(job.candidates, apart=epochs):
        outcomes, stopped_at = _train_group(task, job.part(indices), beat, make)
        results |= zip(indices, outcomes, strict=True)
        stops += [] if stopped_at is None else [stopped_at]
    ordered = tuple(results[index] for index in range(len(job.candidates)))
    return PackResult(job.number, ordered, f"process {os.getpid()}", min(stops, default=None))


def _train_group(
    task: Task, job: PackJob, beat: Beat, make: MakePack
) -> tuple[tuple[Outcome, ...], int | None]:
    """Return the outcomes of candidates of one kind, and the epoch at which they stopped."""
    try:
        return _train_pack(task, job, beat, make)
    except Exception as failure:
        if len(job.candidates) == 1:
            return (_crashed(task, job.candidates[0], failure),), None
        if _out_of_memory(failure):
            raise MemoryError(
                f"{len(job.candidates)} candidates side by side: {failure}"
            ) from failure
    alone = [
        _train_group(task, job.part([index]), beat, make) for index in range(len(job.candidates))
    ]
    stops = [stopped_at for _, stopped_at in alone if stopped_at is not None]
    return tuple(outcome for (outcome,), _ in alone), min(stops, default=None)


def _out_of_memory(failure: Exception) -> bool:
    """Torch has no class for it on the CPU, only a message."""
    return isinstance(
        failure, MemoryError | torch.OutOfMemoryError
    ) or "can't allocate memory" in str(failure)


def _train_pack(
    task: Task, job: PackJob, beat: Beat, make: MakePack
) -> tuple[tuple[Outcome, ...], int | None]:
    states = [None if state is None else load_state(state) for state in job.states]
    whole = pack = make(job.candidates, task.features, task.outputs, states)
    members = np.arange(len(job.candidates))
    record = _Record.of(states or [None] * len(job.candidates))
    elapsed = elapsed_of(task.train)
    start = epochs_of(job.states[0] if job.states else None)
    targets = Targets.of(task, task.train, slice(None), pack.device)
    stopped_at = None
    step = _steps(task, elapsed, targets, pack)
    for epoch in range(start, job.rung.epochs):
        began = time.perf_counter()
        before = [pack.state(p) for p in range(len(members))]
        for rows in minibatches(len(task.train), job, epoch):
            if beat(epoch, job.rung.epochs) is False:
                stopped_at = epoch
                break
            step(rows)
        if stopped_at is not None:
            pack = make(pack.candidates, task.features, task.outputs, before)
            break
        record.note(pack, members, *_validate(task, task.valid, pack), time.perf_counter() - began)
        beat(epoch + 1, job.rung.epochs)
        if not pack.alive.all():
            # Diverged candidates leave the pack; the others train exactly as before.
            left = np.flatnonzero(pack.alive)
            members = members[left]
            if len(members) == 0:
                break
            kept = [pack.state(int(p)) for p in left]
            pack = make([pack.candidates[p] for p in left], task.features, task.outputs, kept)
            step = _steps(task, elapsed, targets, pack)
    alive = {index: pack.state(p) for p, index in enumerate(members.tolist())}
    return tuple(
        _outcome(task, whole, record, p, alive.get(p), stopped_at)
        for p in range(len(job.candidates))
    ), stopped_at


def _steps(
    task: Task, elapsed: np.ndarray, targets: "Targets", pack: PackLike
) -> Callable[[np.ndarray], None]:
    """Return the function that trains the pack on some rows of the training split."""
    return pack.steps_on(
        task.train.x, elapsed, task.every_step, lambda rows: loss_to(task, targets.at(rows))
    )


def validation_errors(task: Task, split: Split, pack: PackLike) -> np.ndarray:
    """Return the error of each candidate on a split: 1 − accuracy, 1 − F1 or mse.

    Args:
        task: Gives the metric.
        split: Of the task.
        pack: Fresh or trained.

    Returns:
        (candidates,).
    """
    return _validate(task, split, pack)[0]


def network_error(
    task: Task, split: Split, network: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> float:
    """Return the error of a network on a split.

    Args:
        task: Says whether there is an output at each step, or one per sequence.
        split: Of the task.
        network: Returns (B, T, O), or (B, O), from x (B, T, F) and elapsed (B, T).
    """

    def predict(x: np.ndarray, elapsed: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            return as_pack(task, network(torch.from_numpy(x), torch.from_numpy(elapsed)))

    return float(_errors(task, split, predict)[0])


def _validate(
    task: Task, split: Split, pack: PackLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors, whether the solvers were stable on the whole split, and how much the outputs vary
    (see `variation.relative_variation`); each (candidates,)."""
    stable = np.ones(len(pack.candidates), bool)
    said = Variation(task)
    asked = Variation(task)
    seen = 0

    def predict(x: np.ndarray, elapsed: np.ndarray) -> torch.Tensor:
        nonlocal stable, seen
        outputs, kept_to_range = pack.predict_checked(x, elapsed, task.every_step)
        stable &= kept_to_range
        y = torch.as_tensor(outputs)
        # The batches of `_errors` come in the order of the split.
        targets = Targets.of(task, split, slice(seen, seen + len(x)), y.device)
        seen += len(x)
        answers = y if task.every_step else y[:, :, 0]
        is_class = task.kind == "classification"
        said.add(answers.argmax(dim=-1) if is_class else answers, targets.counted)
        asked.add(targets.y[None], targets.counted)
        return y

    errors = _errors(task, split, predict)
    return errors, stable, relative_variation(said, asked)


def _errors(
    task: Task, split: Split, predict: Callable[[np.ndarray, np.ndarray], torch.Tensor]
) -> np.ndarray:
    """Return the error of each candidate whose outputs `predict` returns, as a pack does."""
    total = np.zeros(())
    weight = np.zeros(())
    elapsed = elapsed_of(split)
    for start in range(0, len(split), EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        # A copy: a worker's task is read-only.
        wrong, weights = wrongness(
            task, split, rows, predict(np.array(split.x[rows]), elapsed[rows]), for_training=False
        )
        total = total + wrong.double().cpu().numpy()
        weight = weight + weights.double().cpu().numpy()
    return total / weight


def minibatches(samples: int, job: PackJob, epoch: int) -> Iterator[np.ndarray]:
    """Yield the rows of each minibatch of an epoch.

    Their order is drawn from the job's data seed and the epoch.

    Args:
        samples: Of the training split.
        job: Gives the data seed and the batch size.
        epoch: From 0.
    """
    order = np.random.default_rng((job.data_seed, 0, epoch)).permutation(samples)
    for start in range(0, samples, job.rung.batch_size):
        yield order[start : start + job.rung.batch_size]


@dataclass
class _Record:
    """What the epochs so far have shown.

    Attributes:
        curves: Validation errors of each candidate.
        best: The error of each candidate's best epoch.
        weights: The weights of that epoch.
        variation: How much its outputs vary there.
        unstable: In which epoch (from 1) a candidate's solver was found unstable.
        seconds: Spent on each candidate.
    """

    curves: list[list[float]]
    best: list[float]
    weights: list[np.ndarray | None]
    variation: list[float]
    unstable: dict[int, int]
    seconds: np.ndarray

    @classmethod
    def of(cls, states: Sequence[dict[str, np.ndarray] | None]) -> "_Record":
        """Return the record of candidates that resume from these states.

        Inherited weights have no past.
        """
        curves = [state["curve"].tolist() if state and "curve" in state else [] for state in states]
        weights = [
            state["best_weights"] if state and curve else None
            for state, curve in zip(states, curves, strict=True)
        ]
        best = [min(curve, default=math.inf) for curve in curves]
        # A state of an earlier version does not say how much the outputs varied.
        known = [
            float(state.get("best_variation", math.nan)) if state and curve else math.nan
            for state, curve in zip(states, curves, strict=True)
        ]
        return cls(curves, best, weights, known, {}, np.zeros(len(states)))

    def note(
        self,
        pack: PackLike,
        members: np.ndarray,
        errors: np.ndarray,
        stable: np.ndarray,
        variation: np.ndarray,
        seconds: float,
    ) -> None:
        """Note an epoch.

        Args:
            pack: What is left of the pack.
            members: The index of each of its candidates in the record.
            errors: (candidates,), on the validation split.
            stable: (candidates,) bool, whether the solver kept to its range.
            variation: (candidates,), of the outputs.
            seconds: What the epoch took.
        """
        pack.alive &= np.isfinite(errors)
        unstable = pack.alive & ~stable
        pack.alive &= stable
        work = np.array([candidate.updates for candidate in pack.candidates])
        self.seconds[members] += seconds * work / work.sum()
        for p, (index, error) in enumerate(zip(members.tolist(), errors, strict=True)):
            self.curves[index].append(float(error) if pack.alive[p] else math.nan)
            if unstable[p]:
                self.unstable[index] = len(self.curves[index])
            if pack.alive[p] and error < self.best[index]:
                self.best[index], self.weights[index] = float(error), pack.weights(p)
                self.variation[index] = float(variation[p])


def _outcome(
    task: Task,
    whole: PackLike,
    record: _Record,
    p: int,
    state: dict[str, np.ndarray] | None,
    stopped_at: int | None,
) -> Outcome:
    """state: where its training stands, None where it diverged."""
    candidate = whole.candidates[p]
    curve = record.curves[p]
    shared: dict[str, Any] = {
        "parameters": whole.layout.true_parameters(p),
        "synapses": whole.layout.synapses(p),
        "latency_us": float(latencies_us(candidate, task.features, task.outputs).min())
        if stopped_at is None
        else math.nan,
        "train_seconds": float(record.seconds[p]),
        "curve": tuple(curve),
    }
    if state is None:
        message = f"loss, gradient or output stopped being finite in epoch {len(curve)}"
        if p in record.unstable:
            message = (
                f"the {candidate.solver} solver with {candidate.steps} steps left the admissible "
                f"range in epoch {len(curve)}"
            )
        return Outcome(Status.DIVERGED, math.nan, math.nan, message=message, **shared)
    best: State = {}
    weights = record.weights[p]
    if weights is not None:
        best = {"best_weights": weights, "best_variation": np.array(record.variation[p])}
    saved = save_state({**state, **best, "epochs": np.array(len(curve)), "curve": np.array(curve)})
    if stopped_at is not None and len(curve) <= stopped_at:
        return Outcome(Status.RUNNING, math.nan, math.nan, state=saved, **shared)
    error = record.best[p]
    return Outcome(
        Status.OK,
        error,
        value_of(task.metric, error),
        state=saved,
        scores={VARIATION: record.variation[p]},
        **shared,
    )


def _crashed(task: Task, candidate: Candidate, failure: Exception) -> Outcome:
    layout = layout_of((candidate,), task.features, task.outputs)
    message = f"{type(failure).__name__}: {failure}"
    return Outcome(
        Status.CRASHED,
        math.nan,
        math.nan,
        latency_us=math.nan,
        train_seconds=0.0,
        message=message,
        parameters=layout.true_parameters(0),
        synapses=layout.synapses(0),
    )
