"""Scores that are not finite, from real Optuna to the written report: no row is left running,
fronts are finite."""

import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest

from tests.support.studies import fake_train
from wiring_search import run
from wiring_search.run import ONE_PROCESS, search, study_config
from wiring_search.scores import evaluate as scoring
from wiring_search.search_spaces import Choice, Space
from wiring_search.tasks import Task
from wiring_search.workers.jobs import Beat, PackJob, PackResult, no_beat

OBJECTIVES = ("error", "synapses", "latency_us", "memory")
BAD = (math.nan, math.inf, -math.inf)


def _spoilt(share: int):
    """A stand-in trainer. One candidate in `share` has an objective that is not finite, each
    objective and value in turn by the candidate's identity."""

    def train(task: Task, job: PackJob, beat: Beat = no_beat, device: str = "cpu") -> PackResult:
        outcomes = []
        for candidate, outcome in zip(job.candidates, fake_train(task, job).outcomes, strict=True):
            number = int(candidate.candidate_id, 16)
            outcome = replace(outcome, scores={"memory": number % 13 / 13})
            if number % share == 0:
                name, value = (
                    ("error", "latency_us", "memory")[number // share % 3],
                    BAD[number // share // 3 % 3],
                )
                outcome = replace(
                    outcome, **{"scores": {"memory": value}} if name == "memory" else {name: value}
                )
            outcomes.append(outcome)
        return PackResult(job.number, tuple(outcomes), "stand-in")

    return train


def _search(folder: Path, share: int, monkeypatch: pytest.MonkeyPatch, **given: object) -> run.Run:
    monkeypatch.setattr(scoring, "train_and_score", _spoilt(share))
    settings = {
        "trials": 30,
        "epochs": 9,
        "pack_size": 3,
        "ahead": 2,
        "objectives": OBJECTIVES,
        "scores": ("memory",),
    }
    return search(
        replace(study_config("digits", "small"), **{**settings, "inherit": False, **given}),
        folder,
        ONE_PROCESS,
    )


def _nothing_is_left_and_nothing_infinite(found: run.Run) -> pandas.DataFrame:
    table = found.table()
    assert found.ended
    assert not (table["status"] == "running").any()
    scores = table[list(OBJECTIVES)].to_numpy(float, na_value=np.nan)
    assert not np.isinf(scores).any()
    front = found.front()
    assert np.isfinite(front[list(OBJECTIVES)].to_numpy(float, na_value=np.nan)).all()
    assert set(front["trial"]) <= set(table["trial"][table["status"] == "ok"])
    assert not re.search(r"\binf\b", (found.folder / "trials.csv").read_text())
    assert found.report.stat().st_size > 1000
    return table


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "cut_as"),
    [("tpe", "low-fidelity"), ("nsga2", "pruned"), ("evolution", "low-fidelity")],
)
def test_scores_that_are_not_finite_end_nowhere(
    sampler: str, cut_as: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {
        "sampler": sampler,
        "pruning": "halving",
        "cut_as": cut_as,
        "asynchronous": cut_as == "low-fidelity",
    }
    found = _search(tmp_path, 3, monkeypatch, **given)
    table = _nothing_is_left_and_nothing_infinite(found)
    assert len(found.front()) > 0
    # Whoever is not finite in an objective is never promoted.
    unfit = table[
        table[list(OBJECTIVES)].isna().any(axis=1) & table["status"].isin(["pruned", "ok"])
    ]
    assert len(unfit) > 2
    assert (unfit["rung"] == 0).all()


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "evolution"])
def test_a_search_in_which_nobody_is_finite_ends_all_the_same(
    sampler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _search(tmp_path, 1, monkeypatch, sampler=sampler)
    assert len(_nothing_is_left_and_nothing_infinite(found)) == 30
    assert len(found.front()) == 0


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "evolution"])
def test_duplicates_of_what_is_not_finite_are_not_either(
    sampler: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten wirings, of which each other is spoilt, in a space that is soon used up."""
    fixed = {
        "sensory": 2,
        "inter": 4,
        "command": 2,
        "motor": 1,
        "sensory_fanout": 4,
        "inter_fanout": 2,
        "recurrent_synapses": 0,
    }
    dimensions = {name: Choice((value,)) for name, value in fixed.items()}
    varied = {
        "motor_fanin": Choice((1, 2)),
        "excitatory": Choice((1.0,)),
        "steps": Choice((1, 2, 3, 4, 5)),
    }
    space = Space("ncp", {**dimensions, **varied}).to_json()
    found = _search(tmp_path, 2, monkeypatch, sampler=sampler, space=space, pruning="median")
    table = _nothing_is_left_and_nothing_infinite(found)
    twins = table[table["status"] == "duplicate"]
    originals = table.set_index("trial").loc[twins["duplicate_of"].astype(int)]
    for name in OBJECTIVES:
        assert np.array_equal(
            twins[name].to_numpy(float, na_value=np.nan),
            originals[name].to_numpy(float, na_value=np.nan),
            True,
        )
    if sampler != "evolution":  # it makes other wirings than the space holds
        assert twins[list(OBJECTIVES)].isna().any(axis=None)


@pytest.mark.slow
def test_where_nothing_is_finite_there_is_no_front_but_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _search(tmp_path, 1, monkeypatch, pruning="halving", sampler="evolution", trials=12)
    table = _nothing_is_left_and_nothing_infinite(found)
    assert found.front().empty
    assert (table["rung"] == 0).all()
    assert "No candidate has finished training yet" in found.answer()
