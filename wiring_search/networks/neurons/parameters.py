"""Initial values of parameters, and the map that keeps some of them positive."""

import numpy as np
import torch

from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.connections import Connections
from wiring_search.networks.neurons.dynamics import Shapes


def inverse_softplus(value: torch.Tensor) -> torch.Tensor:
    """The number whose softplus is `value` (> 0)."""
    return value + torch.log(-torch.expm1(-value))


def initial_parameters(
    neuron: str, shapes: Shapes, made: Connections, seed: int
) -> dict[str, np.ndarray]:
    """Fresh float32 parameters of a network.

    The affine maps start as the identity. A projection starts with entries of variance 1/features,
    so that it keeps the inputs' variance; a linear readout as `torch.nn.Linear` does, uniform
    within ±1/√motors. The memory starts as the LSTM of the `ncps` package does: Xavier inputs,
    orthogonal recurrence, biases within ±0.1, and the forget gate open (bias + 1).

    Args:
        neuron: A name out of KINDS.
        shapes: Of the parameters by name, see `kernels.layout`.
        made: The connections.
        seed: The same seed gives the same parameters.

    Returns:
        Arrays by name, in the order of `shapes`.
    """
    rng = np.random.default_rng(seed)
    result = {}
    for name, shape in shapes.items():
        if name.startswith("memory_"):
            values = initial_memory(rng, name, shape)
        elif name in ("input_b", "output_b"):
            values = np.zeros(shape)
        elif name in ("input_w", "output_w"):
            values = np.ones(shape) if len(shape) == 1 else _initial_map(rng, name, shape)
        else:
            values = NEURONS[neuron].initial(rng, name, shape, made)
        result[name] = np.asarray(values, np.float32)
    return result


def _initial_map(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    bound = (3.0 if name == "input_w" else 1.0) ** 0.5 / shape[1] ** 0.5
    return rng.uniform(-bound, bound, shape)


def initial_memory(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """A parameter of the memory as `ncps` starts it, with the 1 that it adds to a forget gate.

    Args:
        rng: What it is drawn from.
        name: "memory_x", "memory_h" or "memory_b".
        shape: Of the parameter; its first size is 4·cells.

    Returns:
        float64, of that shape.
    """
    cells = shape[0] // 4
    if name == "memory_b":
        bias = rng.uniform(-0.1, 0.1, shape)
        bias[2 * cells : 3 * cells] += 1.0
        return bias
    if name == "memory_x":
        bound = (6.0 / (shape[0] + shape[1])) ** 0.5
        return rng.uniform(-bound, bound, shape)
    q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
    q *= np.sign(np.diagonal(r))
    return q if shape[0] >= shape[1] else q.T
