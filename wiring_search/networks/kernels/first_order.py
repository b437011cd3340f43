"""Gradients that cannot be differentiated again: an attempt raises an error and never loses a part
of the gradient.

`torch.autograd.function.once_differentiable` does this only where the incoming gradient requires
grad. That of `y.sum()` does not, so a gradient penalty on it would silently be left out of the
total.
"""

from collections.abc import Callable
from functools import wraps

import torch

Backward = Callable[..., tuple]


def first_order_only(instead: str) -> Callable[[Backward], Backward]:
    """A decorator for the `backward` of a `torch.autograd.Function` that saves all its tensor
    arguments.

    Under `create_graph=True` the gradients are right, and a backward pass through them raises
    RuntimeError. A second backward pass through a graph that was freed raises torch's RuntimeError.

    Args:
        instead: the end of the error message, what to do instead.
    """

    def decorate(backward: Backward) -> Backward:
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
            refusing = iter(_Refusing.apply(instead, len(present), *present, *grad_outputs, *saved))
            return tuple(None if grad is None else next(refusing) for grad in grads)

        return guarded

    return decorate


class _Refusing(torch.autograd.Function):
    """The first `count` tensors as they are, with a backward pass that raises."""

    @staticmethod
    def forward(ctx, instead, count, *tensors):
        ctx.instead = instead
        return tuple(tensor.view_as(tensor) for tensor in tensors[:count])

    @staticmethod
    def backward(ctx, *grads):
        raise RuntimeError(
            "a second derivative was asked for (a gradient penalty, a Hessian); this kernel has "
            f"first derivatives only; {ctx.instead}"
        )
