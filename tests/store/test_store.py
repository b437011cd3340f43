"""The store: rows go in whole and come out the same, in a file and in PostgreSQL."""

import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy

from tests.support.studies import config, store
from wiring_search.store import FILE, Baseline, Store, StoredPack, Trial, exists
from wiring_search.store.config import StudyConfig
from wiring_search.tasks import TaskOptions
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import Outcome, Status

CANDIDATE = Candidate(ncp(2, 3, 2, 1, 1, 1, 0, 1), steps=2)
OTHER = Candidate(CANDIDATE.wiring, steps=3)
RUNNING = Trial(0, 0, 0, Status.RUNNING, {"inter": 3}, CANDIDATE, None, "", {"note": 1})
TWIN = replace(RUNNING, trial=1, status=Status.DUPLICATE, duplicate_of=0)
IMPOSSIBLE = Trial(2, 0, 0, Status.INFEASIBLE, {"inter": 1}, None, None, "no", {})
OUTCOME = Outcome(Status.OK, 0.25, 0.75, 30, 13, 1.5, 2.5, (0.5, 0.25), b"weights")


Make = Callable[..., Store]
Open = Callable[[Path], Store]


def test_trials_come_back_as_they_went_in(folder: Path, make: Make, open_store: Open) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING, TWIN, IMPOSSIBLE], {"generation": 3})
    assert mine.trials() == [RUNNING, TWIN, IMPOSSIBLE]
    assert mine.packs() == [StoredPack(0, 0, (0,), None)]
    assert mine.sampler_state(0) == {"generation": 3}
    mine.record_outcomes(0, {0: OUTCOME}, "me")
    scores = {
        "error": 0.25,
        "metric": 0.75,
        "parameters": 30,
        "synapses": 13,
        "latency_us": 1.5,
        "train_seconds": 2.5,
    }
    again = open_store(folder)
    assert again.trials(0) == [
        replace(RUNNING, status=Status.OK, curve=(0.5, 0.25), score_seconds=0.0, **scores),
        replace(TWIN, score_seconds=0.0, **scores),
        IMPOSSIBLE,
    ]
    assert again.state(0) == b"weights"
    assert again.state(2) is None
    assert again.config == config()


def test_diverged_scores_are_nan_in_the_table(folder: Path, make: Make) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING], {})
    mine.record_outcomes(
        0,
        {
            0: Outcome(
                Status.DIVERGED, math.nan, math.nan, 30, 13, 1.0, 1.0, (0.5, math.nan), None, "why"
            )
        },
        "me",
    )
    row = mine.table().iloc[0]
    assert row["status"] == "diverged"
    assert math.isnan(row["error"])
    assert row["message"] == "why"
    assert row["synapses"] == 13
    assert [math.isnan(value) for value in mine.trials()[0].curve] == [False, True]


def test_table_has_the_promised_columns(tmp_path: Path) -> None:
    names = list(store(tmp_path).table().columns)
    assert (
        names[:11]
        == (
            "trial rung status wiring_id seed error synapses parameters latency_us train_seconds "
            "accuracy"
        ).split()
    )
    assert [name for name in names if name.startswith("p.")] == [
        f"p.{name}" for name in config().space["dimensions"]
    ]


def test_baselines_come_back_as_they_went_in_and_once(
    folder: Path, make: Make, open_store: Open
) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING, IMPOSSIBLE], {})
    mine.record_baseline("lstm-4", OUTCOME, "me")
    lost = Outcome(Status.DIVERGED, math.nan, math.nan, 30, 13, 1.0, 1.0, (math.nan,), None, "why")
    mine.record_baseline("gru-4", lost, "me")
    first, second = open_store(folder).baselines()
    assert first == Baseline("lstm-4", Status.OK, 13, "", 0.25, 0.75, 30, 1.5, 2.5, (0.5, 0.25))
    assert second.status is Status.DIVERGED
    assert math.isnan(second.score("error"))
    assert math.isnan(second.curve[0])
    assert mine.baseline_state("lstm-4") == b"weights"
    assert mine.baseline_state("gru-4") is None
    with pytest.raises(ValueError, match="has baseline 'lstm-4' already"):
        mine.record_baseline("lstm-4", OUTCOME, "me")
    table = mine.table()
    assert table["baseline"].tolist() == ["", "", "lstm-4", "gru-4"]
    assert table["synapses"].tolist()[2:] == [13, 13]
    assert table["trial"].isna().tolist() == [False, False, True, True]
    assert table["p.inter"].tolist()[:2] == [3, 1]
    assert [t.trial for t in mine.trials()] == [0, 2]
    assert len(mine.packs()) == 1


def test_a_pack_is_written_whole_or_not_at_all(folder: Path, make: Make) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING], {})
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        mine.record_pack(1, 0, [1, 0], [replace(RUNNING, trial=1), RUNNING], {})
    assert len(mine.packs()) == 1
    assert len(mine.trials()) == 1


def test_there_is_one_study_a_folder(folder: Path, make: Make, open_store: Open) -> None:
    assert not exists(folder)
    with pytest.raises(ValueError, match="holds no study"):
        open_store(folder)
    make(folder)
    assert exists(folder)
    with pytest.raises(ValueError, match="holds a study already"):
        make(folder)


def test_a_store_cut_short_while_it_was_made_is_no_study(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert not exists(tmp_path)
    store(tmp_path)
    assert exists(tmp_path)


def test_config_goes_through_json_and_checks_itself() -> None:
    full = config(
        task_options=TaskOptions(data="x", inputs=("a",)),
        objectives=("error", "latency_us"),
        seed=4,
    )
    assert StudyConfig.from_json(full.to_json()) == full
    for given, message in (
        ({"trials": 0}, "trials is 0; give a whole number, 1 or more"),
        (
            {"objectives": ("error", "speed")},
            "objectives are error, speed; give one or more of error",
        ),
        ({"objectives": ()}, "objectives are none"),
        ({"seed": -1}, "seed is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            config(**given)


def test_further_scores_come_back_and_a_missing_one_is_nan(
    folder: Path, make: Make, open_store: Open
) -> None:
    mine = make(folder, scores=("memory",))
    mine.record_pack(0, 0, [0], [RUNNING, TWIN], {})
    mine.record_outcomes(
        0,
        {0: replace(OUTCOME, scores={"memory": 0.5, "memory_lag": math.nan}, score_seconds=0.25)},
        "me",
    )
    for trial, row in zip(open_store(folder).trials(), mine.table().itertuples(), strict=True):
        assert trial.score("memory") == row.memory == 0.5
        assert trial.score("score_seconds") == row.score_seconds == 0.25
        assert math.isnan(trial.score("memory_lag"))
        assert math.isnan(row.memory_lag)


def test_a_promoted_trial_goes_through_its_rungs(
    folder: Path, make: Make, open_store: Open
) -> None:
    mine = make(folder, epochs=9, pruning="halving")
    other = replace(RUNNING, trial=2, candidate=OTHER, candidate_id=None, wiring_id=None)
    mine.record_pack(0, 0, [0], [RUNNING, TWIN], {})
    mine.record_pack(1, 0, [2], [other], {})
    cut = replace(OUTCOME, status=Status.PRUNED, scores={"memory": 0.5}, score_seconds=0.5)
    mine.record_outcomes(1, {2: replace(cut, state=b"other")}, "me")
    mine.record_outcomes(0, {0: cut}, "me")
    assert [t.status for t in mine.trials()] == ["pruned", "duplicate", "pruned"]
    mine.record_pack(2, 1, [2, 0], [], {"generation": 1})
    assert [t.status for t in mine.trials()] == ["running", "duplicate", "running"]
    assert mine.states([2, 0]) == [
        b"other",
        b"weights",
    ]
    assert mine.candidates([2, 0]) == [OTHER, CANDIDATE]
    better = replace(
        OUTCOME,
        error=0.125,
        train_seconds=4.0,
        score_seconds=1.0,
        curve=(0.5, 0.25, 0.125),
        state=b"more",
    )
    mine.record_outcomes(
        2,
        {0: better, 2: replace(better, status=Status.DIVERGED, error=math.nan, state=None)},
        "you",
    )
    again = open_store(folder)
    first, twin, second = again.trials()
    assert first == replace(
        RUNNING,
        rung=1,
        status=Status.OK,
        **{"error": 0.125, "metric": 0.75, "parameters": 30, "synapses": 13, "latency_us": 1.5},
        **{"train_seconds": 6.5, "score_seconds": 1.5, "curve": better.curve},
    )
    assert twin.status is Status.DUPLICATE
    assert (twin.rung, twin.error, twin.train_seconds) == (
        1,
        0.125,
        6.5,
    )
    assert second.status is Status.DIVERGED
    assert second.error is None
    assert again.states([0, 2]) == [b"more", None]
    assert again.packs() == [
        StoredPack(0, 0, (0,), 1),
        StoredPack(1, 0, (2,), 0),
        StoredPack(2, 1, (2, 0), 2),
    ]
    assert list(again.outcomes(2)) == [2, 0]
    assert again.outcomes(2)[0] == replace(better, state=None, curve=())
    assert again.outcomes(0) == {0: replace(cut, state=None, curve=())}
    assert again.table()["epochs"].tolist() == [3, 3, 3]
    history = again.history()
    assert history[["trial", "rung", "epochs"]].to_numpy().tolist() == [
        [0, 0, 1],
        [0, 1, 3],
        [2, 0, 1],
        [2, 1, 3],
    ]
    assert history["train_seconds"].tolist() == [2.5, 4.0, 2.5, 4.0]
    assert history["worker"].tolist() == ["me", "you"] * 2


def test_a_duplicate_of_a_finished_trial_has_its_scores_at_once(folder: Path, make: Make) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING], {})
    mine.record_outcomes(0, {0: replace(OUTCOME, scores={"memory": 0.5})}, "me")
    mine.record_pack(1, 0, [], [replace(TWIN, pack=1)], {})
    twin = mine.trials()[1]
    assert twin.status is Status.DUPLICATE
    assert (twin.error, twin.train_seconds, twin.scores) == (
        0.25,
        2.5,
        {"memory": 0.5},
    )


def test_a_pack_is_finished_once_with_its_outcomes(folder: Path, make: Make) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING, TWIN], {})
    for pack, outcomes, message in (
        (1, {0: OUTCOME}, "pack 1 is not running: it does not exist"),
        (0, {1: OUTCOME}, r"has the members \[0\], but the outcomes are of \[1\]"),
        (0, {}, r"has the members \[0\]"),
    ):
        with pytest.raises(ValueError, match=message):
            mine.record_outcomes(pack, outcomes, "me")
    assert mine.trials() == [RUNNING, TWIN]
    assert mine.packs()[0].finish_order is None
    assert mine.outcomes(0) == {}
    mine.record_outcomes(0, {0: OUTCOME}, "me")
    with pytest.raises(ValueError, match="pack 0 is not running: it is finished"):
        mine.record_outcomes(0, {0: OUTCOME}, "me")
    assert mine.trial(0).train_seconds == 2.5


def test_a_promoted_trial_must_be_there(folder: Path, make: Make) -> None:
    mine = make(folder)
    with pytest.raises(ValueError, match="a member that does not exist"):
        mine.record_pack(0, 1, [7], [], {})
    assert mine.packs() == []


def test_a_checkpoint_lasts_until_its_pack_is_finished(
    folder: Path, make: Make, open_store: Open
) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING], {})
    assert mine.checkpoint(0) == {}
    mine.record_checkpoint(0, {0: b"early", 1: b"gone"})
    mine.record_checkpoint(0, {0: b"late"})
    assert open_store(folder).checkpoint(0) == {0: b"late"}
    assert mine.checkpoint(1) == {}
    mine.record_outcomes(0, {0: OUTCOME}, "me")
    assert mine.checkpoint(0) == {}


def test_trials_without_candidates_say_all_else(folder: Path, make: Make) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING, TWIN, IMPOSSIBLE], {})
    light = mine.trials(candidates=False)
    assert light == [replace(RUNNING, candidate=None), replace(TWIN, candidate=None), IMPOSSIBLE]
    assert light[0].candidate_id == CANDIDATE.candidate_id
    assert [t.trains for t in light] == [
        True,
        False,
        False,
    ]
    for missing in (2, 3):
        with pytest.raises(ValueError, match=f"trial {missing} .* has no candidate"):
            mine.candidates([0, missing])


def test_parents_are_in_the_table(folder: Path, make: Make) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [replace(RUNNING, sampler_attrs={"parents": [12, 15]}), TWIN], {})
    assert mine.table()["parents"].tolist() == ["12+15", ""]


def test_a_workers_last_words_may_be_anything(folder: Path, make: Make) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING], {})
    mine.record_outcomes(
        0, {0: replace(OUTCOME, status=Status.CRASHED, message="a\0b\udcffc", error=math.inf)}, "me"
    )
    assert mine.trial(0).message == "a\N{REPLACEMENT CHARACTER}b?c"
    assert mine.trial(0).error is None


def test_numbers_of_numpy_are_numbers(folder: Path, make: Make) -> None:
    mine = make(folder)
    mine.record_pack(0, 0, [0], [RUNNING], {})
    counts = {"parameters": np.int64(7), "synapses": np.int64(5)}
    mine.record_outcomes(
        0,
        {0: replace(OUTCOME, **counts, error=np.float32(0.5), scores={"memory": np.float32(0.25)})},
        "me",
    )
    trial = mine.trial(0)
    assert (trial.parameters, trial.synapses, trial.error, trial.scores) == (
        7,
        5,
        0.5,
        {"memory": 0.25},
    )


def test_a_store_takes_one_study(
    folder: Path, make: Make, open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where two processes make it at once, and neither has seen the other's."""
    make(folder, seed=1).close()
    monkeypatch.setattr("wiring_search.store.store.exists", lambda folder: False)
    monkeypatch.setattr("wiring_search.store.store._refuse_taken", lambda folder, server: None)
    with pytest.raises(
        ValueError, match="holds a study already; resume it, or choose another folder"
    ):
        make(folder, seed=2)
    monkeypatch.undo()
    assert open_store(folder).config.seed == 1


def test_a_store_with_two_studies_is_refused(tmp_path: Path) -> None:
    """Such as an earlier version could make."""
    store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("INSERT INTO study SELECT * FROM study")
    with pytest.raises(
        ValueError, match="cannot be read: its table `study` has 2 rows, and a store holds 1 study"
    ):
        Store.open(tmp_path)
