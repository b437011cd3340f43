"""Moves keep a wiring feasible, within its limits and its layers.

The origin of every node is known.
"""

import json

import numpy as np
import pytest

from tests.support.mutants import LIMITS, MADE, check_origins, edges_of
from wiring_search.wirings.mutation import (
    FORWARD,
    MOVES,
    RECURRENT,
    Child,
    Limits,
    Origins,
    joined_roles,
    mutate,
    survivors,
)
from wiring_search.wirings.topologies import layered


@pytest.mark.parametrize("made", MADE)
def test_many_moves_keep_a_wiring_feasible(made: str) -> None:
    """`Wiring` refuses dead and unreachable neurons and idle sensory nodes."""
    rng, wiring = np.random.default_rng(1), MADE[made](0)
    layers = made in ("ncp", "layered")
    allowed = {*FORWARD, RECURRENT} if layers else joined_roles(wiring, True)
    seen = set()
    for _ in range(400):
        child = mutate(wiring, LIMITS, rng)
        assert len(child.moves) == 1
        assert joined_roles(child.wiring, False) <= allowed
        check_origins(wiring, child)
        wiring = child.wiring
        seen |= set(child.moves)
        for name in ("sensory", "motor", "neurons", *(("inter", "command") if layers else ())):
            low, high = getattr(LIMITS, name)
            assert low <= getattr(wiring, name) <= high
    assert seen >= {
        "add",
        "remove",
        "rewire",
        "flip",
        "grow sensory",
        "shrink sensory",
        "grow inter",
        "shrink motor",
    }


@pytest.mark.parametrize("made", MADE)
@pytest.mark.parametrize("move", ["add", "remove", "rewire", "flip"])
def test_a_move_of_a_synapse_changes_one(made: str, move: str) -> None:
    rng = np.random.default_rng(2)
    for seed in range(20):
        parent = MADE[made](seed)
        child = mutate(parent, LIMITS, rng, among=(move,))
        if not child.moves:  # nowhere to add to
            assert made == "fully_connected"
            assert move in ("add", "rewire")
            assert child.wiring == parent
            continue
        assert child.origins == Origins.same(parent)
        assert child.moves == (move,)
        before, after = edges_of(parent, child.origins), edges_of(child.wiring, child.origins)
        gone, come = before.keys() - after.keys(), after.keys() - before.keys()
        flipped = [pair for pair in before.keys() & after.keys() if before[pair] != after[pair]]
        expected = {"add": (0, 1, 0), "remove": (1, 0, 0), "rewire": (1, 1, 0), "flip": (0, 0, 1)}[
            move
        ]
        assert (len(gone), len(come), len(flipped)) == expected
        assert survivors(parent, child.wiring, child.origins) == len(before) - len(gone)
        if move == "rewire":
            (old,), (new,) = gone, come
            assert before[old] == after[new]
            assert (old[0] == new[0]) != (old[1] == new[1])


@pytest.mark.parametrize("made", MADE)
def test_growing_and_shrinking_leave_the_other_synapses_alone(made: str) -> None:
    rng = np.random.default_rng(3)
    for seed in range(20):
        parent = MADE[made](seed)
        grown = mutate(parent, LIMITS, rng, among=("grow",))
        before = edges_of(parent, Origins.same(parent))
        after = edges_of(grown.wiring, grown.origins)
        assert before.items() <= after.items()
        assert grown.moves[0].startswith("grow ")
        assert sum(at is None for found in grown.origins for at in found) == 1
        shrunk = mutate(parent, LIMITS, rng, among=("shrink",))
        after = edges_of(shrunk.wiring, shrunk.origins)
        lost = {*range(parent.neurons)}.difference(shrunk.origins.neurons)
        lost |= {
            ("sensory", at) for at in range(parent.sensory) if at not in shrunk.origins.sensory
        }
        assert len(lost) == 1
        assert shrunk.moves[0].startswith("shrink ")
        assert {
            pair: p for pair, p in before.items() if not lost.intersection(pair)
        }.items() <= after.items()


def test_fixed_sizes_never_change_and_a_wiring_outside_the_limits_only_comes_closer() -> None:
    rng, parent = np.random.default_rng(4), MADE["ncp"](0)
    fixed = Limits(sensory=(4, 4), inter=(7, 7), command=(4, 4), motor=(2, 2))
    assert mutate(parent, fixed, rng, among=("grow", "shrink")).moves == ()
    smaller = Limits(inter=(2, 5))
    moves = {mutate(parent, smaller, rng, among=("grow", "shrink")).moves[0] for _ in range(60)}
    assert "shrink inter" in moves
    assert "grow inter" not in moves


def test_recurrent_synapses_are_added_only_where_they_may_be() -> None:
    rng, parent = np.random.default_rng(5), layered(3, 5, 4, 2, seed=1)
    for recurrent in (False, True):
        wiring = parent
        for _ in range(200):
            wiring = mutate(wiring, Limits(recurrent=recurrent), rng).wiring
        assert (RECURRENT in joined_roles(wiring, False)) == recurrent


def test_origins_after_several_moves_are_those_in_the_first_wiring() -> None:
    rng, parent = np.random.default_rng(6), MADE["ncp"](3)
    for _ in range(50):
        child = mutate(parent, LIMITS, rng, times=6)
        assert len(child.moves) == 6
        check_origins(parent, child)
    first = mutate(parent, LIMITS, rng, times=4)
    second = mutate(first.wiring, LIMITS, rng, times=4)
    whole = Child(second.wiring, (), second.origins.in_turn(first.origins))
    check_origins(parent, whole)
    common = (
        edges_of(parent, Origins.same(parent)).keys() & edges_of(whole.wiring, whole.origins).keys()
    )
    assert len(common) == survivors(parent, whole.wiring, whole.origins) > 0


def test_json_keeps_origins() -> None:
    origins = Origins((0, None, 2), (None, 1))
    assert Origins.from_json(json.loads(json.dumps(origins.to_json()))) == origins


def test_every_move_has_its_weight_and_limits_their_order() -> None:
    assert set(MOVES) == {"add", "remove", "rewire", "flip", "grow", "shrink"}
    with pytest.raises(ValueError, match="inter has limits 5 to 4"):
        Limits(inter=(5, 4))


def test_equal_seeds_give_equal_children() -> None:
    first, second = (mutate(MADE["ncp"](0), LIMITS, np.random.default_rng(8), 3) for _ in range(2))
    assert first == second
