"""A space's dimensions as Optuna's parameters and distributions."""

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from wiring_search.search_spaces import Choice, FloatRange, IntRange, Space
from wiring_search.search_spaces.space import Dimension, Point, Value


def key_of(space: Space, name: str, place: int) -> str:
    """What Optuna calls an alternative of a dimension: it knows no two ranges by one name."""
    return name if len(space.alternatives(name)) == 1 else f"{name}:{place}"


def distribution_of(dimension: Dimension) -> BaseDistribution:
    match dimension:
        case IntRange(low, high, log):
            return IntDistribution(low, high, log=log)
        case FloatRange(low, high, log):
            return FloatDistribution(low, high, log=log)
        case Choice(values):
            return CategoricalDistribution(values)
    raise TypeError(f"{dimension!r} is no dimension")


def distributions_at(
    space: Space, point: Point
) -> dict[str, tuple[str, optuna.distributions.BaseDistribution]]:
    """By the name that Optuna knows: the dimension, and its distribution. Of a child of others, its
    point says a part only."""
    found = {}
    for name, value in point.items():
        place = space.alternative(name, point) if name in space.dimensions else None
        if place is None:
            continue
        dimension = space.alternatives(name)[place]
        if _within(dimension, value):
            found[key_of(space, name, place)] = (name, distribution_of(dimension))
    return found


def _within(dimension: Dimension, value: Value) -> bool:
    match dimension:
        case Choice(values=values):
            return value in values
        case IntRange(low=low, high=high) | FloatRange(low=low, high=high):
            return not isinstance(value, str) and low <= value <= high
    raise TypeError(f"a dimension is a Choice, IntRange or FloatRange, not {dimension!r}")
