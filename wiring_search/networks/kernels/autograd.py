"""The kernels as torch functions with gradients: from a network's parameters, one by one as torch
keeps them, to its outputs.

`fused` and `by_reference` have one signature. The networks are so small that the cost of torch
per parameter counts. So `fused` is one function from raw parameters to outputs: flattening,
softplus, the kernel, and all of it backward.

What its backward pass needs are saved tensors: torch frees them after it, refuses a second one, and
hands them to the hooks for saved tensors. The compiled kernel has first derivatives only. Where
those are to be differentiated again, `_Gradients` gives them, with a backward pass that runs the
reference: the first derivatives are the same numbers, and nothing more is paid until a second
derivative is asked for. Second derivatives of the adjoint are refused, since its gradient is that
of the differential equation, not of the steps.

`torch.autograd.grad` with `is_grads_batched` (and so `torch.autograd.functional.jacobian` with
`vectorize`) maps a backward pass over a batch of gradients; there the reference runs too.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch

from wiring_search.networks.kernels import cpu, plain, raw, reference
from wiring_search.networks.kernels.first_order import (
    are_transforms_active,
    refuse,
    refuse_transforms,
)
from wiring_search.networks.kernels.layout import PackLayout

Tensor = torch.Tensor

# Saved tensors: x, elapsed, state; what of the kernel; the parameters.
_INPUTS, _KERNEL = 3, 4


def can_fuse(layout: PackLayout, tensors: Sequence[Tensor]) -> bool:
    """Whether the fused kernel takes these: a compiled neuron, and all float32 on the CPU."""
    return not plain.is_needed(layout.kind) and all(
        tensor.dtype is torch.float32 and tensor.is_cpu for tensor in tensors
    )


def needs_gradients(tensors: Sequence[Tensor]) -> bool:
    """Whether torch records what is computed of these."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


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

    It runs on at most `torch.get_num_threads()` threads. Where no gradients are needed, its memory
    does not grow with T beyond inputs and outputs.

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
    if needs_gradients((x, elapsed, state, *values)):
        return _Fused.apply(layout, softplus, every_step, x, elapsed, state, *values)
    params = raw.effective(layout, softplus, flattened(values))
    return raw.without_history(layout, params, x, elapsed, state, every_step)


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

    It takes the adjoint where that is the layout's gradient and gradients are needed.

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
    flat = effective_by_torch(layout, softplus, flattened(values))
    runs = plain.run if needs_gradients((flat, x, elapsed, state)) else reference.run
    return runs(layout, flat, x, elapsed, state, every_step)


def flattened(values: Sequence[Tensor]) -> Tensor:
    """The parameters in one new vector."""
    return torch.cat([value if value.ndim == 1 else value.reshape(-1) for value in values])


def effective_by_torch(layout: PackLayout, softplus: bool, flat: Tensor) -> Tensor:
    """`raw.effective` in plain torch, with gradients: none where `layout.pinned`."""
    if softplus:
        positive = torch.from_numpy(layout.positive).to(flat.device)
        flat = torch.where(positive, torch.nn.functional.softplus(flat), flat)
    if any(made.pins for made in layout.connections):
        pinned = torch.from_numpy(layout.pinned).to(flat.device)
        flat = torch.where(pinned, torch.zeros_like(flat), flat)
    return flat


class _Call(NamedTuple):
    """What of a call is no tensor. shapes: of the parameters."""

    layout: PackLayout
    softplus: bool
    every_step: bool
    x_shape: tuple[int, int, int]
    shapes: list[torch.Size]


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx, layout, softplus, every_step, x, elapsed, state, *values):
        params = raw.effective(layout, softplus, flattened(values))
        y, final, kept = raw.forward(layout, params, x, elapsed, state, every_step)
        ctx.call = _Call(
            layout, softplus, every_step, kept.shape, [value.shape for value in values]
        )
        of_kernel = (params, kept.x, kept.elapsed, kept.history)
        ctx.save_for_backward(x, elapsed, state, *map(torch.from_numpy, of_kernel), *values)
        return y, final

    @staticmethod
    def backward(ctx, grad_y, grad_final):
        saved = ctx.saved_tensors
        given = (grad_y, grad_final)
        if are_transforms_active():
            if ctx.call.layout.kind.gradient == "adjoint":
                refuse_transforms()
            inputs = (*saved[:_INPUTS], *saved[_INPUTS + _KERNEL :])
            grads = _gradients_by_reference(ctx.call, inputs, given, torch.is_grad_enabled())
        else:
            inputs_too = ctx.needs_input_grad[3] or ctx.needs_input_grad[4]
            if torch.is_grad_enabled():
                grads = _Gradients.apply(ctx.call, inputs_too, *given, *saved)
            else:
                grads = _gradients_by_kernel(ctx.call, inputs_too, *given, saved)
        return None, None, None, *grads


class _Gradients(torch.autograd.Function):
    """The first derivatives of a call as a function of all that they depend on."""

    @staticmethod
    def forward(ctx, call, inputs_too, grad_y, grad_final, *saved):
        ctx.call = call
        ctx.save_for_backward(grad_y, grad_final, *saved[:_INPUTS], *saved[_INPUTS + _KERNEL :])
        grads = _gradients_by_kernel(call, inputs_too, grad_y, grad_final, saved)
        # Apart from each other: torch refuses writing into views that a function returns.
        return tuple(None if grad is None else grad.clone() for grad in grads)

    @staticmethod
    def backward(ctx, *seconds):
        if ctx.call.layout.kind.gradient == "adjoint":
            refuse()
        again = torch.is_grad_enabled()
        with torch.enable_grad():
            grad_y, grad_final, *inputs = _aliases(ctx.saved_tensors)
            firsts = _gradients_by_reference(ctx.call, inputs, (grad_y, grad_final), True)
            pairs = [
                (first, second)
                for first, second in zip(firsts, seconds, strict=True)
                if first is not None and first.requires_grad and second is not None
            ]
            found = _grads_of(pairs, [grad_y, grad_final, *inputs], again)
        of_inputs = found[2 : 2 + _INPUTS]
        return None, None, *found[:2], *of_inputs, *[None] * _KERNEL, *found[2 + _INPUTS :]


def _gradients_by_kernel(
    call: _Call, inputs_too: bool, grad_y: Tensor, grad_final: Tensor, saved: Sequence[Tensor]
) -> list[Tensor | None]:
    """Of x, elapsed (None without `inputs_too`), state and parameters."""
    params, x, elapsed, history = map(raw.in_lanes, saved[_INPUTS : _INPUTS + _KERNEL])
    kept = cpu.Kept(x, elapsed, history, call.x_shape)
    *grads, flat = raw.gradients(
        call.layout, call.softplus, params, kept, grad_y, grad_final, inputs_too
    )
    parts = flat.split([shape.numel() for shape in call.shapes])
    return [
        *grads,
        *(
            part if len(shape) == 1 else part.view(shape)
            for part, shape in zip(parts, call.shapes, strict=True)
        ),
    ]


def _gradients_by_reference(
    call: _Call, inputs: Sequence[Tensor], given: tuple[Tensor, Tensor], create_graph: bool
) -> list[Tensor | None]:
    """Of x, elapsed, state and parameters, `inputs`; None where one requires none."""
    with torch.enable_grad():
        x, elapsed, state, *values = inputs = _aliases(inputs)
        y, final = by_reference(
            call.layout, values, call.softplus, x, elapsed, state, call.every_step
        )
        return _grads_of([(y, given[0]), (final, given[1])], inputs, create_graph)


def _aliases(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same tensors, so that a gradient by one has no part that goes through another."""
    return [tensor.view_as(tensor) for tensor in tensors]


def _grads_of(
    pairs: Sequence[tuple[Tensor, Tensor]], inputs: Sequence[Tensor], create_graph: bool
) -> list[Tensor | None]:
    """The gradients by inputs of results, given with their gradients; None where an input
    requires none, or there are no results."""
    asked = [tensor for tensor in inputs if tensor.requires_grad]
    pairs = [(result, given) for result, given in pairs if result.requires_grad]
    if not (asked and pairs):
        return [None] * len(inputs)
    results, given = zip(*pairs, strict=True)
    found = iter(
        torch.autograd.grad(
            results, asked, given, create_graph=create_graph, materialize_grads=True
        )
    )
    return [next(found) if tensor.requires_grad else None for tensor in inputs]
