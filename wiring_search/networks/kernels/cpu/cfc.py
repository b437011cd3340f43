"""CfC, compiled (`neurons.cfc`): one evaluation a time step, layer by layer, forward and backward.

A connection from a layer that was swept before reads the new state, any other the old one. Neurons
are numbered motor first, then command, then inter, and swept the other way: pre is in an earlier
layer exactly when its number is not below the end of post's layer. With P1 = tanh(ff1), P2 =
tanh(ff2), s = sigmoid(a t + b), δ = ∂h':

    h' = (1 − s) P1 + s P2 (without gate: P1 + s P2):
        ∂P1 = δ (1 − s)  (δ),   ∂P2 = δ s,   ∂s = δ (P2 − P1)  (δ P2)
    pure, e = exp(−t (|w_τ| + |F|)), F = ff1:  h' = A (1 − e F):
        ∂A = δ (1 − e F),   ∂F = −δ A e (1 − t |F|),
        ∂|w_τ| = δ A F e t,   ∂t = δ A F e (|w_τ| + |F|)

A candidate's block: four biases a neuron | four weights a connection | four a sensory connection,
head by head; pure: ff1's bias, w_τ, A | ff1's weights | its sensory ones.
"""

from typing import NamedTuple

import numpy as np

from wiring_search.networks.kernels.cpu.dispatch import (
    advance,
    advance_back,
    finish,
    prepare,
    solves,
    stands_behind,
)
from wiring_search.networks.kernels.cpu.products import (
    STRETCH,
    Tape,
    add_products,
    note_grad,
    note_value,
    prepare_tape,
)
from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    absolute,
    add,
    aligned_scratch,
    compiled,
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
from wiring_search.networks.neurons.cfc import NO_GATE, PURE
from wiring_search.wirings.kinds import CLOSED_FORM, Family


@solves(Family.CFC, CLOSED_FORM)
class Cfc(NamedTuple):
    tag: int = 0


class CfcScratch(NamedTuple):
    """heads: ff1, ff2, a, b of each neuron, then their gradients. new: the new state. turn: where,
    among the connections onto each neuron, those begin that read new states.

    For the way back: grads: ∂ of everything that a connection can read, the old states, the new
    ones, the sensory values; columns, sensory_columns: which of them each connection reads; tape:
    where these and ∂ of four heads wait.
    """

    heads: np.ndarray
    new: np.ndarray
    turn: np.ndarray
    grads: np.ndarray
    columns: np.ndarray
    sensory_columns: np.ndarray
    tape: Tape


@stands_behind(prepare, Cfc)
@compiled
def _prepare(model, c, edges, params, keep):
    n, readable = c.neurons, 2 * c.neurons + c.sensory if keep else 0
    taped = keep and c.variant != PURE
    turn = _turns(c, edges)
    return CfcScratch(
        aligned_scratch(4 * n * LANES),
        aligned_scratch(n * LANES),
        turn,
        aligned_scratch(readable * LANES),
        _columns(c, edges, turn, keep),
        _sensory_columns(c, edges, keep),
        prepare_tape(4 * n if taped else 0, readable if taped else 0),
    )


@compiled
def _turns(c, edges):
    """Onto each neuron, connections come sorted by where they are from: the layers swept before,
    whose new states are read, stand last."""
    row, pre, turn = edges.row[c.at_row :], edges.pre[c.at_edge :], np.empty(c.neurons, np.int32)
    for i in range(c.neurons):
        first, last, end = entry(row, i), entry(row, i + 1), _end_of_layer(c, i)
        while last > first and entry(pre, last - 1) >= end:
            last -= 1
        turn[i] = last
    return turn


@compiled
def _columns(c, edges, turn, keep):
    columns = np.empty(c.synapses if keep else 0, np.int32)
    if keep:
        row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
        for i in range(c.neurons):
            for e in range(entry(row, i), entry(turn, i)):
                columns[e] = entry(pre, e)
            for e in range(entry(turn, i), entry(row, i + 1)):
                columns[e] = c.neurons + entry(pre, e)
    return columns


@compiled
def _sensory_columns(c, edges, keep):
    columns, pre = (
        np.empty(c.sensory_synapses if keep else 0, np.int32),
        edges.sensory_pre[c.at_sensory_edge :],
    )
    for e in range(len(columns)):
        columns[e] = 2 * c.neurons + entry(pre, e)
    return columns


@compiled
def _heads(c):
    return 1 if c.variant == PURE else 4


@compiled
def _weights_at(c):
    return (3 if c.variant == PURE else 4) * c.neurons


@compiled
def _sensory_at(c):
    return _weights_at(c) + _heads(c) * c.synapses


@compiled
def _end_of_layer(c, i):
    if i < c.end_last:
        return c.end_last
    return c.end_second if i < c.end_second else c.neurons


@compiled
def _one_head(c, edges, params, turn, u, before, new, i):
    """ff1 of one neuron."""
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    sensory_row, sensory_pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    at, here = _weights_at(c), entry(turn, i)
    head = splat(entry(params, i))
    for e in range(entry(row, i), here):
        head = fma(load(before, entry(pre, e)), entry(params, at + e), head)
    for e in range(here, entry(row, i + 1)):
        head = fma(load(new, entry(pre, e)), entry(params, at + e), head)
    for e in range(entry(sensory_row, i), entry(sensory_row, i + 1)):
        head = fma(load(u, entry(sensory_pre, e)), entry(params, _sensory_at(c) + e), head)
    return head


@compiled
def _four_heads(c, edges, params, turn, u, before, new, i):
    """ff1, ff2, a, b of one neuron."""
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    sensory_row, sensory_pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    n, at, here = c.neurons, _weights_at(c), entry(turn, i)
    heads = (
        splat(entry(params, i)),
        splat(entry(params, n + i)),
        splat(entry(params, 2 * n + i)),
        splat(entry(params, 3 * n + i)),
    )
    heads = _plus_weighted(params, at, c.synapses, before, pre, entry(row, i), here, heads)
    heads = _plus_weighted(params, at, c.synapses, new, pre, here, entry(row, i + 1), heads)
    first, last = entry(sensory_row, i), entry(sensory_row, i + 1)
    return _plus_weighted(
        params, _sensory_at(c), c.sensory_synapses, u, sensory_pre, first, last, heads
    )


@compiled
def _plus_weighted(params, at, head, values, pre, first, last, sums):
    """Four weighted sums side by side: one load serves all of them, and none waits for another."""
    a, b, c, d = sums
    for e in range(first, last):
        value = load(values, entry(pre, e))
        a = fma(value, entry(params, at + e), a)
        b = fma(value, entry(params, at + head + e), b)
        c = fma(value, entry(params, at + 2 * head + e), c)
        d = fma(value, entry(params, at + 3 * head + e), d)
    return a, b, c, d


@compiled
def _sweep(c, edges, params, work, elapsed, u, before, new):
    """The new state of all neurons; what the heads gave stays in work.heads, ff1 and ff2 through
    tanh, s where b was.

    First the weighted sums of a whole layer, then what is made of them: so no sum waits for another
    neuron's tanh.
    """
    for low, high in ((c.end_second, c.neurons), (c.end_last, c.end_second), (0, c.end_last)):
        if c.variant == PURE:
            _pure_layer(c, edges, params, work, elapsed, u, before, new, low, high)
        else:
            _gated_layer(c, edges, params, work, elapsed, u, before, new, low, high)


@compiled
def _pure_layer(c, edges, params, work, elapsed, u, before, new, low, high):
    n, heads, turn = c.neurons, work.heads, work.turn
    for i in range(low, high):
        store(heads, i, _one_head(c, edges, params, turn, u, before, new, i))
    for i in range(low, high):
        first = load(heads, i)
        decay = exp(0.0 - elapsed * (absolute(first) + abs(entry(params, n + i))))
        store(new, i, (1.0 - decay * first) * entry(params, 2 * n + i))


@compiled
def _gated_layer(c, edges, params, work, elapsed, u, before, new, low, high):
    n, heads, turn = c.neurons, work.heads, work.turn
    for i in range(low, high):
        first, second, slope, level = _four_heads(c, edges, params, turn, u, before, new, i)
        store(heads, i, first)
        store(heads, n + i, second)
        store(heads, 2 * n + i, slope)
        store(heads, 3 * n + i, level)
    for i in range(low, high):
        first, second = tanh(load(heads, i)), tanh(load(heads, n + i))
        s = logistic(fma(load(heads, 2 * n + i), elapsed, load(heads, 3 * n + i)))
        store(heads, i, first)
        store(heads, n + i, second)
        store(heads, 3 * n + i, s)
        store(
            new, i, fma(s, second, first) if c.variant == NO_GATE else fma(s, second - first, first)
        )


@stands_behind(advance, Cfc)
@compiled
def _advance(model, c, edges, params, work, elapsed, u, before, after):
    _sweep(c, edges, params, work, elapsed, u, before, after)


@stands_behind(advance_back, Cfc)
@compiled
def _advance_back(model, c, edges, params, work, elapsed, u, before, grad_v, grad_u, sums):
    n, size, grads = c.neurons, c.neurons * LANES, work.grads
    _sweep(c, edges, params, work, elapsed, u, before, work.new)
    grads[:] = 0.0
    grads[size : 2 * size] = grad_v[:size]
    grad_elapsed = splat(np.float32(0.0))
    # From the layer swept last to the first: the gradient of a new state is whole when its neuron
    # is met.
    for i in range(n):
        grad_elapsed = grad_elapsed + _heads_back(
            c, params, work, elapsed, i, load(grads, n + i), sums
        )
        if c.variant == PURE:
            _spread_one(c, edges, params, work, u, before, i, sums)
        else:
            _spread_four(c, edges, params, work, i, sums)
    if c.variant != PURE:
        _note(c, work, u, before)
        if work.tape.filled[0] == STRETCH:
            _add_weights(c, edges, work, sums)
    grad_v[:size] = grads[:size]
    grad_u[:] = grads[2 * size : 2 * size + c.sensory * LANES]
    return grad_elapsed


@compiled
def _heads_back(c, params, work, elapsed, i, delta, sums):
    """∂ of the four heads before their activations, in place in work.heads. Returns ∂elapsed."""
    n, heads = c.neurons, work.heads
    first = load(heads, i)
    if c.variant == PURE:
        tau, amplitude = entry(params, n + i), entry(params, 2 * n + i)
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


@compiled
def _spread_one(c, edges, params, work, u, before, i, sums):
    """From ∂ of a neuron's head to its bias, its weights, and what they read."""
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    sensory_row, sensory_pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    at, sensory_at, turn = _weights_at(c), _sensory_at(c), entry(work.turn, i)
    grad = load(work.heads, i)
    add(sums, i, grad)
    for e in range(entry(row, i), turn):
        add(sums, at + e, grad * load(before, entry(pre, e)))
        add(work.grads, entry(work.columns, e), grad * entry(params, at + e))
    for e in range(turn, entry(row, i + 1)):
        add(sums, at + e, grad * load(work.new, entry(pre, e)))
        add(work.grads, entry(work.columns, e), grad * entry(params, at + e))
    for e in range(entry(sensory_row, i), entry(sensory_row, i + 1)):
        add(sums, sensory_at + e, grad * load(u, entry(sensory_pre, e)))
        add(work.grads, entry(work.sensory_columns, e), grad * entry(params, sensory_at + e))


@compiled
def _spread_four(c, edges, params, work, i, sums):
    """The same for a neuron with four heads, but for its weights (`_add_weights`)."""
    row, sensory_row = edges.row[c.at_row :], edges.sensory_row[c.at_row :]
    n, heads = c.neurons, work.heads
    four = load(heads, i), load(heads, n + i), load(heads, 2 * n + i), load(heads, 3 * n + i)
    add(sums, i, four[0])
    add(sums, n + i, four[1])
    add(sums, 2 * n + i, four[2])
    add(sums, 3 * n + i, four[3])
    at, head = _weights_at(c), c.synapses
    for e in range(entry(row, i), entry(row, i + 1)):
        _add_through(params, at + e, head, four, work.grads, entry(work.columns, e))
    at, head = _sensory_at(c), c.sensory_synapses
    for e in range(entry(sensory_row, i), entry(sensory_row, i + 1)):
        _add_through(params, at + e, head, four, work.grads, entry(work.sensory_columns, e))


@compiled
def _add_through(params, at, head, four, grads, column):
    """∂ of what a connection reads, from those of the four heads that it reaches."""
    grad = fma(four[0], entry(params, at), load(grads, column))
    grad = fma(four[1], entry(params, at + head), grad)
    grad = fma(four[2], entry(params, at + 2 * head), grad)
    store(grads, column, fma(four[3], entry(params, at + 3 * head), grad))


@compiled
def _note(c, work, u, before):
    """A time step onto the tape: ∂ of all heads, and everything that their weights read."""
    n, tape = c.neurons, work.tape
    for r in range(4 * n):
        note_grad(tape, r, load(work.heads, r))
    for i in range(n):
        note_value(tape, i, load(before, i))
        note_value(tape, n + i, load(work.new, i))
    for k in range(c.sensory):
        note_value(tape, 2 * n + k, load(u, k))
    tape.filled[0] += 1


@compiled
def _add_weights(c, edges, work, sums):
    """From the tape to the weights, and the tape is empty again."""
    n, columns, sensory_columns = c.neurons, work.columns, work.sensory_columns
    row, sensory_row = edges.row[c.at_row :], edges.sensory_row[c.at_row :]
    at, sensory_at = _weights_at(c), _sensory_at(c)
    for i in range(n):
        add_products(work.tape, i, n, columns, row[i], row[i + 1], sums, at, c.synapses)
        first, last = sensory_row[i], sensory_row[i + 1]
        add_products(
            work.tape, i, n, sensory_columns, first, last, sums, sensory_at, c.sensory_synapses
        )
    work.tape.filled[0] = 0


@stands_behind(finish, Cfc)
@compiled
def _finish(model, c, edges, params, work, sums, grad_params):
    if c.variant != PURE:
        _add_weights(c, edges, work, sums)
    for i in range(_sensory_at(c) + _heads(c) * c.sensory_synapses):
        grad_params[i] = total(load(sums, i))
