"""How tests with a real Ray are run; see `apart`."""

from pathlib import Path

import pytest

from tests.ray_tests import passes

BODY = """
import os, signal
from pathlib import Path
import pytest

@pytest.mark.{mark}
def test_it():
    with open({notes!r}, "a") as notes:
        notes.write("x")
    if len(Path({notes!r}).read_text()) <= {deaths}:
        os.kill(os.getpid(), signal.SIGKILL)
    assert {holds}
"""


@pytest.mark.parametrize(
    ("deaths", "holds", "passed", "runs"),
    [(0, True, True, 1), (1, True, True, 2), (9, True, False, 2), (0, False, False, 1)],
)
def test_a_killed_process_runs_once_more_and_a_failure_does_not(
    deaths: int, holds: bool, passed: bool, runs: int, tmp_path: Path
) -> None:
    file, notes = tmp_path / "test_one.py", tmp_path / "notes"
    file.write_text(BODY.format(mark="ray", notes=str(notes), deaths=deaths, holds=holds))
    assert passes(file) == passed
    assert len(notes.read_text()) == runs
