"""Every score of LTC, CT-RNN, neural ODE and CfC, each without and with mixed memory, trained on
digits: mean ± standard deviation over five seeds of wiring and weights.

    python benchmarks/score_ranking.py             (about four minutes on two cores)

NCPs of 24 neurons, 30 epochs, one learning rate; trained and measured as the workers of a search do
it.
"""

import numpy as np

from wiring_search.scores.catalogue import GROUPS
from wiring_search.scores.evaluate import train_and_score
from wiring_search.tasks import load
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import PackJob, Rung, Status

SEEDS, EPOCHS, LEARNING_RATE = 5, 30, 0.02
NEURONS = {
    "ltc": ("semi-implicit", 4),
    "ct-rnn": ("rk4", 2),
    "neural-ode": ("rk4", 2),
    "cfc": ("closed-form", 0),
}
SHOWN = ("error", *(name for group in GROUPS.values() for name in group))


def main() -> None:
    task = load("digits")
    wirings = [ncp(8, 10, 8, 6, 5, 4, 10, 4, seed=seed) for seed in range(SEEDS)]
    print(f"{'neuron':11}{'memory':7}" + "".join(f"{name:>18}" for name in SHOWN))
    for neuron, (solver, steps) in NEURONS.items():
        for memory in ("none", "state"):
            candidates = tuple(
                Candidate(wiring, neuron, solver, steps, memory, LEARNING_RATE, seed)
                for seed, wiring in enumerate(wirings)
            )
            job = PackJob(0, Rung(0, EPOCHS, 64), candidates, 0, scores=tuple(GROUPS))
            outcomes = [
                outcome
                for outcome in train_and_score(task, job).outcomes
                if outcome.status is Status.OK
            ]
            values = [np.array([outcome.score(name) for outcome in outcomes]) for name in SHOWN]
            cells = "".join(f"{f'{v.mean():.3f} ± {v.std(ddof=1):.3f}':>18}" for v in values)
            print(
                f"{neuron:11}{memory:7}{cells}"
                + ("" if len(outcomes) == SEEDS else f"  ({len(outcomes)} of {SEEDS})"),
                flush=True,
            )


if __name__ == "__main__":
    main()
