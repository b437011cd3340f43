"""The text format of the UEA/UCR archive of time series (`.ts`,
https://www.aeon-toolkit.org/en/stable/api_reference/data_format.html).

Lines with # are comments. Lines with @ say what the file holds (`@timeStamps`, `@dimensions`,
`@classLabel true A B`, or `@targetLabel true` …, in any case). After `@data` each line is a series:
its dimensions and at last its label, between colons. Each dimension is a list of values between
commas, or of (time, value) where there are time stamps, a number or a date. "?" or NaN is a missing
value. What the lines hold counts, not what the header says of lengths and missing values.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

_OUTSIDE_BRACKETS = re.compile(r":(?![^(]*\))")  # a date has colons too
_PAIR = re.compile(r"\(([^()]*),([^(),]*)\)")
_MISSING = ("?", "nan")


@dataclass(frozen=True, eq=False)
class Series:
    """One series of a file.

    Attributes:
        values: (steps, dimensions) float64, NaN where one is missing.
        times: (steps,), rising numbers, seconds where the file has dates; or None.
        label: As in the file.
        line: Number of its line.
    """

    values: np.ndarray
    times: np.ndarray | None
    label: str
    line: int


@dataclass(frozen=True, eq=False)
class TsFile:
    """A file.

    Attributes:
        path: Its path.
        kind: Of the labels.
        labels: The classes that the header names, in its order; none for a regression, or where it
            names none.
        series: In the order of the file.
    """

    path: Path
    kind: Literal["classification", "regression"]
    labels: tuple[str, ...]
    series: list[Series]


def read(path: Path) -> TsFile:
    """Read a file.

    Args:
        path: A file `*.ts`.

    Raises:
        ValueError: A line does not follow the format; the message says its number.
    """
    lines = path.read_text(
        encoding="utf-8", errors="replace"
    ).splitlines()  # comments may be of any encoding
    header, start = _header(path, lines)
    kind, labels = _labels(path, header)
    dimensions = _dimensions(path, header)
    series = []
    for number, line in enumerate(lines[start:], start=start + 1):
        if line.strip() and not line.startswith("#"):
            try:
                series.append(_series(line.strip(), _is(header, "timestamps"), dimensions, number))
            except ValueError as fault:
                raise ValueError(f"{path.name}, line {number}: {fault}") from fault
            dimensions = dimensions or series[0].values.shape[1]
            if labels and series[-1].label not in labels:
                raise ValueError(
                    f"{path.name}, line {number}: class {series[-1].label!r} is not in "
                    f"@classLabel ({', '.join(labels)})"
                )
    if not series:
        raise ValueError(f"{path.name} has no series after @data")
    return TsFile(path, kind, labels, series)


def number(text: str) -> float:
    """Return a finite number.

    Raises:
        ValueError: The text is any other.
    """
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(f"{text.strip()!r} where a finite number is wanted")
    return value


def _header(path: Path, lines: list[str]) -> tuple[dict[str, str], int]:
    """What the header says, and how many lines there are up to @data."""
    header: dict[str, str] = {}
    for index, line in enumerate(lines, start=1):
        name, *rest = line.split(None, 1) or ["#"]
        if name.lower() == "@data":
            return header, index
        if name.startswith("@"):
            header[name[1:].lower()] = "".join(rest).strip()
        elif not name.startswith("#"):
            raise ValueError(
                f"{path.name}, line {index}: {line.strip()[:40]!r} where a line with @ of the "
                "header is wanted"
            )
    raise ValueError(f"{path.name} has no line @data; it is no .ts file, or not a whole one")


def _is(header: dict[str, str], name: str) -> bool:
    return header.get(name, "").lower().split()[:1] == ["true"]


def _labels(
    path: Path, header: dict[str, str]
) -> tuple[Literal["classification", "regression"], tuple[str, ...]]:
    if _is(header, "classlabel"):
        return "classification", tuple(header["classlabel"].split()[1:])
    if _is(header, "targetlabel"):
        return "regression", ()
    raise ValueError(
        f"{path.name} has neither @classLabel true nor @targetLabel true: there is nothing to learn"
    )


def _dimensions(path: Path, header: dict[str, str]) -> int | None:
    """The number that the header says, None where it says none."""
    if _is(header, "univariate"):
        return 1
    text = header.get("dimensions", header.get("dimension"))
    if text is not None and not (text.isdecimal() and int(text) > 0):
        raise ValueError(f"{path.name}: @dimensions is {text!r}; give a number, 1 or more")
    return None if text is None else int(text)


def _series(line: str, timed: bool, dimensions: int | None, number: int) -> Series:
    *parts, label = _OUTSIDE_BRACKETS.split(line) if timed else line.split(":")
    if len(parts) != (dimensions or len(parts)) or not parts:
        raise ValueError(
            f"{len(parts)} dimensions and a label where {dimensions or 'one or more'} and a label "
            "are wanted"
        )
    if not label.strip():
        raise ValueError("no label after the last colon")
    pairs = [_pairs(part) if timed else (None, part.split(",")) for part in parts]
    lengths = {len(texts) for _, texts in pairs}
    if len(lengths) > 1:
        raise ValueError(
            f"dimensions of {min(lengths)} and of {max(lengths)} steps; "
            "a series needs all of them at every step"
        )
    if any(times != pairs[0][0] for times, _ in pairs):
        raise ValueError(
            "dimensions have different time stamps; a series needs all of them at every time"
        )
    values = np.stack([_values(texts) for _, texts in pairs], axis=1)
    return Series(
        values, None if pairs[0][0] is None else _times(pairs[0][0]), label.strip(), number
    )


def _pairs(part: str) -> tuple[list[str], list[str]]:
    found = _PAIR.findall(part)
    if not found or _PAIR.sub("", part).replace(",", "").strip():
        raise ValueError(
            f"{part[:40]!r} where (time,value),(time,value) … are wanted, as @timeStamps is true"
        )
    return [time.strip() for time, _ in found], [value for _, value in found]


def _values(texts: list[str]) -> np.ndarray:
    return np.array(
        [np.nan if text.strip().lower() in _MISSING else number(text) for text in texts]
    )


def _times(texts: list[str]) -> np.ndarray:
    try:
        times = np.array(texts, np.float64)
    except ValueError:
        try:
            times = np.array(texts, "datetime64[ms]").astype(np.int64) / 1000.0
        except ValueError:
            raise ValueError(
                f"time stamps such as {texts[0]!r}; "
                "a number or a date such as 2004-08-10 18:00:00 is wanted"
            ) from None
    if not np.isfinite(times).all() or not (np.diff(times) > 0).all():
        index = int(np.argmin(np.append(True, np.diff(times) > 0)))
        raise ValueError(
            f"time stamp {texts[index]!r} does not come after {texts[max(index - 1, 0)]!r}; "
            "times must rise"
        )
    return times
