"""Jobs for the tests of pools and of what they hold."""

import numpy as np

from tests.support.random_packs import random_wiring
from tests.support.studies import fake_train, tiny_task
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import PackJob, PackResult, Rung, Status
from wiring_search.workers.slices import TRIES

EPOCHS = 4


def jobs(count: int, candidates: int = 2) -> list[PackJob]:
    """The number of a candidate in all jobs is its seed, so that a trainer can tell them apart."""
    rng = np.random.default_rng(0)
    return [
        PackJob(
            k,
            Rung(0, EPOCHS, 4),
            tuple(
                Candidate(random_wiring(rng), seed=k * candidates + position)
                for position in range(candidates)
            ),
            0,
        )
        for k in range(count)
    ]


def only_these_crashed(
    submitted: list[PackJob], results: dict[int, PackResult], seeds: tuple[int, ...], why: str
) -> None:
    for job in submitted:
        expected = fake_train(tiny_task(), job).outcomes
        for candidate, outcome, good in zip(
            job.candidates, results[job.number].outcomes, expected, strict=True
        ):
            if candidate.seed in seeds:
                assert outcome.status is Status.CRASHED
                assert f"failed {TRIES} times" in outcome.message
                assert why in outcome.message
            else:
                assert repr(outcome) == repr(good)
