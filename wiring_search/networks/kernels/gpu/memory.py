"""Mixed memory in Triton: the LSTM of `neurons.memory`, one time step at a time.

The derivatives stand in `cpu.memory`. Its weights are dense, 4 × cells × (features + neurons), rows
of (i, g, f, o) one after the other. The cells of a block are the rows of a program; what they read
comes one number a lane at a time.

A program's rows for a memory of K cells, `remembered` in these functions, are PIECES of K each:

    tanh(i), s(g), s(f), s(o), then ∂ of i, g, f, o │ tanh(c') │ m, what is shown │ ∂m

What kernels call is `enter` and `leave`, which run the input map too where the memory does not
stand there instead.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.sequence import (
    LANES,
    ROWS,
    add,
    block_of,
    index_of,
    logistic,
    scratch_at,
    sensory_values,
    sensory_values_back,
    tanh,
    zeros,
)
from wiring_search.wirings.kinds import MEMORIES as _MEMORIES

# The forms of memory.
NO_MEMORY = tl.constexpr(_MEMORIES.index("none"))
FROM_STATE = tl.constexpr(_MEMORIES.index("state"))
AS_INPUT = tl.constexpr(_MEMORIES.index("input"))

_PIECES = ("value", "write", "keep", "show", "squashed", "shown", "grad_shown")
PIECES = tl.constexpr(_PIECES)
MEMORY_PIECES = tl.constexpr(len(_PIECES))


@triton.jit
def _piece(remembered, share, NAME: tl.constexpr):
    return remembered + index_of(NAME, PIECES) * share.cells * LANES


@triton.jit
def _take_grad_shown(remembered, share, grad, passes):
    """∂m: from rows of ∂, where time passes; there they are used up, and 0."""
    lanes, grad_shown = share.lanes, _piece(remembered, share, "grad_shown")
    for block in range(tl.cdiv(share.cells, ROWS)):
        i, real = block_of(block, share.cells)
        value = tl.load(scratch_at(grad, i, lanes))
        tl.store(scratch_at(grad_shown, i, lanes), tl.where(passes, value, 0.0), mask=real[:, None])
        tl.store(scratch_at(grad, i, lanes), tl.where(passes, 0.0, value), mask=real[:, None])


@triton.jit
def _scratch_row(base, row, lanes):
    """One row of a program's memory, (1, LANES)."""
    return tl.load(base + row * LANES + lanes.lane)[None, :]


@triton.jit
def _shared_row(base, row, lanes):
    """One row of an array that has the batch last, (1, LANES); 0 in lanes without a sample."""
    pointer = base + row * lanes.batch + lanes.sample
    return tl.load(pointer, mask=lanes.inside, other=0.0)[None, :]


@triton.jit
def _weights_of(share):
    """Where the weights of inputs, those of states and the biases start in the parameters."""
    at_states = share.at_memory + 4 * share.cells * share.features
    return share.at_memory, at_states, at_states + 4 * share.cells * share.neurons


@triton.jit
def _weighed(value, pointer, apart, sums):
    """Adds a value's share to the sums of the four gates, whose weights lie `apart`."""
    a, b, d, e = sums
    a += value * tl.load(pointer)[:, None]
    b += value * tl.load(pointer + apart)[:, None]
    d += value * tl.load(pointer + 2 * apart)[:, None]
    e += value * tl.load(pointer + 3 * apart)[:, None]
    return a, b, d, e


@triton.jit
def _remember(params, share, x_now, states, new_cells, remembered, passes):
    """The new cells, and what the memory shows.

    Args:
        x_now: (features, batch).
        states: rows of the neurons, then of the old cells.
        new_cells: rows to fill; a sample for which no time passes holds its cells.
    """
    lanes, cells, features, neurons = share.lanes, share.cells, share.features, share.neurons
    at_inputs, at_states, at_biases = _weights_of(share)
    for block in range(tl.cdiv(cells, ROWS)):
        i, real = block_of(block, cells)
        here = real[:, None]
        a = zeros() + tl.load(params + at_biases + i)[:, None]
        b = zeros() + tl.load(params + at_biases + cells + i)[:, None]
        d = zeros() + tl.load(params + at_biases + 2 * cells + i)[:, None]
        e = zeros() + tl.load(params + at_biases + 3 * cells + i)[:, None]
        sums = a, b, d, e
        for f in range(features):
            value, pointer = _shared_row(x_now, f, lanes), params + at_inputs + i * features + f
            sums = _weighed(value, pointer, cells * features, sums)
        for j in range(neurons):
            value, pointer = _scratch_row(states, j, lanes), params + at_states + i * neurons + j
            sums = _weighed(value, pointer, cells * neurons, sums)
        a, b, d, e = sums
        value, write, keep, show = tanh(a), logistic(b), logistic(d), logistic(e)
        old = tl.load(scratch_at(states, neurons + i, lanes))
        new = old * keep + value * write
        squashed = tanh(new)
        shown = squashed * show
        tl.store(scratch_at(_piece(remembered, share, "value"), i, lanes), value, mask=here)
        tl.store(scratch_at(_piece(remembered, share, "write"), i, lanes), write, mask=here)
        tl.store(scratch_at(_piece(remembered, share, "keep"), i, lanes), keep, mask=here)
        tl.store(scratch_at(_piece(remembered, share, "show"), i, lanes), show, mask=here)
        tl.store(scratch_at(_piece(remembered, share, "squashed"), i, lanes), squashed, mask=here)
        tl.store(scratch_at(_piece(remembered, share, "shown"), i, lanes), shown, mask=here)
        tl.store(scratch_at(new_cells, i, lanes), tl.where(passes, new, old), mask=here)


@triton.jit
def _gates_back(share, states, grad_states, remembered, passes):
    """From ∂m and ∂ of the new cells to ∂ of the gates and of the old ones.

    See `_remember_back`.
    """
    lanes, cells, neurons = share.lanes, share.cells, share.neurons
    for block in range(tl.cdiv(cells, ROWS)):
        i, real = block_of(block, cells)
        here = real[:, None]
        at_value = scratch_at(_piece(remembered, share, "value"), i, lanes)
        at_write = scratch_at(_piece(remembered, share, "write"), i, lanes)
        at_keep = scratch_at(_piece(remembered, share, "keep"), i, lanes)
        at_show = scratch_at(_piece(remembered, share, "show"), i, lanes)
        value, write = tl.load(at_value), tl.load(at_write)
        keep, show = tl.load(at_keep), tl.load(at_show)
        squashed = tl.load(scratch_at(_piece(remembered, share, "squashed"), i, lanes))
        grad_shown = tl.load(scratch_at(_piece(remembered, share, "grad_shown"), i, lanes))
        grad_new = tl.load(scratch_at(grad_states, neurons + i, lanes))
        grad = tl.where(passes, grad_new, 0.0) + grad_shown * show * (1.0 - squashed * squashed)
        old = tl.load(scratch_at(states, neurons + i, lanes))
        grad_old = tl.where(passes, grad * keep, grad_new)
        tl.store(scratch_at(grad_states, neurons + i, lanes), grad_old, mask=here)
        tl.store(at_value, grad * write * (1.0 - value * value), mask=here)
        tl.store(at_write, grad * value * write * (1.0 - write), mask=here)
        tl.store(at_keep, grad * old * keep * (1.0 - keep), mask=here)
        tl.store(at_show, grad_shown * squashed * show * (1.0 - show), mask=here)


@triton.jit
def _remember_back(
    params,
    grad_params,
    share,
    x_now,
    grad_x_now,
    states,
    grad_states,
    remembered,
    passes,
    INPUTS: tl.constexpr,
):
    """From ∂m and ∂ of the new cells to ∂ of the neurons, the old cells and the weights.

    Args:
        x_now, grad_x_now: (features, batch); ∂ is added where INPUTS.
        states: rows of the neurons, then of the old cells.
        grad_states: rows of ∂: of the neurons, added to; of the new cells on the way in, of the old
            ones on the way out, the same where no time passes.
    """
    lanes, cells, features, neurons = share.lanes, share.cells, share.features, share.neurons
    at_inputs, at_states, at_biases = _weights_of(share)
    _gates_back(share, states, grad_states, remembered, passes)
    tl.debug_barrier()
    for block in range(tl.cdiv(4 * cells, ROWS)):
        r, real = block_of(block, 4 * cells)
        grad = tl.load(scratch_at(remembered, r, lanes))
        add(grad_params + at_biases + r, tl.sum(grad, axis=1), real)
        for f in range(features):
            of_weight = tl.sum(grad * _shared_row(x_now, f, lanes), axis=1)
            add(grad_params + at_inputs + r * features + f, of_weight, real)
        for j in range(neurons):
            of_weight = tl.sum(grad * _scratch_row(states, j, lanes), axis=1)
            add(grad_params + at_states + r * neurons + j, of_weight, real)
    for block in range(tl.cdiv(neurons, ROWS)):
        j, real = block_of(block, neurons)
        grad = tl.load(scratch_at(grad_states, j, lanes))
        for r in range(4 * cells):
            weight = tl.load(params + at_states + r * neurons + j)[:, None]
            grad += _scratch_row(remembered, r, lanes) * weight
        tl.store(scratch_at(grad_states, j, lanes), grad, mask=real[:, None])
    if INPUTS:
        for f in range(features):
            grad_f = tl.zeros([1, LANES], tl.float32)
            for r in range(4 * cells):
                weight = tl.load(params + at_inputs + r * features + f)
                grad_f += _scratch_row(remembered, r, lanes) * weight
            pointer = grad_x_now + f * lanes.batch + lanes.sample
            add(pointer[None, :], grad_f, lanes.inside[None, :])


@triton.jit
def enter(
    params, share, x_now, before, new_cells, remembered, values, passes, MEMORY: tl.constexpr
):
    """The start of a time step: what the neurons start from, and the sensory values.

    Args:
        x_now: (features, batch).
        before: rows of the whole state.
        new_cells: rows for those of the memory.
        values: rows for what the input map gives.
        passes: (1, LANES) bool, whether time passes.

    Returns:
        Rows of the state from which the neurons start, and of the sensory values.
    """
    start = before
    if MEMORY != NO_MEMORY:
        _remember(params, share, x_now, before, new_cells, remembered, passes)
    if MEMORY == FROM_STATE:
        start = _piece(remembered, share, "shown")
    if MEMORY == AS_INPUT:
        values = _piece(remembered, share, "shown")
    else:
        sensory_values(params, share, x_now, values)
    tl.debug_barrier()
    return start, values


@triton.jit
def enter_again(params, share, x_now, before, remembered, values, passes, MEMORY: tl.constexpr):
    """`enter` on the way back: the new cells are known already and go where ∂m will be."""
    unused = _piece(remembered, share, "grad_shown")
    return enter(params, share, x_now, before, unused, remembered, values, passes, MEMORY)


@triton.jit
def leave(
    params,
    grad_params,
    share,
    x_now,
    grad_x_now,
    before,
    grad_states,
    grad_values,
    remembered,
    passes,
    MEMORY: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """And back: through what `enter` did, to ∂ of the whole state before, in grad_states.

    Args:
        x_now, grad_x_now: (features, batch); ∂ is added where INPUTS.
        before: rows of the whole state.
        grad_states: rows of ∂: in the neurons' rows that of the state from which they started.
        grad_values: rows of ∂ of the sensory values.
    """
    if MEMORY == FROM_STATE:
        _take_grad_shown(remembered, share, grad_states, passes)
    if MEMORY == AS_INPUT:
        _take_grad_shown(remembered, share, grad_values, passes)
    else:
        sensory_values_back(params, grad_params, share, x_now, grad_x_now, grad_values, INPUTS)
    if MEMORY != NO_MEMORY:
        tl.debug_barrier()
        _remember_back(
            params,
            grad_params,
            share,
            x_now,
            grad_x_now,
            before,
            grad_states,
            remembered,
            passes,
            INPUTS,
        )
    tl.debug_barrier()
