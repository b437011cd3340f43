"""Fronts and indicators: how far from moocore and pymoo at worst, over random sets of 2 to 5
objectives, and how long they take.

    python benchmarks/pareto.py [--sets 200]

Sets have up to 200 points, half of them on a coarse grid (ties, repeats). Times are of one core:
fronts of 100,000 random points and of as many that are all on the front, hypervolumes of points of
a sphere.
"""

import argparse
import time
from collections.abc import Callable

import moocore
import numpy as np
from pymoo.indicators.hv import HV
from pymoo.indicators.igd_plus import IGDPlus

from wiring_search.analysis.pareto import additive_epsilon, hypervolume, igd_plus, is_front


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=200)
    print(
        "| objectives | hypervolume | IGD+ | additive epsilon | fronts that differ |\n"
        "|---|---|---|---|---|"
    )
    sets = parser.parse_args().sets
    for objectives in (2, 3, 4, 5):
        found = np.array([_differences(objectives, seed) for seed in range(sets)])
        print(
            f"| {objectives} | "
            + " | ".join(f"{worst:.1e}" for worst in found[:, :3].max(axis=0))
            + f" | {found[:, 3].sum():.0f} |"
        )
    print(
        "\n| objectives | front of 100,000 random | 100,000 all on it | hypervolume of 100 | 300 | "
        "1,000 |\n|---|---|---|---|---|---|"
    )
    for objectives in (2, 3, 4, 5):
        points = np.random.default_rng(0).random((100_000, objectives))
        times = [_seconds(is_front, points), _seconds(is_front, _sphere(100_000, objectives))]
        times += [
            _seconds(hypervolume, _sphere(count, objectives), np.ones(objectives))
            for count in (100, 300, 1000)
        ]
        print(f"| {objectives} | " + " | ".join(f"{seconds:.3g} s" for seconds in times) + " |")


def _differences(objectives: int, seed: int) -> list[float]:
    """The larger one of both libraries' differences, by indicator; whether the front is another."""
    rng = np.random.default_rng((objectives, seed))
    points, front = (
        np.round(rng.random((int(rng.integers(1, 200)), objectives)), 1 + 15 * (seed % 2))
        for _ in range(2)
    )
    front, corner = front[is_front(front)], np.full(objectives, 0.95)
    inside = points[(points < corner).all(axis=1)]
    theirs = [
        [
            moocore.hypervolume(points, ref=corner),
            float(HV(corner)(inside)) if len(inside) else 0.0,
        ],
        [moocore.igd_plus(points, ref=front), float(IGDPlus(front)(points))],
        [moocore.epsilon_additive(points, ref=front)],
    ]
    ours = [hypervolume(points, corner), igd_plus(points, front), additive_epsilon(points, front)]
    worst = [
        max(abs(one - other) for other in others) for one, others in zip(ours, theirs, strict=True)
    ]
    return [
        *worst,
        float((is_front(points) != moocore.is_nondominated(points, keep_weakly=True)).any()),
    ]


def _sphere(count: int, objectives: int) -> np.ndarray:
    points = np.abs(np.random.default_rng(0).standard_normal((count, objectives)))
    return 1 - points / np.linalg.norm(points, axis=1, keepdims=True)


def _seconds(work: Callable[..., object], *given: np.ndarray) -> float:
    start = time.process_time()
    work(*given)
    return time.process_time() - start


if __name__ == "__main__":
    main()
