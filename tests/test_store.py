"""The store: rows go in whole and come out the same, one driver at a time, readable while a search runs."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy
from studies import config, store

from wiring_search.candidate import Candidate
from wiring_search.config import StudyConfig
from wiring_search.records import Outcome, Status
from wiring_search.store import FILE, Baseline, Store, Trial, exists
from wiring_search.tasks import TaskOptions
from wiring_search.topologies import ncp

CANDIDATE = Candidate(ncp(2, 3, 2, 1, 1, 1, 0, 1), steps=2)
RUNNING = Trial(0, 0, 0, Status.RUNNING, {"inter": 3}, CANDIDATE, None, "", {"note": 1})
TWIN = replace(RUNNING, trial=1, status=Status.DUPLICATE, duplicate_of=0)
IMPOSSIBLE = Trial(2, 0, 0, Status.INFEASIBLE, {"inter": 1}, None, None, "no", {})
OUTCOME = Outcome(Status.OK, 0.25, 0.75, 30, 13, 1.5, 2.5, (0.5, 0.25), b"weights")


def test_trials_come_back_as_they_went_in(tmp_path: Path) -> None:
    mine = store(tmp_path / "run")
    mine.asked(0, [RUNNING, TWIN, IMPOSSIBLE], {"generation": 3})
    assert mine.trials() == [RUNNING, TWIN, IMPOSSIBLE] and mine.packs() == 1 and mine.sampler_state(0) == {"generation": 3}
    mine.finished({0: OUTCOME}, "me")
    scores = {"error": 0.25, "metric": 0.75, "parameters": 30, "synapses": 13, "latency_us": 1.5, "train_seconds": 2.5}
    again = Store.open(tmp_path / "run")
    assert again.trials(0) == [
        replace(RUNNING, status=Status.OK, curve=(0.5, 0.25), score_seconds=0.0, **scores),
        replace(TWIN, score_seconds=0.0, **scores),
        IMPOSSIBLE,
    ]
    assert again.state(0) == b"weights" and again.state(2) is None
    assert again.config == config()


def test_diverged_scores_are_nan_in_the_table(tmp_path: Path) -> None:
    mine = store(tmp_path)
    mine.asked(0, [RUNNING], {})
    mine.finished({0: Outcome(Status.DIVERGED, math.nan, math.nan, 30, 13, 1.0, 1.0, (0.5, math.nan), None, "why")}, "me")
    row = mine.table().iloc[0]
    assert row["status"] == "diverged" and math.isnan(row["error"]) and row["message"] == "why" and row["synapses"] == 13
    assert [math.isnan(value) for value in mine.trials()[0].curve] == [False, True]


def test_table_has_the_promised_columns(tmp_path: Path) -> None:
    names = list(store(tmp_path).table().columns)
    assert names[:11] == "trial rung status wiring_id seed error synapses parameters latency_us train_seconds accuracy".split()
    assert [name for name in names if name.startswith("p.")] == [f"p.{name}" for name in config().space["dimensions"]]


def test_baselines_come_back_as_they_went_in_and_once(tmp_path: Path) -> None:
    mine = store(tmp_path)
    mine.asked(0, [RUNNING, IMPOSSIBLE], {})
    mine.baseline_finished("lstm-4", OUTCOME, "me")
    lost = Outcome(Status.DIVERGED, math.nan, math.nan, 30, 13, 1.0, 1.0, (math.nan,), None, "why")
    mine.baseline_finished("gru-4", lost, "me")
    first, second = Store.open(tmp_path).baselines()
    assert first == Baseline("lstm-4", Status.OK, 13, "", 0.25, 0.75, 30, 1.5, 2.5, (0.5, 0.25))
    assert second.status is Status.DIVERGED and math.isnan(second.score("error")) and math.isnan(second.curve[0])
    assert mine.baseline_state("lstm-4") == b"weights" and mine.baseline_state("gru-4") is None
    with pytest.raises(ValueError, match="has baseline 'lstm-4' already"):
        mine.baseline_finished("lstm-4", OUTCOME, "me")
    table = mine.table()
    assert table["baseline"].tolist() == ["", "", "lstm-4", "gru-4"] and table["synapses"].tolist()[2:] == [13, 13]
    assert table["trial"].isna().tolist() == [False, False, True, True] and table["p.inter"].tolist()[:2] == [3, 1]
    assert [t.trial for t in mine.trials()] == [0, 2] and mine.packs() == 1


def test_a_store_from_before_there_were_baselines_takes_them(tmp_path: Path) -> None:
    mine = store(tmp_path)
    with sqlalchemy.create_engine(f"sqlite:///{tmp_path / FILE}").begin() as connection:
        connection.execute(sqlalchemy.text("DROP TABLE baselines"))
    assert mine.baselines() == [] and mine.table().empty
    mine.baseline_finished("lstm-4", OUTCOME, "me")
    assert [b.name for b in Store.open(tmp_path).baselines()] == ["lstm-4"] and len(mine.table()) == 1


def test_a_pack_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    mine = store(tmp_path)
    mine.asked(0, [RUNNING], {})
    with pytest.raises(sqlalchemy.exc.IntegrityError):
        mine.asked(1, [replace(RUNNING, trial=1), RUNNING], {})
    assert mine.packs() == 1 and len(mine.trials()) == 1


def test_one_driver_at_a_time(tmp_path: Path) -> None:
    mine, other = store(tmp_path), Store.open(tmp_path)
    with mine.owned(), pytest.raises(ValueError, match="another search is running"), other.owned():
        pass
    with other.owned():
        assert other.trials() == []


def test_there_is_one_study_a_folder(tmp_path: Path) -> None:
    assert not exists(tmp_path)
    with pytest.raises(ValueError, match="holds no study"):
        Store.open(tmp_path)
    store(tmp_path)
    assert exists(tmp_path)
    with pytest.raises(ValueError, match="holds a study already"):
        store(tmp_path)


def test_a_store_cut_short_while_it_was_made_is_no_study(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    assert not exists(tmp_path)
    store(tmp_path)
    assert exists(tmp_path)


def test_another_schema_is_refused(tmp_path: Path) -> None:
    mine = store(tmp_path)
    with sqlalchemy.create_engine(f"sqlite:///{tmp_path / FILE}").begin() as connection:
        connection.execute(sqlalchemy.text("UPDATE study SET schema = 99"))
    mine.close()
    with pytest.raises(ValueError, match="schema 99; this version reads schema 2"):
        Store.open(tmp_path)


def test_config_goes_through_json_and_checks_itself() -> None:
    full = config(task_options=TaskOptions(data="x", inputs=("a",)), objectives=("error", "latency_us"), seed=4)
    assert StudyConfig.from_json(full.to_json()) == full
    for given, message in (
        ({"trials": 0}, "trials is 0; give a whole number, 1 or more"),
        ({"sampler": "cma"}, "sampler is 'cma'; known: tpe"),
        ({"objectives": ("error", "speed")}, "objectives are error, speed; give one or more of error"),
        ({"objectives": ()}, "objectives are none"),
        ({"seed": -1}, "seed is -1"),
    ):
        with pytest.raises(ValueError, match=message):
            config(**given)


def test_further_scores_come_back_and_a_missing_one_is_nan(tmp_path: Path) -> None:
    mine = store(tmp_path, scores=("memory",))
    mine.asked(0, [RUNNING, TWIN], {})
    mine.finished({0: replace(OUTCOME, scores={"memory": 0.5, "memory_lag": math.nan}, score_seconds=0.25)}, "me")
    for trial, row in zip(Store.open(tmp_path).trials(), mine.table().itertuples(), strict=True):
        assert trial.score("memory") == row.memory == 0.5 and trial.score("score_seconds") == row.score_seconds == 0.25
        assert math.isnan(trial.score("memory_lag")) and math.isnan(row.memory_lag)


def test_a_store_of_the_first_schema_is_read_and_gone_on_with(tmp_path: Path) -> None:
    mine = store(tmp_path)
    mine.asked(0, [RUNNING], {})
    mine.close()
    with sqlalchemy.create_engine(f"sqlite:///{tmp_path / FILE}").begin() as connection:
        for column in ("scores", "score_seconds"):
            connection.execute(sqlalchemy.text(f"ALTER TABLE trials DROP COLUMN {column}"))
        old = {name: value for name, value in mine.config.to_json().items() if name not in ("scores", "repeats")}
        connection.execute(sqlalchemy.text("UPDATE study SET schema = 1, config = :config"), {"config": json.dumps(old)})
    again = Store.open(tmp_path)
    again.finished({0: OUTCOME}, "me")
    assert again.config == mine.config and again.trials()[0].error == 0.25
