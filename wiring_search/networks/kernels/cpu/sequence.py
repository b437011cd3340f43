"""A candidate through a sequence, compiled: one tile of sixteen samples, forward and backward, any
kind of neuron.

Each time step: the memory's cells where there is a memory, the input map, the neurons
(`dispatch.advance`), the readout. Forward keeps the state at the start of every time step, O(T),
not O(T × steps). Backward takes time steps from the last to the first and runs each again from the
kept state.

In a sample for which no time passes (padding, or a step that is missing) the neurons compute with
elapsed time 1 and the result is thrown away: the state is held, and a gradient of 0 goes in, so
that nothing comes out.

`params` is the candidate's block of the flat parameter vector, `c` its record in the layout's
table; `kind` = (marker of the neurons, marker of the memory).
"""

import numpy as np

from wiring_search.networks.kernels.cpu.dispatch import (
    advance,
    advance_back,
    finish,
    prepare,
    remember,
    remember_back,
    remember_finish,
    remember_prepare,
)
from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    add,
    aligned_scratch,
    compiled,
    fma,
    load,
    splat,
    store,
    total,
    where_positive,
)

FROM_STATE, AS_INPUT = 1, 2  # the forms of memory, as indices of `kinds.MEMORIES`


@compiled
def forward_item(kind, c, edges, params, x, elapsed, state, y, final, history):
    """All time steps of one item, one row of LANES numbers per value.

    Args:
        kind: Markers of the neurons and of the memory.
        c: The candidate's record.
        edges: The layout's index arrays.
        params: From the candidate's block on.
        x: (T, features, LANES).
        elapsed: (T, LANES).
        state: (neurons and cells, LANES).
        y: (shown steps, outputs, LANES), written.
        final: As state, written.
        history: (T + 1, neurons and cells, LANES), written: the states, the first included.
    """
    neurons, memory = kind
    time_steps = len(elapsed) // LANES
    features = len(x) // len(elapsed)
    first_shown = time_steps - len(y) // (c.outputs * LANES)
    work = prepare(neurons, c, edges, params, False)
    cells = remember_prepare(memory, c, features, False)
    u = aligned_scratch(c.sensory * LANES)
    at_cells, size = c.neurons * LANES, (c.neurons + c.cells) * LANES
    history[:size] = state
    for t in range(time_steps):
        before, after = history[t * size : (t + 1) * size], history[(t + 1) * size : (t + 2) * size]
        if _time_passes(elapsed, t):
            x_now = x[t * features * LANES :]
            if c.memory > 0:
                remember(memory, c, params, x_now, features, before, after[at_cells:], cells)
            sensory = _sensory_values(memory, c, params, x_now, features, u, cells)
            start = cells.shown if c.memory == FROM_STATE else before
            advance(neurons, c, edges, params, work, _positive(elapsed, t), sensory, start, after)
            _hold(elapsed, t, c.neurons + c.cells, before, after)
        else:
            after[:] = before
        if t >= first_shown:
            _readout(c, params, after, y[(t - first_shown) * c.outputs * LANES :])
    final[:] = history[time_steps * size :]


@compiled
def backward_item(
    kind,
    c,
    edges,
    params,
    x,
    elapsed,
    history,
    grad_y,
    grad_state,
    grad_params,
    grad_x,
    grad_elapsed,
):
    """The gradients of one item, from the last time step to the first.

    Args:
        kind: Markers of the neurons and of the memory.
        c: The candidate's record.
        edges: The layout's index arrays.
        params: From the candidate's block on.
        x: (T, features, LANES).
        elapsed: (T, LANES).
        history: As `forward_item` wrote it.
        grad_y: (shown steps, outputs, LANES).
        grad_state: (neurons and cells, LANES), ∂ of the final state, replaced by ∂ of the initial
            one.
        grad_params: From the candidate's block on, written: sums over the item's samples.
        grad_x: As x, written; empty where ∂x is not wanted.
        grad_elapsed: As elapsed, written; empty where ∂elapsed is not wanted.
    """
    neurons, memory = kind
    time_steps = len(elapsed) // LANES
    features = len(x) // len(elapsed)
    first_shown = time_steps - len(grad_y) // (c.outputs * LANES)
    work = prepare(neurons, c, edges, params, True)
    cells = remember_prepare(memory, c, features, True)
    sums = aligned_scratch(c.parameters * LANES)
    sums[:] = 0.0
    grad_x[:] = 0.0
    grad_elapsed[:] = 0.0
    u, grad_u = aligned_scratch(c.sensory * LANES), aligned_scratch(c.sensory * LANES)
    at_cells, size = c.neurons * LANES, (c.neurons + c.cells) * LANES
    held, cells_after = aligned_scratch(size), aligned_scratch(c.cells * LANES)
    for t in range(time_steps - 1, -1, -1):
        before = history[t * size : (t + 1) * size]
        if t >= first_shown:
            shown = grad_y[(t - first_shown) * c.outputs * LANES :]
            _readout_back(c, params, history[(t + 1) * size :], shown, grad_state, sums)
        if not _time_passes(elapsed, t):
            continue
        x_now, grad_x_now = x[t * features * LANES :], grad_x[t * features * LANES :]
        dt = _positive(elapsed, t)
        _part_with_held(elapsed, t, c.neurons + c.cells, grad_state, held)
        if c.memory > 0:
            remember(memory, c, params, x_now, features, before, cells_after, cells)
        sensory = _sensory_values(memory, c, params, x_now, features, u, cells)
        start = cells.shown if c.memory == FROM_STATE else before
        grad_dt = advance_back(
            neurons, c, edges, params, work, dt, sensory, start, grad_state, grad_u, sums
        )
        if c.memory == FROM_STATE:
            cells.grad_shown[:] = grad_state[:at_cells]
            grad_state[:at_cells] = 0.0
        elif c.memory == AS_INPUT:
            cells.grad_shown[:] = grad_u
        if c.memory > 0:
            remember_back(
                memory,
                c,
                params,
                x_now,
                features,
                before,
                cells_after,
                cells,
                grad_state,
                sums,
                grad_x_now,
            )
        if c.memory != AS_INPUT:
            _input_map_back(c, params, x_now, features, grad_u, sums, grad_x_now)
        _add_held(c.neurons + c.cells, grad_state, held)
        if len(grad_elapsed) > 0:
            store(
                grad_elapsed, t, where_positive(load(elapsed, t), grad_dt, splat(np.float32(0.0)))
            )
    finish(neurons, c, edges, params, work, sums, grad_params)
    if c.memory > 0:
        remember_finish(memory, c, features, cells, sums)
    for i in range(_first_of_maps(c), c.parameters):
        grad_params[i] = total(load(sums, i))


@compiled
def _first_of_maps(c):
    """Memory, input map and readout stand behind the parameters of the neurons."""
    return c.at_memory if c.memory > 0 else c.at_input


@compiled
def _time_passes(elapsed, t):
    for lane in range(LANES):
        if elapsed[t * LANES + lane] > 0.0:
            return True
    return False


@compiled
def _positive(elapsed, t):
    dt = load(elapsed, t)
    return where_positive(dt, dt, splat(np.float32(1.0)))


@compiled
def _hold(elapsed, t, rows, before, after):
    dt = load(elapsed, t)
    for i in range(rows):
        store(after, i, where_positive(dt, load(after, i), load(before, i)))


@compiled
def _part_with_held(elapsed, t, rows, grad, held):
    """Gradients of samples that are held skip the time step: they wait in `held`."""
    dt, zero = load(elapsed, t), splat(np.float32(0.0))
    for i in range(rows):
        g = load(grad, i)
        store(held, i, where_positive(dt, zero, g))
        store(grad, i, where_positive(dt, g, zero))


@compiled
def _add_held(rows, grad, held):
    for i in range(rows):
        store(grad, i, load(grad, i) + load(held, i))


@compiled
def _sensory_values(memory, c, params, x, features, u, cells):
    if c.memory == AS_INPUT:
        return cells.shown
    for j in range(c.sensory):
        if c.projected:
            at = c.at_input + c.sensory * features
            value = splat(params[at + j])
            for f in range(features):
                value = fma(load(x, f), params[c.at_input + j * features + f], value)
        else:
            value = fma(
                load(x, j), params[c.at_input + j], splat(params[c.at_input + c.sensory + j])
            )
        store(u, j, value)
    return u


@compiled
def _input_map_back(c, params, x, features, grad_u, sums, grad_x):
    at = c.at_input
    bias_at = at + (c.sensory * features if c.projected else c.sensory)
    for j in range(c.sensory):
        grad = load(grad_u, j)
        add(sums, bias_at + j, grad)
        if c.projected:
            for f in range(features):
                add(sums, at + j * features + f, grad * load(x, f))
                if len(grad_x) > 0:
                    add(grad_x, f, grad * params[at + j * features + f])
        else:
            add(sums, at + j, grad * load(x, j))
            if len(grad_x) > 0:
                add(grad_x, j, grad * params[at + j])


@compiled
def _readout(c, params, v, y):
    at = c.at_output
    bias_at = at + (c.outputs * c.motors if c.linear else c.motors)
    for o in range(c.outputs):
        if c.linear:
            value = splat(params[bias_at + o])
            for m in range(c.motors):
                value = fma(load(v, m), params[at + o * c.motors + m], value)
        else:
            value = fma(load(v, o), params[at + o], params[bias_at + o])
        store(y, o, value)


@compiled
def _readout_back(c, params, v, grad_y, grad_v, sums):
    at = c.at_output
    bias_at = at + (c.outputs * c.motors if c.linear else c.motors)
    for o in range(c.outputs):
        grad = load(grad_y, o)
        add(sums, bias_at + o, grad)
        if c.linear:
            for m in range(c.motors):
                add(sums, at + o * c.motors + m, grad * load(v, m))
                add(grad_v, m, grad * params[at + o * c.motors + m])
        else:
            add(sums, at + o, grad * load(v, o))
            add(grad_v, o, grad * params[at + o])
