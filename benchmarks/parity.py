"""How closely the fused kernels follow the plain reference: every neuron, solver, gradient and
memory, as a Markdown table.

    python benchmarks/parity.py

Random ragged packs (three wirings, 40 samples, 12 steps, irregular times, some of them missing),
float32 against float64: the largest difference over the largest value, for the outputs, the final
state, and the gradients of all parameters, inputs, elapsed times and initial states. Explicit
solvers get short times: where one is not stable, rounding errors grow without bound in any
precision.
"""

from itertools import product

import numpy as np
import torch

from wiring_search.networks.kernels import adjoint, cpu, reference
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.neurons.parameters import initial_parameters
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.kinds import EXPLICIT, GRADIENTS, KINDS, MEMORIES
from wiring_search.wirings.topologies import ncp

BATCH, TIME_STEPS, FEATURES, OUTPUTS = 40, 12, 5, 3


def main() -> None:
    print(
        "| neuron | solver | memory | gradient | outputs | final state | parameters | inputs | "
        "times | initial state |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    worst = 0.0
    for neuron, known in KINDS.items():
        for solver in known.solvers:
            for memory, gradient in product(
                MEMORIES, GRADIENTS if solver in EXPLICIT else GRADIENTS[:1]
            ):
                kind = Kind(neuron, solver, memory, gradient)
                errors = differences(kind, np.random.default_rng(0))
                worst = max(worst, *errors)
                print(
                    f"| {' | '.join(kind)} | {' | '.join(f'{error:.1e}' for error in errors)} |",
                    flush=True,
                )
    print(f"\nworst: {worst:.1e}")


def differences(kind: Kind, rng: np.random.Generator) -> list[float]:
    wirings = tuple(ncp(4, 9, 5, 3, 3, 3, 6, 2, seed=seed) for seed in range(3))
    steps = (0, 0, 0) if kind.solver == "closed-form" else (1, 3, 6)
    layout = PackLayout(wirings, steps, FEATURES, OUTPUTS, kind)
    parts = [
        value.ravel()
        for shapes, made in zip(layout.shapes, layout.connections, strict=True)
        for value in initial_parameters(kind.neuron, shapes, made, int(rng.integers(1000))).values()
    ]
    params = np.where(
        layout.pinned, 0.0, np.concatenate(parts) + 0.1 * rng.random(layout.parameters)
    ).astype(np.float32)
    x = rng.standard_normal((BATCH, TIME_STEPS, FEATURES)).astype(np.float32)
    elapsed = (rng.random((BATCH, TIME_STEPS)) * (0.2 if kind.solver in TABLEAUX else 2.0)).astype(
        np.float32
    )
    elapsed[rng.random(elapsed.shape) < 0.2] = 0.0
    state = (0.4 * rng.standard_normal((BATCH, layout.state_size))).astype(np.float32)

    tensors = [
        torch.tensor(array, dtype=torch.float64, requires_grad=True)
        for array in (params, x, elapsed, state)
    ]
    truth_of = adjoint.run if kind.gradient == "adjoint" else reference.run
    y, final = truth_of(layout, *tensors, True)
    grad_y, grad_final = (rng.standard_normal(tuple(value.shape)) for value in (y, final))
    truth = torch.autograd.grad(
        (y, final), tensors, (torch.tensor(grad_y), torch.tensor(grad_final))
    )
    our_y, our_final, kept = cpu.forward(layout, params, x, elapsed, state, True)
    grads = cpu.backward(
        layout, params, kept, grad_y.astype(np.float32), grad_final.astype(np.float32), True
    )
    ours = (our_y, our_final, grads[0], grads[2], grads[3], grads[1])
    return [
        float(np.abs(mine - true.detach().numpy()).max() / np.abs(true.detach().numpy()).max())
        for mine, true in zip(ours, (y, final, *truth), strict=True)
    ]


if __name__ == "__main__":
    main()
