"""The command line stopped in every way: by schedulers, from the keyboard, by its budget, by kill,
by a full disk."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pandas
import pytest
from typer.testing import CliRunner

from tests.support.processes import workers_below
from wiring_search.cli import app
from wiring_search.run import Run
from wiring_search.search import study
from wiring_search.store import Store, exists

pytestmark = pytest.mark.slow

TIMES = ["latency_us", "train_seconds", "score_seconds"]
SMALL = [
    "search",
    "--task",
    "digits",
    "--space",
    "small",
    "--trials",
    6,
    "--epochs",
    240,
    "--pack-size",
    3,
    "--ahead",
    2,
]
SMALL += ["--pruning", "halving", "--scores", "none"]
WORKERS = [0, pytest.param(2, marks=pytest.mark.ray)]


# The program, and one that waits for its workers for ever when it is stopped.
COMMAND = ["-m", "wiring_search.cli"]
PATIENT = [
    "-c",
    "from wiring_search.search import study; study._SECONDS_TO_STOP = 1e6; "
    "from wiring_search.cli import main; main()",
]


def _start(
    *arguments: object,
    before: Callable[[], None] = lambda: None,
    program: Sequence[str] = COMMAND,
) -> subprocess.Popen:
    def begin() -> None:
        signal.signal(
            signal.SIGINT, signal.default_int_handler
        )  # a background process of a shell ignores it, and so would this
        before()

    command = [sys.executable, *program, *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    settings = {**os.environ, "COLUMNS": "200"}
    return subprocess.Popen(
        command, **pipes, env=settings, start_new_session=True, preexec_fn=begin
    )


def _end(process: subprocess.Popen, rc: int = 0) -> str:
    """What it said on standard error."""
    try:
        out, err = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == rc, out + err
    assert "Traceback" not in err, out + err
    return err


def _run(*arguments: object, rc: int = 0) -> str:
    return _end(_start(*arguments), rc)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> pandas.DataFrame:
    """Of a search that nothing happened to."""
    folder = tmp_path_factory.mktemp("undisturbed") / "run"
    _run(*SMALL, "--workers", 0, "--out", folder)
    return _table(folder)


def _table(folder: Path) -> pandas.DataFrame:
    found = Run(folder)
    assert found.ended
    return found.table().drop(columns=TIMES)


def _until_training(process: subprocess.Popen, folder: Path, rung: int = 0, packs: int = 0) -> None:
    """Until a pack for this rung, and more packs than so many, are in the store, and a little more.
    Above rung 0 the workers are up."""
    end = time.monotonic() + 600
    while rung not in (rungs := _rungs(folder)) or len(rungs) <= packs:
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    time.sleep(0.2)


def _rungs(folder: Path) -> list[int]:
    """Of the packs that were asked for."""
    if not exists(folder):
        return []
    with closing(Store.open(folder)) as store:
        return [pack.rung for pack in store.packs()]


def _checkpointed(folder: Path) -> set[int]:
    """Packs that were stopped under way."""
    with closing(Store.open(folder)) as store:
        packs = {pack.number for pack in store.packs() if store.checkpoint(pack.number)}
        assert store.ended is None
    return packs


def _stop_under_way(folder: Path, workers: int, signal_: signal.Signals, code: int) -> None:
    """Starts a search and stops it, again where the signal came between two packs."""
    for _ in range(5):
        process = _start(*SMALL, "--workers", workers, "--out", folder)
        _until_training(process, folder, rung=2 if workers else 1, packs=len(_rungs(folder)))
        os.killpg(process.pid, signal_) if signal_ == signal.SIGINT else process.send_signal(
            signal_
        )  # as a terminal does
        said = _end(process, code)
        assert (
            f"Stopped: {signal_.name}. Finished work is kept. Resume with:  wiring-search resume "
            f"{folder}" in said
        )
        if _checkpointed(folder):
            return
    pytest.fail("no pack was ever written down under way")


@pytest.mark.parametrize("workers", WORKERS)
def test_sigterm_writes_down_packs_under_way(
    workers: int, table: pandas.DataFrame, tmp_path: Path
) -> None:
    _stop_under_way(tmp_path / "run", workers, signal.SIGTERM, 143)
    _run("resume", tmp_path / "run", "--workers", 0)
    assert _table(tmp_path / "run").equals(table)


@pytest.mark.parametrize(
    ("during", "kept"),
    [
        ("wiring_search.tasks.load", "Nothing was trained yet."),
        (
            "wiring_search.run.commands.search.training_pool",
            "Finished work is kept. Resume with:  wiring-search resume {folder}",
        ),
    ],
)
def test_sigterm_before_there_are_workers_is_told_too(
    during: str, kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While data is loaded or kernels are compiled."""
    monkeypatch.setattr(during, lambda *args: signal.raise_signal(signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    done = CliRunner().invoke(app, [*map(str, SMALL), "--out", str(tmp_path / "run")])
    assert done.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    assert " ".join(
        f"Stopped: SIGTERM. {kept}".format(folder=tmp_path / "run").split()
    ) in " ".join(done.output.split())


@pytest.mark.ray
def test_workers_that_hang_hold_up_neither_sigterm_nor_a_second_ctrl_c(
    table: pandas.DataFrame, tmp_path: Path
) -> None:
    """Their processes are stopped, so that they hear nothing. Schedulers give thirty seconds; a
    second Ctrl-C waits for no worker, here not even where the first would for ever."""
    assert study._SECONDS_TO_STOP < 30
    folder = tmp_path / "run"
    for start, signals, code, program in (
        ([*SMALL, "--out", folder], [signal.SIGTERM], 143, COMMAND),
        (["resume", folder], [signal.SIGINT] * 2, 130, PATIENT),
    ):
        process = _start(*start, "--workers", 2, program=program)
        _until_training(process, folder, rung=2)
        while not (hung := workers_below(process.pid)):
            assert process.poll() is None
        for pid in hung:
            os.kill(pid, signal.SIGSTOP)
        for number in signals:
            process.send_signal(number)
            time.sleep(0.5)
        said = _end(process, code)
        assert f"Resume with:  wiring-search resume {folder}" in said
        assert not any(map(_lives, hung))
    _run("resume", folder, "--workers", 0)
    assert _table(folder).equals(table)


def _lives(pid: int) -> bool:
    try:
        return (
            "(" in Path(f"/proc/{pid}/stat").read_text()
            and Path(f"/proc/{pid}/cmdline").read_bytes() != b""
        )
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.ray
def test_sigterm_while_the_workers_start_is_heard_too(tmp_path: Path) -> None:
    """No worker has begun anything, and Ray has a handler of its own, which would end the process
    without a word."""
    process = _start(*SMALL, "--workers", 2, "--out", tmp_path / "run")
    end = time.monotonic() + 600
    while not workers_below(process.pid):
        assert process.poll() is None
        assert time.monotonic() < end
        time.sleep(0.02)
    process.terminate()
    assert (
        "Stopped: SIGTERM. Finished work is kept. Resume with:  wiring-search resume "
        f"{tmp_path / 'run'}" in _end(process, 143)
    )


def test_ctrl_c_and_budgets_stop_in_the_midst_of_packs(
    table: pandas.DataFrame, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    _stop_under_way(folder, 0, signal.SIGINT, 130)
    said = _run("resume", folder, "--workers", 0, "--minutes", 0.01)
    assert "is spent. Finished work is kept. Resume with:  wiring-search resume" in said
    assert not Run(folder).ended
    _run("resume", folder, "--workers", 0)
    assert _table(folder).equals(table)


@pytest.mark.ray
def test_a_killed_driver_goes_on_rung_by_rung(table: pandas.DataFrame, tmp_path: Path) -> None:
    """With Ray, once at each rung."""
    folder = tmp_path / "run"
    for rung in range(3):
        process = _start(
            *(["resume", folder] if rung else [*SMALL, "--out", folder]), "--workers", 2
        )
        _until_training(process, folder, rung)
        process.kill()
        process.communicate()
    _run("resume", folder, "--workers", 2)
    assert _table(folder).equals(table)


@pytest.fixture
def full(tmp_path: Path):
    """A folder in which there is room for a store and not for all of a search, how to start a
    process there, and a function that makes room: a small file system, or where none can be
    mounted, a limit on the size of files."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=260k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True).returncode:
        yield (
            folder,
            lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (160 * 1024, resource.RLIM_INFINITY)),
            lambda: None,
        )
        return
    yield (
        folder,
        lambda: None,
        lambda: subprocess.run(["mount", "-o", "remount,size=16m", str(folder)], check=True),
    )
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_told_in_a_sentence_and_gone_on_with(full, table: pandas.DataFrame) -> None:
    folder, limited, make_room = full
    said = _end(_start(*SMALL, "--workers", 0, "--out", folder / "run", before=limited), 2)
    print(said)
    assert said.startswith("error: ")
    assert len(said.strip().splitlines()) == 1
    assert "full" in said
    assert "resume" in said
    make_room()
    with closing(Store.open(folder / "run")) as store:
        assert store.ended is None
        assert store.packs()
    _run("resume", folder / "run", "--workers", 0)
    assert _table(folder / "run").equals(table)
