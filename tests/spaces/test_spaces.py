"""Search spaces: they build feasible candidates or say why not.

Meaningless dimensions do not exist.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from wiring_search import search_spaces
from wiring_search.search_spaces import SPACES, Choice, FloatRange, Infeasible, IntRange, Space
from wiring_search.search_spaces.constraints import check_constraint, evaluate
from wiring_search.search_spaces.dimensions import Dimension, Point, Value
from wiring_search.search_spaces.space import Fault
from wiring_search.search_spaces.toml_space import parse_space, read_space
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS, MEMORIES

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
EXAMPLE = EXAMPLES / "space.toml"
TEXT = EXAMPLE.read_text(encoding="utf-8")
CONDITIONAL = {"liquid": SPACES["liquid"], "file": read_space(EXAMPLES / "liquid.toml")}


def _draw(dimension: Dimension, rng: random.Random) -> Value:
    match dimension:
        case Choice(values):
            return rng.choice(values)
        case IntRange(low, high):
            return rng.randint(low, high)
        case FloatRange(low, high):
            return rng.uniform(low, high)
    raise TypeError(dimension)


def _point(space: Space, rng: random.Random) -> Point:
    point: Point = {}
    for name in space.dimensions:
        index = space.alternative(name, point)
        if index is not None:
            point[name] = _draw(space.alternatives(name)[index], rng)
    return point


def _built(space: Space, count: int, seed: int = 0) -> Iterator[tuple[Point, Candidate]]:
    """Random points that are feasible, and their candidates."""
    rng = random.Random(seed)
    for point in (_point(space, rng) for _ in range(count)):
        try:
            yield point, space.build(point, 3)
        except Infeasible:
            continue


@pytest.mark.parametrize(
    "name", [*(name for name in SPACES if not SPACES[name].conditional), "file"]
)
def test_most_points_are_feasible_and_feasible_points_build(name: str) -> None:
    space = read_space(EXAMPLE) if name == "file" else SPACES[name]
    rng, feasible = random.Random(0), 0
    for _ in range(150):
        point = _point(space, rng)
        holds = all(evaluate(text, point) for text in space.constraints)
        try:
            candidate = space.build(point, seed=3)
        except Infeasible as reason:
            assert not holds
            assert "does not hold" in str(reason)
            continue
        assert holds
        assert candidate.steps == point["steps"]
        assert candidate.seed == 3
        assert candidate.wiring.inter == point["inter"]
        assert candidate.learning_rate == point["learning_rate"]
        feasible += 1
    assert feasible > 75


@pytest.mark.parametrize("space", CONDITIONAL.values(), ids=CONDITIONAL)
def test_most_points_of_conditional_spaces_are_feasible_and_build_what_they_say(
    space: Space,
) -> None:
    built = list(_built(space, 300))
    assert len(built) > 0.8 * 300
    for point, candidate in built:
        assert candidate.neuron == point["neuron"]
        assert candidate.memory == point["memory"]
        assert candidate.solver == point.get("solver", "closed-form")
        assert candidate.steps == point.get("steps", 0)
        assert (candidate.wiring.command > 0) == (point["topology"] in ("ncp", "layered"))


def test_liquid_reaches_every_choice_and_only_dimensions_that_matter() -> None:
    built = list(_built(SPACES["liquid"], 600))
    for name, all_of_them in (
        ("neuron", KINDS),
        ("memory", MEMORIES),
        ("solver", KINDS["ltc"].solvers),
    ):
        assert {getattr(candidate, name) for _, candidate in built} == set(all_of_them)
    topologies = Counter(point["topology"] for point, _ in built)
    assert set(topologies) == {"ncp", "layered", "random_sparse", "small_world", "fully_connected"}
    assert topologies["ncp"] > 100
    for point, candidate in built:
        signed, layered = (
            candidate.neuron in ("ltc", "ct-rnn", "neural-ode"),
            candidate.neuron.startswith("layered-"),
        )
        assert ("excitatory" in point) == signed
        assert ("solver" in point) == (len(KINDS[candidate.neuron].solvers) > 1)
        assert ("steps" in point) == (candidate.solver != "closed-form")
        assert ("wiring_seed" in point) == (signed or point["topology"] != "fully_connected")
        assert not layered or (
            point["recurrent_synapses"] == 0 and point["topology"] in ("ncp", "layered")
        )


def test_every_dimension_of_liquid_matters() -> None:
    """Each alternative of each dimension changes the candidate at some point."""
    space, rng, tried, matters = SPACES["liquid"], random.Random(1), set(), set()
    for point, candidate in _built(space, 150):
        for name in point:
            index = space.alternative(name, point)
            dimension = space.alternatives(name)[index]
            if isinstance(dimension, Choice) and len(dimension.values) == 1:
                continue
            tried.add((name, index))
            if any(
                name in alternative.when
                for other in space.dimensions
                for alternative in space.alternatives(other)
            ):
                matters.add((name, index))  # it decides which others exist
                continue
            try:
                changed = space.build({**point, name: _draw(dimension, rng)}, 3)
            except Infeasible:
                continue
            if changed.candidate_id != candidate.candidate_id:
                matters.add((name, index))
    alternatives = {
        (name, index) for name in space.dimensions for index in range(len(space.alternatives(name)))
    }
    assert matters == tried == alternatives - {("recurrent_synapses", 0)}


@pytest.mark.parametrize("space", [*SPACES.values(), *CONDITIONAL.values()])
def test_json_keeps_a_space(space: Space) -> None:
    again = Space.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert list(again.dimensions) == list(space.dimensions)


def test_every_topology_can_be_searched() -> None:
    dimensions = {
        "auto_ncp": {
            "neurons": IntRange(8, 20),
            "motor": Choice((2,)),
            "sparsity": FloatRange(0.2, 0.9),
        },
        "fully_connected": {"neurons": IntRange(4, 9), "motor": Choice((2,))},
        "small_world": {
            "neurons": IntRange(6, 9),
            "motor": Choice((2,)),
            "neighbours": IntRange(1, 4),
        },
        "random_sparse": {
            "neurons": IntRange(4, 6),
            "motor": Choice((2,)),
            "sensory_synapses": IntRange(6, 9),
            "synapses": IntRange(12, 16),
        },
        "layered": {"inter": IntRange(4, 6), "command": IntRange(2, 3), "motor": Choice((2,))},
    }
    for topology, varied in dimensions.items():
        space = Space(
            topology, {"sensory": IntRange(2, 4), **varied, "wiring_seed": IntRange(0, 9)}
        )
        assert space.build(_point(space, random.Random(1)), 0).wiring.motor == 2


def test_sizes_that_the_topology_refuses_are_infeasible() -> None:
    space = Space(
        "auto_ncp", {"sensory": Choice((2,)), "neurons": IntRange(2, 9), "motor": Choice((4,))}
    )
    with pytest.raises(Infeasible, match="neurons is 5"):
        space.build({"sensory": 2, "neurons": 5, "motor": 4}, 0)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a <= b", True),
        ("a * a + 1 < b - 1", False),
        ("not a == b and (b // 2 >= 2 or a > 1)", True),
        ("max(a, b) / 2 == 2.5", True),
        ("1 < a < b <= 5", True),
        ("-a < 0", True),
    ],
)
def test_constraints_are_evaluated(text: str, value: bool) -> None:
    check_constraint(text, {"a": 0, "b": 0})
    assert evaluate(text, {"a": 2, "b": 5}) is value


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a <=",
        "c < a",
        "__import__('os') == 1",
        "a.real < 1",
        "abs(a) < 1",
        "[a] == 1",
        "a ** 9 > 1",
        "a + b",
    ],
)
def test_constraints_allow_only_comparisons(text: str) -> None:
    with pytest.raises(ValueError, match="constraint"):
        check_constraint(text, {"a": 0, "b": 0})


def test_a_name_or_a_number_fixes_a_dimension() -> None:
    space = parse_space(
        TEXT.replace("[dimensions]", '[dimensions]\nneuron = "ct-rnn"\nmemory = "input"'),
        "mine.toml",
    )
    assert not space.conditional
    (_, candidate), *_ = _built(space, 9)
    assert (candidate.neuron, candidate.solver, candidate.memory) == ("ct-rnn", "euler", "input")


SMALL = {"sensory": Choice((2,)), "motor": Choice((2,)), "neurons": IntRange(4, 9)}


def test_a_neuron_has_its_usual_solver_and_steps_where_the_space_gives_none() -> None:
    for neuron, kind in KINDS.items():
        if not kind.layered:
            candidate = Space("fully_connected", {**SMALL, "neuron": Choice((neuron,))}).build(
                {"neuron": neuron, "sensory": 2, "motor": 2, "neurons": 5}, 0
            )
            assert candidate.solver == kind.usual_solver
            assert candidate.steps == (0 if kind.usual_solver == "closed-form" else 6)


def test_a_point_has_the_dimensions_that_exist_there_and_no_others() -> None:
    space = Space(
        "fully_connected",
        {
            "neuron": Choice(("ltc", "cfc")),
            "steps": IntRange(1, 6, when={"neuron": ("ltc",)}),
            **SMALL,
        },
    )
    sizes = {"sensory": 2, "motor": 2, "neurons": 5}
    assert space.build({"neuron": "ltc", "steps": 2, **sizes}, 0).steps == 2
    with pytest.raises(
        ValueError, match="dimension 'steps' does not exist there; leave it out"
    ) as excess:
        space.build({"neuron": "cfc", "steps": 2, **sizes}, 0)
    with pytest.raises(ValueError, match="dimension 'steps' exists there; give a value"):
        space.build({"neuron": "ltc", **sizes}, 0)
    assert not isinstance(excess.value, Infeasible)


def test_a_constraint_on_a_missing_dimension_holds() -> None:
    assert evaluate("a <= b", {"a": 9})
    assert not evaluate("a <= b", {"a": 9, "b": 1})


def test_a_condition_in_python_is_a_tuple() -> None:
    with pytest.raises(Fault, match="steps: when neuron is 'ltc'; give a tuple") as fault:
        Space(
            "fully_connected",
            {"neuron": Choice(("ltc",)), "steps": IntRange(1, 2, when={"neuron": "ltc"}), **SMALL},
        )
    assert fault.value.where == "steps"
    with pytest.raises(Fault, match="no topology is given"):
        Space(None, SMALL)


def test_load_finds_presets_and_files_and_suggests_near_names(tmp_path: Path) -> None:
    assert search_spaces.load("small") is SPACES["small"]
    assert search_spaces.load(str(EXAMPLE)) == read_space(EXAMPLE)
    with pytest.raises(ValueError, match="did you mean 'default'"):
        search_spaces.load("defualt")
    with pytest.raises(ValueError, match="cannot be read"):
        search_spaces.load(str(tmp_path / "none.toml"))
