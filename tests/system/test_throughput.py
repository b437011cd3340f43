"""What a search costs besides training, through a real Ray pool: the figures of the benchmark.

Times are compared within one run, never with seconds, which depend on what else a machine does.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "throughput.py"


def _found(trials: int) -> dict:
    given = f"--trials {trials} --workers 2 --pruning halving --json".split()
    done = subprocess.run(
        [sys.executable, str(BENCHMARK), *given],
        capture_output=True,
        text=True,
        check=True,
        timeout=1800,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.ray
def test_a_trial_costs_no_more_where_there_are_many() -> None:
    few, many = _found(2_000), _found(10_000)
    assert many["trials"] == 10_000
    assert many["memory_kb_a_trial"] < 5
    # Processor time of the driver alone, per trial, is that of a fifth as many trials.
    assert many["driver_cpu_seconds"] / 10_000 < 2 * few["driver_cpu_seconds"] / 2_000
    # To read the store again costs a small part of what it cost to fill it.
    assert many["reload_cpu_seconds"] < many["driver_cpu_seconds"] / 10
