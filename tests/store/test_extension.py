"""Neurons, scores and tasks of a user: searched, resumed, read without running their code, carried
to another process, refused where they are wrong."""

import json
import pickle
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.extensions import tables_restored
from wiring_search import tasks
from wiring_search.analysis.compare import compare
from wiring_search.export import export
from wiring_search.export.trained_network import trained_network
from wiring_search.networks import neurons
from wiring_search.networks.kernels import cpu
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.run import ONE_PROCESS, Run, plan, resume, search, study_config
from wiring_search.scores import catalogue as score_names
from wiring_search.scores.evaluate import train_and_score
from wiring_search.search_spaces import Space
from wiring_search.store import Store
from wiring_search.store.config import StudyConfig
from wiring_search.store.extension import DECLARED, LOADED, Extension, extended
from wiring_search.tasks import Split, Task, TaskOptions
from wiring_search.tasks.columns import Columns
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import PackJob, Rung, Status, no_beat

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
GOOD = (EXAMPLES / "extension.py").read_text(encoding="utf-8")
# What the searched extension does besides: it notes each run of its code.
NOTE_RUN = """
from pathlib import Path
with Path(__file__).with_name("runs.txt").open("a") as runs:
    runs.write("run\\n")
"""


@pytest.fixture(autouse=True)
def without_extensions() -> Iterator[None]:
    with tables_restored():
        yield


def _runs(file: Path) -> int:
    """How often the extension's code has run."""
    notes = file.with_name("runs.txt")
    return notes.read_text(encoding="utf-8").count("run") if notes.exists() else 0


@pytest.mark.parametrize(
    ("neuron", "memory", "solver"), [("cfc", "none", "closed-form"), ("ct-rnn", "state", "heun")]
)
def test_without_a_compiled_kernel_a_neuron_learns_the_same(
    neuron: str, memory: str, solver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin of a neuron that has a kernel, under a name that no kernel knows."""
    monkeypatch.setitem(KINDS, "twin", replace(KINDS[neuron], compiled=False))
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
    assert np.abs(ours[0] - twins[0]).max() < 1e-4 * np.abs(ours[0]).max()
    assert (ours[1] == twins[1]).all()
    rest = np.zeros((9, packs[0].layout.state_size), np.float32)
    kept = [cpu.forward(pack.layout, pack.effective, x, elapsed, rest, True)[2] for pack in packs]
    for a, b in zip(
        *(cpu.histories(pack.layout, k) for pack, k in zip(packs, kept, strict=True)), strict=True
    ):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The example's neuron, score and task, searched without Ray: the extension, the run folder."""
    folder = tmp_path_factory.mktemp("extension")
    file = folder / "mine.py"
    file.write_text(GOOD + NOTE_RUN, encoding="utf-8")
    settings = {
        "seed": 4,
        "trials": 5,
        "epochs": 2,
        "pack_size": 3,
        "ahead": 2,
        "objectives": ("error", "synapses", "effort"),
        "scores": (),
    }
    with tables_restored():
        config = study_config(
            "chirps", str(EXAMPLES / "own_neuron.toml"), TaskOptions(samples=60), file, **settings
        )
        search(config, folder / "run", ONE_PROCESS)
    return file, folder / "run"


def test_a_search_runs_the_code_once(searched: tuple[Path, Path], tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(GOOD + NOTE_RUN, encoding="utf-8")
    assert _runs(file) == 0
    Extension.read(file)
    Extension.read(file)
    assert _runs(file) == 1


READINGS: dict[str, Callable[[Path], object]] = {
    "configuration": lambda folder: StudyConfig.from_json(Run(folder).config.to_json()),
    "table": lambda folder: Run(folder).table(),
    "front": lambda folder: Run(folder).front(("error", "effort")),
    "analysis": lambda folder: Run(folder).analysed(("synapses", "effort")),
    "answer": lambda folder: Run(folder).answer(),
    "trials": lambda folder: [Run(folder).trial(number) for number in range(5)],
    "picture": lambda folder: Run(folder).draw(Run(folder).analysed(), folder / "front.png"),
    "report": lambda folder: Run(folder).write_files(),
    "comparison": lambda folder: compare([folder, _twin(folder)]),
    "space": lambda folder: Space.from_json(Run(folder).config.space),
}


def _edit_config(folder: Path, **changed: object) -> None:
    with closing(sqlite3.connect(folder / "results.sqlite")) as database, database:
        config = json.loads(database.execute("SELECT config FROM study").fetchone()[0])
        database.execute("UPDATE study SET config = ?", (json.dumps({**config, **changed}),))


def _twin(folder: Path) -> Path:
    """The same study with another seed."""
    twin = folder.with_name("twin")
    shutil.copytree(folder, twin)
    _edit_config(twin, seed=5)
    return twin


@pytest.mark.parametrize("reading", READINGS)
def test_reading_a_study_runs_no_code_of_its_extension(
    reading: str, searched: tuple[Path, Path]
) -> None:
    file, folder = searched
    before = _runs(file)
    READINGS[reading](folder)
    assert _runs(file) == before


def test_a_report_says_why_it_has_no_networks(searched: tuple[Path, Path]) -> None:
    _, folder = searched
    Run(folder).write_files()
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "whose code a report does not run" in page


ACTS: dict[str, Callable[[Path], object]] = {
    "resume": lambda folder: resume(folder, ONE_PROCESS),
    "trained network": lambda folder: _network(folder, 0),
    "export": lambda folder: export(folder, 0, ("json",), folder / "exported"),
    "plan of retraining": lambda folder: plan(folder, seeds=1, controls=()),
    "task": lambda folder: Run(folder).config.load_task(),
}


@pytest.mark.parametrize("act", ACTS)
def test_what_needs_networks_or_the_task_runs_the_code(
    act: str, searched: tuple[Path, Path]
) -> None:
    file, folder = searched
    before = _runs(file)
    ACTS[act](folder)
    assert _runs(file) == before + 1


def _network(folder: Path, trial: int) -> LiquidNetwork:
    with closing(Store.open(folder)) as store:
        return trained_network(store, trial, every_step=False)


def test_a_configuration_is_a_value(searched: tuple[Path, Path]) -> None:
    data = Run(searched[1]).config.to_json()
    with tables_restored():
        for table in (LOADED, DECLARED):
            table.clear()
        StudyConfig.from_json(data)
        assert LOADED == {}
        assert DECLARED == {}


def test_names_of_an_extension_are_checked_without_its_code(searched: tuple[Path, Path]) -> None:
    config = Run(searched[1]).config
    assert config.measured[-1] == "effort"
    with pytest.raises(ValueError, match="give one or more of error, .*effort, each once"):
        replace(config, objectives=("error", "efort"))
    with pytest.raises(ValueError, match="objective effort is not measured; it needs mine among"):
        replace(config, scores=())
    with pytest.raises(ValueError, match="objectives are error, synapses, effort; give one or"):
        replace(config, extension=None)


def test_a_study_without_descriptions_runs_the_code_once_and_keeps_them(
    searched: tuple[Path, Path], tmp_path: Path
) -> None:
    """Version 0.2.0 and earlier kept the text alone."""
    folder = tmp_path / "run"
    shutil.copytree(searched[1], folder)
    file = tmp_path / "mine.py"
    text = Run(folder).config.extension.text
    _edit_config(folder, extension={"file": str(file), "text": text})
    for _ in range(2):
        with tables_restored():
            assert not Run(folder).front(("error", "effort")).empty
        assert _runs(file) == 1


def test_a_name_has_one_meaning_in_a_process() -> None:
    described = {"SCORES": {"calm": {"sentence": "how calm", "sign": 1, "unit": "", "worst": None}}}
    first = Extension("first.py", "", described)
    first.declare()
    first.declare()
    with pytest.raises(ValueError, match=r"second.py: SCORES\['calm'\] exists already"):
        Extension("second.py", "", described).declare()
    with pytest.raises(ValueError, match=r"third.py: SCORES\['error'\] exists already"):
        Extension("third.py", "", {"SCORES": {"error": described["SCORES"]["calm"]}}).declare()


def test_own_neuron_score_and_task_are_searched_like_any_other(searched: tuple[Path, Path]) -> None:
    _, folder = searched
    table = Run(folder).table()
    trained = table[(table["status"] == "ok") & (table["baseline"] == "")]
    assert set(trained["p.neuron"]) == {"gated-leak", "cfc", "ltc"}
    assert np.isfinite(trained["effort"]).all()
    assert not Run(folder).front(("error", "effort")).empty
    task = Run(folder).config.load_task()
    measure = score_names.SCORES["effort"].measure
    for trial in map(int, trained["trial"]):
        measured = measure(_network(folder, trial), task, 0)
        assert measured == pytest.approx(table.loc[trial, "effort"], rel=1e-5)


def test_resuming_needs_no_file_but_refuses_another_text(searched: tuple[Path, Path]) -> None:
    file, folder = searched
    text = file.read_text(encoding="utf-8")
    Run(folder).config.load_extension()
    file.write_text(f"{text}\nSPEED = 2\n", encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"mine.py has changed since the study began.*put that text back"
    ):
        resume(folder, ONE_PROCESS, trials=6)
    with pytest.raises(ValueError, match=r"mine.py \(.{8}\) and .*mine.py \(.{8}\) are two texts"):
        Extension.read(file)
    file.unlink()
    assert len(resume(folder, ONE_PROCESS, trials=6).table()) > 5
    file.write_text(text, encoding="utf-8")


def test_another_process_has_it_too(searched: tuple[Path, Path]) -> None:
    """As in a Ray worker: it gets what to train, and has loaded nothing."""
    config = Run(searched[1]).config
    task = config.load_task()
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
    task = Run(searched[1]).config.load_task()
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
    assert train_and_score(task, job).outcomes[0].score("seen") == 0.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = (", "bad.py, line 1 cannot be run: SyntaxError"),
        ("\n\nraise OSError('no disk')", "bad.py, line 3 cannot be run: OSError: no disk"),
        ("NEURON = {}", "bad.py defines none of NEURONS, SCORES, TASKS"),
        ("NEURONS = {'mine': 3}", r"NEURONS\['mine'\] is 3; give a Dynamics"),
        ("TASKS = [3]", r"TASKS is \[3\]; give a dictionary"),
        (GOOD.replace('"gated-leak":', '"ltc":'), r"NEURONS\['ltc'\] exists already"),
        (
            GOOD.replace(", measure=effort", ""),
            r"SCORES\['effort'\] is Score\(.*; give a Score with a measure",
        ),
        (
            GOOD.replace('p["b"]', 'p["a"]').replace('summed("b"', 'summed("a"'),
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
    settings = {"train": split, "valid": split, "test": split, "rules": {}, "source": ""}
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
        ({"rules": {"none": np.nan}}, "give finite errors"),
        ({"inputs": Columns(("only one",))}, "inputs names 1 columns, and there are 2"),
    ],
)
def test_a_task_that_cannot_be_trained_on_is_refused(given: dict, said: str) -> None:
    assert tasks.checked(_task()) is not None
    with pytest.raises(ValueError, match=said):
        tasks.checked(_task(**given))


def test_a_task_with_the_earlier_name_of_its_rules_is_refused() -> None:
    with pytest.raises(TypeError, match="rules={name: error}"):
        _task(baselines={"majority class": 0.5})
