"""A space from a user's TOML file. Whatever is wrong with it is said with the file's name and the line.

topology = "ncp"
constraints = ["sensory_fanout <= inter"]

[dimensions]
inter = { low = 6, high = 32 }
learning_rate = { low = 0.003, high = 0.05, log = true }
steps = { choices = [1, 2, 4] }
motor = 4
"""

import re
import tomllib
from pathlib import Path
from typing import Any

from search_spaces.space import Dimension, Space, check_constraint, dimension_from_json, known_dimensions

_KEYS = ("topology", "constraints", "dimensions")


def read_space(path: Path) -> Space:
    """Raises ValueError, beginning with "FILE, line N:" wherever a line can be named."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as cause:
        raise ValueError(f"{path} cannot be read: {cause}") from cause
    return parse_space(text, path.name)


def parse_space(text: str, name: str) -> Space:
    """`read_space` for text at hand; `name` is what errors call it."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as cause:
        raise ValueError(_syntax_error(str(cause), text, name)) from cause
    for key in data:
        if key not in _KEYS:
            raise _Fault(f"{key!r} is not known; a space has {', '.join(_KEYS)}", key).at(text, name)
    try:
        return _space(data)
    except _Fault as fault:
        raise fault.at(text, name) from fault


class _Fault(Exception):
    """A message and the key, or the text, whose line is to be named."""

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.where = where

    def at(self, text: str, name: str) -> ValueError:
        pattern = re.compile(
            rf"""^\s*["']?{re.escape(self.where)}["']?\s*=|^\s*\[\s*{re.escape(self.where)}\s*\]|["']{re.escape(self.where)}["']"""
        )
        lines = [number for number, line in enumerate(text.splitlines(), 1) if pattern.search(line)]
        return ValueError(f"{name}, line {lines[0]}: {self}" if lines else f"{name}: {self}")


def _space(data: dict[str, Any]) -> Space:
    topology = data.get("topology", "ncp")
    try:
        known = known_dimensions(topology)
    except (KeyError, TypeError):
        try:
            Space(topology, {})
        except (ValueError, TypeError) as cause:
            raise _Fault(str(cause), "topology") from cause
    dimensions = data.get("dimensions", {})
    if not isinstance(dimensions, dict) or not dimensions:
        raise _Fault("no dimensions are given; list them under [dimensions]", "dimensions")
    parsed = {key: _dimension(key, value, known) for key, value in dimensions.items()}
    constraints = data.get("constraints", [])
    if not isinstance(constraints, list):
        raise _Fault('constraints is not a list; write constraints = ["sensory_fanout <= inter"]', "constraints")
    for constraint in constraints:
        try:
            check_constraint(constraint, parsed)
        except (ValueError, TypeError) as cause:
            raise _Fault(str(cause), str(constraint)) from cause
    try:
        return Space(topology, parsed, tuple(constraints))
    except ValueError as cause:
        raise _Fault(str(cause), "dimensions") from cause


def _dimension(key: str, value: Any, known: dict[str, bool]) -> Dimension:
    if key not in known:
        raise _Fault(f"dimension {key!r} is not known; known: {', '.join(known)}", key)
    try:
        return dimension_from_json(value)
    except (ValueError, TypeError) as cause:
        raise _Fault(f"{key}: {cause}", key) from cause


def _syntax_error(message: str, text: str, name: str) -> str:
    found = re.search(r"\(at line (\d+), column (\d+)\)", message)
    line = found.group(1) if found else str(len(text.splitlines()))
    return f"{name}, line {line}: {re.sub(r' *[(]at .*', '', message)}"
