"""A search space: what may vary, within which bounds, under which conditions, and what must hold.
Declarative values, no sampler in it.

    Space(
        "ncp",
        {
            "neuron": Choice(("ltc", "cfc")),
            "steps": IntRange(1, 6, when={"neuron": ("ltc",)}),
            "inter": IntRange(6, 32),
            "motor": Choice((4,)),
            …
        },
        ("sensory_fanout <= inter",),
    )

A point of the space is a dictionary of numbers and names by dimension, of those dimensions that
exist there. `build` turns it into a candidate, or says why it is infeasible: a constraint that does
not hold, or sizes that the topology refuses. Infeasible points are never trained.
"""

import ast
import inspect
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wiring_search.wirings import topologies
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import EXPLICIT, GRADIENTS, MEMORIES, NEURONS, SOLVERS
from wiring_search.wirings.wiring import Wiring

Value = int | float | str
Point = dict[str, Value]

TOPOLOGIES: dict[str, Callable[..., Wiring]] = {
    "ncp": topologies.ncp,
    "auto_ncp": topologies.auto_ncp,
    "random_sparse": topologies.random_sparse,
    "fully_connected": topologies.fully_connected,
    "small_world": topologies.small_world,
    "layered": topologies.layered,
}
# Layered neurons look at the synapses from layer to layer alone: only these topologies have layers.
LAYERED_TOPOLOGIES = ("ncp", "auto_ncp", "layered")
# Dimensions of the candidate; all others are arguments of the topology. `wiring_seed` is the
# topology's `seed`.
CANDIDATE_DIMENSIONS = ("neuron", "solver", "steps", "gradient", "memory", "learning_rate")
# Dimensions that are chosen by name, and the names; all others are numbers.
NAMES: dict[str, Collection[str]] = {
    "topology": tuple(TOPOLOGIES),
    "neuron": SOLVERS,
    "solver": tuple(dict.fromkeys(name for solvers in SOLVERS.values() for name in solvers)),
    "memory": MEMORIES,
    "gradient": GRADIENTS,
}


class Infeasible(ValueError):
    """A point that cannot be built; the message says why."""


class Fault(ValueError):
    """A space that cannot be. where: the dimension, the constraint, or the key of a file that is at
    fault."""

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.where = where


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """when: the dimension exists only where each of these dimensions exists and has one of these
    values."""

    when: dict[str, tuple[Value, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IntRange(Dimension):
    """Whole numbers from low to high, both included. log: small ones as often as large ones (low ≥
    1)."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        if not all(
            isinstance(end, int) and not isinstance(end, bool) for end in (self.low, self.high)
        ):
            raise ValueError(f"low and high are {self.low!r} and {self.high!r}; give whole numbers")
        _check_ends(self.low, self.high, self.log)


@dataclass(frozen=True, slots=True)
class FloatRange(Dimension):
    """Real numbers from low to high. log: uniform in the logarithm (low > 0)."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise ValueError(
                f"low and high are {self.low!r} and {self.high!r}; give finite numbers"
            )
        _check_ends(self.low, self.high, self.log)


@dataclass(frozen=True, slots=True)
class Choice(Dimension):
    """One of a few numbers, or one of a few names; a single one is a fixed value."""

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        numbers, names = (
            [v for v in self.values if _is_number(v)],
            [v for v in self.values if isinstance(v, str)],
        )
        if not self.values or len(self.values) not in (len(numbers), len(names)):
            raise ValueError(
                f"choices are {list(self.values)!r}; give one number or more, or one name or more"
            )
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"choices are {list(self.values)!r}; give each once")


@dataclass(frozen=True)
class Space:
    """topology: a name out of TOPOLOGIES, or None where the dimension `topology` chooses it.

    dimensions: by name, the topologies' arguments (`wiring_seed` for their seed) and
    CANDIDATE_DIMENSIONS. What differs from case to case is a tuple of alternatives: the first one
    whose `when` holds counts, and where none does, the dimension does not exist. Conditions look
    back: on choices that stand earlier. constraints: comparisons of dimensions, as text: names,
    numbers, + - * // min max, and, or, not; where one of its dimensions does not exist, a
    constraint holds.

    Raises ValueError (a Fault) for unknown names, for conditions that cannot be decided, for a case
    in which an argument of the topology is missing or a dimension means nothing, and for text that
    is no comparison.
    """

    topology: str | None
    dimensions: dict[str, Dimension | tuple[Dimension, ...]]
    constraints: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._check_topology()
        known = dict.fromkeys(
            name for topology in self._topologies() for name in known_dimensions(topology)
        )
        for name in self.dimensions:
            if name not in known and name != "topology":
                of = "any topology here" if self.topology is None else f"topology {self.topology}"
                raise Fault(
                    f"dimension {name!r} is not known to {of}; known: {', '.join(known)}", name
                )
            self._check_values(name)
            self._check_conditions(name)
        for case in self._cases():
            self._check_case(case)
        numbers = {
            name: dimension for name, dimension in self.dimensions.items() if name not in NAMES
        }
        for text in self.constraints:
            try:
                check_constraint(text, numbers)
            except ValueError as cause:
                raise Fault(str(cause), text) from cause

    @property
    def conditional(self) -> bool:
        """Whether some dimension does not exist everywhere, or not everywhere alike."""
        return any(
            alternative.when for name in self.dimensions for alternative in self.alternatives(name)
        )

    def alternatives(self, name: str) -> tuple[Dimension, ...]:
        """What the dimension may be, from case to case; one unless there are several."""
        found = self.dimensions[name]
        return found if isinstance(found, tuple) else (found,)

    def alternative(self, name: str, point: Point) -> int | None:
        """Which alternative the dimension is where those it depends on are as in `point`; None: it
        does not exist there."""
        for place, dimension in enumerate(self.alternatives(name)):
            if all(point.get(parent) in values for parent, values in dimension.when.items()):
                return place
        return None

    def draw(self, rng: np.random.Generator) -> Point:
        """A point, uniform in each dimension (in its logarithm where the range is logarithmic),
        feasible or not."""
        point: Point = {}
        for name in self.dimensions:
            place = self.alternative(name, point)
            if place is not None:
                point[name] = _drawn(self.alternatives(name)[place], rng)
        return point

    def build(self, point: Point, seed: int) -> Candidate:
        """The candidate at this point. seed: of its initial weights.

        Raises Infeasible with the reason, and ValueError for a point with other dimensions than
        exist there.
        """
        existing = [name for name in self.dimensions if self.alternative(name, point) is not None]
        if set(existing) != set(point):
            wrong = next(
                name for name in (*point, *existing) if (name in point) != (name in existing)
            )
            fault = (
                "does not exist there; leave it out"
                if wrong in point
                else "exists there; give a value"
            )
            raise ValueError(f"point {point} cannot be built: dimension {wrong!r} {fault}")
        for text in self.constraints:
            if not evaluate(text, point):
                values = ", ".join(f"{name} = {point[name]:g}" for name in _names(text))
                raise Infeasible(f"{text} does not hold ({values})")
        settings: dict[str, Any] = {
            name: point[name] for name in CANDIDATE_DIMENSIONS if name in point
        }
        _, settings["solver"] = _dynamics(point)
        if settings["solver"] == "closed-form":
            settings["steps"] = 0
        arguments = {
            name: value
            for name, value in point.items()
            if name not in (*CANDIDATE_DIMENSIONS, "topology")
        }
        if "wiring_seed" in arguments:
            arguments["seed"] = arguments.pop("wiring_seed")
        try:
            return Candidate(TOPOLOGIES[self._topology(point)](**arguments), seed=seed, **settings)
        except ValueError as reason:
            raise Infeasible(str(reason)) from reason

    def dynamics(self) -> list[tuple[str, str, str]]:
        """Every neuron, solver and memory that a point of this space can have together."""
        memories = self._choices("memory") if "memory" in self.dimensions else MEMORIES[:1]
        return [
            (*pair, str(memory))
            for pair in dict.fromkeys(map(_dynamics, self._cases()))
            for memory in memories
        ]

    def to_json(self) -> dict[str, Any]:
        return {
            "topology": self.topology,
            "dimensions": {
                name: _dimension_to_json(dimension) for name, dimension in self.dimensions.items()
            },
            "constraints": list(self.constraints),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Space":
        dimensions = {
            name: dimension_from_json(value) for name, value in data["dimensions"].items()
        }
        return cls(data["topology"], dimensions, tuple(data.get("constraints", ())))

    def _topology(self, point: Point) -> str:
        return str(point["topology"]) if self.topology is None else self.topology

    def _topologies(self) -> tuple[str, ...]:
        names = self._choices("topology") if self.topology is None else (self.topology,)
        return tuple(map(str, names))

    def _choices(self, name: str) -> tuple[Value, ...]:
        """All that a dimension of choices can be; empty for others."""
        found = [
            dimension.values
            for dimension in self.alternatives(name)
            if isinstance(dimension, Choice)
        ]
        return tuple(dict.fromkeys(value for values in found for value in values))

    def _check_topology(self) -> None:
        if self.topology is None:
            if "topology" not in self.dimensions:
                raise Fault(f"no topology is given; known: {', '.join(TOPOLOGIES)}", "topology")
            self._check_values("topology")
        elif self.topology not in TOPOLOGIES:
            raise Fault(
                f"topology is {self.topology!r}; known: {', '.join(TOPOLOGIES)}", "topology"
            )
        elif "topology" in self.dimensions:
            raise Fault(
                f"topology is given twice: fixed as {self.topology!r}, and as a dimension; keep one",
                "topology",
            )

    def _check_values(self, name: str) -> None:
        alternatives = self.alternatives(name)
        if not alternatives or not all(alternative.when for alternative in alternatives[:-1]):
            raise Fault(
                f"{name}: only the last alternative may go without a condition; give the others one",
                name,
            )
        for dimension in alternatives:
            values = dimension.values if isinstance(dimension, Choice) else ()
            if name not in NAMES and any(isinstance(value, str) for value in values):
                raise Fault(f"{name}: choices are {list(values)!r}; give numbers", name)
            if name in NAMES and not values:
                raise Fault(
                    f"{name} is a range of numbers; give names out of {', '.join(NAMES[name])}",
                    name,
                )
            for value in values:
                if name in NAMES and value not in NAMES[name]:
                    raise Fault(f"{name} is {value!r}; known: {', '.join(NAMES[name])}", name)

    def _check_conditions(self, name: str) -> None:
        earlier = list(self.dimensions)[: list(self.dimensions).index(name)]
        for parent, values in (
            (p, v) for alternative in self.alternatives(name) for p, v in alternative.when.items()
        ):
            if parent not in self.dimensions:
                raise Fault(
                    f"{name}: when names {parent!r}, which is no dimension here ({', '.join(self.dimensions)})",
                    name,
                )
            if parent not in earlier:
                raise Fault(
                    f"{name}: when names {parent!r}, which does not stand before it; put {parent} first",
                    name,
                )
            choices = self._choices(parent)
            if not choices:
                raise Fault(
                    f"{name}: when names {parent!r}, which is a range; conditions are on choices",
                    name,
                )
            if not isinstance(values, tuple) or not values:
                raise Fault(
                    f"{name}: when {parent} is {values!r}; give a tuple of one value or more", name
                )
            for value in values:
                if value not in choices:
                    allowed = ", ".join(map(str, choices))
                    raise Fault(
                        f"{name}: when {parent} is {value!r}, which it never is; give some of {allowed}",
                        name,
                    )

    def _cases(self) -> list[Point]:
        """Every way in which the choices that decide about dimensions can fall."""
        parents = {
            p
            for name in self.dimensions
            for alternative in self.alternatives(name)
            for p in alternative.when
        }
        cases: list[Point] = [{}]
        for name in self.dimensions:
            if name in parents | {"topology", "neuron", "solver", "gradient"}:
                cases = [longer for case in cases for longer in self._extended(case, name)]
        return cases

    def _extended(self, case: Point, name: str) -> list[Point]:
        place = self.alternative(name, case)
        dimension = None if place is None else self.alternatives(name)[place]
        return (
            [{**case, name: value} for value in dimension.values]
            if isinstance(dimension, Choice)
            else [case]
        )

    def _check_case(self, case: Point) -> None:
        """Raises Fault where a point with these choices could not be built, whatever the
        numbers."""
        where = (
            f" where {', '.join(f'{name} is {value}' for name, value in case.items())}"
            if case
            else ""
        )
        if self.topology is None and "topology" not in case:
            raise Fault(f"there is no topology{where}; give one for every case", "topology")
        topology = self._topology(case)
        known = known_dimensions(topology)
        existing = [name for name in self.dimensions if self.alternative(name, case) is not None]
        for name in existing:
            if name not in known and name != "topology":
                raise Fault(
                    f"dimension {name!r} exists{where}, but {topology} does not know it; give it a condition",
                    name,
                )
        for name, needed in known.items():
            if needed and name not in existing:
                at = name if name in self.dimensions else "dimensions"
                raise Fault(
                    f"dimension {name!r} is missing{where}; topology {topology} needs it (a number fixes it)",
                    at,
                )
        neuron, solver = _dynamics(case)
        if solver not in SOLVERS[neuron]:
            raise Fault(
                f"solver is {solver!r} where neuron is {neuron}; it has {', '.join(SOLVERS[neuron])}",
                "solver",
            )
        if case.get("gradient") == "adjoint" and solver not in EXPLICIT:
            raise Fault(
                f"gradient is 'adjoint'{where}, but only {', '.join(EXPLICIT)} have one; give it a condition",
                "gradient",
            )
        if solver == "closed-form" and "steps" in existing:
            raise Fault(
                f"dimension 'steps' exists{where}, but the closed form has no steps; give it a condition",
                "steps",
            )
        if neuron.startswith("layered-") and topology not in LAYERED_TOPOLOGIES:
            raise Fault(
                f"neuron {neuron} needs layers; topology is {topology}, give {', '.join(LAYERED_TOPOLOGIES)}",
                "neuron",
            )


def known_dimensions(topology: str) -> dict[str, bool]:
    """The dimensions that a space with this topology may have, and whether it must."""
    arguments = inspect.signature(TOPOLOGIES[topology]).parameters.values()
    wiring = {
        a.name: a.default is a.empty
        for a in arguments
        if a.name not in ("seed", "self_connections")
    }
    return {**wiring, "wiring_seed": False, **dict.fromkeys(CANDIDATE_DIMENSIONS, False)}


def dimension_from_json(value: Any) -> Dimension | tuple[Dimension, ...]:
    """A number or name (fixed), {"choices": [...]}, or {"low": …, "high": …, "log": …}; a range of
    whole numbers where both ends are whole. With "when": {"neuron": ["ltc"]} it exists only there;
    a list of those are alternatives."""
    if (
        isinstance(value, list)
        and value
        and all(isinstance(alternative, dict) for alternative in value)
    ):
        return tuple(_dimension_from_json(alternative) for alternative in value)
    return _dimension_from_json(value)


def _dimension_from_json(value: Any) -> Dimension:
    if _is_number(value) or isinstance(value, str):
        return Choice((value,))
    given = dict(value) if isinstance(value, dict) else {}
    when = given.pop("when", {})
    if not isinstance(when, dict):
        raise ValueError(
            f'when is {when!r}; give dimensions and values, such as {{neuron = ["ltc"]}}'
        )
    when = {
        name: tuple(values) if isinstance(values, list) else (values,)
        for name, values in when.items()
    }
    if set(given) == {"choices"} and isinstance(given["choices"], list):
        return Choice(tuple(given["choices"]), when=when)
    if {"low", "high"} <= set(given) <= {"low", "high", "log"}:
        whole = isinstance(given["low"], int) and isinstance(given["high"], int)
        return (IntRange if whole else FloatRange)(**given, when=when)
    raise ValueError(
        f"{value!r} is no dimension; give a number, {{low = 1, high = 8}}, optionally log = true, or {{choices = [1, 2]}}; "
        'and, where it does not always exist, when = {neuron = ["ltc"]}'
    )


def check_constraint(text: str, names: dict[str, Any]) -> None:
    """Raises ValueError where `text` is not a comparison of these names."""
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as cause:
        raise ValueError(f'constraint "{text}" cannot be read: {cause.msg}') from cause
    if not isinstance(tree, ast.Compare | ast.BoolOp) and not (
        isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.Not)
    ):
        raise ValueError(
            f'constraint "{text}" is no comparison; write one such as "inter_fanout <= command"'
        )
    for name in _names(text):
        if name not in names:
            raise ValueError(
                f'constraint "{text}" names {name!r}, which is no number here ({", ".join(names)})'
            )
    try:
        _value(tree, dict.fromkeys(names, 1))
    except ZeroDivisionError:
        return


def evaluate(text: str, point: Point) -> bool:
    """Whether the constraint holds at a point, or names a dimension that does not exist there."""
    return any(name not in point for name in _names(text)) or bool(
        _value(ast.parse(text, mode="eval").body, point)
    )


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
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(
            type(op) in _OPERATIONS for op in ops
        ):
            ends = [_value(end, point) for end in (left, *comparators)]
            return all(
                _OPERATIONS[type(op)](a, b) for op, a, b in zip(ops, ends, ends[1:], strict=False)
            )
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(arg, point) for arg in args))
    raise ValueError(
        f'"{ast.unparse(node)}" is not allowed in a constraint; use names, numbers, + - * / // min max and comparisons'
    )


def _names(text: str) -> list[str]:
    found = (
        node.id for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)
    )
    return [name for name in dict.fromkeys(found) if name not in _FUNCTIONS]


def _check_ends(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low is {low:g} and high {high:g}; low must not exceed high")
    if log and low <= 0:
        raise ValueError(f"low is {low:g} on a logarithmic scale; give a number above 0")


def _drawn(dimension: Dimension, rng: np.random.Generator) -> Value:
    match dimension:
        case IntRange(low=low, high=high, log=True):
            # Every whole number owns the stretch from half below to half above it.
            return int(
                np.clip(
                    round(math.exp(rng.uniform(math.log(low - 0.5), math.log(high + 0.5)))),
                    low,
                    high,
                )
            )
        case IntRange(low=low, high=high):
            return int(rng.integers(low, high + 1))
        case FloatRange(low=low, high=high, log=log):
            return (
                math.exp(rng.uniform(math.log(low), math.log(high)))
                if log
                else float(rng.uniform(low, high))
            )
        case Choice(values=values):
            return values[rng.integers(len(values))]
    raise TypeError(f"{dimension!r} is no dimension")


def _dynamics(point: Point) -> tuple[str, str]:
    """Neuron and solver; where a space does not choose them, those that are usual."""
    neuron = str(point.get("neuron", NEURONS[0]))
    return neuron, str(point.get("solver", SOLVERS[neuron][0]))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _dimension_to_json(dimension: Dimension | tuple[Dimension, ...]) -> Any:
    if isinstance(dimension, tuple):
        return [_dimension_to_json(alternative) for alternative in dimension]
    when = (
        {"when": {name: list(values) for name, values in dimension.when.items()}}
        if dimension.when
        else {}
    )
    if isinstance(dimension, Choice):
        return {"choices": list(dimension.values), **when}
    if not isinstance(dimension, IntRange | FloatRange):
        raise TypeError(f"a dimension is a Choice, IntRange or FloatRange, not {dimension!r}")
    number = float if isinstance(dimension, FloatRange) else int
    ends = {"low": number(dimension.low), "high": number(dimension.high)}
    return {**ends, **({"log": True} if dimension.log else {}), **when}
