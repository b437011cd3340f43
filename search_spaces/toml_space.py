"""A space from a user's TOML file. Errors name the file and the line.

topology = "ncp"
constraints = ["sensory_fanout <= inter"]

[dimensions]
neuron = { choices = ["ltc", "cfc"] }
steps = { low = 1, high = 6, when = { neuron = "ltc" } }
inter = { low = 6, high = 32 }
learning_rate = { low = 0.003, high = 0.05, log = true }
motor = 4

A list holds alternatives; the first one whose condition holds is used:

steps = [{ low = 1, high = 6, when = { solver = ["semi-implicit", "euler"] } }, { low = 1, high = 3,
when = { solver = "rk4" } }]
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from wiring_search.search_spaces.dimensions import Dimension, dimension_from_json
from wiring_search.search_spaces.space import Fault, Space

_KEYS = ("topology", "constraints", "dimensions")


def read_space(path: Path) -> Space:
    """Read a space from a TOML file.

    Raises:
        ValueError: The file is wrong; the message begins with "FILE, line N:" if one line is.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise ValueError(f"{path} cannot be read: {cause}") from cause
    return parse_space(text, path.name)


def parse_space(text: str, name: str) -> Space:
    """Read a space from text.

    Args:
        text: TOML.
        name: What errors call the file.

    Raises:
        ValueError: The text is wrong.
    """
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise ValueError(_syntax_error(str(cause), text, name)) from cause
    try:
        return _space(data)
    except Fault as fault:
        raise ValueError(f"{name}{_line(fault.where, text)}: {fault}") from fault


def _space(data: dict[str, Any]) -> Space:
    for key in data:
        if key not in _KEYS:
            raise Fault(f"{key!r} is unknown; a space has {', '.join(_KEYS)}", key)
    dimensions = data.get("dimensions", {})
    constraints = data.get("constraints", [])
    if not isinstance(dimensions, dict) or not dimensions:
        raise Fault("no dimensions are given; list them under [dimensions]", "dimensions")
    if not isinstance(constraints, list) or not all(isinstance(text, str) for text in constraints):
        raise Fault(
            'constraints is no list of texts; write constraints = ["sensory_fanout <= inter"]',
            "constraints",
        )
    topology = data.get("topology", None if "topology" in dimensions else "ncp")
    if topology is not None and not isinstance(topology, str):
        raise Fault(
            f"topology is {topology!r}; give one name, or search it under [dimensions]", "topology"
        )
    return Space(
        topology,
        {key: _dimension(key, value) for key, value in dimensions.items()},
        tuple(constraints),
    )


def _dimension(key: str, value: Any) -> Dimension | tuple[Dimension, ...]:
    try:
        return dimension_from_json(value)
    except (ValueError, TypeError) as cause:
        raise Fault(f"{key}: {cause}", key) from cause


def _line(where: str, text: str) -> str:
    """ ", line N" of the first line with this key, table or quoted text; "" if there is none."""
    name = re.escape(where)
    pattern = (
        rf"""^\s*["']?{name}["']?\s*=|^\s*\[+\s*(dimensions\s*\.\s*)?{name}\s*\]|["']{name}["']"""
    )
    lines = (number for number, line in enumerate(text.splitlines(), 1) if re.search(pattern, line))
    return f", line {number}" if (number := next(lines, None)) else ""


def _syntax_error(message: str, text: str, name: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    line = found.group(1) if found else str(len(text.splitlines()))
    return f"{name}, line {line}: {re.sub(r' *[(]at .*', '', message)}"
