"""Whatever moves are made, a wiring stays one, within its limits and its layers, and every node's
origin is known."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from wiring_search.wirings.mutation import (
    FORWARD,
    MOVES,
    RECURRENT,
    Child,
    Limits,
    Origins,
    cross,
    joined_roles,
    mutate,
    survivors,
)
from wiring_search.wirings.topologies import (
    fully_connected,
    layered,
    ncp,
    random_sparse,
    small_world,
)
from wiring_search.wirings.wiring import Wiring

LIMITS = Limits(sensory=(2, 8), inter=(3, 12), command=(2, 8), motor=(1, 4), neurons=(8, 20))
MADE: dict[str, Callable[[int], Wiring]] = {
    "ncp": lambda seed: ncp(4, 7, 4, 2, 2, 2, 4, 2, seed=seed),
    "layered": lambda seed: layered(4, 6, 4, 2, 0.6, seed=seed),
    "random_sparse": lambda seed: random_sparse(4, 11, 2, 12, 30, seed=seed),
    "small_world": lambda seed: small_world(3, 11, 2, 3, seed=seed),
    "fully_connected": lambda seed: fully_connected(3, 9, 2, seed=seed),
}


def _edges(wiring: Wiring, origins: Origins) -> dict[tuple, int]:
    """Polarities by the ends' numbers in the parent; new ends are told apart by their own
    numbers."""
    neurons = [at if at is not None else ("new", i) for i, at in enumerate(origins.neurons)]
    sensory = [
        ("sensory", at) if at is not None else ("new sensory", i)
        for i, at in enumerate(origins.sensory)
    ]
    inner = {(neurons[pre], neurons[post]): polarity for pre, post, polarity in wiring.synapses}
    return inner | {
        (sensory[pre], neurons[post]): polarity for pre, post, polarity in wiring.sensory_synapses
    }


def _check_origins(parent: Wiring, child: Child) -> None:
    """Each node comes from another one of its role."""
    origins = child.origins
    assert len(origins.neurons) == child.wiring.neurons
    assert len(origins.sensory) == child.wiring.sensory
    for i, at in enumerate(origins.neurons):
        assert at is None or parent.roles[at] == child.wiring.roles[i]
    for found in origins:
        old = [at for at in found if at is not None]
        assert len(old) == len(set(old))


@pytest.mark.parametrize("made", MADE)
def test_a_long_way_of_moves_stays_feasible(made: str) -> None:
    """`Wiring` itself refuses dead and unreachable neurons and idle sensory nodes."""
    rng, wiring = np.random.default_rng(1), MADE[made](0)
    layers = made in ("ncp", "layered")
    allowed = {*FORWARD, RECURRENT} if layers else joined_roles(wiring, True)
    seen = set()
    for _ in range(400):
        child = mutate(wiring, LIMITS, rng)
        assert len(child.moves) == 1
        assert joined_roles(child.wiring, False) <= allowed
        _check_origins(wiring, child)
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
        before, after = _edges(parent, child.origins), _edges(child.wiring, child.origins)
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
        before, after = _edges(parent, Origins.same(parent)), _edges(grown.wiring, grown.origins)
        assert before.items() <= after.items()
        assert grown.moves[0].startswith("grow ")
        assert sum(at is None for found in grown.origins for at in found) == 1
        shrunk = mutate(parent, LIMITS, rng, among=("shrink",))
        after = _edges(shrunk.wiring, shrunk.origins)
        lost = {*range(parent.neurons)}.difference(shrunk.origins.neurons)
        lost |= {
            ("sensory", at) for at in range(parent.sensory) if at not in shrunk.origins.sensory
        }
        assert len(lost) == 1
        assert shrunk.moves[0].startswith("shrink ")
        assert {
            pair: p for pair, p in before.items() if not lost.intersection(pair)
        }.items() <= after.items()


def test_fixed_sizes_never_change_and_outliers_are_led_back() -> None:
    rng, parent = np.random.default_rng(4), MADE["ncp"](0)
    fixed = Limits(sensory=(4, 4), inter=(7, 7), command=(4, 4), motor=(2, 2))
    assert mutate(parent, fixed, rng, among=("grow", "shrink")).moves == ()
    smaller = Limits(inter=(2, 5))
    moves = {mutate(parent, smaller, rng, among=("grow", "shrink")).moves[0] for _ in range(60)}
    assert "shrink inter" in moves
    assert "grow inter" not in moves


def test_no_recurrent_synapse_comes_where_none_may() -> None:
    rng, parent = np.random.default_rng(5), layered(3, 5, 4, 2, seed=1)
    for recurrent in (False, True):
        wiring = parent
        for _ in range(200):
            wiring = mutate(wiring, Limits(recurrent=recurrent), rng).wiring
        assert (RECURRENT in joined_roles(wiring, False)) == recurrent


def test_several_moves_in_turn_are_told_against_the_first_wiring() -> None:
    rng, parent = np.random.default_rng(6), MADE["ncp"](3)
    for _ in range(50):
        child = mutate(parent, LIMITS, rng, times=6)
        assert len(child.moves) == 6
        _check_origins(parent, child)
    first = mutate(parent, LIMITS, rng, times=4)
    second = mutate(first.wiring, LIMITS, rng, times=4)
    whole = Child(second.wiring, (), second.origins.in_turn(first.origins))
    _check_origins(parent, whole)
    common = (
        _edges(parent, Origins.same(parent)).keys() & _edges(whole.wiring, whole.origins).keys()
    )
    assert len(common) == survivors(parent, whole.wiring, whole.origins) > 0


@pytest.mark.parametrize("made", MADE)
def test_crossing_keeps_what_both_have_and_takes_the_rest_from_either(made: str) -> None:
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
            _check_origins(parent, made_of)
        inherited = survivors(a, child, of_a.origins), survivors(b, child, of_b.origins)
        assert sum(inherited) >= 0.7 * child.synapse_count
    same = cross(a, a, LIMITS, rng)
    assert same is not None
    assert same[0].wiring == a
    assert same[0].origins == same[1].origins == Origins.same(a)


def test_relatives_are_crossed_by_what_they_have_in_common() -> None:
    """A wiring that lost its first inter neuron and the one it comes from agree in everything else,
    once that is known."""
    rng, a = np.random.default_rng(9), ncp(4, 7, 4, 2, 2, 2, 4, 2, seed=1)
    fixed = Limits(sensory=(4, 4), command=(4, 4), motor=(2, 2))
    while True:
        b, _, origins = mutate(a, fixed, rng, among=("shrink",))
        if a.motor + a.command not in origins.neurons:
            break
    known, unknown = [], []
    for _ in range(20):
        for alike, kept in ((origins, known), (None, unknown)):
            crossed = cross(a, b, LIMITS, rng, alike)
            assert crossed is not None
            of_a, of_b = crossed
            _check_origins(a, of_a)
            _check_origins(b, of_b)
            kept.append(survivors(a, of_a.wiring, of_a.origins) / a.synapse_count)
            if alike:
                twins = [origins.neurons[at] for at in of_b.origins.neurons if at is not None]
                assert twins == [at for at in of_a.origins.neurons if at in origins.neurons]
    assert np.mean(known) > 0.85 > 0.75 > np.mean(unknown)


def test_equal_seeds_give_equal_children() -> None:
    parent, other = MADE["ncp"](0), MADE["ncp"](1)
    assert mutate(parent, LIMITS, np.random.default_rng(8), 3) == mutate(
        parent, LIMITS, np.random.default_rng(8), 3
    )
    assert cross(parent, other, LIMITS, np.random.default_rng(8)) == cross(
        parent, other, LIMITS, np.random.default_rng(8)
    )


def test_origins_travel_as_json() -> None:
    origins = Origins((0, None, 2), (None, 1))
    assert Origins.from_json(json.loads(json.dumps(origins.to_json()))) == origins


def test_every_move_has_its_weight_and_limits_their_order() -> None:
    assert set(MOVES) == {"add", "remove", "rewire", "flip", "grow", "shrink"}
    with pytest.raises(ValueError, match="inter has limits 5 to 4"):
        Limits(inter=(5, 4))
