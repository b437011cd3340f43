"""Winners trained again, for real on a small study: once each, whatever comes between, and the test
split opened after that."""

import shutil
import signal
from contextlib import closing
from dataclasses import fields
from pathlib import Path

import pandas
import pytest
import torch

from wiring_search import run as examine
from wiring_search import tasks
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.run import ONE_PROCESS, search, study_config
from wiring_search.run.commands import retrain as retrained
from wiring_search.scores.trained_packs import trained_pack
from wiring_search.store import Store
from wiring_search.tasks import Task
from wiring_search.training.loop import network_error, validation_errors
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import PackJob, Rung

KEYS = ["trial", "control", "draw"]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("retrain") / "run"
    search(
        study_config("digits", "small", trials=5, epochs=2, pack_size=4, scores=()),
        folder,
        ONE_PROCESS,
    )
    return folder


@pytest.fixture(scope="module")
def whole(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Retrained in one go: two seeds of two trials, with two controls."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    shutil.copytree(study, folder)
    examine.retrain(folder, _plan(folder), ONE_PROCESS)
    return folder


@pytest.fixture
def fresh(study: Path, tmp_path: Path) -> Path:
    return shutil.copytree(study, tmp_path / "run")


def _plan(
    folder: Path, seeds: int = 2, controls: tuple[str, ...] = ("rewired", "dense")
) -> examine.Plan:
    return examine.plan(folder, (0, 1), seeds, controls)


def _runs(folder: Path) -> pandas.DataFrame:
    with closing(Store.open(folder)) as store:
        return store.retrainings()


def test_all_that_is_planned_is_trained_with_fresh_seeds(whole: Path) -> None:
    runs = _runs(whole)
    assert len(runs) == 2 * 3 * 2
    assert not runs[KEYS].duplicated().any()
    assert (runs["status"] == "ok").all()
    assert runs.groupby("draw")["data_seed"].nunique().tolist() == [1, 1]
    assert runs["data_seed"].nunique() == 2
    assert 0 not in {*runs["seed"], *runs["data_seed"]}  # the search's seed
    nulls = runs[runs["control"] == "rewired"]
    assert nulls["wiring_id"].nunique() == 4
    assert runs.loc[runs["control"] == "", "wiring_id"].nunique() == 2
    assert {"winners.csv", "controls.csv", "winners.png"} <= {path.name for path in whole.iterdir()}
    assert pandas.read_csv(whole / "winners.csv")["tested"].tolist() == [2, 2]
    assert len(pandas.read_csv(whole / "controls.csv")) == 4


def test_what_was_tested_is_the_network_that_was_trained(whole: Path) -> None:
    """By another way: the plain torch network with the stored weights."""
    key = (1, "rewired", 1)
    with closing(Store.open(whole)) as store:
        ((retraining, state),) = store.retrained_networks([key])
        row = store.retrainings().set_index(KEYS).loc[key]
        task = tasks.load(store.config.task, store.config.task_options)
    candidate: Candidate = retraining.candidate
    pack = trained_pack(task, [candidate], [state])
    network = LiquidNetwork(
        candidate.wiring,
        task.features,
        task.outputs,
        steps=candidate.steps,
        every_step=task.every_step,
    )
    for name, place in network.layout.slices[0].items():
        parameter = network.get_parameter(name)
        parameter.data.copy_(torch.from_numpy(pack.weights(0)[place]).view_as(parameter))
    assert float(validation_errors(task, task.valid, pack)[0]) == row["error"]
    assert network_error(
        task, task.test, lambda x, elapsed: network(x, elapsed=elapsed)[0]
    ) == pytest.approx(row["test_error"])
    assert row["test_metric"] == pytest.approx(1 - row["test_error"])


def test_a_second_call_trains_and_opens_nothing_and_more_seeds_add_to_it(
    whole: Path, tmp_path: Path, run, monkeypatch
) -> None:
    folder, trained = shutil.copytree(whole, tmp_path / "run"), []

    def noted(
        number: int, rung: Rung, candidates: tuple[Candidate, ...], data_seed: int
    ) -> PackJob:
        trained.extend(candidates)
        return PackJob(number, rung, candidates, data_seed)

    monkeypatch.setattr(retrained, "PackJob", noted)
    options = ["--trial", 0, "--trial", 1, "--controls", "rewired,dense", "--workers", 0]
    text = run("retrain", folder, "--seeds", 2, *options)
    assert not trained
    assert "12 trainings, 0 of them missing" in text
    assert "These numbers are from opening 1" in text
    assert _runs(folder).equals(_runs(whole))
    text = run("retrain", folder, "--seeds", 3, *options)
    assert len(trained) == 6
    assert "18 trainings, 6 of them missing, about" in text
    assert "This was opening 2 of this test split" in text, text
    assert "makes later numbers optimistic" in text
    runs = _runs(folder)
    assert runs[runs["draw"] < 2].reset_index(drop=True).equals(_runs(whole))
    assert runs["opening"].tolist() == [1, 1, 2] * 6
    with closing(Store.open(folder)) as store:
        networks = store.openings()["networks"]
        assert not set(networks[0]) & set(networks[1])
        assert len(networks[0]) == 12
        assert len(networks[1]) == 6


def test_whatever_stops_it_a_second_call_resumes_to_the_same_numbers(
    fresh: Path, whole: Path
) -> None:
    def interrupt(done: int, count: int, doing: str = "") -> None:
        if done == 4:
            signal.raise_signal(signal.SIGINT)

    def die(done: int, count: int, doing: str = "") -> None:
        if done > 6:
            raise MemoryError

    stopped = examine.retrain(fresh, _plan(fresh), ONE_PROCESS, on_progress=interrupt)
    assert stopped.opening is None
    assert stopped.left == 8
    assert len(_runs(fresh)) == 4
    assert _plan(fresh).missing == 8
    with pytest.raises(MemoryError):
        examine.retrain(fresh, _plan(fresh), ONE_PROCESS, on_progress=die)
    assert 4 < len(_runs(fresh)) < 12
    assert _runs(fresh)["opening"].isna().all()
    assert examine.retrain(fresh, _plan(fresh), ONE_PROCESS).opening == 1
    same = [*KEYS, "candidate_id", "seed", "data_seed", "error", "test_error", "opening"]
    assert _runs(fresh)[same].equals(_runs(whole)[same])


def test_the_test_split_is_sealed_until_its_opening_is_in_the_store(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    class Sealed(Task):
        def __getattribute__(self, name: str):
            if name == "test":
                with closing(Store.open(fresh)) as store:
                    assert len(store.openings()) == 1, "read before its opening was noted"
                    assert len(store.retrainings()) == 2
                read.append(name)
            return super().__getattribute__(name)

    with closing(Store.open(fresh)) as store:
        task = tasks.load(store.config.task, store.config.task_options)
    monkeypatch.setattr(
        tasks,
        "load",
        lambda *given: Sealed(**{f.name: getattr(task, f.name) for f in fields(Task)}),
    )
    plan = _plan(fresh, 1, ())
    assert examine.retrain(fresh, plan, ONE_PROCESS, test=False).opening is None
    assert not read
    assert examine.retrain(fresh, plan, ONE_PROCESS).opening == 1
    assert read
    count = len(read)
    assert examine.retrain(fresh, plan, ONE_PROCESS).opening is None
    assert len(read) == count


def test_an_opening_that_was_recorded_and_not_used_resumes(
    fresh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = _plan(fresh, 1, ())

    def die(*given: object) -> None:
        raise MemoryError

    with monkeypatch.context() as dying, pytest.raises(MemoryError):
        dying.setattr(retrained, "_test_errors", die)
        examine.retrain(fresh, plan, ONE_PROCESS)
    assert _runs(fresh)["opening"].tolist() == [1, 1]
    assert _runs(fresh)["test_error"].isna().all()
    assert examine.retrain(fresh, plan, ONE_PROCESS).opening is None
    assert _runs(fresh)["opening"].tolist() == [1, 1]
    assert _runs(fresh)["test_error"].notna().all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seeds", 0], "--seeds is 0; give 1 or more"),
        (
            ["--controls", "tangled"],
            "control 'tangled' is not known; give some of rewired, random, polarity, dense, or "
            "none",
        ),
        (["--trial", 99], "has no trial 99; its trials are 0 to"),
    ],
)
def test_what_cannot_be_retrained_is_refused(study: Path, run, options: list, message: str) -> None:
    assert message in " ".join(run("retrain", study, *options, rc=2).split())
