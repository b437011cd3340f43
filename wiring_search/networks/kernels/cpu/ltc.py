"""LTC, compiled: one time step of a candidate on one tile of sixteen samples, forward and backward.

Sixteen samples are one vector (`simd`), every synapse costs one sigmoid a sub-step, and nothing is
ever dense.

Backward runs the sub-steps of a time step again from the kept state, with every sigmoid written to
a cache-sized scratch, then goes back through them twice: once along the outgoing synapses of each
neuron, which carries the gradient to the sub-step before, and once along the incoming ones, which
gathers the gradients of the synapses over all sub-steps in registers.

With N, D the summed currents of `neurons.ltc`, leak included, and δ = ∂L/∂v', the semi-implicit
step v' = A/Q, A = C v + h N, Q = C + h D gives

    ∂A = δ/Q   ∂Q = −∂A·v'   ∂N = h·∂A   ∂D = h·∂Q   ∂v += C·∂A
    γ = ∂A (N − D v)/Q:   ∂C −= h γ   ∂h += C γ

(∂C = ∂A·v + ∂Q and ∂h = ∂A·N + ∂Q·D would be differences of nearly equal numbers where h is small),

the closed form v' = v e + R (1 − e), R = N/D, e = exp(−r), r = h D/C, one "sub-step" of the whole
interval, gives (1 − e as −expm1(−r), (1 − e)/r − e by `_excess`, so that small r keep their digits)

    ∂v += δ·e   ∂N = δ (1 − e)/D   ∂D = −δ h/C (v e + R ((1 − e)/r − e))
    ∂r = −δ (v − R) e:   ∂C += −∂r·r/C   ∂h += ∂r·D/C

and in both each synapse, s its sigmoid:

    a = ∂N·E + ∂D,  q = a·s(1 − s)
    ∂w += a·s   ∂E += w·s·∂N   ∂σ += w·q·(v − μ)   ∂μ −= w·σ·q   ∂v_pre += w·σ·q

In the names below `driving` is N and `conductance` D; `outer` is the part that stays during a time
step; `params` is the candidate's block of the flat parameter vector, `c` its record in the layout's
table.
"""

from typing import NamedTuple

import numpy as np

from wiring_search.networks.kernels.cpu.dispatch import (
    advance,
    advance_back,
    finish,
    new_state,
    new_state_back,
    prepare,
    solves,
    stands_behind,
)
from wiring_search.networks.kernels.cpu.explicit import explicit_steps
from wiring_search.networks.kernels.cpu.ltc_synapses import (
    finish_synapses,
    prepare_ltc,
    sensory_at,
    sensory_back,
    sensory_currents,
    synapses_at,
)
from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    add,
    compiled,
    entry,
    exp_expm1,
    fma,
    load,
    logistic2,
    splat,
    store,
    total,
    where_positive,
)
from wiring_search.wirings.kinds import CLOSED_FORM, EXPLICIT, Family


@solves(Family.LTC, "semi-implicit")
class SemiImplicitLtc(NamedTuple):
    tag: int = 0


@solves(Family.LTC, CLOSED_FORM)
class ClosedFormLtc(NamedTuple):
    tag: int = 0


@explicit_steps
@solves(Family.LTC, *EXPLICIT)
class ExplicitLtc(NamedTuple):
    tag: int = 0


stands_behind(prepare, SemiImplicitLtc, ClosedFormLtc)(prepare_ltc)


@stands_behind(advance, SemiImplicitLtc, ClosedFormLtc)
@compiled
def _advance(model, c, edges, params, work, elapsed, u, before, after):
    size = c.neurons * LANES
    work.v[:size] = before[:size]
    sensory_currents(c, edges, params, work, u)
    _sub_steps(model, c, edges, params, elapsed * np.float32(1.0 / c.steps), work, False)
    last = c.steps % 2
    after[:size] = work.v[last * size : (last + 1) * size]


@stands_behind(advance_back, SemiImplicitLtc, ClosedFormLtc)
@compiled
def _advance_back(model, c, edges, params, work, elapsed, u, before, grad_v, grad_u, sums):
    size = c.neurons * LANES
    work.v[:size] = before[:size]
    h = elapsed * np.float32(1.0 / c.steps)
    sensory_currents(c, edges, params, work, u)
    _sub_steps(model, c, edges, params, h, work, True)
    grad_h = _sub_steps_back(model, c, edges, params, h, work, grad_v, sums)
    _gather_incoming(c, edges, params, work, sums)
    sensory_back(c, edges, params, work, u, grad_u, sums)
    return grad_h * np.float32(1.0 / c.steps)


@stands_behind(new_state, SemiImplicitLtc)
@compiled
def _semi_implicit(model, v, driving, conductance, cm, h):
    return fma(h, driving, v * cm) / fma(h, conductance, cm)


@stands_behind(new_state_back, SemiImplicitLtc)
@compiled
def _semi_implicit_back(model, v, new, driving, conductance, cm, h, delta):
    """∂v, ∂driving, ∂conductance, ∂C, ∂h."""
    inverse = 1.0 / fma(h, conductance, cm)
    grad_a = delta * inverse
    grad_n = h * grad_a
    gamma = grad_a * inverse * (driving - conductance * v)
    return grad_a * cm, grad_n, 0.0 - grad_n * new, 0.0 - h * gamma, gamma * cm


@stands_behind(new_state, ClosedFormLtc)
@compiled
def _closed_form(model, v, driving, conductance, cm, h):
    decay, minus_approach = exp_expm1(0.0 - h * conductance / cm)
    return v * decay - driving / conductance * minus_approach


@stands_behind(new_state_back, ClosedFormLtc)
@compiled
def _closed_form_back(model, v, new, driving, conductance, cm, h, delta):
    """∂v, ∂driving, ∂conductance, ∂C, ∂h."""
    resting, rate = driving / conductance, conductance / cm
    r = h * rate
    decay, minus_approach = exp_expm1(0.0 - r)
    grad_v = delta * decay
    grad_r = grad_v * (resting - v)
    held = fma(v, decay, resting * _excess(r, decay, minus_approach))
    return (
        grad_v,
        0.0 - delta * minus_approach / conductance,
        0.0 - delta * (h / cm) * held,
        0.0 - grad_r * r / cm,
        grad_r * rate,
    )


@compiled
def _excess(r, decay, minus_approach):
    """(1 − e)/r − e, with e = exp(−r): r/2 − r²/3 + r³/8 − …

    Below r = 1, where the difference would lose its digits, a least-maximum fit with relative error
    2e-7.
    """
    small = fma(r, np.float32(-0.0007679767441004515), np.float32(0.006494380068033934))
    small = fma(r, small, np.float32(-0.03310134634375572))
    small = fma(r, small, np.float32(0.12494444102048874))
    small = fma(r, small, np.float32(-0.33332833647727966))
    small = fma(r, small, np.float32(0.49999991059303284)) * r
    return where_positive(r - 1.0, 0.0 - minus_approach / r - decay, small)


@compiled
def _sub_steps(model, c, edges, params, h, work, keep):
    """All sub-steps of one time step, from the state at the start of work.v to the state at its
    end.

    Where `keep`, sub-step k reads row k of work.v and writes row k + 1, and its sigmoids and sums
    stay in row k of theirs; otherwise two rows take turns.
    """
    neurons, synapses, steps, constants = c.neurons, c.synapses, c.steps, work.inner_constants
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
                s = logistic2(
                    fma(
                        load(before, entry(pre, e)),
                        entry(constants, 4 * e),
                        entry(constants, 4 * e + 1),
                    )
                )
                conductance = fma(s, entry(constants, 4 * e + 2), conductance)
                driving = fma(s, entry(constants, 4 * e + 3), driving)
                if keep:
                    store(kept_s, k * synapses + e, s)
            if keep:
                store(kept_driving, k * neurons + i, driving)
                store(kept_conductance, k * neurons + i, conductance)
            store(
                after,
                i,
                new_state(
                    model, load(before, i), driving, conductance, entry(params, 2 * neurons + i), h
                ),
            )


@compiled
def _sub_steps_back(model, c, edges, params, h, work, grad_v, sums):
    """From ∂v at the end of a time step to ∂v at its start; ∂N and ∂D of every sub-step stay in
    work. Returns ∂h."""
    neurons, synapses, steps, outgoing = c.neurons, c.synapses, c.steps, work.outgoing_constants
    row, out_edge, out_post = (
        edges.out_row[c.at_row :],
        edges.out_edge[c.at_edge :],
        edges.out_post[c.at_edge :],
    )
    v, kept_s, kept_driving, kept_conductance = work.v, work.s, work.driving, work.conductance
    grad_h = splat(np.float32(0.0))
    for k in range(steps - 1, -1, -1):
        grad_driving = work.grad_driving[k * neurons * LANES :]
        grad_conductance = work.grad_conductance[k * neurons * LANES :]
        sigmoids = kept_s[k * synapses * LANES :]
        for i in range(neurons):
            driving, conductance = (
                load(kept_driving, k * neurons + i),
                load(kept_conductance, k * neurons + i),
            )
            old, new = load(v, k * neurons + i), load(v, (k + 1) * neurons + i)
            cm, delta = entry(params, 2 * neurons + i), load(grad_v, i)
            grad_old, grad_n, grad_d, grad_cm, more = new_state_back(
                model, old, new, driving, conductance, cm, h, delta
            )
            store(grad_v, i, grad_old)
            store(grad_driving, i, grad_n)
            store(grad_conductance, i, grad_d)
            add(sums, 2 * neurons + i, grad_cm)
            grad_h = grad_h + more
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


@compiled
def _gather_incoming(c, edges, params, work, sums):
    """Σ a·s, Σ q, Σ q·v, Σ s·∂N of each synapse over the sub-steps of one time step (`_finish`
    makes gradients of them).

    On the way, ∂N and ∂D summed over the sub-steps, for the leak and the sensory synapses.
    """
    neurons, synapses, steps = c.neurons, c.synapses, c.steps
    row, pre = edges.row[c.at_row :], edges.pre[c.at_edge :]
    v, kept_s, grad_driving, grad_conductance = (
        work.v,
        work.s,
        work.grad_driving,
        work.grad_conductance,
    )
    outer_driving, outer_conductance = work.grad_outer_driving, work.grad_outer_conductance
    at = synapses_at(c)
    zero = splat(np.float32(0.0))
    for i in range(neurons):
        sum_n, sum_d = zero, zero
        for k in range(steps):
            sum_n = sum_n + load(grad_driving, k * neurons + i)
            sum_d = sum_d + load(grad_conductance, k * neurons + i)
        store(outer_driving, i, sum_n)
        store(outer_conductance, i, sum_d)
        for e in range(entry(row, i), entry(row, i + 1)):
            erev = splat(entry(params, at + 3 * synapses + e))
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
            add(sums, at + e, sum_as)
            add(sums, at + synapses + e, sum_q)
            add(sums, at + 2 * synapses + e, sum_qv)
            add(sums, at + 3 * synapses + e, sum_sn)


@stands_behind(finish, SemiImplicitLtc, ClosedFormLtc, ExplicitLtc)
@compiled
def _finish(model, c, edges, params, work, sums, grad_params):
    n = c.neurons
    for i in range(n):
        grad_n, grad_d = total(load(sums, i)), total(load(sums, n + i))
        grad_params[i] = params[n + i] * grad_n + grad_d
        grad_params[n + i] = params[i] * grad_n
        grad_params[2 * n + i] = total(load(sums, 2 * n + i))
    finish_synapses(params, synapses_at(c), c.synapses, sums, grad_params)
    finish_synapses(params, sensory_at(c), c.sensory_synapses, sums, grad_params)
