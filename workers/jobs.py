"""What travels between the study and the workers, and what a trial's row says: frozen values, no
torch, no Ray.

study --PackJob--> pool --> worker --PackResult--> study --> results store.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from wiring_search.wirings.candidate import Candidate


class Status(StrEnum):
    """How a trial ended; `sentence` is what a reader is told."""

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
    Status.RUNNING: "asked, not finished yet",
    Status.OK: "trained for its whole budget",
    Status.PRUNED: "cut at a rung below the full budget, where others did better; its scores are those of that rung",
    Status.DIVERGED: "its loss or gradients stopped being finite; its pack mates went on",
    Status.INFEASIBLE: "its parameters break a constraint of the space; it was never trained",
    Status.DUPLICATE: "equal to an earlier trial; that trial's scores are repeated, nothing was trained",
    Status.CRASHED: "its worker failed more than once while training it",
}


# The score that says how much outputs vary over the validation split, at the best epoch, over how
# much the targets do (`variation.relative_variation`). Outputs that vary less than CONSTANT are
# nearly constant: of numbers they explain at most 2 % of the variance.
VARIATION, CONSTANT = "output_variation", 0.01

# Told after every minibatch and measure: epochs done, epochs to do. False asks the trainer to stop;
# it then gives back what it has at the end of the last whole epoch.
Beat = Callable[[int, int], bool]


def no_beat(done: int, to_do: int) -> bool:
    """Nobody listens, and nobody stops."""
    return True


def each_epoch(told: Callable[[int, int], None]) -> Beat:
    """A beat that tells of every epoch once, when it is done, and never stops."""
    last = 0

    def beat(done: int, to_do: int) -> bool:
        nonlocal last
        if done != last and done:  # at 0 a part of the job with another kind of candidates begins
            told(done, to_do)
        last = done
        return True

    return beat


@dataclass(frozen=True, slots=True)
class Rung:
    """A training budget. number: 0 for the first. epochs: passes over the training split, those of
    earlier rungs included. batch_size: samples a step. start: epochs that are done already;
    training goes on from there, out of `PackJob.states`."""

    number: int
    epochs: int
    batch_size: int
    start: int = 0


@dataclass(frozen=True, slots=True)
class PackJob:
    """Candidates that one worker trains side by side on the same minibatches.

    number: the pack's place in the schedule. data_seed: the order of the minibatches (the same for
    every pack of a study, so that a candidate's numbers do not depend on the pack it happened to be
    in). states: one entry a candidate, the training state of an earlier rung, weights that it
    inherits, or None to start afresh; none at all where all do. scores: groups out of
    `score_names.GROUPS` to measure afterwards. repeats: trainings a candidate, see
    `config.StudyConfig`.
    """

    number: int
    rung: Rung
    candidates: tuple[Candidate, ...]
    data_seed: int
    states: tuple[bytes | None, ...] = ()
    scores: tuple[str, ...] = ()
    repeats: int = 1

    def part(self, places: Sequence[int]) -> "PackJob":
        """The same job of some of its candidates, whose numbers do not depend on the others."""
        states = tuple(self.states[p] for p in places) if self.states else ()
        return replace(self, candidates=tuple(self.candidates[p] for p in places), states=states)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What training one candidate gave.

    error: the task's error on the validation split at the best epoch, smaller is better; NaN when
    diverged or crashed. metric: the task's own metric there (accuracy, f1, mse). curve: validation
    error after each epoch. parameters: trainable numbers. latency_us: microseconds a time step, one
    sample at a time, on the fused kernel. train_seconds: this candidate's share of the pack's
    training time. state: its training state, to be given back as `PackJob.states` (weights of the
    best epoch among it). message: why, when the status is not ok. synapses: connections, those of a
    memory or a layered CfC too. scores: further ones by name, NaN where they could not be measured;
    score_seconds: this candidate's share of the time that they took.
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
        """A score by its name, NaN where there is none."""
        return float(self.scores[name] if name in self.scores else getattr(self, name, math.nan))


@dataclass(frozen=True, slots=True)
class PackResult:
    """The outcomes of a job, in the order of its candidates. worker: who trained it, for the log.

    stopped_at: None where the job was trained to its end; else the epoch after which it was asked
    to stop. The states of the outcomes then go on from there, with `Rung.start` set to it, and
    their scores mean nothing.
    """

    number: int
    outcomes: tuple[Outcome, ...]
    worker: str = field(default="", compare=False)
    stopped_at: int | None = None
