"""Readers for the files of real data sets as they are published. Messages name a fault by file and
line.
"""

import warnings
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas


def read_table(
    path: Path, names: list[str], separator: str = ",", header: bool = True, missing: str = ""
) -> "pandas.DataFrame":
    """Read a file as a table.

    A column with anything but numbers is text. Only empty fields and `missing` count as missing.

    Args:
        path: The file.
        names: Columns that it must have; without a header, all its columns in order.
        separator: Between fields.
        header: Whether the first line names the columns.
        missing: What stands for a missing value, besides an empty field.

    Returns:
        A pandas table. Its index is the number of the line in the file, as an editor counts.

    Raises:
        ValueError: The file cannot be read so, has no rows, or lacks a column.
    """
    import pandas

    faults = (
        ValueError,
        pandas.errors.ParserWarning,
        EOFError,
        OSError,
        zlib.error,
    )  # other faults of pandas are ValueErrors
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", pandas.errors.ParserWarning
            )  # rows longer than the header, which it would cut
            table = pandas.read_csv(
                path,
                sep=separator,
                header=0 if header else None,
                index_col=False,
                keep_default_na=False,
                na_values=["", missing],
                low_memory=False,
                skip_blank_lines=False,
            )
    except faults as cause:
        raise ValueError(
            f"{path} cannot be read as a table: {str(cause).strip()}; is it the original file?"
        ) from cause
    if not header and len(table.columns) != len(names):
        raise ValueError(
            f"{path} has {len(table.columns)} fields in a row where {len(names)} are wanted; "
            "is it the original file?"
        )
    table.columns = table.columns if header else names
    absent = [name for name in names if name not in table]
    if absent:
        raise ValueError(
            f"{path} has no column {absent[0]!r}; "
            f"its columns are {', '.join(map(str, table.columns))}"
        )
    table.index = table.index + (2 if header else 1)
    table = table.dropna(how="all")
    if table.empty:
        raise ValueError(f"{path} has no rows; is it the original file?")
    return table


def numbers(table: "pandas.DataFrame", columns: list, path: Path, gaps: bool = False) -> np.ndarray:
    """Return columns of a table as numbers.

    Args:
        table: Of `read_table`.
        columns: Their names.
        path: The file, for messages.
        gaps: Whether values may be missing.

    Returns:
        (rows, columns) float64, NaN where a value is missing.

    Raises:
        ValueError: A value is no finite number; the message says file, line and value.
    """
    import pandas

    result = np.empty((len(table), len(columns)))
    for index, name in enumerate(columns):
        result[:, index] = pandas.to_numeric(table[name], errors="coerce")
        allowed = table[name].isna().to_numpy() if gaps else np.zeros(len(table), bool)
        _refuse(~np.isfinite(result[:, index]) & ~allowed, table[name], path, "a finite number")
    return result


def stamps(text: "pandas.Series", form: str, path: Path) -> np.ndarray:
    """Return dates and times as seconds.

    Args:
        text: A column of `read_table`.
        form: Their form, as `strftime` has it.
        path: The file, for messages.

    Returns:
        (rows,) float64.

    Raises:
        ValueError: A value has another form; the message says file, line and value.
    """
    import pandas

    times = pandas.to_datetime(text, format=form, errors="coerce")
    _refuse(
        times.isna().to_numpy(),
        text,
        path,
        f"a date such as {pandas.Timestamp(2007, 12, 31, 17, 30).strftime(form)}",
    )
    return times.to_numpy().astype("datetime64[ms]").astype(np.int64) / 1000.0


def ids(column: "pandas.Series", known: dict, path: Path, what: str) -> np.ndarray:
    """Return the numbers of names.

    Args:
        column: A column of `read_table`.
        known: The number of each name.
        path: The file, for messages.
        what: What a name stands for, for messages.

    Returns:
        (rows,) int64.

    Raises:
        ValueError: A name is not known; the message says file, line and value.
    """
    _refuse(
        ~column.isin(list(known)).to_numpy(), column, path, f"{what} ({', '.join(map(str, known))})"
    )
    return column.map(known).to_numpy(np.int64)


def _refuse(bad: np.ndarray, column: "pandas.Series", path: Path, wanted: str) -> None:
    if bad.any():
        index = int(bad.argmax())
        value = column.iloc[index]
        found = "no value" if value is None or value != value else repr(str(value))
        name = "" if isinstance(column.name, int) else f" {column.name!r}"
        raise ValueError(
            f"{path.name}, line {column.index[index]}: "
            f"column{name} has {found} where {wanted} is wanted ({int(bad.sum())} such rows)"
        )
