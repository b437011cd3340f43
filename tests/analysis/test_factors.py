"""What matters is found where it is known what does, said with the confidence that it has, and
written for people and pandas."""

import json
import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import optuna
import pandas
import pytest
from optuna.importance import PedAnovaImportanceEvaluator
from scipy.stats import spearmanr

from tests.support import studies
from wiring_search import run as examine
from wiring_search.analysis.factors import factors_of, marginal, plain_data, reading, sentence
from wiring_search.analysis.importance import importances
from wiring_search.analysis.table import candidates
from wiring_search.report import report_data
from wiring_search.search_spaces import Choice, FloatRange, Infeasible, IntRange, Space
from wiring_search.search_spaces.optuna_space import distribution_of
from wiring_search.store import Store, Trial
from wiring_search.wirings.structure import FEATURES, structure
from wiring_search.workers.jobs import Outcome, Status

Point = dict[str, float | int | str]


def filled(
    folder: Path, space: Space, candidates: int, error_of: Callable[[Point], float], **given: object
) -> Store:
    """A finished study of random points, whose errors are as given; every thirtieth diverges, and
    some are infeasible."""
    mine = studies.store(folder, space=space.to_json(), trials=candidates, **given)
    rng, trials, outcomes = np.random.default_rng(4), [], {}
    while len(outcomes) < candidates:
        number, point = len(trials), space.draw(rng)
        trial = Trial(number, 0, 0, Status.RUNNING, point, None, None, "", {})
        try:
            trials.append(replace(trial, candidate=space.build(point, 0)))
        except Infeasible as why:
            trials.append(replace(trial, status=Status.INFEASIBLE, message=str(why)))
            continue
        error, size = error_of(point), trials[-1].candidate.wiring.synapse_count
        lost = len(outcomes) % 30 == 29
        outcomes[number] = (
            Outcome(Status.DIVERGED, math.nan, math.nan, 9, size, 1.0, 0.5)
            if lost
            else Outcome(
                Status.OK,
                error,
                1 - error,
                9 * size,
                size,
                float(1 + size),
                0.5,
                (error,),
                b"state",
            )
        )
    mine.record_pack(0, 0, list(outcomes), trials, {})
    mine.record_outcomes(0, outcomes, "fake")
    return mine


# Learning rate, neuron and (where they exist) steps matter; the other two do not.
SPACE = Space(
    "ncp",
    {
        "neuron": Choice(("ltc", "ct-rnn", "cfc")),
        "solver": (
            Choice(("semi-implicit", "euler"), when={"neuron": ("ltc",)}),
            Choice(("euler", "heun"), when={"neuron": ("ct-rnn",)}),
        ),
        "steps": (
            IntRange(1, 6, when={"solver": ("semi-implicit", "euler")}),
            IntRange(1, 4, when={"solver": ("heun",)}),
        ),
        "learning_rate": FloatRange(0.002, 0.05, log=True),
        "sensory": Choice((3,)),
        "inter": IntRange(4, 12),
        "command": Choice((5,)),
        "motor": Choice((2,)),
        "sensory_fanout": Choice((2,)),
        "inter_fanout": Choice((2,)),
        "recurrent_synapses": IntRange(2, 12),
        "motor_fanin": Choice((2,)),
    },
)


def error_of(point: Point) -> float:
    return (
        0.4
        + abs(math.log(point["learning_rate"] / 0.01)) / 10
        + 0.1 * (point["neuron"] != "ltc")
        - 0.02 * point.get("steps", 0)
    )


def trials_of(count: int, seed: int, space: Space = SPACE) -> list[Trial]:
    """Finished ones at random points."""
    rng = np.random.default_rng(seed)
    points = [space.draw(rng) for _ in range(count)]
    return [
        Trial(
            k,
            0,
            0,
            Status.OK,
            point,
            None,
            None,
            "",
            {},
            error=error_of(point) + rng.normal(0, 0.02),
        )
        for k, point in enumerate(points)
    ]


def shares_of(rows: list[dict]) -> dict[str, float]:
    return {row["dimension"]: row["importance"] for row in rows}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("matters") / "study"
    filled(path, SPACE, 120, error_of).close()
    return path


def test_importance_of_conditional_dimensions_is_optunas() -> None:
    """Optuna knows several ranges by one name as cases of one dimension: the shares must stand to
    one another as it says."""
    trials = trials_of(150, 0)
    study = optuna.create_study()
    for trial in trials:
        at = {
            name: SPACE.alternative(name, trial.params)
            for name in ("neuron", "steps", "learning_rate", "inter")
        }
        there = {
            name: SPACE.alternatives(name)[number]
            for name, number in at.items()
            if number is not None
        }
        study.add_trial(
            optuna.trial.create_trial(
                value=trial.error,
                params={name: trial.params[name] for name in there},
                distributions={
                    name: distribution_of(dimension) for name, dimension in there.items()
                },
            )
        )
    expected = PedAnovaImportanceEvaluator(target_quantile=0.1).evaluate(study)
    found = shares_of(importances(SPACE, trials, ["error"], 0))
    assert sum(found.values()) == pytest.approx(1.0)
    assert set(found) == {
        "neuron",
        "solver",
        "steps",
        "learning_rate",
        "inter",
        "recurrent_synapses",
    }
    for name, value in expected.items():
        assert found[name] / found["neuron"] == pytest.approx(value / expected["neuron"])


def test_what_matters_is_more_than_chance_and_the_rest_is_not() -> None:
    beyond = {}
    for seed in range(4):
        for row in importances(SPACE, trials_of(300, 10 + seed), ["error"], seed):
            beyond.setdefault(row["dimension"], []).append(row["importance"] > row["chance"])
    assert all(beyond["learning_rate"])
    assert all(beyond["neuron"])
    assert sum(beyond["inter"]) + sum(beyond["recurrent_synapses"]) <= 2


def test_intervals_contain_what_other_studies_find() -> None:
    studies_ = [importances(SPACE, trials_of(150, 20 + seed), ["error"], seed) for seed in range(6)]
    mean = {
        name: np.mean([shares_of(rows)[name] for rows in studies_])
        for name in shares_of(studies_[0])
    }
    inside = [
        row["lower"] <= mean[row["dimension"]] <= row["upper"] for rows in studies_ for row in rows
    ]
    assert np.mean(inside) > 0.75
    assert all(
        0 <= row["lower"] <= row["importance"] <= row["upper"] <= 1
        for rows in studies_
        for row in rows
    )


def test_which_trials_count() -> None:
    """Duplicates, crashes, infeasible and unfinished ones change nothing; pruned and diverged ones
    count."""
    trials = trials_of(60, 1)
    odd = trials_of(40, 2)
    left_out = [
        *(replace(t, error=0.0, status=Status.DUPLICATE, duplicate_of=0) for t in odd[:10]),
        *(replace(t, error=None, status=Status.CRASHED) for t in odd[10:15]),
        *(replace(t, error=None, status=Status.INFEASIBLE) for t in odd[15:20]),
        *(replace(t, error=None, status=Status.RUNNING) for t in odd[20:25]),
    ]
    assert importances(SPACE, [*trials, *left_out], ["error"], 0) == importances(
        SPACE, trials, ["error"], 0
    )
    counted = [replace(t, error=None, status=Status.DIVERGED) for t in odd[:20]] + [
        replace(t, status=Status.PRUNED) for t in odd[20:]
    ]
    assert {row["trials"] for row in importances(SPACE, [*trials, *counted], ["error"], 0)} == {100}
    # A child of evolution that was given more steps than the space has: nothing is said of them,
    # the rest counts.
    children = [replace(t, params={**t.params, "inter": 99}) for t in counted]
    grown = shares_of(importances(SPACE, [*trials, *children], ["error"], 0))
    alone = shares_of(importances(SPACE, trials, ["error"], 0))
    assert grown["inter"] / grown["neuron"] != alone["inter"] / alone["neuron"]
    assert grown["inter"] > 0


def test_too_few_trials_or_nothing_to_tell_is_nan() -> None:
    for trials in (trials_of(19, 0), [replace(trial, error=0.5) for trial in trials_of(60, 0)]):
        rows = importances(SPACE, trials, ["error"], 0)
        assert len(rows) == 6
        assert all(
            math.isnan(row[name])
            for row in rows
            for name in ("importance", "lower", "upper", "chance")
        )
    assert not any(row["enough"] for row in importances(SPACE, trials_of(49, 0), ["error"], 0))


def test_marginals_hold_every_candidate_once(folder: Path) -> None:
    with closing(Store.open(folder)) as store:
        table = candidates(store.table())
    for name in ("neuron", "solver", "steps", "learning_rate", "inter"):
        bins = marginal(table, name, "error")
        assert 2 <= len(bins) <= 20
        assert sum(one["n"] for one in bins) == table[f"p.{name}"].notna().sum()
        for one in bins:
            members = table[
                table[f"p.{name}"].between(one["low"], one["high"])
                if name != "solver"
                else table["p.solver"] == one["at"]
            ]
            assert one["median"] == members["error"].median()
            assert one["lower"] == members["error"].quantile(0.25)


def test_the_command_writes_what_it_says(folder: Path, run) -> None:
    said = run("matters", folder, "--quiet")
    assert "Importance for error" in said
    assert "learning_rate" in said
    assert "at equal size" in said
    with closing(Store.open(folder)) as store:
        table, again = candidates(store.table()), factors_of(store)
        wiring = store.trial(int(table["trial"].iloc[3])).candidate.wiring
    importance, structures, found = (
        pandas.read_csv(folder / f"{name}.csv")
        for name in ("importance", "structure", "correlations")
    )
    pandas.testing.assert_frame_equal(
        importance, again.importance
    )  # the same seed, the same numbers
    assert set(importance["objective"]) == {"error", "synapses"}
    assert list(structures) == ["trial", *FEATURES]
    assert structures["trial"].tolist() == table["trial"].tolist()
    assert structures.iloc[3, 1:].to_dict() == pytest.approx(structure(wiring), nan_ok=True)
    row = found.set_index(["feature", "score"]).loc[("learning_rate", "error")]
    expected = spearmanr(table["p.learning_rate"], table["error"]).statistic
    assert row["rho"] == pytest.approx(expected)
    assert row["kind"] == "dimension"
    assert not {"wiring_seed", "p.inter"} & set(found["feature"])
    for name in examine.pictures_of(("error", "synapses")):
        assert (folder / name).read_bytes().startswith(b"\x89PNG")
    page = json.loads(json.dumps(plain_data(again), allow_nan=False))
    with closing(Store.open(folder)) as store:
        shown = report_data(store)["factors"]
    assert shown["importance"] == page["importance"]
    assert shown["marginals"] == page["marginals"]
    assert page["candidates"] == len(table)
    assert list(page["importance"]) == list(page["marginals"]) == ["error", "synapses"]
    assert len(page["correlations"]) == len(found)
    assert page["correlations"][0]["sentence"].startswith(found["feature"][0])


def test_what_cannot_be_computed_is_reported(folder: Path, run, tmp_path: Path) -> None:
    assert "'beauty' is no objective" in run("matters", folder, "--objectives", "beauty", rc=2)
    filled(tmp_path / "few", SPACE, 3, error_of).close()
    assert "3 candidates with the full budget" in run("matters", tmp_path / "few", rc=2)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((-0.41, -0.55, -0.25, 0.001, -0.08, -0.26, 0.10, 0.4), "size explains it"),
        ((-0.41, -0.55, -0.25, 0.001, -0.38, -0.52, -0.22, 0.001), "not explained by size alone"),
        (
            (-0.41, -0.55, -0.25, 0.001, 0.38, 0.22, 0.52, 0.001),
            "opposite sign at equal size",
        ),
        ((-0.30, -0.55, -0.05, 0.04, -0.2, -0.45, 0.05, 0.2), "undecided: size may explain it"),
        ((0.02, -0.2, 0.22, 0.8, 0.4, 0.2, 0.5, 0.001), "significant only at equal size"),
        ((0.02, -0.2, 0.22, 0.8, 0.1, -0.1, 0.3, 0.4), "not significant"),
    ],
)
def test_correlations_are_put_into_words(numbers: tuple[float, ...], words: str) -> None:
    names = ("rho", "lower", "upper", "q", "partial", "partial_lower", "partial_upper", "partial_q")
    row = SimpleNamespace(
        feature="density", score="error", **dict(zip(names, numbers, strict=True))
    )
    assert reading(row) == words
    row.reading = words
    assert sentence(row).startswith(f"density against error: {numbers[0]:.2f} (".replace("-", "−"))
    assert sentence(row).endswith(words)
