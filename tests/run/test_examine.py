"""Robustness, cost and repeats of a run folder, from the command line on."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pandas
import pytest

from tests.support import studies
from wiring_search import run as examine
from wiring_search import search_spaces, tasks
from wiring_search.run import ONE_PROCESS, Run, search, study_config
from wiring_search.scores.robustness import FAMILIES
from wiring_search.search import study
from wiring_search.store import Store
from wiring_search.tasks import TaskOptions
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Status


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A search over two kinds of neurons, on a small table."""
    path = tmp_path_factory.mktemp("examine") / "run"
    space, data = path.parent / "space.toml", path.parent / "own.csv"
    a, b = np.random.default_rng(0).standard_normal((2, 600))
    pandas.DataFrame({"a": a, "b": b, "y": np.convolve(a, [0.5, 0.3, 0.2])[:600]}).to_csv(
        data, index=False
    )
    space.write_text(
        'topology = "ncp"\n[dimensions]\nneuron = { choices = ["ltc", "cfc"] }\nsensory = 4\n'
        "inter = 6\ncommand = 4\n"
        "motor = 3\nsensory_fanout = 2\ninter_fanout = 2\nrecurrent_synapses = { low = 2, high = 8 "
        "}\nmotor_fanin = 2\n"
        'steps = { low = 1, high = 2, when = { neuron = ["ltc"] } }\nlearning_rate = 0.03\n'
        "wiring_seed = { low = 0, high = 7 }\n"
    )
    options = TaskOptions(data=str(data), target="y", window=8, stride=4)
    search(
        study_config("csv", str(space), options, trials=6, epochs=2, pack_size=3), path, ONE_PROCESS
    )
    return path


def test_robustness_of_the_front(folder: Path, run) -> None:
    text = run("robustness", folder)
    table = pandas.read_csv(folder / "robustness.csv")
    front = Run(folder).front()
    assert table["trial"].unique().tolist() == front["trial"].tolist()
    clean = table[table["family"] == "clean"]
    assert clean["error"].tolist() == front["error"].tolist()
    assert set(table["family"]) == {"clean", *FAMILIES}
    shifted = table[table["family"] != "clean"]
    assert shifted.groupby("trial")["relative"].mean().to_numpy() == pytest.approx(
        clean.set_index("trial").sort_index()["robustness"].to_numpy()
    )
    assert all(family in text for family in FAMILIES)
    assert f"{len(shifted)} of {len(shifted)} shifted errors" in text
    assert (folder / "robustness.png").stat().st_size > 20_000


def test_dynamics_before_and_after_training(folder: Path, run) -> None:
    text = run("dynamics", folder)
    table = pandas.read_csv(folder / "dynamics.csv")
    front = Run(folder).front()
    assert table["trial"].tolist() == np.repeat(front["trial"], 2).tolist()
    assert table["stage"].tolist() == ["fresh", "trained"] * len(front)
    trained = table[table["stage"] == "trained"]
    for name in (
        "expressivity",
        "gradient_slope",
        "kernel_rank",
    ):  # what the search has measured on the same weights
        assert trained[name].to_numpy() == pytest.approx(front[name].to_numpy(float))
    assert (
        table[table["stage"] == "fresh"]["expressivity"].to_numpy()
        != trained["expressivity"].to_numpy()
    ).all()
    assert (table["tau_lower"] <= table["tau_median"]).all()
    assert (table["tau_median"] <= table["tau_upper"]).all()
    assert "gradient_slope" in text
    assert (folder / "dynamics.png").stat().st_size > 20_000
    assert "has no trial 99" in run("dynamics", folder, "--trial", 99, rc=2)


def test_robustness_of_any_kinds_together_in_the_order_asked_for(folder: Path) -> None:
    trials = [
        trial
        for trial in Run(folder).table()["trial"].tolist()
        if Run(folder).trial(trial).status is Status.OK
    ][::-1]
    assert len({Run(folder).trial(trial).candidate.neuron for trial in trials}) == 2
    table = examine.robustness(folder, trials)
    clean = table[table["family"] == "clean"]
    assert clean["trial"].tolist() == trials
    assert clean["error"].tolist() == [Run(folder).trial(trial).error for trial in trials]
    alone = examine.robustness(folder, trials[2:3])
    assert alone.reset_index(drop=True).equals(
        table[table["trial"] == trials[2]].reset_index(drop=True)
    )


def test_cost_says_what_the_search_has_counted(folder: Path, run) -> None:
    found = examine.costs(folder, (0, 2, 0))
    assert list(found) == [0, 2]
    for number, cost in found.items():
        trial = Run(folder).trial(number)
        assert (cost.synapses, cost.parameters) == (trial.synapses, trial.parameters)
    text = run("cost", folder, "--trial", 2, "--trial", 0)
    assert str(found[2].synapse_updates) in text
    assert "KiB to train" in text


def test_a_trial_is_repeated_by_all_combinations_of_fresh_seeds(folder: Path, run) -> None:
    text = run("repeat", folder, "--trial", 1, "--seeds", 2)
    assert "2 wirings × 2 initialisations × 2 orders" in text
    assert "8 of 8 trainings" in text
    assert all(f"\n  {name} " in text for name in ("wiring", "initialisation", "order", "residual"))
    table = pandas.read_csv(folder / "repeat-1.csv")
    trial = Run(folder).trial(1)
    assert table["wiring_id"][0] == trial.candidate.wiring.wiring_id
    assert table["wiring_id"].nunique() == 2
    seed = Run(folder).config.seed
    assert (
        sorted(table["init_seed"].unique())
        == sorted(table["data_seed"].unique())
        == [seed + 1, seed + 2]
    )
    assert len(table.drop_duplicates(["wiring_id", "init_seed", "data_seed"])) == 8
    own = table[:4].groupby("init_seed")["error"].mean()
    assert f"{own.mean():.4g} ± {own.std() / np.sqrt(2):.2g}" in text
    assert f"error {trial.error:.4g} in the search" in text
    plan = examine.design(folder, 1, 2)
    assert all(wiring.neuron == trial.candidate.neuron for wiring in plan.wirings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["robustness", "OUT", "--trial", 99], "has no trial 99; its trials are 0 to"),
        (["cost", "OUT", "--trial", -1], "has no trial -1"),
        (["repeat", "OUT", "--trial", 0, "--seeds", 1], "--seeds is 1; a spread needs two or more"),
        (["repeat", "OUT"], "Missing option"),
        (["robustness", "nowhere"], "nowhere holds no study"),
        (["cost", "nowhere"], "nowhere holds no study"),
        (["repeat", "nowhere", "--trial", 0], "nowhere holds no study"),
    ],
)
def test_faults_end_in_one_sentence(folder: Path, run, arguments: list, message: str) -> None:
    text = run(*(folder if word == "OUT" else word for word in arguments), rc=2)
    assert message in text
    assert text.startswith("error: ")


def test_trials_without_a_network_are_refused_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "load", lambda *_: studies.tiny_task())
    space = search_spaces.load("wide").to_json()
    with closing(
        studies.store(tmp_path / "run", trials=16, sampler="random", space=space)
    ) as store:
        study.search(store.config, store, InlinePool(studies.fake_train, studies.tiny_task()))
        trials = store.trials()
    lost = next(trial.trial for trial in trials if trial.status is Status.DIVERGED)
    with pytest.raises(
        ValueError, match=f"trial {lost} has no trained network: diverged \\(gave up\\)"
    ):
        examine.robustness(tmp_path / "run", (lost,))
    assert list(examine.costs(tmp_path / "run", (lost,))) == [lost]
    never = next(trial.trial for trial in trials if trial.status is Status.INFEASIBLE)
    with pytest.raises(ValueError, match=f"trial {never} was never built"):
        examine.costs(tmp_path / "run", (never,))


def test_an_empty_front_is_said(tmp_path: Path) -> None:
    studies.store(tmp_path / "run").close()
    with pytest.raises(ValueError, match="has no front yet"):
        examine.robustness(tmp_path / "run")
    assert not Store.open(tmp_path / "run").trials()
