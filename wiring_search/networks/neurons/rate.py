"""Rate neurons on a wiring: the CT-RNN (leaky integrator) and, without the leak, the neural ODE.

    CT-RNN       dx_i/dt = −x_i/τ_i + tanh(b_i + Σ_j w_ji x_j + Σ_k w^s_ki u_k)
    neural ODE   dx_i/dt =            tanh(b_i + Σ_j w_ji x_j + Σ_k w^s_ki u_k)

(Funahashi & Nakamura, "Approximation of dynamical systems by continuous time recurrent neural
networks", Neural Networks 1993; Chen et al., "Neural ordinary differential equations", NeurIPS
2018; as sequence models: Hasani et al., "Liquid time-constant networks", AAAI 2021, table 2, and
Lechner & Hasani, "Learning long-term dependencies in irregularly-sampled time series", 2020.) A
synapse's polarity is the sign that its weight starts with.
"""

from functools import partial

import numpy as np
import torch

from wiring_search.networks.neurons.connections import Connections, synapses_of
from wiring_search.networks.neurons.dynamics import Dynamics, Field, sums_onto
from wiring_search.networks.neurons.solvers import TABLEAUX, explicit_step

# The variant with a leak, the CT-RNN.
LEAKY = 1


def _shapes(variant: int, made: Connections) -> dict[str, tuple[int, ...]]:
    leak: dict[str, tuple[int, ...]] = {"tau": (made.neurons,)} if variant == LEAKY else {}
    return leak | {
        "bias": (made.neurons,),
        "w": (len(made.pre),),
        "sensory_w": (len(made.sensory_pre),),
    }


def _initial(
    rng: np.random.Generator, name: str, shape: tuple[int, ...], made: Connections
) -> np.ndarray:
    """τ = 1, b = 0, |w| half normal with variance 1 over the neuron's incoming synapses of that
    kind."""
    if name == "tau":
        return np.ones(shape)
    if name == "bias":
        return np.zeros(shape)
    post, polarity = (
        (made.post, made.polarity) if name == "w" else (made.sensory_post, made.sensory_polarity)
    )
    fan_in = np.bincount(post, minlength=made.neurons)[post]
    return polarity * np.abs(rng.standard_normal(shape)) / np.sqrt(fan_in)


def _advance(
    variant: int,
    solver: str,
    steps: int,
    made: Connections,
    p: dict[str, torch.Tensor],
    v: torch.Tensor,
    u: torch.Tensor,
    elapsed: torch.Tensor,
) -> torch.Tensor:
    """The state after `elapsed` (B, 1) from v (B, neurons), with the sensory values u (B, sensory)
    held."""
    field = _field(variant, made, p, u)
    for _ in range(steps):
        v = explicit_step(field, v, elapsed / steps, TABLEAUX[solver])
    return v


def _field(variant: int, made: Connections, p: dict[str, torch.Tensor], u: torch.Tensor) -> Field:
    """dv/dt as a function of v; the sum over sensory nodes is made once."""
    outer = p["bias"] + sums_onto(
        u, made.sensory_pre, made.sensory_post, made.neurons, p["sensory_w"]
    )

    def field(v: torch.Tensor) -> torch.Tensor:
        slope = torch.tanh(outer + sums_onto(v, made.pre, made.post, made.neurons, p["w"]))
        return slope - v / p["tau"] if variant == LEAKY else slope

    return field


def _bounds(made: Connections, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """|x| ≤ τ: there the leak outweighs the tanh."""
    return -p["tau"], p["tau"]


NEURONS = {
    "ct-rnn": Dynamics(
        synapses_of,
        partial(_shapes, LEAKY),
        _initial,
        partial(_advance, LEAKY),
        positive=("tau",),
        variant=LEAKY,
        bounds=_bounds,
        field=partial(_field, LEAKY),
    ),
    "neural-ode": Dynamics(
        synapses_of, partial(_shapes, 0), _initial, partial(_advance, 0), field=partial(_field, 0)
    ),
}
