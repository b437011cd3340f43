"""From recordings to three splits: what the tasks on real data share.

A recording is a stretch of rows without an interruption. The clean way has three stages. Recordings
are assigned to train, valid and test whole (files, subjects) or cut in time. Inputs are scaled by
the training rows. Only then is each recording cut into windows, so no window, and no statistic,
crosses a split. The scripts of the LTC paper (Hasani et al., AAAI 2021) go the other way round:
windows first, scaled by all rows, then dealt at random (`dealt`). Overlapping windows of one
recording then end in different splits, and errors come out too small. Those scripts also leave out
the last window that would fit (`last=False`).
"""

from dataclasses import dataclass, replace

import numpy as np

from wiring_search.tasks.columns import Scale
from wiring_search.tasks.task import Split
from wiring_search.tasks.windows import cut

PARTS = ("train", "valid", "test")


@dataclass(frozen=True, eq=False)
class Recording:
    """A stretch of rows without an interruption.

    Attributes:
        x: (rows, F).
        y: Class ids (rows,), or values (rows, O).
        elapsed: (rows,), time units since the row before, or None for 1.0 everywhere.
    """

    x: np.ndarray
    y: np.ndarray
    elapsed: np.ndarray | None = None

    def rows(self, which: slice) -> "Recording":
        return Recording(
            self.x[which], self.y[which], None if self.elapsed is None else self.elapsed[which]
        )


Parts = dict[str, list[Recording]]


def in_time(rows: int, valid: float, test: float) -> dict[str, slice]:
    """Return the rows of each part: the first ones train, the next validate, the last ones test.

    Args:
        rows: How many there are.
        valid: Share of all rows that validates.
        test: Share of all rows that tests.
    """
    first = int(rows * (1 - valid - test))
    second = int(rows * (1 - test))
    return {"train": slice(0, first), "valid": slice(first, second), "test": slice(second, rows)}


def runs(breaks: np.ndarray) -> list[slice]:
    """Return slices of the rows between breaks.

    Args:
        breaks: (rows,) bool, True where a row does not follow the one before.
    """
    starts = np.union1d(0, np.flatnonzero(breaks))
    return [slice(int(a), int(b)) for a, b in zip(starts, [*starts[1:], len(breaks)], strict=True)]


def timed(
    times: np.ndarray, x: np.ndarray, y: np.ndarray, longest_gap: float, valid: float, test: float
) -> Parts:
    """Cut one record in time into the parts, and each part at its long gaps.

    The first row of a recording counts as one time unit after nothing.

    Args:
        times: (rows,), rising.
        x: (rows, F).
        y: Class ids (rows,), or values (rows, O).
        longest_gap: In units of `times`; a longer gap begins a new recording.
        valid: Share of the rows that validates.
        test: Share of the rows that tests.
    """
    parts: Parts = {}
    for name, rows in in_time(len(times), valid, test).items():
        elapsed = np.diff(times[rows], prepend=times[rows][:1] - 1.0)
        breaks = elapsed > longest_gap
        part = Recording(x[rows], y[rows], np.where(breaks, 1.0, elapsed))
        parts[name] = [part.rows(run) for run in runs(breaks)]
    return parts


def scaled(parts: Parts, targets: bool = False) -> Parts:
    """Return the parts as z-scores by the rows that train.

    Args:
        parts: Recordings by part.
        targets: Whether to scale targets too.
    """
    x_scale = Scale.of(np.concatenate([recording.x for recording in parts["train"]]))
    parts = {
        name: [replace(part, x=x_scale(part.x)) for part in recordings]
        for name, recordings in parts.items()
    }
    if targets:
        y_scale = Scale.of(np.concatenate([recording.y for recording in parts["train"]]))
        parts = {
            name: [replace(part, y=y_scale(part.y)) for part in recordings]
            for name, recordings in parts.items()
        }
    return parts


def windows(recordings: list[Recording], window: int, stride: int, last: bool = True) -> Split:
    """Return all windows of all recordings.

    Args:
        recordings: Of one split, or of several that are dealt afterwards.
        window: Rows per window.
        stride: Rows from the start of a window to the start of the next.
        last: False leaves out the last row of each recording, and so a window that ends there, as
            the LTC paper's scripts do.

    Raises:
        ValueError: No recording is as long as a window.
    """
    pieces = [recording if last else recording.rows(slice(0, -1)) for recording in recordings]
    pieces = [piece for piece in pieces if len(piece.x) >= window]
    if not pieces:
        longest = max((len(recording.x) for recording in recordings), default=0)
        raise ValueError(
            f"the longest recording has {longest} rows, too few for a window of {window}"
        )
    elapsed = [piece.elapsed for piece in pieces if piece.elapsed is not None]
    return Split(
        np.concatenate([cut(piece.x, window, stride) for piece in pieces]).astype(np.float32),
        _target(np.concatenate([cut(piece.y, window, stride) for piece in pieces])),
        np.concatenate([cut(times, window, stride) for times in elapsed]).astype(np.float32)
        if elapsed
        else None,
    )


def split(
    parts: Parts, window: int, stride: int, test_stride: int | None = None, last: bool = True
) -> dict[str, Split]:
    """Return the windows of each part.

    Args:
        parts: Recordings by part.
        window: Rows per window.
        stride: Rows from the start of a window to the start of the next.
        test_stride: Another stride for the test part.
        last: See `windows`.

    Raises:
        ValueError: A part has no window; the message names the part.
    """
    result = {}
    for name in PARTS:
        try:
            result[name] = windows(
                parts[name], window, test_stride if name == "test" and test_stride else stride, last
            )
        except ValueError as fault:
            raise ValueError(
                f"no sequence for the {name} split: {fault}; give longer files"
            ) from fault
    return result


def dealt(whole: Split, seed: int, valid: float = 0.1, test: float = 0.15) -> dict[str, Split]:
    """Deal windows at random, as the LTC paper's scripts do.

    Args:
        whole: All windows.
        seed: Of the permutation.
        valid: Share that validates: the first windows of the permutation.
        test: Share that tests: the next ones. The rest trains.

    Raises:
        ValueError: A split gets no window.
    """
    order = np.random.RandomState(seed).permutation(len(whole))
    first = int(valid * len(whole))
    second = first + int(test * len(whole))
    if first < 1 or (test > 0 and second == first):
        raise ValueError(
            f"{len(whole)} windows are too few to be dealt to three splits; give longer files"
        )
    result = {"train": taken(whole, order[second:]), "valid": taken(whole, order[:first])}
    return {**result, "test": taken(whole, order[first:second])} if test > 0 else result


def taken(whole: Split, index: np.ndarray) -> Split:
    """Return some samples of a split.

    Args:
        whole: The split.
        index: Their numbers.
    """
    optional = [
        None if values is None else values[index] for values in (whole.elapsed, whole.lengths)
    ]
    return Split(whole.x[index], whole.y[index], *optional)


def _target(y: np.ndarray) -> np.ndarray:
    return y.astype(np.int64) if np.issubdtype(y.dtype, np.integer) else y.astype(np.float32)
