"""Right-hand side of the rate neurons (CT-RNN, neural ODE; `neurons.rate`) in Triton, for
`explicit_gpu`.

The arithmetic is that of `rate_cpu`, where the derivatives stand. A synapse has one number, its
weight, and costs one multiplication and addition in each of the three walks along it: onto a
neuron, back along those that leave it, and for its own gradient. A list of edges is as in
`ltc_gpu`, its constants are w.

A candidate's block: [τ] b | w | sensory w.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.sequence import ROWS, add, own_rows, rows_of, zeros


@triton.jit
def weighted(edges, slice_, values, total, who):
    """Adds Σ w·value over the synapses of a slice's rows: values that reach a neuron, or gradients
    that come back to it."""
    start, width, other, constants, _ = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        total += (
            tl.load(own_rows(values, tl.load(other + edge), who))
            * tl.load(constants + edge)[:, None]
        )
    return total


@triton.jit
def outer_drive(biases, slices, sensory_edges, values, outer, who):
    """Bias and sensory synapses: what stays during a time step. outer: N rows."""
    rows, first, end = slices
    for slice_ in range(first, end):
        i, real = rows_of(rows, slice_)
        drive = weighted(
            sensory_edges, slice_, values, zeros(who) + tl.load(biases + i)[:, None], who
        )
        tl.store(own_rows(outer, i, who), drive, mask=real[:, None])


@triton.jit
def gather(edges, slice_, i, values, drive, row, repeats, sums, who):
    """For the synapses onto rows i, a slice, over `repeats` evaluations whose rows lie `row`
    numbers apart: Σ ∂p·value is added to `sums`, (places,). drive: rows of ∂p."""
    start, width, other, _, _ = edges
    first = tl.load(start + slice_) + tl.arange(0, ROWS)
    for k in range(tl.load(width + slice_)):
        edge = first + k * ROWS
        j = tl.load(other + edge)
        total = zeros(who)
        for r in range(repeats):
            total += tl.load(own_rows(drive + r * row, i, who)) * tl.load(
                own_rows(values + r * row, j, who)
            )
        add(sums + edge, tl.sum(total, axis=1), edge >= 0)
