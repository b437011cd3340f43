"""Synapses of LTC, compiled: constants, scratch, sensory currents and their gradients, for all
solvers.

`ltc` has the equations and explains the names.
"""

from typing import NamedTuple

import numpy as np

from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    MINUS_LOG2_E,
    add,
    aligned_scratch,
    compiled,
    entry,
    fma,
    load,
    logistic2,
    splat,
    store,
    total,
)
from wiring_search.networks.neurons.ltc import EPSILON

_EPSILON = np.float32(EPSILON)


class Scratch(NamedTuple):
    """Constants of the synapses, and the lanes that an item works in.

    `v`, `s`, `driving` … have one row per kept sub-step, the outer ones one per time step.
    """

    inner_constants: np.ndarray
    sensory_constants: np.ndarray
    outgoing_constants: np.ndarray
    v: np.ndarray
    s: np.ndarray
    driving: np.ndarray
    conductance: np.ndarray
    grad_driving: np.ndarray
    grad_conductance: np.ndarray
    outer_s: np.ndarray
    outer_driving: np.ndarray
    outer_conductance: np.ndarray
    grad_outer_driving: np.ndarray
    grad_outer_conductance: np.ndarray


@compiled
def prepare_ltc(model, c, edges, params, keep):
    """Scratch for one item. keep: whether it holds all sub-steps of a time step, for a way back."""
    kept = c.steps if keep else 1
    rows, row = kept * c.neurons * LANES, c.neurons * LANES
    return Scratch(
        _synapse_constants(params, synapses_at(c), c.synapses),
        _synapse_constants(params, sensory_at(c), c.sensory_synapses),
        _outgoing_constants(c, edges, params),
        aligned_scratch(rows + row),
        aligned_scratch(kept * c.synapses * LANES),
        aligned_scratch(rows),
        aligned_scratch(rows),
        aligned_scratch(rows),
        aligned_scratch(rows),
        aligned_scratch(c.sensory_synapses * LANES),
        aligned_scratch(row),
        aligned_scratch(row),
        aligned_scratch(row),
        aligned_scratch(row),
    )


# Where the groups of a candidate's block start (see `layout`).


@compiled
def synapses_at(c):
    return 3 * c.neurons


@compiled
def sensory_at(c):
    return synapses_at(c) + 4 * c.synapses


@compiled
def _synapse_constants(params, at, n):
    """Slope, offset, w and w·E of each synapse, (4 n,).

    With them the inner loop is three fused multiply-adds around the sigmoid.
    """
    constants = np.empty(4 * n, np.float32)
    for e in range(n):
        w, mu, sigma, erev = (
            params[at + e],
            params[at + n + e],
            params[at + 2 * n + e],
            params[at + 3 * n + e],
        )
        slope = np.float32(MINUS_LOG2_E) * sigma
        constants[4 * e] = slope
        constants[4 * e + 1] = -slope * mu
        constants[4 * e + 2] = w
        constants[4 * e + 3] = w * erev
    return constants


@compiled
def _outgoing_constants(c, edges, params):
    """w·σ and w·σ·E of each synapse, in the order of the outgoing lists."""
    at, n = synapses_at(c), c.synapses
    constants = np.empty(2 * n, np.float32)
    for o in range(n):
        e = edges.out_edge[c.at_edge + o]
        constants[2 * o] = params[at + e] * params[at + 2 * n + e]
        constants[2 * o + 1] = constants[2 * o] * params[at + 3 * n + e]
    return constants


@compiled
def sensory_currents(c, edges, params, work, u):
    """Sensory synapses and leak, which do not change during a time step.

    Args:
        c: The candidate's record.
        edges: The layout's index arrays.
        params: From the candidate's block on.
        work: Its `outer_…` rows are written.
        u: (sensory, LANES).
    """
    neurons, constants = c.neurons, work.sensory_constants
    row, pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    kept_s, outer_driving, outer_conductance = (
        work.outer_s,
        work.outer_driving,
        work.outer_conductance,
    )
    for i in range(neurons):
        gleak = entry(params, i)
        driving = splat(gleak * entry(params, neurons + i))
        conductance = splat(gleak + _EPSILON)
        for e in range(entry(row, i), entry(row, i + 1)):
            s = logistic2(
                fma(load(u, entry(pre, e)), entry(constants, 4 * e), entry(constants, 4 * e + 1))
            )
            conductance = fma(s, entry(constants, 4 * e + 2), conductance)
            driving = fma(s, entry(constants, 4 * e + 3), driving)
            store(kept_s, e, s)
        store(outer_driving, i, driving)
        store(outer_conductance, i, conductance)


@compiled
def sensory_back(c, edges, params, work, u, grad_u, sums):
    """The way back through `sensory_currents`.

    Args:
        c: The candidate's record.
        edges: The layout's index arrays.
        params: From the candidate's block on.
        work: Has ∂ of the outer currents in its `grad_outer_…` rows.
        u: (sensory, LANES).
        grad_u: (sensory, LANES), written.
        sums: (parameters, LANES), added to.
    """
    neurons, n = c.neurons, c.sensory_synapses
    row, pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    kept_s, outer_driving, outer_conductance = (
        work.outer_s,
        work.grad_outer_driving,
        work.grad_outer_conductance,
    )
    at = sensory_at(c)
    grad_u[:] = 0.0
    for i in range(neurons):
        grad_n, grad_d = load(outer_driving, i), load(outer_conductance, i)
        add(sums, i, grad_n)
        add(sums, neurons + i, grad_d)
        for e in range(entry(row, i), entry(row, i + 1)):
            s = load(kept_s, e)
            j = entry(pre, e)
            a_s = fma(grad_n, entry(params, at + 3 * n + e), grad_d) * s
            q = a_s * (1.0 - s)
            add(sums, at + e, a_s)
            add(sums, at + n + e, q)
            add(sums, at + 2 * n + e, q * load(u, j))
            add(sums, at + 3 * n + e, s * grad_n)
            add(grad_u, j, q * (entry(params, at + e) * entry(params, at + 2 * n + e)))


@compiled
def finish_synapses(params, at, n, sums, grad_params):
    """From the sums of n synapses to their gradients, written to grad_params[at : at + 4n]."""
    for e in range(n):
        w, mu, sigma = params[at + e], params[at + n + e], params[at + 2 * n + e]
        sum_q, sum_qv = total(load(sums, at + n + e)), total(load(sums, at + 2 * n + e))
        grad_params[at + e] = total(load(sums, at + e))
        grad_params[at + n + e] = -w * sigma * sum_q
        grad_params[at + 2 * n + e] = w * (sum_qv - mu * sum_q)
        grad_params[at + 3 * n + e] = w * total(load(sums, at + 3 * n + e))
