"""The GPU benchmark without a GPU: it runs alone, checks, and says what is open; and what it
compares with is what it says."""

import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from ncps.torch import LTC
from ncps.wirings import NCP

pytest.importorskip("triton", reason="Triton is not installed: pip install 'wiring-search[gpu]'")

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
INTERPRETED = pytest.mark.skipif(DEVICE != "cpu", reason="watches the interpreter")

ALONE = """
import runpy
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[2:]:
            raise ModuleNotFoundError(f"no module named {name}", name=name)

sys.meta_path.insert(0, Missing())
sys.path.insert(0, str(__import__("pathlib").Path(sys.argv[1]).parent))
runpy.run_path(sys.argv[1], run_name="__main__")
"""
NOT_THERE = (
    "ray",
    "optuna",
    "numba",
    "llvmlite",
    "networkx",
    "pandas",
    "scipy",
    "sklearn",
    "matplotlib",
    "sqlalchemy",
    "ncps",
)


def test_it_runs_alone_and_says_which_figures_are_open() -> None:
    command = [sys.executable, "-c", ALONE, str(BENCHMARKS / "gpu.py"), *NOT_THERE]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": str(BENCHMARKS.parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "correct: " in done.stdout
    assert "There is no GPU here" in done.stdout
    figures = "".join(line for line in done.stdout.splitlines() if line.startswith("  open: "))
    for figure in (
        "packs of 1, 16, 256, 1,024, 4,096",
        "5,000",
        "16 cores, to reach 50",
        "to reach 40%",
        "per GPU-hour",
    ):
        assert figure in figures
    assert (
        "132 multiprocessors × 16 lanes × 1.98 GHz / 2 operations = 2.09 T sigmoids a second"
        in done.stdout
    )


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import gpu

    return gpu


def test_a_wrong_kernel_ends_the_run(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = benchmark.gpu.backward

    def wrong(*arguments: object) -> tuple:
        of_params, *others = right(*arguments)
        return of_params * (1 + 1e-4), *others

    monkeypatch.setattr(benchmark.gpu, "backward", wrong)
    with pytest.raises(
        SystemExit, match="wrong: the gradient of .* differs from the reference by 1.0e-04"
    ):
        benchmark.check(DEVICE)


def test_its_dense_network_is_what_ncps_computes(benchmark: ModuleType) -> None:
    torch.manual_seed(0)
    from dense_ltc import DenseLTC

    from wiring_search.wirings.ncps_format import from_ncps

    theirs = LTC(5, wiring := NCP(6, 4, 2, 3, 2, 3, 2))
    ours = DenseLTC(from_ncps(wiring, 5), unfolds=6)
    assert {name for name, _ in theirs.rnn_cell.named_parameters()} == {*ours.state_dict()}
    ours.load_state_dict(theirs.rnn_cell.state_dict())
    x, results = torch.rand(7, 9, 5), []
    for network in (theirs, ours):
        y, final = network(x)
        (y.square().sum() + final.sum()).backward()
        results.append((y, final))
    for mine, other in zip(*results, strict=True):
        torch.testing.assert_close(mine, other)
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(
            parameter.grad, getattr(theirs.rnn_cell, name).grad, rtol=1e-5, atol=1e-5
        )


@INTERPRETED
def test_it_counts_the_sigmoids_that_the_kernels_compute(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wiring_search.networks.kernels.gpu import ltc as ltc_gpu

    counted, sigmoid = [], ltc_gpu._sigmoid

    def counting(values, slope, offset):
        counted.append(np.prod(values.shape))
        return sigmoid(values, slope, offset)

    monkeypatch.setattr(ltc_gpu, "_sigmoid", counting)
    for name, value in (("TIME_STEPS", 1), ("UNFOLDS", 2)):
        monkeypatch.setattr(benchmark, name, value)
    pack = benchmark.random_pack((benchmark.WIRINGS["NCP 12/6/1"](0),), "cpu")
    benchmark.both_passes(pack)
    assert sum(counted) == benchmark.work_of(pack.gpu_layout).sigmoids


@INTERPRETED
def test_an_epoch_of_training_shows_every_window_once(
    benchmark: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"TIME_STEPS": 1, "UNFOLDS": 1, "TRAIN": 5, "VALID": 3, "TRAIN_BATCH": 2}
    for name, value in small.items():
        monkeypatch.setattr(benchmark, name, value)
    shown, step = [], benchmark.Trainer.step

    def watched(trainer, x, *others):
        shown.append(x)
        losses = step(trainer, x, *others)
        assert losses.isfinite().all()
        assert (trainer.steps == len(shown)).all()
        return losses

    monkeypatch.setattr(benchmark.Trainer, "step", watched)
    run_steps, validate = benchmark.training(1, "cpu")
    run_steps()
    validate()
    assert [len(x) for x in shown] == [2, 2, 1]
    assert len(torch.unique(torch.cat(shown), dim=0)) == 5


COMPILE = """
import re
import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

sys.path.insert(0, sys.argv[1])
from chip import bare_sigmoids

kinds = {"values": "*fp32", "ticks": "*i64", "rounds": "i32", "SIZE": "constexpr"}
source = ASTSource(bare_sigmoids, kinds, {"SIZE": 256})
machine = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 1}).asm["ptx"]
print(*(len(re.findall(name, machine)) for name in ("ex2.approx", "rcp.approx", "%clock64", "%globaltimer")))
"""


def test_the_bare_kernel_is_two_special_function_operations_a_sigmoid_between_two_looks_at_the_clock() -> (
    None
):
    """For the architecture of an H100, without one: 256 sigmoids of 32 threads are eight a
    thread."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["PYTHONPATH"] = str(BENCHMARKS.parent)
    command = [sys.executable, "-c", COMPILE, str(BENCHMARKS)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["8", "8", "2", "2"]
