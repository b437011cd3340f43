"""LTC with the semi-implicit step, compiled: one candidate on one tile of sixteen samples, forward and backward.

Sixteen samples are one vector (`simd`), every synapse costs one sigmoid a sub-step, and nothing is ever dense.

Forward keeps the state at the start of every time step, O(T), not O(T × steps). Backward takes time steps from the
last to the first; for each it runs the sub-steps again from the kept state, with every sigmoid written to a
cache-sized scratch, then goes back through them twice: once along the outgoing synapses of each neuron, which carries
the gradient to the sub-step before, and once along the incoming ones, which gathers the gradients of the synapses
over all sub-steps in registers.

With N, D the summed currents of `neurons.ltc` and v' = A/Q, A = C v + h(g·vleak + N), Q = C + h(g + D + ε), and δ =
∂L/∂v':

    ∂A = δ/Q   ∂Q = −∂A·v'   ∂N = h·∂A   ∂D = h·∂Q   ∂C += ∂A·v + ∂Q   ∂v += C·∂A   ∂h += ∂A (g·vleak + N) + ∂Q (g + D + ε)
    each synapse, s its sigmoid:  a = ∂N·E + ∂D,  q = a·s(1 − s);   ∂w += a·s   ∂E += w·s·∂N   ∂σ += w·q·(v − μ)
                                  ∂μ −= w·σ·q,   ∂v_pre += w·σ·q

In the names below `driving` is g·vleak + N and `conductance` g + D + ε; `outer` is the part that stays during a time
step; `own` is the candidate's block of the flat parameter vector, `c` its record in the layout's table.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from wiring_search.kernels.simd import (
    LANES,
    MINUS_LOG2_E,
    aligned_scratch,
    entry,
    fma,
    load,
    logistic2,
    splat,
    store,
    total,
    where_positive,
)
from wiring_search.neurons.ltc import EPSILON

_compiled = njit(error_model="numpy")
_EPSILON = np.float32(EPSILON)


@_compiled
def forward_item(c, edges, own, x, elapsed, state, y, final, history):
    time_steps = len(elapsed) // LANES
    features = len(x) // len(elapsed)
    first_shown = time_steps - len(y) // (c.outputs * LANES)
    synapses = _synapse_constants(own, _synapses_at(c), c.synapses)
    sensory = _synapse_constants(own, _sensory_at(c), c.sensory_synapses)
    work = _scratch(c, 1)
    size = c.neurons * LANES
    history[:size] = state
    for t in range(time_steps):
        work.v[:size] = history[t * size : (t + 1) * size]
        last = 0
        if _time_passes(elapsed, t):
            h = load(elapsed, t) * np.float32(1.0 / c.steps)
            _sensory_currents(c, edges, own, sensory, x[t * features * LANES :], features, work)
            _sub_steps(c, edges, own, synapses, h, work, False)
            last = c.steps % 2
        v = history[(t + 1) * size : (t + 2) * size]
        v[:] = work.v[last * size : (last + 1) * size]
        if t >= first_shown:
            _readout(c, own, features, v, y[(t - first_shown) * c.outputs * LANES :])
    final[:] = history[time_steps * size :]


@_compiled
def backward_item(c, edges, own, x, elapsed, history, grad_y, grad_v, grad_own, grad_x, grad_elapsed):
    time_steps = len(elapsed) // LANES
    features = len(x) // len(elapsed)
    first_shown = time_steps - len(grad_y) // (c.outputs * LANES)
    synapses = _synapse_constants(own, _synapses_at(c), c.synapses)
    sensory = _synapse_constants(own, _sensory_at(c), c.sensory_synapses)
    outgoing = _outgoing_constants(c, edges, own)
    work = _scratch(c, c.steps)
    sums = aligned_scratch((_readout_at(c, features) + _readout_size(c)) * LANES)
    sums[:] = 0.0
    grad_x[:] = 0.0
    grad_elapsed[:] = 0.0
    size = c.neurons * LANES
    for t in range(time_steps - 1, -1, -1):
        if t >= first_shown:
            shown = grad_y[(t - first_shown) * c.outputs * LANES :]
            _readout_backward(c, own, features, history[(t + 1) * size :], shown, grad_v, sums)
        if not _time_passes(elapsed, t):
            continue
        x_now = x[t * features * LANES :]
        h = load(elapsed, t) * np.float32(1.0 / c.steps)
        _sensory_currents(c, edges, own, sensory, x_now, features, work)
        work.v[:size] = history[t * size : (t + 1) * size]
        _sub_steps(c, edges, own, synapses, h, work, True)
        grad_h = _sub_steps_backward(c, edges, own, outgoing, h, work, grad_v, sums)
        _gather_incoming(c, edges, own, work, sums)
        _sensory_backward(c, edges, own, work, sums)
        _input_map_backward(c, own, x_now, features, work, sums, grad_x[t * features * LANES :])
        if len(grad_elapsed) > 0:
            store(grad_elapsed, t, grad_h * np.float32(1.0 / c.steps))
    _finish(c, own, features, sums, grad_own)


class Scratch(NamedTuple):
    """Lanes that an item works in. `v`, `s`, `driving` … hold one row a kept sub-step; the outer ones one row a time
    step."""

    v: np.ndarray
    s: np.ndarray
    driving: np.ndarray
    conductance: np.ndarray
    grad_driving: np.ndarray
    grad_conductance: np.ndarray
    u: np.ndarray
    outer_s: np.ndarray
    outer_driving: np.ndarray
    outer_conductance: np.ndarray
    grad_u: np.ndarray
    grad_outer_driving: np.ndarray
    grad_outer_conductance: np.ndarray


@_compiled
def _scratch(c, kept):
    rows = kept * c.neurons * LANES
    return Scratch(
        aligned_scratch(rows + c.neurons * LANES),
        aligned_scratch(kept * c.synapses * LANES),
        aligned_scratch(rows),
        aligned_scratch(rows),
        aligned_scratch(rows),
        aligned_scratch(rows),
        aligned_scratch(c.sensory * LANES),
        aligned_scratch(c.sensory_synapses * LANES),
        aligned_scratch(c.neurons * LANES),
        aligned_scratch(c.neurons * LANES),
        aligned_scratch(c.sensory * LANES),
        aligned_scratch(c.neurons * LANES),
        aligned_scratch(c.neurons * LANES),
    )


# Where the groups of a candidate's block start (see `layout`).


@_compiled
def _synapses_at(c):
    return 3 * c.neurons


@_compiled
def _sensory_at(c):
    return _synapses_at(c) + 4 * c.synapses


@_compiled
def _input_at(c):
    return _sensory_at(c) + 4 * c.sensory_synapses


@_compiled
def _input_weights(c, features):
    return c.sensory * features if c.projected else c.sensory


@_compiled
def _readout_at(c, features):
    return _input_at(c) + _input_weights(c, features) + c.sensory


@_compiled
def _readout_weights(c):
    return c.outputs * c.motors if c.linear else c.motors


@_compiled
def _readout_size(c):
    return _readout_weights(c) + c.outputs


@_compiled
def _synapse_constants(own, at, n):
    """Four numbers a synapse, so that the inner loop is three fused multiply-adds around the sigmoid: slope, offset,
    w, w·E."""
    constants = np.empty(4 * n, np.float32)
    for e in range(n):
        w, mu, sigma, erev = own[at + e], own[at + n + e], own[at + 2 * n + e], own[at + 3 * n + e]
        slope = np.float32(MINUS_LOG2_E) * sigma
        constants[4 * e] = slope
        constants[4 * e + 1] = -slope * mu
        constants[4 * e + 2] = w
        constants[4 * e + 3] = w * erev
    return constants


@_compiled
def _outgoing_constants(c, edges, own):
    """w·σ and w·σ·E of each synapse, in the order in which `_along_outgoing` meets them."""
    at, n = _synapses_at(c), c.synapses
    constants = np.empty(2 * n, np.float32)
    for o in range(n):
        e = edges.out_edge[c.at_edge + o]
        constants[2 * o] = own[at + e] * own[at + 2 * n + e]
        constants[2 * o + 1] = constants[2 * o] * own[at + 3 * n + e]
    return constants


@_compiled
def _time_passes(elapsed, t):
    for lane in range(LANES):
        if elapsed[t * LANES + lane] > 0.0:
            return True
    return False


@_compiled
def _sensory_currents(c, edges, own, constants, x, features, work):
    """Input map, sensory synapses, leak: what does not change during the sub-steps of one time step."""
    _input_map(c, own, x, features, work.u)
    neurons = c.neurons
    row, pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    u, kept_s, outer_driving, outer_conductance = work.u, work.outer_s, work.outer_driving, work.outer_conductance
    for i in range(neurons):
        gleak = entry(own, i)
        driving = splat(gleak * entry(own, neurons + i))
        conductance = splat(gleak + _EPSILON)
        for e in range(entry(row, i), entry(row, i + 1)):
            s = logistic2(fma(load(u, entry(pre, e)), entry(constants, 4 * e), entry(constants, 4 * e + 1)))
            conductance = fma(s, entry(constants, 4 * e + 2), conductance)
            driving = fma(s, entry(constants, 4 * e + 3), driving)
            store(kept_s, e, s)
        store(outer_driving, i, driving)
        store(outer_conductance, i, conductance)


@_compiled
def _sub_steps(c, edges, own, constants, h, work, keep):
    """All semi-implicit steps of one time step, from the state at the start of work.v to the state at its end.

    Where `keep`, sub-step k reads row k of work.v and writes row k + 1, and its sigmoids and sums stay in row k of
    theirs; otherwise two rows take turns.
    """
    neurons, synapses, steps = c.neurons, c.synapses, c.steps
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    v, kept_s, kept_driving, kept_conductance = work.v, work.s, work.driving, work.conductance
    outer_driving, outer_conductance = work.outer_driving, work.outer_conductance
    for k in range(steps):
        now = k if keep else k % 2
        before = v[now * neurons * LANES :]
        after = v[(now + 1 if keep else 1 - now) * neurons * LANES :]
        for i in range(neurons):
            driving, conductance = load(outer_driving, i), load(outer_conductance, i)
            for e in range(entry(row, i), entry(row, i + 1)):
                s = logistic2(fma(load(before, entry(pre, e)), entry(constants, 4 * e), entry(constants, 4 * e + 1)))
                conductance = fma(s, entry(constants, 4 * e + 2), conductance)
                driving = fma(s, entry(constants, 4 * e + 3), driving)
                if keep:
                    store(kept_s, k * synapses + e, s)
            if keep:
                store(kept_driving, k * neurons + i, driving)
                store(kept_conductance, k * neurons + i, conductance)
            cm = entry(own, 2 * neurons + i)
            old = load(before, i)
            new = fma(h, driving, old * cm) / fma(h, conductance, cm)
            store(after, i, where_positive(h, new, old))


@_compiled
def _sub_steps_backward(c, edges, own, outgoing, h, work, grad_v, sums):
    """From ∂v at the end of a time step to ∂v at its start; ∂N and ∂D of every sub-step stay in work. Returns ∂h."""
    neurons, synapses, steps = c.neurons, c.synapses, c.steps
    row, out_edge, out_post = edges.out_row[c.at_row :], edges.out_edge[c.at_edge :], edges.out_post[c.at_edge :]
    v, kept_s, kept_driving, kept_conductance = work.v, work.s, work.driving, work.conductance
    zero = splat(np.float32(0.0))
    grad_h = zero
    for k in range(steps - 1, -1, -1):
        grad_driving = work.grad_driving[k * neurons * LANES :]
        grad_conductance = work.grad_conductance[k * neurons * LANES :]
        sigmoids = kept_s[k * synapses * LANES :]
        for i in range(neurons):
            cm = entry(own, 2 * neurons + i)
            driving, conductance = load(kept_driving, k * neurons + i), load(kept_conductance, k * neurons + i)
            delta = load(grad_v, i)
            grad_a = where_positive(h, delta / fma(h, conductance, cm), zero)
            grad_q = zero - grad_a * load(v, (k + 1) * neurons + i)
            grad_h = fma(grad_a, driving, fma(grad_q, conductance, grad_h))
            _add(sums, 2 * neurons + i, fma(grad_a, load(v, k * neurons + i), grad_q))
            store(grad_v, i, where_positive(h, grad_a * cm, delta))
            store(grad_driving, i, h * grad_a)
            store(grad_conductance, i, h * grad_q)
        for j in range(neurons):
            grad = load(grad_v, j)
            for o in range(entry(row, j), entry(row, j + 1)):
                s = load(sigmoids, entry(out_edge, o))
                i = entry(out_post, o)
                a = load(grad_conductance, i) * entry(outgoing, 2 * o)
                a = fma(load(grad_driving, i), entry(outgoing, 2 * o + 1), a)
                grad = fma(a, s * (1.0 - s), grad)
            store(grad_v, j, grad)
    return grad_h


@_compiled
def _gather_incoming(c, edges, own, work, sums):
    """Σ a·s, Σ q, Σ q·v, Σ s·∂N of each synapse over the sub-steps of one time step (`_finish` makes gradients of
    them).

    On the way, ∂N and ∂D summed over the sub-steps, for the leak and the sensory synapses.
    """
    neurons, synapses, steps = c.neurons, c.synapses, c.steps
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    v, kept_s, grad_driving, grad_conductance = work.v, work.s, work.grad_driving, work.grad_conductance
    outer_driving, outer_conductance = work.grad_outer_driving, work.grad_outer_conductance
    at = _synapses_at(c)
    zero = splat(np.float32(0.0))
    for i in range(neurons):
        sum_n, sum_d = zero, zero
        for k in range(steps):
            sum_n = sum_n + load(grad_driving, k * neurons + i)
            sum_d = sum_d + load(grad_conductance, k * neurons + i)
        store(outer_driving, i, sum_n)
        store(outer_conductance, i, sum_d)
        for e in range(entry(row, i), entry(row, i + 1)):
            erev = splat(entry(own, at + 3 * synapses + e))
            j = entry(pre, e)
            sum_as, sum_q, sum_qv, sum_sn = zero, zero, zero, zero
            for k in range(steps):
                s = load(kept_s, k * synapses + e)
                grad_n = load(grad_driving, k * neurons + i)
                a_s = fma(grad_n, erev, load(grad_conductance, k * neurons + i)) * s
                q = a_s * (1.0 - s)
                sum_as = sum_as + a_s
                sum_q = sum_q + q
                sum_qv = fma(q, load(v, k * neurons + j), sum_qv)
                sum_sn = fma(s, grad_n, sum_sn)
            _add(sums, at + e, sum_as)
            _add(sums, at + synapses + e, sum_q)
            _add(sums, at + 2 * synapses + e, sum_qv)
            _add(sums, at + 3 * synapses + e, sum_sn)


@_compiled
def _sensory_backward(c, edges, own, work, sums):
    neurons, n = c.neurons, c.sensory_synapses
    row, pre = edges.sensory_row[c.at_row :], edges.sensory_pre[c.at_sensory_edge :]
    u, kept_s, grad_u = work.u, work.outer_s, work.grad_u
    outer_driving, outer_conductance = work.grad_outer_driving, work.grad_outer_conductance
    at = _sensory_at(c)
    grad_u[:] = 0.0
    for i in range(neurons):
        grad_n, grad_d = load(outer_driving, i), load(outer_conductance, i)
        _add(sums, i, grad_n)
        _add(sums, neurons + i, grad_d)
        for e in range(entry(row, i), entry(row, i + 1)):
            s = load(kept_s, e)
            j = entry(pre, e)
            a_s = fma(grad_n, entry(own, at + 3 * n + e), grad_d) * s
            q = a_s * (1.0 - s)
            _add(sums, at + e, a_s)
            _add(sums, at + n + e, q)
            _add(sums, at + 2 * n + e, q * load(u, j))
            _add(sums, at + 3 * n + e, s * grad_n)
            _add(grad_u, j, q * (entry(own, at + e) * entry(own, at + 2 * n + e)))


@_compiled
def _input_map(c, own, x, features, u):
    at = _input_at(c)
    bias_at = at + _input_weights(c, features)
    for j in range(c.sensory):
        value = splat(own[bias_at + j])
        if c.projected:
            for f in range(features):
                value = fma(load(x, f), own[at + j * features + f], value)
        else:
            value = fma(load(x, j), own[at + j], value)
        store(u, j, value)


@_compiled
def _input_map_backward(c, own, x, features, work, sums, grad_x):
    at = _input_at(c)
    bias_at = at + _input_weights(c, features)
    for j in range(c.sensory):
        grad_u = load(work.grad_u, j)
        _add(sums, bias_at + j, grad_u)
        if c.projected:
            for f in range(features):
                _add(sums, at + j * features + f, grad_u * load(x, f))
                if len(grad_x) > 0:
                    _add(grad_x, f, grad_u * own[at + j * features + f])
        else:
            _add(sums, at + j, grad_u * load(x, j))
            if len(grad_x) > 0:
                store(grad_x, j, grad_u * own[at + j])


@_compiled
def _readout(c, own, features, v, y):
    at = _readout_at(c, features)
    bias_at = at + _readout_weights(c)
    for o in range(c.outputs):
        if c.linear:
            value = splat(own[bias_at + o])
            for m in range(c.motors):
                value = fma(load(v, m), own[at + o * c.motors + m], value)
        else:
            value = fma(load(v, o), own[at + o], own[bias_at + o])
        store(y, o, value)


@_compiled
def _readout_backward(c, own, features, v, grad_y, grad_v, sums):
    at = _readout_at(c, features)
    bias_at = at + _readout_weights(c)
    for o in range(c.outputs):
        grad = load(grad_y, o)
        _add(sums, bias_at + o, grad)
        if c.linear:
            for m in range(c.motors):
                _add(sums, at + o * c.motors + m, grad * load(v, m))
                _add(grad_v, m, grad * own[at + o * c.motors + m])
        else:
            _add(sums, at + o, grad * load(v, o))
            _add(grad_v, o, grad * own[at + o])


@_compiled
def _add(array, i, value):
    store(array, i, load(array, i) + value)


@_compiled
def _finish(c, own, features, sums, grad_own):
    """From sums over time, still one a lane, to the gradients of the candidate's parameters."""
    n = c.neurons
    for i in range(n):
        grad_n, grad_d = total(load(sums, i)), total(load(sums, n + i))
        grad_own[i] = own[n + i] * grad_n + grad_d
        grad_own[n + i] = own[i] * grad_n
        grad_own[2 * n + i] = total(load(sums, 2 * n + i))
    _finish_synapses(own, _synapses_at(c), c.synapses, sums, grad_own)
    _finish_synapses(own, _sensory_at(c), c.sensory_synapses, sums, grad_own)
    for i in range(_input_at(c), _readout_at(c, features) + _readout_size(c)):
        grad_own[i] = total(load(sums, i))


@_compiled
def _finish_synapses(own, at, n, sums, grad_own):
    for e in range(n):
        w, mu, sigma = own[at + e], own[at + n + e], own[at + 2 * n + e]
        sum_q, sum_qv = total(load(sums, at + n + e)), total(load(sums, at + 2 * n + e))
        grad_own[at + e] = total(load(sums, at + e))
        grad_own[at + n + e] = -w * sigma * sum_q
        grad_own[at + 2 * n + e] = w * (sum_qv - mu * sum_q)
        grad_own[at + 3 * n + e] = w * total(load(sums, at + 3 * n + e))
