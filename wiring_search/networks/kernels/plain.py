"""The CPU kernel's contract in plain torch, for neurons of an extension, which have no compiled
kernel.

The reference computes the outputs and autograd the gradients: right, and about twenty times slower
than the fused kernel. So a neuron of `wiring_search.store.extension` is trained, scored and
searched like any other, by code that does not know of it.
"""

from typing import NamedTuple

import numpy as np
import torch

from wiring_search.networks.kernels import adjoint, reference
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.wirings.kinds import KINDS

Tensor = torch.Tensor


class Kept(NamedTuple):
    """What `backward` needs of a forward pass: inputs and outputs with the graph between them.

    Attributes:
        params: (parameters,).
        x: (B, T, features).
        elapsed: (B, T).
        states: (B, states) at the start of every time step, and the final one.
        y: (candidates, B, T or 1, outputs).
    """

    params: Tensor
    x: Tensor
    elapsed: Tensor
    states: list[Tensor]
    y: Tensor


def is_needed(kind: Kind) -> bool:
    """Whether this neuron has no compiled kernel."""
    return not KINDS[kind.neuron].compiled


def run(
    layout: PackLayout, params: Tensor, x: Tensor, elapsed: Tensor, state: Tensor, every_step: bool
) -> tuple[Tensor, Tensor]:
    """`reference.run`, or with the adjoint where that is the layout's gradient.

    Args:
        layout: Of the pack.
        params: (layout.parameters,), positive where they must be.
        x: (B, T, features).
        elapsed: (B, T) time units, ≥ 0.
        state: (B, layout.state_size).
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs) and the final state (B, layout.state_size).
    """
    runs = adjoint.run if layout.kind.gradient == "adjoint" else reference.run
    return runs(layout, params, x, elapsed, state, every_step)


def forward(
    layout: PackLayout,
    params: np.ndarray,
    x: np.ndarray,
    elapsed: np.ndarray,
    state: np.ndarray,
    every_step: bool,
) -> tuple[np.ndarray, np.ndarray, Kept]:
    """`cpu.forward` for any neuron.

    Args:
        layout: Of the pack.
        params: (layout.parameters,) float32, positive where they must be.
        x: (B, T, features) float32.
        elapsed: (B, T) float32, time units, ≥ 0.
        state: (B, layout.state_size) float32.
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs), the final state (B, layout.state_size), and what
        `backward` needs.
    """
    leaves = [torch.tensor(array, requires_grad=True) for array in (params, x, elapsed, state)]
    values, xs, times, now = leaves
    states, outputs = [now], []
    with torch.enable_grad():  # inside a torch.autograd.Function, torch calls this without
        for t in range(x.shape[1]):
            y, now = run(layout, values, xs[:, t : t + 1], times[:, t : t + 1], now, True)
            outputs.append(y)
            states.append(now)
        shown = torch.cat(outputs if every_step else outputs[-1:], dim=2)
    return shown.detach().numpy(), now.detach().numpy(), Kept(values, xs, times, states, shown)


def backward(
    kept: Kept, grad_y: np.ndarray, grad_final: np.ndarray, inputs_too: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """`cpu.backward` for any neuron.

    Args:
        kept: By `forward`.
        grad_y: As the readouts.
        grad_final: As the final state.
        inputs_too: Whether x and elapsed get gradients.

    Returns:
        Gradients of the parameters, the initial state, x and elapsed; the last two None without
        `inputs_too`.
    """
    asked = [kept.params, kept.states[0], *((kept.x, kept.elapsed) if inputs_too else ())]
    results, grads = (kept.y, kept.states[-1]), (torch.tensor(grad_y), torch.tensor(grad_final))
    found = torch.autograd.grad(results, asked, grads, retain_graph=True, materialize_grads=True)
    grad_params, grad_state, *grad_inputs = (grad.numpy() for grad in found)
    return grad_params, grad_state, *(grad_inputs or (None, None))


def extremes(kept: Kept) -> tuple[np.ndarray, np.ndarray]:
    """`cpu.extremes`."""
    visited = torch.stack(kept.states).detach()
    return visited.amin(dim=(0, 1)).numpy(), visited.amax(dim=(0, 1)).numpy()


def histories(layout: PackLayout, kept: Kept) -> list[np.ndarray]:
    """`cpu.histories`."""
    visited = torch.stack(kept.states, dim=1).detach().numpy()
    return [visited[:, :, states] for states in layout.states]
