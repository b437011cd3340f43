"""Dimensions: ranges and choices, their plain data, and random draws of their values."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Value = int | float | str
Point = dict[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    """The values that one setting may have.

    Attributes:
        when: Values by dimension. The dimension exists only if each of these dimensions exists and
            has one of its values.
    """

    when: dict[str, tuple[Value, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class IntRange(Dimension):
    """Whole numbers from low to high, both included.

    Attributes:
        low: The smallest value.
        high: The largest value.
        log: Draw small numbers as often as large ones; low must be 1 or more.

    Raises:
        ValueError: An end is not a whole number, or the ends do not fit.
    """

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
    """Real numbers from low to high.

    Attributes:
        low: The smallest value.
        high: The largest value.
        log: Draw uniformly in the logarithm; low must be above 0.

    Raises:
        ValueError: An end is not finite, or the ends do not fit.
    """

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
    """One of a few numbers, or one of a few names.

    Attributes:
        values: The values, each once. A single value is fixed.

    Raises:
        ValueError: There is no value, a value stands twice, or numbers and names are mixed.
    """

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        numbers = [v for v in self.values if _is_number(v)]
        names = [v for v in self.values if isinstance(v, str)]
        if not self.values or len(self.values) not in (len(numbers), len(names)):
            raise ValueError(
                f"choices are {list(self.values)!r}; give one number or more, or one name or more"
            )
        if len(set(self.values)) != len(self.values):
            raise ValueError(f"choices are {list(self.values)!r}; give each once")


def dimension_from_json(value: Any) -> Dimension | tuple[Dimension, ...]:
    """Return a dimension from plain data.

    Args:
        value: A number or name (fixed), {"choices": [...]}, or {"low": …, "high": …, "log": …}. It
            is a range of whole numbers where both ends are whole. With "when": {"neuron": ["ltc"]}
            it exists only there. A list of such dictionaries holds alternatives.

    Returns:
        One dimension, or a tuple of alternatives.

    Raises:
        ValueError: The data have another form, or values that do not fit.
        TypeError: A value has another type.
    """
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
        f"{value!r} is not a dimension; give a number, {{low = 1, high = 8}}, optionally "
        "log = true, or {choices = [1, 2]}; "
        'and, where it does not always exist, when = {neuron = ["ltc"]}'
    )


def dimension_to_json(dimension: Dimension | tuple[Dimension, ...]) -> Any:
    """Return plain data from which `dimension_from_json` makes an equal dimension.

    Raises:
        TypeError: The dimension is of another class than `Choice`, `IntRange` and `FloatRange`.
    """
    if isinstance(dimension, tuple):
        return [dimension_to_json(alternative) for alternative in dimension]
    if dimension.when:
        when = {"when": {name: list(values) for name, values in dimension.when.items()}}
    else:
        when = {}
    if isinstance(dimension, Choice):
        return {"choices": list(dimension.values), **when}
    if not isinstance(dimension, IntRange | FloatRange):
        raise TypeError(f"a dimension is a Choice, IntRange or FloatRange, not {dimension!r}")
    number = float if isinstance(dimension, FloatRange) else int
    ends = {"low": number(dimension.low), "high": number(dimension.high)}
    return {**ends, **({"log": True} if dimension.log else {}), **when}


def _check_ends(low: float, high: float, log: bool) -> None:
    if low > high:
        raise ValueError(f"low is {low:g} and high {high:g}; low must not exceed high")
    if log and low <= 0:
        raise ValueError(f"low is {low:g} on a logarithmic scale; give a number above 0")


def draw_value(dimension: Dimension, rng: np.random.Generator) -> Value:
    """Draw a value uniformly, over logarithms if the range is logarithmic.

    Raises:
        TypeError: The dimension is of another class than `Choice`, `IntRange` and `FloatRange`.
    """
    match dimension:
        case IntRange(low=low, high=high, log=True):
            # A whole number has the probability of the interval from half below to half above it.
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
            if log:
                return math.exp(rng.uniform(math.log(low), math.log(high)))
            return float(rng.uniform(low, high))
        case Choice(values=values):
            return values[rng.integers(len(values))]
    raise TypeError(f"{dimension!r} is not a dimension")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
