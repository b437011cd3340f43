"""Random ragged packs for the tests of everything that runs one."""

from typing import NamedTuple

import numpy as np
import torch

from wiring_search.networks.kernels import adjoint, reference
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.neurons.parameters import initial_parameters
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.topologies import ncp, random_sparse
from wiring_search.wirings.wiring import Wiring

USUAL = Kind()


def random_wiring(
    rng: np.random.Generator, sensory: int | None = None, motor: int | None = None
) -> Wiring:
    """An NCP or a random sparse wiring of 4 to about 20 neurons."""
    sensory = sensory or int(rng.integers(1, 6))
    motor = motor or int(rng.integers(1, 4))
    seed = int(rng.integers(1 << 30))
    if rng.random() < 0.5:
        inter, command = (int(n) for n in rng.integers(2, 9, 2))
        return ncp(
            sensory, inter, command, motor, min(2, inter), min(2, command), command, 1, seed=seed
        )
    neurons = motor + int(rng.integers(2, 10))
    return random_sparse(
        sensory,
        neurons,
        motor,
        sensory + neurons // 2 if sensory > 1 else neurons,
        3 * neurons,
        seed=seed,
    )


def random_layout(
    rng: np.random.Generator,
    size: int,
    features: int,
    outputs: int | None,
    projected: bool,
    kind: Kind = USUAL,
) -> PackLayout:
    sensory = None if projected else features
    wirings = tuple(
        random_wiring(rng, sensory, motor=2 if outputs is None else None) for _ in range(size)
    )
    steps = (
        (0,) * size
        if kind.solver == "closed-form"
        else tuple(int(n) for n in rng.integers(1, 7, size))
    )
    return PackLayout(wirings, steps, features, outputs, kind)


def parameters(layout: PackLayout, rng: np.random.Generator) -> np.ndarray:
    """Positive where they must be, and everything away from its special initial value."""
    parts = []
    for shapes, made in zip(layout.shapes, layout.connections, strict=True):
        drawn = initial_parameters(layout.kind.neuron, shapes, made, int(rng.integers(1 << 30)))
        parts += [values.ravel() for values in drawn.values()]
    flat = np.concatenate(parts)
    return np.where(layout.pinned, 0.0, flat + 0.1 * rng.random(len(flat))).astype(np.float32)


def inputs(
    layout: PackLayout, rng: np.random.Generator, batch: int, steps: int, gaps: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, elapsed, state. With gaps, a third of the elapsed times is 0 and x is NaN there."""
    x = rng.standard_normal((batch, steps, layout.features)).astype(np.float32)
    elapsed = (0.05 + 2 * rng.random((batch, steps))).astype(np.float32)
    if gaps:
        elapsed[rng.random((batch, steps)) < 0.33] = 0.0
        x[elapsed == 0] = np.nan
    return x, elapsed, (0.4 * rng.standard_normal((batch, layout.state_size))).astype(np.float32)


class Truth(NamedTuple):
    """What the reference says in float64: y, final; gradients of params, x, elapsed and state where
    grad_y and grad_final come in. arrays: params, x, elapsed, state."""

    arrays: tuple[np.ndarray, ...]
    y: np.ndarray
    final: np.ndarray
    grad_y: np.ndarray
    grad_final: np.ndarray
    gradients: tuple[np.ndarray, ...]


def truth(
    layout: PackLayout,
    rng: np.random.Generator,
    batch: int,
    steps: int,
    every_step: bool,
    gaps: bool,
) -> Truth:
    """On drawn parameters and inputs, with gradients that are drawn too."""
    params, x, elapsed, state = parameters(layout, rng), *inputs(layout, rng, batch, steps, gaps)
    if (
        layout.kind.solver in TABLEAUX
    ):  # where an explicit solver is not stable, rounding errors grow without bound
        elapsed = elapsed * np.float32(0.1)
    arrays = params, x, elapsed, state
    tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in arrays]
    run = adjoint.run if layout.kind.gradient == "adjoint" else reference.run
    y, final = run(layout, *tensors, every_step)
    grad_y, grad_final = rng.standard_normal(y.shape), rng.standard_normal(final.shape)
    gradients = torch.autograd.grad(
        (y, final), tensors, (torch.tensor(grad_y), torch.tensor(grad_final))
    )
    return Truth(
        arrays,
        y.detach().numpy(),
        final.detach().numpy(),
        grad_y,
        grad_final,
        tuple(g.numpy() for g in gradients),
    )
