"""The fused GPU kernel: a pack through a whole sequence, forward and backward, in one launch each.

`gpu.programs` says which kernel a kind has, `gpu.ltc` what a program does. Here the numbers of the
synapses are brought into the order of the slices, and their gradients back, by a few operations of
torch on whole vectors.

How fast that can be is not measured yet; what binds is known. An H100 or H200 has 132
multiprocessors at up to 1.98 GHz, each with special-function units for 16 lanes a clock. A sigmoid
takes two of their operations, an exponential and a reciprocal; a synapse update of an LTC takes one
sigmoid forward, and four forward and backward (`gpu.ltc` says why):

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

from wiring_search.networks.kernels.gpu.layout import LANES, Edges, GpuLayout
from wiring_search.networks.kernels.gpu.layout import to_device as _to_device
from wiring_search.networks.kernels.gpu.programs import Program, program_of
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.wirings.kinds import MEMORIES

Tensor = torch.Tensor


class Kept(NamedTuple):
    """What `backward` needs of a forward pass.

    Attributes:
        x: (T, features, B).
        elapsed: (T, B).
        history: What the kernel worked in, with the states of all time steps.
        shown: How many of the last time steps were read out.
    """

    x: Tensor
    elapsed: Tensor
    history: Tensor
    shown: int


def covers(kind: Kind) -> bool:
    """Whether there is a GPU kernel for packs of this kind."""
    return program_of(kind) is not None


def to_device(layout: PackLayout, device: str | torch.device) -> GpuLayout:
    """The pack's index arrays on a device.

    Raises:
        ValueError: There is no GPU kernel for this kind of neuron, solver or memory.
    """
    program = _program(layout)
    return _to_device(
        layout, device, _backward_rows(layout, program), program.synapses.of_edge, program.swept
    )


def bytes_needed(layout: PackLayout, time_steps: int, samples: int) -> int:
    """About how many bytes a training step, or a forward pass alone, takes on the device.

    Args:
        layout: Of the pack.
        time_steps: T.
        samples: B.

    Raises:
        ValueError: There is no GPU kernel for this kind.
    """
    program, tiles = _program(layout), _tiles(samples)
    rows = sum(_forward_rows(layout, program, time_steps)) + sum(_backward_rows(layout, program))
    outputs = layout.size * time_steps * layout.output_size * samples
    return 4 * (rows * tiles * LANES + 6 * outputs + (3 * tiles + 20) * layout.parameters)


def forward(
    gpu_layout: GpuLayout,
    params: Tensor,
    x: Tensor,
    elapsed: Tensor,
    state: Tensor,
    every_step: bool,
) -> tuple[Tensor, Tensor, Kept]:
    """A pack through a whole sequence. All arrays are float32 and on the device of the pack.

    Args:
        gpu_layout: By `to_device`.
        params: (parameters,), positive where they must be.
        x: (B, T, features).
        elapsed: (B, T) time units, ≥ 0; where 0 the state is held.
        state: (B, states).
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs), the final state (B, states), and what `backward`
        needs.
    """
    layout, program = gpu_layout.layout, _program(gpu_layout.layout)
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
        **_shared_arguments(gpu_layout, program, params, kept),
        state=state.t().contiguous(),
        y=y,
        final=final,
        work=kept.history,
        **_options(layout, program, program.forward),
    )
    return y.permute(0, 3, 1, 2), final.t(), kept


def backward(
    gpu_layout: GpuLayout,
    params: Tensor,
    kept: Kept,
    grad_y: Tensor,
    grad_final: Tensor,
    inputs_too: bool,
) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
    """The gradients of a pack.

    Args:
        gpu_layout: As in `forward`.
        params: As in `forward`.
        kept: By `forward`.
        grad_y: As the readouts.
        grad_final: As the final state.
        inputs_too: Whether x and elapsed get gradients.

    Returns:
        Gradients of the parameters, the initial state, x and elapsed; the last two None without
        `inputs_too`.
    """
    layout, program = gpu_layout.layout, _program(gpu_layout.layout)
    time_steps, features, samples = kept.x.shape
    tiles = _tiles(samples)
    # Written, where the other is only read.
    grad_state = grad_final.t().clone(memory_format=torch.contiguous_format)
    grad_params = params.new_zeros((tiles, layout.parameters))
    sums = params.new_zeros((tiles, *gpu_layout.incoming.numbers.shape))
    sensory_sums = params.new_zeros((tiles, *gpu_layout.sensory.numbers.shape))
    each = layout.size * time_steps if inputs_too else 0
    grad_x = params.new_zeros(each * features * samples)
    grad_elapsed = params.new_empty(each * samples)
    back = program.synapses.back
    onward = {"onward_edges": _list(params, gpu_layout.onward, back)} if program.swept else {}
    program.backward[(layout.size * tiles,)](
        **_shared_arguments(gpu_layout, program, params, kept),
        outgoing_rows=gpu_layout.outgoing_rows,
        outgoing_edges=_list(params, gpu_layout.outgoing, back),
        leaving_rows=gpu_layout.leaving_rows,
        leaving_edges=_list(params, gpu_layout.leaving, back),
        **onward,
        history=kept.history,
        grad_y=grad_y.permute(0, 2, 3, 1).contiguous(),
        grad_state=grad_state,
        grad_params=grad_params,
        sums=sums,
        sensory_sums=sensory_sums,
        grad_x=grad_x,
        grad_elapsed=grad_elapsed,
        work=params.new_empty(gpu_layout.scratch_rows * tiles * LANES),
        parameters=layout.parameters,
        INPUTS=inputs_too,
        **_options(layout, program, program.backward),
    )
    grad = grad_params.sum(dim=0)
    for edges, of_tiles in ((gpu_layout.incoming, sums), (gpu_layout.sensory, sensory_sums)):
        _finish(params, edges, program.synapses.gradients, of_tiles.sum(dim=0), grad)
    if not inputs_too:
        return grad, grad_state.t(), None, None
    grad_x = grad_x.view(layout.size, time_steps, features, samples).sum(dim=0).permute(2, 0, 1)
    grad_elapsed = grad_elapsed.view(layout.size, time_steps, samples).sum(dim=0).t()
    return grad, grad_state.t(), grad_x, grad_elapsed


def extremes(layout: PackLayout, kept: Kept) -> tuple[Tensor, Tensor]:
    """The least and the greatest value of each entry of the state in a forward pass: (states,)."""
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
            f"no GPU kernel for {'/'.join(layout.kind)}; there is one for LTC, CT-RNN, neural ODE "
            "and CfC with each of their solvers"
        )
    return program


def _list(
    params: Tensor, edges: Edges, constants: Callable[[Tensor], Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor, int]:
    """A list of edges as the kernels take it."""
    values = constants(params[edges.numbers] * edges.real)
    return edges.start, edges.width, edges.other, values, len(edges.real)


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


def _shared_arguments(
    gpu_layout: GpuLayout, program: Program, params: Tensor, kept: Kept
) -> dict[str, object]:
    """What both kernels take, by name."""
    time_steps, features, samples = kept.x.shape
    return {
        "table": gpu_layout.table,
        "rows": gpu_layout.rows,
        "edges": _list(params, gpu_layout.incoming, program.synapses.onto),
        "sensory_edges": _list(params, gpu_layout.sensory, program.synapses.onto),
        "params": params,
        "x": kept.x,
        "elapsed": kept.elapsed,
        "batch": samples,
        "tiles": _tiles(samples),
        "time_steps": time_steps,
        "features": features,
        "shown": kept.shown,
        "outputs": gpu_layout.layout.output_size,
    }


def _options(layout: PackLayout, program: Program, kernel: Any) -> dict[str, object]:
    """What the kernel is compiled for, and how."""
    memory = MEMORIES.index(layout.kind.memory)
    constants = {"LINEAR": layout.outputs is not None, "MEMORY": memory, **program.constants}
    wanted = {name: value for name, value in constants.items() if name in kernel.arg_names}
    return {**wanted, "num_warps": 1, "num_stages": 1, "enable_fp_fusion": True}


def _tiles(samples: int) -> int:
    return -(-samples // LANES)


def _forward_rows(layout: PackLayout, program: Program, time_steps: int) -> list[int]:
    return [
        program.forward_rows(wiring.neurons, wiring.sensory, layout.cells(wiring), time_steps)
        for wiring in layout.wirings
    ]


def _backward_rows(layout: PackLayout, program: Program) -> list[int]:
    steps = layout.edges.table["steps"].tolist()
    return [
        program.backward_rows(wiring.neurons, wiring.sensory, layout.cells(wiring), n)
        for wiring, n in zip(layout.wirings, steps, strict=True)
    ]
