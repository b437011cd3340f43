"""A pack through a rung: minibatches, validation after each epoch, scores. The one place that catches what goes wrong.

Every candidate of a pack sees the same minibatches in the same order, drawn from the job's data seed and the number of
the epoch. After each epoch the validation split is scored, and the weights of a candidate's best epoch are kept: that is
early stopping, and the score of that epoch is the candidate's. The test split is never read here.

A training state holds all that going on needs: weights, moments, epochs done, the curve so far. So a candidate that is
trained rung by rung, in other packs each time, stopped and gone on with, learns bit for bit what it would learn in one go.

A candidate whose loss, gradient or validation output stops being finite is *diverged*: it leaves the pack, and its pack
mates train on. Should the pack fail as a whole, its candidates are trained one by one, and whoever fails alone is
*crashed*; only when memory runs out are several candidates given back to the pool, which has smaller packs.
"""

import io
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numba
import numpy as np
import torch

from wiring_search.wirings.candidate import Candidate
from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels import plain
from wiring_search.networks.kernels.layout import Kind, kind_of
from wiring_search.networks.kernels.cpu.simd import LANES
from wiring_search.training.latency import latencies_us
from wiring_search.training.pack import EVALUATION_BATCH, Pack, layout_of
from workers.jobs import (
    VARIATION,
    Beat,
    Outcome,
    PackJob,
    PackResult,
    Status,
    no_beat,
    value_of,
)
from wiring_search.tasks.task import Split, Task
from wiring_search.wirings.topologies import ncp
from wiring_search.training.variation import Variation, relative_variation

if TYPE_CHECKING:
    from wiring_search.training.gpu_pack import GpuPack

# How a pack is made of candidates, features, outputs and training states: `Pack`, or what `devices.packs_on` gives.
MakePack = Callable[..., "Pack | GpuPack"]


def train(task: Task, job: PackJob, beat: Beat = no_beat, make: MakePack = Pack) -> PackResult:
    """Train the job's candidates for its rung and score them.

    beat: see `records.Beat`. make: decides on which device. Never raises for what a candidate does; a keyboard interrupt
    goes through. Raises MemoryError where several candidates together need more memory than there is.
    """
    results: dict[int, Outcome] = {}
    stops = []
    for places, part in _alike(job):
        outcomes, stopped_at = _train_alike(task, part, beat, make)
        results |= zip(places, outcomes, strict=True)
        stops += [] if stopped_at is None else [stopped_at]
    ordered = tuple(results[place] for place in range(len(job.candidates)))
    return PackResult(job.number, ordered, f"process {os.getpid()}", min(stops, default=None))


def _train_alike(task: Task, job: PackJob, beat: Beat, make: MakePack) -> tuple[tuple[Outcome, ...], int | None]:
    """The outcomes of candidates that one kernel call can run, and the epoch at which they were asked to stop."""
    try:
        return _train_pack(task, job, beat, make)
    except Exception as failure:
        if len(job.candidates) == 1:
            return (_crashed(task, job.candidates[0], failure),), None
        if _out_of_memory(failure):
            raise MemoryError(f"{len(job.candidates)} candidates side by side: {failure}") from failure
    alone = [_train_alike(task, job.part([place]), beat, make) for place in range(len(job.candidates))]
    stops = [stopped_at for _, stopped_at in alone if stopped_at is not None]
    return tuple(outcome for (outcome,), _ in alone), min(stops, default=None)


def _out_of_memory(failure: Exception) -> bool:
    """Torch has no class for it on the CPU, only words."""
    return isinstance(failure, MemoryError | torch.OutOfMemoryError) or "can't allocate memory" in str(failure)


def load_state(state: bytes) -> dict[str, np.ndarray]:
    """The arrays of `Outcome.state`: `Pack.state`, and `best_weights`, those of the best epoch; `epochs` done, and the
    `curve` of validation errors after each of them."""
    with np.load(io.BytesIO(state)) as arrays:
        return dict(arrays)


def warm_up(kinds: Iterable[Kind] = (Kind(),), told: Callable[[str, int, int], None] = lambda kind, number, count: None) -> None:
    """Compile the kernels of these kinds, or load them from numba's cache on disk: about twenty seconds for each the
    first time after an installation. told(kind, number, count): called before each.

    Both forms are compiled, the one for little work, and, where numba has threads to share it, the one for much.
    """
    wiring = ncp(2, 2, 1, 1, 1, 1, 0, 1)
    shapes = (1, 1), (2 * LANES, cpu.LITTLE_WORK // (2 * LANES))
    apart: dict[tuple[str, ...], Kind] = {}
    for kind in kinds:
        if plain.is_needed(kind):
            continue
        apart.setdefault(cpu.compiled_apart(kind), kind)
    for number, kind in enumerate(apart.values(), start=1):
        told(f"{kind.neuron}, {kind.solver}, memory {kind.memory}", number, len(apart))
        candidate = Candidate(wiring, kind.neuron, kind.solver, 0 if kind.solver == "closed-form" else 1, kind.memory)
        for shape in shapes:
            x, elapsed = np.zeros((*shape, 2), np.float32), np.ones(shape, np.float32)
            Pack([candidate], 2, 1).train_step(x, elapsed, True, lambda y: y.flatten(1).sum(dim=1))


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Tensors of small networks are too small to share: on busy cores, threads that wait for each other take ten times as
    long."""
    numba.get_num_threads()  # starts numba's threads: done later, inside the block, that would set torch's number anew
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train_pack(task: Task, job: PackJob, beat: Beat, make: MakePack) -> tuple[tuple[Outcome, ...], int | None]:
    states = [None if state is None else load_state(state) for state in job.states]
    whole = pack = make(job.candidates, task.features, task.outputs, states)
    members = np.arange(len(job.candidates))
    record = _Record.of(states or [None] * len(job.candidates))
    elapsed, start = elapsed_of(task.train), _epochs_of(job.states[0] if job.states else None)
    targets = Targets.of(task, task.train, slice(None), pack.device)
    stopped_at, step = None, _steps(task, elapsed, targets, pack)
    for epoch in range(start, job.rung.epochs):
        began, before = time.perf_counter(), [pack.state(p) for p in range(len(members))]
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
            # Whoever is lost costs nothing any more; the others go on exactly as they would have.
            left = np.flatnonzero(pack.alive)
            members = members[left]
            if len(members) == 0:
                break
            kept = [pack.state(p) for p in left]
            pack = make([pack.candidates[p] for p in left], task.features, task.outputs, kept)
            step = _steps(task, elapsed, targets, pack)
    alive = {place: pack.state(p) for p, place in enumerate(members.tolist())}
    return tuple(_outcome(task, whole, record, p, alive.get(p), stopped_at) for p in range(len(job.candidates))), stopped_at


def _steps(task: Task, elapsed: np.ndarray, targets: "Targets", pack: "Pack | GpuPack") -> Callable[[np.ndarray], None]:
    """Training steps of the pack, from rows of the training split."""
    return pack.steps_on(task.train.x, elapsed, task.every_step, lambda rows: _loss(task, targets.at(rows)))


def validation_errors(task: Task, split: Split, pack: Pack) -> np.ndarray:
    """The error of every candidate of the pack on a split: 1 − accuracy, 1 − F1, or mse. Shape (candidates,)."""
    return _validate(task, split, pack)[0]


def network_error(task: Task, split: Split, network: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> float:
    """The same of a network, outputs as the task asks for them, (B, T, O) or (B, O), from x (B, T, F) and elapsed (B, T)."""

    def predict(x: np.ndarray, elapsed: np.ndarray) -> torch.Tensor:
        with torch.no_grad():
            return as_pack(task, network(torch.from_numpy(x), torch.from_numpy(elapsed)))

    return float(_errors(task, split, predict)[0])


def as_pack(task: Task, y: torch.Tensor) -> torch.Tensor:
    """Outputs of one network as those of a pack of one: (1, B, T or 1, O)."""
    return y[None] if task.every_step else y[None, :, None]


def _validate(task: Task, split: Split, pack: Pack) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Errors, whether the solvers were stable on the whole split, and how much the outputs vary
    (see `variation.relative_variation`); each (candidates,)."""
    stable = np.ones(len(pack.candidates), bool)
    said, asked, seen = Variation(task), Variation(task), 0

    def predict(x: np.ndarray, elapsed: np.ndarray) -> torch.Tensor:
        nonlocal stable, seen
        y, kept_to_range = pack.predict_checked(x, elapsed, task.every_step)
        stable &= kept_to_range
        y = torch.as_tensor(y)
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


def _errors(task: Task, split: Split, predict: Callable[[np.ndarray, np.ndarray], torch.Tensor]) -> np.ndarray:
    """The error of each candidate whose outputs `predict` tells, as a pack does, from x and elapsed."""
    total, weight, elapsed = 0.0, 0.0, elapsed_of(split)
    for start in range(0, len(split), EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        # A copy: a worker's task is read-only.
        wrong, weights = wrongness(task, split, rows, predict(np.array(split.x[rows]), elapsed[rows]), for_training=False)
        total = total + wrong.double().cpu().numpy()
        weight = weight + weights.double().cpu().numpy()
    return total / weight


@dataclass(frozen=True)
class Targets:
    """What predictions for some samples are held to, on a device. y: (n, …); counted: (n, T) bool, which steps count, None for
    all; class_weights: (classes,) or None."""

    y: torch.Tensor
    counted: torch.Tensor | None
    class_weights: torch.Tensor | None

    @classmethod
    def of(cls, task: Task, split: Split, rows: np.ndarray | slice, device: torch.device) -> "Targets":
        counted = _counted(split, rows) if task.every_step else None
        weights = None if task.class_weights is None else torch.tensor(task.class_weights, dtype=torch.float64, device=device)
        y = torch.from_numpy(np.array(split.y[rows])).to(device)  # a copy: a worker's task is read-only
        return cls(y, None if counted is None else counted.to(device), weights)

    def at(self, rows: np.ndarray | torch.Tensor) -> "Targets":
        return Targets(self.y[rows], None if self.counted is None else self.counted[rows], self.class_weights)


def loss_of(task: Task, split: Split, rows: np.ndarray) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda predictions: _loss(task, Targets.of(task, split, rows, predictions.device))(predictions)


def _loss(task: Task, targets: Targets) -> Callable[[torch.Tensor], torch.Tensor]:
    def loss(predictions: torch.Tensor) -> torch.Tensor:
        wrong, weights = _wrongness(task, targets, predictions, for_training=True)
        return wrong / weights

    return loss


def wrongness(task, split, rows, predictions, for_training) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums whose ratio is the loss or the error, both (candidates,); those of batches may be added up first.

    Cross entropy (training) or misses (scoring), or squared errors, over their number. For F1, misses over positives found
    and positives there are: 1 − F1 = 1 − 2 tp / (2 tp + fp + fn) = (fp + fn) / ((tp + fp) + (tp + fn)).
    """
    return _wrongness(task, Targets.of(task, split, rows, predictions.device), predictions, for_training)


def _wrongness(task: Task, targets: Targets, predictions: torch.Tensor, for_training: bool) -> tuple[torch.Tensor, torch.Tensor]:
    target = targets.y
    if not task.every_step:
        predictions = predictions[:, :, 0]
    if task.kind == "regression":
        each = (predictions - target).square().mean(dim=-1)
    elif for_training:
        classes = target.expand(len(predictions), *target.shape).unsqueeze(-1)
        each = -predictions.log_softmax(dim=-1).gather(-1, classes).squeeze(-1)
        if targets.class_weights is not None:
            each = each * targets.class_weights.to(each.dtype)[target]
    else:
        # NaN compares false with everything: an output that is not finite must count as a failure, not as class 0.
        finite = predictions.isfinite().all(dim=-1)
        each = torch.where(finite, (predictions.argmax(dim=-1) != target).float(), torch.nan)
    weights = torch.ones_like(each)
    if task.metric == "f1" and not for_training:
        weights = (predictions.argmax(dim=-1) == 1).float() + (target == 1).float()
    if targets.counted is not None:
        each, weights = (torch.where(targets.counted, values, torch.zeros_like(values)) for values in (each, weights))
    return each.flatten(1).sum(dim=1), weights.flatten(1).sum(dim=1)


def _counted(split: Split, rows: np.ndarray | slice) -> torch.Tensor | None:
    """Which steps of these samples count, (n, T) bool; None for all."""
    counted = None if split.scored is None else split.scored[rows]
    if split.lengths is not None:
        valid = np.arange(split.x.shape[1]) < split.lengths[rows, None]
        counted = valid if counted is None else valid & counted
    return None if counted is None else torch.from_numpy(np.array(counted))


def elapsed_of(split: Split) -> np.ndarray:
    """(n, T) float32, 0 in the padding."""
    elapsed = np.ones(split.x.shape[:2], np.float32) if split.elapsed is None else split.elapsed
    if split.lengths is None:
        return np.ascontiguousarray(elapsed, np.float32)
    valid = np.arange(split.x.shape[1]) < split.lengths[:, None]
    return np.where(valid, elapsed, 0.0).astype(np.float32)


def minibatches(samples: int, job: PackJob, epoch: int) -> Iterator[np.ndarray]:
    order = np.random.default_rng((job.data_seed, 0, epoch)).permutation(samples)
    for start in range(0, samples, job.rung.batch_size):
        yield order[start : start + job.rung.batch_size]


@dataclass
class _Record:
    """What the epochs so far have shown: validation errors, each candidate's best epoch, its
    weights and how much its outputs vary there, in which epoch (from 1) its solver was found
    unstable, and seconds spent on it."""

    curves: list[list[float]]
    best: list[float]
    weights: list[np.ndarray | None]
    variation: list[float]
    unstable: dict[int, int]
    seconds: np.ndarray

    @classmethod
    def of(cls, states: Sequence[dict[str, np.ndarray] | None]) -> "_Record":
        """Of candidates that go on from these states; inherited weights have no past."""
        curves = [state["curve"].tolist() if state and "curve" in state else [] for state in states]
        weights = [state["best_weights"] if state and curve else None for state, curve in zip(states, curves, strict=True)]
        best = [min(curve, default=math.inf) for curve in curves]
        # A state of an earlier version does not say how much the outputs varied.
        known = [
            float(state.get("best_variation", math.nan)) if state and curve else math.nan
            for state, curve in zip(states, curves, strict=True)
        ]
        return cls(curves, best, weights, known, {}, np.zeros(len(states)))

    def note(
        self,
        pack: Pack,
        members: np.ndarray,
        errors: np.ndarray,
        stable: np.ndarray,
        variation: np.ndarray,
        seconds: float,
    ) -> None:
        """members: the place of each of the pack's candidates. seconds: what the epoch took."""
        pack.alive &= np.isfinite(errors)
        unstable = pack.alive & ~stable
        pack.alive &= stable
        work = np.array([candidate.updates for candidate in pack.candidates])
        self.seconds[members] += seconds * work / work.sum()
        for p, (place, error) in enumerate(zip(members.tolist(), errors, strict=True)):
            self.curves[place].append(float(error) if pack.alive[p] else math.nan)
            if unstable[p]:
                self.unstable[place] = len(self.curves[place])
            if pack.alive[p] and error < self.best[place]:
                self.best[place], self.weights[place] = float(error), pack.weights(p)
                self.variation[place] = float(variation[p])


def _outcome(
    task: Task, whole: Pack, record: _Record, p: int, state: dict[str, np.ndarray] | None, stopped_at: int | None
) -> Outcome:
    """state: where its training stands, None where it diverged."""
    candidate, curve = whole.candidates[p], record.curves[p]
    shared = {
        "parameters": whole.layout.true_parameters(p),
        "synapses": whole.layout.synapses(p),
        "latency_us": float(latencies_us(candidate, task.features, task.outputs).min()) if stopped_at is None else math.nan,
        "train_seconds": float(record.seconds[p]),
        "curve": tuple(curve),
    }
    if state is None:
        message = f"loss, gradient or output stopped being finite in epoch {len(curve)}"
        if p in record.unstable:
            message = (
                f"the {candidate.solver} solver with {candidate.steps} steps left the admissible range in epoch {len(curve)}"
            )
        return Outcome(Status.DIVERGED, math.nan, math.nan, message=message, **shared)
    best = {}
    if record.weights[p] is not None:
        best = {"best_weights": record.weights[p], "best_variation": np.array(record.variation[p])}
    buffer = io.BytesIO()
    np.savez(buffer, **state, **best, epochs=np.array(len(curve)), curve=np.array(curve))
    if stopped_at is not None and len(curve) <= stopped_at:
        return Outcome(Status.RUNNING, math.nan, math.nan, state=buffer.getvalue(), **shared)
    error = record.best[p]
    return Outcome(
        Status.OK,
        error,
        value_of(task.metric, error),
        state=buffer.getvalue(),
        scores={VARIATION: record.variation[p]},
        **shared,
    )


def _epochs_of(state: bytes | None) -> int:
    """Epochs that a training state has behind it."""
    return 0 if state is None else int(load_state(state).get("epochs", 0))


def _crashed(task: Task, candidate: Candidate, failure: Exception) -> Outcome:
    layout = layout_of((candidate,), task.features, task.outputs)
    message = f"{type(failure).__name__}: {failure}"
    size = {"parameters": layout.true_parameters(0), "synapses": layout.synapses(0)}
    return Outcome(Status.CRASHED, math.nan, math.nan, latency_us=math.nan, train_seconds=0.0, message=message, **size)


def _alike(job: PackJob) -> list[tuple[list[int], PackJob]]:
    """A kernel call runs one kind of neuron, solver and memory, and an epoch is the same for all who see it: a mixed job is as
    many packs, with the places of their candidates."""
    states = job.states or (None,) * len(job.candidates)
    places: dict[tuple[Kind, int], list[int]] = {}
    for place, (candidate, state) in enumerate(zip(job.candidates, states, strict=True)):
        places.setdefault((kind_of(candidate), _epochs_of(state)), []).append(place)
    return [(chosen, job.part(chosen)) for chosen in places.values()]
