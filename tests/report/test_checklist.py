"""The checklist: every item has the answer that the store supports, and no better one."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.studies import config, fake_train, store, tiny_task
from wiring_search.report import report_data
from wiring_search.report.checklist import Compared, Known, checklist
from wiring_search.search.study import search
from wiring_search.store.environment import CHANGED, environment
from wiring_search.workers.inline import InlinePool

HERE = {**environment(), "commit": "a" * 40}
OLD = {name: HERE[name] for name in ("wiring-search", "python", "torch")}
BARE = Known(config(), OLD, judged=0, ended=False)
SETTINGS = replace(BARE.config, sampler="random", trials=90)
RANDOM = Compared(SETTINGS, HERE, judged=90)
FULL = Known(
    config(),
    HERE,
    90,
    True,
    RANDOM,
    baselines=2,
    seeds=5,
    controls=4,
    seconds=3600.0,
    wall_seconds=1800.0,
)


def _answer(known: Known, question: str) -> tuple[str, str]:
    (item,) = (item for item in checklist(known) if question in item.question)
    return item.answer, item.evidence


@pytest.mark.parametrize(
    ("question", "changes", "answer", "evidence"),
    [
        ("Code of the training pipeline", {}, "yes", "a" * 40),
        (
            "Code of the training pipeline",
            {"versions": {**HERE, "commit": "a" * 40 + CHANGED}},
            "partly",
            "uncommitted changes",
        ),
        ("Code of the training pipeline", {"versions": OLD}, "partly", "no commit was recorded"),
        ("Code of the search method", {}, "yes", "a" * 40),
        ("Code of the search method", {"versions": OLD}, "partly", "no commit was recorded"),
        ("Code of the search space", {}, "yes", "dimensions"),
        ("final evaluation", {}, "yes", "5 seeds"),
        ("final evaluation", {"seeds": 0}, "partly", "wiring-search retrain OUT"),
        ("Hyperparameters of the search method", {}, "yes", "Sampler tpe"),
        ("Same data", {}, "yes", "only the sampler differs"),
        ("Same data", {"random": None}, "no", "wiring-search random OUT"),
        (
            "Same data",
            {"random": replace(RANDOM, config=replace(SETTINGS, epochs=1))},
            "no",
            "epochs",
        ),
        ("Confounding", {}, "yes", HERE["processor"]),
        (
            "Confounding",
            {"random": replace(RANDOM, versions={**HERE, "torch": "0"})},
            "no",
            "different torch",
        ),
        (
            "Confounding",
            {"versions": OLD, "random": replace(RANDOM, versions=OLD)},
            "partly",
            "not recorded",
        ),
        ("Confounding", {"random": None}, "no", "wiring-search random OUT"),
        ("Ablation", {}, "partly", "4 null wirings"),
        ("Ablation", {"controls": 0}, "no", "wiring-search retrain OUT"),
        ("Same evaluation protocol", {}, "yes", "Random search and 2 baselines"),
        (
            "Same evaluation protocol",
            {"random": None, "baselines": 0},
            "no",
            "wiring-search random OUT",
        ),
        (
            "Same evaluation protocol",
            {"random": replace(RANDOM, config=replace(SETTINGS, epochs=1))},
            "no",
            "epochs",
        ),
        ("over time", {}, "yes", "over worker-seconds"),
        ("over time", {"judged": 0}, "no", "No candidate"),
        ("random search", {}, "yes", "evaluated 90"),
        ("random search", {"judged": 91}, "partly", "90 of 91"),
        ("random search", {"random": None}, "no", "wiring-search random OUT"),
        ("random search", {"random": None, "config": SETTINGS}, "yes", "is a random search"),
        ("Several runs", {}, "partly", "5 recorded seeds"),
        ("Several runs", {"seeds": 0, "config": config(repeats=3)}, "partly", "trained 3 times"),
        ("Several runs", {"seeds": 0}, "no", "once"),
        ("Tabular", {}, "no", "real training"),
        ("tuned", {}, "no", "does not record"),
        ("end to end", {}, "yes", "1 worker-hours"),
        ("end to end", {"ended": False}, "partly", "has not ended"),
        ("end to end", {"judged": 0}, "no", "No candidate"),
        ("All details", {}, "yes", "machine"),
        ("All details", {"versions": OLD}, "partly", "processor"),
    ],
)
def test_an_item_is_answered_by_what_the_store_shows(
    question: str, changes: dict, answer: str, evidence: str
) -> None:
    found = _answer(replace(FULL, **changes), question)
    assert found[0] == answer
    assert evidence in found[1]


def test_a_bare_study_claims_nothing_that_it_does_not_have() -> None:
    always = {"Code of the search space", "Hyperparameters of the search method, and random seeds"}
    assert {item.question for item in checklist(BARE) if item.answer == "yes"} == always
    assert len(checklist(BARE)) == 16


def test_a_report_fills_it_in_from_its_store(tmp_path: Path) -> None:
    mine = store(tmp_path, trials=6)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    answers = {item["question"]: item["answer"] for item in report_data(mine)["checklist"]}
    assert answers["Compared with random search"] == "no"
    assert answers["Time of the whole method, end to end"] == "partly"
    other = store(tmp_path / "random", trials=6, sampler="random")
    search(other.config, other, InlinePool(fake_train, tiny_task()))
    mine.record_end()
    answers = {item["question"]: item["answer"] for item in report_data(mine)["checklist"]}
    assert (
        answers["Compared with random search"]
        == answers["Time of the whole method, end to end"]
        == "yes"
    )


def test_where_a_study_was_made_is_in_its_store(tmp_path: Path) -> None:
    versions = store(tmp_path).versions
    assert versions == environment()
    assert {
        "platform",
        "processor",
        "cores",
        "python",
        "torch",
    } <= set(versions)
    assert len(versions.get("commit", "a" * 40).split()[0]) == 40
