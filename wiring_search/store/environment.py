"""Versions, commit and machine of a study, recorded in its store when it begins."""

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path

from wiring_search import __version__

PACKAGES = ("torch", "optuna", "ray", "numba", "numpy")
CHANGED = " with uncommitted changes"
_HERE = Path(__file__).resolve().parent


@cache
def environment() -> dict[str, str]:
    """Versions of packages by name; python, platform, processor and cores of this machine; the
    commit, where the program runs from a git checkout."""
    found = {
        "wiring-search": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
    }
    machine = {
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": str(os.cpu_count() or 1),
    }
    commit = _commit()
    return {**found, **machine, **({"commit": commit} if commit else {})}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _commit() -> str | None:
    """The commit of the checkout that tracks this file; None where none does."""
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    head = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return head and head + (CHANGED if changes else "")


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=_HERE, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
