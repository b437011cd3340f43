"""The frame of every kernel: how a candidate enters the sequence, passes a time step and leaves it.

The kernels of each kind of neuron fill it: they walk along synapses from the state with which a
time step starts to the state with which it ends, and back.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.memory import leave
from wiring_search.networks.kernels.gpu.sequence import (
    give_rows,
    readout,
    readout_back,
    scratch_at,
    take_rows,
)


@triton.jit
def begin(state, share, states):
    """Takes a program's rows of `state`, (states of all, batch), to the program's memory."""
    take_rows(state, share.at_state, share.neurons + share.cells, states, share.lanes)
    tl.debug_barrier()


@triton.jit
def end(states, state, share):
    """Gives a program's rows back to `state`, (states of all, batch)."""
    give_rows(states, state, share.at_state, share.neurons + share.cells, share.lanes)


@triton.jit
def elapsed_at(elapsed, t, share):
    """How much time passes in each sample at time step t, (LANES,); 0 in lanes without a sample."""
    lanes = share.lanes
    return tl.load(elapsed + t * lanes.batch + lanes.sample, mask=lanes.inside, other=0.0)


@triton.jit
def inputs_at(x, t, share):
    """Pointer to the inputs of time step t, (features, batch). x: (T, features, batch)."""
    return x + t * share.features * share.lanes.batch


@triton.jit
def held(new, before, i, passes, lanes):
    """The new state of rows i, (ROWS, LANES), or `before`, bit for bit, where no time passes."""
    return tl.where(passes, new, tl.load(scratch_at(before, i, lanes)))


@triton.jit
def _shown_at(values, t, share):
    """Pointer to what is shown of time step t, (outputs, batch), in (candidates, shown, …)."""
    row = share.candidate * share.shown + t - (share.time_steps - share.shown)
    return values + (row * share.outputs).to(tl.int64) * share.lanes.batch


@triton.jit
def show(params, share, t, states, y, LINEAR: tl.constexpr):
    """The readout at time step t, where it is shown. y: (candidates, shown, outputs, batch)."""
    if t >= share.time_steps - share.shown:
        readout(params, share, states, _shown_at(y, t, share), LINEAR)


@triton.jit
def show_back(params, grad_params, share, t, states, grad_y, grad_states, LINEAR: tl.constexpr):
    """And back: adds to the motor neurons' rows of grad_states. grad_y: as y of `show`."""
    if t >= share.time_steps - share.shown:
        grad_y_now = _shown_at(grad_y, t, share)
        readout_back(params, grad_params, share, states, grad_y_now, grad_states, LINEAR)
        tl.debug_barrier()


@triton.jit
def leave_step(
    params,
    grad_params,
    share,
    t,
    x_now,
    before,
    grad_states,
    grad_values,
    remembered,
    dt,
    grad_dt,
    grad_x,
    grad_elapsed,
    MEMORY: tl.constexpr,
    INPUTS: tl.constexpr,
):
    """The end of the way back through time step t: through the memory and the input map.

    Args:
        before: rows of the state before the time step.
        grad_states: rows of ∂ of the state that the neurons started from, then of that before it.
        grad_values: rows of ∂ of the sensory values.
        dt, grad_dt: (LANES,), the elapsed time and its ∂.
        grad_x: (candidates, T, features, batch), added to where INPUTS.
        grad_elapsed: (candidates, T, batch), written where INPUTS.
    """
    lanes = share.lanes
    now = share.candidate.to(tl.int64) * share.time_steps + t
    grad_x_now = grad_x + now * share.features * lanes.batch
    passes = (dt > 0)[None, :]
    leave(
        params,
        grad_params,
        share,
        x_now,
        grad_x_now,
        before,
        grad_states,
        grad_values,
        remembered,
        passes,
        MEMORY,
        INPUTS,
    )
    if INPUTS:
        pointer = grad_elapsed + now * lanes.batch + lanes.sample
        tl.store(pointer, tl.where(dt > 0, grad_dt, 0.0), mask=lanes.inside)
