"""Mixed memory where it decides: parity of a bit stream, given as runs of equal bits with
irregular times between them.

    python benchmarks/long_memory.py            (about seven minutes on two cores)

The task `parity` (its docstring has the source), 40,000 streams for training, 4,000 each for
validation and test; dense LTC networks of 32 neurons, without memory and with an LSTM whose output
is their initial state; three seeds each, of weights and wiring. Prints the accuracy on the
validation split at the best epoch, and with the weights of that epoch the accuracy on the test
split, which nothing else has touched.
"""

import time

from wiring_search.tasks import TaskOptions, load
from wiring_search.training.loop import train, validation_errors
from wiring_search.training.pack import Pack
from wiring_search.training.state import load_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import fully_connected
from wiring_search.workers.jobs import PackJob, Rung

NEURONS, STEPS, EPOCHS, BATCH, LEARNING_RATE, SEEDS = 32, 3, 60, 64, 0.01, (0, 1, 2)


def main() -> None:
    task = load("parity", TaskOptions(samples=40_000))
    print(f"{'memory':8}{'seed':>5}{'valid':>8}{'test':>8}   epochs to 98 %")
    for memory in ("state", "none"):
        candidates = tuple(
            Candidate(
                fully_connected(1, NEURONS, NEURONS, seed=seed),
                "ltc",
                "semi-implicit",
                STEPS,
                memory,
                LEARNING_RATE,
                seed,
            )
            for seed in SEEDS
        )
        start = time.perf_counter()
        result = train(task, PackJob(0, Rung(0, EPOCHS, BATCH), candidates, data_seed=0))
        minutes = (time.perf_counter() - start) / 60
        for candidate, outcome in zip(candidates, result.outcomes, strict=True):
            state = load_state(outcome.state)
            pack = Pack(
                [candidate],
                task.features,
                task.outputs,
                [{**state, "weights": state["best_weights"]}],
            )
            test = 1 - validation_errors(task, task.test, pack)[0]
            solved = next(
                (str(epoch) for epoch, error in enumerate(outcome.curve, start=1) if error <= 0.02),
                "–",
            )
            print(
                f"{memory:8}{candidate.seed:5}{outcome.metric:8.4f}{test:8.4f}   {solved}",
                flush=True,
            )
        print(f"{len(SEEDS)} networks side by side: {minutes:.1f} minutes\n", flush=True)


if __name__ == "__main__":
    main()
