"""Backward through the CfC in Triton: one program for each candidate and tile; see `gpu.cfc`."""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.cfc import NO_GATE, PURE, heads_of
from wiring_search.networks.kernels.gpu.frame import (
    begin,
    elapsed_at,
    end,
    inputs_at,
    leave_step,
    show_back,
)
from wiring_search.networks.kernels.gpu.memory import (
    AS_INPUT,
    NO_MEMORY,
    enter_again,
)
from wiring_search.networks.kernels.gpu.pieces import cfc_history, cfc_way_back
from wiring_search.networks.kernels.gpu.sequence import (
    LANES,
    MINUS_LOG2_E,
    ROWS,
    SIZES,
    add,
    copy_rows,
    layer_of,
    logistic,
    rows_of,
    scratch_at,
    share_of,
    slices_of,
    slots_of,
    tanh,
    zeros,
)


@triton.jit
def _new_state_back(heads, numbers, neurons, i, h, delta, VARIANT: tl.constexpr):
    """∂ of the four heads, or ∂ff1, ∂w_τ, ∂A and nothing; and ∂h."""
    first, second, slope, level = heads
    if VARIANT == PURE:
        tau = tl.load(numbers + neurons + i)[:, None]
        amplitude = tl.load(numbers + 2 * neurons + i)[:, None]
        rate = tl.abs(first) + tl.abs(tau)
        decay = tl.exp2(h * rate * MINUS_LOG2_E)
        through = delta * amplitude * decay
        sign = tl.where(tau > 0, 1.0, tl.where(tau < 0, -1.0, 0.0))
        of_first = -through * (1.0 - h * tl.abs(first))
        of_tau, of_amplitude = through * first * h * sign, delta * (1.0 - decay * first)
        return of_first, of_tau, of_amplitude, level, through * first * rate
    else:
        first, second, s = tanh(first), tanh(second), logistic(slope * h + level)
        grad_first = delta if VARIANT == NO_GATE else delta * (1.0 - s)
        grad_gate = delta * (second if VARIANT == NO_GATE else second - first) * s * (1.0 - s)
        grad_second = delta * s * (1.0 - second * second)
        grad_first = grad_first * (1.0 - first * first)
        return grad_first, grad_second, grad_gate * h, grad_gate, grad_gate * slope


@triton.jit
def _through(edges, slice_, grads, neurons, lanes, VARIANT: tl.constexpr):
    """What the connections that leave a slice carry back to its rows: Σ w ∂.

    The sum is over the heads that they reach; grads: rows of their ∂.
    """
    start, width, other, weights, slots = edges
    edge = tl.load(start + slice_) + tl.arange(0, ROWS)
    grad = zeros()
    for _ in range(tl.load(width + slice_)):
        i, at = tl.load(other + edge), weights + edge
        grad += tl.load(scratch_at(grads, i, lanes)) * tl.load(at)[:, None]
        if VARIANT != PURE:
            for head in tl.static_range(1, 4):
                of_head = tl.load(scratch_at(grads, head * neurons + i, lanes))
                grad += of_head * tl.load(at + head * slots)[:, None]
        edge += ROWS
    return grad


@triton.jit
def _grads_of(grads, neurons, i, there, lanes, VARIANT: tl.constexpr):
    """∂ of the rows i in one time step; 0 where there is no such time step."""
    first = tl.where(there, tl.load(scratch_at(grads, i, lanes)), 0.0)
    second = tl.where(there, tl.load(scratch_at(grads, neurons + i, lanes)), 0.0)
    third = tl.where(there, tl.load(scratch_at(grads, 2 * neurons + i, lanes)), 0.0)
    if VARIANT == PURE:
        return first, second, third, zeros()
    else:
        fourth = tl.load(scratch_at(grads, 3 * neurons + i, lanes))
        return first, second, third, tl.where(there, fourth, 0.0)


@triton.jit
def _gather_own(grad_numbers, neurons, i, real, early, late, VARIANT: tl.constexpr):
    """The sums of ∂ over two time steps are added to the gradients of the neurons' numbers."""
    for number in tl.static_range(3 if VARIANT == PURE else 4):
        add(grad_numbers + number * neurons + i, tl.sum(early[number] + late[number], axis=1), real)


@triton.jit
def _gather(edges, slice_, values, apart, early, late, sums, lanes, VARIANT: tl.constexpr):
    """What the connections onto a slice gather in two time steps: Σ ∂·value for each head.

    Args:
        values, apart: rows that they read, and how far apart those of the time steps lie.
        early, late: ∂ of the heads of the slice's rows in the two.
        sums: (heads, slots), added to.
    """
    start, width, other, weights, slots = edges
    edge = tl.load(start + slice_) + tl.arange(0, ROWS)
    for _ in range(tl.load(width + slice_)):
        j = tl.load(other + edge)
        one = tl.load(scratch_at(values, j, lanes))
        two = tl.load(scratch_at(values + apart, j, lanes))
        for head in tl.static_range(1 if VARIANT == PURE else 4):
            of_weight = tl.sum(early[head] * one + late[head] * two, axis=1)
            add(sums + head * slots + edge, of_weight, edge >= 0)
        edge += ROWS


@triton.jit
def _sweep_back(
    at,
    share,
    rows,
    numbers,
    edges,
    sensory_edges,
    onward_edges,
    grads,
    old,
    values,
    passes,
    h,
    VARIANT: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """∂ of the heads of a time step, from the layer swept last to the first one.

    So ∂ of a new state is whole when its neuron is met.

    Args:
        rows: of `gpu.layout.GpuLayout`.
        grads: rows to fill.
        old: rows of the old states, then of the new.
        values: rows of the sensory values.

    Returns:
        (LANES,), ∂ of the elapsed time, where INPUTS.
    """
    neurons, lanes = share.neurons, share.lanes
    grad_h = tl.zeros([LANES], tl.float32)
    for turn in range(3):
        layer = layer_of(share.record, turn, rows)
        for slice_ in range(layer.first, layer.end):
            i, real = rows_of(layer, slice_)
            here = real[:, None]
            delta = tl.where(passes, tl.load(scratch_at(at.grad_state, i, lanes)), 0.0)
            delta += _through(onward_edges, slice_, grads, neurons, lanes, VARIANT)
            heads = heads_of(
                numbers, neurons, i, edges, sensory_edges, slice_, old, values, lanes, VARIANT
            )
            first, second, slope, level, of_h = _new_state_back(
                heads, numbers, neurons, i, h, delta, VARIANT
            )
            tl.store(scratch_at(grads, i, lanes), first, mask=here)
            tl.store(scratch_at(grads, neurons + i, lanes), second, mask=here)
            tl.store(scratch_at(grads, 2 * neurons + i, lanes), slope, mask=here)
            if VARIANT != PURE:
                tl.store(scratch_at(grads, 3 * neurons + i, lanes), level, mask=here)
            if INPUTS:
                grad_h += tl.sum(tl.where(here, of_h, 0.0), axis=0)
        tl.debug_barrier()
    return grad_h


@triton.jit
def _read_back(
    at,
    share,
    outgoing,
    outgoing_edges,
    left,
    leaving_edges,
    grads,
    passes,
    VARIANT: tl.constexpr,
):
    """∂ of what the heads read: the old states and the sensory values.

    That of a state in a sample for which no time passes stays as it is.
    """
    neurons, lanes = share.neurons, share.lanes
    for slice_ in range(outgoing.first, outgoing.end):
        j, real = rows_of(outgoing, slice_)
        grad = tl.where(passes, 0.0, tl.load(scratch_at(at.grad_state, j, lanes)))
        grad += _through(outgoing_edges, slice_, grads, neurons, lanes, VARIANT)
        tl.store(scratch_at(at.grad_state, j, lanes), grad, mask=real[:, None])
    for slice_ in range(left.first, left.end):
        k, real = rows_of(left, slice_)
        grad = _through(leaving_edges, slice_, grads, neurons, lanes, VARIANT)
        tl.store(scratch_at(at.grad_seen, k, lanes), grad, mask=real[:, None])
    tl.debug_barrier()


@triton.jit
def _gather_two(
    at,
    share,
    slices,
    edges,
    sensory_edges,
    old,
    old_apart,
    both,
    sums,
    sensory_sums,
    grad_numbers,
    VARIANT: tl.constexpr,
):
    """∂ of the weights and of the neurons' numbers, for two time steps at once.

    Args:
        old, old_apart: rows that the connections read, and how far behind those of the later one.
        both: whether there is a later one.
        sums, sensory_sums: (heads, slots), added to.
        grad_numbers: pointer to ∂ of the neurons' numbers, added to.
    """
    neurons, lanes = share.neurons, share.lanes
    old_apart = tl.where(both, old_apart, 0)
    seen_apart = tl.where(both, share.sensory * LANES, 0)
    later = at.grads + 4 * neurons * LANES
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        early = _grads_of(at.grads, neurons, i, True, lanes, VARIANT)
        late = _grads_of(later, neurons, i, both, lanes, VARIANT)
        _gather_own(grad_numbers, neurons, i, real, early, late, VARIANT)
        _gather(edges, slice_, old, old_apart, early, late, sums, lanes, VARIANT)
        _gather(
            sensory_edges, slice_, at.seen, seen_apart, early, late, sensory_sums, lanes, VARIANT
        )


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
    VARIANT: tl.constexpr,
    MEMORY: tl.constexpr,
    INPUTS: tl.constexpr,
    NUMBERS: tl.constexpr,
):
    """The gradients of a pack, one program for each candidate and tile of samples.

    Args:
        table … elapsed: as of `forward`; outgoing_rows … onward_edges: of `gpu.layout.GpuLayout`.
        history: what `forward` worked in.
        grad_y: (candidates, shown, outputs, batch) float32.
        grad_state: (states of all, batch) float32; ∂ of the final state on the way in, of the
            initial one on the way out.
        grad_params: (tiles, parameters) float32, holds 0: filled for neurons and maps.
        sums, sensory_sums: (tiles, NUMBERS, slots) float32, hold 0: ∂ of weights.
        grad_x: (candidates, T, features, batch) float32, holds 0; filled where INPUTS.
        grad_elapsed: (candidates, T, batch) float32, written where INPUTS.
        work: rows of LANES float32, `gpu.pieces.cfc_backward` for each program.
        parameters: of the whole pack.
        NUMBERS: weights of a connection, one for each head.
    """
    share = share_of(table, batch, tiles, time_steps, features, shown, outputs)
    neurons, sensory, lanes = share.neurons, share.sensory, share.lanes
    slices = slices_of(share.record, "at_slice", rows)
    outgoing = slices_of(share.record, "at_outgoing", outgoing_rows)
    left = slices_of(share.record, "at_leaving", leaving_rows)
    numbers = params + share.at_params
    tile = share.tile.to(tl.int64)
    grad_params += tile * parameters
    sums += tile * NUMBERS * slots_of(edges)
    sensory_sums += tile * NUMBERS * slots_of(sensory_edges)

    row, of_state = neurons * LANES, (neurons + share.cells) * LANES
    states = cfc_history(share, history).states
    at = cfc_way_back(share, work)
    grad_v = at.grad_state

    begin(grad_state, share, grad_v)
    for back in range(time_steps):
        t = time_steps - 1 - back
        dt = elapsed_at(elapsed, t, share)
        passes = (dt > 0)[None, :]
        h = tl.where(passes, dt[None, :], 1.0)
        x_now, before = inputs_at(x, t, share), states + t * of_state
        grads, values = at.grads + 4 * (t % 2) * row, at.seen + (t % 2) * sensory * LANES
        show_back(params, grad_params, share, t, before + of_state, grad_y, grad_v, LINEAR)
        old, seen = enter_again(params, share, x_now, before, at.remembered, values, passes, MEMORY)
        old_apart = row
        if MEMORY != NO_MEMORY:
            pair, old_apart = at.pairs + 2 * (t % 2) * row, 2 * row
            copy_rows(old, pair, neurons, lanes)
            copy_rows(before + of_state, pair + row, neurons, lanes)
            old = pair
        if MEMORY == AS_INPUT:  # they are wanted again with those of the time step before
            copy_rows(seen, values, sensory, lanes)
        tl.debug_barrier()
        grad_h = _sweep_back(
            at,
            share,
            rows,
            numbers,
            edges,
            sensory_edges,
            onward_edges,
            grads,
            old,
            values,
            passes,
            h,
            VARIANT,
            INPUTS,
        )
        _read_back(at, share, outgoing, outgoing_edges, left, leaving_edges, grads, passes, VARIANT)
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
            grad_h,
            grad_x,
            grad_elapsed,
            MEMORY,
            INPUTS,
        )
        if t % 2 == 0:
            _gather_two(
                at,
                share,
                slices,
                edges,
                sensory_edges,
                old,
                old_apart,
                t + 1 < time_steps,
                sums,
                sensory_sums,
                grad_params + share.at_params,
                VARIANT,
            )
        tl.debug_barrier()
    end(grad_v, grad_state, share)
