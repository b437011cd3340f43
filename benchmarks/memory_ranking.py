"""Which neurons remember? LTC, CT-RNN, neural ODE and CfC, each without and with mixed memory, on
one and the same wiring.

    python benchmarks/memory_ranking.py            (about five minutes on two cores)

An NCP of 24 neurons, five seeds of the weights. Delayed recall of random bits 1, 2, 4, 8, 16 and 32
steps ago, and copy memory of five symbols over 8 blanks. Trained and judged as
`wiring_search.scores.memory.suite` does it; ranked by the area of recall. Prints mean ± standard
deviation over seeds, and how many of them solved it.
"""

import time

from wiring_search.scores.memory import Row, Standing, standings, suite
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp

SEEDS, EPOCHS, SAMPLES, LEARNING_RATE = 5, 4, 4000, 0.02
LONGEST, BLANKS = 32, 8
NEURONS = {
    "ltc": ("semi-implicit", 4),
    "ct-rnn": ("rk4", 2),
    "neural-ode": ("rk4", 2),
    "cfc": ("closed-form", 0),
}


def candidates() -> list[Candidate]:
    wiring = ncp(
        4, 10, 8, 6, sensory_fanout=5, inter_fanout=4, recurrent_synapses=10, motor_fanin=4, seed=0
    )
    return [
        Candidate(wiring, neuron, solver, steps, memory, LEARNING_RATE)
        for neuron, (solver, steps) in NEURONS.items()
        for memory in ("none", "state")
    ]


def main() -> None:
    start = time.perf_counter()
    those = candidates()
    rows = suite(those, ("recall",), (LONGEST,), SEEDS, EPOCHS, SAMPLES)
    copied = suite(those, ("copy",), (BLANKS,), SEEDS, 2 * EPOCHS, SAMPLES)
    ranked = sorted(standings(rows), key=lambda standing: -standing.area)
    lags = sorted({row.lag for row in rows})
    print(
        f"{'neuron':11}{'memory':7}{'area of recall':>15}  longest   accuracy at lag "
        + "".join(f"{lag:>7}" for lag in lags)
    )
    for standing in ranked:
        print(
            line(
                those[standing.candidate],
                standing,
                [row for row in rows if row.candidate == standing.candidate],
            )
        )
    print(
        f"\n{'neuron':11}{'memory':7}accuracy of copying over {BLANKS} blanks (chance 0.125), "
        "seeds that solved it"
    )
    for row in sorted(copied, key=lambda row: -row.mean):
        candidate = those[row.candidate]
        print(
            f"{candidate.neuron:11}{candidate.memory:7}{row.mean:.3f} ± {row.spread:.3f}  "
            f"{row.solved} of {row.tried}"
        )
    print(
        f"\n{len(those)} networks × {SEEDS} seeds: {(time.perf_counter() - start) / 60:.1f} minutes"
    )


def line(candidate: Candidate, standing: Standing, rows: list[Row]) -> str:
    curve = "".join(f"{row.mean:7.2f}" for row in rows)
    kind = f"{candidate.neuron:11}{candidate.memory:7}"
    return f"{kind}{standing.area:8.2f} ± {standing.spread:.2f}{standing.longest:9}{'':19}{curve}"


if __name__ == "__main__":
    main()
