"""The adjoint method against back-propagation through time: memory, time and error of the gradient.

    python benchmarks/adjoint.py [ct-rnn] [ltc]            (both by default)

CT-RNN and LTC with RK4, an NCP of 19 neurons, 8 inputs, batch 8, elapsed times uniform in 0.1 …
0.4, float32, one thread, a loss on the outputs of every time step. Ways to a gradient: BPTT in
plain torch and in the fused kernel; and the adjoint, in the fused kernel, and in plain torch with
the states at time steps kept ("starts", as the kernel does), with those run backward within each
time step ("ends"), and with nothing but the final state ("final").

kept MB: tensors saved for the backward pass, each storage once, as `saved_tensors_hooks` see them,
the largest sum alive at one moment of forward and backward (so with what the adjoint records for a
moment while it goes backward); of the kernel, which torch does not see into, the arrays that it
keeps. Inputs and parameters count where they are saved. ms: forward and backward, processor time of
the one thread, the least of three runs, or of one beyond 128 time steps. error: |g − g*| / |g*|
over all parameters, g* from BPTT in float64 with four times the steps. error to BPTT: the same
against float64 BPTT with the same steps, so without the solver's own error.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch.utils.checkpoint import checkpoint

from wiring_search.networks.kernels import adjoint, autograd, cpu, reference
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.neurons.parameters import initial_parameters
from wiring_search.wirings.topologies import ncp

BATCH, INPUTS, STEPS, TIME_STEPS, CHUNK = 8, 8, 6, 32, 32
WIRING = ncp(INPUTS, 12, 6, 1, 4, 4, 6, 6)

Tensor = torch.Tensor
Run = Callable[[PackLayout, Tensor, Tensor, Tensor, Tensor, bool], tuple[Tensor, Tensor]]


def main() -> None:
    torch.set_num_threads(1)
    ways: dict[str, Run] = {
        "BPTT, torch": reference.run,
        "BPTT, fused": fused,
        "adjoint, fused": fused_adjoint,
        **{
            f"adjoint, {name}": partial(adjoint.run, state_from=name)
            for name in ("starts", "ends", "final")
        },
    }
    with cpu.one_thread():
        for neuron in sys.argv[1:] or ("ct-rnn", "ltc"):
            print(f"\n{neuron}, {WIRING.synapse_count} synapses")
            print(
                f"{'':18}{'T':>6}{'steps':>7}{'kept MB':>10}{'ms':>10}{'error':>10}{'to BPTT':>10}"
            )
            settings = [(time_steps, STEPS) for time_steps in (32, 128, 512, 2048)]
            settings += [(TIME_STEPS, steps) for steps in (3, 12, 24, 48)]
            for time_steps, steps in settings:
                compare(ways, neuron, time_steps, steps)


def compare(ways: dict[str, Run], neuron: str, time_steps: int, steps: int) -> None:
    layout, fine = (
        PackLayout((WIRING,), (n,), INPUTS, None, Kind(neuron, "rk4")) for n in (steps, 4 * steps)
    )
    drawn = initial_parameters(neuron, layout.shapes[0], layout.connections[0], 0)
    draw = torch.Generator().manual_seed(0)
    arrays = (
        torch.cat([torch.from_numpy(value).reshape(-1) for value in drawn.values()]),
        torch.randn(BATCH, time_steps, INPUTS, generator=draw),
        0.1 + 0.3 * torch.rand(BATCH, time_steps, generator=draw),
        torch.zeros(BATCH, layout.state_size),
    )
    doubles = [array.double() for array in arrays]
    truth, same = (gradient(in_chunks, one, *doubles) for one in (fine, layout))
    for name, run in ways.items():
        step = partial(gradient, run, layout, *arrays)
        ours, seconds = best(step, 3 if time_steps <= 128 else 1)
        errors = [float((ours - other).norm() / other.norm()) for other in (truth, same)]
        kept = kernel_bytes(layout, *arrays) if name.endswith("fused") else peak_of_saved(step)
        print(
            f"{name:18}{time_steps:6}{steps:7}{kept / 1e6:10.3f}{seconds * 1e3:10.1f}"
            f"{errors[0]:10.1e}{errors[1]:10.1e}",
            flush=True,
        )


def gradient(
    run: Run, layout: PackLayout, params: Tensor, x: Tensor, elapsed: Tensor, state: Tensor
) -> Tensor:
    params = params.clone().requires_grad_()
    y, _ = run(layout, params, x, elapsed, state, True)
    y.square().mean().backward()
    return params.grad


def fused(
    layout: PackLayout, params: Tensor, x: Tensor, elapsed: Tensor, state: Tensor, every_step: bool
):
    return autograd.fused(layout, [params], False, x, elapsed, state, every_step)


def fused_adjoint(
    layout: PackLayout, params: Tensor, x: Tensor, elapsed: Tensor, state: Tensor, every_step: bool
):
    kind = layout.kind._replace(gradient="adjoint")
    return fused(replace(layout, kind=kind), params, x, elapsed, state, every_step)


def in_chunks(
    layout: PackLayout, params: Tensor, x: Tensor, elapsed: Tensor, state: Tensor, every_step: bool
):
    """`reference.run`, chunk after chunk of time run again in the backward pass: the same gradient
    in less memory."""
    outputs = []
    for own_x, own_elapsed in zip(x.split(CHUNK, 1), elapsed.split(CHUNK, 1), strict=True):
        y, state = checkpoint(
            reference.run,
            layout,
            params,
            own_x,
            own_elapsed,
            state,
            every_step,
            use_reentrant=False,
        )
        outputs.append(y)
    return torch.cat(outputs, dim=2), state


def kernel_bytes(layout: PackLayout, *arrays: Tensor) -> int:
    _, _, kept = cpu.forward(layout, *(array.numpy() for array in arrays), True)
    return sum(array.nbytes for array in kept if hasattr(array, "nbytes"))


def peak_of_saved(step: Callable[[], object]) -> int:
    """Bytes: the most that was saved for a backward pass at any one moment of `step`, a storage
    that is saved twice once."""
    holders: Counter = Counter()
    alive = peak = 0

    class Saved:
        def __init__(self, tensor: Tensor) -> None:
            nonlocal alive, peak
            # Detached: a node's own output would hold the node that holds this.
            self.tensor, self.storage = tensor.detach(), tensor.untyped_storage()
            holders[self.storage.data_ptr()] += 1
            if holders[self.storage.data_ptr()] == 1:
                alive += self.storage.nbytes()
                peak = max(peak, alive)

        def __del__(self) -> None:
            nonlocal alive
            holders[self.storage.data_ptr()] -= 1
            if holders[self.storage.data_ptr()] == 0:
                alive -= self.storage.nbytes()

    with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.tensor):
        step()
    return peak


def best(step: Callable[[], Tensor], runs: int) -> tuple[Tensor, float]:
    step()  # compiles and warms up
    times = []
    for _ in range(runs):
        start = time.process_time()
        result = step()
        times.append(time.process_time() - start)
    return result, min(times)


if __name__ == "__main__":
    main()
