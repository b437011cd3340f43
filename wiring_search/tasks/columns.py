"""What the columns of a task's sequences are outside of it: their names, and how raw values become
those that a network sees."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Scale:
    """z-scores: rows (…, F) less `middle`, over `spread`, both (F,)."""

    middle: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray) -> "Scale":
        """That of these rows; NaN is left out, a constant column is only centred. Raises ValueError
        for a column without any value."""
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
    """names: of features or targets in their order, or of classes. scale: of the training rows,
    None where raw values are taken as they are."""

    names: tuple[str, ...]
    scale: Scale | None = None
