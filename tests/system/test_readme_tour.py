"""Every command of the README's tour, in its order, each a process with the workers that it takes
by default: Ray's.

The commands are read from the README. They get options that keep them short (`SHORT`), and the
table, folder and cluster that the README takes for granted."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas
import pytest

from tests.support.pages import ROOT, blocks, command_lines, on_this_front
from wiring_search.run import ONE_PROCESS, search, study_config

pytestmark = [pytest.mark.ray, pytest.mark.slow]

# What commands are given besides; of an option that is given twice, the later one counts.
SHORT = {
    "search": "--trials 4 --epochs 3 --pack-size 2 --samples 200 --scores dynamics",
    "retrain": "--seeds 2 --controls random",
    "baselines": "--only lstm-4,gru-d-4",
    "repeat": "--seeds 2",
    "memory": "--tasks recall --lags 4 --seeds 1 --epochs 1 --samples 100",
    "solvers": "--samples 4 --no-hyper",
    "screen": "--candidates 30",
    "serve": "--port 0",
}
# Studies that the README compares; they differ by their seeds.
COMPARED = ("results/a", "results/b", "results/c")


def _tour() -> str:
    """The section's blocks of commands."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## A tour\n(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    assert section is not None, "the README has no section `A tour`"
    return "\n".join(block for _, block in blocks(section.group(1), ""))


TOUR = command_lines(_tour())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands run: with the files that they name."""
    made = tmp_path_factory.mktemp("tour")
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 600))
    y = np.convolve(a, [0.5, 0.3, 0.2])[:600]
    pandas.DataFrame({"a": a, "b": b, "y": y}).to_csv(made / "own.csv", index=False)
    (made / "DIR").mkdir()
    for number in range(25):
        trace = rng.standard_normal((60, 17)).cumsum(axis=0) / 8
        np.save(made / "DIR" / f"trace_{number:04d}.npy", trace)
    shutil.copy(ROOT / "examples" / "extension.py", made / "mine.py")
    return made


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """A Ray cluster's, for those commands that ask for one."""
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False})
    yield made.address
    ray.shutdown()
    made.shutdown()


def _started(arguments: list[str], folder: Path, **environment: str) -> subprocess.Popen:
    known = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    return subprocess.Popen(
        [sys.executable, "-m", "wiring_search.cli", *arguments],
        cwd=folder,
        env={**known, "PYTHONPATH": str(ROOT), "COLUMNS": "200", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in the background lets its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _visited(server: subprocess.Popen) -> None:
    """Look at the page that it serves, and end it as its user does."""
    said = server.stdout.readline() if server.stdout else ""
    served = re.search(r"http://\S+", said)
    try:
        assert served is not None, f"it names no address: {said!r}"
        with urllib.request.urlopen(served.group(), timeout=600) as page:
            assert b"<html" in page.read()
    finally:
        server.send_signal(signal.SIGINT)


def test_the_tour_is_read_whole() -> None:
    for name in ("search", "front", "retrain", "report", "export", "resume", "screen", "mirror"):
        assert name in [command for command, *_ in TOUR]
    assert len(TOUR) == len([line for line in _tour().splitlines() if line.strip()])


@pytest.mark.parametrize("line", TOUR, ids=shlex.join)
def test_a_command_of_the_tour_runs(
    line: list[str], folder: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    if line[0] == "export" and "c" in line[line.index("--to") + 1] and not shutil.which("gcc"):
        pytest.skip("what is exported to C is compiled, and there is no gcc")
    for seed, study in enumerate(COMPARED):
        if study in line and not Path(study).exists():
            config = study_config("digits", "small", trials=2, epochs=1, seed=seed, scores=())
            search(config, study, ONE_PROCESS)
    environment = {}
    if "--address" in line:
        environment["RAY_ADDRESS"] = request.getfixturevalue("address")
    name, *given = line
    arguments = [name, *on_this_front(given), *shlex.split(SHORT.get(name, ""))]
    process = _started(arguments, folder, **environment)
    try:
        if name == "serve":
            _visited(process)
        said, complaints = process.communicate(timeout=1800)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0, f"{shlex.join(arguments)}\n{said}{complaints}"
    assert "Traceback" not in complaints
