"""Mixed memory in Triton: the LSTM of `neurons.memory`, one time step at a time. `memory_cpu` has
the derivatives.

Its weights are dense, 4 × cells × (features + neurons), rows of (i, g, f, o) one after the other.
The cells of a block are the rows of a program; what they read comes one number a lane at a time.

A candidate's own rows for a memory of K cells, `cells` in these functions:

    tanh(i), s(g), s(f), s(o), then ∂ of i, g, f, o │ tanh(c') │ m, what is shown │ ∂m

`memory` is (at_memory, cells, features, neurons): where the weights start in the parameters, and
the sizes. What kernels call is `enter` and `leave`, which run the input map too where the memory
does not stand in its place.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.sequence import (
    ROWS,
    add,
    block_of,
    logistic,
    own_rows,
    sensory_values,
    sensory_values_back,
    tanh,
    zeros,
)

# The forms of memory, places in `candidate.MEMORIES`.
NO_MEMORY = tl.constexpr(0)
FROM_STATE = tl.constexpr(1)
AS_INPUT = tl.constexpr(2)


def forward_rows(cells: int, time_steps: int) -> int:
    """Besides those of the neurons: the cells of all time steps, and what a time step works in."""
    return (time_steps + 8) * cells


def backward_rows(cells: int) -> int:
    """Besides those of the neurons: ∂ of the cells, and what a time step works in."""
    return 8 * cells


@triton.jit
def _shown(cells, count, who):
    """The rows of m."""
    return cells + 5 * count * who[0].shape[0]


@triton.jit
def _take_grad_shown(cells, count, grad, passes, who):
    """∂m: from rows of ∂, where time passes; there they are used up, and 0."""
    for block in range(tl.cdiv(count, ROWS)):
        i, real = block_of(block, count)
        value = tl.load(own_rows(grad, i, who))
        tl.store(
            own_rows(cells, 6 * count + i, who), tl.where(passes, value, 0.0), mask=real[:, None]
        )
        tl.store(own_rows(grad, i, who), tl.where(passes, 0.0, value), mask=real[:, None])


@triton.jit
def _own_row(base, row, who):
    """One row of a candidate's own memory, (1, LANES)."""
    return tl.load(base + row * who[0].shape[0] + who[0])[None, :]


@triton.jit
def _shared_row(base, row, who):
    return tl.load(base + row * who[3] + who[1], mask=who[2], other=0.0)[None, :]


@triton.jit
def _remember(own, memory, x_now, states, new_cells, cells, passes, who):
    """The new cells, held in samples for which no time passes, and what the memory shows. states:
    own rows of the neurons, then of the old cells; x_now: (features, batch)."""
    at_memory, count, features, neurons = memory
    at_h = at_memory + 4 * count * features
    at_b = at_h + 4 * count * neurons
    for block in range(tl.cdiv(count, ROWS)):
        i, real = block_of(block, count)
        here = real[:, None]
        a = zeros(who) + tl.load(own + at_b + i)[:, None]
        b = zeros(who) + tl.load(own + at_b + count + i)[:, None]
        d = zeros(who) + tl.load(own + at_b + 2 * count + i)[:, None]
        e = zeros(who) + tl.load(own + at_b + 3 * count + i)[:, None]
        for f in range(features):
            value, at, gate = (
                _shared_row(x_now, f, who),
                own + at_memory + i * features + f,
                count * features,
            )
            a += value * tl.load(at)[:, None]
            b += value * tl.load(at + gate)[:, None]
            d += value * tl.load(at + 2 * gate)[:, None]
            e += value * tl.load(at + 3 * gate)[:, None]
        for j in range(neurons):
            value, at, gate = (
                _own_row(states, j, who),
                own + at_h + i * neurons + j,
                count * neurons,
            )
            a += value * tl.load(at)[:, None]
            b += value * tl.load(at + gate)[:, None]
            d += value * tl.load(at + 2 * gate)[:, None]
            e += value * tl.load(at + 3 * gate)[:, None]
        value, write, keep, show = tanh(a), logistic(b), logistic(d), logistic(e)
        old = tl.load(own_rows(states, neurons + i, who))
        new = old * keep + value * write
        squashed = tanh(new)
        tl.store(own_rows(cells, i, who), value, mask=here)
        tl.store(own_rows(cells, count + i, who), write, mask=here)
        tl.store(own_rows(cells, 2 * count + i, who), keep, mask=here)
        tl.store(own_rows(cells, 3 * count + i, who), show, mask=here)
        tl.store(own_rows(cells, 4 * count + i, who), squashed, mask=here)
        tl.store(own_rows(cells, 5 * count + i, who), squashed * show, mask=here)
        tl.store(own_rows(new_cells, i, who), tl.where(passes, new, old), mask=here)


@triton.jit
def _remember_back(
    own,
    grad_own,
    memory,
    x_now,
    grad_x_now,
    states,
    grad_states,
    cells,
    passes,
    who,
    INPUTS: tl.constexpr,
):
    """From ∂m, in the cells' rows, and ∂ of the new cells, in grad_states behind the neurons: ∂ of
    the neurons, added there, and of the old cells, written there, which stays as it is where no
    time passes. grad_x_now is added to where INPUTS."""
    at_memory, count, features, neurons = memory
    at_h = at_memory + 4 * count * features
    at_b = at_h + 4 * count * neurons
    for block in range(tl.cdiv(count, ROWS)):
        i, real = block_of(block, count)
        here = real[:, None]
        value, write = tl.load(own_rows(cells, i, who)), tl.load(own_rows(cells, count + i, who))
        keep, show = (
            tl.load(own_rows(cells, 2 * count + i, who)),
            tl.load(own_rows(cells, 3 * count + i, who)),
        )
        squashed, grad_m = (
            tl.load(own_rows(cells, 4 * count + i, who)),
            tl.load(own_rows(cells, 6 * count + i, who)),
        )
        grad_new = tl.load(own_rows(grad_states, neurons + i, who))
        grad_c = tl.where(passes, grad_new, 0.0) + grad_m * show * (1.0 - squashed * squashed)
        old = tl.load(own_rows(states, neurons + i, who))
        tl.store(
            own_rows(grad_states, neurons + i, who),
            tl.where(passes, grad_c * keep, grad_new),
            mask=here,
        )
        tl.store(own_rows(cells, i, who), grad_c * write * (1.0 - value * value), mask=here)
        tl.store(own_rows(cells, count + i, who), grad_c * value * write * (1.0 - write), mask=here)
        tl.store(own_rows(cells, 2 * count + i, who), grad_c * old * keep * (1.0 - keep), mask=here)
        tl.store(
            own_rows(cells, 3 * count + i, who), grad_m * squashed * show * (1.0 - show), mask=here
        )
    tl.debug_barrier()
    for block in range(tl.cdiv(4 * count, ROWS)):
        r, real = block_of(block, 4 * count)
        grad = tl.load(own_rows(cells, r, who))
        add(grad_own + at_b + r, tl.sum(grad, axis=1), real)
        for f in range(features):
            add(
                grad_own + at_memory + r * features + f,
                tl.sum(grad * _shared_row(x_now, f, who), axis=1),
                real,
            )
        for j in range(neurons):
            add(
                grad_own + at_h + r * neurons + j,
                tl.sum(grad * _own_row(states, j, who), axis=1),
                real,
            )
    for block in range(tl.cdiv(neurons, ROWS)):
        j, real = block_of(block, neurons)
        grad = tl.load(own_rows(grad_states, j, who))
        for r in range(4 * count):
            grad += _own_row(cells, r, who) * tl.load(own + at_h + r * neurons + j)[:, None]
        tl.store(own_rows(grad_states, j, who), grad, mask=real[:, None])
    if INPUTS:
        for f in range(features):
            grad_f = tl.zeros([1, who[0].shape[0]], tl.float32)
            for r in range(4 * count):
                grad_f += _own_row(cells, r, who) * tl.load(own + at_memory + r * features + f)
            at = (grad_x_now + f * who[3] + who[1])[None, :]
            add(at, grad_f, who[2][None, :])


@triton.jit
def enter(
    own,
    input_map,
    memory,
    x_now,
    before,
    new_cells,
    cells,
    values,
    passes,
    who,
    MEMORY: tl.constexpr,
):
    """The start of a time step: own rows of the state from which the neurons start, and of the
    sensory values. before: rows of the whole state; new_cells: rows for those; values: rows for
    what the input map gives."""
    start = before
    if MEMORY != NO_MEMORY:
        _remember(own, memory, x_now, before, new_cells, cells, passes, who)
    if MEMORY == FROM_STATE:
        start = _shown(cells, memory[1], who)
    if MEMORY == AS_INPUT:
        values = _shown(cells, memory[1], who)
    else:
        sensory_values(own, input_map, x_now, values, who)
    tl.debug_barrier()
    return start, values


@triton.jit
def enter_again(
    own, input_map, memory, x_now, before, cells, values, passes, who, MEMORY: tl.constexpr
):
    """`enter` on the way back: the new cells are known already, and go where ∂m will be."""
    dump = cells + 6 * memory[1] * who[0].shape[0]
    return enter(own, input_map, memory, x_now, before, dump, cells, values, passes, who, MEMORY)


@triton.jit
def leave(
    own,
    grad_own,
    input_map,
    memory,
    x_now,
    grad_x_now,
    before,
    grad_states,
    grad_values,
    cells,
    passes,
    who,
    MEMORY: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """And back: from ∂ of that start, in the neurons' rows of grad_states, and ∂ of the sensory
    values, to ∂ of the whole state before, in grad_states."""
    if MEMORY == FROM_STATE:
        _take_grad_shown(cells, memory[1], grad_states, passes, who)
    if MEMORY == AS_INPUT:
        _take_grad_shown(cells, memory[1], grad_values, passes, who)
    else:
        sensory_values_back(own, grad_own, input_map, x_now, grad_x_now, grad_values, who, INPUTS)
    if MEMORY != NO_MEMORY:
        tl.debug_barrier()
        _remember_back(
            own,
            grad_own,
            memory,
            x_now,
            grad_x_now,
            before,
            grad_states,
            cells,
            passes,
            who,
            INPUTS,
        )
    tl.debug_barrier()
