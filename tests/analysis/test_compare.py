"""Studies compared: which are runs of one method, what is measured, what may be concluded, and the
page in a real browser."""

import json
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import moocore
import numpy as np
import pandas
import pytest
from scipy.stats import mannwhitneyu

from tests.support import studies
from tests.support.browser import found_in
from wiring_search.analysis.compare import Comparison, bootstrap_interval, compare, course_of
from wiring_search.analysis.pareto import attainment
from wiring_search.analysis.reference_point import reference
from wiring_search.analysis.table import candidates
from wiring_search.report.compare import LEVELS, comparison_data, comparison_page
from wiring_search.search.study import search
from wiring_search.store import Store
from wiring_search.tasks import TaskOptions
from wiring_search.workers.inline import InlinePool


def _study(folder: Path, run: bool = True, **given: object) -> Path:
    with closing(studies.store(folder, **{"trials": 18, "sampler": "random", **given})) as mine:
        if run:
            search(mine.config, mine, InlinePool(studies.fake_train, studies.tiny_task()))
            mine.record_end()
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three runs each of a small and a larger search, and one of another sampler."""
    root = tmp_path_factory.mktemp("studies")
    few = [_study(root / f"few-{seed}", seed=seed) for seed in range(3)]
    many = [_study(root / f"many-s{seed}", seed=seed, trials=50) for seed in range(3)]
    return [*few, *many, _study(root / "qmc-0", sampler="qmc")]


@pytest.fixture(scope="module")
def found(folders: list[Path]) -> Comparison:
    return compare(folders)


def test_studies_that_differ_by_their_seed_are_runs_of_one_method(
    found: Comparison, folders: list[Path]
) -> None:
    assert [(method.name, [run.config.seed for run in method.runs]) for method in found.of] == [
        ("few", [0, 1, 2]),
        ("many", [0, 1, 2]),
        ("qmc-0", [0]),
    ]
    assert compare(folders[::-1]).runs.groupby("method")["share"].mean().to_dict() == pytest.approx(
        found.runs.groupby("method")["share"].mean().to_dict()
    )


def test_the_reference_is_the_worst_of_the_studies_references(
    found: Comparison, folders: list[Path]
) -> None:
    references = []
    for folder in folders:
        with closing(Store.open(folder)) as store:
            references.append(reference(store, ("error", "synapses")).shown)
    assert found.reference.shown == tuple(np.max(references, axis=0))
    assert found.reference.shown[0] == 0.9
    other = compare(folders, given={"synapses": 1000})
    assert other.reference.shown == (0.9, 1000)
    assert "as given" in other.reference.sentence
    assert (other.runs["hypervolume"] > found.runs["hypervolume"]).all()
    with pytest.raises(ValueError, match="memory, which is no objective here"):
        compare(folders, given={"memory": 0})


def test_what_is_measured_is_moocores(found: Comparison, folders: list[Path]) -> None:
    points = {}
    for folder in folders:
        with closing(Store.open(folder)) as store:
            points[folder.name] = (
                candidates(store.table())[["error", "synapses"]].astype(float).to_numpy()
            )
    everything = np.concatenate(list(points.values()))
    union = everything[moocore.is_nondominated(everything)]
    low, high = union.min(axis=0), np.array(found.reference.shown)
    for _, row in found.runs.iterrows():
        mine = points[row["study"]]
        volume = moocore.hypervolume(mine, ref=high)
        assert row["hypervolume"] == pytest.approx(volume)
        assert row["share"] == pytest.approx(volume / np.prod(high - low))
        bounded, front = (mine - low) / (high - low), (union - low) / (high - low)
        assert row["igd_plus"] == pytest.approx(moocore.igd_plus(bounded, ref=front))
        assert row["epsilon"] == pytest.approx(moocore.epsilon_additive(bounded, ref=front))
        assert row["error"] == mine[:, 0].min()
        near = mine[mine[:, 0] <= everything[:, 0].min() + 0.01, 1]
        assert np.array_equal(row["enough"], near.min() if len(near) else np.nan, equal_nan=True)


def test_courses_end_where_the_studies_do_and_are_cut_for_equal_cost(found: Comparison) -> None:
    cheapest = found.runs["core_seconds"].min()
    for method in found.of:
        for study in method.runs:
            row = found.runs.set_index("study").loc[study.name]
            course = course_of(study, found.reference)
            assert course["hypervolume"][-1] == pytest.approx(row["hypervolume"])
            assert (np.diff(course["hypervolume"]) >= 0).all()
            assert course["seconds"][-1] <= row["core_seconds"]
            assert course["judged"][-1] <= row["judged"] == study.config.trials
            before = course["hypervolume"][course["seconds"] <= cheapest]
            assert row["share_equal"] == pytest.approx(
                before[-1] * row["share"] / row["hypervolume"]
            )
    assert any("differ in cost" in said for said in found.cautions)


def test_differences_are_tested_where_there_are_seeds(found: Comparison) -> None:
    few, many = (
        found.runs.loc[found.runs["method"] == name, "share"].to_numpy() for name in ("few", "many")
    )
    (pair,) = found.pairs.to_dict("records")
    assert (pair["first"], pair["second"]) == ("few", "many")
    assert pair["difference"] == pytest.approx(few.mean() - many.mean())
    assert pair["p"] == pair["p_holm"] == mannwhitneyu(few, many, method="exact").pvalue
    assert pair["least_p"] == pytest.approx(0.1)
    assert pair["better"] == pytest.approx((few[:, None] > many).mean())
    assert any("p is at least 0.1," in said for said in found.cautions)
    assert any("Only one run: qmc-0." in said for said in found.cautions)
    assert "No difference between methods is significant" in found.answer
    assert "Significant differences" not in found.answer
    surely = replace(found, pairs=found.pairs.assign(p_holm=0.004, difference=-0.1))
    assert surely.answer.endswith("Significant differences: many beats few (p = 0.004).")
    methods = found.methods.set_index("method")
    assert (
        methods.loc["many", "share_lower"]
        <= many.mean()
        == methods.loc["many", "share"]
        <= methods.loc["many", "share_upper"]
    )
    assert np.isnan(methods.loc["qmc-0", "share_lower"])


def test_the_interval_of_a_mean_is_that_of_the_normal_distribution_for_many_values() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    assert bootstrap_interval(values) == pytest.approx(
        values.mean() + np.array([-1.96, 1.96]) * values.std() / 20, abs=0.02
    )
    assert np.isnan(bootstrap_interval([1.0, 2.0])).all()


def test_from_one_seed_nothing_is_concluded(folders: list[Path]) -> None:
    alone = compare([folders[0], folders[3]])
    assert alone.pairs.empty
    assert "One seed per method does not show which method is better." in alone.answer
    assert alone.methods["runs"].tolist() == [1, 1]
    assert [method.name for method in alone.of] == ["few-0", "many-s0"]
    assert "differ only in their seeds" in compare(folders[:3]).answer
    beaten = compare([folders[0], folders[3]], given={"error": 1e-6})
    assert (beaten.runs["share"] == 0).all()
    assert beaten.answer.startswith("All hypervolumes are 0:")


def test_what_does_not_compare_is_refused(folders: list[Path], tmp_path: Path) -> None:
    other = _study(tmp_path / "other", run=False, task="half-cheetah")
    cut = _study(tmp_path / "cut", run=False, task_options=TaskOptions(data="elsewhere"))
    same = _study(tmp_path / "same", run=False, seed=0)
    empty = [_study(tmp_path / f"empty-{seed}", run=False, seed=seed) for seed in (7, 8)]
    for given, objectives, message in (
        ([folders[0]], (), "a comparison needs two studies, and 1 is given"),
        ([folders[0], folders[0]], (), "is named twice"),
        ([folders[0], other], (), "is a study of digits, .*other of half-cheetah"),
        ([folders[0], cut], (), "different options of the task digits"),
        ([folders[0], same], (), "the same configuration and seed"),
        (empty, (), "no candidate has finished in"),
        (folders[:2], ("error",), "2 to 5 of them"),
        (folders[:2], ("error", "memory"), "few-0: memory was not measured"),
    ):
        with pytest.raises(ValueError, match=message):
            compare(given, objectives)


def test_a_study_without_a_candidate_stands_beside_the_others(
    folders: list[Path], tmp_path: Path
) -> None:
    found = compare([*folders[:3], _study(tmp_path / "empty", run=False, sampler="evolution")])
    last = found.runs.iloc[-1]
    assert last["share"] == 0 == last["judged"]
    assert np.isinf(last["igd_plus"])
    assert np.isnan(last["error"])
    json.dumps(comparison_data(found), allow_nan=False)
    assert (found.runs["share_equal"].iloc[:-1] > 0).all()
    assert any(said.startswith("No candidate has finished yet: empty.") for said in found.cautions)
    assert "Some studies have not ended." in found.cautions


def test_the_page_holds_the_surfaces_that_the_runs_attain(found: Comparison) -> None:
    data = comparison_data(found)
    for method, shown in zip(found.of, data["methods"], strict=True):
        if len(method.runs) == 1:
            assert shown["attained"] == {}
            assert shown["mean"] is None
            continue
        for corners, drawn in zip(
            attainment([run.points for run in method.runs], LEVELS),
            shown["attained"]["0,1"],
            strict=True,
        ):
            assert np.array(drawn) == pytest.approx(corners, rel=1e-4)
        # The mean curve ends where the run that ends first does, at the mean of the curves there.
        ends = [run["course"]["judged"][-1] for run in shown["runs"]]
        assert shown["mean"]["judged"]["at"][-1] == min(ends)
    assert data["settings"]["trials"] == ["18", "50", "18"]
    assert data["settings"]["sampler"] == [
        "random",
        "random",
        "qmc",
    ]
    faulty = replace(found, task="</script><b>bold</b>")
    assert "</script><b>" not in comparison_page(faulty)
    assert not re.search(r"""(src|href)\s*=""", comparison_page(faulty))


def test_the_command_tells_it_and_writes_page_and_table(
    folders: list[Path], found: Comparison, tmp_path: Path, run
) -> None:
    text = " ".join(run("compare", *folders, "--out", tmp_path / "new" / "out", "--quiet").split())
    assert found.answer in text
    assert "smallest possible p" in text
    assert str(tmp_path / "new" / "out" / "compare.html") in text
    table = pandas.read_csv(tmp_path / "new" / "out" / "compare.csv")
    assert table["share"].to_numpy() == pytest.approx(found.runs["share"].to_numpy())
    assert len(table) == len(folders)


@pytest.mark.slow
def test_in_a_browser_every_front_is_drawn_and_methods_can_be_hidden(
    found: Comparison, tmp_path: Path
) -> None:
    script = """
  const count = name => document.querySelectorAll(name).length;
  const spots = () => Compare.data.methods.map((_, m) => count(`#chart-fronts .spot.method-${m}`));
  const found = {spots: spots(), bands: count("#chart-fronts .band"), curves: count("#chart-judged .line"),
    rows: count("#table-runs tbody tr"), pairs: count("#table-pairs tbody tr"), answer: Base.byId("answer").textContent};
  document.querySelectorAll("#legend input")[1].click();
  return {...found, hidden: spots(), left: count("#chart-fronts .band"), wide: document.documentElement.scrollWidth <= innerWidth};
"""
    seen = found_in(comparison_page(found), tmp_path, script)
    fronts = [
        sum(len(run["front"]) for run in method["runs"])
        for method in comparison_data(found)["methods"]
    ]
    assert seen["spots"] == fronts
    assert seen["bands"] == 2
    assert seen["curves"] == 7 + 2
    assert seen["rows"] == 7
    assert seen["pairs"] == 1
    assert seen["answer"] == found.answer
    assert seen["hidden"] == [fronts[0], 0, fronts[2]]
    assert seen["left"] == 1
    assert seen["wide"]
