"""What workers do with a job: scores are those of the measures, repeats are averaged, a measure
that fails costs only itself."""

import math
import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
from scipy import stats

from wiring_search.scores import evaluate, rank, robustness
from wiring_search.scores.catalogue import GROUPS, OBJECTIVES, SCORES, Score, minimised
from wiring_search.scores.evaluate import train_and_score
from wiring_search.scores.trained_packs import Scores, TrainedCandidates, trained_pack
from wiring_search.scores.trajectory import expressivity
from wiring_search.store.config import StudyConfig
from wiring_search.tasks import load
from wiring_search.training.loop import train, validation_errors
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import VARIATION, PackJob, Rung, Status

CANDIDATES = tuple(
    Candidate(ncp(4, 6, 4, 3, 2, 2, 3, 2, seed=seed), steps=2, learning_rate=0.02)
    for seed in range(3)
)
UNSTABLE = Candidate(CANDIDATES[0].wiring, "ltc", "euler", 1, learning_rate=0.01)


@pytest.fixture(scope="module")
def digits():
    return load("digits")


def _job(candidates=CANDIDATES, **given) -> PackJob:
    return PackJob(0, Rung(0, 2, 64), candidates, 0, **given)


def test_every_group_gives_its_scores_and_training_is_what_it_is_without_them(digits) -> None:
    plain = train(digits, _job())
    result = train_and_score(digits, _job(scores=tuple(GROUPS)))
    for outcome, before in zip(result.outcomes, plain.outcomes, strict=True):
        assert (outcome.error, outcome.curve) == (
            before.error,
            before.curve,
        )
        assert outcome.message == ""
        names = {name for group in GROUPS.values() for name in group}
        assert set(outcome.scores) == {VARIATION, *names}
        assert all(math.isfinite(value) for value in outcome.scores.values())
        assert outcome.score_seconds > 0
    pack = trained_pack(digits, CANDIDATES, [outcome.state for outcome in result.outcomes])
    assert [outcome.score("expressivity") for outcome in result.outcomes] == expressivity(
        pack
    ).tolist()
    assert np.array_equal(
        validation_errors(digits, digits.valid, pack),
        [outcome.error for outcome in result.outcomes],
    )


def test_the_error_of_repeats_is_the_mean_over_seeds_trained_alone(digits) -> None:
    repeated = train_and_score(digits, _job(repeats=3)).outcomes
    for candidate, outcome in zip(CANDIDATES, repeated, strict=True):
        alone = train(
            digits, _job(tuple(replace(candidate, seed=seed) for seed in range(3)))
        ).outcomes
        errors = [one.error for one in alone]
        assert outcome.error == pytest.approx(np.mean(errors))
        assert outcome.curve == alone[0].curve
        assert outcome.score("error_se") == pytest.approx(stats.sem(errors))
        assert outcome.score("error_upper") == pytest.approx(
            np.mean(errors) + stats.t.ppf(0.95, 2) * stats.sem(errors)
        )


def test_a_repeat_that_diverges_is_not_averaged_away(digits, monkeypatch) -> None:
    def one_diverges(*given):
        result = train(*given)
        lost = replace(
            result.outcomes[-1], status=Status.DIVERGED, error=math.nan, message="gave up"
        )
        return replace(result, outcomes=(*result.outcomes[:-1], lost))

    monkeypatch.setattr(evaluate, "train", one_diverges)
    first, second, third = train_and_score(digits, _job(repeats=2, scores=("robustness",))).outcomes
    assert first.status is second.status is Status.OK
    assert math.isfinite(second.score("robustness"))
    assert third.status is Status.DIVERGED
    assert third.message == "1 of 2 repeats: gave up"
    assert math.isnan(third.score("robustness"))


def test_a_measure_that_fails_costs_its_own_scores_and_says_why(digits, monkeypatch) -> None:
    def broken(trained: TrainedCandidates) -> Scores:
        raise RuntimeError("no such shift")

    monkeypatch.setattr(robustness, "measure", broken)
    for outcome in train_and_score(digits, _job(scores=("dynamics", "robustness"))).outcomes:
        assert outcome.status is Status.OK
        assert math.isnan(outcome.score("robustness"))
        assert outcome.score("kernel_rank") > 0
        assert outcome.message == "robustness could not be measured: RuntimeError: no such shift"


def test_a_candidate_that_cannot_be_measured_costs_its_pack_mates_nothing(
    digits, monkeypatch
) -> None:
    measure = rank.measure

    def fails_with_the_second(trained: TrainedCandidates) -> Scores:
        if CANDIDATES[1] in trained.candidates:
            raise RuntimeError("no such rank")
        return measure(trained)

    whole = train_and_score(digits, _job(scores=("dynamics",))).outcomes
    monkeypatch.setattr(rank, "measure", fails_with_the_second)
    first, second, third = train_and_score(digits, _job(scores=("dynamics",))).outcomes
    assert first.scores == whole[0].scores
    assert third.scores == whole[2].scores
    assert [first.message, third.message] == ["", ""]
    assert math.isnan(second.score("kernel_rank"))
    assert "no such rank" in second.message


def test_a_new_score_is_an_entry_and_a_file_that_measures_it(digits, monkeypatch) -> None:
    calm = ModuleType("wiring_search.scores.calm")
    calm.measure = lambda trained: {"calm": trained.per_pack(lambda pack: pack.effective[:1] * 0)}
    monkeypatch.setitem(sys.modules, calm.__name__, calm)
    monkeypatch.setitem(GROUPS, "calm", {"calm": Score("nothing at all", 1, file="calm")})
    outcomes = train_and_score(digits, _job(scores=("calm",))).outcomes
    assert [outcome.score("calm") for outcome in outcomes] == [0.0, 0.0, 0.0]


def test_candidates_of_several_kinds_are_scored_side_by_side(digits) -> None:
    mixed = (
        CANDIDATES[0],
        replace(CANDIDATES[1], neuron="cfc", solver="closed-form", steps=0),
        CANDIDATES[2],
    )
    found = train_and_score(digits, _job(mixed, scores=("dynamics",))).outcomes
    alone = train_and_score(digits, _job(mixed[1:2], scores=("dynamics",))).outcomes[0]
    assert found[1].scores == alone.scores


def test_scores_turn_around_where_more_is_better() -> None:
    assert minimised(("error", "memory"), np.array([[0.1, 0.5], [0.2, 0.9]])).tolist() == [
        [0.1, -0.5],
        [0.2, -0.9],
    ]
    assert set(OBJECTIVES) == {name for name, score in SCORES.items() if score.sign in (1, -1)}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"scores": ("speed",)}, "scores are speed; give some of memory, dynamics, robustness"),
        (
            {"objectives": ("error", "memory"), "scores": ()},
            "objective memory is not measured; it needs memory among the scores",
        ),
        (
            {"objectives": ("error", "error_upper")},
            "objective error_upper is not measured; it needs repeats of 2 or more",
        ),
        (
            {"objectives": ("error", "gradient_slope")},
            "objectives are error, gradient_slope; give one or more of",
        ),
        ({"repeats": 0}, "repeats is 0; give a whole number, 1 or more"),
    ],
)
def test_what_is_not_measured_is_no_objective(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StudyConfig("digits", {}, **given)
