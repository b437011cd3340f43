"""MNIST's handwritten digits as sequences, from the four original files (`train-images-idx3-ubyte`
…, or .gz).

`smnist` reads an image row by row, 28 steps of 28 pixels in 0 … 1, as the LTC paper does (table 3).
`smnist-events` is that of the ODE-LSTM paper (Lechner and Hasani, 2020): the 784 pixels, black or
white (above 128), one after the other. An event is a change of colour. Its feature is the new
colour, its elapsed time the pixels since the event before / 256. The length of the last run is left
out, and so are events beyond the 256th. The digit is asked for at the end.

The first nine tenths of the training file train, the rest validates, the test file tests. No image
is in two splits, so the LTC paper's protocol is the clean one too, and `--protocol paper` is the
same (the ODE-LSTM paper had no validation split).
"""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.options import TaskOptions, folder_of_files, plain_or_gzipped
from wiring_search.tasks.task import Split, Task

_ADDRESS = "http://yann.lecun.com/exdb/mnist"
_FILES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]
_SIDE, _CLASSES, _TRAINING_SHARE = 28, 10, 0.9
_WHITE, _MOST_EVENTS = 128, 256


def load_rows(options: TaskOptions) -> Task:
    """Return the task `smnist`.

    Raises:
        ValueError: Files are absent or broken.
    """
    images = _images(options, "smnist")
    splits = {
        part: Split((x / np.float32(255.0)).astype(np.float32), y)
        for part, (x, y) in images.items()
    }
    linear = trivial_rules.linear_classes(splits["train"], splits["valid"])
    return _task("smnist", splits, {"linear on all pixels": linear}, "row by row")


def load_events(options: TaskOptions) -> Task:
    """Return the task `smnist-events`.

    Raises:
        ValueError: Files are absent or broken.
    """
    splits = {part: events(x, y) for part, (x, y) in _images(options, "smnist-events").items()}
    times = {
        part: Split(one.elapsed[:, :, None], one.y)
        for part, one in splits.items()
        if one.elapsed is not None
    }
    linear = trivial_rules.linear_classes(times["train"], times["valid"])
    return _task("smnist-events", splits, {"linear on all times": linear}, "as runs of pixels")


def events(images: np.ndarray, y: np.ndarray) -> Split:
    """Return images as changes of colour.

    Args:
        images: (n, 28, 28), 0 … 255.
        y: (n,) int64, the digits.
    """
    white = images.reshape(len(images), -1) > _WHITE
    changes = np.concatenate(
        [np.ones((len(white), 1), bool), white[:, 1:] != white[:, :-1]], axis=1
    )
    rows, pixels = np.nonzero(changes)
    counts = changes.sum(axis=1)
    first = np.cumsum(counts) - counts
    positions = np.arange(len(rows)) - np.repeat(first, counts)
    spans = np.diff(pixels, prepend=-1)
    spans[first] = 1
    kept = positions < _MOST_EVENTS
    x, elapsed = np.zeros((2, len(images), _MOST_EVENTS), np.float32)
    x[rows[kept], positions[kept]] = white[rows[kept], pixels[kept]]
    elapsed[rows[kept], positions[kept]] = spans[kept] / np.float32(_MOST_EVENTS)
    return Split(x[:, :, None], y, elapsed, np.minimum(counts, _MOST_EVENTS).astype(np.int64))


def read_idx(path: Path) -> np.ndarray:
    """Read an array of unsigned bytes from a file of the IDX format.

    The file has two zeros, 8 for the type, the number of dimensions, each dimension in four bytes
    (most significant first), then the values.

    Args:
        path: The file; unpacked where it ends in .gz.

    Raises:
        ValueError: The content is any other.
    """
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, OSError, zlib.error) as cause:
        raise ValueError(f"{path} cannot be unpacked: {cause}; fetch it again") from cause
    start = 4 + 4 * data[3] if len(data) > 3 else 4
    shape = [int.from_bytes(data[index : index + 4], "big") for index in range(4, start, 4)]
    if data[:3] != b"\0\0\x08" or len(data) != start + math.prod(shape):
        raise ValueError(
            f"{path} is no whole IDX file of unsigned bytes ({len(data):,} bytes); fetch it again"
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def _images(options: TaskOptions, task: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images (n, 28, 28) and digits (n,) of each part."""
    folder = folder_of_files(options, task, _FILES, _ADDRESS, gzipped=True)
    x, y, test_x, test_y = [read_idx(plain_or_gzipped(folder / name)) for name in _FILES]
    for images, digits, name in ((x, y, _FILES[0]), (test_x, test_y, _FILES[2])):
        if (
            images.shape[1:] != (_SIDE, _SIDE)
            or digits.shape != images.shape[:1]
            or not (digits < _CLASSES).all()
        ):
            raise ValueError(
                f"{name} has shape {images.shape}, its labels {digits.shape}; "
                "(n, 28, 28) and n digits are wanted"
            )
    end = int(_TRAINING_SHARE * len(x))
    parts = {"train": (x[:end], y[:end]), "valid": (x[end:], y[end:]), "test": (test_x, test_y)}
    empty = [part for part, (_, digits) in parts.items() if not len(digits)]
    if empty:
        raise ValueError(
            f"{folder} has too few images: {len(x)} and {len(test_x)}, none for the {empty[0]} "
            "split"
        )
    return {part: (images, digits.astype(np.int64)) for part, (images, digits) in parts.items()}


def _task(name: str, splits: dict[str, Split], trivial: dict[str, float], how: str) -> Task:
    return Task(
        name=name,
        kind="classification",
        every_step=False,
        outputs=_CLASSES,
        metric="accuracy",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "majority class": trivial_rules.majority(splits["train"], splits["valid"]),
            **trivial,
        },
        source=f"MNIST {how}, {_ADDRESS}",
    )
