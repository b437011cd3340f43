"""Evolution of candidates: children of the space, the same after a stop, better than random ones,
in bounded memory."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from wiring_search.analysis import pareto
from wiring_search.search.samplers.candidate_settings import (
    limits_of,
    params_of,
    with_other_setting,
)
from wiring_search.search.samplers.evolution import (
    POPULATION,
    STARTERS,
    Born,
    Evolution,
    best_first,
)
from wiring_search.search_spaces import SPACES, Choice, FloatRange, Infeasible, IntRange, Space
from wiring_search.search_spaces.names import CANDIDATE_DIMENSIONS
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.mutation import FORWARD, RECURRENT, Limits, joined_roles, survivors
from wiring_search.wirings.topologies import ncp, random_sparse
from wiring_search.wirings.wiring import Wiring

Score = Callable[[Candidate], tuple[float, ...] | None]
Walked = Sequence[tuple[Born | None, Candidate]]
_LAG = 5

FLAT = Space(
    "random_sparse",
    {
        "sensory": IntRange(2, 6),
        "neurons": IntRange(8, 14),
        "motor": Choice((2,)),
        "sensory_synapses": IntRange(8, 12),
        "synapses": IntRange(20, 40),
        "wiring_seed": IntRange(0, 30),
    },
    ("sensory_synapses >= sensory",),
)


def _random(space: Space, number: int) -> Candidate:
    rng = np.random.default_rng(number)
    while True:
        try:
            return space.build(space.draw(rng), 7)
        except Infeasible:
            continue


def _anyhow(candidate: Candidate) -> tuple[float, ...] | None:
    """Scores that are as good as random; every eleventh trial fails."""
    digits = int(candidate.candidate_id, 16)
    return None if digits % 11 == 0 else (digits % 997 / 997, float(candidate.wiring.synapse_count))


def _walk(
    space: Space, count: int, score: Score = _anyhow, seed: int = 0, before: Walked = ()
) -> Walked:
    """Ask as a study does, and tell scores five trials late. Candidates of `before` are only
    noted."""
    evolution, walked = Evolution(space, seed), []
    for number in range(count):
        if number < len(before):
            born, candidate = before[number]
        else:
            born = evolution.ask(number)
            candidate = born.candidate if born else _random(space, number)
        walked.append((born, candidate))
        evolution.note(number, candidate, *((born.parents, born.origins) if born else ()))
        if number >= _LAG:
            evolution.tell(number - _LAG, score(walked[number - _LAG][1]))
    return walked


@pytest.mark.parametrize("space", [*SPACES.values(), FLAT], ids=[*SPACES, "flat"])
def test_children_are_points_that_the_space_allows(space: Space) -> None:
    walked = _walk(space, 400)
    seen: set[str] = set()
    for number, (born, candidate) in enumerate(walked):
        if born is not None:
            assert candidate.candidate_id not in seen
            assert candidate.seed == 7
            assert born.moves
            parents = [walked[parent][1] for parent in born.parents]
            assert len(set(born.parents)) == len(parents) <= 2
            assert max(born.parents) < number - _LAG
            assert ("cross" in born.moves) == (len(parents) == 2)
            if not {"neuron", "cross"}.intersection(born.moves):
                assert (
                    survivors(parents[0].wiring, candidate.wiring, born.origins)
                    > 0.3 * candidate.wiring.synapse_count
                )
            _check_settings(space, born)
            _check_wiring(space, candidate, parents)
        seen.add(candidate.candidate_id)


def _check_settings(space: Space, born: Born) -> None:
    """Every setting is one that the space allows, given the others."""
    point = {**born.params, "topology": "ncp" if born.candidate.wiring.command else "random_sparse"}
    settings = [name for name in CANDIDATE_DIMENSIONS if name in space.dimensions]
    for name in settings:
        index = space.alternative(name, point)
        assert (index is not None) == (name in born.params)
        if index is None:
            continue
        value = born.params[name]
        assert value == getattr(born.candidate, name)
        match space.alternatives(name)[index]:
            case Choice(values=values):
                assert value in values
            case IntRange(low=low, high=high) | FloatRange(low=low, high=high):
                assert low <= value <= high
    for name in {"sensory", "inter", "command", "motor", "neurons"}.intersection(born.params):
        assert born.params[name] == getattr(born.candidate.wiring, name)


def _check_wiring(space: Space, candidate: Candidate, parents: list[Candidate]) -> None:
    wiring = candidate.wiring
    limits = limits_of(space, bool(wiring.command))
    for name in ("sensory", "inter", "command", "motor", "neurons"):
        low, high = getattr(limits, name)
        assert low <= getattr(wiring, name) <= high
    if wiring.command:
        assert joined_roles(wiring, False) <= {*FORWARD, RECURRENT}
    if candidate.neuron.startswith("layered"):
        assert joined_roles(wiring, False) == {*FORWARD}


@pytest.mark.parametrize("name", ["small", "liquid"])
@pytest.mark.parametrize("stop", [10, 60, 131])
def test_a_study_that_stopped_is_asked_the_same(name: str, stop: int) -> None:
    space = SPACES[name]
    straight = _walk(space, 180)
    again = _walk(space, 180, before=straight[:stop])
    assert again[stop:] == straight[stop:]
    assert _walk(space, 180, seed=1)[100:] != straight[100:]


def test_the_first_points_are_random_and_some_later_ones() -> None:
    walked = _walk(SPACES["small"], 1000)
    assert all(born is None for born, _ in walked[:STARTERS])
    immigrants = sum(born is None for born, _ in walked[STARTERS:])
    assert 60 <= immigrants <= 140
    crossed = [len(born.parents) == 2 for born, _ in walked if born]
    assert 0.15 < np.mean(crossed) < 0.35
    assert 1.2 < np.mean([len(set(born.moves) - {"cross"}) for born, _ in walked if born]) < 2


def test_only_trials_with_scores_have_children() -> None:
    evolution, space = Evolution(SPACES["small"], 0), SPACES["small"]
    for number in range(6):
        evolution.note(number, _random(space, number))
    assert evolution.ask(30) is None
    assert evolution.population == ()
    for number, values in enumerate(
        [(1.0, 5.0), (2.0, 4.0), (3.0, 6.0), (math.nan, 1.0), (0.0, math.inf), None]
    ):
        evolution.tell(number, values)
    assert set(evolution.population) == {0, 1, 2}
    assert evolution.population[-1] == 2
    evolution.tell(2, (0.5, 0.5))
    assert evolution.population[0] == 2
    evolution.tell(2, None)
    assert set(evolution.population) == {0, 1}
    evolution.tell(2, (0.0, 0.0))
    assert set(evolution.population) == {0, 1}
    evolution.note(2, _random(space, 2))
    evolution.tell(2, (0.0, 0.0))
    assert evolution.population[0] == 2


def test_the_population_is_the_best_of_all_and_memory_is_bounded() -> None:
    space, rng = SPACES["small"], np.random.default_rng(3)
    evolution, candidates = Evolution(space, 0), [_random(space, k) for k in range(20)]
    values = np.column_stack([rng.permutation(3000), np.zeros(3000)])
    for number, row in enumerate(values):
        evolution.note(number, candidates[number % 20])
        evolution.tell(number, row)
        assert len(evolution._candidates) == len(evolution._values) <= 2 * POPULATION
    assert evolution.population == tuple(np.argsort(values[:, 0])[:POPULATION])


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_best_first_is_by_rank_then_by_room(objectives: int) -> None:
    rng = np.random.default_rng(objectives)
    points = rng.integers(0, 8, (80, objectives)).astype(float)
    order, ranks = best_first(points), pareto.rank(points)
    assert sorted(order) == list(range(80))
    assert (np.diff(ranks[order]) >= 0).all()
    line = np.array([[0.0, 10.0], [1.0, 9.0], [2.0, 8.0], [6.0, 4.0], [10.0, 0.0], [11.0, 11.0]])
    assert best_first(line).tolist() == [0, 4, 3, 2, 1, 5]


def test_limits_are_those_of_the_space() -> None:
    default, liquid = SPACES["default"], SPACES["liquid"]
    assert limits_of(default, True) == Limits((4, 24), (6, 32), (4, 20), (2, 16))
    assert limits_of(liquid, True) == Limits((4, 24), (6, 32), (4, 20), (2, 16))
    assert limits_of(liquid, False) == Limits(
        (4, 24), motor=(2, 16), neurons=(4, 64), recurrent=False
    )
    assert limits_of(FLAT, False) == Limits((2, 6), motor=(2, 2), neurons=(8, 14), recurrent=False)
    still = Space(
        "layered",
        {"sensory": IntRange(2, 4), **{n: Choice((4,)) for n in ("inter", "command", "motor")}},
    )
    assert limits_of(still, True) == Limits((2, 4), (4, 4), (4, 4), (4, 4), recurrent=False)


def test_one_setting_changes_and_those_that_depend_on_it_follow() -> None:
    liquid, rng = SPACES["liquid"], np.random.default_rng(0)
    candidate = Candidate(
        ncp(4, 7, 4, 2, 2, 2, 4, 2),
        "ltc",
        "euler",
        5,
        learning_rate=0.01,
        seed=3,
        gradient="adjoint",
    )
    follow = {"neuron": {"solver", "steps", "gradient"}, "solver": {"steps", "gradient"}}
    for _ in range(300):
        other, names = with_other_setting(liquid, candidate, rng)
        changed = {n for n in CANDIDATE_DIMENSIONS if getattr(other, n) != getattr(candidate, n)}
        assert other.wiring == candidate.wiring
        assert other.seed == 3
        if names:
            assert set(names) <= changed <= {*names, *follow.get(names[0], ())}
        else:  # a layered neuron would not look at the recurrent synapses
            assert other == candidate
        candidate = other
        assert not candidate.neuron.startswith("layered")
    flat = Candidate(random_sparse(4, 12, 2, 24, 64), "ltc")
    assert not any(
        with_other_setting(liquid, flat, rng)[0].neuron.startswith("layered") for _ in range(300)
    )
    assert with_other_setting(FLAT, flat, rng) == (flat, ())
    assert params_of(FLAT, flat) == {"sensory": 4, "neurons": 12, "motor": 2}


def _distance(target: Wiring) -> Score:
    """The number of synapses in which a wiring differs from the target, and the number that it
    has. The ends of a synapse are counted within their layers."""

    def edges(wiring: Wiring) -> set[tuple]:
        starts = {"motor": 0, "command": wiring.motor, "inter": wiring.motor + wiring.command}
        names = [(role, i - starts[role]) for i, role in enumerate(wiring.roles)]
        inner = {(names[pre], names[post], polarity) for pre, post, polarity in wiring.synapses}
        return inner | {
            (pre, names[post], polarity) for pre, post, polarity in wiring.sensory_synapses
        }

    wanted = edges(target)
    return lambda candidate: (
        float(len(edges(candidate.wiring) ^ wanted)),
        float(candidate.wiring.synapse_count),
    )


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_evolution_comes_much_closer_to_a_hidden_wiring_than_random_points(seed: int) -> None:
    score, space = _distance(ncp(4, 8, 5, 3, 2, 2, 6, 2, seed=seed)), SPACES["small"]
    evolved = np.array([score(candidate) for _, candidate in _walk(space, 600, score, seed)])
    drawn = np.array([score(_random(space, number)) for number in range(600)])
    assert evolved[:, 0].min() < 0.9 * drawn[:, 0].min()
    assert pareto.hypervolume(evolved, (80, 80)) > 1.25 * pareto.hypervolume(drawn, (80, 80))
