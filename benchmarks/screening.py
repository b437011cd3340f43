"""How many wirings a second can be screened without training: expressivity, gradient slope and
kernel rank of random candidates of a space, everything included but numba's compilation.

    python benchmarks/screening.py [--count 10000] [--space default] [--features 8]

One core: one process, one thread of everything. Two cores: two such processes, each with half of
the candidates (which is what the workers of a search are). Parts are timed apart, over the first
512 candidates, the quickest of three; the neural ODEs that expressivity is divided by are made once
a width, so their share falls with the number of candidates.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable

for _library in ("OPENBLAS", "MKL", "OMP", "NUMBA"):
    os.environ[f"{_library}_NUM_THREADS"] = "1"

import numpy as np

from wiring_search.networks.kernels.layout import Kind, kind_of
from wiring_search.scores.gradient import gradient_flow
from wiring_search.scores.proxies import PROXIES, proxies
from wiring_search.scores.rank import kernel_rank
from wiring_search.scores.trajectory import (
    latent_trajectories,
    neural_ode_length,
    trajectory_lengths,
)
from wiring_search.search_spaces import Space, load
from wiring_search.search_spaces.sample import distinct_candidates
from wiring_search.training.baselines.reservoir_ranks import different_streams
from wiring_search.training.pack import Pack
from wiring_search.training.warm_up import warm_up
from wiring_search.wirings.candidate import Candidate

PARTS = 512


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--count", type=int, default=10_000)
    arguments.add_argument("--space", default="default")
    arguments.add_argument("--features", type=int, default=8)
    given = arguments.parse_args()
    seconds, found = screen(given.space, given.count, given.features, 0)
    print(f"{given.count} candidates of {given.space!r}, {given.features} features\n")
    for name in PROXIES:
        values = found[name]
        low, middle, high = np.nanpercentile(values, [5, 50, 95])
        print(
            f"{name:15} 5 % {low:8.3f}   median {middle:8.3f}   95 % {high:8.3f}   not finite "
            f"{int(np.isnan(values).sum())}"
        )
    print(f"\none core:  {given.count / seconds:6.0f} wirings a second ({seconds:.1f} s)")
    print(f"two cores: {given.count / on_two_cores(given):6.0f} wirings a second\n")
    parts(load(given.space), given.features)


def screen(
    space: str, count: int, features: int, first: int
) -> tuple[float, dict[str, np.ndarray]]:
    """Seconds and proxies of `count` candidates, drawn from the seed `first`."""
    chosen = load(space)
    warm_up(
        {kind_of(candidate) for candidate in candidates(chosen, 64, 0)}
        | {Kind("neural-ode", "heun")}
    )
    start = time.perf_counter()
    found = proxies(candidates(chosen, count, first), features)
    return time.perf_counter() - start, found


def on_two_cores(given: argparse.Namespace) -> float:
    """Seconds of the slower half."""
    half = given.count // 2
    jobs = [
        (given.space, half, given.features, 0),
        (given.space, given.count - half, given.features, half),
    ]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return max(seconds for seconds, _ in pool.starmap(screen, jobs))


def candidates(space: Space, count: int, first: int) -> list[Candidate]:
    return [candidate for _, candidate in distinct_candidates(space, count, first)]


def parts(space: Space, features: int) -> None:
    drawn = candidates(space, PARTS, 0)
    kind = kind_of(drawn[0])
    drawn = [candidate for candidate in drawn if kind_of(candidate) == kind]
    building = timed(lambda: candidates(space, PARTS, 0)) / PARTS
    seconds = {"drawing points, building wirings": building * len(drawn)}

    def packed() -> list[Pack]:
        made = [
            Pack(drawn[start : start + 128], features, 1) for start in range(0, len(drawn), 128)
        ]
        for pack in made:
            _ = pack.layout.edges  # made when they are first asked for
        return made

    packs, x = packed(), different_streams(16, 32, features, 0).astype(np.float32)
    seconds["layouts, initial weights"] = timed(packed)
    seconds["latent trajectories"] = timed(lambda: [latent_trajectories(of) for of in packs])
    whole = timed(lambda: [trajectory_lengths(of) for of in packs])
    seconds["principal components, lengths"] = whole - seconds["latent trajectories"]
    seconds["gradient flow"] = timed(lambda: [gradient_flow(of, x) for of in packs])
    seconds["kernel rank"] = timed(lambda: [kernel_rank(of) for of in packs])
    print("parts, microseconds a candidate")
    for name, spent in seconds.items():
        print(f"  {name:34}{spent / len(drawn) * 1e6:8.0f}")
    print(f"  together{sum(seconds.values()) / len(drawn) * 1e6:34.0f}")
    widths = sorted({candidate.wiring.neurons for candidate in drawn})

    def references() -> None:
        neural_ode_length.cache_clear()
        for width in widths:
            neural_ode_length(width, features)

    once = timed(references)
    print(f"once: neural ODEs of {len(widths)} widths, {once:.1f} s")


def timed(run: Callable[[], object]) -> float:
    """Seconds of the quickest of three runs."""
    quickest = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        run()
        quickest = min(quickest, time.perf_counter() - start)
    return quickest


if __name__ == "__main__":
    main()
