"""LTC in Triton: a candidate through a whole sequence on one tile of samples, in one program.

The lanes of a program are LANES samples, its rows the ROWS neurons of a slice (`gpu.layout`): a
step along a slice is one synapse of each of them, ROWS × LANES sigmoids. Programs are as
independent as candidates are; each runs all time steps and sub-steps by itself. It works in a
separate piece of memory, a few rows of lanes per neuron, which no other program reads and the
nearest caches hold; sums stay in registers. Nothing is added atomically: the terms of a sum come in
an order that the candidate alone decides.

The arithmetic is that of `cpu.ltc`, where the derivatives stand. That kernel keeps sigmoids for the
backward pass; here they are computed again, because the caches that would hold them are slower than
that. So a synapse update of a training step costs four sigmoids: forward, run again, along the
outgoing synapses, along the incoming ones.

What a program works in is laid out by `gpu.pieces`.

A list of edges is (start, width, other, constants, slots) in these functions: see
`gpu.layout.Edges` and `gpu`; constants are rows of `slots` numbers.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.frame import (
    begin,
    elapsed_at,
    end,
    held,
    inputs_at,
    show,
)
from wiring_search.networks.kernels.gpu.memory import enter
from wiring_search.networks.kernels.gpu.pieces import ltc_history
from wiring_search.networks.kernels.gpu.sequence import (
    LANES,
    ROWS,
    SIZES,
    add,
    exp_expm1,
    logistic2,
    rows_of,
    scratch_at,
    share_of,
    slices_of,
    zeros,
)
from wiring_search.networks.neurons.ltc import EPSILON as _EPSILON

EPSILON = tl.constexpr(_EPSILON)


@triton.jit
def _sigmoid(values, slope, offset):
    return logistic2(values * slope[:, None] + offset[:, None])


@triton.jit
def currents(edges, slice_, values, driving, conductance, lanes):
    """Adds what the synapses onto the rows of a slice bring.

    The constants of the edges: slope, offset, w, w·E, …

    Args:
        values: rows of the states, or of the sensory values, that they read.
        driving, conductance: (ROWS, LANES), what is added to.
    """
    start, width, other, constants, slots = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        at = constants + edge
        value = tl.load(scratch_at(values, tl.load(other + edge), lanes))
        s = _sigmoid(value, tl.load(at), tl.load(at + slots))
        conductance += s * tl.load(at + 2 * slots)[:, None]
        driving += s * tl.load(at + 3 * slots)[:, None]
    return driving, conductance


@triton.jit
def outer_currents(numbers, neurons, slices, sensory_edges, values, outer, lanes):
    """Leak and sensory synapses: what stays during the sub-steps of a time step.

    Args:
        numbers: pointer to the neurons' parameters: leak, reversal potential, capacitance.
        values: rows of the sensory values.
        outer: N rows of driving, N of conductance, written.
    """
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        gleak = tl.load(numbers + i)
        driving = zeros() + (gleak * tl.load(numbers + neurons + i))[:, None]
        conductance = zeros() + (gleak + EPSILON)[:, None]
        driving, conductance = currents(sensory_edges, slice_, values, driving, conductance, lanes)
        tl.store(scratch_at(outer, i, lanes), driving, mask=real[:, None])
        tl.store(scratch_at(outer, neurons + i, lanes), conductance, mask=real[:, None])


@triton.jit
def _new_state(v, driving, conductance, cm, h, CLOSED: tl.constexpr):
    if CLOSED:
        decay, minus_approach = exp_expm1(-h * conductance / cm)
        return v * decay - driving / conductance * minus_approach
    else:
        return (cm * v + h * driving) / (cm + h * conductance)


@triton.jit
def new_state_back(v, new, driving, conductance, cm, h, delta, CLOSED: tl.constexpr):
    """∂v, ∂driving, ∂conductance, ∂C, ∂h, all (ROWS, LANES)."""
    if CLOSED:
        resting, rate = driving / conductance, conductance / cm
        r = h * rate
        decay, minus_approach = exp_expm1(-r)
        of_v = delta * decay
        of_r = of_v * (resting - v)
        of_driving = -delta * minus_approach / conductance
        of_conductance = -delta * (h / cm) * (v * decay + resting * _excess(r, decay))
        return of_v, of_driving, of_conductance, -of_r * r / cm, of_r * rate
    else:
        inverse = 1.0 / (cm + h * conductance)
        of_a = delta * inverse
        of_driving = h * of_a
        gamma = of_a * inverse * (driving - conductance * v)
        return of_a * cm, of_driving, -of_driving * new, -h * gamma, gamma * cm


@triton.jit
def _excess(r, decay):
    """(1 − e)/r − e, with e = exp(−r); see `cpu.ltc`."""
    small = r * -0.0007679767441004515 + 0.006494380068033934
    small = r * small - 0.03310134634375572
    small = r * small + 0.12494444102048874
    small = r * small - 0.33332833647727966
    small = r * (r * small + 0.49999991059303284)
    return tl.where(r > 1.0, (1.0 - decay) / r - decay, small)


@triton.jit
def sub_step(
    slices, edges, capacitances, neurons, old, outer, slice_, h, lanes, CLOSED: tl.constexpr
):
    """The new state of a slice's rows, and what led there: driving and conductance.

    Args:
        old: rows of the state that the synapses read.
        outer: as `outer_currents` leaves them.
        h: (1, LANES), time of the sub-step.
    """
    i, _ = rows_of(slices, slice_)
    driving = tl.load(scratch_at(outer, i, lanes))
    conductance = tl.load(scratch_at(outer, neurons + i, lanes))
    driving, conductance = currents(edges, slice_, old, driving, conductance, lanes)
    v = tl.load(scratch_at(old, i, lanes))
    cm = tl.load(capacitances + i)[:, None]
    return _new_state(v, driving, conductance, cm, h, CLOSED), driving, conductance


@triton.jit
def leaving(edges, slice_, values, driving, conductance, lanes):
    """What the synapses that leave a slice carry back to its rows: Σ w σ s (1 − s)(E ∂N + ∂D).

    The constants of the edges: slope, offset, w·σ, w·σ·E.

    Args:
        values: (ROWS, LANES), of the rows themselves.
        driving, conductance: rows of ∂N and ∂D of those that the synapses reach.
    """
    start, width, other, constants, slots = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    grad = zeros()
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        at = constants + edge
        i = tl.load(other + edge)
        s = _sigmoid(values, tl.load(at), tl.load(at + slots))
        a = tl.load(scratch_at(conductance, i, lanes)) * tl.load(at + 2 * slots)[:, None]
        a += tl.load(scratch_at(driving, i, lanes)) * tl.load(at + 3 * slots)[:, None]
        grad += a * s * (1.0 - s)
    return grad


@triton.jit
def gather(edges, slice_, i, values, driving, conductance, row, repeats, sums, lanes):
    """What the synapses onto a slice gather: Σ a·s, Σ q, Σ q·v, Σ s·∂N are added to `sums`.

    The constants of the edges: slope, offset, w, w·E, E.

    Args:
        i: (ROWS,) the rows of the slice.
        values, driving, conductance: rows of states, ∂N and ∂D, the first of `repeats` that lie
            `row` numbers apart.
        sums: (4, slots).
    """
    start, width, other, constants, slots = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        at = constants + edge
        slope, offset = tl.load(at), tl.load(at + slots)
        erev = tl.load(at + 4 * slots)[:, None]
        j = tl.load(other + edge)
        sum_as, sum_q, sum_qv, sum_sn = zeros(), zeros(), zeros(), zeros()
        for r in range(repeats):
            v = tl.load(scratch_at(values + r * row, j, lanes))
            s = _sigmoid(v, slope, offset)
            grad_n = tl.load(scratch_at(driving + r * row, i, lanes))
            a_s = (grad_n * erev + tl.load(scratch_at(conductance + r * row, i, lanes))) * s
            q = a_s * (1.0 - s)
            sum_as += a_s
            sum_q += q
            sum_qv += q * v
            sum_sn += s * grad_n
        everywhere = edge >= 0
        add(sums + edge, tl.sum(sum_as, axis=1), everywhere)
        add(sums + slots + edge, tl.sum(sum_q, axis=1), everywhere)
        add(sums + 2 * slots + edge, tl.sum(sum_qv, axis=1), everywhere)
        add(sums + 3 * slots + edge, tl.sum(sum_sn, axis=1), everywhere)


@triton.jit(do_not_specialize=SIZES)
def forward(
    table,
    rows,
    edges,
    sensory_edges,
    params,
    x,
    elapsed,
    state,
    y,
    final,
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
):
    """A pack through a whole sequence, one program for each candidate and tile of samples.

    Args:
        table, rows: of `gpu.layout.GpuLayout`.
        edges, sensory_edges: lists of edges, by the neuron that they reach.
        params: (parameters,) float32.
        x: (T, features, batch) float32.
        elapsed: (T, batch) float32, in units of the time constants; 0 holds a state.
        state, final: (states of all, batch) float32; final is written.
        y: (candidates, shown, outputs, batch) float32, written.
        work: rows of LANES float32, `gpu.pieces.ltc_forward` for each program; holds all states
            afterwards.
        LINEAR: whether the readout is linear, not affine.
        CLOSED: the closed-form solver, not the semi-implicit one.
        MEMORY: an index of `kinds.MEMORIES`.
    """
    share = share_of(table, batch, tiles, time_steps, features, shown, outputs)
    neurons, cells, steps, lanes = share.neurons, share.cells, share.steps, share.lanes
    slices = slices_of(share.record, "at_slice", rows)
    numbers = params + share.at_params
    capacitances = numbers + 2 * neurons

    row, of_state = neurons * LANES, (neurons + cells) * LANES
    at = ltc_history(share, work)

    begin(state, share, at.states)
    for t in range(time_steps):
        dt = elapsed_at(elapsed, t, share)
        passes = (dt > 0)[None, :]
        h = tl.where(passes, dt[None, :], 1.0) / steps
        before, after = at.states + t * of_state, at.states + (t + 1) * of_state
        x_now = inputs_at(x, t, share)
        start, seen = enter(
            params, share, x_now, before, after + row, at.remembered, at.seen, passes, MEMORY
        )
        outer_currents(numbers, neurons, slices, sensory_edges, seen, at.outer, lanes)
        tl.debug_barrier()
        for k in range(steps):
            # Sub-step k reads the state before the time step or one of the two that take turns, and
            # writes the other one.
            old = tl.where(k == 0, start, at.turns + (k % 2) * row)
            new = tl.where(k == steps - 1, after, at.turns + ((k + 1) % 2) * row)
            for slice_ in range(slices.first, slices.end):
                i, real = rows_of(slices, slice_)
                v, _, _ = sub_step(
                    slices, edges, capacitances, neurons, old, at.outer, slice_, h, lanes, CLOSED
                )
                if k == steps - 1:
                    v = held(v, before, i, passes, lanes)
                tl.store(scratch_at(new, i, lanes), v, mask=real[:, None])
            tl.debug_barrier()
        show(params, share, t, after, y, LINEAR)
    end(at.states + time_steps * of_state, final, share)
