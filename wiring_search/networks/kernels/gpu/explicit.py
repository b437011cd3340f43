"""Euler, Heun and RK4 in Triton, over the right-hand sides of LTC and of the rate neurons, forward
and backward.

Programs, lanes, rows and pieces of memory are as in `ltc_gpu`; the methods, and how gradients go
back through their stages or by the adjoint, as in `explicit_cpu`. A time step of h sub-steps with s
stages is E = h·s evaluations of the right-hand side, one after the other. What is counted by
evaluations is laid out in the order of time, so that both gradients are one loop from the last
evaluation to the first:

    bptt      evaluation q stands at row q of z, where it was when the time step is run again
    adjoint   evaluation q stands at row q + 1: the first of a sub-step at its end, which is the start of the next one, and
              the others, each from the one before, at rows that the stages of the first run have no more use for

Both make, with δ = ∂v' and the stage that was walked before, ∂slope = h (b δ + c ∂z_before); c,
`CARRY`, is the a of stage s + 1 for bptt and b_s a_s / b_{s−1} for the adjoint. No time passing is
h = 0, which holds a state and its gradient.

The right-hand sides are `field_gpu`'s: K sums over a neuron's synapses, which are kept of each
evaluation for the way back, where their ∂ takes their place, and one number of its own, its leak.

Pieces of memory, in rows of LANES numbers. Forward (`forward_rows`):

    states of T + 1 time steps │ two z that take turns │ start of the sub-step │ what it has come to │ K sums
    │ K outer sums │ S sensory values │ memory

backward (`backward_rows`):

    z of E + 1 evaluations │ K sums of E, then ∂ │ δ │ ∂z │ totals of K ∂ sums, of ∂leak │ K outer sums, then ∂
    │ S sensory values │ S of their ∂ │ ∂state │ memory

A state is N neurons, then the cells of a memory (`memory_gpu`, which adds to both numbers of rows).
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.field import (
    SUMS,
    at_leak,
    gather,
    inner_sums,
    leaving,
    load_sums,
    numbers_of,
    outer_sums,
    own_back,
    slope_back,
    slope_of,
    store_sums,
    sums_of,
)
from wiring_search.networks.kernels.gpu.memory import FROM_STATE, enter, enter_again, leave
from wiring_search.networks.kernels.gpu.sequence import (
    COLUMNS,
    SIZES,
    add,
    give_rows,
    history_of,
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
from wiring_search.networks.neurons.solvers import Tableau


def forward_rows(neuron: str, neurons: int, sensory: int, time_steps: int) -> int:
    return (time_steps + 5 + 2 * SUMS[neuron]) * neurons + sensory


def backward_rows(neuron: str, neurons: int, sensory: int, evaluations: int) -> int:
    sums = SUMS[neuron]
    return ((sums + 1) * evaluations + 5 + 2 * sums) * neurons + 2 * sensory


def constants(neuron: str, tableau: Tableau, adjoint: bool) -> dict[str, object]:
    """What the kernels are compiled for. AHEAD, WEIGHTS, CARRY: a number a stage; see above."""
    a, b = tableau.a, tableau.b
    ahead = (*a[1:], 0.0)
    carry = (0.0, *(b[s] * a[s] / b[s - 1] for s in range(1, len(b)))) if adjoint else ahead
    return {"NEURON": neuron, "AHEAD": ahead, "WEIGHTS": b, "CARRY": carry, "ADJOINT": adjoint}


@triton.jit
def _of_stage(NUMBERS: tl.constexpr, stage):
    number = 0.0
    for s in tl.static_range(len(NUMBERS)):
        number = tl.where(stage == s, NUMBERS[s], number)
    return number


@triton.jit
def _evaluate(cell, stage, z, new, start, moved, kept, apart, h, NEURON, AHEAD, WEIGHTS):
    """One evaluation in all rows: the sums are kept, and what comes next goes to `new`: the next
    stage, or the state after the sub-step. z, new, start, moved: own rows of neurons; start: of the
    sub-step, moved: what it has come to."""
    block, neurons, slices, edges, outer, who = cell
    rows, first_slice, end_slice = slices
    stages: tl.constexpr = len(WEIGHTS)
    for slice_ in range(first_slice, end_slice):
        i, real = rows_of(rows, slice_)
        here = real[:, None]
        first, second = inner_sums(edges, slice_, i, neurons, z, outer, who, NEURON)
        store_sums(kept, apart, i, first, second, here, who, NEURON)
        v = tl.load(own_rows(z, i, who))
        slope = slope_of(
            first, second, v, tl.load(block + at_leak(neurons, NEURON) + i)[:, None], NEURON
        )
        if stages == 1:
            after = v + h * slope
        else:
            started = tl.load(own_rows(tl.where(stage == 0, z, start), i, who))
            after = (
                tl.load(own_rows(tl.where(stage == 0, z, moved), i, who))
                + h * _of_stage(WEIGHTS, stage) * slope
            )
            tl.store(own_rows(start, i, who), started, mask=here)
            tl.store(own_rows(moved, i, who), after, mask=here)
            after = tl.where(
                stage == stages - 1, after, started + h * _of_stage(AHEAD, stage) * slope
            )
        tl.store(own_rows(new, i, who), after, mask=here)


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
    NEURON: tl.constexpr,
    AHEAD: tl.constexpr,
    WEIGHTS: tl.constexpr,
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
    who = samples(tile, batch, LANES)
    kept_rows: tl.constexpr = sums_of(NEURON)
    stages: tl.constexpr = len(WEIGHTS)

    cells = memory[1]
    row, of_state = neurons * LANES, (neurons + cells) * LANES
    of_neuron = time_steps + 5 + 2 * kept_rows
    states = history_of(record, work, of_neuron, time_steps, tiles, tile, LANES)
    turns = states + (time_steps + 1) * of_state
    start, moved, kept = turns + 2 * row, turns + 3 * row, turns + 4 * row
    outer = kept + kept_rows * row
    values = outer + kept_rows * row
    remembered = values + sensory * LANES
    cell = own + at_params, neurons, slices, edges, outer, who

    take_rows(state, at_state, neurons + cells, states, who)
    tl.debug_barrier()
    for t in range(time_steps):
        dt = tl.load(elapsed + t * batch + who[1], mask=who[2], other=0.0)[None, :]
        h, passes = dt / steps, dt > 0
        before, after = states + t * of_state, states + (t + 1) * of_state
        x_now = x + t * features * batch
        begin, seen = enter(
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
        outer_sums(own + at_params, neurons, slices, sensory_edges, seen, outer, who, NEURON)
        tl.debug_barrier()
        for q in range(steps * stages):
            z = tl.where(q == 0, begin, turns + (q % 2) * row)
            new = tl.where(q == steps * stages - 1, after, turns + ((q + 1) % 2) * row)
            _evaluate(cell, q % stages, z, new, start, moved, kept, row, h, NEURON, AHEAD, WEIGHTS)
            tl.debug_barrier()
        if (
            MEMORY == FROM_STATE
        ):  # where no time passes the state is held, not what the memory shows
            for slice_ in range(first_slice, end_slice):
                i, real = rows_of(rows, slice_)
                v = tl.where(
                    passes, tl.load(own_rows(after, i, who)), tl.load(own_rows(before, i, who))
                )
                tl.store(own_rows(after, i, who), v, mask=real[:, None])
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
    sums,  # (tiles, numbers of a synapse, places), holds 0; see the `gather` of each neuron
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
    NEURON: tl.constexpr,
    AHEAD: tl.constexpr,
    WEIGHTS: tl.constexpr,
    CARRY: tl.constexpr,
    ADJOINT: tl.constexpr,
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
    first_out, end_out = slices_of(record, 12)
    first_left, end_left = slices_of(record, 13)
    slices = rows, first_slice, end_slice
    who = samples(tile, batch, LANES)
    kept_rows: tl.constexpr = sums_of(NEURON)
    stages: tl.constexpr = len(WEIGHTS)
    numbers: tl.constexpr = numbers_of(NEURON)
    evaluations = steps * stages
    block = own + at_params
    leaks = block + at_leak(neurons, NEURON)
    grad_own += tile.to(tl.int64) * parameters
    sums += tile.to(tl.int64) * numbers * edges[4]
    sensory_sums += tile.to(tl.int64) * numbers * sensory_edges[4]

    cells = memory[1]
    row, of_state = neurons * LANES, (neurons + cells) * LANES
    of_neuron = time_steps + 5 + 2 * kept_rows
    states = history_of(record, history, of_neuron, time_steps, tiles, tile, LANES)
    mine = ((kept_rows + 1) * evaluations + 5 + 2 * kept_rows) * neurons + 2 * sensory + 8 * cells
    z_of = work + (at_work * tiles + tile * mine) * LANES
    kept, apart = z_of + (evaluations + 1) * row, evaluations * row
    delta_of = kept + kept_rows * apart
    grad_z, totals = delta_of + row, delta_of + 2 * row
    total_leak = totals + kept_rows * row
    outer = total_leak + row
    values = outer + kept_rows * row
    grad_values = values + sensory * LANES
    grad_v = grad_values + sensory * LANES
    remembered = grad_v + of_state
    cell = block, neurons, slices, edges, outer, who
    # Where the evaluations stand on the way back; see above.
    back_z = z_of + row if ADJOINT else z_of

    take_rows(grad_state, at_state, neurons + cells, grad_v, who)
    for slice_ in range(first_slice, end_slice):
        i, real = rows_of(rows, slice_)
        here = real[:, None]
        store_sums(totals, row, i, zeros(who), zeros(who), here, who, NEURON)
        tl.store(own_rows(total_leak, i, who), zeros(who), mask=here)
    tl.debug_barrier()

    for back in range(time_steps):
        t = time_steps - 1 - back
        dt = tl.load(elapsed + t * batch + who[1], mask=who[2], other=0.0)
        h, passes = dt[None, :] / steps, (dt > 0)[None, :]
        x_now, before = x + t * features * batch, states + t * of_state
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
        begin, seen = enter_again(
            own, input_map, memory, x_now, before, remembered, values, passes, who, MEMORY
        )
        for slice_ in range(first_slice, end_slice):
            i, real = rows_of(rows, slice_)
            tl.store(own_rows(z_of, i, who), tl.load(own_rows(begin, i, who)), mask=real[:, None])
        tl.debug_barrier()
        outer_sums(block, neurons, slices, sensory_edges, seen, outer, who, NEURON)
        tl.debug_barrier()
        # The evaluations again, each one's state and sums kept; the rows of δ and ∂z are free until
        # then …
        for q in range(evaluations):
            z, kept_now = z_of + q * row, kept + q * row
            _evaluate(
                cell,
                q % stages,
                z,
                z + row,
                delta_of,
                grad_z,
                kept_now,
                apart,
                h,
                NEURON,
                AHEAD,
                WEIGHTS,
            )
            tl.debug_barrier()
        # … and back through them, along the synapses that leave each neuron.
        grad_h = tl.zeros([LANES], tl.float32)
        for walked in range(evaluations):
            q = evaluations - 1 - walked
            stage = walked % stages if ADJOINT else q % stages
            weight, carry = _of_stage(WEIGHTS, stage), _of_stage(CARRY, stage)
            z, kept_now = back_z + q * row, kept + q * row
            begins = walked % stages == 0
            for slice_ in range(first_slice, end_slice):
                i, real = rows_of(rows, slice_)
                here = real[:, None]
                if ADJOINT:
                    first, second = inner_sums(edges, slice_, i, neurons, z, outer, who, NEURON)
                else:
                    first, second = load_sums(kept_now, apart, i, who, NEURON)
                v, leak = tl.load(own_rows(z, i, who)), tl.load(leaks + i)[:, None]
                slope = slope_of(first, second, v, leak, NEURON)
                delta = tl.load(own_rows(tl.where(begins, grad_v, delta_of), i, who))
                of_slope = weight * delta
                if stages > 1:
                    tl.store(own_rows(delta_of, i, who), delta, mask=here)
                    of_slope += tl.where(begins, 0.0, carry * tl.load(own_rows(grad_z, i, who)))
                of_first, of_second, of_z, of_leak = slope_back(
                    first, second, v, leak, slope, h * of_slope, NEURON
                )
                store_sums(kept_now, apart, i, of_first, of_second, here, who, NEURON)
                tl.store(own_rows(grad_z, i, who), of_z, mask=here)
                add(own_rows(total_leak, i, who), of_leak, here)
                if INPUTS:
                    grad_h += tl.sum(tl.where(here, slope * of_slope, 0.0), axis=0)
                if ADJOINT and stages > 1:
                    if (
                        stage < stages - 1
                    ):  # on to the next one, from the end of the sub-step, `stage` rows ahead
                        ended = tl.load(own_rows(z + stage * row, i, who))
                        tl.store(
                            own_rows(z - row, i, who),
                            ended - h * _of_stage(AHEAD, stage) * slope,
                            mask=here,
                        )
            tl.debug_barrier()
            for slice_ in range(first_out, end_out):
                j, real = rows_of(outgoing_rows, slice_)
                grad = leaving(outgoing_edges, slice_, j, z, kept_now, apart, who, NEURON)
                grad += tl.load(own_rows(grad_z, j, who))
                tl.store(own_rows(grad_z, j, who), grad, mask=real[:, None])
                add(own_rows(grad_v, j, who), grad, real[:, None])
            tl.debug_barrier()
        # The gradients of the synapses, over all evaluations at once, and what the outer part has
        # seen of them.
        for slice_ in range(first_slice, end_slice):
            i, real = rows_of(rows, slice_)
            here = real[:, None]
            gather(edges, slice_, i, back_z, kept, apart, row, evaluations, sums, who, NEURON)
            of_first, of_second = zeros(who), zeros(who)
            for q in range(evaluations):
                first, second = load_sums(kept + q * row, apart, i, who, NEURON)
                of_first += first
                of_second += second
            store_sums(outer, row, i, of_first, of_second, here, who, NEURON)
            first, second = load_sums(totals, row, i, who, NEURON)
            store_sums(totals, row, i, first + of_first, second + of_second, here, who, NEURON)
        tl.debug_barrier()
        for slice_ in range(first_slice, end_slice):
            i, real = rows_of(rows, slice_)
            gather(sensory_edges, slice_, i, seen, outer, row, 0, 1, sensory_sums, who, NEURON)
        for slice_ in range(first_left, end_left):
            j, real = rows_of(leaving_rows, slice_)
            grad = leaving(leaving_edges, slice_, j, seen, outer, row, who, NEURON)
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
        tl.debug_barrier()

    give_rows(grad_v, grad_state, at_state, neurons + cells, who)
    for slice_ in range(first_slice, end_slice):
        i, real = rows_of(rows, slice_)
        first, second = load_sums(totals, row, i, who, NEURON)
        of_first, of_second = tl.sum(first, axis=1), tl.sum(second, axis=1)
        of_leak = tl.sum(tl.load(own_rows(total_leak, i, who)), axis=1)
        own_back(
            block, grad_own + at_params, i, real, neurons, of_first, of_second, of_leak, NEURON
        )
