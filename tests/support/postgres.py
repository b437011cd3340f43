"""A real PostgreSQL server for tests, started here with a temporary folder, a Unix socket and a
free port."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

# PostgreSQL refuses to run as root.
_USER = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []


def _programs() -> Path | None:
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3])
    )
    beside = shutil.which("initdb")
    return found[-1].parent if found else Path(beside).parent if beside else None


@dataclass
class Postgres:
    """A server; `url` is that of a database of it, over TCP."""

    programs: Path
    folder: Path
    port: int
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"postgresql://tester@127.0.0.1:{self.port}/studies"

    @property
    def socket_url(self) -> str:
        return f"postgresql:///studies?host={self.folder}&port={self.port}&user=tester"

    def start(self) -> None:
        options = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
        }
        options |= {"fsync": "off", "max_connections": 40, "shared_buffers": "16MB"}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            command = [*_USER, self.programs / "postgres", "-D", self.folder / "data", *settings]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        ready = [
            self.programs / "pg_isready",
            "-q",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-t",
            "1",
        ]
        for _ in range(6_000):
            if subprocess.run(ready).returncode == 0:
                return
            assert self.process.poll() is None, (self.folder / "log").read_text()
            subprocess.run(["sleep", "0.1"])
        raise AssertionError((self.folder / "log").read_text())

    def stop(self) -> None:
        """As when the power fails: connections are not closed."""
        if self.process is not None and self.process.poll() is None:
            number = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
            os.kill(number, signal.SIGQUIT)
            self.process.wait()
            self.process = None

    def run(self, statement: str, database: str = "studies") -> str:
        command = [
            self.programs / "psql",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-U",
            "tester",
            "-d",
            database,
        ]
        done = subprocess.run(
            [*command, "-Atqc", statement], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()


@contextmanager
def running() -> Iterator[Postgres]:
    """A fresh server, stopped at the end. Skips the test where PostgreSQL is not installed."""
    programs = _programs()
    if programs is None:
        pytest.skip("PostgreSQL's server is not installed: apt-get install postgresql")
    folder = Path(
        tempfile.mkdtemp(prefix="pg-")
    )  # short: the path of a socket may have a hundred characters
    folder.chmod(0o777)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Postgres(programs, folder, port)
    try:
        initdb = [
            *_USER,
            programs / "initdb",
            "-D",
            folder / "data",
            "-U",
            "tester",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ]
        subprocess.run(initdb, check=True, capture_output=True, cwd=folder)
        server.start()
        server.run("CREATE DATABASE studies", "postgres")
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
