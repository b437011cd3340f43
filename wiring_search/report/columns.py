"""Many rows as little text: one list per column, numbers rounded, each word once."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas


def rounded(value: Any, digits: int = 5) -> Any:
    """Round a number; a whole one stays whole.

    Args:
        value: A number; words and truth values are returned unchanged.
        digits: Significant digits.

    Returns:
        The number, None where it is missing or not finite.
    """
    if value is None or isinstance(value, str | bool | np.bool_):
        return value.item() if isinstance(value, np.bool_) else value
    number = float(value)
    if not math.isfinite(number):
        return None
    if number != round(number) or abs(number) >= 2**53:
        short = float(f"{number:.{digits}g}")
    else:
        short = number
    return int(short) if short == round(short) and abs(short) < 2**53 else short


def listed(series: "pandas.Series") -> list[Any]:
    """Return the values of a table's column; missing ones are None."""
    return series.astype(object).where(series.notna(), None).tolist()


def column(values: Iterable[Any], digits: int = 5) -> list[Any]:
    """Return numbers, rounded; missing ones are None.

    Args:
        values: The numbers.
        digits: Significant digits.
    """
    return [rounded(value, digits) for value in values]


def coded(values: Sequence[Any]) -> dict[str, list]:
    """Return words as indices into the list of distinct words; missing ones are None."""
    texts = [None if value is None else str(value) for value in values]
    choices = sorted({text for text in texts if text is not None})
    index = {text: i for i, text in enumerate(choices)}
    return {"choices": choices, "codes": [None if text is None else index[text] for text in texts]}
