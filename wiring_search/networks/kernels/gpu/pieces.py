"""What each kernel works in: where the pieces of a program's memory start, in one formula each.

A program's memory is rows of LANES float32 numbers. The formulas hold for sizes in rows, from 0,
and for sizes in numbers, from a pointer; the host asks the same formulas how many rows to allocate
(`rows`). They are linear in neurons, sensory nodes and cells: those of several candidates add up.

N neurons, S sensory nodes, K cells of a memory, T time steps; a state is N neurons, then K cells.
Everywhere `seen` is for S sensory values, `grad_seen` for their ∂, `grad_state` for N + K rows of
∂state, `remembered` for what `gpu.memory` works in; `end` is where the next program starts.
"""

from typing import Any, NamedTuple

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.memory import MEMORY_PIECES
from wiring_search.networks.kernels.gpu.sequence import LANES, column


def rows(formula: Any, *sizes: int) -> int:
    """How many rows a program works in. formula: of this file; sizes: its arguments, in rows."""
    return int(formula.fn(0, *sizes).end)


@triton.jit
def sizes_of(share, UNIT: tl.constexpr):
    """Neurons, sensory nodes and memory cells of a candidate, in rows (1) or in numbers (LANES)."""
    return share.neurons * UNIT, share.sensory * UNIT, share.cells * UNIT


@triton.jit
def sizes_before(share):
    """Those of all candidates before this one, in rows, int64."""
    neurons, states = column(share.record, "at_neuron"), column(share.record, "at_state")
    return neurons, column(share.record, "at_sensory"), states - neurons


@triton.jit
def piece_of(memory, rows_before, rows, share):
    """Where a program's piece of `memory` starts, a pointer.

    Args:
        rows_before: of the pieces of one tile, for all candidates before this one.
        rows: of this candidate's piece; each tile has one.
    """
    return memory + (rows_before * share.tiles + share.tile * rows) * LANES


class LtcForward(NamedTuple):
    """Forward through the LTC.

    states: of T + 1 time steps, N + K each. turns: two states that take turns, N each. outer:
    driving, then conductance, N each.
    """

    states: tl.tensor
    turns: tl.tensor
    outer: tl.tensor
    seen: tl.tensor
    remembered: tl.tensor
    end: tl.tensor


class LtcBackward(NamedTuple):
    """Backward through the LTC, with h sub-steps; a ∂ overwrites its value, once used.

    states: of h + 1 sub-steps, N each. driving, conductance: of h, then their ∂. waiting: ∂state of
    samples that are held, N. totals: sums of ∂N, ∂D, ∂C, N each. outer: driving, then conductance,
    N each, then their ∂.
    """

    states: tl.tensor
    driving: tl.tensor
    conductance: tl.tensor
    waiting: tl.tensor
    totals: tl.tensor
    outer: tl.tensor
    seen: tl.tensor
    grad_seen: tl.tensor
    grad_state: tl.tensor
    remembered: tl.tensor
    end: tl.tensor


@triton.jit
def ltc_forward(states, neurons, sensory, cells, time_steps):
    """The pieces, from `states` on; all sizes in one unit, rows or numbers."""
    turns = states + (time_steps + 1) * (neurons + cells)
    outer = turns + 2 * neurons
    seen = outer + 2 * neurons
    remembered = seen + sensory
    end = remembered + MEMORY_PIECES * cells
    return LtcForward(states, turns, outer, seen, remembered, end)


@triton.jit
def ltc_backward(states, neurons, sensory, cells, steps):
    """The pieces, from `states` on; all sizes in one unit, rows or numbers."""
    driving = states + (steps + 1) * neurons
    conductance = driving + steps * neurons
    waiting = conductance + steps * neurons
    totals = waiting + neurons
    outer = totals + 3 * neurons
    seen = outer + 2 * neurons
    grad_seen = seen + sensory
    grad_state = grad_seen + sensory
    remembered = grad_state + neurons + cells
    return LtcBackward(
        states=states,
        driving=driving,
        conductance=conductance,
        waiting=waiting,
        totals=totals,
        outer=outer,
        seen=seen,
        grad_seen=grad_seen,
        grad_state=grad_state,
        remembered=remembered,
        end=remembered + MEMORY_PIECES * cells,
    )


@triton.jit
def ltc_history(share, memory):
    """Those of a program's forward pass in `memory`."""
    before = ltc_forward(0, *sizes_before(share), share.time_steps).end
    rows = ltc_forward(0, *sizes_of(share, 1), share.time_steps).end
    start = piece_of(memory, before, rows, share)
    return ltc_forward(start, *sizes_of(share, LANES), share.time_steps)


@triton.jit
def ltc_way_back(share, memory):
    """Those of a program's backward pass in `memory`."""
    before = column(share.record, "at_scratch")
    rows = ltc_backward(0, *sizes_of(share, 1), share.steps).end
    start = piece_of(memory, before, rows, share)
    return ltc_backward(start, *sizes_of(share, LANES), share.steps)


class CfcForward(NamedTuple):
    """Forward through the CfC.

    states: of T + 1 time steps, N + K each. pair: old and new states, N each.
    """

    states: tl.tensor
    seen: tl.tensor
    pair: tl.tensor
    remembered: tl.tensor
    end: tl.tensor


class CfcBackward(NamedTuple):
    """Backward through the CfC.

    grads: ∂ of the heads of two time steps, 4 N each; of pure ones ∂ff1, ∂w_τ, ∂A. seen: of two
    time steps. pairs: old and new states of two, 2 N each.
    """

    grads: tl.tensor
    seen: tl.tensor
    grad_seen: tl.tensor
    pairs: tl.tensor
    grad_state: tl.tensor
    remembered: tl.tensor
    end: tl.tensor


@triton.jit
def cfc_forward(states, neurons, sensory, cells, time_steps):
    """The pieces, from `states` on; all sizes in one unit, rows or numbers."""
    seen = states + (time_steps + 1) * (neurons + cells)
    pair = seen + sensory
    remembered = pair + 2 * neurons
    end = remembered + MEMORY_PIECES * cells
    return CfcForward(states, seen, pair, remembered, end)


@triton.jit
def cfc_backward(grads, neurons, sensory, cells):
    """The pieces, from `grads` on; all sizes in one unit, rows or numbers."""
    seen = grads + 8 * neurons
    grad_seen = seen + 2 * sensory
    pairs = grad_seen + sensory
    grad_state = pairs + 4 * neurons
    remembered = grad_state + neurons + cells
    end = remembered + MEMORY_PIECES * cells
    return CfcBackward(grads, seen, grad_seen, pairs, grad_state, remembered, end)


@triton.jit
def cfc_history(share, memory):
    """Those of a program's forward pass in `memory`."""
    before = cfc_forward(0, *sizes_before(share), share.time_steps).end
    rows = cfc_forward(0, *sizes_of(share, 1), share.time_steps).end
    start = piece_of(memory, before, rows, share)
    return cfc_forward(start, *sizes_of(share, LANES), share.time_steps)


@triton.jit
def cfc_way_back(share, memory):
    """Those of a program's backward pass in `memory`."""
    before = column(share.record, "at_scratch")
    rows = cfc_backward(0, *sizes_of(share, 1)).end
    start = piece_of(memory, before, rows, share)
    return cfc_backward(start, *sizes_of(share, LANES))


class ExplicitForward(NamedTuple):
    """Forward by an explicit solver, of neurons with SUMS sums.

    states: of T + 1 time steps, N + K each. turns: two z that take turns, N each. start, moved: the
    start of the sub-step, and what it has come to, N each. sums, outer: the neurons' sums, inner
    and outer, SUMS × N.
    """

    states: tl.tensor
    turns: tl.tensor
    start: tl.tensor
    moved: tl.tensor
    sums: tl.tensor
    outer: tl.tensor
    seen: tl.tensor
    remembered: tl.tensor
    end: tl.tensor


class ExplicitBackward(NamedTuple):
    """Backward by an explicit solver, with E evaluations; a ∂ overwrites its value.

    z: of E + 1 evaluations, N each. sums: of E, SUMS × N, then their ∂. delta, grad_z: N each.
    totals: of the ∂ sums, SUMS × N. total_leak: of ∂leak, N. outer: SUMS × N outer sums, then their
    ∂.
    """

    z: tl.tensor
    sums: tl.tensor
    delta: tl.tensor
    grad_z: tl.tensor
    totals: tl.tensor
    total_leak: tl.tensor
    outer: tl.tensor
    seen: tl.tensor
    grad_seen: tl.tensor
    grad_state: tl.tensor
    remembered: tl.tensor
    end: tl.tensor


@triton.jit
def explicit_forward(states, neurons, sensory, cells, time_steps, SUMS: tl.constexpr):
    """The pieces, from `states` on; all sizes in one unit, rows or numbers."""
    turns = states + (time_steps + 1) * (neurons + cells)
    start = turns + 2 * neurons
    moved = start + neurons
    sums = moved + neurons
    outer = sums + SUMS * neurons
    seen = outer + SUMS * neurons
    remembered = seen + sensory
    end = remembered + MEMORY_PIECES * cells
    return ExplicitForward(states, turns, start, moved, sums, outer, seen, remembered, end)


@triton.jit
def explicit_backward(z, neurons, sensory, cells, evaluations, SUMS: tl.constexpr):
    """The pieces, from `z` on; all sizes in one unit, rows or numbers."""
    sums = z + (evaluations + 1) * neurons
    delta = sums + SUMS * evaluations * neurons
    grad_z = delta + neurons
    totals = grad_z + neurons
    total_leak = totals + SUMS * neurons
    outer = total_leak + neurons
    seen = outer + SUMS * neurons
    grad_seen = seen + sensory
    grad_state = grad_seen + sensory
    remembered = grad_state + neurons + cells
    return ExplicitBackward(
        z=z,
        sums=sums,
        delta=delta,
        grad_z=grad_z,
        totals=totals,
        total_leak=total_leak,
        outer=outer,
        seen=seen,
        grad_seen=grad_seen,
        grad_state=grad_state,
        remembered=remembered,
        end=remembered + MEMORY_PIECES * cells,
    )


@triton.jit
def explicit_history(share, memory, SUMS: tl.constexpr):
    """Those of a program's forward pass in `memory`."""
    before = explicit_forward(0, *sizes_before(share), share.time_steps, SUMS).end
    rows = explicit_forward(0, *sizes_of(share, 1), share.time_steps, SUMS).end
    start = piece_of(memory, before, rows, share)
    return explicit_forward(start, *sizes_of(share, LANES), share.time_steps, SUMS)


@triton.jit
def explicit_way_back(share, memory, evaluations, SUMS: tl.constexpr):
    """Those of a program's backward pass in `memory`."""
    before = column(share.record, "at_scratch")
    rows = explicit_backward(0, *sizes_of(share, 1), evaluations, SUMS).end
    start = piece_of(memory, before, rows, share)
    return explicit_backward(start, *sizes_of(share, LANES), evaluations, SUMS)
