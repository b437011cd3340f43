"""Is the sampler worth it? TPE, evolution and random sampling at the same cost, over several seeds.

    python examples/compare_samplers.py

The measure is the hypervolume of error against synapses below a fixed reference point: larger is
better. A sampler learns only from finished packs. With large packs and many of them in flight, its
first dozens of candidates are as random as those of random sampling.
"""

import os
from pathlib import Path

import numpy as np

from wiring_search.analysis.pareto import hypervolume
from wiring_search.run import ONE_PROCESS, search, study_config

TRIALS, EPOCHS = int(os.environ.get("TRIALS", 60)), int(os.environ.get("EPOCHS", 10))
OUT = Path(os.environ.get("OUT", "results/samplers"))
SEEDS = int(os.environ.get("SEEDS", 3))
CORNER = np.array([0.9, 400.0])  # error of guessing, and more synapses than needed


def volume(sampler: str, seed: int) -> float:
    settings = {"trials": TRIALS, "epochs": EPOCHS, "pack_size": 4, "ahead": 2}
    config = study_config("digits", "small", sampler=sampler, seed=seed, scores=(), **settings)
    front = search(config, OUT / f"{sampler}-{seed}", ONE_PROCESS).front()
    return hypervolume(front[["error", "synapses"]].to_numpy(float), CORNER)


def main() -> None:
    for sampler in ("tpe", "evolution", "random"):
        volumes = np.array([volume(sampler, seed) for seed in range(SEEDS)])
        print(
            f"{sampler:10} {volumes.mean():7.1f} ± {volumes.std(ddof=1) / len(volumes) ** 0.5:.1f} "
            f"(standard error, {SEEDS} seeds)"
        )


if __name__ == "__main__":
    main()
