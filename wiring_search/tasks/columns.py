"""The columns of a task's sequences: their names, and the scale from raw values to those that a
network sees.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Scale:
    """z-scores: rows (…, F) less `middle`, over `spread`.

    Attributes:
        middle: (F,), the means.
        spread: (F,), the standard deviations; 1 for a constant column.
    """

    middle: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> "Scale":
        """Return the scale of rows.

        Args:
            rows: (rows, F). NaN is left out; a constant column is only centred.

        Raises:
            ValueError: A column has no value.
        """
        empty = np.isnan(rows).all(axis=0)
        if empty.any():
            raise ValueError(
                f"input {int(empty.argmax()) + 1} of {len(empty)} has no value in the rows that "
                "train"
            )
        spread = np.nanstd(rows, axis=0, dtype=np.float64)
        middle = np.asarray(np.nanmean(rows, axis=0, dtype=np.float64))
        return cls(middle, np.where(spread > 0, spread, 1.0))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        return (rows - self.middle) / self.spread


@dataclass(frozen=True, eq=False)
class Columns:
    """Names and scale of a task's columns.

    Attributes:
        names: Of features or targets in their order, or of classes.
        scale: Of the training rows, None where raw values are used unchanged.
    """

    names: tuple[str, ...]
    scale: Scale | None = None
