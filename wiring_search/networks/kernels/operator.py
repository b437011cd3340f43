"""The fused CPU kernel as custom operators of torch, which its compiler takes as they are.

`torch.compile` and other tools that record operators (fake tensors, selective checkpoints) cannot
look into a compiled kernel. They call these operators, whose outputs' shapes and gradients are
registered. A layout goes in as its text (`PackLayout.text`), which holds all of it: what was
compiled, and cached on disk, needs nothing that another process has registered.

Gradients of these operators cannot be differentiated again; torch refuses that.
"""

from functools import lru_cache

import torch

from wiring_search.networks.kernels import raw
from wiring_search.networks.kernels.cpu import Kept
from wiring_search.networks.kernels.cpu.lanes import into_lanes, tiles_of, without_padding
from wiring_search.networks.kernels.cpu.simd import LANES
from wiring_search.networks.kernels.layout import PackLayout

Tensor = torch.Tensor

_LAYOUTS = 256  # made of their texts and kept


@lru_cache(_LAYOUTS)
def _layout_of(text: str) -> PackLayout:
    return PackLayout.from_text(text)


def run(
    text: str,
    softplus: bool,
    flat: Tensor,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
    every_step: bool,
) -> tuple[Tensor, Tensor]:
    """`autograd.fused` by an operator.

    Args:
        text: Of the layout.
        softplus: Whether conductances and capacitances are stored raw and made positive by
            softplus.
        flat: (layout.parameters,) Stored parameters, float32, CPU.
        x: (B, T, features).
        elapsed: (B, T) time units; where 0 the state is held.
        state: (B, layout.state_size).
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs) and the final state (B, layout.state_size).

    Raises:
        ValueError: An elapsed time is negative, NaN or infinite.
    """
    tensors = flat, x, elapsed, state
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        y, final, _ = _forward(text, softplus, every_step, *tensors)
        return y, final
    return _without_history(text, softplus, every_step, *tensors)


@torch.library.custom_op("wiring_search::liquid", mutates_args=())
def _forward(
    text: str,
    softplus: bool,
    every_step: bool,
    flat: Tensor,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Readouts, final state, and the history that the gradients need."""
    _require_times(elapsed)
    layout = _layout_of(text)
    params = raw.effective(layout, softplus, flat)
    y, final, kept = raw.forward(layout, params, x, elapsed, state, every_step)
    return y.contiguous(), final.contiguous(), torch.from_numpy(kept.history)


@torch.library.custom_op("wiring_search::liquid_without_history", mutates_args=())
def _without_history(
    text: str,
    softplus: bool,
    every_step: bool,
    flat: Tensor,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
) -> tuple[Tensor, Tensor]:
    """Readouts and final state where no gradients are needed."""
    _require_times(elapsed)
    layout = _layout_of(text)
    params = raw.effective(layout, softplus, flat)
    y, final = raw.without_history(layout, params, x, elapsed, state, every_step)
    return y.contiguous(), final.contiguous()


@torch.library.custom_op("wiring_search::liquid_backward", mutates_args=())
def _backward(
    text: str,
    softplus: bool,
    inputs_too: bool,
    flat: Tensor,
    x: Tensor,
    elapsed: Tensor,
    history: Tensor,
    grad_y: Tensor,
    grad_final: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients of flat, x, elapsed and state; those of x and elapsed empty without
    `inputs_too`."""
    layout = _layout_of(text)
    params = raw.effective(layout, softplus, flat)
    samples, time_steps, features = x.shape
    xs, times = raw.array(x), raw.array(elapsed)
    kept = Kept(
        into_lanes(without_padding(xs, times)),
        into_lanes(times),
        raw.in_lanes(history),
        (samples, time_steps, features),
    )
    *inputs, grad_state, grad_flat = raw.gradients(
        layout, softplus, params, kept, grad_y, grad_final, inputs_too
    )
    grad_x, grad_elapsed = (x.new_empty(0) if grad is None else grad for grad in inputs)
    return grad_flat, grad_x.contiguous(), grad_elapsed.contiguous(), grad_state.contiguous()


def _require_times(elapsed: Tensor) -> None:
    """What `LiquidNetwork.forward` cannot look at while it is compiled."""
    if not bool(((elapsed >= 0) & (elapsed < torch.inf)).all()):
        raise ValueError(
            "elapsed has an infinite, negative or NaN entry; give times since the previous step, 0 "
            "or more"
        )


@_forward.register_fake
def _(text, softplus, every_step, flat, x, elapsed, state):
    y, final = _fake_outputs(text, every_step, x, state)
    rows = tiles_of(x.shape[0]) * (x.shape[1] + 1) * LANES
    return y, final, x.new_empty(rows * _layout_of(text).state_size)


@_without_history.register_fake
def _(text, softplus, every_step, flat, x, elapsed, state):
    return _fake_outputs(text, every_step, x, state)


@_backward.register_fake
def _(text, softplus, inputs_too, flat, x, elapsed, history, grad_y, grad_final):
    inputs = (x, elapsed) if inputs_too else (x.new_empty(0), x.new_empty(0))
    return tuple(
        torch.empty_like(like, memory_format=torch.contiguous_format)
        for like in (flat, *inputs, grad_final)
    )


def _fake_outputs(text: str, every_step: bool, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
    layout = _layout_of(text)
    shown = x.shape[1] if every_step else 1
    y = x.new_empty(layout.size, x.shape[0], shown, layout.output_size)
    return y, torch.empty_like(state, memory_format=torch.contiguous_format)


def _save(ctx, inputs, output):
    ctx.text, ctx.softplus, _, *tensors, _ = inputs
    ctx.save_for_backward(*tensors, output[2])
    ctx.inputs_too = any(tensor.requires_grad for tensor in tensors[1:])


def _gradients(ctx, grad_y, grad_final, _):
    grads = _backward(
        ctx.text, ctx.softplus, ctx.inputs_too, *ctx.saved_tensors, grad_y, grad_final
    )
    grad_flat, grad_x, grad_elapsed, grad_state = grads
    inputs = (grad_x, grad_elapsed) if ctx.inputs_too else (None, None)
    return None, None, None, grad_flat, *inputs, grad_state


_forward.register_autograd(_gradients, setup_context=_save)
