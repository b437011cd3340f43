"""Euler, Heun and RK4 in Triton, over the right-hand sides of LTC and of the rate neurons.

Programs, lanes, rows and pieces of memory are as in `gpu.ltc`; the methods, and how gradients go
back through their stages or by the adjoint, as in `cpu.explicit`. A time step of h sub-steps with s
stages is E = h·s evaluations of the right-hand side, one after the other. What is counted by
evaluations is laid out in the order of time, so that both gradients are one loop from the last
evaluation to the first:

    bptt      evaluation q stands at row q of z, where it was when the time step is run again
    adjoint   evaluation q stands at row q + 1: the first of a sub-step at its end, which is the
              start of the next one, and the others, each from the one before, at rows that the
              stages of the first run have no more use for

Both make, with δ = ∂v' and the stage that was walked before, ∂slope = h (b δ + c ∂z_before); c,
`CARRY`, is the a of stage s + 1 for bptt and b_s a_s / b_{s−1} for the adjoint. No time passing is
h = 0, which holds a state and its gradient.

The right-hand sides are `gpu.field`'s: sums over a neuron's synapses, which are kept of each
evaluation for the way back, where their ∂ overwrites them, and one number of the neuron, its
leak.

What a program works in is laid out by `gpu.pieces`.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.field import (
    at_leak,
    inner_sums,
    outer_sums,
    slope_of,
    store_sums,
    sums_of,
)
from wiring_search.networks.kernels.gpu.frame import (
    begin,
    elapsed_at,
    end,
    held,
    inputs_at,
    show,
)
from wiring_search.networks.kernels.gpu.memory import FROM_STATE, enter
from wiring_search.networks.kernels.gpu.pieces import explicit_history
from wiring_search.networks.kernels.gpu.sequence import (
    LANES,
    SIZES,
    rows_of,
    scratch_at,
    share_of,
    slices_of,
)
from wiring_search.networks.neurons.solvers import Tableau


def constants(form: int, tableau: Tableau, adjoint: bool) -> dict[str, object]:
    """What the kernels are compiled for; AHEAD, WEIGHTS, CARRY have a number for each stage.

    Args:
        form: Of the right-hand side, see `gpu.field.form_of`.
        tableau: Of the solver.
        adjoint: Whether gradients come by the adjoint, not through the stages.
    """
    a, b = tableau.a, tableau.b
    ahead = (*a[1:], 0.0)
    carry = (0.0, *(b[s] * a[s] / b[s - 1] for s in range(1, len(b)))) if adjoint else ahead
    return {"FORM": form, "AHEAD": ahead, "WEIGHTS": b, "CARRY": carry, "ADJOINT": adjoint}


@triton.jit
def of_stage(NUMBERS: tl.constexpr, stage):
    number = 0.0
    for s in tl.static_range(len(NUMBERS)):
        number = tl.where(stage == s, NUMBERS[s], number)
    return number


@triton.jit
def evaluate(cell, stage, z, new, start, moved, kept, apart, h, FORM, AHEAD, WEIGHTS):
    """One evaluation in all rows: its sums are kept, and what comes next goes to `new`.

    That is the next stage, or the state after the sub-step.

    Args:
        z, new: rows of neurons.
        start, moved: rows of neurons, the start of the sub-step and what it has come to.
        kept, apart: rows of the sums, and how far the second one lies behind the first.
        h: (1, LANES), time of the sub-step.
    """
    block, neurons, slices, edges, outer, lanes = cell
    stages: tl.constexpr = len(WEIGHTS)
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        here = real[:, None]
        first, second = inner_sums(edges, slice_, i, neurons, z, outer, lanes, FORM)
        store_sums(kept, apart, i, first, second, here, lanes, FORM)
        v = tl.load(scratch_at(z, i, lanes))
        leak = tl.load(block + at_leak(neurons, FORM) + i)[:, None]
        slope = slope_of(first, second, v, leak, FORM)
        if stages == 1:
            after = v + h * slope
        else:
            started = tl.load(scratch_at(tl.where(stage == 0, z, start), i, lanes))
            after = tl.load(scratch_at(tl.where(stage == 0, z, moved), i, lanes))
            after += h * of_stage(WEIGHTS, stage) * slope
            tl.store(scratch_at(start, i, lanes), started, mask=here)
            tl.store(scratch_at(moved, i, lanes), after, mask=here)
            ahead = started + h * of_stage(AHEAD, stage) * slope
            after = tl.where(stage == stages - 1, after, ahead)
        tl.store(scratch_at(new, i, lanes), after, mask=here)


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
    FORM: tl.constexpr,
    AHEAD: tl.constexpr,
    WEIGHTS: tl.constexpr,
    MEMORY: tl.constexpr,
):
    """A pack through a whole sequence, one program for each candidate and tile of samples.

    Args:
        table, rows: of `gpu.layout.GpuLayout`.
        edges, sensory_edges: lists of edges, by the neuron that they reach.
        params: (parameters,) float32.
        x: (T, features, batch) float32.
        elapsed: (T, batch) float32, in the task's unit of time; 0 holds a state.
        state, final: (states of all, batch) float32; final is written.
        y: (candidates, shown, outputs, batch) float32, written.
        work: rows of LANES float32, `gpu.pieces.explicit_forward` for each program; holds all
            states afterwards.
        LINEAR: whether the readout is linear, not affine.
        FORM: of the right-hand side, `gpu.field.form_of`.
        AHEAD, WEIGHTS: of the solver, see `constants`.
        MEMORY: an index of `kinds.MEMORIES`.
    """
    share = share_of(table, batch, tiles, time_steps, features, shown, outputs)
    neurons, steps, lanes = share.neurons, share.steps, share.lanes
    slices = slices_of(share.record, "at_slice", rows)
    block = params + share.at_params
    stages: tl.constexpr = len(WEIGHTS)

    row, of_state = neurons * LANES, (neurons + share.cells) * LANES
    at = explicit_history(share, work, sums_of(FORM))
    cell = block, neurons, slices, edges, at.outer, lanes

    begin(state, share, at.states)
    for t in range(time_steps):
        dt = elapsed_at(elapsed, t, share)[None, :]
        h, passes = dt / steps, dt > 0
        before, after = at.states + t * of_state, at.states + (t + 1) * of_state
        x_now = inputs_at(x, t, share)
        z_first, seen = enter(
            params, share, x_now, before, after + row, at.remembered, at.seen, passes, MEMORY
        )
        outer_sums(block, neurons, slices, sensory_edges, seen, at.outer, lanes, FORM)
        tl.debug_barrier()
        for q in range(steps * stages):
            z = tl.where(q == 0, z_first, at.turns + (q % 2) * row)
            new = tl.where(q == steps * stages - 1, after, at.turns + ((q + 1) % 2) * row)
            evaluate(
                cell,
                q % stages,
                z,
                new,
                at.start,
                at.moved,
                at.sums,
                row,
                h,
                FORM,
                AHEAD,
                WEIGHTS,
            )
            tl.debug_barrier()
        if MEMORY == FROM_STATE:
            # Where no time passes the state is held, not what the memory shows.
            for slice_ in range(slices.first, slices.end):
                i, real = rows_of(slices, slice_)
                v = held(tl.load(scratch_at(after, i, lanes)), before, i, passes, lanes)
                tl.store(scratch_at(after, i, lanes), v, mask=real[:, None])
            tl.debug_barrier()
        show(params, share, t, after, y, LINEAR)
    end(at.states + time_steps * of_state, final, share)
