"""Spaces in TOML files. The error of a faulty file names the line."""

from pathlib import Path

import pytest

from wiring_search.search_spaces import IntRange
from wiring_search.search_spaces.toml_space import parse_space

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
TEXT = (EXAMPLES / "space.toml").read_text(encoding="utf-8")
LIQUID = (EXAMPLES / "liquid.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("inter = {", "inter = ", "space.toml, line 14: "),
        ("low = 6", "lo = 6", "space.toml, line 14: inter: .* is not a dimension; give a number"),
        ("low = 6", "low = 60", "space.toml, line 14: inter: low is 60 and high 24"),
        (
            "command = {",
            "comand = {",
            "space.toml, line 15: dimension 'comand' is unknown to topology ncp; known: sensory",
        ),
        ('<= inter"', '<= intr"', "space.toml, line 10: constraint .* names 'intr'"),
        ("[1, 2, 4]", "[]", "space.toml, line 22: steps: choices are"),
        ("[1, 2, 4]", '["a"]', "space.toml, line 22: steps: choices are"),
        ("motor = { choices = [4, 8] }", "", "space.toml, line 12: dimension 'motor' is missing"),
        ('"ncp"', '"npc"', "space.toml, line 9: topology is 'npc'; known: ncp"),
        ("topology =", "toplogy =", "space.toml, line 9: 'toplogy' is unknown"),
        (
            "low = 0.005",
            "low = 0.0",
            "space.toml, line 23: learning_rate: low is 0 on a logarithmic scale",
        ),
        ("[dimensions]", "[dimension]", "space.toml, line 12: 'dimension' is unknown"),
    ],
)
def test_the_error_of_a_faulty_file_names_its_line(old: str, new: str, message: str) -> None:
    assert old in TEXT
    with pytest.raises(ValueError, match=message):
        parse_space(TEXT.replace(old, new, 1), "space.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"cfc"] }', '"cfcc"] }', "line 11: neuron is 'cfcc'; known: ltc, ct-rnn"),
        (
            '"cfc"] }',
            "3] }",
            "line 11: neuron: choices are .* give one number or more, or one name or more",
        ),
        (
            '{ choices = ["none", "state"] }',
            "{ low = 1, high = 2 }",
            "line 20: memory is a range of numbers; give names out of",
        ),
        (
            "motor = { choices = [4, 8] }",
            "motor = [4, 8]",
            "line 24: motor: .* is not a dimension; give a number",
        ),
        (
            'when = { neuron = "ltc" }',
            'when = { nuron = "ltc" }',
            "line 12: solver: when names 'nuron', which is not a dimension here",
        ),
        (
            'when = { neuron = "ltc" }',
            "when = 3",
            "line 12: solver: when is 3; give dimensions and values",
        ),
        (
            'when = { neuron = "ltc" }',
            'when = { neuron = "ltd" }',
            "line 12: solver: when neuron is 'ltd', which it never is; give",
        ),
        (
            'when = { neuron = "ltc" }',
            "when = { neuron = [] }",
            r"line 12: solver: when neuron is \(\); give a tuple",
        ),
        (
            'when = { neuron = "ltc" }',
            'when = { steps = "1" }',
            "line 12: solver: when names 'steps', which comes later",
        ),
        (
            ', when = { neuron = "ltc" } }',
            " }",
            "line 12: solver: only the last alternative may have no condition",
        ),
        (
            '4, when = { topology = "ncp" } }\nrec',
            "4, when = { inter = 8 } }\nrec",
            "line 31: inter_fanout: when names 'inter', which is a range",
        ),
        (
            '["semi-implicit", "rk4"], w',
            '["closed-form"], w',
            "line 16: steps: when solver is 'semi-implicit', which it never is",
        ),
        (
            '["euler", ',
            '["semi-implicit", "euler", ',
            "line 12: solver is 'semi-implicit' where neuron is ct-rnn; it has euler",
        ),
        (
            ', when = { solver = ["semi-implicit", "euler"] }',
            "",
            "line 16: dimension 'steps' exists where neuron is cfc, topology is ncp, "
            "but the closed form has no steps; give it",
        ),
        (
            '["ltc", "ct-rnn", "cfc"]',
            '["ltc", "ct-rnn", "layered-cfc"]',
            "line 11: neuron layered-cfc needs layers, which topology small_world does not",
        ),
        (
            "inter = { low = 6, high = 24, when =",
            "inter = { low = 6, high = 24 } #",
            "line 29: dimension 'inter' exists where .* topology small_world has no such argument",
        ),
        (
            '12, when = { topology = "ncp"',
            '12, when = { memory = "none", topology = "ncp"',
            "line 30: dimension 'command' is missing where",
        ),
        ("[dimensions]", 'topology = "ncp"\n[dimensions]', "line 10: topology is given twice"),
        (
            "topology = {",
            "# topology = {",
            "line 29: inter: when names 'topology', which is not a dimension here",
        ),
        (
            "neighbours < neurons",
            "neuron < 3",
            "line 8: constraint .* names 'neuron', which is not a number here",
        ),
    ],
)
def test_the_error_of_a_faulty_condition_names_its_line(old: str, new: str, message: str) -> None:
    assert old in LIQUID
    with pytest.raises(ValueError, match=f"liquid.toml, {message}"):
        parse_space(LIQUID.replace(old, new, 1), "liquid.toml")


def test_conditions_may_be_written_as_tables() -> None:
    table = (
        '[[dimensions.steps]]\nlow = 1\nhigh = 3\nwhen = { neuron = "ltc" }\n\n'
        "[[dimensions.steps]]\nlow = 1\nhigh = 8\n"
    )
    text = TEXT.replace(
        "[dimensions]", '[dimensions]\nneuron = { choices = ["ltc", "ct-rnn"] }'
    ).replace("steps =", "# steps =")
    space = parse_space(text + table, "mine.toml")
    assert space.dimensions["steps"] == (IntRange(1, 3, when={"neuron": ("ltc",)}), IntRange(1, 8))
    with pytest.raises(ValueError, match="mine.toml, line 26: steps: low is 1 and high 0"):
        parse_space(text + table.replace("high = 3", "high = 0"), "mine.toml")
