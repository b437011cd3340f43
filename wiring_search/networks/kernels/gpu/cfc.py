"""CfC in Triton (`neurons.cfc`), all variants, sparse and layered: a candidate through a whole
sequence on one tile of samples, forward and backward, one program each.

Lanes, rows and programs are those of `ltc_gpu`: a step along a slice is one connection of each of
ROWS neurons, with one weight for each head. The derivatives stand in `cfc_cpu`. A time step sweeps
the layers one after the other, and slices are of one layer (`gpu_layout`). The states of a time
step lie behind those of the one before it, so that one index says whether a connection reads an old
or a new state.

Backward computes the heads again from the states that the forward pass kept; both the old and the
new ones are there, so only the gradients wait for one another, layer by layer. What a weight
gathers is a sum over the lanes, which costs more than the products in it. So it is made for two
time steps at once: ∂ of the heads of the later one wait for those of the earlier one, and for as
long as the connections onto a slice are walked along, both stay in registers.

A connection of four heads costs sixteen multiplications in a training step (forward, run again,
back to what it reads, to its weights) and seven loads of a row: those bind, where the nearest cache
holds what they read.

In a sample for which no time passes, a new state that another neuron reads is the old one: nothing
there is shown, and its gradients are 0.

Pieces of memory, in rows of LANES numbers, for a candidate of N neurons and S sensory nodes.
Forward (`forward_rows`):

    states of T + 1 time steps │ S sensory values │ old and new states, N each │ memory

backward (`backward_rows`); ∂ of a neuron's heads, of pure ones (∂ff1, ∂w_τ, ∂A), are named after
its own parameters:

    ∂ of two time steps, 4 N each │ sensory values of two, S each │ S of ∂sensory values │ old and new states of two, 2 N each
    │ ∂state │ memory

A state is N neurons, then the cells of a memory (`memory_gpu`, which adds to both numbers of rows).
With a memory, old and new states do not lie behind each other in the history, and are copied to
where they do.

A list of edges is (start, width, other, weights, places) in these functions: see
`gpu_layout.Edges`; weights are one row of `places` numbers for each head.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.layout import COLUMNS as _COLUMN_NAMES
from wiring_search.networks.kernels.gpu.memory import AS_INPUT, NO_MEMORY, enter, enter_again, leave
from wiring_search.networks.kernels.gpu.sequence import (
    COLUMNS,
    MINUS_LOG2_E,
    ROWS,
    SIZES,
    add,
    copy_rows,
    give_rows,
    history_of,
    logistic,
    memory_of,
    own_rows,
    readout,
    readout_back,
    rows_of,
    samples,
    sizes,
    slices_of,
    take_rows,
    tanh,
    zeros,
)
from wiring_search.networks.neurons.cfc import NO_GATE as _NO_GATE
from wiring_search.networks.neurons.cfc import PURE as _PURE

LAYERS = tl.constexpr(_COLUMN_NAMES.index("at_last"))
NO_GATE = tl.constexpr(_NO_GATE)
PURE = tl.constexpr(_PURE)


def forward_rows(neurons: int, sensory: int, time_steps: int) -> int:
    return (time_steps + 3) * neurons + sensory


def backward_rows(neurons: int, sensory: int, steps: int) -> int:
    del steps  # it has none
    return 13 * neurons + 3 * sensory


@triton.jit
def _plus_weighted(edges, slice_, values, heads, who, VARIANT: tl.constexpr):
    """Adds what the connections onto the rows of a slice bring to each head."""
    start, width, other, weights, places = edges
    first, second, slope, level = heads
    edge = tl.load(start + slice_) + tl.arange(0, ROWS)
    for _ in range(tl.load(width + slice_)):
        value, at = tl.load(own_rows(values, tl.load(other + edge), who)), weights + edge
        first += value * tl.load(at)[:, None]
        if VARIANT != PURE:
            second += value * tl.load(at + places)[:, None]
            slope += value * tl.load(at + 2 * places)[:, None]
            level += value * tl.load(at + 3 * places)[:, None]
        edge += ROWS
    return first, second, slope, level


@triton.jit
def _heads(
    numbers, neurons, i, edges, sensory_edges, slice_, before, values, who, VARIANT: tl.constexpr
):
    """ff1, ff2, a, b of the rows i, a slice (of pure ones the first alone). before: rows of the old
    states, then of the new."""
    first = zeros(who) + tl.load(numbers + i)[:, None]
    second, slope, level = zeros(who), zeros(who), zeros(who)
    if VARIANT != PURE:
        second += tl.load(numbers + neurons + i)[:, None]
        slope += tl.load(numbers + 2 * neurons + i)[:, None]
        level += tl.load(numbers + 3 * neurons + i)[:, None]
    heads = first, second, slope, level
    heads = _plus_weighted(edges, slice_, before, heads, who, VARIANT)
    return _plus_weighted(sensory_edges, slice_, values, heads, who, VARIANT)


@triton.jit
def _new_state(heads, numbers, neurons, i, h, VARIANT: tl.constexpr):
    first, second, slope, level = heads
    if VARIANT == PURE:
        tau, amplitude = (
            tl.load(numbers + neurons + i)[:, None],
            tl.load(numbers + 2 * neurons + i)[:, None],
        )
        decay = tl.exp2(h * (tl.abs(first) + tl.abs(tau)) * MINUS_LOG2_E)
        return amplitude * (1.0 - decay * first)
    else:
        first, second, s = tanh(first), tanh(second), logistic(slope * h + level)
        return first + s * (second if VARIANT == NO_GATE else second - first)


@triton.jit
def _new_state_back(heads, numbers, neurons, i, h, delta, VARIANT: tl.constexpr):
    """∂ of the four heads, or ∂ff1, ∂w_τ, ∂A and nothing; and ∂h."""
    first, second, slope, level = heads
    if VARIANT == PURE:
        tau, amplitude = (
            tl.load(numbers + neurons + i)[:, None],
            tl.load(numbers + 2 * neurons + i)[:, None],
        )
        rate = tl.abs(first) + tl.abs(tau)
        decay = tl.exp2(h * rate * MINUS_LOG2_E)
        through = delta * amplitude * decay
        sign = tl.where(tau > 0, 1.0, tl.where(tau < 0, -1.0, 0.0))
        grad_tau, grad_amplitude = through * first * h * sign, delta * (1.0 - decay * first)
        return (
            -through * (1.0 - h * tl.abs(first)),
            grad_tau,
            grad_amplitude,
            level,
            through * first * rate,
        )
    else:
        first, second, s = tanh(first), tanh(second), logistic(slope * h + level)
        grad_first = delta if VARIANT == NO_GATE else delta * (1.0 - s)
        grad_gate = delta * (second if VARIANT == NO_GATE else second - first) * s * (1.0 - s)
        grad_second = delta * s * (1.0 - second * second)
        return (
            grad_first * (1.0 - first * first),
            grad_second,
            grad_gate * h,
            grad_gate,
            grad_gate * slope,
        )


@triton.jit
def _through(edges, slice_, grads, neurons, who, VARIANT: tl.constexpr):
    """What the connections that leave the rows of a slice carry back to them: Σ w ∂ over the heads
    that they reach."""
    start, width, other, weights, places = edges
    edge = tl.load(start + slice_) + tl.arange(0, ROWS)
    grad = zeros(who)
    for _ in range(tl.load(width + slice_)):
        i, at = tl.load(other + edge), weights + edge
        grad += tl.load(own_rows(grads, i, who)) * tl.load(at)[:, None]
        if VARIANT != PURE:
            for head in tl.static_range(1, 4):
                grad += (
                    tl.load(own_rows(grads, head * neurons + i, who))
                    * tl.load(at + head * places)[:, None]
                )
        edge += ROWS
    return grad


@triton.jit
def _grads_of(grads, neurons, i, there, who, VARIANT: tl.constexpr):
    """∂ of the rows i in one time step; 0 where there is no such time step."""
    first = tl.where(there, tl.load(own_rows(grads, i, who)), 0.0)
    second = tl.where(there, tl.load(own_rows(grads, neurons + i, who)), 0.0)
    third = tl.where(there, tl.load(own_rows(grads, 2 * neurons + i, who)), 0.0)
    if VARIANT == PURE:
        return first, second, third, zeros(who)
    else:
        return (
            first,
            second,
            third,
            tl.where(there, tl.load(own_rows(grads, 3 * neurons + i, who)), 0.0),
        )


@triton.jit
def _gather_own(grad_numbers, neurons, i, real, early, late, VARIANT: tl.constexpr):
    """The sums of ∂ over two time steps are added to the gradients of the neurons' own numbers."""
    for number in tl.static_range(3 if VARIANT == PURE else 4):
        add(grad_numbers + number * neurons + i, tl.sum(early[number] + late[number], axis=1), real)


@triton.jit
def _gather(edges, slice_, values, apart, early, late, sums, who, VARIANT: tl.constexpr):
    """For the connections onto the rows of a slice, whose ∂ in two time steps are `early` and
    `late`: Σ ∂·value is added to `sums` for each head. values: what they read, time steps lie
    `apart`."""
    start, width, other, weights, places = edges
    edge = tl.load(start + slice_) + tl.arange(0, ROWS)
    for _ in range(tl.load(width + slice_)):
        j = tl.load(other + edge)
        one, two = tl.load(own_rows(values, j, who)), tl.load(own_rows(values + apart, j, who))
        for head in tl.static_range(1 if VARIANT == PURE else 4):
            add(
                sums + head * places + edge,
                tl.sum(early[head] * one + late[head] * two, axis=1),
                edge >= 0,
            )
        edge += ROWS


@triton.jit(do_not_specialize=SIZES)
def forward(
    table,
    rows,
    edges,
    sensory_edges,
    own,
    x,  # (T, F, B)
    elapsed,  # (T, B)
    state,  # (states of all, B)
    y,  # (candidates, shown, outputs, B)
    final,  # (states of all, B)
    work,
    batch,
    tiles,
    time_steps,
    features,
    shown,
    outputs,
    LINEAR: tl.constexpr,
    VARIANT: tl.constexpr,
    MEMORY: tl.constexpr,
    LANES: tl.constexpr,
):
    candidate, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    record = table + candidate * COLUMNS
    neurons, sensory, motors, _, projected = sizes(record)
    at_params, at_input, at_output = tl.load(record + 5), tl.load(record + 6), tl.load(record + 7)
    at_state, memory = tl.load(record + 16), memory_of(record, features)
    input_map = at_input, projected, sensory, features
    who = samples(tile, batch, LANES)

    cells = memory[1]
    row, of_state = neurons * LANES, (neurons + cells) * LANES
    states = history_of(record, work, time_steps + 3, time_steps, tiles, tile, LANES)
    values = states + (time_steps + 1) * of_state
    pair = values + sensory * LANES
    remembered = pair + 2 * row

    take_rows(state, at_state, neurons + cells, states, who)
    tl.debug_barrier()
    for t in range(time_steps):
        dt = tl.load(elapsed + t * batch + who[1], mask=who[2], other=0.0)
        passes = (dt > 0)[None, :]
        h = tl.where(passes, dt[None, :], 1.0)
        before, x_now = states + t * of_state, x + t * features * batch
        new_cells = before + of_state + row
        old, seen = enter(
            own,
            input_map,
            memory,
            x_now,
            before,
            new_cells,
            remembered,
            values,
            passes,
            who,
            MEMORY,
        )
        if MEMORY != NO_MEMORY:
            copy_rows(old, pair, neurons, who)
            tl.debug_barrier()
            old = pair
        for turn in range(3):
            layer = record + LAYERS + 2 - turn
            for slice_ in range(tl.load(layer).to(tl.int32), tl.load(layer + 1).to(tl.int32)):
                i, real = rows_of(rows, slice_)
                heads = _heads(
                    own + at_params,
                    neurons,
                    i,
                    edges,
                    sensory_edges,
                    slice_,
                    old,
                    seen,
                    who,
                    VARIANT,
                )
                v = _new_state(heads, own + at_params, neurons, i, h, VARIANT)
                v = tl.where(passes, v, tl.load(own_rows(before, i, who)))
                tl.store(own_rows(old, neurons + i, who), v, mask=real[:, None])
            tl.debug_barrier()
        if MEMORY != NO_MEMORY:
            copy_rows(pair + row, before + of_state, neurons, who)
            tl.debug_barrier()
        if t >= time_steps - shown:
            y_now = (
                y + ((candidate * shown + t - (time_steps - shown)) * outputs).to(tl.int64) * batch
            )
            readout(own, at_output, motors, outputs, before + of_state, y_now, who, LINEAR)
    give_rows(states + time_steps * of_state, final, at_state, neurons + cells, who)


@triton.jit(do_not_specialize=SIZES)
def backward(
    table,
    rows,
    edges,
    sensory_edges,
    outgoing_rows,
    outgoing_edges,
    leaving_rows,
    leaving_edges,
    onward_edges,
    own,
    x,  # (T, F, B)
    elapsed,  # (T, B)
    history,  # what `forward` worked in
    grad_y,  # (candidates, shown, outputs, B)
    # (states of all, B): ∂ of the final state on the way in, of the initial one on the way out
    grad_state,
    grad_own,  # (tiles, parameters), holds 0: of neurons and maps
    sums,  # (tiles, heads, places), holds 0: ∂ of weights
    sensory_sums,
    grad_x,  # (candidates, T, F, B), holds 0, where INPUTS
    grad_elapsed,  # (candidates, T, B)
    work,
    parameters,
    batch,
    tiles,
    time_steps,
    features,
    shown,
    outputs,
    LINEAR: tl.constexpr,
    VARIANT: tl.constexpr,
    MEMORY: tl.constexpr,
    INPUTS: tl.constexpr,
    LANES: tl.constexpr,
):
    candidate, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    record = table + candidate * COLUMNS
    neurons, sensory, motors, _, projected = sizes(record)
    at_params, at_input, at_output = tl.load(record + 5), tl.load(record + 6), tl.load(record + 7)
    at_work, at_state, memory = (
        tl.load(record + 10),
        tl.load(record + 16),
        memory_of(record, features),
    )
    input_map = at_input, projected, sensory, features
    first_slice, end_slice = slices_of(record, 11)
    first_out, end_out = slices_of(record, 12)
    first_left, end_left = slices_of(record, 13)
    who = samples(tile, batch, LANES)
    heads_of_edge: tl.constexpr = 1 if VARIANT == PURE else 4
    grad_own += tile.to(tl.int64) * parameters
    sums += tile.to(tl.int64) * heads_of_edge * edges[4]
    sensory_sums += tile.to(tl.int64) * heads_of_edge * sensory_edges[4]

    cells = memory[1]
    row, sensory_row, of_state = neurons * LANES, sensory * LANES, (neurons + cells) * LANES
    states = history_of(record, history, time_steps + 3, time_steps, tiles, tile, LANES)
    grads_of = work + (at_work * tiles + tile * (13 * neurons + 3 * sensory + 8 * cells)) * LANES
    values_of = grads_of + 8 * row
    grad_values = values_of + 2 * sensory_row
    pairs = grad_values + sensory_row
    grad_v = pairs + 4 * row
    remembered = grad_v + of_state

    take_rows(grad_state, at_state, neurons + cells, grad_v, who)
    tl.debug_barrier()

    for back in range(time_steps):
        t = time_steps - 1 - back
        dt = tl.load(elapsed + t * batch + who[1], mask=who[2], other=0.0)
        passes = (dt > 0)[None, :]
        h = tl.where(passes, dt[None, :], 1.0)
        x_now, before = x + t * features * batch, states + t * of_state
        grads, values = grads_of + 4 * (t % 2) * row, values_of + (t % 2) * sensory_row
        if t >= time_steps - shown:
            grad_y_now = (
                grad_y
                + ((candidate * shown + t - (time_steps - shown)) * outputs).to(tl.int64) * batch
            )
            readout_back(
                own,
                grad_own,
                at_output,
                motors,
                outputs,
                before + of_state,
                grad_y_now,
                grad_v,
                who,
                LINEAR,
            )
        old, seen = enter_again(
            own, input_map, memory, x_now, before, remembered, values, passes, who, MEMORY
        )
        next_old = row
        if MEMORY != NO_MEMORY:
            pair, next_old = pairs + 2 * (t % 2) * row, 2 * row
            copy_rows(old, pair, neurons, who)
            copy_rows(before + of_state, pair + row, neurons, who)
            old = pair
        if MEMORY == AS_INPUT:  # they are wanted again with those of the time step before
            copy_rows(seen, values, sensory, who)
        tl.debug_barrier()
        # From the layer swept last to the first one: then ∂ of a new state is whole when its neuron
        # is met.
        grad_h = tl.zeros([LANES], tl.float32)
        for turn in range(3):
            layer = record + LAYERS + turn
            for slice_ in range(tl.load(layer).to(tl.int32), tl.load(layer + 1).to(tl.int32)):
                i, real = rows_of(rows, slice_)
                here = real[:, None]
                delta = tl.where(passes, tl.load(own_rows(grad_v, i, who)), 0.0)
                delta += _through(onward_edges, slice_, grads, neurons, who, VARIANT)
                heads = _heads(
                    own + at_params,
                    neurons,
                    i,
                    edges,
                    sensory_edges,
                    slice_,
                    old,
                    values,
                    who,
                    VARIANT,
                )
                first, second, slope, level, of_h = _new_state_back(
                    heads, own + at_params, neurons, i, h, delta, VARIANT
                )
                tl.store(own_rows(grads, i, who), first, mask=here)
                tl.store(own_rows(grads, neurons + i, who), second, mask=here)
                tl.store(own_rows(grads, 2 * neurons + i, who), slope, mask=here)
                if VARIANT != PURE:
                    tl.store(own_rows(grads, 3 * neurons + i, who), level, mask=here)
                if INPUTS:
                    grad_h += tl.sum(tl.where(here, of_h, 0.0), axis=0)
            tl.debug_barrier()
        # ∂ of the old states; that of a sample for which no time passes stays as it is.
        for slice_ in range(first_out, end_out):
            j, real = rows_of(outgoing_rows, slice_)
            grad = tl.where(passes, 0.0, tl.load(own_rows(grad_v, j, who)))
            grad += _through(outgoing_edges, slice_, grads, neurons, who, VARIANT)
            tl.store(own_rows(grad_v, j, who), grad, mask=real[:, None])
        for slice_ in range(first_left, end_left):
            k, real = rows_of(leaving_rows, slice_)
            grad = _through(leaving_edges, slice_, grads, neurons, who, VARIANT)
            tl.store(own_rows(grad_values, k, who), grad, mask=real[:, None])
        tl.debug_barrier()
        now = candidate.to(tl.int64) * time_steps + t
        grad_x_now = grad_x + now * features * batch
        leave(
            *(
                own,
                grad_own,
                input_map,
                memory,
                x_now,
                grad_x_now,
                before,
                grad_v,
                grad_values,
                remembered,
                passes,
                who,
            ),
            *(MEMORY, INPUTS),
        )
        if INPUTS:
            tl.store(
                grad_elapsed + now * batch + who[1], tl.where(dt > 0, grad_h, 0.0), mask=who[2]
            )
        if t % 2 == 0:
            both = t + 1 < time_steps
            for slice_ in range(first_slice, end_slice):
                i, real = rows_of(rows, slice_)
                early = _grads_of(grads_of, neurons, i, True, who, VARIANT)
                late = _grads_of(grads_of + 4 * row, neurons, i, both, who, VARIANT)
                _gather_own(grad_own + at_params, neurons, i, real, early, late, VARIANT)
                _gather(
                    edges, slice_, old, tl.where(both, next_old, 0), early, late, sums, who, VARIANT
                )
                _gather(
                    sensory_edges,
                    slice_,
                    values_of,
                    tl.where(both, sensory_row, 0),
                    early,
                    late,
                    sensory_sums,
                    who,
                    VARIANT,
                )
        tl.debug_barrier()

    give_rows(grad_v, grad_state, at_state, neurons + cells, who)
