"""The report: true to the store, self-contained, and alive in a real browser."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.browser import found_in
from tests.support.studies import FACTS, fake_train, store, tiny_task
from wiring_search import report
from wiring_search.analysis.enough import enough
from wiring_search.analysis.pareto import hypervolume, is_front
from wiring_search.analysis.reference_point import reference
from wiring_search.analysis.table import compared, front
from wiring_search.report import report_data, report_page, write_report
from wiring_search.run.files import export
from wiring_search.search.study import search
from wiring_search.store import Store
from wiring_search.tasks.task import Task
from wiring_search.wirings.palette import DARK, LIGHT
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Beat, Outcome, PackJob, PackResult, Status


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
        dominated = (
            (better["error"] < row["error"]) | (better["synapses"] < row["synapses"])
        ).any()
        assert (row["trial"] in set(found["trial"])) == (not dominated)
    assert found["synapses"].is_monotonic_increasing
    assert found["error"].is_monotonic_decreasing
    with pytest.raises(ValueError, match="'speed' is no objective"):
        front(table, ("speed",))


def test_the_answer_names_the_best_and_the_smallest_near_it(finished: Store) -> None:
    table = finished.table()
    good = table[table["status"] == "ok"]
    best = good.loc[good["error"].idxmin()]
    near = good[good["error"] <= best["error"] + 0.01]["synapses"].min()
    sentence = enough(finished).sentence
    assert f"trial {best['trial']}, has accuracy" in sentence
    assert f"{best['synapses']} synapses" in sentence
    assert f"has {near} " in sentence or "no smaller wiring" in sentence


def test_a_study_without_candidates_claims_nothing(tmp_path: Path) -> None:
    assert enough(store(tmp_path)).sentence == "No candidate has finished training yet."


def test_files_say_what_the_store_says(finished: Store) -> None:
    import pandas

    paths = {path.name: path for path in export(finished)}
    table = finished.table()
    from_csv = pandas.read_csv(paths["trials.csv"])
    assert np.allclose(from_csv["error"], table["error"], equal_nan=True)
    assert list(from_csv.columns) == list(table.columns)
    assert pandas.read_parquet(paths["trials.parquet"]).equals(table)
    assert (
        pandas.read_csv(paths["front.csv"])["trial"].tolist()
        == front(table, finished.config.objectives)["trial"].tolist()
    )
    assert not list(finished.folder.glob("*.part"))


def test_history_ends_with_the_whole_fronts_hypervolume(finished: Store) -> None:
    table = finished.table()
    went = report_data(finished)["progress"]["study"]
    points = table[table["status"] == "ok"][["error", "synapses"]].astype(float).to_numpy()
    corner = reference(finished, ("error", "synapses")).point
    assert went["hypervolume"][-1] == pytest.approx(
        hypervolume(points[is_front(points)], corner), rel=1e-4
    )
    assert went["error"][-1] == pytest.approx(points[:, 0].min(), rel=1e-4)
    spent = table[["train_seconds", "score_seconds"]].sum(axis=None)
    assert went["seconds"][-1] == pytest.approx(spent, rel=1e-4)
    assert (
        went["judged"][-1]
        == (table["status"] != "duplicate").sum() - (table["status"] == "infeasible").sum()
    )
    assert all(went[name] == sorted(went[name]) for name in ("judged", "seconds", "hypervolume"))


def test_page_is_self_contained_and_safe(finished: Store) -> None:
    data = report_data(finished)
    data = {
        **data,
        "source": "</script><b>bold</b> <!--JS-->",
        "lead": {**data["lead"], "answer": "a < b"},
    }
    text = report_page(data)
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", text)
    assert "@import" not in text
    assert "</script><b>" not in text
    assert "a &lt; b" in text
    embedded = re.search(
        r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL
    )
    assert embedded
    assert json.loads(embedded.group(1))["source"] == data["source"]


def test_colours_have_the_contrast_that_readers_need() -> None:
    """WCAG 2.2, AA: 4.5 for text, 3 for what must be distinguished in pictures, in both schemes."""
    for colours in (LIGHT, DARK):
        for name in ("ink", "soft", "accent", "base", "good", "warn", "bad", "exc", "inh"):
            assert (
                min(_contrast(colours[name], colours[under]) for under in ("paper", "card")) >= 4.5
            ), name
        for name in ("dot", *(f"kind-{i}" for i in range(8))):
            assert _contrast(colours[name], colours["card"]) >= 3, name
        ramp = [_contrast(colours[f"ramp-{i}"], colours["card"]) for i in range(3)]
        assert ramp == sorted(ramp)
        assert ramp[0] > 2


def test_no_colour_is_written_twice() -> None:
    """Pages take colours from variables, pictures and graphs from the palette."""
    package = Path(report.__file__).parents[1]
    files = [path for path in package.rglob("*") if path.suffix in (".py", ".js", ".css", ".html")]
    written = [path.name for path in files if re.search(r"#[0-9a-f]{6}\b", path.read_text("utf-8"))]
    assert written == ["palette.py"]


def test_a_style_sheet_uses_no_colour_that_is_not_in_the_palette() -> None:
    web = Path(report.__file__).parent / "web"
    text = "".join(path.read_text("utf-8") for path in web.iterdir())
    defined = {*LIGHT, *re.findall(r"--([\w-]+)[:\"]", text)}
    assert set(re.findall(r"var\(--([\w-]+)", text)) <= defined


def test_both_schemes_have_the_same_colours() -> None:
    assert LIGHT.keys() == DARK.keys()


def _contrast(one: str, other: str) -> float:
    light = []
    for colour in (one, other):
        shares = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ [0.2126, 0.7152, 0.0722]))
    return (max(light) + 0.05) / (min(light) + 0.05)


def test_baselines_stand_beside_the_candidates_and_change_nothing_of_them(tmp_path: Path) -> None:
    mine = store(tmp_path, trials=10)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    before, data, claim = mine.table(), report_data(mine), enough(mine).sentence
    # One far better than all candidates, one only large, a slightly worse twin of the first, and
    # one that failed.
    given = {
        "lstm-4": (0.01, 9000),
        "lstm-8": (0.5, 9500),
        "gru-4": (0.02, 9000),
        "rnn-4": (np.nan, 1),
    }
    for name, (error, synapses) in given.items():
        status = Status.OK if np.isfinite(error) else Status.DIVERGED
        mine.record_baseline(
            name, Outcome(status, error, 1 - error, 5, synapses, 1.0, 2.0, (error,)), "me"
        )
    table = mine.table()
    assert table[: len(before)].equals(before)
    assert table["baseline"][len(before) :].tolist() == list(given)
    assert front(table, ("error", "synapses")).equals(front(before, ("error", "synapses")))
    assert enough(mine).sentence == claim
    joint = compared(table, ("error", "synapses"))
    best = joint[joint["baseline"] == ""]
    assert best["trial"].tolist() == front(table, ("error", "synapses"))["trial"].tolist()
    assert best["on_front"].all()
    assert dict(zip(joint["baseline"], joint["on_front"], strict=True)) | {"": True} == {
        "": True,
        "rnn-4": False,
        "lstm-4": True,
        "gru-4": False,
        "lstm-8": False,
    }
    shown = report_data(mine)
    changed = ("baselines", "cost", "checklist")
    assert {k: v for k, v in shown.items() if k not in changed} == {
        k: v for k, v in data.items() if k not in changed
    }
    assert [(row["name"], row["error"], row["front"]) for row in shown["baselines"]] == [
        ("rnn-4", None, "no"),
        ("lstm-4", 0.01, "yes"),
        ("gru-4", 0.02, "no"),
        ("lstm-8", 0.5, "no"),
    ]
    assert '"lstm-4"' in write_report(mine).read_text(encoding="utf-8")


def test_a_candidate_that_a_baseline_beats_is_not_on_the_joint_front(tmp_path: Path) -> None:
    mine = store(tmp_path, trials=10)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    mine.record_baseline("rnn-4", Outcome(Status.OK, 0.0, 1.0, 5, 1, 1.0, 2.0), "me")
    joint = compared(mine.table(), ("error", "synapses"))
    assert joint["on_front"].tolist() == [False] * (len(joint) - 1) + [True]


def test_an_empty_study_has_a_report_too(tmp_path: Path) -> None:
    path = write_report(store(tmp_path))
    assert "No candidate has finished" in path.read_text(encoding="utf-8")


# Where a score stands in the picture, from the labels of its axis alone; and the tip of a pointer
# there.
_POINTING = """
  const over = document.querySelector("#chart-front .over"), back = document.querySelector("#chart-front .plot > svg");
  const edge = over.getBoundingClientRect();
  const read = (text, end) => [Number(text.textContent.replaceAll(",", "")),
    end ? Number(text.getAttribute("y")) - 4 : Number(text.getAttribute("x"))];
  const labels = anchor => [...back.querySelectorAll(`text[text-anchor=${anchor}]:not([class])`)].map(t => read(t, anchor === "end"));
  const bend = on => on ? Math.log : x => x;
  const along = (ticks, log) => {
    const [a, b] = [ticks[0], ticks.at(-1)], f = bend(log);
    return v => a[1] + (f(v) - f(a[0])) / (f(b[0]) - f(a[0])) * (b[1] - a[1]); };
  const logs = [...document.querySelectorAll("#chart-front .controls input")].map(box => box.checked);
  const X = along(labels("middle"), logs[1]), Y = along(labels("end"), logs[0]);
  const mouse = {bubbles: true, button: 0, pointerType: "mouse"};
  const point = (kind, a, b) => over.dispatchEvent(
    new PointerEvent(kind, {...mouse, clientX: edge.left + a, clientY: edge.top + b}));
"""


@pytest.mark.slow
def test_in_a_browser_the_front_is_pointed_at_chosen_zoomed_and_sorted(
    finished: Store, tmp_path: Path
) -> None:
    script = (
        _POINTING
        + """
  const found = {}, {study, view} = Study, tip = document.getElementById("tip"), all = name => [...document.querySelectorAll(name)];
  const paths = host => host.querySelectorAll("path.exc, path.inh").length, nodes = host => host.querySelectorAll("circle.node").length;
  found.points = all(".point.front").map(p => Number(p.dataset.trial));
  const first = document.querySelector(".point.front");
  first.dispatchEvent(new MouseEvent("mouseenter"));
  found.tip = {hidden: tip.hidden, text: tip.textContent, paths: paths(tip), nodes: nodes(tip)};
  found.tips = study.ok.map(i => { point("pointermove", X(study.value(i, "synapses")), Y(study.value(i, "error")));
    return [study.columns.trial[i], tip.hidden ? null : Number(/trial (\\d+)/.exec(tip.textContent)[1])]; });
  const tabs = () => all(".point.front[tabindex='0']").map(p => Number(p.dataset.trial));
  found.stops = tabs().length;
  const press = key => document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  document.querySelector(".point.front[tabindex='0']").focus(); press("Home"); press("ArrowRight"); press("Enter");
  found.walked = {hash: location.hash, focus: Number(document.activeElement.dataset.trial),
    head: document.getElementById("detail-head").textContent, paths: paths(document.getElementById("detail-wiring"))};
  history.replaceState(null, "", "#trial=" + found.points.at(-1));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
  found.linked = document.getElementById("detail-head").textContent;
  const again = document.querySelector("#chart-front .over"), top = again.getBoundingClientRect().top;
  const at = (kind, a, b) => again.dispatchEvent(new PointerEvent(kind, {...mouse, clientX: edge.left + a, clientY: top + b}));
  at("pointerdown", 100, 60); at("pointermove", 500, 300); at("pointerup", 500, 300);
  found.zoomed = [view.zoom !== null, all(".point.front").length];
  [...document.querySelectorAll("#chart-front button")].find(b => b.textContent === "Show all").click();
  found.whole = all(".point.front").length;
  const across = all("#chart-front select")[1];
  across.value = "parameters"; across.dispatchEvent(new Event("change"));
  found.title = all("#chart-front .title").map(t => t.textContent);
  const table = document.getElementById("table-all");
  [...table.querySelectorAll("th button")].find(b => b.textContent === "error").click();
  found.sorted = [...table.querySelectorAll("tbody tr")].map(row => row.children[2].textContent);
  found.said = table.querySelector(".count").textContent;
  const search = table.querySelector("input"); search.value = "DIVERGED"; search.dispatchEvent(new Event("input"));
  found.searched = table.querySelector(".count").textContent;
  return found;"""
    )
    found = found_in(write_report(finished).read_text(encoding="utf-8"), tmp_path, script)
    table = finished.table()
    good, best = (
        table[table["status"] == "ok"],
        front(table, finished.config.objectives)["trial"].tolist(),
    )
    wiring = finished.trial(best[0]).candidate.wiring
    assert found["points"] == best
    assert found["tip"] == {
        "hidden": False,
        "text": found["tip"]["text"],
        "paths": wiring.synapse_count,
        "nodes": wiring.sensory + wiring.neurons,
    }
    assert f"trial {best[0]}" in found["tip"]["text"]
    assert len(found["tips"]) == len(good)
    # Where dots lie on each other, the tip is that of the nearest one.
    errors = dict(zip(good["trial"], good["error"], strict=True))
    assert all(
        tip is not None and abs(errors[tip] / errors[trial] - 1) < 0.1
        for trial, tip in found["tips"]
    )
    assert sum(trial == tip for trial, tip in found["tips"]) >= 0.8 * len(good)
    second = finished.trial(best[1]).candidate.wiring
    assert found["stops"] == 1
    assert found["walked"]["hash"] == f"#trial={best[1]}"
    assert found["walked"]["focus"] == best[1]
    assert found["walked"]["head"].startswith(f"Trial {best[1]}")
    assert found["walked"]["paths"] == second.synapse_count
    assert found["linked"].startswith(f"Trial {best[-1]}")
    assert found["zoomed"][0]
    assert found["zoomed"][1] < len(best) == found["whole"]
    assert "parameters" in found["title"]
    assert found["sorted"] == sorted(found["sorted"], key=float)
    assert found["said"] == f"1–25 of {len(table)}"
    assert found["searched"].endswith(f"of {(table['status'] == 'diverged').sum()}")


@pytest.mark.slow
def test_in_a_browser_baselines_and_random_search_are_drawn_beside(tmp_path: Path) -> None:
    mine = store(tmp_path / "run", trials=6)
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    script = """
  const rows = [...document.querySelectorAll("#table-baselines tbody tr")];
  document.querySelector(".point.baseline")?.dispatchEvent(new MouseEvent("mouseenter"));
  return {hidden: document.getElementById("baselines").hidden, diamonds: document.querySelectorAll(".point.baseline.front").length,
    rows: rows.map(row => row.textContent), tip: document.getElementById("tip").textContent,
    note: document.getElementById("progress-note").textContent,
    lines: document.querySelectorAll("#progress-judged path.line").length, bars: document.querySelectorAll(".bar-row.baseline").length};"""
    bare = found_in(report_page(report_data(mine)), tmp_path, script)
    assert bare["hidden"]
    assert not bare["diamonds"]
    assert "wiring-search random OUT" in bare["note"]
    assert bare["lines"] == 1
    mine.record_baseline("lstm-4", Outcome(Status.OK, 0.01, 0.99, 5, 9000, 1.0, 2.0), "me")
    mine.record_baseline("rnn-4", Outcome(Status.DIVERGED, np.nan, np.nan, 5, 48, 1.0, 2.0), "me")
    other = store(tmp_path / "run" / "random", trials=6, sampler="random")
    search(other.config, other, InlinePool(fake_train, tiny_task()))
    found = found_in(report_page(report_data(mine)), tmp_path, script)
    assert not found["hidden"]
    assert found["diamonds"] == 1
    assert len(found["rows"]) == 2
    assert "diverged" in "".join(found["rows"])
    assert "baseline lstm-4" in found["tip"]
    assert "On the joint front" in found["tip"]
    assert found["lines"] == 2
    assert "random search with the same settings." in found["note"]
    assert found["bars"] == 1


@pytest.mark.slow
def test_in_a_browser_ten_thousand_candidates_make_no_more_elements_than_a_hundred(
    finished: Store, tmp_path: Path
) -> None:
    data = report_data(finished)
    times = 10_000 // len(data["columns"]["trial"])
    many = {name: values * times for name, values in data["columns"].items() if name != "status"}
    many["trial"] = list(range(len(many["trial"])))
    status = data["columns"]["status"]
    dimensions = {name: values * times for name, values in data["dimensions"].items()}
    columns = {**many, "status": {**status, "codes": status["codes"] * times}}
    between = {"importance": 0.6, "lower": 0.4, "upper": 0.8, "chance": 0.1, "trials": 40}
    held = {
        "partial": 0.1,
        "partial_lower": -0.2,
        "partial_upper": 0.4,
        "q": 0.01,
        "reading": "size explains it",
    }
    matters = {
        "objectives": ["error"],
        "candidates": 40,
        "enough": True,
        "importance": {
            "error": [
                {"dimension": "inter", **between},
                {"dimension": "motor", **between, "importance": 0.05},
            ]
        },
        "marginals": {
            "error": {
                "inter": {
                    "log": False,
                    "bins": [{"at": 4, "n": 9, "lower": 0.1, "median": 0.2, "upper": 0.3}],
                }
            }
        },
        "correlations": [
            {"feature": "density", "score": "error", "rho": 0.4, "lower": 0.2, "upper": 0.6, **held}
        ],
    }
    script = """
  const begun = performance.now(); Sections.drawSections();
  return {elements: document.querySelectorAll("*").length, rows: Study.study.count, redrawn: performance.now() - begun,
    shares: document.querySelectorAll("#factors .share").length, said: document.querySelector("#factors-structure svg").ariaLabel,
    absent: document.getElementById("factors-absent").hidden};"""
    data["factors"] = matters
    found = found_in(
        report_page({**data, "columns": columns, "dimensions": dimensions}), tmp_path, script
    )
    assert found["absent"]
    assert found["shares"] == 2
    assert "density 0.4, size explains it" in found["said"]
    few = found_in(report_page(data), tmp_path, script)
    assert found["rows"] > 9000
    assert found["elements"] < few["elements"] + 50


@pytest.mark.slow
def test_in_a_browser_odd_studies_are_drawn_too(finished: Store, tmp_path: Path) -> None:
    one = store(tmp_path / "one", trials=1)
    search(one.config, one, InlinePool(_good, tiny_task()))
    lost = store(tmp_path / "lost", trials=3)
    search(lost.config, lost, InlinePool(_lost, tiny_task()))
    other = store(
        tmp_path / "other",
        trials=6,
        objectives=("memory", "expressivity", "parameters"),
        scores=("memory", "dynamics"),
    )
    search(other.config, other, InlinePool(_half_measured, tiny_task()))
    odd = [report_data(mine) for mine in (store(tmp_path / "empty"), one, lost, other)]
    script = f"""
  const text = id => document.getElementById(id).textContent;
  return {json.dumps(odd)}.map(given => {{ Object.assign(Study.view, {{x: null, y: null, trial: null}});
    Study.adopt(given); Sections.drawSections();
    return [text("answer"), document.getElementById("lead").hidden, document.querySelectorAll(".point.front").length,
      [...document.querySelectorAll("#chart-front .title")].map(t => t.textContent), text("chart-front")]; }});"""
    empty, single, none, third = found_in(report_page(report_data(finished)), tmp_path, script)
    assert "No candidate" in empty[0]
    assert empty[1]
    assert "No candidate" in empty[4]
    assert not single[1]
    assert single[2] == 1
    assert "No candidate" in none[4]
    assert third[3] == ["memory", "expressivity"]
    assert third[2] == sum(
        other.trial(number).score("memory") == other.trial(number).score("memory")
        for number in odd[3]["front"]
    )


@pytest.mark.slow
def test_in_a_browser_the_best_stands_beside_the_rules_where_no_wiring_is_enough(
    finished: Store, tmp_path: Path
) -> None:
    data = report_data(finished)
    lead = {**data["lead"], "small": None, "best": None, "sure": []}
    script = """
  const shown = id => !document.getElementById(id).hidden;
  const names = [...document.querySelectorAll(".bar-name")].map(name => name.textContent);
  return {lead: shown("lead"), uncertainty: shown("lead-uncertainty"), names,
    picture: document.getElementById("lead-wiring").textContent};"""
    found = found_in(report_page({**data, "lead": lead}), tmp_path, script)
    table = finished.table()
    best = table.loc[table["error"].idxmin(), "trial"]
    assert found["lead"]
    assert not found["uncertainty"]
    assert f"Trial {best} " in found["picture"]
    assert any(name.startswith("best candidate") for name in found["names"])
    assert set(FACTS["rules"]) <= set(found["names"])


def _good(task: Task, job: PackJob, beat: Beat) -> PackResult:
    whole = tuple(
        Outcome(Status.OK, 0.1, 0.9, 5, c.wiring.synapse_count, 1.0, 0.5, (0.1,), b"")
        for c in job.candidates
    )
    return PackResult(job.number, whole, "me")


def _lost(task: Task, job: PackJob, beat: Beat) -> PackResult:
    return PackResult(
        job.number,
        tuple(Outcome(Status.DIVERGED, np.nan, np.nan, 5, 5, np.nan, 0.5) for _ in job.candidates),
        "me",
    )


def _half_measured(task: Task, job: PackJob, beat: Beat) -> PackResult:
    """Further scores, which about half of the candidates lack."""
    given = fake_train(task, job, beat)
    names = ("memory", "memory_lag", "expressivity", "gradient_slope", "kernel_rank")
    scored = (
        replace(
            o,
            scores=dict.fromkeys(names, np.nan if o.synapses % 2 else o.synapses / 100),
            status=Status.OK,
            error=0.2,
            metric=0.8,
        )
        for o in given.outcomes
    )
    return PackResult(job.number, tuple(scored), "me")
