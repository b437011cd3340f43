"""Networks of every kind with random weights, as parcels, for the tests of exports."""

import numpy as np
import torch

from wiring_search.export.parcel import Parcel, parcel
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.tasks.columns import Columns, Scale
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS as NEURON_KINDS
from wiring_search.wirings.kinds import MEMORIES
from wiring_search.wirings.topologies import ncp

KINDS = [
    (neuron, solver, memory)
    for neuron, known in NEURON_KINDS.items()
    for solver in known.solvers
    for memory in MEMORIES
]


def network_parcel(
    neuron: str, solver: str, memory: str, projected: bool = False, outputs: int | None = 4
) -> Parcel:
    """An NCP of 4 to 7 + 3 + 2 neurons, every parameter away from its special initial value, on
    irregular sequences with steps in which no time passes."""
    rng = np.random.default_rng(sum(map(ord, neuron + solver + memory)))
    wiring = ncp(4, int(rng.integers(4, 8)), 3, 2, 2, 2, 3, 2, seed=int(rng.integers(99)))
    candidate = Candidate(
        wiring,
        neuron,
        solver,
        0 if solver == "closed-form" else 3,
        memory,
        seed=int(rng.integers(99)),
    )
    features = 3 if projected else 4
    network = LiquidNetwork(
        wiring,
        features,
        outputs,
        neuron=neuron,
        solver=solver,
        steps=candidate.steps,
        memory=memory,
        seed=candidate.seed,
    )
    pinned = network.layout.connections[0].pinned()
    with torch.no_grad():
        for name, value in network.named_parameters():
            value += torch.from_numpy(0.1 * rng.random(tuple(value.shape), np.float32))
            if name in pinned:
                value[torch.from_numpy(pinned[name])] = 0.0
    x = rng.standard_normal((5, 5, features), np.float32)
    elapsed = (0.1 + rng.random((5, 5), np.float32)) * (rng.random((5, 5)) < 0.8)
    elapsed[:, 0] = 1.0
    names = tuple(f'feature "{number}"' for number in range(features))
    inputs = Columns(names, Scale(np.arange(features, dtype=float), np.full(features, 2.0)))
    about = {"task": "made up", "trial": 4, "neuron": neuron, "solver": solver, "memory": memory}
    name = f"{neuron}_{solver}_{memory}" + ("_projected" if projected else "")
    return parcel(candidate, network, name, about, x, elapsed.astype(np.float32), inputs=inputs)
