"""What every GPU kernel is asked: whether it says what the reference says, for tests of several files."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from packs import inputs, parameters

from wiring_search.kernels import adjoint, gpu, reference
from wiring_search.kernels.layout import PackLayout
from wiring_search.solvers import TABLEAUX

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


@pytest.fixture(autouse=True)
def nothing_is_read_before_it_is_written() -> Iterator[None]:
    """Fresh memory holds NaN."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


def near(ours: torch.Tensor, truth: torch.Tensor) -> None:
    assert ours.shape == truth.shape
    difference = (ours.cpu() - truth.detach()).abs().max()
    assert difference <= 1e-5 * max(1e-3, truth.abs().max()), difference


def on_device(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array).to(DEVICE) for array in arrays]


def equals_reference(layout: PackLayout, rng: np.random.Generator, batch: int, steps: int, every_step: bool, gaps: bool) -> None:
    """Readouts, final state and every gradient, against the reference in float64. batch: samples; steps: time steps; gaps: whether
    no time passes in some."""
    params, x, elapsed, state = parameters(layout, rng), *inputs(layout, rng, batch, steps, gaps)
    if layout.kind.solver in TABLEAUX:  # where an explicit solver is not stable, rounding errors grow without bound
        elapsed = elapsed * np.float32(0.1)
    arrays = params, x, elapsed, state
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    truth_of = adjoint.run if layout.kind.gradient == "adjoint" else reference.run
    y, final = truth_of(layout, *tensors, every_step)
    grad_y, grad_final = torch.from_numpy(rng.standard_normal(y.shape)), torch.from_numpy(rng.standard_normal(final.shape))
    truth = torch.autograd.grad((y, final), tensors, (grad_y, grad_final))

    placed, ours = gpu.place(layout, DEVICE), on_device(*arrays)
    our_y, our_final, kept = gpu.forward(placed, *ours, every_step)
    near(our_y, y)
    near(our_final, final)
    grads = [grad.float().to(DEVICE) for grad in (grad_y, grad_final)]
    grad_params, grad_state, grad_x, grad_elapsed = gpu.backward(placed, ours[0], kept, *grads, True)
    for our, true in zip((grad_params, grad_x, grad_elapsed, grad_state), truth, strict=True):
        near(our, true)
