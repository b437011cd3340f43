"""Gradients of many weights, compiled: products summed over time, for a stretch of time steps at
once.

The gradient of a weight is Σ_t g_t x_t, one product a time step. Added up step by step, every step
would read and write one vector for each weight, which for dense gates is more than the caches near
a core hold. So what goes into the products, a few vectors a neuron, waits on a tape; and when
STRETCH time steps have come together their products are summed in registers, sixteen sums at a
time: four rows (the heads of a neuron, the gates of a cell) times four columns (what their weights
read).
"""

from typing import NamedTuple

import numpy as np

from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    add,
    aligned_scratch,
    compiled,
    fma,
    load,
    splat,
    store,
)

STRETCH = 16
# One more than STRETCH, so that what a time step writes does not fall on the same few lines of a
# cache.
_SPACING = STRETCH + 1


class Tape(NamedTuple):
    """What waits to be multiplied, along STRETCH time steps.

    Attributes:
        grads: One row per weighted sum.
        values: One column per value that is read.
        filled: (1,) time steps that there are.
    """

    grads: np.ndarray
    values: np.ndarray
    filled: np.ndarray


@compiled
def prepare_tape(rows, columns):
    return Tape(
        aligned_scratch(rows * _SPACING * LANES),
        aligned_scratch(columns * _SPACING * LANES),
        np.zeros(1, np.int64),
    )


@compiled
def note_grad(tape, row, grad):
    """∂ of a weighted sum in this time step, (LANES,), onto the tape."""
    store(tape.grads, row * _SPACING + tape.filled[0], grad)


@compiled
def note_value(tape, column, value):
    """A value that is read in this time step, (LANES,), onto the tape."""
    store(tape.values, column * _SPACING + tape.filled[0], value)


@compiled
def add_products(tape, row, next_row, columns, first, last, sums, at, next_weight):
    """For the four rows row, row + next_row, … and all columns[first:last]: the sum over the tape
    of their products is added to sums[at + e], sums[at + next_weight + e], …, e from first to
    last."""
    e = first
    while e + 4 <= last:
        a, b, c, d = _four_by_four(
            tape, row, next_row, columns[e], columns[e + 1], columns[e + 2], columns[e + 3]
        )
        _add_four(sums, at + e, next_weight, a)
        _add_four(sums, at + e + 1, next_weight, b)
        _add_four(sums, at + e + 2, next_weight, c)
        _add_four(sums, at + e + 3, next_weight, d)
        e += 4
    while e < last:
        _add_four(sums, at + e, next_weight, _four_by_one(tape, row, next_row, columns[e]))
        e += 1


@compiled
def _add_four(sums, at, next_weight, four):
    add(sums, at, four[0])
    add(sums, at + next_weight, four[1])
    add(sums, at + 2 * next_weight, four[2])
    add(sums, at + 3 * next_weight, four[3])


@compiled
def _four_by_one(tape, row, next_row, column):
    grads, values = tape.grads, tape.values
    zero = splat(np.float32(0.0))
    a0, a1, a2, a3 = zero, zero, zero, zero
    at, step, value_at = row * _SPACING, next_row * _SPACING, column * _SPACING
    for t in range(tape.filled[0]):
        value = load(values, value_at + t)
        a0 = fma(load(grads, at + t), value, a0)
        a1 = fma(load(grads, at + step + t), value, a1)
        a2 = fma(load(grads, at + 2 * step + t), value, a2)
        a3 = fma(load(grads, at + 3 * step + t), value, a3)
    return a0, a1, a2, a3


@compiled
def _four_by_four(tape, row, next_row, j0, j1, j2, j3):
    grads, values = tape.grads, tape.values
    zero = splat(np.float32(0.0))
    a0, a1, a2, a3, b0, b1, b2, b3 = zero, zero, zero, zero, zero, zero, zero, zero
    c0, c1, c2, c3, d0, d1, d2, d3 = zero, zero, zero, zero, zero, zero, zero, zero
    at, step = row * _SPACING, next_row * _SPACING
    at_a, at_b, at_c, at_d = j0 * _SPACING, j1 * _SPACING, j2 * _SPACING, j3 * _SPACING
    for t in range(tape.filled[0]):
        g0, g1 = load(grads, at + t), load(grads, at + step + t)
        g2, g3 = load(grads, at + 2 * step + t), load(grads, at + 3 * step + t)
        a, b, c, d = (
            load(values, at_a + t),
            load(values, at_b + t),
            load(values, at_c + t),
            load(values, at_d + t),
        )
        a0, a1, a2, a3 = fma(g0, a, a0), fma(g1, a, a1), fma(g2, a, a2), fma(g3, a, a3)
        b0, b1, b2, b3 = fma(g0, b, b0), fma(g1, b, b1), fma(g2, b, b2), fma(g3, b, b3)
        c0, c1, c2, c3 = fma(g0, c, c0), fma(g1, c, c1), fma(g2, c, c2), fma(g3, c, c3)
        d0, d1, d2, d3 = fma(g0, d, d0), fma(g1, d, d1), fma(g2, d, d2), fma(g3, d, d3)
    return (a0, a1, a2, a3), (b0, b1, b2, b3), (c0, c1, c2, c3), (d0, d1, d2, d3)
