"""Many rows as little text: one list a column, numbers rounded, words once."""

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas


def rounded(value: Any, digits: int = 5) -> Any:
    """A number with so many significant digits, a whole one as such; None where it is none, or not
    finite."""
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
    """The values of a table's column; missing ones are None."""
    return series.astype(object).where(series.notna(), None).tolist()


def column(values: Iterable[Any], digits: int = 5) -> list[Any]:
    """Numbers, rounded; missing ones are None."""
    return [rounded(value, digits) for value in values]


def coded(values: Sequence[Any]) -> dict[str, list]:
    """Words as their places in a list of those that there are; missing ones are None."""
    texts = [None if value is None else str(value) for value in values]
    choices = sorted({text for text in texts if text is not None})
    index = {text: i for i, text in enumerate(choices)}
    return {"choices": choices, "codes": [None if text is None else index[text] for text in texts]}
