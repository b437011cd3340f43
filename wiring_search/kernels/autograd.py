"""The kernels as one torch function with gradients; it picks the fused kernel where it can run, and the reference elsewhere."""

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from wiring_search.kernels import cpu, reference
from wiring_search.kernels.layout import PackLayout


def run(
    layout: PackLayout,
    params: torch.Tensor,
    x: torch.Tensor,
    elapsed: torch.Tensor,
    state: torch.Tensor,
    every_step: bool,
    use_reference: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`reference.run`, by the fused kernel where everything is float32 on the CPU and the reference was not asked for."""
    inputs = (params, x, elapsed, state)
    if use_reference or any(tensor.dtype != torch.float32 or tensor.device.type != "cpu" for tensor in inputs):
        return reference.run(layout, params, x, elapsed, state, every_step)
    return _Fused.apply(layout, every_step, *inputs)


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layout, every_step, params, x, elapsed, state):
        arrays = [_contiguous(tensor) for tensor in (params, x, elapsed, state)]
        y, final, kept = cpu.forward(layout, *arrays, every_step)
        # Users may change parameters in place between forward and backward; torch checks that for saved tensors alone.
        ctx.save_for_backward(params)
        ctx.layout, ctx.kept = layout, kept
        ctx.inputs_too = x.requires_grad or elapsed.requires_grad
        return torch.from_numpy(y), torch.from_numpy(final)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_y, grad_final):
        (params,) = ctx.saved_tensors
        gradients = cpu.backward(
            ctx.layout, _contiguous(params), ctx.kept, _contiguous(grad_y), _contiguous(grad_final), ctx.inputs_too
        )
        grad_params, grad_state, grad_x, grad_elapsed = (g if g is None else torch.from_numpy(g) for g in gradients)
        return None, None, grad_params, grad_x, grad_elapsed, grad_state


def _contiguous(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()
