"""The reference: a pack through a sequence in plain torch, one candidate, one time step, one sub-step after the other.

Any dtype, any device, gradients by autograd. It is slow and obvious on purpose: it is the truth that the fused
kernels are held to.
"""

import torch

from wiring_search.kernels.layout import SYNAPSE_FIELDS, PackLayout
from wiring_search.neurons.ltc import currents, semi_implicit_step


def run(
    layout: PackLayout,
    params: torch.Tensor,
    x: torch.Tensor,
    elapsed: torch.Tensor,
    state: torch.Tensor,
    every_step: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The contract of every kernel.

    params: (layout.parameters,), positive where they must be. x: (B, T, F). elapsed: (B, T) time units, ≥ 0; where 0
    the state is held (so padding is elapsed = 0, and what x says there does not matter). state: (B, layout.neurons).
    Returns the readouts (candidates, B, T or 1, outputs), each step's or the last one's, and the final state.
    """
    outputs, finals = [], []
    x = torch.where((elapsed > 0)[:, :, None], x, torch.zeros_like(x))
    for p in range(layout.size):
        own = _own_parameters(layout, params, p)
        y, final = _run_one(layout, p, own, x, elapsed, state[:, layout.states[p]])
        outputs.append(y if every_step else y[:, -1:])
        finals.append(final)
    return torch.stack(outputs), torch.cat(finals, dim=1)


def _own_parameters(layout: PackLayout, params: torch.Tensor, p: int) -> dict[str, torch.Tensor]:
    shapes = layout.shapes[p]
    return {name: params[at].reshape(shapes[name]) for name, at in layout.slices[p].items()}


def _run_one(layout, p, own, x, elapsed, v):
    wiring = layout.wirings[p]
    pre, post, _ = (torch.as_tensor(a, dtype=torch.int64, device=x.device) for a in wiring.synapse_arrays())
    sensory_pre, sensory_post, _ = (torch.as_tensor(a, dtype=torch.int64, device=x.device) for a in wiring.sensory_arrays())
    synapses = {name: own[name] for name in SYNAPSE_FIELDS}
    sensory_synapses = {name: own[f"sensory_{name}"] for name in SYNAPSE_FIELDS}
    outputs = []
    for t in range(x.shape[1]):
        u = apply_map(own["input_w"], own["input_b"], x[:, t])
        outer_driving, outer_conductance = currents(u, sensory_pre, sensory_post, wiring.neurons, sensory_synapses)
        h = elapsed[:, t, None] / layout.steps[p]
        for _ in range(layout.steps[p]):
            driving, conductance = currents(v, pre, post, wiring.neurons, synapses)
            v = semi_implicit_step(v, h, driving + outer_driving, conductance + outer_conductance, own)
        outputs.append(apply_map(own["output_w"], own["output_b"], v[:, : wiring.motor]))
    return torch.stack(outputs, dim=1), v


def apply_map(weight: torch.Tensor, bias: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """An affine map where `weight` is a vector, a linear one where it is a matrix. values: (B, …)."""
    return values * weight + bias if weight.ndim == 1 else values @ weight.T + bias
