"""LTC: liquid time-constant neurons with conductance synapses.

    C_i dv_i/dt = g_i (vleak_i − v_i) + Σ_j w_ji s_ji (E_ji − v_i),    s_ji = sigmoid(σ_ji (v_j − μ_ji))

(Hasani et al., "Liquid Time-constant Networks", AAAI 2021, eq. 1 with the synapse model of eq. 2; the same sum runs
over sensory nodes, whose values the input map gives.) The semi-implicit step of length h takes the sigmoids at the
old state and the rest at the new one, which is exact in its fixed points, never overshoots, and needs no small step:

    v' = (C v + h (g vleak + Σ w s E)) / (C + h (g + Σ w s + ε))

(eq. 3 there; `ncps.torch.LTCCell` divides both sides by h. In this form h = 0 is harmless, and means "nothing
happens".)
"""

import numpy as np
import torch

EPSILON = 1e-8

# Uniform initial ranges, those of the `ncps` package. erev starts as the synapse's polarity; maps see `initial_parameters`.
INITIAL_RANGES = {
    "gleak": (0.001, 1.0),
    "vleak": (-0.2, 0.2),
    "cm": (0.4, 0.6),
    "w": (0.001, 1.0),
    "mu": (0.3, 0.8),
    "sigma": (3.0, 8.0),
}

# Conductances and capacitances are positive: kept so by softplus (implicit) or by clipping after each step (explicit).
POSITIVE = ("gleak", "cm", "w", "sensory_w")


def initial_parameters(
    shapes: dict[str, tuple[int, ...]], polarity: np.ndarray, sensory_polarity: np.ndarray, seed: int
) -> dict[str, np.ndarray]:
    """Fresh float32 parameters by name, in the order of `shapes` (see `PackLayout.shapes`).

    polarity, sensory_polarity: ±1 a synapse, the initial reversal potentials. The affine maps start as the identity; a
    projection starts with entries of variance 1/features, so that it keeps the inputs' variance; a linear readout as
    `torch.nn.Linear` does, uniform within ±1/√motors.
    """
    rng = np.random.default_rng(seed)
    fixed = {"erev": polarity, "sensory_erev": sensory_polarity}
    result = {}
    for name, shape in shapes.items():
        if name in fixed:
            values = fixed[name]
        elif name in ("input_b", "output_b"):
            values = np.zeros(shape)
        elif name in ("input_w", "output_w"):
            values = np.ones(shape) if len(shape) == 1 else _initial_map(rng, name, shape)
        else:
            values = rng.uniform(*INITIAL_RANGES[name.removeprefix("sensory_")], shape)
        result[name] = np.asarray(values, np.float32)
    return result


def _initial_map(rng: np.random.Generator, name: str, shape: tuple[int, int]) -> np.ndarray:
    bound = (3.0 if name == "input_w" else 1.0) ** 0.5 / shape[1] ** 0.5
    return rng.uniform(-bound, bound, shape)


def currents(
    v: torch.Tensor, pre: torch.Tensor, post: torch.Tensor, neurons: int, synapses: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Σ w s E and Σ w s onto each neuron.

    v: (B, nodes) presynaptic values; pre, post: (E,) int64; synapses: w, mu, sigma, erev, each (E,). Returns two (B,
    neurons).
    """
    conductance = synapses["w"] * torch.sigmoid(synapses["sigma"] * (v[:, pre] - synapses["mu"]))
    zeros = conductance.new_zeros(len(v), neurons)
    driving = zeros.index_add(1, post, conductance * synapses["erev"])
    return driving, zeros.index_add(1, post, conductance)


def semi_implicit_step(
    v: torch.Tensor, h: torch.Tensor, driving: torch.Tensor, conductance: torch.Tensor, p: dict[str, torch.Tensor]
) -> torch.Tensor:
    """One sub-step. v, driving, conductance: (B, neurons), sensory currents included; h: (B, 1), where 0 the state is
    held."""
    numerator = p["cm"] * v + h * (p["gleak"] * p["vleak"] + driving)
    denominator = p["cm"] + h * (p["gleak"] + conductance + EPSILON)
    return torch.where(h > 0, numerator / denominator, v)
