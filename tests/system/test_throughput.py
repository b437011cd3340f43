"""What a search costs besides training, through a real Ray pool: the figures of the benchmark."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "throughput.py"


@pytest.mark.slow
@pytest.mark.ray
def test_ten_thousand_trials_that_take_no_time() -> None:
    command = [
        sys.executable,
        str(BENCHMARK),
        "--trials",
        "10000",
        "--workers",
        "2",
        "--pruning",
        "halving",
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=1800)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["memory_kb_a_trial"] < 5
    # Processor time of the driver alone: other programs may take the cores meanwhile.
    assert found["reload_cpu_seconds"] < 4
    assert found["driver_cpu_seconds"] < 10_000 / 100
