"""What the adjoint refuses: gradients of its gradients, and transforms of torch.

An attempt to differentiate its gradients again raises an error and never loses a part of them.

`torch.autograd.function.once_differentiable` does this only where the incoming gradient requires
grad. That of `y.sum()` does not, so a gradient penalty on it would silently be left out of the
total.
"""

from collections.abc import Callable
from functools import wraps
from typing import NoReturn

import torch

Backward = Callable[..., tuple]

# Active while `torch.autograd.grad` maps a backward pass over a batch of gradients.
_BATCHED_GRADIENTS = torch._C._dispatch_key_parse("VmapMode")


def refuse() -> NoReturn:
    """Raise the RuntimeError of a second derivative."""
    raise RuntimeError(
        "a second derivative was asked for (a gradient penalty, a Hessian); the adjoint has first "
        'derivatives only; give gradient="bptt"'
    )


def refuse_transforms() -> NoReturn:
    """Raise the RuntimeError of gradients within a transform of torch."""
    raise RuntimeError(
        "the adjoint's gradient was asked for within torch.func, forward-mode derivatives or a "
        'vectorised Jacobian, which cannot run it; give gradient="bptt"'
    )


def are_transforms_active() -> bool:
    """Whether tensors are mapped over (`vmap`), or functions differentiated, by `torch.func` or
    forward mode."""
    if torch._C._are_functorch_transforms_active():
        return True
    return not torch.compiler.is_compiling() and (
        torch._C._dispatch_tls_is_dispatch_key_included(_BATCHED_GRADIENTS)
        or torch.autograd.forward_ad._current_level >= 0
    )


def first_order_only(backward: Backward) -> Backward:
    """Decorate the `backward` of a `torch.autograd.Function` that saves all its tensor arguments.

    Under `create_graph=True` the gradients are right, and a backward pass through them raises
    RuntimeError. A second backward pass through a graph that was freed raises torch's RuntimeError.
    """

    @wraps(backward)
    def guarded(ctx, *grad_outputs):
        saved = ctx.saved_tensors  # raises where the graph was freed
        with torch.no_grad():
            grads = backward(ctx, *grad_outputs)
        if not torch.is_grad_enabled():
            return grads
        present = [grad for grad in grads if grad is not None]
        # What a gradient depends on goes in too: a path from the gradient to any of it then
        # meets the refusal.
        refusing = iter(_Refusing.apply(len(present), *present, *grad_outputs, *saved))
        return tuple(None if grad is None else next(refusing) for grad in grads)

    return guarded


class _Refusing(torch.autograd.Function):
    """The first `count` tensors as they are, with a backward pass that raises."""

    @staticmethod
    def forward(ctx, count, *tensors):
        return tuple(tensor.view_as(tensor) for tensor in tensors[:count])

    @staticmethod
    def backward(ctx, *grads):
        refuse()
