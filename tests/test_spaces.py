"""Search spaces: what they build is feasible or said not to be, and a faulty file is told with its line."""

import random
from pathlib import Path

import pytest

import search_spaces
from search_spaces import SPACES, Choice, FloatRange, Infeasible, IntRange, Space
from search_spaces.space import check_constraint, evaluate
from search_spaces.toml_space import parse_space, read_space

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "space.toml"
TEXT = EXAMPLE.read_text(encoding="utf-8")


def _point(space: Space, rng: random.Random) -> dict[str, float]:
    def draw(dimension: IntRange | FloatRange | Choice) -> float:
        if isinstance(dimension, Choice):
            return rng.choice(dimension.values)
        return (
            rng.randint(dimension.low, dimension.high)
            if isinstance(dimension, IntRange)
            else rng.uniform(dimension.low, dimension.high)
        )

    return {name: draw(dimension) for name, dimension in space.dimensions.items()}


@pytest.mark.parametrize("name", [*SPACES, "file"])
def test_most_points_are_feasible_and_those_build(name: str) -> None:
    space = read_space(EXAMPLE) if name == "file" else SPACES[name]
    rng, feasible = random.Random(0), 0
    for _ in range(150):
        point = _point(space, rng)
        holds = all(evaluate(text, point) for text in space.constraints)
        try:
            candidate = space.build(point, seed=3)
        except Infeasible as reason:
            assert not holds and "does not hold" in str(reason)
            continue
        assert holds and candidate.steps == point["steps"] and candidate.seed == 3
        assert candidate.wiring.inter == point["inter"] and candidate.learning_rate == point["learning_rate"]
        feasible += 1
    assert feasible > 75


@pytest.mark.parametrize("space", SPACES.values())
def test_spaces_go_through_json(space: Space) -> None:
    assert Space.from_json(space.to_json()) == space


def test_every_topology_can_be_searched() -> None:
    dimensions = {
        "auto_ncp": {"neurons": IntRange(8, 20), "motor": Choice((2,)), "sparsity": FloatRange(0.2, 0.9)},
        "fully_connected": {"neurons": IntRange(4, 9), "motor": Choice((2,))},
        "small_world": {"neurons": IntRange(6, 9), "motor": Choice((2,)), "neighbours": IntRange(1, 4)},
        "random_sparse": {
            "neurons": IntRange(4, 6),
            "motor": Choice((2,)),
            "sensory_synapses": IntRange(6, 9),
            "synapses": IntRange(12, 16),
        },
        "layered": {"inter": IntRange(4, 6), "command": IntRange(2, 3), "motor": Choice((2,))},
    }
    for topology, own in dimensions.items():
        space = Space(topology, {"sensory": IntRange(2, 4), **own, "wiring_seed": IntRange(0, 9)})
        assert space.build(_point(space, random.Random(1)), 0).wiring.motor == 2


def test_sizes_that_the_topology_refuses_are_infeasible() -> None:
    space = Space("auto_ncp", {"sensory": Choice((2,)), "neurons": IntRange(2, 9), "motor": Choice((4,))})
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
    "text", ["a", "a <=", "c < a", "__import__('os') == 1", "a.real < 1", "abs(a) < 1", "[a] == 1", "a ** 9 > 1", "a + b"]
)
def test_constraints_allow_comparisons_alone(text: str) -> None:
    with pytest.raises(ValueError, match="constraint"):
        check_constraint(text, {"a": 0, "b": 0})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("inter = {", "inter = ", "space.toml, line 11: "),
        ("low = 6", "lo = 6", "space.toml, line 11: inter: .* is no dimension; give a number"),
        ("low = 6", "low = 60", "space.toml, line 11: inter: low is 60 and high 24"),
        ("command = {", "comand = {", "space.toml, line 12: dimension 'comand' is not known; known: sensory"),
        ('<= inter"', '<= intr"', "space.toml, line 7: constraint .* names 'intr'"),
        ("[1, 2, 4]", "[]", "space.toml, line 19: steps: choices are"),
        ("[1, 2, 4]", '["a"]', "space.toml, line 19: steps: choices are"),
        ("motor = { choices = [4, 8] }", "", "space.toml, line 9: dimension 'motor' is missing"),
        ('"ncp"', '"npc"', "space.toml, line 6: topology is 'npc'; known: ncp"),
        ("topology =", "toplogy =", "space.toml, line 6: 'toplogy' is not known"),
        ("low = 0.005", "low = 0.0", "space.toml, line 20: learning_rate: low is 0 on a logarithmic scale"),
        ("[dimensions]", "[dimension]", "space.toml, line 9: 'dimension' is not known"),
    ],
)
def test_a_faulty_file_is_told_with_its_line(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError, match=message):
        parse_space(TEXT.replace(old, new, 1), "space.toml")


def test_names_and_files_are_found_or_near_ones_offered(tmp_path: Path) -> None:
    assert search_spaces.load("small") is SPACES["small"]
    assert search_spaces.load(str(EXAMPLE)) == read_space(EXAMPLE)
    with pytest.raises(ValueError, match="did you mean 'default'"):
        search_spaces.load("defualt")
    with pytest.raises(ValueError, match="cannot be read"):
        search_spaces.load(str(tmp_path / "none.toml"))
