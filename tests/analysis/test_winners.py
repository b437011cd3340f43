"""What is read out of a store about winners: a made-up study whose retrainings are known
numbers."""

import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.support import studies
from wiring_search.analysis.winners import Winners, winners
from wiring_search.report.pictures import winners as winning_picture
from wiring_search.store import Retraining, Store, Trial
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import Outcome, Status

SEEDS = 5
# Errors on test of each trial and control: mean, and whether one training of them diverged.
TESTED = {
    (0, ""): (0.30, False),
    (0, "rewired"): (0.40, False),
    (0, "random"): (0.301, False),
    (0, "dense"): (0.20, True),
    (1, ""): (0.31, True),
    (1, "rewired"): (0.42, False),
}
NOISE = np.array([-0.01, 0.005, 0.0, 0.01, -0.005])


def _outcome(error: float, synapses: int) -> Outcome:
    if math.isnan(error):
        return Outcome(
            Status.DIVERGED, error, error, 10 * synapses, synapses, 1.0, 0.5, message="gave up"
        )
    return Outcome(
        Status.OK, error, 1 - error, 10 * synapses, synapses, 1.0, 0.5, (error,), b"state"
    )


def _retrained(folder: Path, opened: bool = True) -> Store:
    wirings = [ncp(2, 3, 2, 1, 1, 1, 0, 1, seed=1), ncp(2, 5, 3, 1, 2, 2, 2, 2, seed=2)]
    candidates = [Candidate(wirings[0], steps=2), Candidate(wirings[1], "cfc", "closed-form", 0)]
    sizes = [wiring.synapse_count for wiring in wirings]
    store = studies.store(folder)
    store.record_pack(
        0,
        0,
        [0, 1],
        [Trial(t, 0, 0, Status.RUNNING, {}, c, None, "", {}) for t, c in enumerate(candidates)],
        {},
    )
    store.record_outcomes(
        0, {t: _outcome(0.25 - 0.05 * t, size) for t, size in enumerate(sizes)}, "me"
    )
    errors = {}
    for (trial, control), (mean, lost) in TESTED.items():
        for draw in range(SEEDS):
            error = (
                math.nan
                if lost and draw == 2
                else mean - 0.02 + NOISE[draw] * (1 + (control == "rewired"))
            )
            retraining = Retraining(
                trial, control, draw, replace(candidates[trial], seed=draw), draw
            )
            store.record_retrainings({retraining: _outcome(error, sizes[trial])}, "me")
            errors[retraining.key] = error + 0.02
    tested = {key: (error, 1 - error) for key, error in errors.items() if math.isfinite(error)}
    if opened:
        assert store.record_opening("winners", list(tested)) == 1
        store.record_test_scores(tested)
    return store


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Winners:
    with closing(_retrained(tmp_path_factory.mktemp("winning"))) as store:
        return winners(store)


def test_nothing_retrained_is_nothing_found(tmp_path: Path) -> None:
    with closing(studies.store(tmp_path)) as store:
        assert winners(store) is None


def test_winners_have_means_and_errors_of_what_ended_well(found: Winners) -> None:
    first, second = (row for _, row in found.table.iterrows())
    assert (
        first["trial"],
        first["trained"],
        first["failed"],
        first["tested"],
        first["opening"],
    ) == (0, 5, 0, 5, 1)
    assert (second["trial"], second["trained"], second["failed"], second["tested"]) == (1, 4, 1, 4)
    assert first["searched"] == 0.25
    assert first["valid"] == pytest.approx(0.28)
    assert first["drop"] == pytest.approx(0.03)
    assert first["test_se"] == pytest.approx(stats.sem(NOISE))
    assert first["test"] == pytest.approx(0.3)
    assert second["valid"] == pytest.approx(0.29 + np.delete(NOISE, 2).mean())
    assert found.selection_bias.mean == pytest.approx(np.mean([0.03, second["drop"]]))
    assert found.selection_bias.n == SEEDS
    assert found.shift.mean == pytest.approx(0.02)
    assert found.shift.se == pytest.approx(0.0, abs=1e-12)


def test_fronts_on_test_are_those_of_mean_errors(found: Winners) -> None:
    """The smaller one is better in everything: it is the optimistic front, the other one the
    pessimistic."""
    assert found.objectives == ("error", "synapses")
    assert found.table["optimistic"].tolist() == [True, False]
    assert found.table["pessimistic"].tolist() == [False, True]
    assert found.fronts.volume_pessimistic < found.fronts.volume_optimistic
    # 0.31 ± 0.004 against 0.30
    assert found.table["certainty"].iloc[0] == 1.0
    assert 0.0 < found.table["certainty"].iloc[1] < 0.5


def test_controls_are_tested_and_corrected_together(found: Winners) -> None:
    rows = found.controls.set_index(["trial", "control"])
    one, two = 0.3 + NOISE, 0.4 + 2 * NOISE
    known = stats.ttest_ind(two, one, equal_var=False)
    row = rows.loc[0, "rewired"]
    assert (row["difference"], row["p"], row["split"], row["better"]) == (
        pytest.approx(0.1),
        pytest.approx(known.pvalue),
        "test",
        1.0,
    )
    tested = rows["p"].dropna()
    assert len(tested) == 4
    assert (rows.loc[tested.index, "p_holm"] >= tested).all()
    assert rows["p_holm"].min() == pytest.approx(4 * tested.min())
    assert rows.loc[(0, "dense"), ["trained", "failed"]].tolist() == [4, 1]


@pytest.mark.parametrize(
    ("trial", "control", "sentence"),
    [
        (0, "rewired", "the wiring beats rewirings with the same degrees (0.1 lower error, p = "),
        (0, "random", "no better than random wirings of the same size (+0.001, p = "),
        (
            0,
            "dense",
            "the wiring is worse than dense networks with as many parameters (0.1 higher error, p "
            "= ",
        ),
        (1, "polarity", "not applicable: cfc does not look at polarities"),
    ],
)
def test_each_has_a_sentence(found: Winners, trial: int, control: str, sentence: str) -> None:
    rows = found.controls
    (shown,) = rows.loc[(rows["trial"] == trial) & (rows["control"] == control), "sentence"]
    assert shown.startswith(sentence)
    assert ("no effect of the topology beyond its size" in shown) == (control == "random")


def test_controls_that_were_not_trained_are_absent(found: Winners) -> None:
    assert found.controls[["trial", "control"]].to_numpy().tolist() == [
        *([0, name] for name in ("rewired", "random", "dense")),
        *([1, name] for name in ("rewired", "polarity")),
    ]


def test_over_all_winners_draws_are_what_counts(found: Winners) -> None:
    (row,) = found.overall.itertuples()
    assert (row.control, row.trials) == ("rewired", 2)
    assert row.difference == pytest.approx(0.105, abs=2e-3)
    assert row.sentence.startswith(
        "over 2 trials, the wirings beat rewirings with the same degrees by 0.1"
    )


def test_before_the_test_split_is_opened_validation_decides(tmp_path: Path) -> None:
    with closing(_retrained(tmp_path, opened=False)) as store:
        found = winners(store)
    assert set(found.controls["split"].dropna()) == {"validation"}
    assert found.fronts is None
    assert found.table["test"].isna().all()
    assert found.table["opening"].isna().all()
    assert found.shift.n == 0
    assert found.controls["difference"].iloc[0] == pytest.approx(0.1)
    assert len(winning_picture.draw(found).axes) == 2


def test_the_picture_draws_every_comparison(found: Winners) -> None:
    left, right = winning_picture.draw(found).axes
    assert len(right.get_yticklabels()) == 4
    assert left.get_xlabel() == "synapses"
    assert {"optimistic front on test"}.isdisjoint(
        text.get_text() for text in left.get_legend().get_texts()
    )  # one point is no line
