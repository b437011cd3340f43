"""The tests with a real Ray, each file in a process of its own, two at a time: python
tests/ray_tests.py

A driver that shuts Ray down can be killed by a thread of Ray's own (seen three times with 2.60, in
some hundred runs: an answer comes while it is torn down). In a process that runs other tests too,
all of them would be lost. A file whose process died by a signal is said to have, and run once more;
a test that fails is never repeated.
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# They start first, so that none of them runs alone at the end.
LONG = ("test_readme_tour.py", "test_cluster.py", "test_faults_cli.py", "test_faults_workers.py")


def passes(file: Path, tries: int = 2) -> bool:
    for last in range(tries - 1, -1, -1):
        command = [sys.executable, "-m", "pytest", "-q", "-m", "ray", file]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        print(f"{os.path.relpath(file)}, tests with Ray:\n{done.stdout}", flush=True)
        if done.returncode >= 0:
            return done.returncode == 0
        print(
            f"{os.path.relpath(file)}: the process died of signal {-done.returncode}; "
            f"{'once more' if last else 'given up'}",
            flush=True,
        )
    return False


def main() -> int:
    files = sorted(
        (f for f in Path(__file__).parent.rglob("test_*.py") if "mark.ray" in f.read_text()),
        key=lambda file: (file.name not in LONG, file),
    )
    with ThreadPoolExecutor(2) as two:
        return 0 if all(list(two.map(passes, files))) else 1


if __name__ == "__main__":
    sys.exit(main())
