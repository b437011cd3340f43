"""The equations of a kind of neuron as one frozen value, listed in `neurons.NEURONS`."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from wiring_search.networks.neurons.connections import Connections
from wiring_search.wirings.wiring import Wiring

Shapes = dict[str, tuple[int, ...]]
Parameters = dict[str, torch.Tensor]
Field = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Dynamics:
    """The equations of a kind of neuron.

    Attributes:
        connections: (wiring) → its edge lists.
        shapes: (made) → the parameters' shapes by name, in the order of the flat block.
        initial: (rng, name, shape, made) → fresh values of one parameter.
        advance: (solver, steps, made, parameters, v, u, elapsed) → the state (B, neurons) after
            `elapsed` (B, 1) > 0 from v, with the sensory values u (B, sensory) held. Plain torch:
            the reference for every kernel.
        positive: Names of the parameters that must stay positive.
        variant: What a compiled kernel branches on, where several kinds share it.
        bounds: (made, parameters as numpy arrays) → the least and the greatest value that each
            neuron's exact solution can take when it starts at 0; None where there are none.
        field: (made, parameters, u) → dv/dt as a function of v (B, neurons), with u held; None
            where there is no differential equation.
    """

    connections: Callable[[Wiring], Connections]
    shapes: Callable[[Connections], Shapes]
    initial: Callable[[np.random.Generator, str, tuple[int, ...], Connections], np.ndarray]
    advance: Callable[
        [str, int, Connections, Parameters, torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor
    ]
    positive: tuple[str, ...] = ()
    variant: int = 0
    bounds: Callable[[Connections, dict[str, np.ndarray]], tuple[np.ndarray, np.ndarray]] | None = (
        None
    )
    field: Callable[[Connections, Parameters, torch.Tensor], Field] | None = None


def sums_onto(
    v: torch.Tensor, pre: np.ndarray, post: np.ndarray, neurons: int, w: torch.Tensor
) -> torch.Tensor:
    """Weighted sums of what each neuron reads.

    Args:
        v: (B, nodes) values.
        pre: (E,) indices of the nodes that are read.
        post: (E,) indices of the neurons that read.
        neurons: Their number.
        w: (E,) weights.

    Returns:
        Σ w v, (B, neurons).
    """
    return sum_by_target(w * v.index_select(1, as_index(pre, v)), post, neurons)


def sum_by_target(values: torch.Tensor, post: np.ndarray, neurons: int) -> torch.Tensor:
    """The sums of values (B, E) onto their neurons `post` (E,): (B, neurons)."""
    if torch.onnx.is_in_onnx_export() and torch.jit.is_tracing():
        # The exporter by tracing has no sum by index; it knows products.
        onto = np.zeros((len(post), neurons), np.float32)
        onto[np.arange(len(post)), post] = 1.0
        return values @ torch.from_numpy(onto).to(values)
    zeros = values.new_zeros(values.shape[0], neurons)
    return zeros.index_add(1, as_index(post, values), values)


def as_index(indices: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    """(E,) int64, where `like` is: what torch selects by, and what an exported graph can hold."""
    return torch.from_numpy(np.ascontiguousarray(indices, np.int64)).to(like.device)
