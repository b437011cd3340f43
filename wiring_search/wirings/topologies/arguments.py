"""Checks of the arguments of topologies."""

from numbers import Real

import numpy as np


def check_whole(
    name: str, value: int, least: int, most: int | None = None, limit: str = ""
) -> None:
    """Refuse what is no whole number from `least` to `most`.

    Args:
        name: The argument.
        value: Its value.
        least: The smallest allowed value.
        most: The largest allowed value; None: no bound.
        limit: What the message says of the bounds: what `most` is, or without `most` the whole of
            what is allowed.

    Raises:
        ValueError: The value is not allowed.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise ValueError(f"{name} is {value!r}; give a whole number")
    if most is None:
        if value < least:
            raise ValueError(f"{name} is {value}; give {limit or f'{least} or more'}")
    elif not least <= value <= most:
        raise ValueError(f"{name} is {value}; give a whole number from {least} to {most} ({limit})")


def check_share(name: str, value: float) -> None:
    """Refuse what is no number from 0 to 1.

    Raises:
        ValueError: The value is not allowed.
    """
    if not (is_number(value) and 0 <= value <= 1):
        raise ValueError(f"{name} is {value!r}; give a share from 0 to 1")


def is_number(value: object) -> bool:
    """Whether a value is a real number; True and False are none."""
    return isinstance(value, Real) and not isinstance(value, bool)
