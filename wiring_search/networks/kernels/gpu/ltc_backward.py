"""Backward through the LTC in Triton: one program for each candidate and tile; see `gpu.ltc`."""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.frame import (
    begin,
    elapsed_at,
    end,
    inputs_at,
    leave_step,
    show_back,
)
from wiring_search.networks.kernels.gpu.ltc import (
    gather,
    leaving,
    new_state_back,
    outer_currents,
    sub_step,
)
from wiring_search.networks.kernels.gpu.memory import enter_again
from wiring_search.networks.kernels.gpu.pieces import ltc_history, ltc_way_back
from wiring_search.networks.kernels.gpu.sequence import (
    LANES,
    SIZES,
    add,
    rows_of,
    scratch_at,
    share_of,
    slices_of,
    slots_of,
    zeros,
)


@triton.jit
def _clear_totals(at, share, slices):
    row = share.neurons * LANES
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        for number in tl.static_range(3):
            total = scratch_at(at.totals + number * row, i, share.lanes)
            tl.store(total, zeros(), mask=real[:, None])
    tl.debug_barrier()


@triton.jit
def _wait(at, share, slices, start, passes):
    """Samples for which no time passes skip the time step: their ∂state waits, and 0 goes in.

    The state from which the time step starts is copied to the first sub-step's.
    """
    lanes = share.lanes
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        grad = tl.load(scratch_at(at.grad_state, i, lanes))
        grad = tl.where(passes, 0.0, grad)
        tl.store(scratch_at(at.waiting, i, lanes), grad, mask=real[:, None])
        v = tl.load(scratch_at(start, i, lanes))
        tl.store(scratch_at(at.states, i, lanes), v, mask=real[:, None])
    tl.debug_barrier()
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        grad = tl.load(scratch_at(at.grad_state, i, lanes))
        grad = tl.where(passes, grad, 0.0)
        tl.store(scratch_at(at.grad_state, i, lanes), grad, mask=real[:, None])


@triton.jit
def _run_again(at, share, numbers, slices, edges, h, CLOSED: tl.constexpr):
    """The sub-steps of a time step again, each one's state and sums kept."""
    row, lanes = share.neurons * LANES, share.lanes
    capacitances = numbers + 2 * share.neurons
    for k in range(share.steps):
        old = at.states + k * row
        for slice_ in range(slices.first, slices.end):
            i, real = rows_of(slices, slice_)
            here = real[:, None]
            v, driving, conductance = sub_step(
                slices, edges, capacitances, share.neurons, old, at.outer, slice_, h, lanes, CLOSED
            )
            tl.store(scratch_at(old + row, i, lanes), v, mask=here)
            tl.store(scratch_at(at.driving + k * row, i, lanes), driving, mask=here)
            tl.store(scratch_at(at.conductance + k * row, i, lanes), conductance, mask=here)
        tl.debug_barrier()


@triton.jit
def _walk_back(
    at,
    share,
    numbers,
    slices,
    outgoing,
    outgoing_edges,
    h,
    CLOSED: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """And back through them, along the synapses that leave each neuron.

    Sums become their ∂, and ∂state that of the state from which the time step started.

    Returns:
        (LANES,), ∂ of the time of a sub-step, where INPUTS.
    """
    row, lanes = share.neurons * LANES, share.lanes
    capacitances, total_c = numbers + 2 * share.neurons, at.totals + 2 * row
    grad_h = tl.zeros([LANES], tl.float32)
    for again in range(share.steps):
        k = share.steps - 1 - again
        old = at.states + k * row
        grad_n, grad_d = at.driving + k * row, at.conductance + k * row
        for slice_ in range(slices.first, slices.end):
            i, real = rows_of(slices, slice_)
            here = real[:, None]
            v = tl.load(scratch_at(old, i, lanes))
            new = tl.load(scratch_at(old + row, i, lanes))
            driving = tl.load(scratch_at(grad_n, i, lanes))
            conductance = tl.load(scratch_at(grad_d, i, lanes))
            cm = tl.load(capacitances + i)[:, None]
            delta = tl.load(scratch_at(at.grad_state, i, lanes))
            of_v, of_n, of_d, of_c, of_h = new_state_back(
                v, new, driving, conductance, cm, h, delta, CLOSED
            )
            tl.store(scratch_at(at.grad_state, i, lanes), of_v, mask=here)
            tl.store(scratch_at(grad_n, i, lanes), of_n, mask=here)
            tl.store(scratch_at(grad_d, i, lanes), of_d, mask=here)
            add(scratch_at(total_c, i, lanes), of_c, here)
            if INPUTS:
                grad_h += tl.sum(tl.where(here, of_h, 0.0), axis=0)
        tl.debug_barrier()
        for slice_ in range(outgoing.first, outgoing.end):
            j, real = rows_of(outgoing, slice_)
            v = tl.load(scratch_at(old, j, lanes))
            grad = leaving(outgoing_edges, slice_, v, grad_n, grad_d, lanes)
            add(scratch_at(at.grad_state, j, lanes), grad, real[:, None])
        tl.debug_barrier()
    return grad_h


@triton.jit
def _gather_inner(at, share, slices, edges, sums):
    """∂ of the synapses, over all sub-steps at once, and what the outer part has seen of them."""
    row, lanes = share.neurons * LANES, share.lanes
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        here = real[:, None]
        gather(
            edges, slice_, i, at.states, at.driving, at.conductance, row, share.steps, sums, lanes
        )
        sum_n, sum_d = zeros(), zeros()
        for k in range(share.steps):
            sum_n += tl.load(scratch_at(at.driving + k * row, i, lanes))
            sum_d += tl.load(scratch_at(at.conductance + k * row, i, lanes))
        tl.store(scratch_at(at.outer, i, lanes), sum_n, mask=here)
        tl.store(scratch_at(at.outer + row, i, lanes), sum_d, mask=here)
        add(scratch_at(at.totals, i, lanes), sum_n, here)
        add(scratch_at(at.totals + row, i, lanes), sum_d, here)
    tl.debug_barrier()


@triton.jit
def _gather_outer(at, share, slices, sensory_edges, left, leaving_edges, seen, sensory_sums):
    """∂ of the sensory synapses and of the sensory values. seen: rows of these values."""
    lanes, driving, conductance = share.lanes, at.outer, at.outer + share.neurons * LANES
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        gather(sensory_edges, slice_, i, seen, driving, conductance, 0, 1, sensory_sums, lanes)
    for slice_ in range(left.first, left.end):
        j, real = rows_of(left, slice_)
        value = tl.load(scratch_at(seen, j, lanes))
        grad = leaving(leaving_edges, slice_, value, driving, conductance, lanes)
        tl.store(scratch_at(at.grad_seen, j, lanes), grad, mask=real[:, None])
    tl.debug_barrier()


@triton.jit
def _numbers_back(at, share, slices, numbers, grad_numbers):
    """∂ of the neurons' parameters, from the sums over all time steps."""
    neurons, row, lanes = share.neurons, share.neurons * LANES, share.lanes
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        grad_n = tl.sum(tl.load(scratch_at(at.totals, i, lanes)), axis=1)
        grad_d = tl.sum(tl.load(scratch_at(at.totals + row, i, lanes)), axis=1)
        grad_c = tl.sum(tl.load(scratch_at(at.totals + 2 * row, i, lanes)), axis=1)
        gleak, vleak = tl.load(numbers + i), tl.load(numbers + neurons + i)
        tl.store(grad_numbers + i, vleak * grad_n + grad_d, mask=real)
        tl.store(grad_numbers + neurons + i, gleak * grad_n, mask=real)
        tl.store(grad_numbers + 2 * neurons + i, grad_c, mask=real)


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
    params,
    x,
    elapsed,
    history,
    grad_y,
    grad_state,
    grad_params,
    sums,
    sensory_sums,
    grad_x,
    grad_elapsed,
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
    NUMBERS: tl.constexpr,
):
    """The gradients of a pack, one program for each candidate and tile of samples.

    Args:
        table … elapsed: as of `forward`; outgoing_rows … leaving_edges: of `gpu.layout.GpuLayout`.
        history: what `forward` worked in.
        grad_y: (candidates, shown, outputs, batch) float32.
        grad_state: (states of all, batch) float32; ∂ of the final state on the way in, of the
            initial one on the way out.
        grad_params: (tiles, parameters) float32, holds 0: filled for neurons and maps.
        sums, sensory_sums: (tiles, NUMBERS, slots) float32, hold 0: what `gather` adds up.
        grad_x: (candidates, T, features, batch) float32, holds 0; filled where INPUTS.
        grad_elapsed: (candidates, T, batch) float32, written where INPUTS.
        work: rows of LANES float32, `gpu.pieces.ltc_backward` for each program.
        parameters: of the whole pack.
        NUMBERS: of a synapse.
    """
    share = share_of(table, batch, tiles, time_steps, features, shown, outputs)
    slices = slices_of(share.record, "at_slice", rows)
    outgoing = slices_of(share.record, "at_outgoing", outgoing_rows)
    left = slices_of(share.record, "at_leaving", leaving_rows)
    numbers = params + share.at_params
    tile = share.tile.to(tl.int64)
    grad_params += tile * parameters
    sums += tile * NUMBERS * slots_of(edges)
    sensory_sums += tile * NUMBERS * slots_of(sensory_edges)

    of_state, lanes = (share.neurons + share.cells) * LANES, share.lanes
    states = ltc_history(share, history).states
    at = ltc_way_back(share, work)
    grad_v = at.grad_state

    begin(grad_state, share, grad_v)
    _clear_totals(at, share, slices)
    for back in range(time_steps):
        t = time_steps - 1 - back
        dt = elapsed_at(elapsed, t, share)
        passes = (dt > 0)[None, :]
        h = tl.where(passes, dt[None, :], 1.0) / share.steps
        x_now, before = inputs_at(x, t, share), states + t * of_state
        show_back(params, grad_params, share, t, before + of_state, grad_y, grad_v, LINEAR)
        start, seen = enter_again(
            params, share, x_now, before, at.remembered, at.seen, passes, MEMORY
        )
        _wait(at, share, slices, start, passes)
        outer_currents(numbers, share.neurons, slices, sensory_edges, seen, at.outer, lanes)
        tl.debug_barrier()
        _run_again(at, share, numbers, slices, edges, h, CLOSED)
        grad_h = _walk_back(at, share, numbers, slices, outgoing, outgoing_edges, h, CLOSED, INPUTS)
        _gather_inner(at, share, slices, edges, sums)
        _gather_outer(at, share, slices, sensory_edges, left, leaving_edges, seen, sensory_sums)
        leave_step(
            params,
            grad_params,
            share,
            t,
            x_now,
            before,
            grad_v,
            at.grad_seen,
            at.remembered,
            dt,
            grad_h / share.steps,
            grad_x,
            grad_elapsed,
            MEMORY,
            INPUTS,
        )
        for slice_ in range(slices.first, slices.end):
            i, real = rows_of(slices, slice_)
            grad = tl.load(scratch_at(at.waiting, i, lanes))
            add(scratch_at(grad_v, i, lanes), grad, real[:, None])
        tl.debug_barrier()
    end(grad_v, grad_state, share)
    _numbers_back(at, share, slices, numbers, grad_params + share.at_params)
