"""The fused GPU kernel: a pack through a whole sequence, forward and backward, in one launch each.

`gpu_programs` says which kernel a kind has, `ltc_gpu` what a program does. Here the numbers of the
synapses are brought into the order of the slices, and their gradients back, by a few operations of
torch on whole vectors.

How fast that can be is not measured yet; what binds is known. An H100 or H200 has 132
multiprocessors at up to 1.98 GHz, each with special-function units for 16 lanes a clock; a sigmoid
takes two of their operations, an exponential and a reciprocal; a synapse update of an LTC takes one
sigmoid forward, and four forward and backward (`ltc_gpu` says why):

    forward                 132 · 16 · 1.98e9 / (1 · 2) = 2.09 T synapse updates a second
    forward and backward    132 · 16 · 1.98e9 / (4 · 2) = 0.52 T

of which the slices of a wiring use what they are filled: 62 % for an NCP of 19 neurons, 92 % for
one of 128. The inner loops have 91 to 123 instructions for eight sigmoids a lane, which take the
units 128 clocks: instructions do not bind, if memory is near enough. What must move does not bind
either: the history of a candidate, 160 KB, is written once and read once. `benchmarks/gpu_code.py`
counts instructions and registers without a GPU, `benchmarks/gpu.py` measures on one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from wiring_search.networks.kernels.gpu import memory as memory_gpu
from wiring_search.networks.kernels.gpu.layout import Edges, GpuLayout
from wiring_search.networks.kernels.gpu.layout import place as _place
from wiring_search.networks.kernels.gpu.programs import Program, program_of
from wiring_search.networks.kernels.gpu.sequence import LANES
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.wirings.kinds import MEMORIES

Tensor = torch.Tensor


class Kept(NamedTuple):
    """What `backward` wants of a forward pass: inputs, samples last, and the states of all time
    steps."""

    x: Tensor
    elapsed: Tensor
    history: Tensor
    shown: int


def covers(kind: Kind) -> bool:
    """Whether there is a GPU kernel for packs of this kind."""
    return program_of(kind) is not None


def place(layout: PackLayout, device: str | torch.device) -> GpuLayout:
    """The pack on a device. Raises ValueError for kinds of neuron, solver or memory that have no
    GPU kernel."""
    program = _program(layout)
    return _place(
        layout, device, _backward_rows(layout, program), program.synapses.of_edge, program.swept
    )


def bytes_needed(layout: PackLayout, time_steps: int, samples: int) -> int:
    """About what a training step, or a forward pass alone, of so many samples takes on the
    device."""
    program, tiles = _program(layout), _tiles(samples)
    rows = sum(_forward_rows(layout, program, time_steps)) + sum(_backward_rows(layout, program))
    outputs = layout.size * time_steps * layout.output_size * samples
    return 4 * (rows * tiles * LANES + 6 * outputs + (3 * tiles + 20) * layout.parameters)


def forward(
    placed: GpuLayout, params: Tensor, x: Tensor, elapsed: Tensor, state: Tensor, every_step: bool
) -> tuple[Tensor, Tensor, Kept]:
    """Readouts (candidates, B, T or 1, outputs), final state (B, neurons), and what `backward`
    wants.

    All float32 and on the device of the pack, shapes as in `reference.run`.
    """
    layout, program = placed.layout, _program(placed.layout)
    samples, time_steps, _ = x.shape
    tiles = _tiles(samples)
    shown = time_steps if every_step else 1
    kept = Kept(
        torch.where((elapsed > 0)[:, :, None], x, 0.0).permute(1, 2, 0).contiguous(),
        elapsed.t().contiguous(),
        params.new_empty(sum(_forward_rows(layout, program, time_steps)) * tiles * LANES),
        shown,
    )
    y = params.new_empty((layout.size, shown, layout.output_size, samples))
    final = params.new_empty((layout.state_size, samples))
    program.forward[(layout.size * tiles,)](
        placed.table,
        placed.rows,
        _list(params, placed.incoming, program.synapses.onto),
        _list(params, placed.sensory, program.synapses.onto),
        params,
        kept.x,
        kept.elapsed,
        state.t().contiguous(),
        y,
        final,
        kept.history,
        samples,
        tiles,
        *_shape(layout, kept),
        **_options(layout, program, program.forward),
    )
    return y.permute(0, 3, 1, 2), final.t(), kept


def backward(
    placed: GpuLayout,
    params: Tensor,
    kept: Kept,
    grad_y: Tensor,
    grad_final: Tensor,
    inputs_too: bool,
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """Gradients of the parameters, the initial state and, where `inputs_too`, of x and elapsed
    (else None)."""
    layout, program = placed.layout, _program(placed.layout)
    time_steps, features, samples = kept.x.shape
    tiles = _tiles(samples)
    grad_state = grad_final.t().clone(
        memory_format=torch.contiguous_format
    )  # written, where the other is only read
    grad_own = params.new_zeros((tiles, layout.parameters))
    sums, sensory_sums = (
        params.new_zeros((tiles, *e.numbers.shape)) for e in (placed.incoming, placed.sensory)
    )
    each = layout.size * time_steps if inputs_too else 0
    grad_x, grad_elapsed = (
        params.new_zeros(each * features * samples),
        params.new_empty(each * samples),
    )
    program.backward[(layout.size * tiles,)](
        placed.table,
        placed.rows,
        _list(params, placed.incoming, program.synapses.onto),
        _list(params, placed.sensory, program.synapses.onto),
        placed.outgoing_rows,
        _list(params, placed.outgoing, program.synapses.back),
        placed.leaving_rows,
        _list(params, placed.leaving, program.synapses.back),
        *((_list(params, placed.onward, program.synapses.back),) if program.swept else ()),
        params,
        kept.x,
        kept.elapsed,
        kept.history,
        grad_y.permute(0, 2, 3, 1).contiguous(),
        grad_state,
        grad_own,
        sums,
        sensory_sums,
        grad_x,
        grad_elapsed,
        params.new_empty(placed.scratch_rows * tiles * LANES),
        layout.parameters,
        samples,
        tiles,
        *_shape(layout, kept),
        INPUTS=inputs_too,
        **_options(layout, program, program.backward),
    )
    grad = grad_own.sum(dim=0)
    for edges, of_tiles in ((placed.incoming, sums), (placed.sensory, sensory_sums)):
        _finish(params, edges, program.synapses.gradients, of_tiles.sum(dim=0), grad)
    if not inputs_too:
        return grad, grad_state.t(), None, None
    grad_x = grad_x.view(layout.size, time_steps, features, samples).sum(dim=0).permute(2, 0, 1)
    return (
        grad,
        grad_state.t(),
        grad_x,
        grad_elapsed.view(layout.size, time_steps, samples).sum(dim=0).t(),
    )


def extremes(layout: PackLayout, kept: Kept) -> tuple[Tensor, Tensor]:
    """The least and the greatest value that each entry of the state had in a forward pass: two
    (states,)."""
    time_steps, tiles = kept.x.shape[0], _tiles(kept.x.shape[2])
    lows, highs, at = [], [], 0
    for states, rows in zip(
        layout.states, _forward_rows(layout, _program(layout), time_steps), strict=True
    ):
        count = states.stop - states.start
        pieces = kept.history[at : at + rows * tiles * LANES].view(tiles, rows, LANES)
        visited = pieces[:, : (time_steps + 1) * count].reshape(tiles, time_steps + 1, count, LANES)
        lows.append(visited.amin(dim=(0, 1, 3)))
        highs.append(visited.amax(dim=(0, 1, 3)))
        at += rows * tiles * LANES
    return torch.cat(lows), torch.cat(highs)


def _program(layout: PackLayout) -> Program:
    program = program_of(layout.kind)
    if program is None:
        raise ValueError(
            f"no GPU kernel for {'/'.join(layout.kind)}; there is one for LTC, CT-RNN, neural ODE and CfC with each of their solvers"
        )
    return program


def _list(
    params: Tensor, edges: Edges, constants: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """A list of edges as the kernels take it."""
    return (
        edges.start,
        edges.width,
        edges.other,
        constants(params[edges.numbers] * edges.real),
        len(edges.real),
    )


def _finish(
    params: Tensor,
    edges: Edges,
    gradients: Callable[[Tensor, Tensor], Tensor],
    sums: Tensor,
    grad: Tensor,
) -> None:
    """Writes the gradients of synapses, which the kernel has summed, into `grad`."""
    numbers = edges.numbers[:, edges.at]
    grad.index_copy_(0, numbers.flatten(), gradients(params[numbers], sums[:, edges.at]).flatten())


def _shape(layout: PackLayout, kept: Kept) -> tuple[int, int, int, int]:
    time_steps, features, _ = kept.x.shape
    return time_steps, features, kept.shown, layout.output_size


def _options(layout: PackLayout, program: Program, kernel: Any) -> dict[str, object]:
    memory = MEMORIES.index(layout.kind.memory)
    constants = {
        "LINEAR": layout.outputs is not None,
        "MEMORY": memory,
        "LANES": LANES,
        **program.constants,
    }
    wanted = {name: value for name, value in constants.items() if name in kernel.arg_names}
    return {**wanted, "num_warps": 1, "num_stages": 1, "enable_fp_fusion": True}


def _tiles(samples: int) -> int:
    return -(-samples // LANES)


def _forward_rows(layout: PackLayout, program: Program, time_steps: int) -> list[int]:
    return [
        program.forward_rows(wiring.neurons, wiring.sensory, time_steps)
        + memory_gpu.forward_rows(layout.cells(wiring), time_steps)
        for wiring in layout.wirings
    ]


def _backward_rows(layout: PackLayout, program: Program) -> list[int]:
    steps = layout.edges.table["steps"].tolist()
    return [
        program.backward_rows(wiring.neurons, wiring.sensory, n)
        + memory_gpu.backward_rows(layout.cells(wiring))
        for wiring, n in zip(layout.wirings, steps, strict=True)
    ]
