"""Euler, Heun and RK4, compiled, over any right-hand side (`dispatch.field`), forward and backward.

Backward runs the stages of a time step again, keeping where each was evaluated (z) and what it gave
(slope), then walks them back. With δ = ∂v' and J_s the Jacobian at stage s, from the last stage to
the first:

    ∂slope_s = h b_s δ + h a_{s+1} ∂z_{s+1},   ∂z_s = J_sᵀ ∂slope_s,   ∂v = δ + Σ_s ∂z_s
    ∂h = Σ_s b_s slope_s·δ + a_s slope_{s−1}·∂z_s

Or the adjoint (`kernels.adjoint`, "starts"): from the state at the end of each sub-step, the same
method takes state and adjoint λ together back to its start, dv/dt = f, dλ/dt = −Jᵀλ:

    z_s = v' − h a_s f(z_{s−1}),   λ_s = λ' + h a_s J_{s−1}ᵀ λ_{s−1},
    ∂v = λ' + h Σ_s b_s J_sᵀ λ_s,   ∂h = Σ_s b_s f(z_s)·λ_s
"""

from typing import Any, NamedTuple

import numpy as np

from wiring_search.networks.kernels.cpu.dispatch import (
    advance,
    advance_back,
    field,
    field_back,
    outer,
    outer_back,
    prepare,
    prepare_field,
    stands_behind,
)
from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    aligned_scratch,
    compiled,
    fma,
    load,
    splat,
    store,
)
from wiring_search.networks.neurons.solvers import TABLEAUX


class Stages(NamedTuple):
    """a, b: the tableau. z, slope: one row of neurons a kept stage. v: the state at a sub-step,
    adjoint: λ there. `field`: the scratch of the right-hand side."""

    a: np.ndarray
    b: np.ndarray
    z: np.ndarray
    slope: np.ndarray
    v: np.ndarray
    adjoint: np.ndarray
    grad_slope: np.ndarray
    grad_z: np.ndarray
    field: Any


# Rows: methods by their number of stages. No two of them have the same one.
_MOST = max(tableau.stages for tableau in TABLEAUX.values())
_A, _B = np.zeros((_MOST + 1, _MOST), np.float32), np.zeros((_MOST + 1, _MOST), np.float32)
for _tableau in TABLEAUX.values():
    _A[_tableau.stages, : _tableau.stages], _B[_tableau.stages, : _tableau.stages] = (
        _tableau.a,
        _tableau.b,
    )


@compiled
def _prepare(model, c, edges, params, keep):
    row = c.neurons * LANES
    kept = c.steps * c.stages if keep else 1
    return Stages(
        _A[c.stages].copy(),
        _B[c.stages].copy(),
        aligned_scratch(kept * row),
        aligned_scratch(kept * row),
        aligned_scratch(row),
        aligned_scratch(row),
        aligned_scratch(row),
        aligned_scratch(row),
        prepare_field(model, c, edges, params),
    )


@compiled
def _advance(model, c, edges, params, work, elapsed, u, before, after):
    size = c.neurons * LANES
    after[:size] = before[:size]
    outer(model, c, edges, params, work.field, u)
    _sub_steps(model, c, edges, params, elapsed * np.float32(1.0 / c.steps), work, after, False)


@compiled
def _advance_back(model, c, edges, params, work, elapsed, u, before, grad_v, grad_u, sums):
    size = c.neurons * LANES
    h = elapsed * np.float32(1.0 / c.steps)
    outer(model, c, edges, params, work.field, u)
    work.v[:size] = before[:size]
    _sub_steps(model, c, edges, params, h, work, work.v, True)
    work.field.grad_outer[:] = 0.0
    if c.adjoint:
        grad_h = _adjoint_back(model, c, edges, params, h, work, grad_v, sums)
    else:
        grad_h = _stages_back(model, c, edges, params, h, work, grad_v, sums)
    outer_back(model, c, edges, params, work.field, u, grad_u, sums)
    return grad_h * np.float32(1.0 / c.steps)


@compiled
def _stages_back(model, c, edges, params, h, work, grad_v, sums):
    """Through every stage that was kept. Returns ∂h."""
    n, size = c.neurons, c.neurons * LANES
    grad_h = splat(np.float32(0.0))
    grad_slope, grad_z = work.grad_slope, work.grad_z
    for k in range(c.steps - 1, -1, -1):
        # δ stays in work.v while grad_v gathers δ + Σ ∂z.
        work.v[:size] = grad_v[:size]
        for s in range(c.stages - 1, -1, -1):
            row = (k * c.stages + s) * n
            z, slope = work.z[row * LANES :], work.slope[row * LANES :]
            for i in range(n):
                delta = load(work.v, i)
                grad = h * work.b[s] * delta
                if s < c.stages - 1:
                    grad = fma(h * work.a[s + 1], load(grad_z, i), grad)
                    grad_h = fma(load(slope, i) * work.a[s + 1], load(grad_z, i), grad_h)
                grad_h = fma(load(slope, i) * work.b[s], delta, grad_h)
                store(grad_slope, i, grad)
            field_back(model, c, edges, params, work.field, z, slope, grad_slope, grad_z, sums)
            for i in range(n):
                store(grad_v, i, load(grad_v, i) + load(grad_z, i))
    return grad_h


@compiled
def _adjoint_back(model, c, edges, params, h, work, grad_v, sums):
    """The adjoint equation, sub-step by sub-step, from the state that each ended with. Returns
    ∂h."""
    n, size = c.neurons, c.neurons * LANES
    grad_h = splat(np.float32(0.0))
    grad_slope, grad_z = work.grad_slope, work.grad_z
    for k in range(c.steps - 1, -1, -1):
        # The first row of a sub-step is its start, so that of the next one is the end of this;
        # work.v is the very end. The other rows are free to be written again.
        row = k * c.stages * n
        end = work.v if k == c.steps - 1 else work.z[(row + c.stages * n) * LANES :]
        slope = work.slope[row * LANES :]
        work.adjoint[:size] = grad_v[:size]
        for s in range(c.stages):
            z = end if s == 0 else work.z[(row + s * n) * LANES :]
            for i in range(n):
                adjoint = load(work.adjoint, i)
                if s > 0:  # ∂z of the stage before is h b_{s−1} Jᵀ λ
                    adjoint = fma(load(grad_z, i), work.a[s] / work.b[s - 1], adjoint)
                    store(z, i, load(end, i) - h * work.a[s] * load(slope, i))
                store(grad_slope, i, adjoint)
            field(model, c, edges, params, work.field, z, slope)
            for i in range(n):
                adjoint = load(grad_slope, i) * work.b[s]
                grad_h = fma(load(slope, i), adjoint, grad_h)
                store(grad_slope, i, h * adjoint)
            field_back(model, c, edges, params, work.field, z, slope, grad_slope, grad_z, sums)
            for i in range(n):
                store(grad_v, i, load(grad_v, i) + load(grad_z, i))
    return grad_h


@compiled
def _sub_steps(model, c, edges, params, h, work, v, keep):
    """All sub-steps of one time step on v, in place. Where `keep`, stage s of sub-step k has row
    k·stages + s of work.z and work.slope."""
    n = c.neurons
    for k in range(c.steps):
        for s in range(c.stages):
            row = (k * c.stages + s) * n if keep else 0
            z, slope = work.z[row * LANES :], work.slope[row * LANES :]
            last = work.slope[(row - n) * LANES :] if keep and s > 0 else slope
            for i in range(n):
                # grad_slope serves as the state at the start of the sub-step: v moves on stage by
                # stage.
                if s == 0:
                    store(work.grad_slope, i, load(v, i))
                    store(z, i, load(v, i))
                else:
                    store(z, i, fma(h * work.a[s], load(last, i), load(work.grad_slope, i)))
            field(model, c, edges, params, work.field, z, slope)
            for i in range(n):
                store(v, i, fma(h * work.b[s], load(slope, i), load(v, i)))


def explicit_steps(marker: type) -> type:
    """A decorator for marker classes: what stands behind the marker's slots `field`, … of a
    right-hand side, is integrated by explicit steps."""
    for slot, function in (
        (prepare, _prepare),
        (advance, _advance),
        (advance_back, _advance_back),
    ):
        stands_behind(slot, marker)(function)
    return marker
