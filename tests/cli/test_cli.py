"""The command line as a user runs it: real processes, a real Ray, killed and resumed."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas
import pytest
import typer

import wiring_search
from wiring_search.cli import app, commands
from wiring_search.export import FORMATS
from wiring_search.run import ONE_PROCESS, Run, search, study_config
from wiring_search.scores.memory import CHALLENGES
from wiring_search.search.loggers import LOGGERS
from wiring_search.search.samplers import SAMPLERS
from wiring_search.store import Store, exists
from wiring_search.tasks import TaskOptions
from wiring_search.training.pruning import CUT_AS, PRUNING
from wiring_search.wirings.null_controls import CONTROLS

TIMES = ["latency_us", "train_seconds", "score_seconds"]
SMALL = [
    "search",
    "--task",
    "digits",
    "--space",
    "small",
    "--epochs",
    "2",
    "--pack-size",
    "3",
    "--ahead",
    "3",
]


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "wiring_search.cli", *map(str, arguments)]


def _run(*arguments: object, rc: int = 0, width: int = 200) -> str:
    """Standard output, or standard error where rc is not 0. Wide, so that no line is broken."""
    done = subprocess.run(
        _command(*arguments),
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": str(width)},
        timeout=600,
    )
    assert done.returncode == rc, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    return done.stderr if rc else done.stdout


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small search without Ray."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    text = _run(*SMALL, "--trials", 9, "--workers", 0, "--out", folder)
    assert "Pareto front" in text
    assert "rule majority class: accuracy 0.1028" in text
    assert str(folder / "report.html") in text
    assert "9 of 9 candidates" in text
    return folder


def test_help_loads_no_heavy_library() -> None:
    """Its start is quick because of what is not imported."""
    code = "import sys; from wiring_search.cli import main; sys.argv[1:] = ['--help']\n"
    code += "try: main()\nexcept SystemExit: print('loaded:', *sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    help_, _, loaded = said.stdout.rpartition("loaded:")
    assert "Usage" in help_
    heavy = "torch numpy numba ray optuna pandas scipy sqlalchemy matplotlib".split()
    assert not set(heavy) & set(loaded.split())


def test_help_teaches() -> None:
    text = _run("--help")
    files = (Path(commands.__file__).parent).glob("*.py")
    names = {path.stem for path in files} - {"__init__", "lists", "random_search"}
    for command in names | {"random", "tasks", "spaces", "scores"}:
        assert re.search(rf"│ {command}\b", text), command
    assert _run() == text
    assert "wiring-search search --task csv --data own.csv" in _run("search", "--help")


@pytest.mark.parametrize(
    ("command", "option", "known"),
    [
        ("search", "sampler", SAMPLERS),
        ("search", "pruning", PRUNING),
        ("search", "cut_as", CUT_AS),
        ("search", "log", LOGGERS),
        ("retrain", "controls", CONTROLS),
        ("memory", "tasks", CHALLENGES),
        ("export", "to", FORMATS),
    ],
)
def test_help_names_what_an_option_knows(command: str, option: str, known: dict) -> None:
    parameters = typer.main.get_command(app).commands[command].params
    (text,) = (parameter.help for parameter in parameters if parameter.name == option)
    assert set(known) - set(re.findall(r"[\w-]+", text)) == set()


def test_help_fits_eighty_columns() -> None:
    """The options that every search shares stand in the same panels everywhere."""
    for command in ("search", "resume", "random", "retrain"):
        text = _run(command, "--help", width=80)
        assert max(map(len, text.splitlines())) <= 80
        assert "─ Machine ─" in text
        assert "--worker-gpus" in text


def test_the_version_is_the_packages() -> None:
    assert _run("--version") == f"wiring-search {wiring_search.__version__}\n"


def test_tasks_and_spaces_are_listed() -> None:
    assert "pixel-digits" in _run("tasks")
    assert "sensory_fanout <= inter" in _run("spaces")


def test_a_run_folder_holds_everything(ended: Path) -> None:
    assert {path.name for path in ended.iterdir()} >= {
        "results.sqlite",
        "trials.csv",
        "trials.parquet",
        "front.csv",
        "report.html",
    }
    table = pandas.read_csv(ended / "trials.csv")
    assert (table["status"] == "ok").sum() == 9
    assert (table["epochs"] == 2).all()
    assert np.allclose(table["accuracy"], 1 - table["error"])


def test_front_and_show(ended: Path, tmp_path: Path) -> None:
    csv = _run("front", ended, "--csv")
    (tmp_path / "front.csv").write_text(csv)
    kept = pandas.read_csv(ended / "front.csv")
    assert pandas.read_csv(tmp_path / "front.csv")[kept.columns].equals(kept)
    picture = tmp_path / "front.png"
    text = _run(
        "front",
        ended,
        "--objectives",
        "error,parameters",
        "--reference",
        "parameters=9000",
        "--plot",
        picture,
    )
    assert "parameters 9000 (as given)" in text
    assert "hypervolume" in text
    assert picture.read_bytes()[:4] == b"\x89PNG"
    assert "give numbers by name" in _run("front", ended, "--reference", "error", rc=2)
    text = _run("show", ended, "--trial", 0, "--picture", tmp_path / "wiring.png")
    assert "synapses" in text
    assert (tmp_path / "wiring.png").stat().st_size > 5000


def test_solvers_are_a_choice_after_training(ended: Path) -> None:
    trial = Run(ended).trial(0)
    text = _run("solvers", ended, "--trial", 0, "--samples", 4, "--no-hyper")
    assert re.search(
        rf"semi-implicit +{trial.candidate.steps} .*{trial.metric:.4g} .*trained with", text
    )
    assert re.search(r"rk4 .* fine solution", text)
    assert "Trained with semi-implicit" in text
    assert "solvers · " in text
    table = pandas.read_csv(ended / "trial-0-solvers.csv")
    assert table["error"][table["trained_with"]].tolist() == [trial.error]
    assert not table["solver"].str.startswith("hyper-").any()
    assert table["function_evaluations"].min() == 1
    assert (ended / "trial-0-solvers.png").stat().st_size > 20_000
    assert "has no trial 99" in _run("solvers", ended, "--trial", 99, rc=2)


@pytest.mark.slow
def test_hypersolvers_stand_beside_their_bases(ended: Path) -> None:
    text = _run("solvers", ended, "--trial", 1, "--samples", 4, "--quiet")
    table = pandas.read_csv(ended / "trial-1-solvers.csv").set_index(["solver", "steps"])[
        "terminal_error"
    ]
    assert table["hyper-semi-implicit", 2] < table["semi-implicit", 2]
    assert "hyper-semi-implicit" in text
    assert "solvers · " not in text


def test_baselines_are_trained_once_and_stand_below_the_front(ended: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(ended, folder)
    text = _run("baselines", folder, "--only", "lstm-4,gru-d-4")
    assert "2 of 2 baselines" in text
    assert re.search(r"baseline lstm-4 .* 48 .* (yes|no)\s*\n", text)
    seconds = Run(folder).table()["train_seconds"].tolist()
    text = _run(*SMALL, "--trials", 9, "--workers", 0, "--out", folder)
    assert "baseline gru-d-4" in text
    assert "joint front" in text
    assert "baseline gru-d-4" in _run("front", folder)
    assert "baseline lstm-4" in _run("baselines", folder, "--only", "lstm-4")
    assert (
        Run(folder).table()["train_seconds"].tolist() == seconds
    )  # measured anew whenever one trains
    table = pandas.read_csv(folder / "trials.csv")
    assert table["baseline"].tolist()[-2:] == ["lstm-4", "gru-d-4"]
    assert table["baseline"][:-2].isna().all()
    assert "lstm-4" in (folder / "report.html").read_text(encoding="utf-8")
    assert "no baseline is called 'lsmt'; known: rnn, gru, lstm" in _run(
        "baselines", folder, "--only", "lsmt", rc=2
    )


def test_a_second_search_says_that_all_is_done(ended: Path) -> None:
    before = Run(ended).table()
    text = _run(*SMALL, "--trials", 9, "--workers", 0, "--out", ended)
    assert "has ended" in text
    assert "Pareto front" in text
    assert Run(ended).table().equals(before)
    assert "has ended" in _run("resume", ended)


def test_other_settings_are_refused_with_what_differs(ended: Path) -> None:
    text = _run(*SMALL, "--trials", 10, "--workers", 0, "--out", ended, rc=2)
    assert "other settings (trials 9, not 10)" in text
    assert f"wiring-search resume {ended}" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "--task", "digit"], "did you mean 'digits'"),
        (["search", "--space", "defualt"], "did you mean 'default'"),
        (["search", "--task", "half-cheetah"], "--data DIR"),
        (["search", "--trials", "0"], "trials is 0"),
        (
            ["search", "--pruning", "one-epoch", "--minutes", "1"],
            "pruning 'one-epoch' compares all candidates before it promotes any",
        ),
        (["search", "--sampler", "cma"], "known: tpe, nsga2"),
        (
            ["search", "--pruning", "halve"],
            "pruning is 'halve'; known: none, halving, median, one-epoch",
        ),
        (
            ["search", "--pruning", "halving", "--eta", "1"],
            "eta is 1; give a whole number, 2 or more",
        ),
        (
            ["search", "--pruning", "halving", "--first-epochs", "61"],
            "give a whole number from 0 (the default) to epochs (60)",
        ),
        (["search", "--cut-as", "lost"], "known: pruned, left-out, low-fidelity"),
        (["search", "--minutes", "0"], "minutes is 0.0; give a number above 0"),
        (["search", "--log", "tensorbord"], "tensorboard"),
        (["search", "--store", "mysql://host/db"], "postgresql://"),
        (["search", "--objectives", "error,speed"], "give one or more of error, synapses"),
        (["search", "--trials", "many"], "Invalid value for '--trials'"),
        (["search", "--workers", "-1"], "Invalid value for '--workers'"),
        (["front", "nowhere"], "nowhere holds no study"),
        (["resume", "nowhere"], "nowhere holds no study"),
        (["baselines", "nowhere"], "nowhere holds no study"),
        (["solvers", "nowhere", "--trial", "0"], "nowhere holds no study"),
        (["serach"], "No such command 'serach'"),
    ],
)
def test_faults_end_in_one_sentence(arguments: list[str], message: str, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "run")] if arguments[0] == "search" else []
    text = _run(*arguments, *out, rc=2)
    assert message in text
    assert text.startswith("error: ")
    assert not (tmp_path / "run").exists()


def test_halving_with_evolution_and_more_trials_later(tmp_path: Path) -> None:
    search = [
        *SMALL[:5],
        "--epochs",
        9,
        "--pack-size",
        4,
        "--pruning",
        "halving",
        "--sampler",
        "evolution",
        "--scores",
        "none",
    ]
    text = _run(*search, "--trials", 30, "--workers", 0, "--out", tmp_path / "run")
    assert "30 of 30 candidates" in text
    assert re.search(r"Estimate: about .* core-hours", text)
    table = Run(tmp_path / "run").table()
    assert set(table["status"]) >= {"ok", "pruned"}
    assert table["parents"].str.len().gt(0).any()
    assert set(pandas.read_csv(tmp_path / "run" / "rungs.csv")["rung"]) == {0, 1, 2}
    assert "but" in _run("resume", tmp_path / "run", "--trials", 10, rc=2)
    assert "34 of 34 candidates" in _run("resume", tmp_path / "run", "--trials", 34, "--workers", 0)
    longer = Run(tmp_path / "run").table()
    assert longer["status"].isin(["ok", "pruned", "diverged"]).sum() == 34
    same = ["trial", "wiring_id", "p.learning_rate", "parents"]
    assert longer[same].head(len(table)).equals(table[same])


def test_a_missing_trial_is_named(ended: Path) -> None:
    assert "has no trial 99; its trials are 0 to" in _run("show", ended, "--trial", 99, rc=2)


def test_a_users_table_and_space_from_python(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal(600)
    pandas.DataFrame(
        {"a": a, "b": rng.standard_normal(600), "y": np.convolve(a, [0.5, 0.3, 0.2])[:600]}
    ).to_csv(tmp_path / "own.csv")
    example = Path(__file__).resolve().parents[2] / "examples" / "space.toml"
    options = TaskOptions(
        data=str(tmp_path / "own.csv"), inputs=("a", "b"), target="y", window=16, stride=4
    )
    config = study_config("csv", str(example), options, trials=4, epochs=40, pack_size=2)
    run = search(config, tmp_path / "run", ONE_PROCESS)
    assert run.front()["error"].min() < 0.7 < run.rules["mean"]
    assert run.report.is_file()
    assert "mse" in run.answer()


@pytest.mark.ray
@pytest.mark.slow
def test_two_workers_and_none_give_the_same_table(tmp_path: Path) -> None:
    tables = []
    for workers in (0, 2):
        text = _run(*SMALL, "--trials", 12, "--workers", workers, "--out", tmp_path / str(workers))
        assert "12 of 12 candidates" in text
        tables.append(Run(tmp_path / str(workers)).table().drop(columns=TIMES))
    assert tables[0].equals(tables[1])


def _finished(folder: Path) -> dict[int, float]:
    if not exists(folder):
        return {}
    return {t.trial: t.error for t in Store.open(folder).trials() if t.error is not None}


def _start(folder: Path, trials: int, workers: int) -> subprocess.Popen:
    command = _command(
        *SMALL[:-6],
        "--epochs",
        25,
        "--pack-size",
        3,
        "--ahead",
        3,
        "--trials",
        trials,
        "--workers",
        workers,
        "--out",
        folder,
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, **pipes, start_new_session=True, preexec_fn=_hear_interrupts)


def _hear_interrupts() -> None:
    """A process that was started in the background of a shell, as tests sometimes are, ignores
    them, and so would its child."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _until_finished(process: subprocess.Popen, folder: Path, count: int) -> dict[int, float]:
    end = time.monotonic() + 600
    while len(_finished(folder)) < count:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    return _finished(folder)


@pytest.mark.slow
@pytest.mark.ray
def test_ctrl_c_stops_cleanly_and_says_how_to_resume(tmp_path: Path) -> None:
    process = _start(tmp_path / "run", 36, 2)
    _until_finished(process, tmp_path / "run", 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: everyone in the group hears it
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130
    assert f"wiring-search resume {tmp_path / 'run'}" in err
    assert "Traceback" not in err
    assert (tmp_path / "run" / "report.html").is_file()
    text = _run("resume", tmp_path / "run", "--workers", 2)
    assert "36 of 36 candidates" in text


@pytest.mark.ray
def test_no_cluster_at_the_address_is_an_error_and_costs_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        free_address = f"127.0.0.1:{free.getsockname()[1]}"
    search = [*SMALL, "--trials", 3, "--out", tmp_path / "run"]
    assert f"no Ray cluster answers at '{free_address}'" in _run(
        *search, "--address", free_address, rc=2
    )
    assert "3 of 3 candidates" in _run(*search, "--workers", 0)


@pytest.mark.slow
@pytest.mark.ray
def test_a_search_on_a_running_cluster(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {**os.environ, "RAY_AUTH_MODE": "disabled"}
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    start = [
        *ray,
        "start",
        "--head",
        "--block",
        f"--port={port}",
        "--num-cpus=2",
        "--include-dashboard=false",
    ]
    head = subprocess.Popen(
        start, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=settings
    )
    try:
        assert any("Ray runtime started" in line for line in head.stdout)
        text = _run(
            *SMALL, "--trials", 6, "--address", f"127.0.0.1:{port}", "--out", tmp_path / "run"
        )
        assert "6 of 6 candidates" in text
        # Without --address a search starts its own Ray, with room for three workers.
        assert "3 of 3 candidates" in _run(
            *SMALL, "--trials", 3, "--workers", 3, "--out", tmp_path / "own"
        )
    finally:
        head.terminate()
        head.communicate(timeout=600)
