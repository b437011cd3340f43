"""Long-term memory of a candidate: a score for a search, and a suite for what it found.

Both train candidates from scratch on generated tasks. They judge them on sequences that were used
neither to train nor to choose the epoch. An error e between guessing (chance c) and perfection
becomes a *share*, 1 − e / c: for yes and no that is 2 · accuracy − 1. A candidate's *area* on a
task is the area under its shares over log2(lag), by trapezoids, divided by that of perfection. Its
*longest* lag is the longest it has solved together with all shorter ones.

`recall_scores` is the score: delayed recall (`wiring_search.tasks.recall`) asks for all lags at
once, so one short training gives a curve. `suite` is the thorough one, several tasks, lags and
seeds.

Only what the motor neurons show is seen. Recall of K lags needs about K motor neurons to be
perfect, for it is one linear readout per lag. A candidate with fewer scores less, however much its
other neurons remember.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wiring_search.scores.trained_packs import Scores, TrainedCandidates
from wiring_search.tasks import Task, TaskOptions, load, recall
from wiring_search.training.loop import train, validation_errors
from wiring_search.training.pack import Pack
from wiring_search.training.state import best_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Outcome, PackJob, Rung, Status, each_epoch

LAGS = (4, 8, 16, 32)
_RECALL_LEARNING_RATE = 0.02
_TEST_BATCH = 512


@dataclass(frozen=True, slots=True)
class Challenge:
    """A task of the suite.

    Attributes:
        chance: The error of guessing.
        solved: The largest error that counts as solved.
        fixed: Its one lag, where that cannot be chosen.
    """

    chance: float
    solved: float
    fixed: int | None = None


CHALLENGES: dict[str, Challenge] = {
    "recall": Challenge(chance=1 / 2, solved=0.05),
    "copy": Challenge(chance=7 / 8, solved=0.01),
    "adding": Challenge(chance=1 / 6, solved=0.01),
    "parity": Challenge(chance=1 / 2, solved=0.01),
    "parity-dense": Challenge(chance=1 / 2, solved=0.01),
    "pixel-digits": Challenge(chance=9 / 10, solved=0.1, fixed=64),
    "permuted-pixel-digits": Challenge(chance=9 / 10, solved=0.1, fixed=64),
}
TASKS = ("recall", "copy", "adding", "parity-dense")


@dataclass(frozen=True, slots=True)
class Recall:
    """What a candidate recalls; all NaN where its training diverged.

    Attributes:
        area: 0 (nothing) … 1 (every lag).
        longest: The longest lag solved, in steps; 0 for none.
        accuracies: By lag.
    """

    area: float
    longest: float
    accuracies: dict[int, float]


@dataclass(frozen=True, slots=True)
class Row:
    """A candidate on a task at a lag.

    Attributes:
        candidate: Its index among those given.
        task: A name out of CHALLENGES.
        lag: In time steps.
        errors: On the test split, one per seed of the weights; NaN where a training diverged.
    """

    candidate: int
    task: str
    lag: int
    errors: tuple[float, ...]

    @property
    def tried(self) -> int:
        """The number of seeds."""
        return len(self.errors)

    @property
    def solved(self) -> int:
        """The number of seeds that solved it."""
        return sum(error <= CHALLENGES[self.task].solved for error in self.errors)

    @property
    def metric(self) -> str:
        """What `mean` and `chance` are: "accuracy" or "mse"."""
        return "mse" if self.task == "adding" else "accuracy"

    @property
    def mean(self) -> float:
        """The mean `metric` over the seeds that did not diverge, NaN where all did."""
        return self._metric(_mean(self.errors))

    @property
    def spread(self) -> float:
        """The standard deviation over these seeds, NaN for fewer than two."""
        return _spread(self.errors)

    @property
    def chance(self) -> float:
        """The `metric` of guessing."""
        return self._metric(CHALLENGES[self.task].chance)

    def _metric(self, error: float) -> float:
        return error if self.metric == "mse" else 1.0 - error


@dataclass(frozen=True, slots=True)
class Standing:
    """A candidate on a task over all lags.

    Attributes:
        candidate: Its index among those given.
        task: A name out of CHALLENGES.
        longest: The longest lag that most seeds solved, together with all shorter ones; 0 for none.
        area: The mean over the seeds that diverged nowhere; NaN for none.
        spread: The standard deviation over the same seeds; NaN for fewer than two.
    """

    candidate: int
    task: str
    longest: int
    area: float
    spread: float


# on_progress(done, count, doing): trainings done of so many, and what is under way
Progress = Callable[[int, int, str], None]


def recall_scores(
    candidates: Sequence[Candidate], seed: int = 0, longest: int = 16, streams: int = 2048
) -> list[Recall]:
    """Measure how far back each candidate recalls random bits, after a short training side by side.

    Training is one pass over the streams in minibatches of 16, with lags 1, 2, 4 … `longest`. All
    candidates train with one learning rate, 0.02: the rate that a search finds for its task says
    nothing about memory. A candidate's scores do not depend on the others. The default costs 8 to 9
    % of training a pack for 60 epochs on digits; twice the streams separate neurons no better.

    Args:
        candidates: Of any kinds.
        seed: Of the order of the streams.
        longest: The longest lag, in steps.
        streams: How many streams of 2 × `longest` steps.

    Returns:
        One per candidate.
    """
    task = load("recall", TaskOptions(samples=streams, lag=longest))
    trained = tuple(
        replace(candidate, learning_rate=_RECALL_LEARNING_RATE) for candidate in candidates
    )
    outcomes = train(task, PackJob(0, Rung(0, 1, 16), trained, seed)).outcomes
    scores = []
    for candidate, outcome in zip(trained, outcomes, strict=True):
        errors = held_out_errors(task, candidate, outcome)
        accuracies = {lag: 1.0 - error for lag, error in errors.items()}
        if outcome.status is not Status.OK or outcome.state is None:
            scores.append(Recall(math.nan, math.nan, accuracies))
        else:
            scores.append(recall_of(accuracies))
    return scores


def measure(trained: TrainedCandidates) -> Scores:
    """Return `memory` and `memory_lag`: candidates are trained afresh, on recall."""
    recalled = recall_scores(trained.candidates, trained.seed)
    return {
        "memory": np.array([found.area for found in recalled]),
        "memory_lag": np.array([found.longest for found in recalled], float),
    }


def recall_of(accuracies: dict[int, float]) -> Recall:
    """Return area and longest lag of a curve.

    Args:
        accuracies: By lag, in ascending order.
    """
    challenge = CHALLENGES["recall"]
    errors = {lag: 1.0 - accuracy for lag, accuracy in accuracies.items()}
    solved = {lag: error <= challenge.solved for lag, error in errors.items()}
    return Recall(area(errors, challenge.chance), longest_solved(solved), accuracies)


def suite(
    candidates: Sequence[Candidate],
    tasks: Sequence[str] = TASKS,
    lags: Sequence[int] = LAGS,
    seeds: int = 3,
    epochs: int = 10,
    samples: int = 4000,
    on_progress: Progress = lambda done, count, doing: None,
) -> list[Row]:
    """Train every candidate on every task and lag from several seeds, and judge it on test splits.

    All candidates × seeds of a task and lag are trained side by side in minibatches of 16. Only the
    seed of their weights is changed. The best epoch on the validation split is the one judged.
    recall is trained once, up to the longest lag, and has rows for its whole ladder. pixel-digits
    have one lag, 64, and a fixed set of samples.

    Args:
        candidates: Of any kinds.
        tasks: Names out of CHALLENGES.
        lags: In time steps, 2 or more.
        seeds: Trainings per candidate, task and lag.
        epochs: Of each training.
        samples: Sequences that are generated per task.
        on_progress: Called with (trainings done, all trainings, what is under way).

    Returns:
        Rows by candidate, task and lag.

    Raises:
        ValueError: A task is unknown, a lag is below 2, or there is nothing to do.
    """
    _check(candidates, tasks, lags, seeds, epochs)
    copies = tuple(
        replace(candidate, seed=seed) for candidate in candidates for seed in range(seeds)
    )
    trainings = [(name, lag) for name in tasks for lag in _trained_lags(name, lags)]
    rows = []
    for done, (name, lag) in enumerate(trainings):
        doing = f"{name}, lag {lag}"
        on_progress(done, len(trainings), doing)
        task = load(name, TaskOptions(samples=samples, lag=lag))

        def report_epoch(epoch: int, of: int, done: int = done, doing: str = doing) -> None:
            on_progress(done, len(trainings), f"{doing}: epoch {epoch} of {of}")

        outcomes = train(
            task, PackJob(0, Rung(0, epochs, 16), copies, data_seed=0), each_epoch(report_epoch)
        ).outcomes
        errors = [
            held_out_errors(task, copy, outcome, lag)
            for copy, outcome in zip(copies, outcomes, strict=True)
        ]
        for number in range(len(candidates)):
            of_candidate = errors[number * seeds : (number + 1) * seeds]
            rows += [
                Row(number, name, each, tuple(error[each] for error in of_candidate))
                for each in of_candidate[0]
            ]
    on_progress(len(trainings), len(trainings), "done")
    return sorted(rows, key=lambda row: (row.candidate, tasks.index(row.task), row.lag))


def standings(rows: Iterable[Row]) -> list[Standing]:
    """Return rows of a suite, summed up over lags: one standing per candidate and task."""
    curves: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        curves.setdefault((row.candidate, row.task), []).append(row)
    found = []
    for (candidate, task), curve in curves.items():
        solved = {row.lag: 2 * row.solved > row.tried for row in curve}
        lags = [row.lag for row in curve]
        by_seed = zip(*(row.errors for row in curve), strict=True)
        areas = [
            area(dict(zip(lags, errors, strict=True)), CHALLENGES[task].chance)
            for errors in by_seed
        ]
        found.append(
            Standing(candidate, task, longest_solved(solved), _mean(areas), _spread(areas))
        )
    return found


def area(errors: dict[int, float], chance: float) -> float:
    """Return the area under the shares 1 − error / chance over log2(lag).

    A curve that is worse than chance as a whole counts as 0.

    Args:
        errors: By lag.
        chance: The error of guessing.

    Returns:
        0 … 1; of a single lag, its share. NaN stays NaN.
    """
    lags = np.array(sorted(errors))
    shares = 1.0 - np.array([errors[int(lag)] for lag in lags]) / chance
    if len(lags) == 1:
        return float(np.maximum(shares[0], 0.0))
    octaves = np.log2(lags)
    return float(np.maximum(np.trapezoid(shares, octaves) / (octaves[-1] - octaves[0]), 0.0))


def longest_solved(solved: dict[int, bool]) -> int:
    """Return the longest lag that is solved and has no unsolved one below it; 0 for none."""
    longest = 0
    for lag in sorted(solved):
        if not solved[lag]:
            break
        longest = lag
    return longest


def held_out_errors(
    task: Task, candidate: Candidate, outcome: Outcome, lag: int = 0
) -> dict[int, float]:
    """Return errors on the test split with the weights of the best epoch, by lag.

    Args:
        task: The task it was trained on.
        candidate: What was trained.
        outcome: Of its training.
        lag: The lag of the task; not used for recall.

    Returns:
        All lags of recall, else `lag` alone. NaN where the training failed.
    """
    lags = recall.ladder(task.time_steps // 2) if task.name == "recall" else (lag,)
    if outcome.status is not Status.OK or outcome.state is None:
        return dict.fromkeys(lags, math.nan)
    pack = Pack([candidate], task.features, task.outputs, [best_state(outcome.state)])
    if task.name != "recall":
        return {lag: float(validation_errors(task, task.test, pack)[0])}
    x = task.test.x
    batches = [x[start : start + _TEST_BATCH] for start in range(0, len(x), _TEST_BATCH)]
    y = np.concatenate(
        [pack.predict(part, np.ones(part.shape[:2], np.float32), True) for part in batches], axis=1
    )
    return dict(zip(lags, recall.sign_errors(y, task.test)[0].tolist(), strict=True))


def _mean(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.nan


def _spread(values: Sequence[float]) -> float:
    finite = [value for value in values if math.isfinite(value)]
    return float(np.std(finite, ddof=1)) if len(finite) > 1 else math.nan


def _trained_lags(task: str, lags: Sequence[int]) -> list[int]:
    if (fixed := CHALLENGES[task].fixed) is not None:
        return [fixed]
    return [max(lags)] if task == "recall" else sorted(set(lags))


def _check(
    candidates: Sequence[Candidate],
    tasks: Sequence[str],
    lags: Sequence[int],
    seeds: int,
    epochs: int,
) -> None:
    for task in tasks:
        if task not in CHALLENGES:
            raise ValueError(
                f"{task!r} is no task of the memory suite; its tasks are {', '.join(CHALLENGES)}"
            )
    for name, given in {"candidates": candidates, "tasks": tasks, "lags": lags}.items():
        if not given:
            raise ValueError(f"no {name} are given; give one or more")
    if min(lags) < 2:
        raise ValueError(f"lags has {min(lags)}; give lags of 2 steps or more")
    for name, value in {"seeds": seeds, "epochs": epochs}.items():
        if value < 1:
            raise ValueError(f"{name} is {value}; give 1 or more")
