"""Adding: two numbers of a random sequence are marked; return their sum at the end.

(Hochreiter and Schmidhuber, "Long short-term memory", Neural Computation 9, 1997; with one mark in
each half as in Le, Jaitly and Hinton, "A simple way to initialize recurrent networks of rectified
linear units", 2015.) A step is a number, uniform in 0 … 1, and a mark, 0 or 1. The lag is the
length of a sequence. Always predicting 1, the mean of the sum, has a squared error of 1/6, the
variance of the sum of two such numbers.
"""

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.generated import lag_of, splits
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task

_LAG = 32
_SEED = 203


def load(options: TaskOptions) -> Task:
    steps = lag_of("adding", options, _LAG, least=2)
    parts = splits("adding", options, _SEED, lambda samples, seed: sequences(samples, seed, steps))
    return Task(
        name="adding",
        kind="regression",
        every_step=False,
        outputs=1,
        metric="mse",
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        rules={
            "always 1": trivial_rules.constant(parts["valid"], 1.0),
            "mean": trivial_rules.mean(parts["train"], parts["valid"]),
        },
        source=f"{steps} random numbers a sequence from a fixed seed",
    )


def sequences(samples: int, seed: tuple[int, ...], steps: int) -> Split:
    """Draw sequences.

    Args:
        samples: How many.
        seed: Of the draw.
        steps: Time steps of each, 2 or more.

    Returns:
        x: (samples, steps, 2), numbers and marks; y: (samples, 1), the sums.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.random((samples, steps))
    rows = np.arange(samples)
    half = steps // 2
    marks = np.zeros_like(numbers)
    marks[rows, rng.integers(0, half, samples)] = 1.0
    marks[rows, rng.integers(half, steps, samples)] = 1.0
    x = np.stack([numbers, marks], axis=2)
    return Split(
        x.astype(np.float32), (numbers * marks).sum(axis=1, keepdims=True).astype(np.float32)
    )
