"""The 1,797 handwritten digits that scikit-learn ships (8 × 8 pixels, UCI "Optical Recognition of
Handwritten Digits"), as sequences.

`digits` reads an image row by row, eight steps of eight features. `pixel-digits` reads it pixel by
pixel, sixty-four steps of one feature; the first row must be remembered for fifty-six steps.
`permuted-pixel-digits` reads the pixels in an order drawn once from a fixed seed; neighbours in the
image are then far apart in time (Le, Jaitly and Hinton, "A simple way to initialize recurrent
networks of rectified linear units", 2015). Pixels are scaled to 0 … 1. The class is asked for at
the last step. There are 1,077 train, 360 validation and 360 test images, stratified by class, the
same for all three tasks.
"""

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.columns import Columns, Scale
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task

_HELD_OUT = 360
_BLACK = 16.0
_PERMUTATION_SEED = 204


def load_rows(options: TaskOptions) -> Task:
    return _task("digits", steps=8)


def load_pixels(options: TaskOptions) -> Task:
    return _task("pixel-digits", steps=64)


def load_permuted_pixels(options: TaskOptions) -> Task:
    return _task(
        "permuted-pixel-digits",
        steps=64,
        order=np.random.default_rng(_PERMUTATION_SEED).permutation(64),
    )


def _task(name: str, steps: int, order: np.ndarray | slice = slice(None)) -> Task:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    pixels = (digits.data / _BLACK)[:, order]
    x = pixels.reshape(len(pixels), steps, -1).astype(np.float32)
    rows = np.arange(len(x))
    rows, test = train_test_split(rows, test_size=_HELD_OUT, random_state=0, stratify=digits.target)
    train, valid = train_test_split(
        rows, test_size=_HELD_OUT, random_state=0, stratify=digits.target[rows]
    )
    splits = {
        part: Split(np.ascontiguousarray(x[index]), digits.target[index].astype(np.int64))
        for part, index in {"train": train, "valid": valid, "test": test}.items()
    }
    return Task(
        name=name,
        kind="classification",
        every_step=False,
        outputs=10,
        metric="accuracy",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "majority class": trivial_rules.majority(splits["train"], splits["valid"]),
            "logistic regression on all pixels": trivial_rules.logistic(
                splits["train"], splits["valid"]
            ),
        },
        source="scikit-learn's digits (UCI, Optical Recognition of Handwritten Digits, test part)",
        inputs=Columns(
            tuple(f"pixel {number}" for number in range(x.shape[2])),
            Scale(np.zeros(x.shape[2]), np.full(x.shape[2], _BLACK)),
        ),
        targets=Columns(tuple(map(str, range(10)))),
    )
