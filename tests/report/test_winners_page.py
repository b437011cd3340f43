"""Retrained winners in the report.

It has error bars, the certainty of the answer, controls, and openings of the test split.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.browser import found_in
from tests.support.studies import fake_train, store, tiny_task
from wiring_search.analysis.enough import enough
from wiring_search.report import report_data, report_page
from wiring_search.search.study import search
from wiring_search.store import Retraining, Store
from wiring_search.wirings.null_controls import CONTROLS
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Outcome, Status

DRAWS = np.array([-0.01, 0.0, 0.01, 0.02])


@pytest.fixture(scope="module")
def again(tmp_path_factory: pytest.TempPathFactory) -> tuple[Store, int]:
    """A study whose smallest wiring near the best was trained four times more, and tested.

    Its control is much worse.
    """
    mine = store(tmp_path_factory.mktemp("again"), trials=12)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    small = mine.trial(int(enough(mine).small["trial"]))
    tested = {}
    for control, worse in (("", 0.02), ("rewired", 0.2)):
        for draw, noise in enumerate(DRAWS):
            error = small.error + worse + noise
            one = Retraining(small.trial, control, draw, replace(small.candidate, seed=draw), draw)
            mine.record_retrainings(
                {one: Outcome(Status.OK, error, 1 - error, 9, 9, 1.0, 0.25, (error,), b"state")},
                "me",
            )
            tested[one.key] = (error + 0.01, 1 - error - 0.01)
    mine.record_opening("4 seeds", list(tested))
    mine.record_test_scores(tested)
    return mine, small.trial


def test_the_answer_says_how_sure_it_is(again: tuple[Store, int]) -> None:
    mine, trial = again
    data, error = report_data(mine), mine.trial(trial).error
    mean, se = error + 0.02 + DRAWS.mean(), DRAWS.std(ddof=1) / 2
    assert data["spread"] == {
        trial: [pytest.approx(mean, rel=1e-4), pytest.approx(se, rel=1e-2), 4, "retrain"]
    }
    sure = data["lead"]["sure"]
    assert f"accuracy on validation is {1 - mean:.4g} ± {se:.2g}" in sure[0]
    assert f"in the search it was {1 - error:.4g}" in sure[0]
    assert f"opened once for these 4 networks, its accuracy is {1 - mean - 0.01:.4g}" in sure[1]
    assert sure[2:] == [f"The wiring is significantly better than {CONTROLS['rewired']}."]
    assert not data["probability"]  # the others of the front were trained once
    assert data["winners"]["findings"][0].startswith(
        f"Selection bias: with fresh seeds, validation errors are {0.025:.2g} higher than in the "
        "search, on average over 4 seeds"
    )
    assert data["winners"]["openings"][0]["networks"] == 8
    assert data["cost"]["retraining"] == 2.0
    answers = {item["question"]: item["answer"] for item in data["checklist"]}
    assert answers["Hyperparameters of the final evaluation, and random seeds"] == "yes"
    assert answers["Ablation studies"] == answers["Several runs, seeds reported"] == "partly"


@pytest.mark.slow
def test_in_a_browser_winners_controls_and_openings_are_drawn(
    again: tuple[Store, int], tmp_path: Path
) -> None:
    mine, trial = again
    script = """
  const text = id => document.getElementById(id).textContent, count = name => document.querySelectorAll(name).length;
  return {hidden: [document.getElementById("winners").hidden, document.getElementById("winners-absent").hidden],
    squares: [count("#winners-errors .square"), count("#chart-front .square")], bars: count("#chart-front .error-bar"),
    nulls: [count("#nulls-chart circle.mark"), text("table-nulls")], winners: text("table-winners"), openings: text("table-openings"),
    tracks: [...document.querySelectorAll(".bar-track")].map(track => track.clientWidth), detail: text("detail-scores"),
    value: document.querySelector(".bar-row.candidate .bar-value").textContent};"""
    found = found_in(report_page(report_data(mine)), tmp_path, script)
    assert found["hidden"] == [False, True]
    assert found["squares"] == [1, 1]
    assert found["bars"] == 1
    assert found["nulls"][0] == 1
    assert "the wiring beats" in found["nulls"][1]
    assert str(trial) in found["winners"]
    assert "4 seeds" in found["openings"]
    # bars are compared by their lengths
    assert len(found["tracks"]) > 1
    assert len(set(found["tracks"])) == 1
    mean = 1 - mine.trial(trial).error - 0.02 - DRAWS.mean()
    assert float(found["value"].split(" ± ")[0]) == pytest.approx(mean, abs=1e-4)
    assert "mean of 4 trainings" in found["detail"]
    assert "test split, 4 trainings" in found["detail"]
