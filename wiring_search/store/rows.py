"""The rows of a store as values, and the columns of an outcome."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Outcome, Status


@dataclass(frozen=True)
class Trial:
    """One trial as it is now. Scores are None before it finishes a rung.

    Attributes:
        trial: Its number.
        pack: The pack that it was asked for with.
        rung: The last one that it finished; 0 before.
        candidate: None where infeasible, and where trials are read without candidates.
        candidate_id: The candidate's identity; None where infeasible.
        wiring_id: The wiring's identity; None where infeasible.
        train_seconds: Summed over its rungs, like score_seconds. Other scores, and the curve, are
            those of the last rung.
    """

    trial: int
    pack: int
    rung: int
    status: Status
    params: dict[str, Any]
    candidate: Candidate | None
    duplicate_of: int | None
    message: str
    sampler_attrs: dict[str, Any]
    error: float | None = None
    metric: float | None = None
    parameters: int | None = None
    synapses: int | None = None
    latency_us: float | None = None
    train_seconds: float | None = None
    score_seconds: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    candidate_id: str | None = None
    wiring_id: str | None = None

    def __post_init__(self) -> None:
        if self.candidate is not None and self.candidate_id is None:
            object.__setattr__(self, "candidate_id", self.candidate.candidate_id)
            object.__setattr__(self, "wiring_id", self.candidate.wiring.wiring_id)

    @property
    def trains(self) -> bool:
        """Whether it trains at all: it is feasible, and no duplicate."""
        return self.candidate_id is not None and self.duplicate_of is None

    def score(self, name: str) -> float:
        """A score by its name, NaN where there is none."""
        value = self.scores[name] if name in self.scores else getattr(self, name, None)
        return math.nan if value is None else float(value)


@dataclass(frozen=True)
class StoredPack:
    """One pack.

    Attributes:
        number: From 0, in the order of asking.
        rung: On which it trains.
        members: The trials that train in it, in order.
        finish_order: Its number among the finished packs, from 0; None while it is running.
    """

    number: int
    rung: int
    members: tuple[int, ...]
    finish_order: int | None


@dataclass(frozen=True)
class Baseline:
    """A trained network for comparison. A number that is not finite is None.

    Attributes:
        name: See `wiring_search.training.baselines.catalogue`.
        status: Of its training.
        synapses: Connections.
        message: Why training failed; else "".
        error: On the validation split, at the best epoch.
        metric: The task's metric, at the same epoch.
        parameters: Trained numbers.
        latency_us: Microseconds per time step.
        train_seconds: Of the whole training.
        curve: The error after each epoch.
    """

    name: str
    status: Status
    synapses: int
    message: str
    error: float | None
    metric: float | None
    parameters: int
    latency_us: float | None
    train_seconds: float | None
    curve: tuple[float, ...]

    def score(self, name: str) -> float:
        """A score by its name, NaN where there is none."""
        value = getattr(self, name, None)
        return math.nan if value is None else float(value)


@dataclass(frozen=True)
class Retraining:
    """One training of a winner, or of its control, with seeds that the search never used.

    Attributes:
        trial: The winner.
        control: A name of `wiring_search.wirings.null_controls.CONTROLS`; "" for the winner.
        draw: The number of the fresh seed, from 0; for a control, also that of the null wiring.
        candidate: What trains, with its seed.
        data_seed: Of the order of the data.
    """

    trial: int
    control: str
    draw: int
    candidate: Candidate
    data_seed: int

    @property
    def key(self) -> tuple[int, str, int]:
        return self.trial, self.control, self.draw


def asked_row(trial: Trial) -> dict[str, Any]:
    """The columns of a trial that was asked for."""
    return {
        "trial": trial.trial,
        "pack": trial.pack,
        "rung": trial.rung,
        "status": trial.status.value,
        "params": trial.params,
        "candidate": trial.candidate.to_json() if trial.candidate else None,
        "candidate_id": trial.candidate_id,
        "wiring_id": trial.wiring_id,
        "duplicate_of": trial.duplicate_of,
        "message": text(trial.message),
        "sampler_attrs": trial.sampler_attrs,
        "asked": now(),
    }


def trial_of(row: Any) -> Trial:
    """The trial of a row, without its candidate where the row has none."""
    candidate = row._mapping.get("candidate")
    return Trial(
        trial=row.trial,
        pack=row.pack,
        rung=row.rung,
        status=Status(row.status),
        params=row.params,
        candidate=Candidate.from_json(candidate) if candidate else None,
        duplicate_of=row.duplicate_of,
        message=row.message,
        sampler_attrs=row.sampler_attrs,
        error=row.error,
        metric=row.metric,
        parameters=row.parameters,
        synapses=row.synapses,
        latency_us=row.latency_us,
        train_seconds=row.train_seconds,
        score_seconds=row.score_seconds,
        scores=_with_nan(row.scores),
        curve=curve_of(row.curve),
        candidate_id=row.candidate_id,
        wiring_id=row.wiring_id,
    )


def outcome_of(row: Any) -> Outcome:
    """The outcome of a row of rungs, which has neither curve nor state."""

    def number(value: float | None) -> float:
        return math.nan if value is None else value

    return Outcome(
        Status(row.status),
        number(row.error),
        number(row.metric),
        row.parameters or 0,
        row.synapses or 0,
        number(row.latency_us),
        number(row.train_seconds),
        message=row.message,
        scores=_with_nan(row.scores),
        score_seconds=row.score_seconds or 0.0,
    )


def scores_row(outcome: Outcome, worker: str) -> dict[str, Any]:
    """The columns of scores. NaN becomes null: databases and JSON disagree about NaN."""
    return {
        "status": outcome.status.value,
        "message": text(outcome.message),
        "error": finite(outcome.error),
        "metric": finite(outcome.metric),
        "parameters": int(outcome.parameters),
        "synapses": int(outcome.synapses),
        "latency_us": finite(outcome.latency_us),
        "train_seconds": finite(outcome.train_seconds),
        "worker": text(worker),
        "finished": now(),
    }


def retraining_row(retraining: Retraining, outcome: Outcome, worker: str) -> dict[str, Any]:
    """Return the row of a finished retraining; the test split is still sealed.

    Args:
        retraining: Which one.
        outcome: Of its training.
        worker: What trained it, for the log.
    """
    candidate = retraining.candidate
    return {
        **scores_row(outcome, worker),
        **trained_row(outcome),
        "state": outcome.state,
        "trial": retraining.trial,
        "control": retraining.control,
        "draw": retraining.draw,
        "candidate": candidate.to_json(),
        "candidate_id": candidate.candidate_id,
        "wiring_id": candidate.wiring.wiring_id,
        "seed": candidate.seed,
        "data_seed": retraining.data_seed,
    }


def retraining_of(row: Any) -> Retraining:
    return Retraining(
        row.trial, row.control, row.draw, Candidate.from_json(row.candidate), row.data_seed
    )


def measured_row(outcome: Outcome) -> dict[str, Any]:
    """The columns of further scores."""
    return {
        "scores": {name: finite(value) for name, value in outcome.scores.items()},
        "score_seconds": finite(outcome.score_seconds),
    }


def trained_row(outcome: Outcome) -> dict[str, Any]:
    """The columns of the training itself."""
    return {"curve": [finite(value) for value in outcome.curve]}


def curve_of(stored: list[float | None] | None) -> tuple[float, ...]:
    return tuple(math.nan if value is None else value for value in stored or ())


def text(value: str) -> str:
    """Text that every database takes: a message may hold NUL and broken characters."""
    return value.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _with_nan(scores: dict[str, float | None] | None) -> dict[str, float]:
    return {name: math.nan if value is None else value for name, value in (scores or {}).items()}
