"""From long records to windows. Every windowed task cuts this way, so no window crosses a split or
a file.
"""

import numpy as np


def starts(rows: int, window: int, stride: int) -> np.ndarray:
    """Return the first rows of the windows that fit.

    Args:
        rows: Of the record. There is no window where it is shorter than one.
        window: Rows per window.
        stride: Rows from the start of a window to the start of the next.
    """
    return np.arange(0, rows - window + 1, stride)


def cut(record: np.ndarray, window: int, stride: int) -> np.ndarray:
    """Return the windows of a record.

    Args:
        record: (rows, …).
        window: Rows per window.
        stride: Rows from the start of a window to the start of the next.

    Returns:
        (windows, window, …), contiguous.
    """
    index = starts(len(record), window, stride)[:, None] + np.arange(window)
    return np.ascontiguousarray(record[index])
