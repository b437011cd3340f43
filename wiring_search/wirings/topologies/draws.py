"""Random draws that topologies share."""

import numpy as np

from wiring_search.wirings.topologies.arguments import check_whole


def generator(seed: int) -> np.random.Generator:
    """The source of random numbers of a topology.

    Raises:
        ValueError: The seed is no whole number of 0 or more.
    """
    check_whole("seed", seed, 0)
    return np.random.default_rng(seed)


def fill_up(
    rng: np.random.Generator, pairs: list[tuple[int, int]], sources: int, targets: int, count: int
) -> list[tuple[int, int]]:
    """Add random pairs that are not there yet, all equally likely.

    Args:
        rng: The source of random numbers.
        pairs: (source, target) each.
        sources: Number of sources.
        targets: Number of targets.
        count: Number of pairs of the result.

    Returns:
        `pairs`, then the others.
    """
    free = np.ones(sources * targets, bool)
    free[[a * targets + b for a, b in pairs]] = False
    drawn = rng.choice(np.flatnonzero(free), count - len(pairs), replace=False)
    return [*pairs, *((int(k) // targets, int(k) % targets) for k in drawn)]


def with_polarities(
    rng: np.random.Generator, pairs: list[tuple[int, int]], excitatory: float
) -> tuple[tuple[int, int, int], ...]:
    """Draw a polarity for every pair.

    Args:
        rng: The source of random numbers.
        pairs: (source, target) each.
        excitatory: The probability of polarity +1.

    Returns:
        (source, target, polarity) each.
    """
    polarity = np.where(rng.random(len(pairs)) < excitatory, 1, -1)
    return tuple((a, b, int(p)) for (a, b), p in zip(pairs, polarity, strict=True))
