"""Mixed memory, compiled: the LSTM of `neurons.memory` on one tile of sixteen samples, one time
step at a time.

Its weights are dense, 4 × cells × (features + neurons). With z the four pre-activations, s =
sigmoid, m the output:

    ∂o = ∂m·tanh(c')·s(o)(1 − s(o))    ∂c' += ∂m·s(o)(1 − tanh²(c'))
    ∂f = ∂c'·c·s(f)(1 − s(f))          ∂c = ∂c'·s(f)
    ∂i = ∂c'·s(g)(1 − tanh²(i))        ∂g = ∂c'·tanh(i)·s(g)(1 − s(g))
"""

from typing import NamedTuple

import numpy as np

from wiring_search.networks.kernels.cpu.dispatch import (
    Lstm,
    NoMemory,
    remember,
    remember_back,
    remember_finish,
    remember_prepare,
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
    add,
    aligned_scratch,
    compiled,
    entry,
    fma,
    load,
    logistic,
    splat,
    store,
    tanh,
)


class Cells(NamedTuple):
    """gates: tanh(i), s(g), s(f), s(o), each (cells,) lanes; shown: m; squashed: tanh(c'). tape: ∂
    of the gates, and the features and neurons that they read."""

    gates: np.ndarray
    squashed: np.ndarray
    shown: np.ndarray
    grad_shown: np.ndarray
    tape: Tape


@stands_behind(remember_prepare, NoMemory, Lstm)
@compiled
def _prepare(memory, c, features, keep):
    size, read = c.cells * LANES, features + c.neurons
    taped = keep and c.cells > 0
    return Cells(
        aligned_scratch(4 * size),
        aligned_scratch(size),
        aligned_scratch(size),
        aligned_scratch(size),
        prepare_tape(4 * c.cells if taped else 0, read if taped else 0),
    )


@stands_behind(remember, NoMemory)
@compiled
def _nothing(memory, c, params, x, features, before, after, cells):
    return


@stands_behind(remember_back, NoMemory)
@compiled
def _nothing_back(memory, c, params, x, features, before, after, cells, grad_state, sums, grad_x):
    return


@stands_behind(remember_finish, NoMemory)
@compiled
def _nothing_to_finish(memory, c, features, cells, sums):
    return


@stands_behind(remember, Lstm)
@compiled
def _remember(memory, c, params, x, features, before, after, cells):
    """`before`: the whole state, neurons then cells; `after`: the new cells alone."""
    n, k = c.neurons, c.cells
    at_h = c.at_memory + 4 * k * features
    at_b = at_h + 4 * k * n
    gates = cells.gates
    # The four gates of a cell side by side: one load serves four independent sums.
    for i in range(k):
        a, b, d, e = (
            splat(params[at_b + i]),
            splat(params[at_b + k + i]),
            splat(params[at_b + 2 * k + i]),
            splat(params[at_b + 3 * k + i]),
        )
        row, next_gate = c.at_memory + i * features, k * features
        for f in range(features):
            value = load(x, f)
            a = fma(value, entry(params, row + f), a)
            b = fma(value, entry(params, row + next_gate + f), b)
            d = fma(value, entry(params, row + 2 * next_gate + f), d)
            e = fma(value, entry(params, row + 3 * next_gate + f), e)
        row, next_gate = at_h + i * n, k * n
        for j in range(n):
            value = load(before, j)
            a = fma(value, entry(params, row + j), a)
            b = fma(value, entry(params, row + next_gate + j), b)
            d = fma(value, entry(params, row + 2 * next_gate + j), d)
            e = fma(value, entry(params, row + 3 * next_gate + j), e)
        store(gates, i, tanh(a))
        store(gates, k + i, logistic(b))
        store(gates, 2 * k + i, logistic(d))
        store(gates, 3 * k + i, logistic(e))
    for i in range(k):
        new = fma(load(before, n + i), load(gates, 2 * k + i), load(gates, i) * load(gates, k + i))
        squashed = tanh(new)
        store(after, i, new)
        store(cells.squashed, i, squashed)
        store(cells.shown, i, squashed * load(gates, 3 * k + i))


@stands_behind(remember_back, Lstm)
@compiled
def _remember_back(memory, c, params, x, features, before, after, cells, grad_state, sums, grad_x):
    """∂shown and ∂(new cells), the latter in grad_state, → ∂ of the neurons (added) and of the old
    cells (written)."""
    n, k = c.neurons, c.cells
    at_h = c.at_memory + 4 * k * features
    at_b = at_h + 4 * k * n
    gates = cells.gates
    for i in range(k):
        value, write, keep, show = (
            load(gates, i),
            load(gates, k + i),
            load(gates, 2 * k + i),
            load(gates, 3 * k + i),
        )
        squashed, grad_m = load(cells.squashed, i), load(cells.grad_shown, i)
        grad_c = fma(grad_m * show, 1.0 - squashed * squashed, load(grad_state, n + i))
        store(grad_state, n + i, grad_c * keep)
        store(gates, i, grad_c * write * (1.0 - value * value))
        store(gates, k + i, grad_c * value * write * (1.0 - write))
        store(gates, 2 * k + i, grad_c * load(before, n + i) * keep * (1.0 - keep))
        store(gates, 3 * k + i, grad_m * squashed * show * (1.0 - show))
    for r in range(4 * k):
        add(sums, at_b + r, load(gates, r))
        note_grad(cells.tape, r, load(gates, r))
    for f in range(features):
        note_value(cells.tape, f, load(x, f))
    for j in range(n):
        note_value(cells.tape, features + j, load(before, j))
    cells.tape.filled[0] += 1
    if cells.tape.filled[0] == STRETCH:
        _add_weights(c, features, cells, sums)
    for j in range(n):
        store(grad_state, j, load(grad_state, j) + _gathered(params, gates, k, at_h + j, n))
    if len(grad_x) > 0:
        for f in range(features):
            store(
                grad_x, f, load(grad_x, f) + _gathered(params, gates, k, c.at_memory + f, features)
            )


@compiled
def _gathered(params, gates, k, at, width):
    """Σ over all rows of their gradient times one column of a matrix `width` wide; in four sums,
    one a gate."""
    zero = splat(np.float32(0.0))
    a, b, d, e = zero, zero, zero, zero
    next_gate = k * width
    for i in range(k):
        row = at + i * width
        a = fma(load(gates, i), entry(params, row), a)
        b = fma(load(gates, k + i), entry(params, row + next_gate), b)
        d = fma(load(gates, 2 * k + i), entry(params, row + 2 * next_gate), d)
        e = fma(load(gates, 3 * k + i), entry(params, row + 3 * next_gate), e)
    return (a + b) + (d + e)


@stands_behind(remember_finish, Lstm)
@compiled
def _finish(memory, c, features, cells, sums):
    _add_weights(c, features, cells, sums)


@compiled
def _add_weights(c, features, cells, sums):
    """From the tape to the weights, and the tape is empty again."""
    n, k = c.neurons, c.cells
    read = np.arange(features + n)
    for i in range(k):  # the four gates of a cell, and all that they read
        add_products(
            cells.tape, i, k, read, 0, features, sums, c.at_memory + i * features, k * features
        )
        # A row of recurrent weights starts with the first neuron, whose column stands behind the
        # features.
        at = c.at_memory + 4 * k * features + i * n - features
        add_products(cells.tape, i, k, read, features, features + n, sums, at, k * n)
    cells.tape.filled[0] = 0
