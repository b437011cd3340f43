"""Which neurons draw the longest trajectories? Kinds of neuron and memory on the same wirings, with
equal weight scaling.

    python benchmarks/expressivity.py

Five seeds, each a wiring of its own and a set of weights for every kind. expressivity: length in
the plane of two principal components over that of neural ODEs of equal width. curl: length over
twice the root mean square distance from the mean (π for one turn of a circle), which no scaling of
the states changes. Median, least and greatest of the seeds. Scale: all synaptic weights
(conductances, for LTC) × s, memories and input maps as they are.

"E as published": LTC with reversal potentials drawn from N(0, s) × √k as the sums of the paper are,
instead of ±1.
"""

import numpy as np
from published_trajectory import MODELS, published_length

from wiring_search.networks.kernels import cpu
from wiring_search.scores.trajectory import (
    circle_length,
    expressivity,
    latent_trajectories,
    trajectory_lengths,
)
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS as NEURON_KINDS
from wiring_search.wirings.topologies import fully_connected, ncp
from wiring_search.wirings.wiring import Wiring

FEATURES, SEEDS = 2, 5
SYNAPTIC = {"w", "sensory_w"} | {
    f"{outer}{head}_w" for outer in ("", "sensory_") for head in ("ff1", "ff2", "time_a", "time_b")
}
KINDS = [
    (neuron, memory)
    for memory in ("none", "state", "input")
    for neuron in ("ltc", "ct-rnn", "neural-ode", "cfc")
]


def main() -> None:
    for name, wirings in wirings_by_name().items():
        print(f"{name}\n{'neuron':24}{'memory':8}{'scale':>6}{'expressivity':>26}{'curl':>22}")
        for neuron, memory in KINDS:
            for scale in (1, 4) if memory == "none" else (1,):
                line(neuron, memory, scale, scaled(pack_of(wirings, neuron, memory), scale))
        for scale in (1, 4):
            line(
                "ltc, E as published",
                "none",
                scale,
                with_published_reversals(pack_of(wirings, "ltc", "none"), scale),
            )
        print()
    published()


def wirings_by_name() -> dict[str, list[Wiring]]:
    return {
        "NCP, 12 inter, 8 command, 4 motor neurons": [
            ncp(4, 12, 8, 4, 5, 4, 12, 4, seed=k) for k in range(SEEDS)
        ],
        "fully connected, 25 neurons": [
            fully_connected(2, 25, 1, excitatory=0.5, seed=k) for k in range(SEEDS)
        ],
        "fully connected, 100 neurons": [
            fully_connected(2, 100, 1, excitatory=0.5, seed=k) for k in range(SEEDS)
        ],
    }


def pack_of(wirings: list[Wiring], neuron: str, memory: str) -> Pack:
    kind = NEURON_KINDS[neuron]
    solver = "rk4" if kind.usual_solver in kind.explicit else kind.usual_solver
    steps = 0 if solver == "closed-form" else 6
    return Pack(
        [Candidate(w, neuron, solver, steps, memory, seed=k) for k, w in enumerate(wirings)],
        FEATURES,
        1,
    )


def scaled(pack: Pack, scale: float) -> Pack:
    for own in pack.layout.slices:
        for name in SYNAPTIC & own.keys():
            pack.effective[own[name]] *= scale
    return pack


def with_published_reversals(pack: Pack, scale: float) -> Pack:
    rng = np.random.default_rng(0)
    for own, made in zip(pack.layout.slices, pack.layout.connections, strict=True):
        for name in ("erev", "sensory_erev"):
            part = pack.effective[own[name]]
            part[:] = rng.normal(0, scale, len(part)) * np.sqrt(made.neurons)
    return pack


def line(neuron: str, memory: str, scale: float, pack: Pack) -> None:
    plane = trajectory_lengths(pack).plane * circle_length(FEATURES)
    spread = [
        2 * np.sqrt(path.astype(float).var(axis=0).sum()) for path in latent_trajectories(pack)
    ]
    relative, curl = expressivity(pack), plane / spread
    shown = (f"{np.median(v):8.2f} ({v.min():.2f} … {v.max():.2f})" for v in (relative, curl))
    print(f"{neuron:24}{memory:8}{scale:6g}" + "".join(f"{text:>26}" for text in shown))


def published() -> None:
    print("as published (width 100, tanh), lengths: medians of five seeds")
    for scale in (1, 2, 4):
        medians = (
            np.median([published_length(model, 100, scale, seed=k) for k in range(SEEDS)])
            for model in MODELS
        )
        print(
            f"  scale {scale}: "
            + ", ".join(
                f"{model} {length:.0f}" for model, length in zip(MODELS, medians, strict=True)
            )
        )


if __name__ == "__main__":
    with cpu.one_thread():
        main()
