"""A neuron, a score and a task of your own, searched together.


    wiring-search search --extension examples/extension.py --task chirps \
        --space examples/own_neuron.toml --samples 500 --objectives error,synapses,effort

docs/how-to/own-neuron.md, own-score.md and own-data.md explain it.
"""

import numpy as np
import torch

from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons.connections import Connections, synapses_of
from wiring_search.networks.neurons.dynamics import Dynamics, sums_onto
from wiring_search.scores.catalogue import Score
from wiring_search.tasks import Split, Task, TaskOptions, trivial_rules

# A neuron: a leaky unit whose rate is gated by its inputs.
#
#     dv/dt = r (a − v),   a = tanh(b + Σ w v + Σ w u),   r = sigmoid(c + Σ g v + Σ g u)
#
# With a and r constant during a time step this has a closed form: it needs no solver and no steps.


def shapes(made: Connections) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters: one number per neuron, per synapse, or per sensory synapse."""
    neurons, synapses, sensory = (made.neurons,), (len(made.pre),), (len(made.sensory_pre),)
    return {
        "b": neurons,
        "c": neurons,
        "w": synapses,
        "g": synapses,
        "sensory_w": sensory,
        "sensory_g": sensory,
    }


def initial(
    rng: np.random.Generator, name: str, shape: tuple[int, ...], made: Connections
) -> np.ndarray:
    """Initial values of a parameter. A synapse's polarity is the sign of its first weight."""
    if name in ("b", "c"):
        return np.zeros(shape)
    polarity = made.sensory_polarity if name.startswith("sensory_") else made.polarity
    return polarity * rng.uniform(0.0, 1.0, shape)


def advance(solver, steps, made, p, v, u, elapsed):
    """One time step: the new state (B, neurons).

    Args:
        v: State (B, neurons).
        u: Sensory values (B, sensory), constant during the step.
        elapsed: Duration of the step (B, 1).
    """

    def summed(bias, weight, sensory_weight):
        inner = sums_onto(v, made.pre, made.post, made.neurons, p[weight])
        outer = sums_onto(u, made.sensory_pre, made.sensory_post, made.neurons, p[sensory_weight])
        return p[bias] + inner + outer

    a = torch.tanh(summed("b", "w", "sensory_w"))
    r = torch.sigmoid(summed("c", "g", "sensory_g"))
    return v + (1.0 - torch.exp(-r * elapsed)) * (a - v)


NEURONS = {"gated-leak": Dynamics(synapses_of, shapes, initial, advance)}


# A score: how active the trained neurons are.


def effort(network: LiquidNetwork, task: Task, seed: int) -> float:
    """Mean square of the last states over some validation sequences."""
    with torch.no_grad():
        _, states = network(torch.tensor(task.valid.x[:64]))
    return float(states.square().mean())


SCORES = {
    "effort": Score("mean square of the last states, on validation sequences", 1, measure=effort)
}


# A task: does the tone rise or fall?


def chirps(options: TaskOptions) -> Task:
    """is a noisy tone rising or falling: 32 steps of 1 feature, 2 classes"""
    counts = {
        "train": options.samples,
        "valid": max(options.samples // 5, 50),
        "test": max(options.samples // 5, 50),
    }
    splits = {name: _chirps(count, seed) for seed, (name, count) in enumerate(counts.items())}
    return Task(
        name="chirps",
        kind="classification",
        every_step=False,
        outputs=2,
        metric="accuracy",
        **splits,
        rules={
            "majority class": trivial_rules.majority(splits["train"], splits["valid"]),
            "logistic regression": trivial_rules.logistic(splits["train"], splits["valid"]),
        },
        source="generated",
    )


def _chirps(count: int, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    rising = rng.integers(0, 2, count)
    time = np.linspace(0.0, 1.0, 32)
    first, last = rng.uniform(2, 3, (count, 1)), rng.uniform(5, 6, (count, 1))
    phase = 2 * np.pi * (rng.uniform(size=(count, 1)) + first * time + (last - first) * time**2 / 2)
    tone = np.sin(phase)
    tone = np.where(rising[:, None] == 1, tone, tone[:, ::-1]) + 0.1 * rng.standard_normal(
        (count, 32)
    )
    return Split(tone[:, :, None].astype(np.float32), rising.astype(np.int64))


TASKS = {"chirps": chirps}
