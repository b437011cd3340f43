"""CfC: closed-form continuous-time neurons, sparse along the wiring or layered as in the `ncps`
package.

Four heads, each Σ w x + b over the neuron's connections, sensory ones included: ff1, ff2, a, b.
With s = sigmoid(a·t + b) and t the elapsed time

    cfc          h' = (1 − s) tanh(ff1) + s tanh(ff2)
    no gate      h' = tanh(ff1) + s tanh(ff2)
    pure (Cf-S)  h' = A − A exp(−t (|w_τ| + |ff1|)) ff1

(Hasani et al., "Closed-form continuous-time neural networks", Nature Machine Intelligence 2022,
eqs. 2 and 4 and supplement; signs and activations as in `ncps.torch.CfCCell`.) One evaluation a
time step, no sub-steps. Layers are swept inter → command → motor: a connection from a layer that
was swept before carries its new state, any other the old one.

Sparse: every weight, gates included, is a synapse of the wiring. Layered: what `ncps` calls a wired
CfC. Each layer sees the one before it and the old state of itself. Recurrence within a layer and
all gates are dense; the wiring masks only the ff heads between layers, and its recurrent synapses,
skips and polarities have no effect. (A wiring without all three roles is one layer there, densely
recurrent.)
"""

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch

from wiring_search.networks.neurons.connections import Connections, synapses_of
from wiring_search.networks.neurons.dynamics import Dynamics, sums_onto
from wiring_search.wirings.wiring import Wiring

DEFAULT, NO_GATE, PURE = 0, 1, 2
HEADS = {
    DEFAULT: ("ff1", "ff2", "time_a", "time_b"),
    NO_GATE: ("ff1", "ff2", "time_a", "time_b"),
    PURE: ("ff1",),
}


def swept(ends: tuple[int, int, int]) -> list[range]:
    """The neurons of each layer, in the order in which layers are swept."""
    starts = (0, *ends)
    return [range(low, high) for low, high in zip(starts, ends, strict=False) if low < high][::-1]


def _layered_connections(variant: int, wiring: Wiring) -> Connections:
    n = wiring.neurons
    # As in `ncps`: three layers where there are neurons of all three roles, one of all neurons
    # otherwise.
    if wiring.inter and wiring.command:
        ends = (wiring.motor, wiring.motor + wiring.command, n)
    else:
        ends = (n, n, n)
    layers = swept(ends)
    given = {(pre, post) for pre, post, _ in wiring.synapses}
    given_sensory = {(pre, post) for pre, post, _ in wiring.sensory_synapses}
    pairs = []
    for before, layer in zip([range(0), *layers], layers, strict=False):
        readable = sorted({*before, *layer})
        pairs += [
            (post, pre, pre in layer or (pre, post) in given) for post in layer for pre in readable
        ]
    outer = [
        (post, pre, (pre, post) in given_sensory)
        for post in layers[0]
        for pre in range(wiring.sensory)
    ]
    if variant == PURE:  # no gates: nothing is connected that the mask takes away
        pairs, outer = ([edge for edge in edges if edge[2]] for edges in (pairs, outer))
    post, pre, kept = _columns(sorted(pairs))
    sensory_post, sensory_pre, sensory_kept = _columns(sorted(outer))
    pins: tuple[tuple[str, np.ndarray], ...] = (
        ("ff1_w", ~kept),
        ("ff2_w", ~kept),
        ("sensory_ff1_w", ~sensory_kept),
        ("sensory_ff2_w", ~sensory_kept),
    )
    signs = np.ones(len(pre), np.int32)
    sensory_signs = np.ones(len(sensory_pre), np.int32)
    if variant == PURE:
        pins = ()
    return Connections(n, ends, pre, post, signs, sensory_pre, sensory_post, sensory_signs, pins)


def _columns(rows: list[tuple[int, int, bool]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    post, pre, kept = np.array(rows, np.int32).reshape(-1, 3).T.copy()
    return post, pre, kept.astype(bool)


def _shapes(variant: int, made: Connections) -> dict[str, tuple[int, ...]]:
    heads = HEADS[variant]
    biases: tuple[str, ...]
    if variant == PURE:
        biases = ("ff1_b", "w_tau", "amplitude")
    else:
        biases = tuple(f"{head}_b" for head in heads)
    return {
        **{name: (made.neurons,) for name in biases},
        **{f"{head}_w": (len(made.pre),) for head in heads},
        **{f"sensory_{head}_w": (len(made.sensory_pre),) for head in heads},
    }


def _initial(
    rng: np.random.Generator, name: str, shape: tuple[int, ...], made: Connections
) -> np.ndarray:
    """Weights uniform with variance 1 over the neuron's number of connections; amplitudes 1, the
    rest 0."""
    if not name.endswith("_w"):
        return np.full(shape, 1.0 if name == "amplitude" else 0.0)
    fan_in = np.bincount(made.post, minlength=made.neurons) + np.bincount(
        made.sensory_post, minlength=made.neurons
    )
    bound = np.sqrt(3.0 / fan_in[made.sensory_post if name.startswith("sensory_") else made.post])
    values = rng.uniform(-bound, bound)
    return np.where(made.pinned()[name], 0.0, values) if name in made.pinned() else values


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
    """The state after `elapsed` (B, 1) from v (B, neurons), with the sensory values u (B,
    sensory)."""
    for layer in swept(made.layer_ends):
        low = layer.start
        high = layer.stop
        head = {
            name: (
                sums_onto(v, made.pre, made.post, made.neurons, p[f"{name}_w"])
                + sums_onto(
                    u, made.sensory_pre, made.sensory_post, made.neurons, p[f"sensory_{name}_w"]
                )
                + p[f"{name}_b"]
            )[:, low:high]
            for name in HEADS[variant]
        }
        decay = (p["w_tau"][low:high], p["amplitude"][low:high]) if variant == PURE else ()
        new = closed_form(variant, head, elapsed, *decay)
        v = torch.cat([v[:, :low], new, v[:, high:]], dim=1)
    return v


def closed_form(
    variant: int,
    head: Mapping[str, torch.Tensor],
    elapsed: torch.Tensor,
    w_tau: torch.Tensor | None = None,
    amplitude: torch.Tensor | None = None,
) -> torch.Tensor:
    """The new state of CfC neurons.

    Args:
        variant: DEFAULT, NO_GATE or PURE.
        head: The weighted sums (B, neurons), by their names in HEADS.
        elapsed: (B, 1) time units.
        w_tau: (neurons,), of PURE only.
        amplitude: (neurons,), of PURE only.

    Returns:
        h', (B, neurons).

    Source:
        Hasani et al., "Closed-form continuous-time neural networks", Nature Machine Intelligence
        2022, eqs. 2 and 4.
    """
    if w_tau is not None and amplitude is not None:
        decay = torch.exp(-elapsed * (w_tau.abs() + head["ff1"].abs()))
        return amplitude * (1.0 - decay * head["ff1"])
    first = torch.tanh(head["ff1"])
    second = torch.tanh(head["ff2"])
    s = torch.sigmoid(head["time_a"] * elapsed + head["time_b"])
    return first + s * second if variant == NO_GATE else (1.0 - s) * first + s * second


def _neuron(variant: int, layered: bool) -> Dynamics:
    connections = partial(_layered_connections, variant) if layered else synapses_of
    return Dynamics(
        connections, partial(_shapes, variant), _initial, partial(_advance, variant), (), variant
    )


NEURONS = {
    "cfc": _neuron(DEFAULT, layered=False),
    "cfc-no-gate": _neuron(NO_GATE, layered=False),
    "cfc-pure": _neuron(PURE, layered=False),
    "layered-cfc": _neuron(DEFAULT, layered=True),
    "layered-cfc-no-gate": _neuron(NO_GATE, layered=True),
    "layered-cfc-pure": _neuron(PURE, layered=True),
}
