"""CfC in Triton (`neurons.cfc`), all variants, sparse and layered, one program for each tile.

Lanes, rows and programs are those of `gpu.ltc`: a step along a slice is one connection of each of
ROWS neurons, with one weight for each head. The derivatives stand in `cpu.cfc`. A time step sweeps
the layers one after the other, and slices are of one layer (`gpu.layout`). The states of a time
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

What a program works in is laid out by `gpu.pieces`. With a memory, old and new states do not lie
behind each other in the history, and are copied to where they do.

A list of edges is (start, width, other, weights, slots) in these functions: see
`gpu.layout.Edges`; weights are one row of `slots` numbers for each head.
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
from wiring_search.networks.kernels.gpu.memory import (
    NO_MEMORY,
    enter,
)
from wiring_search.networks.kernels.gpu.pieces import cfc_history
from wiring_search.networks.kernels.gpu.sequence import (
    LANES,
    MINUS_LOG2_E,
    ROWS,
    SIZES,
    copy_rows,
    layer_of,
    logistic,
    rows_of,
    scratch_at,
    share_of,
    tanh,
    zeros,
)
from wiring_search.networks.neurons.cfc import NO_GATE as _NO_GATE
from wiring_search.networks.neurons.cfc import PURE as _PURE

NO_GATE = tl.constexpr(_NO_GATE)
PURE = tl.constexpr(_PURE)


@triton.jit
def _plus_weighted(edges, slice_, values, heads, lanes, VARIANT: tl.constexpr):
    """Adds what the connections onto the rows of a slice bring to each head."""
    start, width, other, weights, slots = edges
    first, second, slope, level = heads
    edge = tl.load(start + slice_) + tl.arange(0, ROWS)
    for _ in range(tl.load(width + slice_)):
        value, at = tl.load(scratch_at(values, tl.load(other + edge), lanes)), weights + edge
        first += value * tl.load(at)[:, None]
        if VARIANT != PURE:
            second += value * tl.load(at + slots)[:, None]
            slope += value * tl.load(at + 2 * slots)[:, None]
            level += value * tl.load(at + 3 * slots)[:, None]
        edge += ROWS
    return first, second, slope, level


@triton.jit
def heads_of(
    numbers, neurons, i, edges, sensory_edges, slice_, before, values, lanes, VARIANT: tl.constexpr
):
    """ff1, ff2, a, b of the rows i of a slice; of pure ones the first alone.

    Args:
        numbers: pointer to the neurons' parameters.
        before: rows of the old states, then of the new.
        values: rows of the sensory values.
    """
    first = zeros() + tl.load(numbers + i)[:, None]
    second, slope, level = zeros(), zeros(), zeros()
    if VARIANT != PURE:
        second += tl.load(numbers + neurons + i)[:, None]
        slope += tl.load(numbers + 2 * neurons + i)[:, None]
        level += tl.load(numbers + 3 * neurons + i)[:, None]
    heads = first, second, slope, level
    heads = _plus_weighted(edges, slice_, before, heads, lanes, VARIANT)
    return _plus_weighted(sensory_edges, slice_, values, heads, lanes, VARIANT)


@triton.jit
def _new_state(heads, numbers, neurons, i, h, VARIANT: tl.constexpr):
    first, second, slope, level = heads
    if VARIANT == PURE:
        tau = tl.load(numbers + neurons + i)[:, None]
        amplitude = tl.load(numbers + 2 * neurons + i)[:, None]
        decay = tl.exp2(h * (tl.abs(first) + tl.abs(tau)) * MINUS_LOG2_E)
        return amplitude * (1.0 - decay * first)
    else:
        first, second, s = tanh(first), tanh(second), logistic(slope * h + level)
        return first + s * (second if VARIANT == NO_GATE else second - first)


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
    VARIANT: tl.constexpr,
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
        work: rows of LANES float32, `gpu.pieces.cfc_forward` for each program; holds all states
            afterwards.
        LINEAR: whether the readout is linear, not affine.
        VARIANT: of `neurons.cfc`.
        MEMORY: an index of `kinds.MEMORIES`.
    """
    share = share_of(table, batch, tiles, time_steps, features, shown, outputs)
    neurons, lanes = share.neurons, share.lanes
    numbers = params + share.at_params
    row, of_state = neurons * LANES, (neurons + share.cells) * LANES
    at = cfc_history(share, work)

    begin(state, share, at.states)
    for t in range(time_steps):
        dt = elapsed_at(elapsed, t, share)
        passes = (dt > 0)[None, :]
        h = tl.where(passes, dt[None, :], 1.0)
        before, after = at.states + t * of_state, at.states + (t + 1) * of_state
        x_now = inputs_at(x, t, share)
        old, seen = enter(
            params, share, x_now, before, after + row, at.remembered, at.seen, passes, MEMORY
        )
        if MEMORY != NO_MEMORY:
            copy_rows(old, at.pair, neurons, lanes)
            tl.debug_barrier()
            old = at.pair
        for turn in range(3):
            layer = layer_of(share.record, 2 - turn, rows)
            for slice_ in range(layer.first, layer.end):
                i, real = rows_of(layer, slice_)
                heads = heads_of(
                    numbers, neurons, i, edges, sensory_edges, slice_, old, seen, lanes, VARIANT
                )
                v = _new_state(heads, numbers, neurons, i, h, VARIANT)
                v = held(v, before, i, passes, lanes)
                tl.store(scratch_at(old, neurons + i, lanes), v, mask=real[:, None])
            tl.debug_barrier()
        if MEMORY != NO_MEMORY:
            copy_rows(at.pair + row, after, neurons, lanes)
            tl.debug_barrier()
        show(params, share, t, after, y, LINEAR)
    end(at.states + time_steps * of_state, final, share)
