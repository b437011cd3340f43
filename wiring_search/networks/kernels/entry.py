"""What a torch module calls: the kernel that suits its tensors and what torch does with the call.

- An ordinary call of float32 tensors on the CPU runs the fused kernel.
- Where torch records operators (`torch.compile`, fake tensors) the same kernel runs as an operator.
- Exporters (`torch.export`, ONNX, `torch.jit.trace`) and transforms (`torch.func`, forward-mode
  derivatives) need plain torch: they get the reference.
"""

from collections.abc import Sequence

import torch

from wiring_search.networks.kernels import autograd, operator, reference
from wiring_search.networks.kernels.chunks import in_chunks
from wiring_search.networks.kernels.first_order import are_transforms_active, refuse_transforms
from wiring_search.networks.kernels.layout import PackLayout

Tensor = torch.Tensor

_UNCOMPILED = (
    "a LiquidNetwork within torch.func is not compiled; leave out fullgraph=True, or torch.compile"
)
_STRICT = "torch.export cannot read a LiquidNetwork with strict=True; give strict=False"

# Time steps that the reference takes at once where nothing is kept.
REFERENCE_STEPS = 256


def run(
    layout: PackLayout,
    values: Sequence[Tensor],
    softplus: bool,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
    every_step: bool,
    use_reference: bool = False,
) -> tuple[Tensor, Tensor]:
    """`reference.run` by the kernel that suits the call.

    Args:
        layout: Of the pack.
        values: The parameters of all candidates, in the order of `layout.shapes`.
        softplus: Whether conductances and capacitances are stored raw and made positive by
            softplus.
        x: (B, T, features).
        elapsed: (B, T) time units, ≥ 0; where 0 the state is held.
        state: (B, layout.state_size).
        every_step: Readouts of all time steps, or of the last one only.
        use_reference: Never the fused kernel.

    Returns:
        Readouts (candidates, B, T or 1, outputs) and the final state (B, layout.state_size).

    Raises:
        ValueError: The parameters differ in dtype or device.
        RuntimeError: Gradients by the adjoint are asked for within a transform.
    """
    inputs = x, elapsed, state
    tensors = (*inputs, *values)
    if _is_exported():
        if torch.compiler.is_dynamo_compiling():
            torch._dynamo.graph_break(msg=_STRICT)
        flat = autograd.effective_by_torch(layout, softplus, autograd.flattened(values))
        return reference.run(layout, flat, *inputs, every_step)
    if are_transforms_active():
        if torch.compiler.is_compiling():
            torch._dynamo.graph_break(msg=_UNCOMPILED)
        if layout.kind.gradient == "adjoint" and autograd.needs_gradients(tensors):
            refuse_transforms()
        return autograd.by_reference(layout, values, softplus, *inputs, every_step)
    fits = not use_reference and x.shape[0] > 0 and autograd.can_fuse(layout, tensors)
    if fits and _is_recorded():
        flat = autograd.flattened(values)
        return operator.run(layout.text, softplus, flat, *inputs, every_step)
    if fits:
        return autograd.fused(layout, values, softplus, *inputs, every_step)
    _require_alike(values)
    if _is_recorded() or autograd.needs_gradients(tensors):
        return autograd.by_reference(layout, values, softplus, *inputs, every_step)

    def chunk(*given) -> tuple[Tensor, Tensor]:
        return autograd.by_reference(layout, values, softplus, *given)

    return in_chunks(chunk, REFERENCE_STEPS, *inputs, every_step)


def _is_exported() -> bool:
    """Whether a program is made of the call that runs without this package."""
    return torch.compiler.is_exporting() or torch.jit.is_tracing()


def _is_recorded() -> bool:
    """Whether operators are recorded, or run on tensors without numbers."""
    return torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0


def _require_alike(values: Sequence[Tensor]) -> None:
    """Raises ValueError where parameters differ in dtype or device."""
    kinds = {f"{str(p.dtype).removeprefix('torch.')} on {p.device}" for p in values}
    if len(kinds) > 1:
        raise ValueError(
            f"the parameters are {' and '.join(sorted(kinds))}; convert the network to one dtype "
            "and device: network.to(device, dtype)"
        )
