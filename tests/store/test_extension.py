"""Neurons, scores and tasks of the user's own: searched, resumed, carried to another process,
refused where they are wrong."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from wiring_search import tasks
from wiring_search.export.trained_network import trained_network
from wiring_search.networks import neurons
from wiring_search.networks.kernels import cpu
from wiring_search.run import ONE_PROCESS, Run, resume, search, study_config
from wiring_search.scores import catalogue as score_names
from wiring_search.scores.evaluate import train_and_score
from wiring_search.store import Store
from wiring_search.store import extension as own
from wiring_search.store.extension import Extension, extended
from wiring_search.tasks import Split, Task, TaskOptions
from wiring_search.tasks.columns import Columns
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import SOLVERS
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import PackJob, Rung, Status, no_beat

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TABLES = (
    SOLVERS,
    neurons.NEURONS,
    score_names.GROUPS,
    score_names.SCORES,
    score_names.OBJECTIVES,
    tasks.TASKS,
    own._LOADED,
)


@pytest.fixture(autouse=True)
def tables_restored():
    """An extension is for the life of a process: the next test shall not have it."""
    before = [dict(table) for table in TABLES]
    yield
    for table, was in zip(TABLES, before, strict=True):
        table.clear()
        table.update(was)


@pytest.mark.parametrize(
    ("neuron", "memory", "solver"), [("cfc", "none", "closed-form"), ("ct-rnn", "state", "heun")]
)
def test_without_a_compiled_kernel_a_neuron_learns_the_same(
    neuron: str, memory: str, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin of a neuron that has a kernel, under a name that no kernel knows."""
    monkeypatch.setitem(SOLVERS, "twin", SOLVERS[neuron])
    monkeypatch.setitem(neurons.NEURONS, "twin", neurons.NEURONS[neuron])
    wirings = [ncp(3, 5, 4, 2, 2, 2, 3, 2, seed=seed) for seed in range(2)]
    rng = np.random.default_rng(0)
    x, y = (
        rng.standard_normal((9, 6, 3)).astype(np.float32),
        torch.tensor(rng.standard_normal((9, 6, 2)), dtype=torch.float32),
    )
    elapsed = rng.uniform(0.5, 1.5, (9, 6)).astype(np.float32)
    elapsed[3:, 4:] = 0.0
    packs = []
    for name in (neuron, "twin"):
        pack = Pack(
            [
                Candidate(wiring, name, solver, 0 if solver == "closed-form" else 2, memory)
                for wiring in wirings
            ],
            3,
            2,
        )
        for _ in range(5):
            pack.train_step(
                x, elapsed, True, lambda outputs: (outputs - y).square().flatten(1).mean(dim=1)
            )
        packs.append(pack)
    ours, twins = (pack.predict_checked(x, elapsed, False) for pack in packs)
    assert (
        np.abs(ours[0] - twins[0]).max() < 1e-4 * np.abs(ours[0]).max()
        and (ours[1] == twins[1]).all()
    )
    rest = np.zeros((9, packs[0].layout.state_size), np.float32)
    kept = [cpu.forward(pack.layout, pack.effective, x, elapsed, rest, True)[2] for pack in packs]
    for a, b in zip(
        *(cpu.histories(pack.layout, k) for pack, k in zip(packs, kept, strict=True)), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The example's neuron, score and task, searched without Ray; the extension, and the run
    folder."""
    before = [dict(table) for table in TABLES]
    folder = tmp_path_factory.mktemp("extension")
    file = folder / "mine.py"
    file.write_text((EXAMPLES / "extension.py").read_text(encoding="utf-8"), encoding="utf-8")
    settings = {
        "seed": 4,
        "trials": 5,
        "epochs": 2,
        "pack_size": 3,
        "ahead": 2,
        "objectives": ("error", "synapses", "effort"),
        "scores": (),
    }
    config = study_config(
        "chirps", str(EXAMPLES / "own_neuron.toml"), TaskOptions(samples=60), file, **settings
    )
    search(config, folder / "run", ONE_PROCESS)
    for table, was in zip(TABLES, before, strict=True):
        table.clear()
        table.update(was)
    return file, folder / "run"


def test_own_neuron_score_and_task_are_searched_like_any_other(searched: tuple[Path, Path]) -> None:
    file, folder = searched
    table = Run(folder).table()
    trained = table[(table["status"] == "ok") & (table["baseline"] == "")]
    assert (
        set(trained["p.neuron"]) == {"gated-leak", "cfc", "ltc"}
        and np.isfinite(trained["effort"]).all()
    )
    assert not Run(folder).front(("error", "effort")).empty
    task = tasks.load("chirps", TaskOptions(samples=60))
    with closing(Store.open(folder)) as store:
        for trial in map(int, trained["trial"]):
            network = trained_network(store, trial, every_step=False)
            measured = score_names.SCORES["effort"].measure(network, task, 0)
            assert measured == pytest.approx(table.loc[trial, "effort"], rel=1e-5)


def test_resuming_needs_no_file_but_refuses_another_text(searched: tuple[Path, Path]) -> None:
    file, folder = searched
    text = file.read_text(encoding="utf-8")
    file.write_text(f"{text}\nSPEED = 2\n", encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"mine.py has changed since the study began.*put the old one back"
    ):
        resume(folder, ONE_PROCESS, trials=6)
    with pytest.raises(ValueError, match=r"mine.py \(.{8}\) and .*mine.py \(.{8}\) are two texts"):
        Extension.read(file)
    file.unlink()
    assert len(resume(folder, ONE_PROCESS, trials=6).table()) > 5
    file.write_text(text, encoding="utf-8")


def test_another_process_has_it_too(searched: tuple[Path, Path]) -> None:
    """As a Ray worker: it is told what to train, and has loaded nothing."""
    config = Run(searched[1]).config
    task = tasks.load("chirps", TaskOptions(samples=60))
    job = PackJob(
        0,
        Rung(0, 1, 32),
        (Candidate(ncp(1, 4, 3, 2, 2, 2, 2, 2), "gated-leak", "closed-form", 0),),
        0,
        scores=("mine",),
    )
    here = train_and_score(task, job).outcomes[0]
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        train = extended(config.extension, train_and_score)
        there = (
            processes.submit(pickle.loads(pickle.dumps(train)), task, job, no_beat)
            .result()
            .outcomes[0]
        )
    assert here.status is there.status is Status.OK
    assert (here.error, here.scores) == (there.error, there.scores)


def test_a_measure_sees_no_test_split(
    searched: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    Run(searched[1]).config  # noqa: B018  (loads the extension)
    seen = score_names.Score(
        "sequences of the test split", 1, measure=lambda network, task, seed: len(task.test)
    )
    monkeypatch.setitem(score_names.GROUPS, "mine", {"seen": seen})
    job = PackJob(
        0,
        Rung(0, 1, 32),
        (Candidate(ncp(1, 4, 3, 2, 2, 2, 2, 2), "cfc", "closed-form", 0),),
        0,
        scores=("mine",),
    )
    assert (
        train_and_score(tasks.load("chirps", TaskOptions(samples=60)), job)
        .outcomes[0]
        .score("seen")
        == 0.0
    )


GOOD = (EXAMPLES / "extension.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = (", "bad.py, line 1 cannot be run: SyntaxError"),
        ("\n\nraise OSError('no disk')", "bad.py, line 3 cannot be run: OSError: no disk"),
        ("NEURON = {}", "bad.py defines none of NEURONS, SCORES, TASKS"),
        ("NEURONS = {'mine': 3}", r"NEURONS\['mine'\] is 3; give a Dynamics"),
        ("TASKS = [3]", r"TASKS is \[3\]; give a dictionary"),
        (GOOD.replace('"gated-leak":', '"ltc":'), r"NEURONS\['ltc'\] exists already"),
        (GOOD.replace(", measure=effort", ""), r"SCORES\['effort'\] has no measure"),
        (
            GOOD.replace('p["b"]', 'p["a"]').replace('heard("b"', 'heard("a"'),
            "bad.py, line .*neuron 'gated-leak' does not run: KeyError",
        ),
        (
            GOOD.replace("(1.0 - torch.exp", "(1.0 / torch.zeros(1) - torch.exp"),
            "its first outputs are not finite",
        ),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_trained(
    text: str, said: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.py"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=said):
        Extension.read(file)


def _task(**given: object) -> Task:
    split = Split(np.zeros((4, 3, 2), np.float32), np.array([0, 1, 1, 0]))
    settings = {"train": split, "valid": split, "test": split, "baselines": {}, "source": ""}
    return Task(
        **{
            "name": "t",
            "kind": "classification",
            "every_step": False,
            "outputs": 2,
            "metric": "accuracy",
            **settings,
            **given,
        }
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"metric": "mse"}, "'classification' with the metric 'mse'"),
        ({"outputs": 1}, "classes from 0 to 1; give ids from 0 to 0"),
        ({"valid": Split(np.zeros((4, 3, 2)), np.zeros(4, np.int64))}, "valid.x is float64"),
        (
            {"test": Split(np.zeros((4, 3, 1), np.float32), np.zeros(4, np.int64))},
            r"test.x .* give float32 \(samples, steps, 2\)",
        ),
        (
            {"train": Split(np.full((4, 3, 2), np.nan, np.float32), np.zeros(4, np.int64))},
            "24 values that are not finite",
        ),
        ({"every_step": True}, r"train.y is int64 of shape \(4,\); give int64 \(4, 3\)"),
        ({"baselines": {"none": np.nan}}, "give finite errors"),
        ({"inputs": Columns(("only one",))}, "inputs names 1 columns, and there are 2"),
    ],
)
def test_a_task_that_cannot_be_trained_on_is_refused(given: dict, said: str) -> None:
    assert tasks.checked(_task()) is not None
    with pytest.raises(ValueError, match=said):
        tasks.checked(_task(**given))
