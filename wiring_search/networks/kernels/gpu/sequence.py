"""What Triton kernels of all kinds of neuron share: rows of lanes, the input map and the readout.

A program has LANES samples of one candidate, `who` in these functions: (lane, sample, inside,
batch), the lanes' numbers, their places in the batch, whether there is such a sample, and how many
there are. `own` is the flat vector of all parameters. A candidate's own memory is rows of LANES
numbers; arrays that it shares have the batch last.
"""

import triton
import triton.language as tl

from wiring_search.networks.kernels.gpu.layout import COLUMNS as _COLUMN_NAMES
from wiring_search.networks.kernels.gpu.layout import ROWS as _ROWS

LANES = 32

# Arguments that are numbers. Triton would compile a kernel anew for those that are 1, and for those
# that 16 divides.
SIZES = ("batch", "tiles", "time_steps", "features", "shown", "outputs", "parameters")

ROWS = tl.constexpr(_ROWS)
COLUMNS = tl.constexpr(len(_COLUMN_NAMES))
INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)
MINUS_LOG2_E = tl.constexpr(-1.4426950408889634)


@triton.jit
def sizes(record):
    """neurons, sensory, motors, steps, projected."""
    neurons, sensory, motors = tl.load(record), tl.load(record + 1), tl.load(record + 2)
    return (
        neurons.to(tl.int32),
        sensory.to(tl.int32),
        motors.to(tl.int32),
        tl.load(record + 3).to(tl.int32),
        tl.load(record + 4),
    )


@triton.jit
def slices_of(record, column):
    """The first slice of a candidate, and the one behind its last, by the column where its first
    one stands."""
    return tl.load(record + column).to(tl.int32), tl.load(record + COLUMNS + column).to(tl.int32)


@triton.jit
def memory_of(record, features):
    """Where the memory's numbers start, how many cells there are, and what they read: features and
    neurons."""
    return (
        tl.load(record + 15),
        tl.load(record + 14).to(tl.int32),
        features,
        tl.load(record).to(tl.int32),
    )


@triton.jit
def history_of(record, work, of_neuron, time_steps, tiles, tile, LANES: tl.constexpr):
    """Where a program's rows of a forward pass start: behind those of the candidates before, and of
    the tiles before. of_neuron: rows a neuron; there is one a sensory node, and those of
    `memory_gpu.forward_rows`."""
    neurons, sensory, cells = tl.load(record), tl.load(record + 1), tl.load(record + 14)
    at_neuron, at_sensory, at_state = tl.load(record + 8), tl.load(record + 9), tl.load(record + 16)
    theirs = of_neuron * at_neuron + at_sensory + (time_steps + 8) * (at_state - at_neuron)
    mine = of_neuron * neurons + sensory + (time_steps + 8) * cells
    return work + (theirs * tiles + tile * mine) * LANES


@triton.jit
def samples(tile, batch, LANES: tl.constexpr):
    lane = tl.arange(0, LANES)
    sample = tile * LANES + lane
    return lane, sample, sample < batch, batch


@triton.jit
def rows_of(members, slice_):
    """The rows of a slice, and which of them there are."""
    member = tl.load(members + slice_ * ROWS + tl.arange(0, ROWS))
    return tl.maximum(member, 0), member >= 0


@triton.jit
def block_of(index, count):
    """Rows index·ROWS …, where there is no list of them, and which of them there are."""
    row = index * ROWS + tl.arange(0, ROWS)
    return tl.minimum(row, count - 1), row < count


@triton.jit
def own_rows(base, row, who):
    """Pointers to rows of a candidate's own memory."""
    return base + row[:, None] * who[0].shape[0] + who[0][None, :]


@triton.jit
def shared_rows(base, row, who):
    """Pointers to rows of an array that has the batch last."""
    return base + row[:, None] * who[3] + who[1][None, :]


@triton.jit
def load_shared(base, row, who):
    """0 in lanes without a sample."""
    return tl.load(shared_rows(base, row, who), mask=who[2][None, :], other=0.0)


@triton.jit
def zeros(who):
    return tl.zeros([ROWS, who[0].shape[0]], tl.float32)


@triton.jit
def take_rows(shared, at, count, states, who):
    """From an array that has the batch last, rows `at` …, to own rows."""
    for block in range(tl.cdiv(count, ROWS)):
        i, real = block_of(block, count)
        tl.store(own_rows(states, i, who), load_shared(shared, at + i, who), mask=real[:, None])


@triton.jit
def give_rows(states, shared, at, count, who):
    """The way back."""
    for block in range(tl.cdiv(count, ROWS)):
        i, real = block_of(block, count)
        there = real[:, None] & who[2][None, :]
        tl.store(shared_rows(shared, at + i, who), tl.load(own_rows(states, i, who)), mask=there)


@triton.jit
def copy_rows(source, target, count, who):
    """Own rows to own rows."""
    for block in range(tl.cdiv(count, ROWS)):
        i, real = block_of(block, count)
        tl.store(own_rows(target, i, who), tl.load(own_rows(source, i, who)), mask=real[:, None])


@triton.jit
def add(pointer, values, real):
    tl.store(pointer, tl.load(pointer, mask=real, other=0.0) + values, mask=real)


@triton.jit
def reciprocal(x):
    """Of x ≥ 1, to one unit in the last place; 0 for infinity. A division costs a GPU four
    instructions more."""
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
    """To some 1e-7, which is not relative to small results."""
    return 2.0 * logistic2(2.0 * x * MINUS_LOG2_E) - 1.0


@triton.jit
def sensory_values(own, input_map, x_now, values, who):
    """The input map: (where it starts in the parameters, whether it is a projection, sensory nodes,
    features). x_now: (features, batch); values: own rows."""
    at_input, projected, sensory, features = input_map
    for block in range(tl.cdiv(sensory, ROWS)):
        j, real = block_of(block, sensory)
        if projected != 0:
            u = zeros(who) + tl.load(own + at_input + sensory * features + j)[:, None]
            for f in range(features):
                x = tl.load(x_now + f * who[3] + who[1], mask=who[2], other=0.0)
                u += tl.load(own + at_input + j * features + f)[:, None] * x[None, :]
        else:
            u = load_shared(x_now, j, who) * tl.load(own + at_input + j)[:, None]
            u += tl.load(own + at_input + sensory + j)[:, None]
        tl.store(own_rows(values, j, who), u, mask=real[:, None])


@triton.jit
def sensory_values_back(
    own, grad_own, input_map, x_now, grad_x_now, grad_values, who, INPUTS: tl.constexpr
):
    """grad_values: own rows. grad_x_now: (features, batch), added to where INPUTS."""
    at_input, projected, sensory, features = input_map
    for block in range(tl.cdiv(sensory, ROWS)):
        j, real = block_of(block, sensory)
        grad = tl.load(own_rows(grad_values, j, who), mask=real[:, None], other=0.0)
        if projected != 0:
            add(grad_own + at_input + sensory * features + j, tl.sum(grad, axis=1), real)
            for f in range(features):
                x = tl.load(x_now + f * who[3] + who[1], mask=who[2], other=0.0)
                at = at_input + j * features + f
                add(grad_own + at, tl.sum(grad * x[None, :], axis=1), real)
                if INPUTS:
                    add(
                        grad_x_now + f * who[3] + who[1],
                        tl.sum(grad * tl.load(own + at)[:, None], axis=0),
                        who[2],
                    )
        else:
            add(grad_own + at_input + j, tl.sum(grad * load_shared(x_now, j, who), axis=1), real)
            add(grad_own + at_input + sensory + j, tl.sum(grad, axis=1), real)
            if INPUTS:
                there = real[:, None] & who[2][None, :]
                add(
                    shared_rows(grad_x_now, j, who),
                    grad * tl.load(own + at_input + j)[:, None],
                    there,
                )


@triton.jit
def readout(own, at_output, motors, outputs, states, y_now, who, LINEAR: tl.constexpr):
    """states: own rows; y_now: (outputs, batch)."""
    for block in range(tl.cdiv(outputs, ROWS)):
        o, real = block_of(block, outputs)
        if LINEAR:
            y = zeros(who) + tl.load(own + at_output + outputs * motors + o)[:, None]
            for m in range(motors):
                v = tl.load(states + m * who[0].shape[0] + who[0])
                y += tl.load(own + at_output + o * motors + m)[:, None] * v[None, :]
        else:
            y = tl.load(own_rows(states, o, who)) * tl.load(own + at_output + o)[:, None]
            y += tl.load(own + at_output + motors + o)[:, None]
        tl.store(shared_rows(y_now, o, who), y, mask=real[:, None] & who[2][None, :])


@triton.jit
def readout_back(
    own,
    grad_own,
    at_output,
    motors,
    outputs,
    states,
    grad_y_now,
    grad_states,
    who,
    LINEAR: tl.constexpr,
):
    """Adds to the motor neurons' rows of grad_states. grad_y_now: (outputs, batch)."""
    for block in range(tl.cdiv(motors, ROWS)):
        m, real = block_of(block, motors)
        v = tl.load(own_rows(states, m, who))
        grad = tl.load(own_rows(grad_states, m, who))
        if LINEAR:
            for o in range(outputs):
                shown = tl.load(grad_y_now + o * who[3] + who[1], mask=who[2], other=0.0)[None, :]
                at = at_output + o * motors + m
                grad += tl.load(own + at)[:, None] * shown
                add(grad_own + at, tl.sum(v * shown, axis=1), real)
        else:
            shown = load_shared(grad_y_now, m, who)
            grad += tl.load(own + at_output + m)[:, None] * shown
            add(grad_own + at_output + m, tl.sum(v * shown, axis=1), real)
        tl.store(own_rows(grad_states, m, who), grad, mask=real[:, None])
    at_bias = at_output + (outputs * motors if LINEAR else motors)
    for block in range(tl.cdiv(outputs, ROWS)):
        o, real = block_of(block, outputs)
        add(grad_own + at_bias + o, tl.sum(load_shared(grad_y_now, o, who), axis=1), real)
