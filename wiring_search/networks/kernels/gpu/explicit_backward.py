"""Backward by Euler, Heun and RK4 in Triton: one program for each tile; see `gpu.explicit`."""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.explicit import evaluate, of_stage
from wiring_search.networks.kernels.gpu.field import (
    at_leak,
    gather,
    inner_sums,
    leaving,
    load_sums,
    numbers_back,
    outer_sums,
    slope_back,
    slope_of,
    store_sums,
    sums_of,
)
from wiring_search.networks.kernels.gpu.frame import (
    begin,
    elapsed_at,
    end,
    inputs_at,
    leave_step,
    show_back,
)
from wiring_search.networks.kernels.gpu.memory import enter_again
from wiring_search.networks.kernels.gpu.pieces import explicit_history, explicit_way_back
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
def _clear_totals(at, share, slices, FORM: tl.constexpr):
    row, lanes = share.neurons * LANES, share.lanes
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        here = real[:, None]
        store_sums(at.totals, row, i, zeros(), zeros(), here, lanes, FORM)
        tl.store(scratch_at(at.total_leak, i, lanes), zeros(), mask=here)
    tl.debug_barrier()


@triton.jit
def _walk_back(
    at,
    cell,
    outgoing,
    outgoing_edges,
    evaluations,
    row,
    h,
    FORM: tl.constexpr,
    AHEAD: tl.constexpr,
    WEIGHTS: tl.constexpr,
    CARRY: tl.constexpr,
    ADJOINT: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """Back through the evaluations of a time step, along the synapses that leave each neuron.

    Sums become their ∂, and ∂state that of the state from which the time step started.

    Returns:
        (LANES,), ∂ of the time of a sub-step, where INPUTS.
    """
    block, neurons, slices, edges, outer, lanes = cell
    stages: tl.constexpr = len(WEIGHTS)
    leaks, apart = block + at_leak(neurons, FORM), evaluations * row
    # Where the evaluations stand on the way back; see above.
    back_z = at.z + row if ADJOINT else at.z
    grad_h = tl.zeros([LANES], tl.float32)
    for walked in range(evaluations):
        q = evaluations - 1 - walked
        stage = walked % stages if ADJOINT else q % stages
        weight, carry = of_stage(WEIGHTS, stage), of_stage(CARRY, stage)
        z, sums_now = back_z + q * row, at.sums + q * row
        begins = walked % stages == 0
        for slice_ in range(slices.first, slices.end):
            i, real = rows_of(slices, slice_)
            here = real[:, None]
            if ADJOINT:
                first, second = inner_sums(edges, slice_, i, neurons, z, outer, lanes, FORM)
            else:
                first, second = load_sums(sums_now, apart, i, lanes, FORM)
            v, leak = tl.load(scratch_at(z, i, lanes)), tl.load(leaks + i)[:, None]
            slope = slope_of(first, second, v, leak, FORM)
            delta = tl.load(scratch_at(tl.where(begins, at.grad_state, at.delta), i, lanes))
            of_slope = weight * delta
            if stages > 1:
                tl.store(scratch_at(at.delta, i, lanes), delta, mask=here)
                carried = carry * tl.load(scratch_at(at.grad_z, i, lanes))
                of_slope += tl.where(begins, 0.0, carried)
            of_first, of_second, of_z, of_leak = slope_back(
                first, second, v, leak, slope, h * of_slope, FORM
            )
            store_sums(sums_now, apart, i, of_first, of_second, here, lanes, FORM)
            tl.store(scratch_at(at.grad_z, i, lanes), of_z, mask=here)
            add(scratch_at(at.total_leak, i, lanes), of_leak, here)
            if INPUTS:
                grad_h += tl.sum(tl.where(here, slope * of_slope, 0.0), axis=0)
            if ADJOINT and stages > 1:
                # On to the next one, from the end of the sub-step, `stage` rows ahead.
                if stage < stages - 1:
                    ended = tl.load(scratch_at(z + stage * row, i, lanes))
                    earlier = ended - h * of_stage(AHEAD, stage) * slope
                    tl.store(scratch_at(z - row, i, lanes), earlier, mask=here)
        tl.debug_barrier()
        for slice_ in range(outgoing.first, outgoing.end):
            j, real = rows_of(outgoing, slice_)
            grad = leaving(outgoing_edges, slice_, j, z, sums_now, apart, lanes, FORM)
            grad += tl.load(scratch_at(at.grad_z, j, lanes))
            tl.store(scratch_at(at.grad_z, j, lanes), grad, mask=real[:, None])
            add(scratch_at(at.grad_state, j, lanes), grad, real[:, None])
        tl.debug_barrier()
    return grad_h


@triton.jit
def _gather_inner(at, cell, evaluations, row, sums, FORM: tl.constexpr, ADJOINT: tl.constexpr):
    """∂ of the synapses, over all evaluations at once, and what the outer part has seen of them."""
    _, _, slices, edges, outer, lanes = cell
    apart = evaluations * row
    back_z = at.z + row if ADJOINT else at.z
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        here = real[:, None]
        gather(edges, slice_, i, back_z, at.sums, apart, row, evaluations, sums, lanes, FORM)
        of_first, of_second = zeros(), zeros()
        for q in range(evaluations):
            first, second = load_sums(at.sums + q * row, apart, i, lanes, FORM)
            of_first += first
            of_second += second
        store_sums(outer, row, i, of_first, of_second, here, lanes, FORM)
        first, second = load_sums(at.totals, row, i, lanes, FORM)
        first, second = first + of_first, second + of_second
        store_sums(at.totals, row, i, first, second, here, lanes, FORM)
    tl.debug_barrier()


@triton.jit
def _gather_outer(
    at,
    cell,
    row,
    sensory_edges,
    left,
    leaving_edges,
    seen,
    sensory_sums,
    FORM: tl.constexpr,
):
    """∂ of the sensory synapses and of the sensory values. seen: rows of these values."""
    _, _, slices, _, outer, lanes = cell
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        gather(sensory_edges, slice_, i, seen, outer, row, 0, 1, sensory_sums, lanes, FORM)
    for slice_ in range(left.first, left.end):
        j, real = rows_of(left, slice_)
        grad = leaving(leaving_edges, slice_, j, seen, outer, row, lanes, FORM)
        tl.store(scratch_at(at.grad_seen, j, lanes), grad, mask=real[:, None])
    tl.debug_barrier()


@triton.jit
def _numbers_back(at, share, slices, block, grad_block, FORM: tl.constexpr):
    """∂ of the neurons' parameters, from the sums over all time steps."""
    neurons, lanes = share.neurons, share.lanes
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        first, second = load_sums(at.totals, neurons * LANES, i, lanes, FORM)
        of_first, of_second = tl.sum(first, axis=1), tl.sum(second, axis=1)
        of_leak = tl.sum(tl.load(scratch_at(at.total_leak, i, lanes)), axis=1)
        numbers_back(block, grad_block, i, real, neurons, of_first, of_second, of_leak, FORM)


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
    FORM: tl.constexpr,
    AHEAD: tl.constexpr,
    WEIGHTS: tl.constexpr,
    CARRY: tl.constexpr,
    ADJOINT: tl.constexpr,
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
        work: rows of LANES float32, `gpu.pieces.explicit_backward` for each program.
        parameters: of the whole pack.
        CARRY: of the solver and the gradient, see `constants`.
        ADJOINT: whether gradients go back by the adjoint.
        NUMBERS: of a synapse.
    """
    share = share_of(table, batch, tiles, time_steps, features, shown, outputs)
    neurons, steps, lanes = share.neurons, share.steps, share.lanes
    slices = slices_of(share.record, "at_slice", rows)
    outgoing = slices_of(share.record, "at_outgoing", outgoing_rows)
    left = slices_of(share.record, "at_leaving", leaving_rows)
    stages: tl.constexpr = len(WEIGHTS)
    evaluations = steps * stages
    block = params + share.at_params
    tile = share.tile.to(tl.int64)
    grad_params += tile * parameters
    sums += tile * NUMBERS * slots_of(edges)
    sensory_sums += tile * NUMBERS * slots_of(sensory_edges)

    row, of_state = neurons * LANES, (neurons + share.cells) * LANES
    states = explicit_history(share, history, sums_of(FORM)).states
    at = explicit_way_back(share, work, evaluations, sums_of(FORM))
    grad_v = at.grad_state
    cell = block, neurons, slices, edges, at.outer, lanes

    begin(grad_state, share, grad_v)
    _clear_totals(at, share, slices, FORM)
    for back in range(time_steps):
        t = time_steps - 1 - back
        dt = elapsed_at(elapsed, t, share)
        h, passes = dt[None, :] / steps, (dt > 0)[None, :]
        x_now, before = inputs_at(x, t, share), states + t * of_state
        show_back(params, grad_params, share, t, before + of_state, grad_y, grad_v, LINEAR)
        start, seen = enter_again(
            params, share, x_now, before, at.remembered, at.seen, passes, MEMORY
        )
        for slice_ in range(slices.first, slices.end):
            i, real = rows_of(slices, slice_)
            v = tl.load(scratch_at(start, i, lanes))
            tl.store(scratch_at(at.z, i, lanes), v, mask=real[:, None])
        tl.debug_barrier()
        outer_sums(block, neurons, slices, sensory_edges, seen, at.outer, lanes, FORM)
        tl.debug_barrier()
        # The evaluations again, each one's state and sums kept; the rows of δ and ∂z are free until
        # they are walked back.
        for q in range(evaluations):
            z = at.z + q * row
            evaluate(
                cell,
                q % stages,
                z,
                z + row,
                at.delta,
                at.grad_z,
                at.sums + q * row,
                evaluations * row,
                h,
                FORM,
                AHEAD,
                WEIGHTS,
            )
            tl.debug_barrier()
        grad_h = _walk_back(
            at,
            cell,
            outgoing,
            outgoing_edges,
            evaluations,
            row,
            h,
            FORM,
            AHEAD,
            WEIGHTS,
            CARRY,
            ADJOINT,
            INPUTS,
        )
        _gather_inner(at, cell, evaluations, row, sums, FORM, ADJOINT)
        _gather_outer(at, cell, row, sensory_edges, left, leaving_edges, seen, sensory_sums, FORM)
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
            grad_h / steps,
            grad_x,
            grad_elapsed,
            MEMORY,
            INPUTS,
        )
        tl.debug_barrier()
    end(grad_v, grad_state, share)
    _numbers_back(at, share, slices, block, grad_params + share.at_params, FORM)
