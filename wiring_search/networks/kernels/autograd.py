"""The kernels as torch functions with gradients: from a network's parameters, one by one as torch
keeps them, to its outputs.

`fused` and `by_reference` have one signature. The networks are so small that the cost of torch
per parameter counts. So `fused` is one function from raw parameters to outputs: flattening,
softplus, the kernel, and all of it backward.
"""

from collections.abc import Sequence

import numpy as np
import torch

from wiring_search.networks.kernels import cpu, plain
from wiring_search.networks.kernels.cpu import adam
from wiring_search.networks.kernels.first_order import first_order_only
from wiring_search.networks.kernels.layout import PackLayout

Tensor = torch.Tensor


def can_fuse(tensors: Sequence[Tensor]) -> bool:
    """Whether the fused kernel takes these: float32 on the CPU, all of them."""
    return all(tensor.dtype == torch.float32 and tensor.device.type == "cpu" for tensor in tensors)


def fused(
    layout: PackLayout,
    values: Sequence[Tensor],
    softplus: bool,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
    every_step: bool,
) -> tuple[Tensor, Tensor]:
    """`reference.run` by the fused CPU kernel, from the parameters as torch keeps them.

    It runs on at most `torch.get_num_threads()` threads. Its gradients cannot be differentiated
    again (RuntimeError, see `first_order`); those of `by_reference` can.

    Args:
        layout: Of the pack.
        values: The parameters of all candidates, in the order of `layout.shapes`; float32, CPU.
        softplus: Whether conductances and capacitances are stored raw and made positive by
            softplus.
        x: (B, T, features).
        elapsed: (B, T) time units, ≥ 0; where 0 the state is held.
        state: (B, layout.state_size).
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs) and the final state (B, layout.state_size).
    """
    return _Fused.apply(layout, softplus, every_step, x, elapsed, state, *values)


def by_reference(
    layout: PackLayout,
    values: Sequence[Tensor],
    softplus: bool,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
    every_step: bool,
) -> tuple[Tensor, Tensor]:
    """The same in plain torch, for any dtype and device.

    It takes the adjoint where that is the layout's gradient.

    Args:
        layout: Of the pack.
        values: The parameters of all candidates, in the order of `layout.shapes`.
        softplus: Whether conductances and capacitances are stored raw and made positive by
            softplus.
        x: (B, T, features).
        elapsed: (B, T) time units, ≥ 0; where 0 the state is held.
        state: (B, layout.state_size).
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs) and the final state (B, layout.state_size).
    """
    flat = torch.cat([value.reshape(-1) for value in values])
    if softplus:
        positive = torch.from_numpy(layout.positive).to(flat.device)
        flat = torch.where(positive, torch.nn.functional.softplus(flat), flat)
    if layout.pinned.any():
        flat = torch.where(
            torch.from_numpy(layout.pinned).to(flat.device), torch.zeros_like(flat), flat
        )
    return plain.run(layout, flat, x, elapsed, state, every_step)


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layout, softplus, every_step, x, elapsed, state, *values):
        flat = [value if value.ndim == 1 else value.reshape(-1) for value in values]
        params = torch.cat(flat).numpy()
        if softplus and layout.positive.any():
            raw, params = params, np.empty_like(params)
            adam.effective_of(raw, layout.positive, params)
        with cpu.at_most_threads(torch.get_num_threads()):
            y, final, kept = cpu.forward(
                layout, params, _array(x), _array(elapsed), _array(state), every_step
            )
        ctx.layout, ctx.softplus, ctx.params, ctx.kept = layout, softplus, params, kept
        ctx.inputs_too = x.requires_grad or elapsed.requires_grad
        ctx.shapes = [value.shape for value in values]
        # For `first_order_only`: the kernel has copies.
        ctx.save_for_backward(x, elapsed, state, *values)
        return torch.from_numpy(y), torch.from_numpy(final)

    @staticmethod
    @first_order_only(
        "give LiquidNetwork use_reference=True, or run it in float64 (.double()), with "
        'gradient="bptt"'
    )
    def backward(ctx, grad_y, grad_final):
        with cpu.at_most_threads(torch.get_num_threads()):
            grad, grad_state, *grad_inputs = cpu.backward(
                ctx.layout, ctx.params, ctx.kept, _array(grad_y), _array(grad_final), ctx.inputs_too
            )
        grad[ctx.layout.pinned] = 0.0
        if ctx.softplus:  # its derivative is sigmoid(raw), here from its value
            positive = np.flatnonzero(ctx.layout.positive)
            grad[positive] *= -np.expm1(-ctx.params[positive])
        grad_x, grad_elapsed = (None if g is None else torch.from_numpy(g) for g in grad_inputs)
        return (
            None,
            None,
            None,
            grad_x,
            grad_elapsed,
            torch.from_numpy(grad_state),
            *_pieces(grad, ctx.shapes),
        )


def _pieces(flat: np.ndarray, shapes: Sequence[torch.Size]) -> list[Tensor]:
    parts = torch.from_numpy(flat).split([shape.numel() for shape in shapes])
    return [
        part if len(shape) == 1 else part.view(shape)
        for part, shape in zip(parts, shapes, strict=True)
    ]


def _array(tensor: Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()
