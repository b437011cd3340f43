"""One Adam step for a whole pack in Triton: `adam` on the device, one program for each candidate.

Nothing is read back: a candidate whose gradient or loss is not finite is lost, which is noted in
`alive` on the device.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.sequence import expm1

BLOCK = 256


@triton.jit
def _softplus(raw):
    return tl.maximum(raw, 0.0) + _log1p(tl.exp(-tl.abs(raw)))


@triton.jit
def _log1p(u):
    """log(1 + u) for u in 0 … 1: what 1 + u loses of a small u, the quotient gives back."""
    w = 1.0 + u
    return tl.where(w > 1.0, tl.log(w) * (u / tl.where(w > 1.0, w - 1.0, 1.0)), u)


@triton.jit
def _correction(step, BETA: tl.constexpr):
    """1 − β^step. In double precision, as the CPU does: near 1 − 1 it needs its digits."""
    return (1.0 - tl.exp(step * tl.log(tl.full([], BETA, tl.float64)))).to(tl.float32)


@triton.jit(do_not_specialize=["count"])
def effective_of(raw, positive, effective, count, BLOCK: tl.constexpr):
    """softplus where `positive`, written into `effective`.

    Args:
        raw, effective: (count,) float32.
        positive: (count,) int8, 1 or 0.
    """
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    there = i < count
    value = tl.load(raw + i, mask=there, other=0.0)
    kept = tl.load(positive + i, mask=there, other=0) != 0
    tl.store(effective + i, tl.where(kept, _softplus(value), value), mask=there)


@triton.jit
def adam_step(
    starts,
    raw,
    effective,
    positive,
    trained,
    grad,
    first,
    second,
    learning_rates,
    largest_norm,
    step,
    alive,
    BETA1: tl.constexpr,
    BETA2: tl.constexpr,
    TINY: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One step along a pack's gradient, which is clipped and used up.

    One program for each candidate.

    Args:
        starts: (candidates + 1,) int64, where the blocks of parameters start.
        raw, effective, grad: (parameters,) float32.
        positive, trained: (parameters,) int8, 1 or 0; trained is 0 for the pinned zeros.
        first, second: (parameters,) float32, running moments.
        learning_rates: (candidates,) float32.
        largest_norm: to which a candidate's gradient is clipped.
        step: (candidates,) int64, steps done, counted up.
        alive: (candidates,) int32, set to 0 where a gradient is not finite.
    """
    p = tl.program_id(0)
    start, end = tl.load(starts + p), tl.load(starts + p + 1)
    squared = tl.zeros([BLOCK], tl.float64)
    for at in range(start, end, BLOCK):
        i = at + tl.arange(0, BLOCK)
        there = i < end
        g = tl.load(grad + i, mask=there, other=0.0) * tl.load(trained + i, mask=there, other=0)
        kept = tl.load(positive + i, mask=there, other=0) != 0
        # The derivative of softplus, sigmoid(raw), from its value.
        g = tl.where(kept, g * -expm1(-tl.load(effective + i, mask=there, other=0.0)), g)
        tl.store(grad + i, g, mask=there)
        squared += g.to(tl.float64) * g.to(tl.float64)
    total = tl.sum(squared, axis=0)
    goes_on = (tl.load(alive + p) != 0) & (total < float("inf"))  # false for NaN too
    tl.store(alive + p, goes_on.to(tl.int32))
    if goes_on:
        count = tl.load(step + p) + 1
        tl.store(step + p, count)
        counted = count.to(tl.float64)
        correction1 = _correction(counted, BETA1)
        correction2 = _correction(counted, BETA2)
        scale = tl.minimum(1.0, largest_norm / (tl.sqrt(total) + 1e-12)).to(tl.float32)
        rate = tl.load(learning_rates + p)
        for at in range(start, end, BLOCK):
            i = at + tl.arange(0, BLOCK)
            there = i < end
            g = tl.load(grad + i, mask=there, other=0.0) * scale
            m = BETA1 * tl.load(first + i, mask=there, other=0.0) + (1.0 - BETA1) * g
            s = BETA2 * tl.load(second + i, mask=there, other=0.0) + (1.0 - BETA2) * g * g
            value = tl.load(raw + i, mask=there, other=0.0)
            value -= rate * (m / correction1) / (tl.sqrt(s / correction2) + TINY)
            tl.store(first + i, m, mask=there)
            tl.store(second + i, s, mask=there)
            tl.store(raw + i, value, mask=there)
            kept = tl.load(positive + i, mask=there, other=0) != 0
            tl.store(effective + i, tl.where(kept, _softplus(value), value), mask=there)
