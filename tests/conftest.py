"""What tests of several files share: a width of tables, the command line, and one PostgreSQL server
a session, started for the first test that wants it."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import Postgres, running

# Without a GPU its kernels run under Triton's interpreter, which must be known before Triton is
# imported.
os.environ.setdefault("TRITON_INTERPRET", "0" if Path("/dev/nvidiactl").exists() else "1")
# Tables are as wide as they need to be, wherever tests run; what prints them asks this when it is
# imported.
os.environ["COLUMNS"] = "200"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running() as server:
        yield server


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture):
    """Runs a command in this process; what it says, on standard error where it is to end with
    `rc`."""
    from wiring_search import cli

    def run_(*arguments: object, rc: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["wiring-search", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        assert end.value.code == rc, said.out + said.err
        return said.err if rc else said.out

    return run_
