"""The time that a search will take, measured before it starts on a few of its candidates.

A handful of random candidates, from the cheapest to the dearest of a larger sample, train for a few
minibatches and are validated once. They run on one core of this machine, packed as the search would
pack them. Two of them have their scores measured. The rest is arithmetic. Two things remain
unknown: workers may be slower or faster than this machine, and a sampler soon prefers large
candidates or small ones. The estimate is good for a factor of two.
"""

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from wiring_search.networks.kernels.cpu import one_thread
from wiring_search.scores.evaluate import train_and_score
from wiring_search.search.events import Estimated
from wiring_search.search.monitor import expected_epochs, shares
from wiring_search.search_spaces import Space
from wiring_search.search_spaces.sample import distinct_candidates
from wiring_search.store.config import StudyConfig
from wiring_search.tasks.task import Task
from wiring_search.training.loop import validation_errors
from wiring_search.training.loss import elapsed_of, loss_of
from wiring_search.training.pack import Pack, group_by_kind
from wiring_search.training.warm_up import one_torch_thread
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import PackJob, Rung

# Candidates are drawn and ordered by cost. So many of them are measured; each represents a part
# of the sample.
_DRAWN, _MEASURED, _SCORED = 64, 8, 2
# Samples that validation is measured on, and training samples of the pack whose scores are.
_SHOWN, _FEW = 256, 64
# Seconds after which no further pack is measured; the minibatches of a pack get a third of them.
_PATIENCE = 1.5
_STEPS = 40


@dataclass(frozen=True)
class Cost:
    """Seconds of one core, the mean over candidates.

    Attributes:
        epoch: One training of one candidate for one epoch.
        below: Latency and scores at the end of a rung that is not the last.
        full: The same at the end of the last rung.
    """

    epoch: float
    below: float
    full: float


def estimate(task: Task, config: StudyConfig, workers: int) -> Estimated:
    """Estimate what all trials of a study take, from its first pack on.

    It takes a second or two. The kernels must have been warmed up.

    Args:
        task: The study's task.
        config: The study. For a resumed search, one with the trials that are left.
        workers: Of one core each.

    Raises:
        ValueError: The space has no feasible candidate.
    """
    return extrapolated(measured(task, config), config, workers)


def extrapolated(cost: Cost, config: StudyConfig, workers: int) -> Estimated:
    """Return what all trials of a study take.

    Args:
        cost: Of a candidate.
        config: The study.
        workers: Of one core each, 1 or more.

    Raises:
        ValueError: Less than one worker.
    """
    if workers < 1:
        raise ValueError(f"workers is {workers}; give 1 or more")
    if config.trials is None:
        return Estimated(math.inf, math.inf)
    *early, last = shares(config)
    each = (
        cost.epoch * config.repeats * expected_epochs(config)
        + cost.below * sum(early)
        + cost.full * last
    )
    busy = min(workers, config.ahead, math.ceil(config.trials / config.pack_size))
    seconds = config.trials * each / busy
    return Estimated(seconds, seconds * workers / 3600)


def measured(task: Task, config: StudyConfig) -> Cost:
    """Measure what a candidate costs; see `estimate`.

    Args:
        task: The study's task.
        config: The study.

    Raises:
        ValueError: The space has no feasible candidate.
    """
    candidates = typical(
        Space.from_json(config.space), min(_MEASURED, config.pack_size), config.seed
    )
    began = time.perf_counter()
    with one_torch_thread(), one_thread():
        seconds, count = 0.0, 0
        for indices in group_by_kind(candidates):
            pack = [candidates[p] for p in indices]
            if not count or time.perf_counter() - began < _PATIENCE:
                seconds += _epoch_seconds(task, pack, config.batch_size)
                count += len(pack)
        middle = len(candidates) // 2
        scored = candidates[middle : middle + _SCORED]
        below = _rung_seconds(task, scored, config.groups_at(0)) if len(config.rungs) > 1 else 0.0
        return Cost(seconds / count, below, _rung_seconds(task, scored, config.scores))


def typical(space: Space, count: int, seed: int) -> list[Candidate]:
    """Return random candidates, cheap ones first.

    They are the middle ones of equal parts of a larger sample ordered by cost.

    Args:
        space: Where candidates are drawn from.
        count: How many; fewer where the space has no more.
        seed: Of the sample.

    Raises:
        ValueError: The space has no feasible candidate.
    """
    drawn = sorted(
        (candidate for _, candidate in distinct_candidates(space, _DRAWN, seed)),
        key=lambda candidate: candidate.updates,
    )
    if not drawn:
        raise ValueError(
            "the space has no feasible candidate among those drawn; loosen its constraints"
        )
    indices = {int((i + 0.5) * len(drawn) / count) for i in range(count)}
    return [drawn[index] for index in sorted(indices)]


def _epoch_seconds(task: Task, candidates: list[Candidate], batch_size: int) -> float:
    """Seconds that all candidates take for an epoch, side by side."""
    pack = Pack(candidates, task.features, task.outputs)
    rows = np.random.default_rng(0).permutation(len(task.train))[:batch_size]
    _step_seconds(task, pack, rows[:8])  # what is only done once
    steps: list[float] = []
    while len(steps) < _STEPS and sum(steps) < _PATIENCE / 3:
        steps.append(_step_seconds(task, pack, rows))
    valid = task.valid.first(_SHOWN)
    began = time.perf_counter()
    validation_errors(task, valid, pack)
    validated = (time.perf_counter() - began) * len(task.valid) / len(valid)
    return float(np.mean(steps)) * len(task.train) / len(rows) + validated


def _step_seconds(task: Task, pack: Pack, rows: np.ndarray) -> float:
    began = time.perf_counter()
    x = np.ascontiguousarray(task.train.x[rows])
    pack.train_step(
        x, elapsed_of(task.train)[rows], task.every_step, loss_of(task, task.train, rows)
    )
    return time.perf_counter() - began


def _rung_seconds(task: Task, candidates: list[Candidate], scores: tuple[str, ...]) -> float:
    """A candidate's share of the time that a worker spends besides training."""
    small = replace(task, train=task.train.first(_FEW), valid=task.valid.first(_SHOWN))
    job = PackJob(0, Rung(0, 1, _FEW), tuple(candidates), 0, scores=scores)
    began = time.perf_counter()
    outcomes = train_and_score(small, job).outcomes
    besides = time.perf_counter() - began - sum(outcome.train_seconds for outcome in outcomes)
    return max(besides, 0.0) / len(candidates)
