"""Durations in words: two units at most, no more digits than are known."""

import math

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def in_words(seconds: float) -> str:
    """Write a duration as "0.3 s", "40 s", "3 min 20 s", "45 min", "2 h 10 min" or "3 d 4 h".

    From ten of a unit on, the smaller unit is left out. An infinite duration is "no end".

    Args:
        seconds: The duration; a negative one counts as 0.
    """
    if not math.isfinite(seconds):
        return "no end"
    if seconds < 1:
        return f"{max(seconds, 0.0):.1g} s"
    for (size, unit), (smaller, name) in zip(_UNITS, _UNITS[1:], strict=False):
        if seconds >= 10 * size:
            return f"{round(seconds / size)} {unit}"
        rounded = round(seconds / smaller) * smaller
        if rounded >= size:
            large, rest = divmod(rounded, size)
            return f"{large} {unit}" + (f" {rest // smaller} {name}" if rest else "")
    return f"{seconds:.0f} s"
