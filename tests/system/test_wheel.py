"""The wheel holds one top-level package, and searches where there is no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy of the sources, offline."""
    copy, out = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("wheel")
    for name in ("wiring_search", "workers", "search_spaces"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    pip = [sys.executable, "-m", "pip", "wheel", "--no-build-isolation", "--no-deps", "--no-index"]
    _run([*pip, "--wheel-dir", str(out), str(copy)], copy)
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and the dependencies of this one by its path alone: an
    editable installation is not seen through it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    (site,) = (folder / "lib").glob("python*/site-packages")
    here = dict.fromkeys(sysconfig.get_path(kind) for kind in ("purelib", "platlib"))
    (site / "dependencies.pth").write_text("\n".join(here), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    _run([*pip, "--no-deps", "--no-index", str(wheel)], folder)
    return folder


@pytest.mark.slow
def test_one_name_at_the_top_level(wheel: Path) -> None:
    names = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"wiring_search"}


@pytest.mark.slow
def test_everything_that_is_no_code_is_in(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "wiring_search").rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc", ".nbi", ".nbc")
    ]
    assert data
    assert set(data) <= names


@pytest.mark.slow
@pytest.mark.ray
def test_searches_with_ray_without_the_checkout(environment: Path, tmp_path: Path) -> None:
    command = str(environment / "bin" / "wiring-search")
    search = "search --task digits --space small --trials 4 --epochs 1 --workers 2 --scores none"
    said = _run([command, *search.split(), "--out", "mine"], tmp_path)
    assert "Pareto front" in said
    where = "import wiring_search.workers.ray_pool as pool; print(pool.__file__)"
    assert _run([str(environment / "bin" / "python"), "-c", where], tmp_path).startswith(
        str(environment)
    )


def _run(command: list[str], folder: Path) -> str:
    """What a command prints that neither PYTHONPATH nor the folder leads to the checkout."""
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, cwd=folder, env=known, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
