"""The fused CPU kernel on torch tensors and stored parameters, without autograd.

Stored parameters are one flat vector, raw: conductances and capacitances may be numbers that
softplus makes positive. `autograd` makes torch functions with gradients of this, `operator` custom
operators for torch's compiler.
"""

from typing import cast

import numpy as np
import torch

from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels.chunks import in_chunks
from wiring_search.networks.kernels.cpu import adam
from wiring_search.networks.kernels.cpu.simd import LANES
from wiring_search.networks.kernels.layout import PackLayout

Tensor = torch.Tensor

# What a chunk keeps of its states, in bytes: so much stays in a core's cache, and a small network
# still takes some thousand time steps at once.
HISTORY_BYTES = 1 << 20

ALIGNMENT = 64  # bytes, of what the kernel reads in lanes


def effective(layout: PackLayout, softplus: bool, raw: Tensor) -> np.ndarray:
    """The parameters as the dynamics sees them, (layout.parameters,)."""
    flat = raw.numpy()
    if not (softplus and layout.positive.any()):
        return flat
    result = np.empty_like(flat)
    adam.effective_of(flat, layout.positive, result)
    return result


def forward(
    layout: PackLayout,
    params: np.ndarray,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
    every_step: bool,
) -> tuple[Tensor, Tensor, cpu.Kept]:
    """`cpu.forward` on at most `torch.get_num_threads()` threads.

    Args:
        layout: Of the pack.
        params: As `effective` gives them.
        x: (B, T, features) float32.
        elapsed: (B, T) float32.
        state: (B, layout.state_size) float32.
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs), the final state, and what `gradients` needs.
    """
    with cpu.at_most_threads(torch.get_num_threads()):
        y, final, kept = cpu.forward(
            layout, params, array(x), array(elapsed), array(state), every_step
        )
    return torch.from_numpy(y), torch.from_numpy(final), cast(cpu.Kept, kept)


def without_history(
    layout: PackLayout,
    params: np.ndarray,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
    every_step: bool,
) -> tuple[Tensor, Tensor]:
    """Readouts and final state of `forward`, bit for bit, in memory that does not grow with T
    beyond inputs and outputs.

    Args:
        layout: Of the pack.
        params: As `effective` gives them.
        x: (B, T, features) float32.
        elapsed: (B, T) float32.
        state: (B, layout.state_size) float32.
        every_step: Readouts of all time steps, or of the last one only.
    """

    def run(x: Tensor, elapsed: Tensor, state: Tensor, shown: bool) -> tuple[Tensor, Tensor]:
        return forward(layout, params, x, elapsed, state, shown)[:2]

    lanes = -(-len(x) // LANES) * LANES
    step_bytes = 4 * lanes * (layout.state_size + layout.features)
    length = max(HISTORY_BYTES // max(step_bytes, 1), 1)
    return in_chunks(run, length, x, elapsed, state, every_step)


def gradients(
    layout: PackLayout,
    softplus: bool,
    params: np.ndarray,
    kept: cpu.Kept,
    grad_y: Tensor,
    grad_final: Tensor,
    inputs_too: bool,
) -> tuple[Tensor | None, Tensor | None, Tensor, Tensor]:
    """Gradients of x and elapsed (None without `inputs_too`), of the initial state and of the raw
    parameters.

    Args:
        layout: Of the pack.
        softplus: Whether conductances and capacitances are stored raw.
        params: As `effective` gives them.
        kept: By `forward`.
        grad_y: As the readouts.
        grad_final: As the final state.
        inputs_too: Whether x and elapsed get gradients.
    """
    with cpu.at_most_threads(torch.get_num_threads()):
        grad, grad_state, *grad_inputs = cpu.backward(
            layout, params, kept, array(grad_y), array(grad_final), inputs_too
        )
    grad[layout.pinned] = 0.0
    if softplus:  # its derivative is sigmoid(raw), here from its value
        positive = np.flatnonzero(layout.positive)
        grad[positive] *= -np.expm1(-params[positive])
    grad_x, grad_elapsed = (None if g is None else torch.from_numpy(g) for g in grad_inputs)
    return grad_x, grad_elapsed, torch.from_numpy(grad_state), torch.from_numpy(grad)


def in_lanes(tensor: Tensor) -> np.ndarray:
    """The numbers of a tensor that the kernel kept, at an address that it can read: hooks for saved
    tensors and the compiler may have moved them."""
    fits = tensor.data_ptr() % ALIGNMENT == 0
    return (tensor if fits else tensor.clone()).numpy()


def array(tensor: Tensor) -> np.ndarray:
    """A tensor's numbers, contiguous, shared where they are so already."""
    return tensor.detach().contiguous().numpy()
