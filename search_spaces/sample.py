"""Distinct candidates of a space, drawn uniformly."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from wiring_search.search_spaces import Infeasible, Space
from wiring_search.wirings.candidate import Candidate

# Points in a row that are infeasible or seen before, after which a space counts as exhausted.
GIVE_UP_AFTER = 1000

Point = dict[str, Any]


def distinct_candidates(space: Space, samples: int, seed: int) -> Iterator[tuple[Point, Candidate]]:
    """Draw distinct candidates uniformly, over logarithms if a range is logarithmic.

    Args:
        space: The space.
        samples: The number of candidates. There are fewer if the space has no more.
        seed: Decides which candidates, and their order.

    Yields:
        A point and its candidate.
    """
    rng = np.random.default_rng((seed, 0x5C))
    seen: set[str] = set()
    in_vain = 0
    while len(seen) < samples and in_vain < GIVE_UP_AFTER:
        point = space.draw(rng)
        try:
            candidate = space.build(point, seed)
        except Infeasible:
            in_vain += 1
            continue
        if candidate.candidate_id in seen:
            in_vain += 1
            continue
        in_vain = 0
        seen.add(candidate.candidate_id)
        yield point, candidate
