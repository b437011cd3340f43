"""What travels between the study and its workers: frozen values, no torch, no Ray.

study --PackJob--> pool --> worker --PackResult--> study --> results store.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from wiring_search.wirings.candidate import Candidate


class Status(StrEnum):
    """How a trial ended; `sentence` explains it."""

    RUNNING = "running"
    OK = "ok"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    INFEASIBLE = "infeasible"
    DUPLICATE = "duplicate"
    CRASHED = "crashed"

    @property
    def sentence(self) -> str:
        return _SENTENCES[self]


_SENTENCES = {
    Status.RUNNING: "not finished yet",
    Status.OK: "trained for its full budget",
    Status.PRUNED: "stopped at a rung below the full budget; its scores are those of that rung",
    Status.DIVERGED: "its loss, gradients or outputs stopped being finite",
    Status.INFEASIBLE: "breaks a constraint of the space; never trained",
    Status.DUPLICATE: "equal to an earlier trial, whose scores it repeats; not trained again",
    Status.CRASHED: "its worker failed more than once while it trained",
}


# The score that says how much outputs vary over the validation split, at the best epoch, over how
# much the targets do (`variation.relative_variation`). Outputs that vary less than CONSTANT are
# nearly constant: of numbers they explain at most 2 % of the variance.
VARIATION, CONSTANT = "output_variation", 0.01

# Called with (epochs done, epochs to do) after every minibatch and measure. False asks the trainer
# to stop; it then returns what it had at the end of the last whole epoch.
Beat = Callable[[int, int], bool]


def no_beat(done: int, to_do: int) -> bool:
    """The beat of a training that is not watched and never stopped."""
    return True


def each_epoch(on_epoch: Callable[[int, int], None]) -> Beat:
    """Return a beat that calls `on_epoch` once per epoch, when it is done, and never stops."""
    last = 0

    def beat(done: int, to_do: int) -> bool:
        nonlocal last
        if done != last and done:  # at 0 a part of the job with another kind of candidates begins
            on_epoch(done, to_do)
        last = done
        return True

    return beat


@dataclass(frozen=True, slots=True)
class Rung:
    """A training budget.

    Attributes:
        number: 0 for the first rung.
        epochs: Passes over the training split, those of earlier rungs included.
        batch_size: Samples per step.
        start: Epochs done already; training resumes there from `PackJob.states`.
    """

    number: int
    epochs: int
    batch_size: int
    start: int = 0


@dataclass(frozen=True, slots=True)
class PackJob:
    """Candidates that one worker trains side by side on the same minibatches.

    Attributes:
        number: The pack's number in the schedule.
        rung: The budget.
        candidates: One or more, of any kinds.
        data_seed: Of the order of the minibatches. It is the same for every pack of a study: a
            candidate's numbers do not depend on its pack.
        states: Per candidate the training state of an earlier rung, inherited weights, or None to
            start afresh; empty where all start afresh.
        scores: Groups of `scores.catalogue.GROUPS` to measure after training.
        repeats: Trainings per candidate, see `StudyConfig`.
    """

    number: int
    rung: Rung
    candidates: tuple[Candidate, ...]
    data_seed: int
    states: tuple[bytes | None, ...] = ()
    scores: tuple[str, ...] = ()
    repeats: int = 1

    def part(self, indices: Sequence[int]) -> "PackJob":
        """Return the same job for some of its candidates."""
        states = tuple(self.states[i] for i in indices) if self.states else ()
        return replace(self, candidates=tuple(self.candidates[i] for i in indices), states=states)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training one candidate gave.

    Attributes:
        status: How it ended.
        error: The task's error on the validation split at the best epoch, smaller is better; NaN
            when diverged or crashed.
        metric: The task's metric there (accuracy, F1 or mse).
        parameters: Trainable numbers.
        synapses: Connections, those of a memory or a layered CfC included.
        latency_us: Microseconds per time step, one sample at a time, on the fused kernel.
        train_seconds: This candidate's share of the pack's training time.
        curve: Validation error after each epoch.
        state: Its training state for `PackJob.states`, with the weights of the best epoch.
        message: The reason when the status is not ok.
        scores: Further scores by name, NaN where they could not be measured.
        score_seconds: This candidate's share of the time they took.
    """

    status: Status
    error: float
    metric: float
    parameters: int
    synapses: int
    latency_us: float
    train_seconds: float
    curve: tuple[float, ...] = ()
    state: bytes | None = None
    message: str = ""
    scores: dict[str, float] = field(default_factory=dict)
    score_seconds: float = 0.0

    def score(self, name: str) -> float:
        """Return a score by its name, NaN where there is none."""
        return float(self.scores[name] if name in self.scores else getattr(self, name, math.nan))


@dataclass(frozen=True, slots=True)
class PackResult:
    """The outcomes of a job.

    Attributes:
        number: The pack's number.
        outcomes: In the order of the job's candidates.
        worker: The worker that trained it, for the log.
        stopped_at: None where the job was trained to its end; else the epoch after which it
            stopped. Training resumes from the outcomes' states with `Rung.start` set to it; their
            scores mean nothing.
    """

    number: int
    outcomes: tuple[Outcome, ...]
    worker: str = field(default="", compare=False)
    stopped_at: int | None = None
