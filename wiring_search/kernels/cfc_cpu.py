"""CfC, compiled (`neurons.cfc`): one evaluation a time step, layer by layer, forward and backward.

A connection from a layer that was swept before reads the new state, any other the old one. Neurons are numbered motor
first, then command, then inter, and swept the other way: pre is in an earlier layer exactly when its number is not
below the end of post's layer. With P1 = tanh(ff1), P2 = tanh(ff2), s = sigmoid(a t + b), δ = ∂h':

    h' = (1 − s) P1 + s P2 (without gate: P1 + s P2):  ∂P1 = δ (1 − s)  (δ),   ∂P2 = δ s,   ∂s = δ (P2 − P1)  (δ P2)
    pure, e = exp(−t (|w_τ| + |F|)), F = ff1:  h' = A (1 − e F):  ∂A = δ (1 − e F),  ∂F = −δ A e (1 − t |F|),
    ∂|w_τ| = δ A F e t,   ∂t = δ A F e (|w_τ| + |F|)

A candidate's block: four biases a neuron | four weights a connection | four a sensory connection, head by head; pure:
ff1's bias, w_τ, A | ff1's weights | its sensory ones.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from wiring_search.kernels.dispatch import Cfc, advance, advance_back, finish, prepare, stands_behind
from wiring_search.kernels.simd import (
    LANES,
    absolute,
    add,
    aligned_scratch,
    entry,
    exp,
    fma,
    load,
    logistic,
    splat,
    store,
    tanh,
    total,
)
from wiring_search.neurons.cfc import NO_GATE, PURE

_compiled = njit(error_model="numpy")


class CfcScratch(NamedTuple):
    """heads: ff1, ff2, a, b of each neuron, then their gradients. new: the new state; grad_new, grad_old: ∂ of both."""

    heads: np.ndarray
    new: np.ndarray
    grad_new: np.ndarray
    grad_old: np.ndarray


@stands_behind(prepare, Cfc)
@_compiled
def _prepare(model, c, edges, own, keep):
    size = c.neurons * LANES
    return CfcScratch(aligned_scratch(4 * size), aligned_scratch(size), aligned_scratch(size), aligned_scratch(size))


@_compiled
def _heads(c):
    return 1 if c.variant == PURE else 4


@_compiled
def _weights_at(c):
    return (3 if c.variant == PURE else 4) * c.neurons


@_compiled
def _sensory_at(c):
    return _weights_at(c) + _heads(c) * c.synapses


@_compiled
def _end_of_layer(c, i):
    if i < c.end_last:
        return c.end_last
    return c.end_second if i < c.end_second else c.neurons


@_compiled
def _one_head(c, edges, own, before, new, u, i):
    """ff1 of one neuron."""
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    sensory_row, sensory_pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    at, sensory_at, end = _weights_at(c), _sensory_at(c), _end_of_layer(c, i)
    value = splat(entry(own, i))
    for e in range(entry(row, i), entry(row, i + 1)):
        j = entry(pre, e)
        value = fma(load(new if j >= end else before, j), entry(own, at + e), value)
    for e in range(entry(sensory_row, i), entry(sensory_row, i + 1)):
        value = fma(load(u, entry(sensory_pre, e)), entry(own, sensory_at + e), value)
    return value


@_compiled
def _four_heads(c, edges, own, before, new, u, i):
    """ff1, ff2, a, b of one neuron, side by side: one load serves four sums, none of which waits for another."""
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    sensory_row, sensory_pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    n, end = c.neurons, _end_of_layer(c, i)
    first, second, slope, level = (
        splat(entry(own, i)),
        splat(entry(own, n + i)),
        splat(entry(own, 2 * n + i)),
        splat(entry(own, 3 * n + i)),
    )
    at, head = _weights_at(c), c.synapses
    for e in range(entry(row, i), entry(row, i + 1)):
        j = entry(pre, e)
        value = load(new if j >= end else before, j)
        first = fma(value, entry(own, at + e), first)
        second = fma(value, entry(own, at + head + e), second)
        slope = fma(value, entry(own, at + 2 * head + e), slope)
        level = fma(value, entry(own, at + 3 * head + e), level)
    at, head = _sensory_at(c), c.sensory_synapses
    for e in range(entry(sensory_row, i), entry(sensory_row, i + 1)):
        value = load(u, entry(sensory_pre, e))
        first = fma(value, entry(own, at + e), first)
        second = fma(value, entry(own, at + head + e), second)
        slope = fma(value, entry(own, at + 2 * head + e), slope)
        level = fma(value, entry(own, at + 3 * head + e), level)
    return first, second, slope, level


@_compiled
def _sweep(c, edges, own, work, elapsed, u, before, new):
    """The new state of all neurons; what the heads gave stays in work.heads, ff1 and ff2 through tanh, s in place of b."""
    n, heads = c.neurons, work.heads
    for i in range(n - 1, -1, -1):
        if c.variant == PURE:
            first = _one_head(c, edges, own, before, new, u, i)
            store(heads, i, first)
            decay = exp(0.0 - elapsed * (absolute(first) + abs(entry(own, n + i))))
            store(new, i, (1.0 - decay * first) * entry(own, 2 * n + i))
        else:
            first, second, slope, level = _four_heads(c, edges, own, before, new, u, i)
            first, second, s = tanh(first), tanh(second), logistic(fma(slope, elapsed, level))
            store(heads, i, first)
            store(heads, n + i, second)
            store(heads, 2 * n + i, slope)
            store(heads, 3 * n + i, s)
            store(new, i, fma(s, second, first) if c.variant == NO_GATE else fma(s, second - first, first))


@stands_behind(advance, Cfc)
@_compiled
def _advance(model, c, edges, own, work, elapsed, u, before, after):
    _sweep(c, edges, own, work, elapsed, u, before, after)


@stands_behind(advance_back, Cfc)
@_compiled
def _advance_back(model, c, edges, own, work, elapsed, u, before, grad_v, grad_u, sums):
    n, size, new, grad_new, grad_old = c.neurons, c.neurons * LANES, work.new, work.grad_new, work.grad_old
    _sweep(c, edges, own, work, elapsed, u, before, new)
    grad_new[:] = grad_v[:size]
    grad_old[:] = 0.0
    grad_u[:] = 0.0
    grad_elapsed = splat(np.float32(0.0))
    for i in range(n):  # from the layer swept last to the first one: ∂ of a new state is whole when its neuron is met
        grad_elapsed = grad_elapsed + _heads_back(c, own, work, elapsed, i, load(grad_new, i), sums)
        if c.variant == PURE:
            _spread_one(c, edges, own, work, before, u, grad_u, i, sums)
        else:
            _spread_four(c, edges, own, work, before, u, grad_u, i, sums)
    grad_v[:size] = grad_old
    return grad_elapsed


@_compiled
def _heads_back(c, own, work, elapsed, i, delta, sums):
    """∂ of the four heads before their activations, in place in work.heads. Returns ∂elapsed."""
    n, heads = c.neurons, work.heads
    first = load(heads, i)
    if c.variant == PURE:
        tau, amplitude = entry(own, n + i), entry(own, 2 * n + i)
        rate = absolute(first) + abs(tau)
        decay = exp(0.0 - elapsed * rate)
        through = delta * amplitude * decay
        add(sums, 2 * n + i, delta * (1.0 - decay * first))
        add(sums, n + i, through * first * elapsed * np.sign(tau))
        store(heads, i, 0.0 - through * (1.0 - elapsed * absolute(first)))
        return through * first * rate
    second, slope, s = load(heads, n + i), load(heads, 2 * n + i), load(heads, 3 * n + i)
    gated = c.variant != NO_GATE
    grad_first = delta * (1.0 - s) if gated else delta
    grad_s = delta * (second - first) if gated else delta * second
    grad_gate = grad_s * s * (1.0 - s)
    store(heads, i, grad_first * (1.0 - first * first))
    store(heads, n + i, delta * s * (1.0 - second * second))
    store(heads, 2 * n + i, grad_gate * elapsed)
    store(heads, 3 * n + i, grad_gate)
    return grad_gate * slope


@_compiled
def _spread_one(c, edges, own, work, before, u, grad_u, i, sums):
    """From ∂ of a neuron's head to its bias, its weights, and what they read."""
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    sensory_row, sensory_pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    at, sensory_at, end = _weights_at(c), _sensory_at(c), _end_of_layer(c, i)
    grad = load(work.heads, i)
    add(sums, i, grad)
    for e in range(entry(row, i), entry(row, i + 1)):
        j = entry(pre, e)
        add(sums, at + e, grad * load(work.new if j >= end else before, j))
        add(work.grad_new if j >= end else work.grad_old, j, grad * entry(own, at + e))
    for e in range(entry(sensory_row, i), entry(sensory_row, i + 1)):
        j = entry(sensory_pre, e)
        add(sums, sensory_at + e, grad * load(u, j))
        add(grad_u, j, grad * entry(own, sensory_at + e))


@_compiled
def _spread_four(c, edges, own, work, before, u, grad_u, i, sums):
    """The same for a neuron with four heads."""
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    sensory_row, sensory_pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    n, end = c.neurons, _end_of_layer(c, i)
    grads = load(work.heads, i), load(work.heads, n + i), load(work.heads, 2 * n + i), load(work.heads, 3 * n + i)
    add(sums, i, grads[0])
    add(sums, n + i, grads[1])
    add(sums, 2 * n + i, grads[2])
    add(sums, 3 * n + i, grads[3])
    at, head = _weights_at(c), c.synapses
    for e in range(entry(row, i), entry(row, i + 1)):
        j = entry(pre, e)
        value = load(work.new if j >= end else before, j)
        add(work.grad_new if j >= end else work.grad_old, j, _spread_edge(own, sums, at + e, head, grads, value))
    at, head = _sensory_at(c), c.sensory_synapses
    for e in range(entry(sensory_row, i), entry(sensory_row, i + 1)):
        j = entry(sensory_pre, e)
        add(grad_u, j, _spread_edge(own, sums, at + e, head, grads, load(u, j)))


@_compiled
def _spread_edge(own, sums, at, head, grads, value):
    """Gradients of a connection's four weights; returns that of the value which it carries."""
    add(sums, at, grads[0] * value)
    add(sums, at + head, grads[1] * value)
    add(sums, at + 2 * head, grads[2] * value)
    add(sums, at + 3 * head, grads[3] * value)
    some = fma(grads[1], entry(own, at + head), grads[0] * entry(own, at))
    more = fma(grads[3], entry(own, at + 3 * head), grads[2] * entry(own, at + 2 * head))
    return some + more


@stands_behind(finish, Cfc)
@_compiled
def _finish(model, c, own, sums, grad_own):
    for i in range(_sensory_at(c) + _heads(c) * c.sensory_synapses):
        grad_own[i] = total(load(sums, i))
