"""The reference: a pack through a sequence in plain torch, one candidate, one time step, one
sub-step after the other.

Any dtype, any device, gradients by autograd. It is slow and obvious on purpose: it is the truth
that the fused kernels are held to.
"""

import torch

from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.memory import remember


def run(
    layout: PackLayout,
    params: torch.Tensor,
    x: torch.Tensor,
    elapsed: torch.Tensor,
    state: torch.Tensor,
    every_step: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """A pack through a whole sequence: the contract of every kernel.

    Args:
        layout: Of the pack.
        params: (layout.parameters,), positive where they must be.
        x: (B, T, features).
        elapsed: (B, T) time units, ≥ 0. Where 0 the state is held and x has no effect, so padding
            is elapsed = 0.
        state: (B, layout.state_size).
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs) and the final state (B, layout.state_size).
    """
    outputs, finals = [], []
    x = torch.where((elapsed > 0)[:, :, None], x, torch.zeros_like(x))
    for p in range(layout.size):
        by_name = _parameters_by_name(layout, params, p)
        y, final = _run_one(layout, p, by_name, x, elapsed, state[:, layout.states[p]])
        outputs.append(y if every_step else y[:, -1:])
        finals.append(final)
    return torch.stack(outputs), torch.cat(finals, dim=1)


def _parameters_by_name(
    layout: PackLayout, params: torch.Tensor, p: int
) -> dict[str, torch.Tensor]:
    shapes = layout.shapes[p]
    return {name: params[at].reshape(shapes[name]) for name, at in layout.slices[p].items()}


def _run_one(layout, p, by_name, x, elapsed, state):
    outputs = []
    for t in range(x.shape[1]):
        y, state = step(layout, p, by_name, x[:, t], elapsed[:, t, None], state)
        outputs.append(y)
    return torch.stack(outputs, dim=1), state


def step(
    layout: PackLayout,
    p: int,
    by_name: dict[str, torch.Tensor],
    x: torch.Tensor,
    elapsed: torch.Tensor,
    state: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One time step of one candidate.

    Args:
        layout: Of the pack.
        p: The candidate's number.
        by_name: Its parameters by name, in their shapes.
        x: (B, F) features, finite.
        elapsed: (B, 1) time units, ≥ 0; where 0 the state is held.
        state: (B, its neurons and cells).

    Returns:
        Its readout (B, outputs) and its new state, as `state`.
    """
    wiring, kind, made = layout.wirings[p], layout.kind, layout.connections[p]
    v, c = state[:, : wiring.neurons], state[:, wiring.neurons :]
    passes = elapsed > 0
    # Where no time passes the result is thrown away; an elapsed time of 1 keeps it finite, and so
    # its gradient 0.
    dt = torch.where(passes, elapsed, torch.ones_like(elapsed))
    start, u, new_c = v, None, c
    if kind.memory != "none":
        shown, new_c = remember(x, v, c, by_name)
        start, u = (shown, None) if kind.memory == "state" else (v, shown)
    if u is None:
        u = apply_map(by_name["input_w"], by_name["input_b"], x)
    new_v = NEURONS[kind.neuron].advance(kind.solver, layout.steps[p], made, by_name, start, u, dt)
    v, c = torch.where(passes, new_v, v), torch.where(passes, new_c, c)
    return apply_map(by_name["output_w"], by_name["output_b"], v[:, : wiring.motor]), torch.cat(
        [v, c], dim=1
    )


def apply_map(weight: torch.Tensor, bias: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """An affine map where `weight` is a vector, a linear one where it is a matrix.

    Args:
        weight: (values,) or (outputs, values).
        bias: (outputs,).
        values: (B, values).

    Returns:
        (B, outputs).
    """
    return values * weight + bias if weight.ndim == 1 else values @ weight.T + bias
