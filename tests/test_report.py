"""The report: true to the store, self-contained, and alive in a real browser."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from studies import fake_train, store, tiny_task

from wiring_search.pareto import hypervolume, is_front
from wiring_search.records import Outcome, Status
from wiring_search.report import _page as page
from wiring_search.report import report_data, write_report
from wiring_search.results import answer, compared, export, front, reference
from wiring_search.store import Store
from wiring_search.study import search
from workers.inline import InlinePool


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Store:
    mine = store(tmp_path_factory.mktemp("study"), trials=40)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    return mine


def test_front_is_what_no_row_dominates(finished: Store) -> None:
    table = finished.table()
    found = front(table, ("error", "synapses"))
    good = table[table["status"] == "ok"]
    for _, row in good.iterrows():
        better = good[(good["error"] <= row["error"]) & (good["synapses"] <= row["synapses"])]
        dominated = ((better["error"] < row["error"]) | (better["synapses"] < row["synapses"])).any()
        assert (row["trial"] in set(found["trial"])) == (not dominated)
    assert found["synapses"].is_monotonic_increasing and found["error"].is_monotonic_decreasing
    with pytest.raises(ValueError, match="'speed' is no objective"):
        front(table, ("speed",))


def test_the_answer_names_the_best_and_the_smallest_near_it(finished: Store) -> None:
    table = finished.table()
    good = table[table["status"] == "ok"]
    best = good.loc[good["error"].idxmin()]
    near = good[good["error"] <= best["error"] + 0.01]["synapses"].min()
    sentence = answer(table, "accuracy")
    assert f"trial {best['trial']}, has accuracy" in sentence and f"{best['synapses']} synapses" in sentence
    assert f"has {near} " in sentence or "no smaller wiring" in sentence
    assert answer(table[:0], "accuracy") == "No candidate has finished training yet."


def test_files_say_what_the_store_says(finished: Store) -> None:
    import pandas

    paths = {path.name: path for path in export(finished)}
    table = finished.table()
    from_csv = pandas.read_csv(paths["trials.csv"])
    assert np.allclose(from_csv["error"], table["error"], equal_nan=True) and list(from_csv.columns) == list(table.columns)
    assert pandas.read_parquet(paths["trials.parquet"]).equals(table)
    assert pandas.read_csv(paths["front.csv"])["trial"].tolist() == front(table, finished.config.objectives)["trial"].tolist()
    assert not list(finished.folder.glob("*.part"))


def test_history_ends_with_the_whole_fronts_hypervolume(finished: Store) -> None:
    table = finished.table()
    history = report_data(finished)["history"]
    points = table[table["status"] == "ok"][["error", "synapses"]].astype(float).to_numpy()
    corner = reference(finished, ("error", "synapses")).point
    assert history[-1]["hypervolume"] == pytest.approx(hypervolume(points[is_front(points)], corner))
    assert history[-1]["error"] == points[:, 0].min()
    volumes = [row["hypervolume"] for row in history]
    assert volumes == sorted(volumes)


def test_page_is_self_contained_and_safe(finished: Store) -> None:
    data = {**report_data(finished), "source": "</script><b>bold</b>", "answer": "a < b"}
    text = page(data)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text) and "@import" not in text
    assert "</script><b>" not in text and "a &lt; b" in text
    embedded = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert embedded and json.loads(embedded.group(1))["source"] == data["source"]


def test_baselines_stand_beside_the_candidates_and_change_nothing_of_them(tmp_path: Path) -> None:
    mine = store(tmp_path, trials=10)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    before, data = mine.table(), report_data(mine)
    # One that no candidate comes near, one that is just large, one that is the first one's worse twin, one that failed.
    given = {"lstm-4": (0.01, 9000), "lstm-8": (0.5, 9500), "gru-4": (0.02, 9000), "rnn-4": (np.nan, 1)}
    for name, (error, synapses) in given.items():
        status = Status.OK if np.isfinite(error) else Status.DIVERGED
        mine.baseline_finished(name, Outcome(status, error, 1 - error, 5, synapses, 1.0, 2.0, (error,)), "me")
    table = mine.table()
    assert table[: len(before)].equals(before) and table["baseline"][len(before) :].tolist() == list(given)
    assert front(table, ("error", "synapses")).equals(front(before, ("error", "synapses")))
    assert answer(table, "accuracy") == answer(before, "accuracy")
    joint = compared(table, ("error", "synapses"))
    best = joint[joint["baseline"] == ""]
    assert best["trial"].tolist() == front(table, ("error", "synapses"))["trial"].tolist() and best["on_front"].all()
    assert dict(zip(joint["baseline"], joint["on_front"], strict=True)) | {"": True} == {
        "": True,
        "rnn-4": False,
        "lstm-4": True,
        "gru-4": False,
        "lstm-8": False,
    }
    shown = report_data(mine)
    assert {**shown, "compared": []} == data
    assert [(row["name"], row["error"], row["front"]) for row in shown["compared"]] == [
        ("rnn-4", None, "no"),
        ("lstm-4", 0.01, "yes"),
        ("gru-4", 0.02, "no"),
        ("lstm-8", 0.5, "no"),
    ]
    assert '"lstm-4"' in write_report(mine).read_text(encoding="utf-8")


def test_a_candidate_that_a_baseline_beats_is_not_on_the_joint_front(tmp_path: Path) -> None:
    mine = store(tmp_path, trials=10)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    mine.baseline_finished("rnn-4", Outcome(Status.OK, 0.0, 1.0, 5, 1, 1.0, 2.0), "me")
    joint = compared(mine.table(), ("error", "synapses"))
    assert joint["on_front"].tolist() == [False] * (len(joint) - 1) + [True]


def test_an_empty_study_has_a_report_too(tmp_path: Path) -> None:
    path = write_report(store(tmp_path))
    assert "No candidate has finished" in path.read_text(encoding="utf-8")


def _browser() -> str:
    found = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs a Chromium or Chrome, and none is installed")
    return found


def _dom(path: Path, tmp_path: Path, script: str = "") -> str:
    """The page as a browser has it after its scripts, and `script`, have run."""
    copy = tmp_path / "page.html"
    copy.write_text(path.read_text(encoding="utf-8").replace("</body>", f"<script>{script}</script></body>"), encoding="utf-8")
    command = [
        _browser(),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1100,900",
    ]
    command += ["--virtual-time-budget=2000", "--dump-dom", copy.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


@pytest.mark.slow
def test_in_a_browser_every_candidate_is_drawn_and_hovering_shows_its_wiring(finished: Store, tmp_path: Path) -> None:
    path = write_report(finished)
    best = front(finished.table(), finished.config.objectives)["trial"].tolist()
    script = f"document.querySelector('.point[data-trial=\"{best[0]}\"]').dispatchEvent(new MouseEvent('mouseenter'));"
    dom = _dom(path, tmp_path, script)
    good = int((finished.table()["status"] == "ok").sum())
    assert len(re.findall(r'<g class="point', dom)) == good
    assert len(re.findall(r'<g class="point front"', dom)) == len(best)
    tip = dom[dom.index('<div id="tip"') : dom.index("<noscript")]
    assert "hidden" not in tip[:60] and f"trial {best[0]}</b>" in tip
    wiring = finished.trials()[best[0]].candidate.wiring
    assert len(re.findall(r'<path d="[^"]+" class="(?:exc|inh)"', tip)) == wiring.synapse_count
    assert len(re.findall(r'<circle[^>]*class="node', tip)) == wiring.sensory + wiring.neurons
    assert dom.count("<tr") >= len(best) + good


@pytest.mark.slow
def test_in_a_browser_baselines_have_their_own_marker_and_table(tmp_path: Path) -> None:
    mine = store(tmp_path / "run", trials=6)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    hidden = _dom(write_report(mine), tmp_path)
    assert re.search(r'<section[^>]* id="compared" hidden', hidden) and 'class="point compared' not in hidden
    mine.baseline_finished("lstm-4", Outcome(Status.OK, 0.01, 0.99, 5, 9000, 1.0, 2.0), "me")
    mine.baseline_finished("rnn-4", Outcome(Status.DIVERGED, np.nan, np.nan, 5, 48, 1.0, 2.0), "me")
    script = "document.querySelector('.point[data-baseline=\"lstm-4\"]').dispatchEvent(new MouseEvent('mouseenter'));"
    dom = _dom(write_report(mine), tmp_path, script)
    assert len(re.findall(r'<g class="point compared front"', dom)) == 1 and not re.search(r'id="compared" hidden', dom)
    tip = dom[dom.index('<div id="tip"') : dom.index("<noscript")]
    assert "baseline lstm-4</b>" in tip and "lies on the joint front" in tip
    rows = dom[dom.index('id="table-compared"') : dom.index('id="h-wirings"')]
    assert rows.count('<tr class="baseline"') == 2 and "diverged" in rows


@pytest.mark.slow
def test_in_a_browser_a_column_sorts_the_table(finished: Store, tmp_path: Path) -> None:
    path = write_report(finished)
    script = "[...document.querySelectorAll('#table-all th button')].find(b => b.textContent === 'error').click();"
    dom = _dom(path, tmp_path, script)
    body = dom[dom.index('id="table-all"') :]
    column = [cell for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body)[1:] if (cell := re.findall(r"<td[^>]*>(.*?)</td>", row))]
    errors = [float(cells[2]) for cells in column if cells[2] != "–"]
    assert errors == sorted(errors) and len(errors) == int(finished.table()["error"].notna().sum())
