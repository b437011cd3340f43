"""Right-hand side of LTC for explicit solvers, compiled: dv/dt = (N − D v)/C, with the currents of
`ltc`.

∂N = ∂slope/C, ∂D = −∂slope·v/C, ∂v −= ∂slope·D/C, ∂C −= ∂slope·slope/C, and each synapse as there
"""

from typing import NamedTuple

import numpy as np

from wiring_search.networks.kernels.cpu.dispatch import (
    field,
    field_back,
    outer,
    outer_back,
    prepare_field,
    stands_behind,
)
from wiring_search.networks.kernels.cpu.ltc import ExplicitLtc
from wiring_search.networks.kernels.cpu.ltc_synapses import (
    Scratch,
    prepare_ltc,
    sensory_back,
    sensory_currents,
)
from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    add,
    compiled,
    entry,
    fma,
    load,
    logistic2,
    splat,
    store,
)


class LtcScratch(NamedTuple):
    """grad_outer: ∂N and then ∂D, one row of neurons each, over the stages of one time step."""

    currents: Scratch
    grad_outer: np.ndarray


@stands_behind(prepare_field, ExplicitLtc)
@compiled
def _prepare(model, c, edges, params):
    currents = prepare_ltc(model, c, edges, params, False)
    return LtcScratch(currents, currents.v)


@stands_behind(outer, ExplicitLtc)
@compiled
def _outer(model, c, edges, params, work, u):
    sensory_currents(c, edges, params, work.currents, u)


@stands_behind(field, ExplicitLtc)
@compiled
def _field(model, c, edges, params, work, z, slope):
    for i in range(c.neurons):
        driving, conductance = _currents_onto(c, edges, work.currents, z, i)
        store(slope, i, (driving - conductance * load(z, i)) / entry(params, 2 * c.neurons + i))


@stands_behind(field_back, ExplicitLtc)
@compiled
def _field_back(model, c, edges, params, work, z, slope, grad_slope, grad_z, sums):
    n, synapses, at = c.neurons, c.synapses, 3 * c.neurons
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    kept_s = work.currents.s
    for i in range(n):
        store(grad_z, i, splat(np.float32(0.0)))
    for i in range(n):
        _, conductance = _currents_onto(c, edges, work.currents, z, i)
        grad_n = load(grad_slope, i) / entry(params, 2 * n + i)
        grad_d = 0.0 - grad_n * load(z, i)
        add(sums, 2 * n + i, 0.0 - grad_n * load(slope, i))
        add(grad_z, i, 0.0 - grad_n * conductance)
        add(work.grad_outer, i, grad_n)
        add(work.grad_outer, n + i, grad_d)
        for e in range(entry(row, i), entry(row, i + 1)):
            s, j = load(kept_s, e), entry(pre, e)
            a_s = fma(grad_n, entry(params, at + 3 * synapses + e), grad_d) * s
            q = a_s * (1.0 - s)
            add(sums, at + e, a_s)
            add(sums, at + synapses + e, q)
            add(sums, at + 2 * synapses + e, q * load(z, j))
            add(sums, at + 3 * synapses + e, s * grad_n)
            add(grad_z, j, q * (entry(params, at + e) * entry(params, at + 2 * synapses + e)))


@stands_behind(outer_back, ExplicitLtc)
@compiled
def _outer_back(model, c, edges, params, work, u, grad_u, sums):
    size = c.neurons * LANES
    work.currents.grad_outer_driving[:] = work.grad_outer[:size]
    work.currents.grad_outer_conductance[:] = work.grad_outer[size : 2 * size]
    sensory_back(c, edges, params, work.currents, u, grad_u, sums)


@compiled
def _currents_onto(c, edges, work, z, i):
    """N and D of one neuron; the sigmoids of its synapses stay in work.s."""
    row, pre, constants = edges.row[c.at_row :], edges.pre[c.at_edge :], work.inner_constants
    driving, conductance = load(work.outer_driving, i), load(work.outer_conductance, i)
    for e in range(entry(row, i), entry(row, i + 1)):
        s = logistic2(
            fma(load(z, entry(pre, e)), entry(constants, 4 * e), entry(constants, 4 * e + 1))
        )
        conductance = fma(s, entry(constants, 4 * e + 2), conductance)
        driving = fma(s, entry(constants, 4 * e + 3), driving)
        store(work.s, e, s)
    return driving, conductance
