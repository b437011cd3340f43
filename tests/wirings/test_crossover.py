"""Crossing two wirings mixes their nodes and synapses.

The child is feasible, within its limits and its layers, and the origin of every node is known.
"""

import numpy as np
import pytest

from tests.support.mutants import LIMITS, MADE, check_origins
from wiring_search.wirings.mutation import Limits, Origins, cross, mutate, survivors
from wiring_search.wirings.topologies import ncp


@pytest.mark.parametrize("made", MADE)
def test_crossing_mixes_the_nodes_and_synapses_of_both_parents(made: str) -> None:
    rng = np.random.default_rng(7)
    for seed in range(20):
        a = MADE[made](seed)
        b = mutate(a, LIMITS, rng, times=5).wiring if seed % 2 else MADE[made](seed + 100)
        crossed = cross(a, b, LIMITS, rng)
        assert crossed is not None
        of_a, of_b = crossed
        assert of_a.wiring == of_b.wiring
        assert of_a.moves == ("cross",)
        child = of_a.wiring
        assert {
            getattr(child, role) - getattr(a, role)
            for role in ("inter", "command", "motor", "sensory")
        } <= {
            0,
            *(
                getattr(b, role) - getattr(a, role)
                for role in ("inter", "command", "motor", "sensory")
            ),
        }
        for parent, made_of in ((a, of_a), (b, of_b)):
            check_origins(parent, made_of)
        inherited = survivors(a, child, of_a.origins), survivors(b, child, of_b.origins)
        assert sum(inherited) >= 0.7 * child.synapse_count
    same = cross(a, a, LIMITS, rng)
    assert same is not None
    assert same[0].wiring == a
    assert same[0].origins == same[1].origins == Origins.same(a)


def test_crossing_relatives_matches_the_nodes_with_a_common_origin() -> None:
    """A wiring and its child without the first inter neuron agree in all other nodes. Matched by
    origin, their children keep more synapses than matched by order."""
    rng, a = np.random.default_rng(9), ncp(4, 7, 4, 2, 2, 2, 4, 2, seed=1)
    fixed = Limits(sensory=(4, 4), command=(4, 4), motor=(2, 2))
    while True:
        b, _, origins = mutate(a, fixed, rng, among=("shrink",))
        if a.motor + a.command not in origins.neurons:
            break
    known, unknown = [], []
    for _ in range(20):
        for matches, kept in ((origins, known), (None, unknown)):
            crossed = cross(a, b, LIMITS, rng, matches)
            assert crossed is not None
            of_a, of_b = crossed
            check_origins(a, of_a)
            check_origins(b, of_b)
            kept.append(survivors(a, of_a.wiring, of_a.origins) / a.synapse_count)
            if matches:
                twins = [origins.neurons[at] for at in of_b.origins.neurons if at is not None]
                assert twins == [at for at in of_a.origins.neurons if at in origins.neurons]
    assert np.mean(known) > 0.85
    assert np.mean(unknown) < 0.75


def test_equal_seeds_cross_to_equal_children() -> None:
    a, b = MADE["ncp"](0), MADE["ncp"](1)
    first, second = (cross(a, b, LIMITS, np.random.default_rng(8)) for _ in range(2))
    assert first == second
