"""Right-hand side of the rate neurons (CT-RNN, neural ODE) in Triton, for `gpu.explicit`.

The arithmetic is that of `cpu.rate`, where the derivatives stand. A synapse has one number, its
weight, and costs one multiplication and addition in each of the three walks along it: onto a
neuron, back along those that leave it, and for the gradient of its weight. A list of edges is as in
`gpu.ltc`; its constants are w.

A candidate's block: [τ] b | w | sensory w.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.sequence import ROWS, add, rows_of, scratch_at, zeros


@triton.jit
def weighted(edges, slice_, values, total, lanes):
    """Adds Σ w·value over the synapses of a slice's rows to `total`, (ROWS, LANES).

    values: rows that reach a neuron, or rows of gradients that come back to it.
    """
    start, width, other, constants, _ = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        value = tl.load(scratch_at(values, tl.load(other + edge), lanes))
        total += value * tl.load(constants + edge)[:, None]
    return total


@triton.jit
def outer_drive(biases, slices, sensory_edges, values, outer, lanes):
    """Bias and sensory synapses, which stay during a time step: N rows of `outer`."""
    for slice_ in range(slices.first, slices.end):
        i, real = rows_of(slices, slice_)
        bias = zeros() + tl.load(biases + i)[:, None]
        drive = weighted(sensory_edges, slice_, values, bias, lanes)
        tl.store(scratch_at(outer, i, lanes), drive, mask=real[:, None])


@triton.jit
def gather(edges, slice_, i, values, drive, row, repeats, sums, lanes):
    """What the synapses onto a slice gather: Σ ∂p·value is added to `sums`, (slots,).

    Args:
        i: (ROWS,) the rows of the slice.
        values, drive: rows that they read, and of ∂p, the first of `repeats` that lie `row`
            numbers apart.
    """
    start, width, other, _, _ = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        j = tl.load(other + edge)
        total = zeros()
        for r in range(repeats):
            of_drive = tl.load(scratch_at(drive + r * row, i, lanes))
            total += of_drive * tl.load(scratch_at(values + r * row, j, lanes))
        add(sums + edge, tl.sum(total, axis=1), edge >= 0)
