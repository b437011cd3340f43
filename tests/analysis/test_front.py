"""A study's front: the reference point that stays, what several trainings say of it, its
picture."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy import stats

from tests.support import studies
from wiring_search.analysis.expected_error import expected_errors
from wiring_search.analysis.front import front_of
from wiring_search.analysis.pareto import hypervolume
from wiring_search.analysis.reference_point import reference
from wiring_search.analysis.table import candidates, front
from wiring_search.cli.tables import show_front
from wiring_search.report.pictures.front import draw_front
from wiring_search.run import Run
from wiring_search.search.study import search
from wiring_search.store import Retraining, Store
from wiring_search.tasks.task import Task
from wiring_search.wirings.palette import FRONT
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Beat, Outcome, PackJob, PackResult, Status, no_beat

BOTH = ("error", "synapses")


def _train(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    """As `fake_train`, with a memory, and a standard error where there are repeats."""
    done = studies.fake_train(task, job)
    more = {"memory": 0.4} | ({"error_se": 0.02, "error_upper": 1.0} if job.repeats > 1 else {})
    return replace(
        done,
        outcomes=tuple(
            replace(one, scores=more if one.status is Status.OK else {}) for one in done.outcomes
        ),
    )


def _studied(folder: Path, facts: dict = studies.FACTS, **given: object) -> Store:
    mine = studies.store(folder, facts, scores=("memory",), **given)
    search(mine.config, mine, InlinePool(_train, studies.tiny_task()))
    return mine


@pytest.fixture
def study(tmp_path: Path) -> Store:
    with closing(_studied(tmp_path / "study", trials=24)) as mine:
        yield mine


def test_the_reference_point_is_that_of_the_rule_and_stays(study: Store) -> None:
    finished = candidates(study.table())
    first = float(finished["synapses"].iloc[:16].max()) * 1.1
    found = reference(study, BOTH)
    assert found.kept
    assert found.shown == (0.9, first)
    assert "the worst trivial rule, majority class" in found.sentence
    # The search itself has kept it, in one order of the objectives, which means any order.
    assert (
        study.reference_point(BOTH)
        == found.shown
        == reference(study, ("synapses", "error")).shown[::-1]
    )
    study.set_trials(60)
    search(study.config, study, InlinePool(_train, studies.tiny_task()))
    assert reference(study, BOTH) == found
    other = reference(study, ("memory", "synapses"))
    assert other.shown == (0.0, first)
    assert other.point.tolist() == [0.0, first]
    assert "the worst possible" in other.sentence
    with pytest.raises(ValueError, match="'speed' is no objective"):
        reference(study, ("speed",))


def test_before_there_are_sixteen_it_is_not_kept(tmp_path: Path) -> None:
    facts = {**studies.FACTS, "rules": {}}
    with closing(_studied(tmp_path, facts, trials=9)) as mine:
        table = candidates(mine.table())
        found = reference(mine, BOTH)
        assert not found.kept
        assert mine.reference_point(BOTH) is None
        assert found.shown == pytest.approx(
            (table["error"].max() * 1.1, table["synapses"].max() * 1.1)
        )
    with closing(studies.store(tmp_path / "empty", facts)) as empty:
        assert not reference(empty, BOTH).known
        assert np.isnan(front_of(empty).hypervolume)
        assert front_of(empty).rows.empty


def test_hypervolume_is_below_the_reference_or_below_the_one_that_is_given(
    study: Store, capsys: pytest.CaptureFixture
) -> None:
    points = candidates(study.table())[list(BOTH)].astype(float).to_numpy()
    assert front_of(study).hypervolume == pytest.approx(
        hypervolume(points, reference(study, BOTH).point)
    )
    worse = front_of(study, given={"error": 0.01})
    assert worse.hypervolume == 0
    assert worse.reference.shown[0] == 0.01
    assert not worse.reference.kept
    show_front(Run(study.folder), worse)
    assert "It is 0: no candidate is better than this point" in capsys.readouterr().out
    assert reference(study, BOTH).shown[0] == 0.9
    with pytest.raises(ValueError, match="memory, which is no objective here"):
        front_of(study, given={"memory": 0})


def test_of_single_trainings_nothing_is_known(study: Store) -> None:
    found = front_of(study)
    assert found.rows["probability"].isna().all()
    assert not found.beside
    assert not found.by_errors
    assert (expected_errors(study, candidates(study.table()))["source"] == "").all()
    assert found.rows.loc[found.rows["knee"], "trial"].tolist() == (
        [] if found.knee is None else [found.knee]
    )


def test_trainings_are_found_wherever_they_stand_and_only_those_with_several_are_compared(
    study: Store,
) -> None:
    finished = candidates(study.table())
    first, second, third = finished["trial"].astype(int).iloc[:3]
    rows = [
        (finished["wiring_id"].iloc[0], init, order, 0.1 * init + 0.01 * order)
        for init in (1, 2, 3)
        for order in (1, 2)
    ]
    rows += [("another", 1, 1, 9.0), (finished["wiring_id"].iloc[0], 4, 1, np.nan)]
    pandas.DataFrame(rows, columns=["wiring_id", "init_seed", "data_seed", "error"]).to_csv(
        study.folder / f"repeat-{first}.csv", index=False
    )
    again = {}
    for trial, errors in ((first, (0.5, 0.5)), (second, (0.2, 0.4, 0.3, 0.9))):
        for draw, error in enumerate(errors):
            (candidate,) = study.candidates([trial])
            again[Retraining(trial, "", draw, candidate, 1)] = Outcome(
                Status.OK, error, 1 - error, 9, 9, 1.0, 1.0
            )
            again[Retraining(trial, "rewired", draw, candidate, 1)] = Outcome(
                Status.OK, 7.0, 1, 9, 9, 1.0, 1.0
            )
    study.record_retrainings(again, "me")
    known = expected_errors(study, finished).set_index(finished["trial"].astype(int))
    # Three networks of two orders each outweigh two retrainings.
    assert known.loc[first, "source"] == "repeat"
    assert known.loc[first, "mean"] == pytest.approx(0.215)
    assert known.loc[first, "standard_error"] == pytest.approx(0.1 / 3**0.5)
    assert known.loc[first, "freedom"] == 2
    assert known.loc[second, "source"] == "retrain"
    assert known.loc[second, "mean"] == pytest.approx(0.45)
    assert (known.loc[third, "source"], known.loc[third, "trainings"]) == ("", 1)
    assert np.isnan(known.loc[third, "standard_error"])
    assert known.loc[third, "mean"] == finished["error"].iloc[2]
    on_front = front_of(study).rows["trial"].astype(int).tolist()
    missing = [trial for trial in on_front if known.loc[trial, "trainings"] < 2]
    assert missing
    assert front_of(study).rows["probability"].isna().all()
    for trial in missing:
        for draw, error in enumerate((0.3, 0.5)):
            (candidate,) = study.candidates([trial])
            study.record_retrainings(
                {
                    Retraining(trial, "", draw, candidate, 1): Outcome(
                        Status.OK, error, 1 - error, 9, 9, 1.0, 1.0
                    )
                },
                "me",
            )
    found = front_of(study)
    assert found.by_errors
    assert found.rows["probability"].between(0, 1).all()
    assert found.rows["probability"].max() > 0
    # Others, whose one error is smaller than any of these means, do not stand against them.
    assert set(found.beside) <= {first, second} - set(on_front)


def test_probabilities_are_those_of_a_plain_simulation(tmp_path: Path) -> None:
    with closing(_studied(tmp_path, trials=20, repeats=4)) as mine:
        found, finished = front_of(mine), candidates(mine.table())
    assert (found.rows["source"] == "repeats").all()
    assert (found.rows["trainings"] == 4).all()
    error, size = (finished[name].astype(float).to_numpy() for name in BOTH)
    times, draws = np.zeros(len(error)), 3000
    for moved in error + 0.02 * stats.t(3).rvs((draws, len(error)), random_state=5):
        for i in range(len(error)):
            no_worse = (moved <= moved[i]) & (size <= size[i])
            times[i] += not (no_worse & ((moved < moved[i]) | (size < size[i]))).any()
    expected = dict(zip(finished["trial"].astype(int), times / draws, strict=True))
    shares = (
        dict(zip(found.rows["trial"].astype(int), found.rows["probability"], strict=True))
        | found.beside
    )
    assert found.rows["probability"].iloc[0] == 1
    assert 0 < min(shares.values()) < 0.9
    assert all(share == pytest.approx(expected[trial], abs=0.08) for trial, share in shares.items())
    assert all(expected[trial] < 0.33 for trial in expected.keys() - shares.keys())


@pytest.mark.parametrize(
    "objectives",
    [BOTH, ("memory", "error"), ("synapses", "parameters", "latency_us", "memory", "error")],
)
def test_the_picture_has_the_front_as_stairs(study: Store, objectives: tuple[str, ...]) -> None:
    found = front_of(study, objectives)
    axes = draw_front(study, found).axes[0]
    stairs = next(
        line for line in axes.lines if line.get_color() == FRONT and line.get_linestyle() == "-"
    )
    corners = set(zip(*stairs.get_data(), strict=True))
    across, up = ("memory", "error") if "synapses" not in objectives else ("synapses", "error")
    best = front(study.table(), (across, up))
    assert corners >= set(zip(best[across].astype(float), best[up].astype(float), strict=True))
    assert len(corners) <= 2 * len(best)
    assert axes.get_xlabel().startswith(across)
    assert (found.knee is None) == (
        not any("knee" in text.get_text() for text in axes.get_legend().get_texts())
    )
