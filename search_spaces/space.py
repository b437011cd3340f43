"""A search space: what may vary, within which bounds, and what must hold. Declarative values, no sampler in it.

    Space("ncp", {"inter": IntRange(6, 32), "steps": Choice((1, 2, 4)), "motor": Choice((4,)), …}, ("sensory_fanout <= inter",))

A point of the space is a dictionary of numbers by dimension name. `build` turns it into a candidate, or says why it
is infeasible: a constraint that does not hold, or sizes that the topology refuses. Infeasible points are never
trained.
"""

import ast
import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wiring_search import topologies
from wiring_search.candidate import Candidate
from wiring_search.wiring import Wiring

Point = dict[str, int | float]

TOPOLOGIES: dict[str, Callable[..., Wiring]] = {
    "ncp": topologies.ncp,
    "auto_ncp": topologies.auto_ncp,
    "random_sparse": topologies.random_sparse,
    "fully_connected": topologies.fully_connected,
    "small_world": topologies.small_world,
    "layered": topologies.layered,
}
# Dimensions of the candidate; all others are arguments of the topology. `wiring_seed` is the topology's `seed`.
CANDIDATE_DIMENSIONS = ("steps", "learning_rate")


class Infeasible(ValueError):
    """A point that cannot be built; the message says why."""


@dataclass(frozen=True, slots=True)
class IntRange:
    """Whole numbers from low to high, both included. log: small ones as often as large ones (low ≥ 1)."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        if not all(isinstance(end, int) and not isinstance(end, bool) for end in (self.low, self.high)):
            raise ValueError(f"low and high are {self.low!r} and {self.high!r}; give whole numbers")
        _check_ends(self.low, self.high, self.log)


@dataclass(frozen=True, slots=True)
class FloatRange:
    """Real numbers from low to high. log: uniform in the logarithm (low > 0)."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(f"low and high are {self.low!r} and {self.high!r}; give finite numbers")
        _check_ends(self.low, self.high, self.log)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few numbers; a single one is a fixed value."""

    values: tuple[int | float, ...]

    def __post_init__(self) -> None:
        if not self.values or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values):
            raise ValueError(f"choices are {list(self.values)!r}; give one number or more")
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"choices are {list(self.values)!r}; give each number once")


Dimension = IntRange | FloatRange | Choice


@dataclass(frozen=True)
class Space:
    """topology: a name out of TOPOLOGIES. dimensions: by name, the topology's arguments (`wiring_seed` for its seed),
    `steps` and `learning_rate`. constraints: comparisons of dimensions, as text: names, numbers, + - * // min max,
    and, or, not.

    Raises ValueError for unknown names, for arguments of the topology that are missing, and for text that is no
    comparison.
    """

    topology: str
    dimensions: dict[str, Dimension]
    constraints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.topology not in TOPOLOGIES:
            raise ValueError(f"topology is {self.topology!r}; known: {', '.join(TOPOLOGIES)}")
        known = known_dimensions(self.topology)
        for name in self.dimensions:
            if name not in known:
                raise ValueError(f"dimension {name!r} is not known to topology {self.topology}; known: {', '.join(known)}")
        for name, needed in known.items():
            if needed and name not in self.dimensions:
                raise ValueError(f"dimension {name!r} is missing; topology {self.topology} needs it (a number fixes it)")
        for text in self.constraints:
            check_constraint(text, self.dimensions)

    def build(self, point: Point, seed: int) -> Candidate:
        """The candidate at this point. seed: of its initial weights. Raises Infeasible with the reason."""
        for text in self.constraints:
            if not evaluate(text, point):
                values = ", ".join(f"{name} = {point[name]:g}" for name in _names(text))
                raise Infeasible(f"{text} does not hold ({values})")
        settings = {name: point[name] for name in CANDIDATE_DIMENSIONS if name in point}
        arguments = {name: value for name, value in point.items() if name not in CANDIDATE_DIMENSIONS}
        if "wiring_seed" in arguments:
            arguments["seed"] = arguments.pop("wiring_seed")
        try:
            wiring = TOPOLOGIES[self.topology](**arguments)
        except ValueError as reason:
            raise Infeasible(str(reason)) from reason
        return Candidate(wiring, seed=seed, **settings)

    def to_json(self) -> dict[str, Any]:
        return {
            "topology": self.topology,
            "dimensions": {name: _dimension_to_json(dimension) for name, dimension in self.dimensions.items()},
            "constraints": list(self.constraints),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Space":
        dimensions = {name: dimension_from_json(value) for name, value in data["dimensions"].items()}
        return cls(data["topology"], dimensions, tuple(data.get("constraints", ())))


def known_dimensions(topology: str) -> dict[str, bool]:
    """The dimensions that a space with this topology may have, and whether it must."""
    arguments = inspect.signature(TOPOLOGIES[topology]).parameters.values()
    wiring = {a.name: a.default is a.empty for a in arguments if a.name not in ("seed", "self_connections")}
    return {**wiring, "wiring_seed": False, **dict.fromkeys(CANDIDATE_DIMENSIONS, False)}


def dimension_from_json(value: Any) -> Dimension:
    """A number (fixed), {"choices": [...]}, or {"low": …, "high": …, "log": …}; a range of whole numbers where both
    ends are whole."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Choice((value,))
    if isinstance(value, dict) and set(value) == {"choices"} and isinstance(value["choices"], list):
        return Choice(tuple(value["choices"]))
    if isinstance(value, dict) and {"low", "high"} <= set(value) <= {"low", "high", "log"}:
        whole = isinstance(value["low"], int) and isinstance(value["high"], int)
        return (IntRange if whole else FloatRange)(**value)
    raise ValueError(
        f"{value!r} is no dimension; give a number, {{low = 1, high = 8}}, optionally log = true, or {{choices = [1, 2]}}"
    )


def check_constraint(text: str, names: dict[str, Any]) -> None:
    """Raises ValueError where `text` is not a comparison of these names."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as cause:
        raise ValueError(f'constraint "{text}" cannot be read: {cause.msg}') from cause
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not (isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)):
        raise ValueError(f'constraint "{text}" is no comparison; write one such as "inter_fanout <= command"')
    for name in _names(text):
        if name not in names:
            raise ValueError(f'constraint "{text}" names {name!r}, which is no dimension here ({", ".join(names)})')
    try:
        _value(tree, dict.fromkeys(names, 1))
    except ZeroDivisionError:
        return


def evaluate(text: str, point: Point) -> bool:
    """Whether the constraint holds at a point."""
    return bool(_value(ast.parse(text, mode="eval").body, point))


_OPERATIONS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.Div: lambda a, b: a / b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Lt: lambda a, b: a < b,
    ast.LtE: lambda a, b: a <= b,
    ast.Gt: lambda a, b: a > b,
    ast.GtE: lambda a, b: a >= b,
    ast.Eq: lambda a, b: a == b,
    ast.NotEq: lambda a, b: a != b,
}
_FUNCTIONS = {"min": min, "max": max}


def _value(node: ast.expr, point: Point) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name) if name in point:
            return point[name]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATIONS:
            return _OPERATIONS[type(op)](_value(left, point), _value(right, point))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand, point)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _value(operand, point)
        case ast.BoolOp(op=ast.And(), values=values):
            return all(_value(value, point) for value in values)
        case ast.BoolOp(values=values):
            return any(_value(value, point) for value in values)
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(type(op) in _OPERATIONS for op in ops):
            ends = [_value(end, point) for end in (left, *comparators)]
            return all(_OPERATIONS[type(op)](a, b) for op, a, b in zip(ops, ends, ends[1:], strict=False))
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(arg, point) for arg in args))
    raise ValueError(
        f'"{ast.unparse(node)}" is not allowed in a constraint; use names, numbers, + - * / // min max and comparisons'
    )


def _names(text: str) -> list[str]:
    found = (node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name))
    return [name for name in dict.fromkeys(found) if name not in _FUNCTIONS]


def _check_ends(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low is {low:g} and high {high:g}; low must not exceed high")
    if log and low <= 0:
        raise ValueError(f"low is {low:g} on a logarithmic scale; give a number above 0")


def _dimension_to_json(dimension: Dimension) -> Any:
    if isinstance(dimension, Choice):
        return {"choices": list(dimension.values)}
    ends = {"low": dimension.low, "high": dimension.high}
    if isinstance(dimension, FloatRange):
        ends = {name: float(end) for name, end in ends.items()}
    return {**ends, "log": True} if dimension.log else ends
