"""The compiled kernels' cache on disk never answers with code from before an edited constant."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wiring_search.networks.kernels import sources

PACKAGE = Path(sources.__file__).parents[2]
# One step of one neuron by the compiled Heun solver.
PROGRAM = """
import numpy as np
from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels.cpu import items
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.wirings.wiring import Wiring

wiring = Wiring(1, 0, 0, 1, ((0, 0, 1),), ((0, 0, 1),))
layout = PackLayout((wiring,), (1,), 1, None, Kind("ct-rnn", "heun"))
params = np.full(layout.parameters, 0.5, np.float32)
arrays = np.ones((1, 1, 1), np.float32), np.ones((1, 1), np.float32), np.ones((1, 1), np.float32)
y, _, _ = cpu.forward(layout, params, *arrays, True)
forward_items, _ = items.entry_points(*map(type, items.markers_of(layout.kind)))
print(repr(float(y[0, 0, 0, 0])), sum(forward_items.stats.cache_hits.values()))
"""


def _answer(folder: Path) -> tuple[float, int]:
    """What the copied package computes in a new process, and how many functions came from the
    cache on disk."""
    given = {
        "PYTHONPATH": str(folder),
        "NUMBA_CACHE_DIR": str(folder / "cache"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=folder,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=True,
    )
    value, hits = run.stdout.split()
    return float(value), int(hits)


def test_an_edited_tableau_is_computed_with(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    before, hits = _answer(tmp_path)
    assert hits == 0
    assert _answer(tmp_path) == (before, 1)
    (tableaux,) = (
        f for f in (tmp_path / PACKAGE.name).rglob("*.py") if "TABLEAUX = {" in f.read_text()
    )
    heun, ralston = "(0.0, 1.0), (1 / 2, 1 / 2)", "(0.0, 2 / 3), (1 / 4, 3 / 4)"
    assert heun in tableaux.read_text()
    tableaux.write_text(tableaux.read_text().replace(heun, ralston))
    after, hits = _answer(tmp_path)
    assert hits == 0
    assert abs(after - before) > 1e-4


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small package: `kernel` imports `parts.one` and `two`, and nothing imports `three`."""
    folder = tmp_path / "made_up_kernels"
    (folder / "parts").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "kernel": "import math\nfrom made_up_kernels.parts import one\nfrom .two import TWO\n",
        "parts/__init__": "",
        "parts/one": "ONE = 1\n",
        "two": "from made_up_kernels.parts.one import ONE\nTWO = 2 * ONE\n",
        "three": "THREE = 3\n",
    }.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("kernel", "three"):
        __import__(f"made_up_kernels.{name}")
    yield folder
    for name in [name for name in sys.modules if name.partition(".")[0] == folder.name]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["kernel", "parts/one", "two"])
def test_the_digest_changes_with_every_file_that_is_imported(package: Path, name: str) -> None:
    before = sources.digest_of(["made_up_kernels.kernel"])
    (package / f"{name}.py").write_text((package / f"{name}.py").read_text() + "# edited\n")
    assert sources.digest_of(["made_up_kernels.kernel"]) != before


def test_the_digest_stays_where_other_files_change(package: Path) -> None:
    before = sources.digest_of(["made_up_kernels.kernel"])
    (package / "three.py").write_text("THREE = 4\n")
    assert sources.digest_of(["made_up_kernels.kernel"]) == before
