"""A small study with a trainer that needs no training, for the tests of everything around it."""

import math
import time
from pathlib import Path

import numpy as np

from wiring_search import search_spaces
from wiring_search.store import Store
from wiring_search.store.config import StudyConfig
from wiring_search.tasks.task import Split, Task
from wiring_search.workers.jobs import Beat, Outcome, PackJob, PackResult, Status, no_beat

FACTS = {
    "metric": "accuracy",
    "rules": {"majority class": 0.9},
    "source": "made up",
    "features": 2,
    "outputs": 2,
}


def tiny_task() -> Task:
    split = Split(np.zeros((4, 3, 2), np.float32), np.zeros(4, np.int64))
    return Task("tiny", "classification", False, 2, "accuracy", split, split, split, {}, "")


def config(**given: object) -> StudyConfig:
    settings = {
        "task": "digits",
        "space": search_spaces.load("small").to_json(),
        "trials": 20,
        "epochs": 2,
        "pack_size": 3,
        "ahead": 2,
        "scores": (),
    }
    return StudyConfig(**{**settings, **given})


def store(folder: Path, facts: dict = FACTS, **given: object) -> Store:
    return Store.create(folder, config(**given), facts)


def fake_train(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    """Scores that are a function of the candidate alone, best at a learning rate of 0.02; every
    seventh diverges."""
    return PackResult(
        job.number, tuple(_outcome(candidate) for candidate in job.candidates), "fake"
    )


def slow_train(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    time.sleep(0.05)
    return fake_train(task, job, beat)


def _outcome(candidate) -> Outcome:
    number, size = int(candidate.candidate_id, 16), candidate.wiring.synapse_count
    if number % 7 == 0:
        return Outcome(
            Status.DIVERGED, math.nan, math.nan, 9, size, 1.0, 0.5, (0.5, math.nan), None, "gave up"
        )
    error = (
        0.1
        + 3 / size
        + 0.1 * abs(math.log(candidate.learning_rate / 0.02))
        + (number % 101) / 10000
    )
    return Outcome(Status.OK, error, 1 - error, 10 * size, size, 2.0, 0.5, (0.9, error), b"state")
