"""Other processes that run a study, for tests of locks and of reading beside a writer."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HOLD = """
import sys, time
from pathlib import Path
from wiring_search.store import Store
with Store.open(Path(sys.argv[1])).locked():
    print("holds", flush=True)
    time.sleep(60)
"""
# Records packs of three trials and their outcomes, one after another, until it is killed.
_DRIVE = """
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path
from wiring_search.workers.jobs import Outcome, Status
from wiring_search.store import Store, Trial
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
candidate = Candidate(ncp(2, 3, 2, 1, 1, 1, 0, 1), steps=2)
outcome = Outcome(Status.OK, 0.25, 0.75, 30, 13, 1.5, 2.5, (0.5, 0.25), b"weights" * 500)
store = Store.open(Path(sys.argv[1]))
with store.locked():
    print("holds", flush=True)
    for pack in count():
        members = range(3 * pack, 3 * pack + 3)
        trials = [
            Trial(n, pack, 0, Status.RUNNING, {"inter": 3}, candidate, None, "", {})
            for n in members
        ]
        store.record_pack(pack, 0, members, trials, {})
        store.record_outcomes(pack, {n: outcome for n in members}, "me")
"""


@contextmanager
def _process(code: str, folder: Path) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "holds\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def holding(folder: Path) -> "contextmanager[subprocess.Popen]":
    """Another process that locks the study in `folder`, and does nothing."""
    return _process(_HOLD, folder)


def driving(folder: Path) -> "contextmanager[subprocess.Popen]":
    """Another process that locks the study, and records packs of three finished trials without a
    pause."""
    return _process(_DRIVE, folder)
