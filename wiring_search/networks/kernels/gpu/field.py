"""Right-hand sides in Triton for explicit solvers, under one name for LTC and for the rate neurons.

    LTC          (N − D v)/C     two sums over a neuron's synapses, N and D of `gpu.ltc`; its leak C
    CT-RNN       tanh(p) − v/τ   one sum, which is kept as tanh(p); its leak τ
    neural ODE   tanh(p)         one, and no leak

so what `gpu.explicit` sees is: sums of a neuron, `first` and `second` (twice the same where there
is one), and a leak. The derivatives stand in `cpu.ltc_field` and `cpu.rate`; what runs along
synapses in `gpu.ltc` and `gpu.rate`. FORM, the line of this table, is known when a kernel is
compiled.
Sums are rows of a program's memory, the second ones `apart` numbers behind the first.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu import ltc, rate
from wiring_search.networks.kernels.gpu.sequence import scratch_at, tanh, zeros
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.rate import LEAKY as _LEAKY
from wiring_search.wirings.kinds import KINDS, Family

# LTC; a rate neuron with a leak (CT-RNN), without one (neural ODE).
LTC, LEAKY, LEAKLESS = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)


def form_of(neuron: str) -> int:
    """The form of a kind's right-hand side: the value of LTC, LEAKY or LEAKLESS."""
    if KINDS[neuron].family is Family.LTC:
        return LTC.value
    return LEAKY.value if NEURONS[neuron].variant == _LEAKY else LEAKLESS.value


@triton.jit
def sums_of(FORM: tl.constexpr):
    """How many sums a neuron has; on the host too, by `.fn`."""
    return 2 if FORM == LTC else 1


@triton.jit
def at_leak(neurons, FORM: tl.constexpr):
    """Where in a candidate's block; the neural ODE has none, and does not use what it reads."""
    return 2 * neurons if FORM == LTC else 0


@triton.jit
def outer_sums(block, neurons, slices, sensory_edges, values, outer, lanes, FORM: tl.constexpr):
    """What stays during a time step, sums_of(FORM) · N rows of `outer`. values: rows, sensory."""
    if FORM == LTC:
        ltc.outer_currents(block, neurons, slices, sensory_edges, values, outer, lanes)
    else:
        biases = block + neurons if FORM == LEAKY else block
        rate.outer_drive(biases, slices, sensory_edges, values, outer, lanes)


@triton.jit
def inner_sums(edges, slice_, i, neurons, z, outer, lanes, FORM: tl.constexpr):
    """The sums of rows i from all rows of z, two (ROWS, LANES); the same twice where there is 1."""
    if FORM == LTC:
        driving = tl.load(scratch_at(outer, i, lanes))
        conductance = tl.load(scratch_at(outer, neurons + i, lanes))
        return ltc.currents(edges, slice_, z, driving, conductance, lanes)
    else:
        drive = tl.load(scratch_at(outer, i, lanes))
        rise = tanh(rate.weighted(edges, slice_, z, drive, lanes))
        return rise, rise


@triton.jit
def load_sums(kept, apart, i, lanes, FORM: tl.constexpr):
    """The sums of rows i, two (ROWS, LANES), of which the second lies `apart`."""
    first = tl.load(scratch_at(kept, i, lanes))
    return first, tl.load(scratch_at(kept + apart, i, lanes)) if sums_of(FORM) == 2 else first


@triton.jit
def store_sums(kept, apart, i, first, second, here, lanes, FORM: tl.constexpr):
    """The sums of rows i, two (ROWS, LANES), the second one `apart`. here: (ROWS, 1) bool."""
    tl.store(scratch_at(kept, i, lanes), first, mask=here)
    if sums_of(FORM) == 2:
        tl.store(scratch_at(kept + apart, i, lanes), second, mask=here)


@triton.jit
def slope_of(first, second, z, leak, FORM: tl.constexpr):
    """dv/dt, (ROWS, LANES), from the sums and z, (ROWS, LANES), and the leak, (ROWS, 1)."""
    if FORM == LTC:
        return (first - second * z) / leak
    elif FORM == LEAKY:
        return first - z / leak
    else:
        return first


@triton.jit
def slope_back(first, second, z, leak, slope, grad, FORM: tl.constexpr):
    """∂ of the sums, ∂z and ∂leak, four (ROWS, LANES), without what goes by way of synapses."""
    if FORM == LTC:
        grad_n = grad / leak
        return grad_n, -grad_n * z, -grad_n * second, -grad_n * slope
    else:
        grad_p = grad * (1.0 - first * first)
        if FORM == LEAKY:
            of_z = -grad / leak
            return grad_p, grad_p, of_z, -of_z * z / leak
        else:
            return grad_p, grad_p, 0.0 * grad, 0.0 * grad


@triton.jit
def leaving(edges, slice_, j, values, kept, apart, lanes, FORM: tl.constexpr):
    """What the synapses that leave rows j carry back, (ROWS, LANES). kept: rows of ∂ of sums."""
    if FORM == LTC:
        v = tl.load(scratch_at(values, j, lanes))
        return ltc.leaving(edges, slice_, v, kept, kept + apart, lanes)
    else:
        return rate.weighted(edges, slice_, kept, zeros(), lanes)


@triton.jit
def gather(edges, slice_, i, values, kept, apart, row, repeats, sums, lanes, FORM: tl.constexpr):
    """Adds the gradients of the synapses onto rows i, over `repeats` evaluations, to `sums`."""
    if FORM == LTC:
        ltc.gather(edges, slice_, i, values, kept, kept + apart, row, repeats, sums, lanes)
    else:
        rate.gather(edges, slice_, i, values, kept, row, repeats, sums, lanes)


@triton.jit
def numbers_back(
    block, grad_block, i, real, neurons, of_first, of_second, of_leak, FORM: tl.constexpr
):
    """The gradients of the neurons' numbers, of rows i.

    Args:
        block, grad_block: pointers to the neurons' parameters and their ∂.
        of_first, of_second, of_leak: (ROWS,), ∂ of their outer sums and of their leak.
    """
    if FORM == LTC:
        gleak, vleak = tl.load(block + i), tl.load(block + neurons + i)
        tl.store(grad_block + i, vleak * of_first + of_second, mask=real)
        tl.store(grad_block + neurons + i, gleak * of_first, mask=real)
        tl.store(grad_block + 2 * neurons + i, of_leak, mask=real)
    elif FORM == LEAKY:
        tl.store(grad_block + i, of_leak, mask=real)
        tl.store(grad_block + neurons + i, of_first, mask=real)
    else:
        tl.store(grad_block + i, of_first, mask=real)
