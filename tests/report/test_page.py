"""Every page in a real browser, with names as long and as nasty as a user's table may have."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import studies
from tests.support.browser import Tab, opened_tab
from wiring_search.analysis.compare import compare
from wiring_search.analysis.table import front
from wiring_search.report import MATTERS, write_report
from wiring_search.report.compare import write_comparison
from wiring_search.report.page import as_json
from wiring_search.report.serve import server
from wiring_search.search.study import search
from wiring_search.store import Retraining
from wiring_search.tasks.task import Task
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Beat, Outcome, PackJob, PackResult, Status, no_beat

LONG = "column_" * 43
NASTY = ("<!--<script", "</script><b>bold</b>", "<!--JS-->", "\u2028\u2029", "\ud800")
NAME = "<!--<script>\u2028</script>" + LONG
FACTS = {**studies.FACTS, "source": NAME, "rules": {NAME: 0.9}}
_FOUND = {"partial": 0.1, "partial_lower": -0.2, "partial_upper": 0.4, "q": 0.01, "reading": NAME}
_CORRELATION = {"feature": NAME, "score": "error", "rho": 0.4, "lower": 0.2, "upper": 0.6}
_IMPORTANCE = {"dimension": NAME, "importance": 0.6, "lower": 0.4, "upper": 0.8, "chance": 0.1}
_BIN = {"at": NAME, "n": 9, "lower": 0.1, "median": 0.2, "upper": 0.3}
FACTORS = {
    "objectives": ["error"],
    "candidates": 40,
    "enough": True,
    "importance": {"error": [{**_IMPORTANCE, "trials": 40}]},
    "marginals": {"error": {NAME: {"log": None, "bins": [_BIN]}}},
    "correlations": [{**_CORRELATION, **_FOUND}],
}


def _train(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    given = studies.fake_train(task, job, beat)
    return replace(
        given, outcomes=tuple(replace(outcome, message=NAME) for outcome in given.outcomes)
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that fills every part of the report.

    It has baselines, winners with a control, the test split, and what matters.
    """
    folder = tmp_path_factory.mktemp("pages") / "study"
    with closing(studies.store(folder, FACTS, trials=12)) as mine:
        search(mine.config, mine, InlinePool(_train, studies.tiny_task()))
        mine.record_baseline(NAME, Outcome(Status.OK, 0.2, 0.8, 5, 9000, 1.0, 2.0), "me")
        best = mine.trial(int(front(mine.table(), ("error", "synapses"))["trial"].iloc[-1]))
        keys = {}
        for control in ("", "rewired"):
            for draw in range(3):
                one = Retraining(
                    best.trial, control, draw, replace(best.candidate, seed=draw), draw
                )
                outcome = Outcome(
                    Status.OK, 0.3 + draw / 100, 0.7, 9, 9, 1.0, 0.25, (0.3,), b"state"
                )
                mine.record_retrainings({one: outcome}, "me")
                keys[one.key] = (0.3 + draw / 100, 0.7)
        mine.record_opening(NAME, list(keys))
        mine.record_test_scores(keys)
        (folder / MATTERS).write_text(json.dumps(FACTORS), encoding="utf-8")
        write_report(mine, {"absent": NAME})
    return folder


@pytest.fixture(scope="module")
def addresses(study: Path) -> Iterator[dict[str, str]]:
    """The report, the page that compares two studies, and the served page."""
    other = study.parent / LONG[:200]
    with closing(studies.store(other, FACTS, trials=12, seed=1, sampler="random")) as mine:
        search(mine.config, mine, InlinePool(_train, studies.tiny_task()))
    compared, _ = write_comparison(compare([study, other]), study.parent)
    serving = server(study, port=0)
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield {
        "report": (study / "report.html").as_uri(),
        "compare": compared.as_uri(),
        "served": f"http://127.0.0.1:{serving.server_port}/",
    }
    serving.shutdown()
    thread.join()
    serving.server_close()


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with opened_tab(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


PAGES = ("report", "compare", "served")


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 820, 1400])
@pytest.mark.parametrize("page", PAGES)
def test_no_page_scrolls_sideways(
    page: str, width: int, addresses: dict[str, str], tab: Tab
) -> None:
    assert tab.open(addresses[page], width) == []
    assert tab.value("document.querySelectorAll('tbody tr').length") > 0
    assert tab.value("innerWidth") == width
    assert tab.value("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_on_a_phone_a_wide_table_scrolls_in_its_box(
    page: str, addresses: dict[str, str], tab: Tab
) -> None:
    tab.open(addresses[page], 390)
    boxes = tab.value(
        "[...document.querySelectorAll('.scroll')].filter(box => box.clientWidth)"
        ".map(box => [box.scrollWidth - box.clientWidth, getComputedStyle(box).overflowX])"
    )
    assert {overflow for _, overflow in boxes} == {"auto"}
    assert max(beyond for beyond, _ in boxes) > 0


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_on_a_phone_the_first_column_leaves_room_for_others(
    page: str, addresses: dict[str, str], tab: Tab
) -> None:
    tab.open(addresses[page], 390)
    widths = tab.value(
        "[...document.querySelectorAll('.scroll')].filter(box => box.clientWidth && "
        "box.querySelector('td'))"
        ".map(box => box.querySelector('td').offsetWidth / box.clientWidth)"
    )
    assert max(widths) < 0.6


@pytest.mark.slow
@pytest.mark.parametrize("page", ["report", "served"])
def test_a_name_that_looks_like_a_script_is_drawn_as_it_is(
    page: str, addresses: dict[str, str], tab: Tab
) -> None:
    assert tab.open(addresses[page], 1400) == []
    assert NAME in tab.value("document.getElementById('kicker').textContent")
    for table in ("baselines", "openings", "states", "correlations"):
        assert NAME[:200] in tab.value(f"document.getElementById('table-{table}').textContent"), (
            table
        )
    assert tab.value("document.querySelectorAll('b').length") > 0
    assert (
        tab.value("[...document.querySelectorAll('b')].some(bold => bold.textContent === 'bold')")
        is False
    )


@pytest.mark.slow
@pytest.mark.parametrize("text", NASTY)
def test_any_text_survives_a_script_element(text: str, tmp_path: Path, tab: Tab) -> None:
    page = tmp_path / "page.html"
    data = as_json({text: [text]})
    page.write_text(
        f'<script type="application/json" id="data">{data}</script><p>after</p>', encoding="utf-8"
    )
    tab.open(page.as_uri(), 1400)
    assert tab.value("document.querySelector('p').textContent") == "after"
    read = "JSON.stringify(JSON.parse(document.getElementById('data').textContent))"
    assert json.loads(tab.value(read)) == {text: [text]}
    page.write_text(f"<script>const data = {data};</script><p>after</p>", encoding="utf-8")
    assert tab.open(page.as_uri(), 1400) == []
    assert json.loads(tab.value("JSON.stringify(data)")) == {text: [text]}
