"""The GPU kernels are held to the plain reference: what `benchmarks/gpu.py` does before it times
anything."""

import numpy as np
import torch

from wiring_search.networks.kernels import gpu, reference
from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.networks.neurons.parameters import initial_parameters
from wiring_search.wirings.topologies import ncp

Tensor = torch.Tensor

TOLERANCE = 1e-5


def check(device: str) -> float:
    """The largest difference to the reference of an output or gradient, relative to the largest
    number there. Ends the run where it is above TOLERANCE."""
    rng = np.random.default_rng(0)
    # Two tiles of samples and larger wirings on a GPU; the interpreter is slow.
    size, largest, batch, time_steps, features = (
        (12, 24, 45, 8, 5) if device == "cuda" else (2, 6, 3, 2, 5)
    )
    layout = ragged_layout(rng, size, largest, features, outputs=3)
    x = rng.standard_normal((batch, time_steps, features))
    elapsed = 0.05 + 2 * rng.random((batch, time_steps))
    elapsed[rng.random(elapsed.shape) < 0.25] = 0.0
    state = 0.4 * rng.standard_normal((batch, layout.state_size))
    arrays = [array.astype(np.float32) for array in (parameters(layout), x, elapsed, state)]

    truth = [torch.tensor(array, dtype=torch.float64, requires_grad=True) for array in arrays]
    y, final = reference.run(layout, *truth, True)
    grad_y, grad_final = (
        torch.from_numpy(rng.standard_normal(values.shape)).float() for values in (y, final)
    )
    of_params, of_x, of_elapsed, of_state = torch.autograd.grad(
        (y, final), truth, (grad_y.double(), grad_final.double())
    )

    params, *inputs = (torch.from_numpy(array).to(device) for array in arrays)
    gpu_layout = gpu.to_device(layout, device)
    our_y, our_final, kept = gpu.forward(gpu_layout, params, *inputs, True)
    ours = gpu.backward(gpu_layout, params, kept, grad_y.to(device), grad_final.to(device), True)
    errors = {
        "the readouts": difference(our_y, y),
        "the final state": difference(our_final, final),
        "the gradient of the initial state": difference(ours[1], of_state),
        "the gradient of x": difference(ours[2], of_x),
        "the gradient of the elapsed times": difference(ours[3], of_elapsed),
    }
    for name in layout.slices[0]:
        at = np.concatenate(
            [np.arange(block[name].start, block[name].stop) for block in layout.slices]
        )
        errors[f"the gradient of {name}"] = difference(ours[0][at], of_params[at])
    worst = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    if not errors[worst] <= TOLERANCE:
        raise SystemExit(
            f"wrong: {worst} differs from the reference by {errors[worst]:.1e}, more than "
            f"{TOLERANCE:.0e}; nothing is timed"
        )
    return errors[worst]


def ragged_layout(
    rng: np.random.Generator, size: int, largest: int, features: int, outputs: int
) -> PackLayout:
    """NCPs of 3 to `largest` inter neurons, every second one behind a learned projection, with 1 to
    6 sub-steps."""
    wirings = []
    for p in range(size):
        inter, command, motor = (
            int(n) for n in rng.integers((3, 2, 1), (largest + 1, largest // 2 + 1, 4))
        )
        sensory = features if p % 2 == 0 else features + 1 + int(rng.integers(4))
        wirings.append(
            ncp(sensory, inter, command, motor, 2, 2, command, 2, seed=int(rng.integers(1 << 30)))
        )
    return PackLayout(
        tuple(wirings), tuple(int(n) for n in rng.integers(1, 7, size)), features, outputs
    )


def parameters(layout: PackLayout) -> np.ndarray:
    """(layout.parameters,): as they start, from seeds 0, 1 …"""
    made = enumerate(zip(layout.shapes, layout.connections, strict=True))
    drawn = (
        initial_parameters(layout.kind.neuron, shapes, connections, p)
        for p, (shapes, connections) in made
    )
    return np.concatenate([values.ravel() for own in drawn for values in own.values()])


def difference(ours: Tensor, truth: Tensor) -> float:
    return float(
        (ours.cpu() - truth).detach().abs().max() / max(float(truth.detach().abs().max()), 1e-3)
    )
