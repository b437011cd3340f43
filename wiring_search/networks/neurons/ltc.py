"""LTC: liquid time-constant neurons with conductance synapses.

    C_i dv_i/dt = g_i (vleak_i − v_i) + Σ_j w_ji s_ji (E_ji − v_i)
    s_ji = sigmoid(σ_ji (v_j − μ_ji))

(Hasani et al., "Liquid Time-constant Networks", AAAI 2021, eq. 1 with the synapse model of eq. 2;
the same sum runs over sensory nodes, whose values the input map gives.) The semi-implicit step of
length h takes the sigmoids at the old state and the rest at the new one, which is exact in its
fixed points, never overshoots, and needs no small step:

    v' = (C v + h (g vleak + Σ w s E)) / (C + h (g + Σ w s + ε))

(eq. 3 there; `ncps.torch.LTCCell` divides both sides by h. In this form h = 0 is harmless.) The
closed form takes the whole interval at once with the sigmoids at the old state, which makes the
equation linear, with the solution

    v' = A + (v − A) exp(−h (g + Σ w s + ε) / C),    A = (g vleak + Σ w s E) / (g + Σ w s + ε)

(Hasani et al., "Closed-form continuous-time neural networks", Nature Machine Intelligence 2022, eq.
2, whose decay to A this is; no sub-steps.) Explicit solvers integrate dv/dt as it stands
(`wiring_search.networks.neurons.solvers`).
"""

from collections.abc import Callable

import numpy as np
import torch

from wiring_search.networks.neurons.connections import Connections, synapses_of
from wiring_search.networks.neurons.dynamics import Dynamics, Field, as_index, sum_by_target
from wiring_search.networks.neurons.solvers import TABLEAUX, explicit_step

EPSILON = 1e-8

_Currents = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]

SYNAPSE_FIELDS = ("w", "mu", "sigma", "erev")

# Uniform initial ranges, those of the `ncps` package. erev starts as the synapse's polarity.
INITIAL_RANGES = {
    "gleak": (0.001, 1.0),
    "vleak": (-0.2, 0.2),
    "cm": (0.4, 0.6),
    "w": (0.001, 1.0),
    "mu": (0.3, 0.8),
    "sigma": (3.0, 8.0),
}

# Conductances and capacitances are positive: kept so by softplus (implicit) or by clipping after
# each step (explicit).
POSITIVE = ("gleak", "cm", "w", "sensory_w")


def _shapes(made: Connections) -> dict[str, tuple[int, ...]]:
    return {
        **{name: (made.neurons,) for name in ("gleak", "vleak", "cm")},
        **{name: (len(made.pre),) for name in SYNAPSE_FIELDS},
        **{f"sensory_{name}": (len(made.sensory_pre),) for name in SYNAPSE_FIELDS},
    }


def _initial(
    rng: np.random.Generator, name: str, shape: tuple[int, ...], made: Connections
) -> np.ndarray:
    fixed = {"erev": made.polarity, "sensory_erev": made.sensory_polarity}
    if name in fixed:
        return fixed[name]
    return rng.uniform(*INITIAL_RANGES[name.removeprefix("sensory_")], shape)


def _advance(
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
    currents = _all_currents(made, p, u)
    if solver == "closed-form":
        driving, conductance = currents(v)
        decayed = -elapsed * conductance / p["cm"]
        # Not R + (v − R) e^−r, in which a small v or r would lose its digits.
        return v * torch.exp(decayed) - driving / conductance * torch.expm1(decayed)
    h = elapsed / steps
    rate = h / p["cm"]
    field = _field_of(currents, p)
    for _ in range(steps):
        if solver == "semi-implicit":
            driving, conductance = currents(v)
            # (C v + h N)/(C + h D), divided by C: its gradient by C would lose its digits where h
            # is small.
            v = (v + rate * driving) / (1.0 + rate * conductance)
        else:
            v = explicit_step(field, v, h, TABLEAUX[solver])
    return v


def _field(made: Connections, p: dict[str, torch.Tensor], u: torch.Tensor) -> Field:
    """dv/dt as a function of v."""
    return _field_of(_all_currents(made, p, u), p)


def _field_of(currents: _Currents, p: dict[str, torch.Tensor]) -> Field:
    def field(v: torch.Tensor) -> torch.Tensor:
        driving, conductance = currents(v)
        return (driving - conductance * v) / p["cm"]

    return field


def _all_currents(made: Connections, p: dict[str, torch.Tensor], u: torch.Tensor) -> _Currents:
    """From v to g vleak + Σ w s E and g + Σ w s + ε, two (B, neurons); the sums over sensory nodes
    are made once."""
    outer_driving, outer_conductance = _currents(
        u, made.sensory_pre, made.sensory_post, made.neurons, p, "sensory_"
    )
    outer_driving = outer_driving + p["gleak"] * p["vleak"]
    outer_conductance = outer_conductance + p["gleak"] + EPSILON

    def currents(v: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        driving, conductance = _currents(v, made.pre, made.post, made.neurons, p, "")
        return driving + outer_driving, conductance + outer_conductance

    return currents


def _currents(
    v: torch.Tensor,
    pre: np.ndarray,
    post: np.ndarray,
    neurons: int,
    p: dict[str, torch.Tensor],
    prefix: str,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Σ w s E and Σ w s onto each neuron, two (B, neurons). v: (B, nodes) presynaptic values; pre,
    post: (E,)."""
    w, mu, sigma, erev = (p[prefix + name] for name in SYNAPSE_FIELDS)
    conductance = w * torch.sigmoid(sigma * (v.index_select(1, as_index(pre, v)) - mu))
    return (
        sum_by_target(conductance * erev, post, neurons),
        sum_by_target(conductance, post, neurons),
    )


def _bounds(made: Connections, p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest of 0, the leak's and the synapses' reversal potentials (Hasani et
    al. 2021, theorem 2)."""
    low = np.minimum(p["vleak"], 0.0)
    high = np.maximum(p["vleak"], 0.0)
    for post, erev in ((made.post, p["erev"]), (made.sensory_post, p["sensory_erev"])):
        np.minimum.at(low, post, erev)
        np.maximum.at(high, post, erev)
    return low, high


NEURONS = {
    "ltc": Dynamics(
        synapses_of, _shapes, _initial, _advance, positive=POSITIVE, bounds=_bounds, field=_field
    )
}
