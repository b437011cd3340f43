"""A search space as a value: dimensions, their bounds and conditions, and constraints.

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

A point holds a number or a name for each dimension that exists there. `build` turns it into a
candidate, or says why it is infeasible: a constraint does not hold, or the topology refuses its
sizes. Infeasible points are never trained.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from wiring_search.search_spaces.constraints import check_constraint, evaluate, names_in
from wiring_search.search_spaces.dimensions import (
    Choice,
    Dimension,
    Point,
    Value,
    dimension_from_json,
    dimension_to_json,
    draw_value,
)
from wiring_search.search_spaces.names import (
    CANDIDATE_DIMENSIONS,
    LAYERED_TOPOLOGIES,
    NAMES,
    TOPOLOGIES,
    known_dimensions,
)
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import EXPLICIT, KINDS, MEMORIES, USUAL_NEURON, has_steps


class Infeasible(ValueError):
    """A point that cannot be built; the message says why."""


class Fault(ValueError):
    """A space that contradicts itself.

    Args:
        message: What is wrong, and what to write instead.
        where: The dimension, the constraint, or the key of a file that is wrong.
    """

    def __init__(self, message: str, where: str) -> None:
        super().__init__(message)
        self.where = where


@dataclass(frozen=True)
class Space:
    """The dimensions that may vary, and what must hold.

    Attributes:
        topology: A name out of TOPOLOGIES; None if the dimension `topology` chooses it.
        dimensions: By name, the topologies' arguments (`wiring_seed` for their seed) and
            CANDIDATE_DIMENSIONS. A tuple holds alternatives: the first one whose `when` holds is
            used; if none does, the dimension does not exist. A condition names choices that come
            earlier.
        constraints: Comparisons of dimensions, as text (`constraints`). A constraint holds if one
            of its dimensions does not exist.

    Raises:
        Fault: A name is unknown; a condition cannot be decided; in some case an argument of the
            topology is missing or a dimension means nothing; or a constraint is not a comparison.
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
                    f"dimension {name!r} is unknown to {of}; known: {', '.join(known)}", name
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
        """Whether some dimension exists only under a condition, or has alternatives."""
        return any(
            alternative.when for name in self.dimensions for alternative in self.alternatives(name)
        )

    def alternatives(self, name: str) -> tuple[Dimension, ...]:
        """Return the alternatives of a dimension; usually there is one."""
        found = self.dimensions[name]
        return found if isinstance(found, tuple) else (found,)

    def alternative(self, name: str, point: Point) -> int | None:
        """Return the index of a dimension's alternative at a point.

        Args:
            name: The dimension.
            point: Values of the earlier dimensions.

        Returns:
            The index, None if the dimension does not exist there.
        """
        for index, dimension in enumerate(self.alternatives(name)):
            if all(point.get(parent) in values for parent, values in dimension.when.items()):
                return index
        return None

    def draw(self, rng: np.random.Generator) -> Point:
        """Draw a point, uniformly in each dimension, over logarithms if its range is logarithmic.

        Args:
            rng: Source of random numbers.

        Returns:
            A point; it may be infeasible.
        """
        point: Point = {}
        for name in self.dimensions:
            index = self.alternative(name, point)
            if index is not None:
                point[name] = draw_value(self.alternatives(name)[index], rng)
        return point

    def build(self, point: Point, seed: int) -> Candidate:
        """Build the candidate at a point.

        Args:
            point: A value for each dimension that exists there.
            seed: Seed of the candidate's initial weights.

        Raises:
            Infeasible: A constraint does not hold, or the topology refuses the sizes.
            ValueError: A dimension is missing, or does not exist at this point.
        """
        existing = [name for name in self.dimensions if self.alternative(name, point) is not None]
        if set(existing) != set(point):
            wrong = next(
                name for name in (*point, *existing) if (name in point) != (name in existing)
            )
            if wrong in point:
                fault = "does not exist there; leave it out"
            else:
                fault = "exists there; give a value"
            raise ValueError(f"point {point} cannot be built: dimension {wrong!r} {fault}")
        for text in self.constraints:
            if not evaluate(text, point):
                values = ", ".join(f"{name} = {point[name]:g}" for name in names_in(text))
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
        """Return every combination of neuron, solver and memory in this space."""
        memories = self._choices("memory") if "memory" in self.dimensions else MEMORIES[:1]
        return [
            (*pair, str(memory))
            for pair in dict.fromkeys(map(_dynamics, self._cases()))
            for memory in memories
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain data from which `from_json` makes an equal space."""
        return {
            "topology": self.topology,
            "dimensions": {
                name: dimension_to_json(dimension) for name, dimension in self.dimensions.items()
            },
            "constraints": list(self.constraints),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Space":
        """The inverse of `to_json`.

        Raises:
            ValueError: The data are no space; a `Fault` says where it contradicts itself.
            KeyError: "topology" or "dimensions" is missing.
        """
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
        """All values of a dimension of choices; empty for a range."""
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
                f"topology is given twice: fixed as {self.topology!r}, and as a dimension; "
                "keep one",
                "topology",
            )

    def _check_values(self, name: str) -> None:
        alternatives = self.alternatives(name)
        if not alternatives or not all(alternative.when for alternative in alternatives[:-1]):
            raise Fault(
                f"{name}: only the last alternative may have no condition; give the others one",
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
                    f"{name}: when names {parent!r}, which is not a dimension here; dimensions are "
                    f"{', '.join(self.dimensions)}",
                    name,
                )
            if parent not in earlier:
                raise Fault(
                    f"{name}: when names {parent!r}, which comes later; put {parent} first",
                    name,
                )
            choices = self._choices(parent)
            if not choices:
                raise Fault(
                    f"{name}: when names {parent!r}, which is a range; name a choice",
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
                        f"{name}: when {parent} is {value!r}, which it never is; "
                        f"give some of {allowed}",
                        name,
                    )

    def _cases(self) -> list[Point]:
        """Every combination of the choices on which other dimensions depend."""
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
        index = self.alternative(name, case)
        dimension = None if index is None else self.alternatives(name)[index]
        if isinstance(dimension, Choice):
            return [{**case, name: value} for value in dimension.values]
        return [case]

    def _check_case(self, case: Point) -> None:
        """Raise Fault if no point with these choices can be built, whatever the numbers."""
        if case:
            where = f" where {', '.join(f'{name} is {value}' for name, value in case.items())}"
        else:
            where = ""
        if self.topology is None and "topology" not in case:
            raise Fault(f"there is no topology{where}; give one for every case", "topology")
        topology = self._topology(case)
        known = known_dimensions(topology)
        existing = [name for name in self.dimensions if self.alternative(name, case) is not None]
        for name in existing:
            if name not in known and name != "topology":
                raise Fault(
                    f"dimension {name!r} exists{where}, but topology {topology} has no such "
                    "argument; give it a condition",
                    name,
                )
        for name, needed in known.items():
            if needed and name not in existing:
                at = name if name in self.dimensions else "dimensions"
                raise Fault(
                    f"dimension {name!r} is missing{where}; topology {topology} needs it "
                    "(a number fixes it)",
                    at,
                )
        neuron, solver = _dynamics(case)
        kind = KINDS[neuron]
        if solver not in kind.solvers:
            raise Fault(
                f"solver is {solver!r} where neuron is {neuron}; it has {', '.join(kind.solvers)}",
                "solver",
            )
        if case.get("gradient") == "adjoint" and solver not in EXPLICIT:
            raise Fault(
                f"gradient is 'adjoint'{where}, but only {', '.join(EXPLICIT)} have one; "
                "give it a condition",
                "gradient",
            )
        if not has_steps(solver) and "steps" in existing:
            raise Fault(
                f"dimension 'steps' exists{where}, but the closed form has no steps; "
                "give it a condition",
                "steps",
            )
        if kind.layered and topology not in LAYERED_TOPOLOGIES:
            raise Fault(
                f"neuron {neuron} needs layers, which topology {topology} does not have; give "
                f"{', '.join(LAYERED_TOPOLOGIES)}",
                "neuron",
            )


def _dynamics(point: Point) -> tuple[str, str]:
    """Neuron and solver at a point; the usual ones if the space does not choose them."""
    neuron = str(point.get("neuron", USUAL_NEURON))
    return neuron, str(point.get("solver", KINDS[neuron].usual_solver))
