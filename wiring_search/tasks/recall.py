"""Delayed recall: at each step of a stream of random bits, recall the bit of k steps ago, for every
k of a ladder at once.

Bits are ±1, one per step. The lags are 1, 2, 4, 8 … up to the longest. Output j is the bit of
lags[j] steps ago, a regression whose sign is the answer. So one training gives a whole curve of
accuracy over lag; copy memory needs one training per lag. (Jaeger, "Short term memory in echo state
networks", GMD report 152, 2001, asks a reservoir the same with real numbers.)

A stream is twice as long as the longest lag, and its second half is scored: there every bit asked
for has been read, and all lags are judged on the same steps. Bits are independent: knowing nothing
means answering 0 (error 1) or guessing (half of the signs right).
"""

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.generated import lag_of, splits
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task

_LAG = 32
_SEED = 201


def load(options: TaskOptions) -> Task:
    lags = ladder(lag_of("recall", options, _LAG))
    parts = splits("recall", options, _SEED, lambda samples, seed: streams(samples, seed, lags))
    return Task(
        name="recall",
        kind="regression",
        every_step=True,
        outputs=len(lags),
        metric="mse",
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        rules={
            "always 0": trivial_rules.constant(parts["valid"], 0.0),
            "mean": trivial_rules.mean(parts["train"], parts["valid"]),
        },
        source=f"random bits from a fixed seed, lags {', '.join(map(str, lags))}",
    )


def ladder(longest: int) -> tuple[int, ...]:
    """Return the powers of two up to the longest lag, and the longest lag itself."""
    powers = (2**i for i in range(longest.bit_length()))
    return tuple(dict.fromkeys([*powers, longest]))


def streams(samples: int, seed: tuple[int, ...], lags: tuple[int, ...]) -> Split:
    """Draw streams of random bits.

    Args:
        samples: How many.
        seed: Of the draw.
        lags: Steps to recall over.

    Returns:
        x: (samples, T, 1); y: (samples, T, lags), 0 before the stream began.
    """
    longest = lags[-1]
    rng = np.random.default_rng(seed)
    bits = 2.0 * rng.integers(0, 2, (samples, 2 * longest)) - 1.0
    y = np.zeros((*bits.shape, len(lags)), np.float32)
    for j, lag in enumerate(lags):
        y[:, lag:, j] = bits[:, :-lag]
    scored = np.broadcast_to(np.arange(2 * longest) >= longest, bits.shape)
    return Split(bits[:, :, None].astype(np.float32), y, scored=scored.copy())


def sign_errors(predictions: np.ndarray, split: Split) -> np.ndarray:
    """Return the share of wrong signs for each lag.

    Args:
        predictions: (candidates, samples, T, lags).
        split: Of `streams`.

    Returns:
        (candidates, lags), NaN where a prediction is not finite.
    """
    answers = predictions[:, split.scored]
    bits = split.counted
    wrong = np.where(np.isfinite(answers), np.sign(answers) != bits, np.nan)
    return wrong.mean(axis=1)
