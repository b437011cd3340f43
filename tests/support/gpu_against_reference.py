"""What every GPU kernel is asked: whether it says what the reference says, for tests of several
files."""

import numpy as np
import torch

from tests.support.random_packs import truth
from wiring_search.networks.kernels import gpu
from wiring_search.networks.kernels.layout import PackLayout

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def near(ours: torch.Tensor, theirs: torch.Tensor) -> None:
    assert ours.shape == theirs.shape
    difference = (ours.cpu() - theirs).abs().max()
    assert difference <= 1e-5 * max(1e-3, theirs.abs().max()), difference


def on_device(*arrays: np.ndarray) -> list[torch.Tensor]:
    return [torch.from_numpy(array).to(DEVICE) for array in arrays]


def equals_reference(
    layout: PackLayout,
    rng: np.random.Generator,
    batch: int,
    steps: int,
    every_step: bool,
    gaps: bool,
) -> None:
    """Readouts, final state and every gradient, against the reference in float64. batch: samples;
    steps: time steps; gaps: whether no time passes in some."""
    true = truth(layout, rng, batch, steps, every_step, gaps)
    gpu_layout, arrays = gpu.to_device(layout, DEVICE), on_device(*true.arrays)
    y, final, kept = gpu.forward(gpu_layout, *arrays, every_step)
    grads = on_device(true.grad_y.astype(np.float32), true.grad_final.astype(np.float32))
    grad_params, grad_state, grad_x, grad_elapsed = gpu.backward(
        gpu_layout, arrays[0], kept, *grads, True
    )
    ours = y, final, grad_params, grad_x, grad_elapsed, grad_state
    for mine, theirs in zip(ours, (true.y, true.final, *true.gradients), strict=True):
        near(mine, torch.from_numpy(theirs))
