"""A space's dimensions as Optuna's parameters and distributions."""

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from wiring_search.search_spaces import Choice, FloatRange, IntRange, Space
from wiring_search.search_spaces.dimensions import Dimension, Point, Value


def key_of(space: Space, name: str, index: int) -> str:
    """Return Optuna's name for an alternative of a dimension; each alternative needs another name.

    Args:
        space: The space.
        name: The dimension.
        index: The alternative's index.
    """
    return name if len(space.alternatives(name)) == 1 else f"{name}:{index}"


def distribution_of(dimension: Dimension) -> BaseDistribution:
    """Return Optuna's distribution for a dimension.

    Raises:
        TypeError: The dimension is of another class than `Choice`, `IntRange` and `FloatRange`.
    """
    match dimension:
        case IntRange(low, high, log):
            return IntDistribution(low, high, log=log)
        case FloatRange(low, high, log):
            return FloatDistribution(low, high, log=log)
        case Choice(values):
            return CategoricalDistribution(values)
    raise TypeError(f"{dimension!r} is not a dimension")


def distributions_at(
    space: Space, point: Point
) -> dict[str, tuple[str, optuna.distributions.BaseDistribution]]:
    """Return the distribution of each dimension of a point.

    Args:
        space: The space.
        point: Values by dimension. The point of a child of other candidates has only the dimensions
            that the child determines.

    Returns:
        By Optuna's name, the dimension and its distribution.
    """
    found = {}
    for name, value in point.items():
        index = space.alternative(name, point) if name in space.dimensions else None
        if index is None:
            continue
        dimension = space.alternatives(name)[index]
        if _within(dimension, value):
            found[key_of(space, name, index)] = (name, distribution_of(dimension))
    return found


def _within(dimension: Dimension, value: Value) -> bool:
    match dimension:
        case Choice(values=values):
            return value in values
        case IntRange(low=low, high=high) | FloatRange(low=low, high=high):
            return not isinstance(value, str) and low <= value <= high
    raise TypeError(f"a dimension is a Choice, IntRange or FloatRange, not {dimension!r}")
