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
from wiring_search.report import page, report_data, write_report
from wiring_search.results import answer, export, front, hypervolume_reference
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
    reference = hypervolume_reference(table, ("error", "synapses"))
    assert history[-1]["hypervolume"] == pytest.approx(hypervolume(points[is_front(points)], reference))
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
def test_in_a_browser_a_column_sorts_the_table(finished: Store, tmp_path: Path) -> None:
    path = write_report(finished)
    script = "[...document.querySelectorAll('#table-all th button')].find(b => b.textContent === 'error').click();"
    dom = _dom(path, tmp_path, script)
    body = dom[dom.index('id="table-all"') :]
    column = [cell for row in re.findall(r"<tr[^>]*>(.*?)</tr>", body)[1:] if (cell := re.findall(r"<td[^>]*>(.*?)</td>", row))]
    errors = [float(cells[2]) for cells in column if cells[2] != "–"]
    assert errors == sorted(errors) and len(errors) == int(finished.table()["error"].notna().sum())
