"""Without gradients a call keeps nothing: its memory does not grow with the sequence beyond inputs
and outputs, and its outputs are those of the whole run, bit for bit."""

import subprocess
import sys
from contextlib import AbstractContextManager

import pytest
import torch

from wiring_search.networks.kernels import chunks, entry, raw
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.topologies import ncp

WIRING = ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=4)
SAMPLES, STEPS = 5, 37
KINDS = {
    "ltc": {},
    "state": {"memory": "state"},
    "input": {"memory": "input", "neuron": "cfc"},
    "rk4": {"solver": "rk4", "steps": 2},
    "adjoint": {"solver": "rk4", "steps": 2, "gradient": "adjoint"},
}


@pytest.fixture(params=[1, 4, STEPS - 1])
def chunk(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The time steps that are run at once, in both ways of running."""
    lengths = []

    def in_chunks(run, length, *others):
        lengths.append(length)
        return chunks.in_chunks(run, request.param, *others)

    monkeypatch.setattr(raw, "in_chunks", in_chunks)
    monkeypatch.setattr(entry, "in_chunks", in_chunks)
    yield request.param
    assert lengths


def _given() -> dict[str, torch.Tensor]:
    numbers = torch.Generator().manual_seed(2)
    elapsed = torch.rand(SAMPLES, STEPS, generator=numbers) + 0.1
    elapsed[torch.rand(SAMPLES, STEPS, generator=numbers) < 0.3] = 0.0
    return {
        "x": torch.randn(SAMPLES, STEPS, 3, generator=numbers),
        "elapsed": elapsed,
        "lengths": torch.tensor([STEPS, 1, 0, 20, 5]),
    }


@pytest.mark.parametrize("way", [{}, {"use_reference": True}], ids=["fused", "reference"])
@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_chunks_give_the_bits_of_the_whole_run(
    chunk: int, kind: dict, every_step: bool, way: dict
) -> None:
    net = LiquidNetwork(WIRING, outputs=2, seed=2, every_step=every_step, **kind, **way)
    given = _given()
    y, state = net(**given)
    with torch.no_grad():
        y_chunked, state_chunked = net(**given)
    assert torch.equal(y_chunked, y)
    assert torch.equal(state_chunked, state)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_outputs_without_gradients_are_the_same_in_every_mode(
    chunk: int, mode: type[AbstractContextManager]
) -> None:
    net = LiquidNetwork(WIRING, outputs=2, seed=2)
    given = _given()
    y, state = net(**given)
    with mode():
        y_chunked, state_chunked = net(**given)
    assert torch.equal(y_chunked, y)
    assert torch.equal(state_chunked, state)


def test_frozen_parameters_and_inputs_need_no_history(chunk: int) -> None:
    net = LiquidNetwork(WIRING, outputs=2, seed=2)
    expected = net(**_given())[0]
    y, _ = net.requires_grad_(False)(**_given())
    assert torch.equal(y, expected)
    assert not y.requires_grad


# In a fresh process, whose greatest use of memory nothing else has raised: bytes that a call
# adds beyond what its inputs and outputs take.
LONG = """
import resource
import torch
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.topologies import ncp

def greatest():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

net = LiquidNetwork(ncp(3, 6, 4, 2, 2, 2, 5, 2, seed=4), outputs=2, every_step={every_step})
with torch.{mode}():
    net(torch.rand(1, 5000, 3))
    x = torch.rand(1, 200_000, 3)
    before = greatest()
    y, state = net(x)
    more = greatest() - before
print(more - 4 * (2 * x.shape[1] + y.numel()))  # elapsed times and, at most, their comparison
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the unit of ru_maxrss differs")
@pytest.mark.parametrize("every_step", [True, False])
@pytest.mark.parametrize("mode", ["no_grad", "inference_mode"])
def test_a_long_sequence_takes_a_few_megabytes(mode: str, every_step: bool) -> None:
    source = LONG.format(mode=mode, every_step=every_step)
    printed = subprocess.run(
        [sys.executable, "-c", source], check=True, capture_output=True, text=True
    ).stdout
    assert int(printed) < 8e6
