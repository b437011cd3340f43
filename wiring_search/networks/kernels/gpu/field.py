"""Right-hand sides in Triton for explicit solvers, under one name for LTC and for the rate neurons.

    LTC          (N − D v)/C          two sums over a neuron's synapses, N and D of `ltc_gpu`, and its leak C
    CT-RNN       tanh(p) − v/τ        one sum, which is kept as tanh(p), and its leak τ
    neural ODE   tanh(p)              one, and no leak

so what `explicit_gpu` sees is: sums of a neuron, `first` and `second` (twice the same where there
is one), and a leak. The derivatives stand in `ltc_field_cpu` and `rate_cpu`; what runs along
synapses in `ltc_gpu` and `rate_gpu`. NEURON, the kind's name, is known when a kernel is compiled.
Sums are rows of a candidate's own memory, the second ones `apart` numbers behind the first.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu import ltc as ltc_gpu
from wiring_search.networks.kernels.gpu import rate as rate_gpu
from wiring_search.networks.kernels.gpu.sequence import own_rows, tanh, zeros

# How many sums a neuron has.
SUMS = {"ltc": 2, "ct-rnn": 1, "neural-ode": 1}


@triton.jit
def sums_of(NEURON: tl.constexpr):
    return 2 if NEURON == "ltc" else 1


@triton.jit
def numbers_of(NEURON: tl.constexpr):
    """Of a synapse."""
    return 4 if NEURON == "ltc" else 1


@triton.jit
def at_leak(neurons, NEURON: tl.constexpr):
    """Where in a candidate's block; the neural ODE has none, and does not use what it reads."""
    return 2 * neurons if NEURON == "ltc" else 0


@triton.jit
def outer_sums(block, neurons, slices, sensory_edges, values, outer, who, NEURON: tl.constexpr):
    if NEURON == "ltc":
        ltc_gpu.outer_currents(block, neurons, slices, sensory_edges, values, outer, who)
    else:
        biases = block + neurons if NEURON == "ct-rnn" else block
        rate_gpu.outer_drive(biases, slices, sensory_edges, values, outer, who)


@triton.jit
def inner_sums(edges, slice_, i, neurons, z, outer, who, NEURON: tl.constexpr):
    """The sums of a slice's rows i from all rows of z; twice the same where there is one."""
    if NEURON == "ltc":
        driving, conductance = (
            tl.load(own_rows(outer, i, who)),
            tl.load(own_rows(outer, neurons + i, who)),
        )
        return ltc_gpu.currents(edges, slice_, z, driving, conductance, who)
    else:
        rise = tanh(rate_gpu.weighted(edges, slice_, z, tl.load(own_rows(outer, i, who)), who))
        return rise, rise


@triton.jit
def load_sums(kept, apart, i, who, NEURON: tl.constexpr):
    """Two sums, of which the second lies `apart`."""
    first = tl.load(own_rows(kept, i, who))
    return first, tl.load(own_rows(kept + apart, i, who)) if sums_of(NEURON) == 2 else first


@triton.jit
def store_sums(kept, apart, i, first, second, here, who, NEURON: tl.constexpr):
    tl.store(own_rows(kept, i, who), first, mask=here)
    if sums_of(NEURON) == 2:
        tl.store(own_rows(kept + apart, i, who), second, mask=here)


@triton.jit
def slope_of(first, second, z, leak, NEURON: tl.constexpr):
    if NEURON == "ltc":
        return (first - second * z) / leak
    elif NEURON == "ct-rnn":
        return first - z / leak
    else:
        return first


@triton.jit
def slope_back(first, second, z, leak, slope, grad, NEURON: tl.constexpr):
    """∂ of the sums, ∂z and ∂leak, without what goes by way of synapses."""
    if NEURON == "ltc":
        grad_n = grad / leak
        return grad_n, -grad_n * z, -grad_n * second, -grad_n * slope
    else:
        grad_p = grad * (1.0 - first * first)
        if NEURON == "ct-rnn":
            of_z = -grad / leak
            return grad_p, grad_p, of_z, -of_z * z / leak
        else:
            return grad_p, grad_p, 0.0 * grad, 0.0 * grad


@triton.jit
def leaving(edges, slice_, j, values, kept, apart, who, NEURON: tl.constexpr):
    """What the synapses that leave rows j, a slice, carry back to them. kept: rows of the ∂ of
    sums."""
    if NEURON == "ltc":
        return ltc_gpu.leaving(
            edges, slice_, tl.load(own_rows(values, j, who)), kept, kept + apart, who
        )
    else:
        return rate_gpu.weighted(edges, slice_, kept, zeros(who), who)


@triton.jit
def gather(edges, slice_, i, values, kept, apart, row, repeats, sums, who, NEURON: tl.constexpr):
    """The gradients of the synapses onto rows i, a slice, over evaluations."""
    if NEURON == "ltc":
        ltc_gpu.gather(edges, slice_, i, values, kept, kept + apart, row, repeats, sums, who)
    else:
        rate_gpu.gather(edges, slice_, i, values, kept, row, repeats, sums, who)


@triton.jit
def own_back(
    block, grad_block, i, real, neurons, of_first, of_second, of_leak, NEURON: tl.constexpr
):
    """The gradients of the numbers that rows i have of their own. of_first, of_second: of their
    outer sums."""
    if NEURON == "ltc":
        gleak, vleak = tl.load(block + i), tl.load(block + neurons + i)
        tl.store(grad_block + i, vleak * of_first + of_second, mask=real)
        tl.store(grad_block + neurons + i, gleak * of_first, mask=real)
        tl.store(grad_block + 2 * neurons + i, of_leak, mask=real)
    elif NEURON == "ct-rnn":
        tl.store(grad_block + i, of_leak, mask=real)
        tl.store(grad_block + neurons + i, of_first, mask=real)
    else:
        tl.store(grad_block + i, of_first, mask=real)
