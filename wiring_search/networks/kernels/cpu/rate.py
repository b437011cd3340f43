"""Right-hand side of the rate neurons (CT-RNN, neural ODE; `neurons.rate`), compiled.

    slope = tanh(p) − z/τ,   p = b + Σ w z + outer:
        ∂p = ∂slope (1 − tanh²),  ∂w += ∂p·z_pre,  ∂z_pre += w·∂p,
        ∂z −= ∂slope/τ,  ∂τ += ∂slope·z/τ²

A candidate's block: [τ] b | w | sensory w.
"""

from typing import NamedTuple

import numpy as np

from wiring_search.networks.kernels.cpu.dispatch import (
    field,
    field_back,
    finish,
    outer,
    outer_back,
    prepare_field,
    solves,
    stands_behind,
)
from wiring_search.networks.kernels.cpu.explicit import explicit_steps
from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    add,
    aligned_scratch,
    compiled,
    entry,
    fma,
    load,
    splat,
    store,
    tanh,
    total,
)
from wiring_search.wirings.kinds import EXPLICIT, Family


@explicit_steps
@solves(Family.RATE, *EXPLICIT)
class ExplicitRate(NamedTuple):
    tag: int = 0


class RateScratch(NamedTuple):
    """outer: bias and sensory synapses; grad_outer: ∂ of it, over the stages of one time step."""

    outer: np.ndarray
    grad_outer: np.ndarray


@stands_behind(prepare_field, ExplicitRate)
@compiled
def _prepare(model, c, edges, params):
    return RateScratch(aligned_scratch(c.neurons * LANES), aligned_scratch(c.neurons * LANES))


@compiled
def _bias_at(c):
    """A leaky neuron (variant 1) has its time constant first."""
    return c.variant * c.neurons


@compiled
def _synapses_at(c):
    return _bias_at(c) + c.neurons


@compiled
def _sensory_at(c):
    return _synapses_at(c) + c.synapses


@stands_behind(outer, ExplicitRate)
@compiled
def _outer(model, c, edges, params, work, u):
    row, pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    at = _sensory_at(c)
    for i in range(c.neurons):
        value = splat(entry(params, _bias_at(c) + i))
        for e in range(entry(row, i), entry(row, i + 1)):
            value = fma(load(u, entry(pre, e)), entry(params, at + e), value)
        store(work.outer, i, value)


@stands_behind(field, ExplicitRate)
@compiled
def _field(model, c, edges, params, work, z, slope):
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    at = _synapses_at(c)
    for i in range(c.neurons):
        value = load(work.outer, i)
        for e in range(entry(row, i), entry(row, i + 1)):
            value = fma(load(z, entry(pre, e)), entry(params, at + e), value)
        rise = tanh(value)
        if c.variant == 1:
            rise = rise - load(z, i) / entry(params, i)
        store(slope, i, rise)


@stands_behind(field_back, ExplicitRate)
@compiled
def _field_back(model, c, edges, params, work, z, slope, grad_slope, grad_z, sums):
    n, at = c.neurons, _synapses_at(c)
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    zero = splat(np.float32(0.0))
    for i in range(n):
        store(grad_z, i, zero)
    for i in range(n):
        rise, grad = load(slope, i), load(grad_slope, i)
        if c.variant == 1:
            leak = load(z, i) / entry(params, i)
            rise = rise + leak
            add(sums, i, grad * leak / entry(params, i))
            add(grad_z, i, zero - grad / entry(params, i))
        grad_p = grad * (1.0 - rise * rise)
        add(work.grad_outer, i, grad_p)
        for e in range(entry(row, i), entry(row, i + 1)):
            j = entry(pre, e)
            add(sums, at + e, grad_p * load(z, j))
            add(grad_z, j, grad_p * entry(params, at + e))


@stands_behind(outer_back, ExplicitRate)
@compiled
def _outer_back(model, c, edges, params, work, u, grad_u, sums):
    row, pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    at = _sensory_at(c)
    grad_u[:] = 0.0
    for i in range(c.neurons):
        grad = load(work.grad_outer, i)
        add(sums, _bias_at(c) + i, grad)
        for e in range(entry(row, i), entry(row, i + 1)):
            j = entry(pre, e)
            add(sums, at + e, grad * load(u, j))
            add(grad_u, j, grad * entry(params, at + e))


@stands_behind(finish, ExplicitRate)
@compiled
def _finish(model, c, edges, params, work, sums, grad_params):
    for i in range(_sensory_at(c) + c.sensory_synapses):
        grad_params[i] = total(load(sums, i))
