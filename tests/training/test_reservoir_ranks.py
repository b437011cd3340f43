"""The ranks of reservoirs are what is known in closed form."""

from collections.abc import Callable

import pytest

from tests.support.delay_lines import delay_line, linear
from wiring_search.training.baselines.reservoir import Reservoir
from wiring_search.training.baselines.reservoir_ranks import generalisation_rank, kernel_quality
from wiring_search.wirings.topologies import random_sparse

SPARSE = random_sparse(3, 12, 2, 6, 30)


@pytest.mark.parametrize(("steps", "rank"), [(1, 1), (4, 4), (9, 9), (30, 9)])
def test_kernel_quality_of_a_delay_line_is_what_it_holds(steps: int, rank: int) -> None:
    reservoir = linear(delay_line(9), leak=1.0)
    assert kernel_quality(reservoir, streams=20, steps=steps, threshold=1e-6) == rank
    assert kernel_quality(reservoir, streams=5, steps=steps, threshold=1e-6) == min(rank, 5)


def test_ranks_tell_separation_from_sensitivity() -> None:
    for seed in range(3):
        reservoir = Reservoir(random_sparse(2, 50, 2, 10, 200, seed=seed), seed=seed)
        quality = kernel_quality(reservoir)
        ranks = [generalisation_rank(reservoir, jitter=jitter) for jitter in (0.0, 0.01, 0.1, 1.0)]
        assert ranks[0] == 1
        assert ranks == sorted(ranks)
        assert ranks[2] < quality <= 50
        assert (
            kernel_quality(reservoir, threshold=1e-9)
            >= quality
            >= kernel_quality(reservoir, threshold=0.1)
        )
        assert quality == kernel_quality(reservoir)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kernel_quality(Reservoir(SPARSE), streams=0), "streams is 0"),
        (lambda: kernel_quality(Reservoir(SPARSE), threshold=1.0), "threshold is 1.0"),
        (lambda: generalisation_rank(Reservoir(SPARSE), jitter=-1.0), "jitter is -1.0"),
    ],
)
def test_bad_settings_of_ranks_are_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
