"""LTC in Triton: a candidate through a whole sequence on one tile of samples, forward and backward,
one program each.

The lanes of a program are LANES samples, its rows the ROWS neurons of a slice (`gpu_layout`): a
step along a slice is one synapse of each of them, ROWS × LANES sigmoids. Programs are as
independent as candidates are; each runs all time steps and sub-steps by itself. What it works in, a
few rows of lanes a neuron, is its own piece of memory, which nobody else reads and the nearest
caches hold; sums stay in registers. Nothing is added atomically: the terms of a sum come in an
order that the candidate alone decides.

The arithmetic is that of `ltc_cpu`, where the derivatives stand. That kernel keeps sigmoids for the
backward pass; here they are computed again, because the caches that would hold them are slower than
that. So a synapse update of a training step costs four sigmoids: forward, run again, along the
outgoing synapses, along the incoming ones.

Pieces of memory, in rows of LANES numbers, for a candidate of N neurons and S sensory nodes.
Forward (`forward_rows`):

    states of T + 1 time steps │ two states that take turns │ outer driving │ outer conductance │ S sensory values │ memory

backward, with h sub-steps (`backward_rows`); a ∂ takes the place of its value once that is not
needed any more:

    states of h + 1 sub-steps │ driving of h, then ∂ │ conductance of h, then ∂ │ ∂state of who is held │ sums of ∂N, ∂D, ∂C
    │ outer driving, then ∂ │ outer conductance, then ∂ │ S sensory values │ S of their ∂ │ ∂state │ memory

A state is N neurons, then the cells of a memory (`memory_gpu`, which adds to both numbers of rows).

A list of edges is (start, width, other, constants, places) in these functions: see
`gpu_layout.Edges` and `gpu`; constants are rows of `places` numbers.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.memory import enter, enter_again, leave
from wiring_search.networks.kernels.gpu.sequence import (
    COLUMNS,
    MINUS_LOG2_E,
    ROWS,
    SIZES,
    add,
    give_rows,
    history_of,
    logistic2,
    memory_of,
    own_rows,
    readout,
    readout_back,
    rows_of,
    samples,
    sizes,
    slices_of,
    take_rows,
    zeros,
)
from wiring_search.networks.neurons.ltc import EPSILON as _EPSILON

EPSILON = tl.constexpr(_EPSILON)


def forward_rows(neurons: int, sensory: int, time_steps: int) -> int:
    return (time_steps + 5) * neurons + sensory


def backward_rows(neurons: int, sensory: int, steps: int) -> int:
    return (3 * steps + 8) * neurons + 2 * sensory


@triton.jit
def _sigmoid(values, slope, offset):
    return logistic2(values * slope[:, None] + offset[:, None])


@triton.jit
def currents(edges, slice_, values, driving, conductance, who):
    """Adds what the synapses onto the rows of a slice bring. constants: slope, offset, w, w·E, …"""
    start, width, other, constants, places = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        at = constants + edge
        s = _sigmoid(
            tl.load(own_rows(values, tl.load(other + edge), who)), tl.load(at), tl.load(at + places)
        )
        conductance += s * tl.load(at + 2 * places)[:, None]
        driving += s * tl.load(at + 3 * places)[:, None]
    return driving, conductance


@triton.jit
def outer_currents(neuron_numbers, neurons, slices, sensory_edges, values, outer, who):
    """Leak and sensory synapses: what stays during the sub-steps of a time step. outer: N rows of
    driving, N of conductance."""
    rows, first, end = slices
    for slice_ in range(first, end):
        i, real = rows_of(rows, slice_)
        gleak = tl.load(neuron_numbers + i)
        driving = zeros(who) + (gleak * tl.load(neuron_numbers + neurons + i))[:, None]
        conductance = zeros(who) + (gleak + EPSILON)[:, None]
        driving, conductance = currents(sensory_edges, slice_, values, driving, conductance, who)
        tl.store(own_rows(outer, i, who), driving, mask=real[:, None])
        tl.store(own_rows(outer, neurons + i, who), conductance, mask=real[:, None])


@triton.jit
def _new_state(v, driving, conductance, cm, h, CLOSED: tl.constexpr):
    if CLOSED:
        resting = driving / conductance
        return resting + (v - resting) * tl.exp2(h * conductance / cm * MINUS_LOG2_E)
    else:
        return (cm * v + h * driving) / (cm + h * conductance)


@triton.jit
def _new_state_back(v, new, driving, conductance, cm, h, delta, CLOSED: tl.constexpr):
    """∂v, ∂driving, ∂conductance, ∂C, ∂h."""
    if CLOSED:
        resting, rate = driving / conductance, conductance / cm
        decay = tl.exp2(h * rate * MINUS_LOG2_E)
        grad_driving = delta * (1.0 - decay) / conductance
        grad_rate = -delta * (v - resting) * decay
        grad_conductance = grad_rate * h / cm - grad_driving * resting
        return (
            delta * decay,
            grad_driving,
            grad_conductance,
            -grad_rate * h * rate / cm,
            grad_rate * rate,
        )
    else:
        grad_a = delta / (cm + h * conductance)
        grad_q = -grad_a * new
        return (
            grad_a * cm,
            h * grad_a,
            h * grad_q,
            grad_a * v + grad_q,
            grad_a * driving + grad_q * conductance,
        )


@triton.jit
def _sub_step(
    slices, edges, capacitances, neurons, old, outer, slice_, h, who, CLOSED: tl.constexpr
):
    """The new state of a slice's rows from all rows of `old`, and what led there: driving and
    conductance."""
    rows, first, end = slices
    i, real = rows_of(rows, slice_)
    driving, conductance = (
        tl.load(own_rows(outer, i, who)),
        tl.load(own_rows(outer, neurons + i, who)),
    )
    driving, conductance = currents(edges, slice_, old, driving, conductance, who)
    v = tl.load(own_rows(old, i, who))
    return (
        _new_state(v, driving, conductance, tl.load(capacitances + i)[:, None], h, CLOSED),
        driving,
        conductance,
    )


@triton.jit
def leaving(edges, slice_, values, driving, conductance, who):
    """What the synapses that leave the rows of a slice carry back to them: Σ w σ s (1 − s)(E ∂N +
    ∂D). values: of the rows themselves; driving, conductance: rows of ∂N and ∂D of those they
    reach; constants: slope, offset, w·σ, w·σ·E."""
    start, width, other, constants, places = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    grad = zeros(who)
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        at = constants + edge
        i = tl.load(other + edge)
        s = _sigmoid(values, tl.load(at), tl.load(at + places))
        a = tl.load(own_rows(conductance, i, who)) * tl.load(at + 2 * places)[:, None]
        a += tl.load(own_rows(driving, i, who)) * tl.load(at + 3 * places)[:, None]
        grad += a * s * (1.0 - s)
    return grad


@triton.jit
def gather(edges, slice_, i, values, driving, conductance, row, repeats, sums, who):
    """For the synapses onto rows i, a slice, over `repeats` states that lie `row` numbers apart: Σ
    a·s, Σ q, Σ q·v, Σ s·∂N are added to `sums`, (4, places). constants: slope, offset, w, w·E,
    E."""
    start, width, other, constants, places = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        at = constants + edge
        slope, offset, erev = tl.load(at), tl.load(at + places), tl.load(at + 4 * places)[:, None]
        j = tl.load(other + edge)
        sum_as, sum_q, sum_qv, sum_sn = zeros(who), zeros(who), zeros(who), zeros(who)
        for r in range(repeats):
            v = tl.load(own_rows(values + r * row, j, who))
            s = _sigmoid(v, slope, offset)
            grad_n = tl.load(own_rows(driving + r * row, i, who))
            a_s = (grad_n * erev + tl.load(own_rows(conductance + r * row, i, who))) * s
            q = a_s * (1.0 - s)
            sum_as += a_s
            sum_q += q
            sum_qv += q * v
            sum_sn += s * grad_n
        everywhere = edge >= 0
        add(sums + edge, tl.sum(sum_as, axis=1), everywhere)
        add(sums + places + edge, tl.sum(sum_q, axis=1), everywhere)
        add(sums + 2 * places + edge, tl.sum(sum_qv, axis=1), everywhere)
        add(sums + 3 * places + edge, tl.sum(sum_sn, axis=1), everywhere)


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
    CLOSED: tl.constexpr,
    MEMORY: tl.constexpr,
    LANES: tl.constexpr,
):
    candidate, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    record = table + candidate * COLUMNS
    neurons, sensory, motors, steps, projected = sizes(record)
    at_params, at_input, at_output = tl.load(record + 5), tl.load(record + 6), tl.load(record + 7)
    at_state, memory = tl.load(record + 16), memory_of(record, features)
    input_map = at_input, projected, sensory, features
    first_slice, end_slice = slices_of(record, 11)
    slices = rows, first_slice, end_slice
    capacitances = own + at_params + 2 * neurons
    who = samples(tile, batch, LANES)

    cells = memory[1]
    row, of_state = neurons * LANES, (neurons + cells) * LANES
    states = history_of(record, work, time_steps + 5, time_steps, tiles, tile, LANES)
    turns = states + (time_steps + 1) * of_state
    outer = turns + 2 * row
    values = outer + 2 * row
    remembered = values + sensory * LANES

    take_rows(state, at_state, neurons + cells, states, who)
    tl.debug_barrier()
    for t in range(time_steps):
        dt = tl.load(elapsed + t * batch + who[1], mask=who[2], other=0.0)
        passes = (dt > 0)[None, :]
        h = tl.where(passes, dt[None, :], 1.0) / steps
        before, after = states + t * of_state, states + (t + 1) * of_state
        x_now = x + t * features * batch
        start, seen = enter(
            own,
            input_map,
            memory,
            x_now,
            before,
            after + row,
            remembered,
            values,
            passes,
            who,
            MEMORY,
        )
        outer_currents(own + at_params, neurons, slices, sensory_edges, seen, outer, who)
        tl.debug_barrier()
        for k in range(steps):
            # Sub-step k reads the state before the time step or one of the two that take turns, and
            # writes the other one.
            old = tl.where(k == 0, start, turns + (k % 2) * row)
            new = tl.where(k == steps - 1, after, turns + ((k + 1) % 2) * row)
            for slice_ in range(first_slice, end_slice):
                i, real = rows_of(rows, slice_)
                v, _, _ = _sub_step(
                    slices, edges, capacitances, neurons, old, outer, slice_, h, who, CLOSED
                )
                if k == steps - 1:  # a sample for which no time passes keeps its state
                    v = tl.where(passes, v, tl.load(own_rows(before, i, who)))
                tl.store(own_rows(new, i, who), v, mask=real[:, None])
            tl.debug_barrier()
        if t >= time_steps - shown:
            y_now = (
                y + ((candidate * shown + t - (time_steps - shown)) * outputs).to(tl.int64) * batch
            )
            readout(own, at_output, motors, outputs, after, y_now, who, LINEAR)
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
    own,
    x,  # (T, F, B)
    elapsed,  # (T, B)
    history,  # what `forward` worked in
    grad_y,  # (candidates, shown, outputs, B)
    # (states of all, B): ∂ of the final state on the way in, of the initial one on the way out
    grad_state,
    grad_own,  # (tiles, parameters), holds 0: of neurons and maps
    sums,  # (tiles, 4, places), holds 0; see `gather`
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
    CLOSED: tl.constexpr,
    MEMORY: tl.constexpr,
    INPUTS: tl.constexpr,
    LANES: tl.constexpr,
):
    candidate, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    record = table + candidate * COLUMNS
    neurons, sensory, motors, steps, projected = sizes(record)
    at_params, at_input, at_output = tl.load(record + 5), tl.load(record + 6), tl.load(record + 7)
    at_work, at_state, memory = (
        tl.load(record + 10),
        tl.load(record + 16),
        memory_of(record, features),
    )
    input_map = at_input, projected, sensory, features
    first_slice, end_slice = slices_of(record, 11)
    slices = rows, first_slice, end_slice
    first_out, end_out = slices_of(record, 12)
    first_left, end_left = slices_of(record, 13)
    capacitances = own + at_params + 2 * neurons
    who = samples(tile, batch, LANES)
    grad_own += tile.to(tl.int64) * parameters
    sums += tile.to(tl.int64) * 4 * edges[4]
    sensory_sums += tile.to(tl.int64) * 4 * sensory_edges[4]

    cells = memory[1]
    row, of_state = neurons * LANES, (neurons + cells) * LANES
    states = history_of(record, history, time_steps + 5, time_steps, tiles, tile, LANES)
    v_of = (
        work
        + (at_work * tiles + tile * ((3 * steps + 8) * neurons + 2 * sensory + 8 * cells)) * LANES
    )
    driving_of = v_of + (steps + 1) * row
    conductance_of = driving_of + steps * row
    held = conductance_of + steps * row
    total_n, total_d, total_c = held + row, held + 2 * row, held + 3 * row
    outer = held + 4 * row
    values = outer + 2 * row
    grad_values = values + sensory * LANES
    grad_v = grad_values + sensory * LANES
    remembered = grad_v + of_state

    take_rows(grad_state, at_state, neurons + cells, grad_v, who)
    for slice_ in range(first_slice, end_slice):
        i, real = rows_of(rows, slice_)
        here = real[:, None]
        tl.store(own_rows(total_n, i, who), zeros(who), mask=here)
        tl.store(own_rows(total_d, i, who), zeros(who), mask=here)
        tl.store(own_rows(total_c, i, who), zeros(who), mask=here)
    tl.debug_barrier()

    for back in range(time_steps):
        t = time_steps - 1 - back
        dt = tl.load(elapsed + t * batch + who[1], mask=who[2], other=0.0)
        passes = (dt > 0)[None, :]
        h = tl.where(passes, dt[None, :], 1.0) / steps
        x_now = x + t * features * batch
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
                states + (t + 1) * of_state,
                grad_y_now,
                grad_v,
                who,
                LINEAR,
            )
            tl.debug_barrier()
        before = states + t * of_state
        start, seen = enter_again(
            own, input_map, memory, x_now, before, remembered, values, passes, who, MEMORY
        )
        # Samples for which no time passes skip the time step: their gradient waits, and 0 goes in.
        for slice_ in range(first_slice, end_slice):
            i, real = rows_of(rows, slice_)
            grad = tl.load(own_rows(grad_v, i, who))
            tl.store(own_rows(held, i, who), tl.where(passes, 0.0, grad), mask=real[:, None])
            tl.store(own_rows(v_of, i, who), tl.load(own_rows(start, i, who)), mask=real[:, None])
        tl.debug_barrier()
        for slice_ in range(first_slice, end_slice):
            i, real = rows_of(rows, slice_)
            grad = tl.load(own_rows(grad_v, i, who))
            tl.store(own_rows(grad_v, i, who), tl.where(passes, grad, 0.0), mask=real[:, None])
        outer_currents(own + at_params, neurons, slices, sensory_edges, seen, outer, who)
        tl.debug_barrier()
        # The sub-steps again, each one's state and sums kept …
        for k in range(steps):
            old = v_of + k * row
            for slice_ in range(first_slice, end_slice):
                i, real = rows_of(rows, slice_)
                v, driving, conductance = _sub_step(
                    slices, edges, capacitances, neurons, old, outer, slice_, h, who, CLOSED
                )
                tl.store(own_rows(old + row, i, who), v, mask=real[:, None])
                tl.store(own_rows(driving_of + k * row, i, who), driving, mask=real[:, None])
                tl.store(
                    own_rows(conductance_of + k * row, i, who), conductance, mask=real[:, None]
                )
            tl.debug_barrier()
        # … and back through them, along the synapses that leave each neuron.
        grad_h = tl.zeros([LANES], tl.float32)
        for again in range(steps):
            k = steps - 1 - again
            old, grad_n, grad_d = v_of + k * row, driving_of + k * row, conductance_of + k * row
            for slice_ in range(first_slice, end_slice):
                i, real = rows_of(rows, slice_)
                here = real[:, None]
                v, new = tl.load(own_rows(old, i, who)), tl.load(own_rows(old + row, i, who))
                driving, conductance = (
                    tl.load(own_rows(grad_n, i, who)),
                    tl.load(own_rows(grad_d, i, who)),
                )
                cm, delta = tl.load(capacitances + i)[:, None], tl.load(own_rows(grad_v, i, who))
                of_v, of_n, of_d, of_c, of_h = _new_state_back(
                    v, new, driving, conductance, cm, h, delta, CLOSED
                )
                tl.store(own_rows(grad_v, i, who), of_v, mask=here)
                tl.store(own_rows(grad_n, i, who), of_n, mask=here)
                tl.store(own_rows(grad_d, i, who), of_d, mask=here)
                add(own_rows(total_c, i, who), of_c, here)
                if INPUTS:
                    grad_h += tl.sum(tl.where(here, of_h, 0.0), axis=0)
            tl.debug_barrier()
            for slice_ in range(first_out, end_out):
                j, real = rows_of(outgoing_rows, slice_)
                grad = leaving(
                    outgoing_edges, slice_, tl.load(own_rows(old, j, who)), grad_n, grad_d, who
                )
                add(own_rows(grad_v, j, who), grad, real[:, None])
            tl.debug_barrier()
        # The gradients of the synapses, over all sub-steps at once, and what the outer part has
        # seen of them.
        for slice_ in range(first_slice, end_slice):
            i, real = rows_of(rows, slice_)
            here = real[:, None]
            gather(edges, slice_, i, v_of, driving_of, conductance_of, row, steps, sums, who)
            sum_n, sum_d = zeros(who), zeros(who)
            for k in range(steps):
                sum_n += tl.load(own_rows(driving_of + k * row, i, who))
                sum_d += tl.load(own_rows(conductance_of + k * row, i, who))
            tl.store(own_rows(outer, i, who), sum_n, mask=here)
            tl.store(own_rows(outer + row, i, who), sum_d, mask=here)
            add(own_rows(total_n, i, who), sum_n, here)
            add(own_rows(total_d, i, who), sum_d, here)
        tl.debug_barrier()
        for slice_ in range(first_slice, end_slice):
            i, real = rows_of(rows, slice_)
            gather(sensory_edges, slice_, i, seen, outer, outer + row, 0, 1, sensory_sums, who)
        for slice_ in range(first_left, end_left):
            j, real = rows_of(leaving_rows, slice_)
            grad = leaving(
                leaving_edges, slice_, tl.load(own_rows(seen, j, who)), outer, outer + row, who
            )
            tl.store(own_rows(grad_values, j, who), grad, mask=real[:, None])
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
                grad_elapsed + now * batch + who[1],
                tl.where(dt > 0, grad_h / steps, 0.0),
                mask=who[2],
            )
        for slice_ in range(first_slice, end_slice):
            i, real = rows_of(rows, slice_)
            add(own_rows(grad_v, i, who), tl.load(own_rows(held, i, who)), real[:, None])
        tl.debug_barrier()

    give_rows(grad_v, grad_state, at_state, neurons + cells, who)
    for slice_ in range(first_slice, end_slice):
        i, real = rows_of(rows, slice_)
        grad_n = tl.sum(tl.load(own_rows(total_n, i, who)), axis=1)
        grad_d = tl.sum(tl.load(own_rows(total_d, i, who)), axis=1)
        grad_c = tl.sum(tl.load(own_rows(total_c, i, who)), axis=1)
        at = at_params + i
        gleak, vleak = tl.load(own + at), tl.load(own + at + neurons)
        tl.store(grad_own + at, vleak * grad_n + grad_d, mask=real)
        tl.store(grad_own + at + neurons, gleak * grad_n, mask=real)
        tl.store(grad_own + at + 2 * neurons, grad_c, mask=real)
