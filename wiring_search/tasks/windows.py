"""From long records to windows: the one way in which every windowed task cuts, so that no window
crosses a split or a file."""

import numpy as np


def starts(rows: int, window: int, stride: int) -> np.ndarray:
    """First rows of the windows that fit into `rows` rows; none where the record is shorter than a
    window."""
    return np.arange(0, rows - window + 1, stride)


def cut(record: np.ndarray, window: int, stride: int) -> np.ndarray:
    """(rows, …) -> (windows, window, …), contiguous."""
    index = starts(len(record), window, stride)[:, None] + np.arange(window)
    return np.ascontiguousarray(record[index])
