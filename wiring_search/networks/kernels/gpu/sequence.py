"""What Triton kernels of all kinds of neuron share: rows of lanes, the input map and the readout.

A program works on one candidate and one tile of LANES samples: its `Share` of the launch. What it
works in is a separate piece of memory, rows of LANES float32 numbers (`scratch_at`); arrays that
programs share, such as inputs and readouts, have the batch last (`shared_at`). `params` is the flat
vector of all parameters.
"""

from typing import NamedTuple

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.layout import COLUMNS as _COLUMNS
from wiring_search.networks.kernels.gpu.layout import LANES as _LANES
from wiring_search.networks.kernels.gpu.layout import ROWS as _ROWS

# Arguments that are numbers. Triton would compile a kernel anew for those that are 1, and for those
# that 16 divides.
SIZES = ("batch", "tiles", "time_steps", "features", "shown", "outputs", "parameters")

LANES = tl.constexpr(_LANES)
ROWS = tl.constexpr(_ROWS)
# A constant, so that it is a part of what Triton's cache knows a kernel by.
COLUMNS = tl.constexpr(_COLUMNS)
WIDTH = tl.constexpr(len(_COLUMNS))
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)
MINUS_LOG2_E = tl.constexpr(-1.4426950408889634)


class Lanes(NamedTuple):
    """The samples of a program, one in each lane.

    lane, sample: (LANES,) int32, its number and its index in the batch. inside: (LANES,) bool,
    whether the batch has such a sample. batch: samples of the whole batch.
    """

    lane: tl.tensor
    sample: tl.tensor
    inside: tl.tensor
    batch: tl.tensor


class Slices(NamedTuple):
    """Slices of rows: their `members`, the first slice, and the one behind the last."""

    members: tl.tensor
    first: tl.tensor
    end: tl.tensor


class Share(NamedTuple):
    """What one program works on: a candidate, its sizes, and where its parameters and states start.

    record: pointer to the candidate's row of `GpuLayout.table`. tile, tiles: of the batch. steps:
    sub-steps of a time step. projected: whether the input map is a projection. at_params, at_input,
    at_output, at_memory: positions in the flat parameters; at_state: rows of all states before this
    candidate's. time_steps, features, shown, outputs: of the launch; `shown` of the last time steps
    are read out.
    """

    candidate: tl.tensor
    tile: tl.tensor
    tiles: tl.tensor
    record: tl.tensor
    neurons: tl.tensor
    sensory: tl.tensor
    motors: tl.tensor
    cells: tl.tensor
    steps: tl.tensor
    projected: tl.tensor
    at_params: tl.tensor
    at_input: tl.tensor
    at_output: tl.tensor
    at_memory: tl.tensor
    at_state: tl.tensor
    time_steps: tl.tensor
    features: tl.tensor
    shown: tl.tensor
    outputs: tl.tensor
    lanes: Lanes


@triton.constexpr_function
def index_of(name, names):
    """The index of a name among others: a number when a kernel is compiled."""
    return names.index(name)


@triton.jit
def column(record, NAME: tl.constexpr):
    """What a candidate's row of the table says, int64. NAME: of `gpu.layout.COLUMNS`."""
    return tl.load(record + index_of(NAME, COLUMNS))


@triton.jit
def slices_of(record, NAME: tl.constexpr, members):
    """A candidate's slices, by the column of its first one; the next candidate's ends them."""
    start, end = column(record, NAME), column(record + WIDTH, NAME)
    return Slices(members, start.to(tl.int32), end.to(tl.int32))


@triton.jit
def layer_of(record, layer, members):
    """The slices of a layer. layer: 0 for the one swept last."""
    start, end = column(record + layer, "at_last"), column(record + layer + 1, "at_last")
    return Slices(members, start.to(tl.int32), end.to(tl.int32))


@triton.jit
def share_of(table, batch, tiles, time_steps, features, shown, outputs):
    """The share of the program that asks."""
    candidate, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    record = table + candidate * WIDTH
    lane = tl.arange(0, LANES)
    sample = tile * LANES + lane
    return Share(
        candidate=candidate,
        tile=tile,
        tiles=tiles,
        record=record,
        neurons=column(record, "neurons").to(tl.int32),
        sensory=column(record, "sensory").to(tl.int32),
        motors=column(record, "motors").to(tl.int32),
        cells=column(record, "cells").to(tl.int32),
        steps=column(record, "steps").to(tl.int32),
        projected=column(record, "projected"),
        at_params=column(record, "at_params"),
        at_input=column(record, "at_input"),
        at_output=column(record, "at_output"),
        at_memory=column(record, "at_memory"),
        at_state=column(record, "at_state"),
        time_steps=time_steps,
        features=features,
        shown=shown,
        outputs=outputs,
        lanes=Lanes(lane, sample, sample < batch, batch),
    )


@triton.jit
def rows_of(slices, slice_):
    """The rows of a slice, and which of them there are."""
    member = tl.load(slices.members + slice_ * ROWS + tl.arange(0, ROWS))
    return tl.maximum(member, 0), member >= 0


@triton.jit
def block_of(index, count):
    """Rows index·ROWS …, where there is no list of them, and which of them there are."""
    row = index * ROWS + tl.arange(0, ROWS)
    return tl.minimum(row, count - 1), row < count


@triton.jit
def slots_of(edges):
    """How many slots a list of edges has: numbers between two of its constants, or of its sums."""
    _, _, _, _, slots = edges
    return slots


@triton.jit
def scratch_at(base, row, lanes):
    """Pointers to rows of a program's memory, (ROWS, LANES)."""
    return base + row[:, None] * LANES + lanes.lane[None, :]


@triton.jit
def shared_at(base, row, lanes):
    """Pointers to rows of an array that has the batch last, (ROWS, LANES)."""
    return base + row[:, None] * lanes.batch + lanes.sample[None, :]


@triton.jit
def load_shared(base, row, lanes):
    """0 in lanes without a sample."""
    return tl.load(shared_at(base, row, lanes), mask=lanes.inside[None, :], other=0.0)


@triton.jit
def zeros():
    """(ROWS, LANES)."""
    return tl.zeros([ROWS, LANES], tl.float32)


@triton.jit
def take_rows(shared, at, count, states, lanes):
    """From an array that has the batch last, rows `at` …, to a program's rows."""
    for block in range(tl.cdiv(count, ROWS)):
        i, real = block_of(block, count)
        values = load_shared(shared, at + i, lanes)
        tl.store(scratch_at(states, i, lanes), values, mask=real[:, None])


@triton.jit
def give_rows(states, shared, at, count, lanes):
    """From a program's rows to rows `at` … of an array that has the batch last."""
    for block in range(tl.cdiv(count, ROWS)):
        i, real = block_of(block, count)
        there = real[:, None] & lanes.inside[None, :]
        values = tl.load(scratch_at(states, i, lanes))
        tl.store(shared_at(shared, at + i, lanes), values, mask=there)


@triton.jit
def copy_rows(source, target, count, lanes):
    """Rows of a program's memory to others there."""
    for block in range(tl.cdiv(count, ROWS)):
        i, real = block_of(block, count)
        values = tl.load(scratch_at(source, i, lanes))
        tl.store(scratch_at(target, i, lanes), values, mask=real[:, None])


@triton.jit
def add(pointer, values, real):
    """Adds `values` where `real` to memory; pointer, values and real have one shape."""
    tl.store(pointer, tl.load(pointer, mask=real, other=0.0) + values, mask=real)


@triton.jit
def reciprocal(x):
    """Of x ≥ 1, to one unit in the last place; 0 for infinity.

    A division costs a GPU four instructions more.
    """
    if INTERPRETED:
        return 1.0 / x
    else:
        return tl.inline_asm_elementwise(
            "rcp.approx.ftz.f32 $0, $1;", "=f,f", [x], dtype=tl.float32, is_pure=True, pack=1
        )


@triton.jit
def logistic2(x):
    """1 / (1 + 2^x)."""
    return reciprocal(1.0 + tl.exp2(x))


@triton.jit
def logistic(x):
    return logistic2(x * MINUS_LOG2_E)


@triton.jit
def tanh(x):
    """From E = e^2x − 1 as E/(E + 2), so that small x keep their digits."""
    above_one = expm1(2.0 * x)
    return above_one * reciprocal(above_one + 2.0)


@triton.jit
def _powers(x):
    """2^n and 2^f − 1, where x·log2 e = n + f, n whole and |f| ≤ ½; NaN stays NaN.

    (2^f − 1)/f is that of `cpu.simd`.
    """
    t = x * -MINUS_LOG2_E
    t = tl.where(t > 126.0, 126.0, t)  # a comparison with NaN is false
    t = tl.where(t < -126.0, -126.0, t)
    n = tl.floor(t + 0.5)
    f = t - n
    p = f * 0.00015398397226817906 + 0.0013387766666710377
    p = f * p + 0.009618247859179974
    p = f * p + 0.055503666400909424
    p = f * p + 0.24022649228572845
    p = f * p + 0.6931471824645996
    return tl.exp2(n), f * p


@triton.jit
def exp_expm1(x):
    """e^x and e^x − 1, both relatively right."""
    power, rest = _powers(x)
    return power * rest + power, power * rest + (power - 1.0)


@triton.jit
def expm1(x):
    """e^x − 1, relatively right."""
    return exp_expm1(x)[1]


@triton.jit
def sensory_values(params, share, x_now, values):
    """The input map. x_now: (features, batch); values: rows to fill, one for each sensory node."""
    lanes, at_input, sensory = share.lanes, share.at_input, share.sensory
    for block in range(tl.cdiv(sensory, ROWS)):
        j, real = block_of(block, sensory)
        if share.projected != 0:
            u = zeros() + tl.load(params + at_input + sensory * share.features + j)[:, None]
            for f in range(share.features):
                x = tl.load(x_now + f * lanes.batch + lanes.sample, mask=lanes.inside, other=0.0)
                u += tl.load(params + at_input + j * share.features + f)[:, None] * x[None, :]
        else:
            u = load_shared(x_now, j, lanes) * tl.load(params + at_input + j)[:, None]
            u += tl.load(params + at_input + sensory + j)[:, None]
        tl.store(scratch_at(values, j, lanes), u, mask=real[:, None])


@triton.jit
def sensory_values_back(
    params, grad_params, share, x_now, grad_x_now, grad_values, INPUTS: tl.constexpr
):
    """From ∂ of the sensory values to those of the input map, which are added to grad_params.

    Args:
        grad_values: rows of ∂, one for each sensory node.
        grad_x_now: (features, batch), added to where INPUTS.
    """
    lanes, at_input, sensory = share.lanes, share.at_input, share.sensory
    for block in range(tl.cdiv(sensory, ROWS)):
        j, real = block_of(block, sensory)
        grad = tl.load(scratch_at(grad_values, j, lanes), mask=real[:, None], other=0.0)
        if share.projected != 0:
            at_bias = at_input + sensory * share.features + j
            add(grad_params + at_bias, tl.sum(grad, axis=1), real)
            for f in range(share.features):
                pointer = f * lanes.batch + lanes.sample
                x = tl.load(x_now + pointer, mask=lanes.inside, other=0.0)
                at = at_input + j * share.features + f
                add(grad_params + at, tl.sum(grad * x[None, :], axis=1), real)
                if INPUTS:
                    of_x = tl.sum(grad * tl.load(params + at)[:, None], axis=0)
                    add(grad_x_now + pointer, of_x, lanes.inside)
        else:
            of_weights = tl.sum(grad * load_shared(x_now, j, lanes), axis=1)
            add(grad_params + at_input + j, of_weights, real)
            add(grad_params + at_input + sensory + j, tl.sum(grad, axis=1), real)
            if INPUTS:
                there = real[:, None] & lanes.inside[None, :]
                of_x = grad * tl.load(params + at_input + j)[:, None]
                add(shared_at(grad_x_now, j, lanes), of_x, there)


@triton.jit
def readout(params, share, states, y_now, LINEAR: tl.constexpr):
    """states: rows, of which the motor neurons come first; y_now: (outputs, batch), written."""
    lanes, at_output, motors, outputs = share.lanes, share.at_output, share.motors, share.outputs
    for block in range(tl.cdiv(outputs, ROWS)):
        o, real = block_of(block, outputs)
        if LINEAR:
            y = zeros() + tl.load(params + at_output + outputs * motors + o)[:, None]
            for m in range(motors):
                v = tl.load(states + m * LANES + lanes.lane)
                y += tl.load(params + at_output + o * motors + m)[:, None] * v[None, :]
        else:
            y = tl.load(scratch_at(states, o, lanes)) * tl.load(params + at_output + o)[:, None]
            y += tl.load(params + at_output + motors + o)[:, None]
        there = real[:, None] & lanes.inside[None, :]
        tl.store(shared_at(y_now, o, lanes), y, mask=there)


@triton.jit
def readout_back(params, grad_params, share, states, grad_y_now, grad_states, LINEAR: tl.constexpr):
    """Adds to the motor neurons' rows of grad_states. grad_y_now: (outputs, batch)."""
    lanes, at_output, motors, outputs = share.lanes, share.at_output, share.motors, share.outputs
    for block in range(tl.cdiv(motors, ROWS)):
        m, real = block_of(block, motors)
        v = tl.load(scratch_at(states, m, lanes))
        grad = tl.load(scratch_at(grad_states, m, lanes))
        if LINEAR:
            for o in range(outputs):
                pointer = grad_y_now + o * lanes.batch + lanes.sample
                shown = tl.load(pointer, mask=lanes.inside, other=0.0)[None, :]
                at = at_output + o * motors + m
                grad += tl.load(params + at)[:, None] * shown
                add(grad_params + at, tl.sum(v * shown, axis=1), real)
        else:
            shown = load_shared(grad_y_now, m, lanes)
            grad += tl.load(params + at_output + m)[:, None] * shown
            add(grad_params + at_output + m, tl.sum(v * shown, axis=1), real)
        tl.store(scratch_at(grad_states, m, lanes), grad, mask=real[:, None])
    at_bias = at_output + (outputs * motors if LINEAR else motors)
    for block in range(tl.cdiv(outputs, ROWS)):
        o, real = block_of(block, outputs)
        of_bias = tl.sum(load_shared(grad_y_now, o, lanes), axis=1)
        add(grad_params + at_bias + o, of_bias, real)
