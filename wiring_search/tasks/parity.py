"""Parity of a bit stream, also called XOR: has the stream an odd number of ones? Asked for once, at
its end.

The task of the ODE-LSTM paper (Lechner and Hasani, "Learning Long-Term Dependencies in
Irregularly-Sampled Time Series", 2020): 2 to 31 bits (or up to the lag asked for), drawn uniformly,
padded to one step more. `parity-dense` reads one bit per step, each 1/32 time units long. `parity`
reads events: a step is a run of equal bits, its length / 32 the time elapsed. There the count of
ones is in the times alone, which are no feature: a network must know about time to know the answer.

Bits are 0 or 1. Streams are drawn from a fixed seed, as many for training as asked for and a tenth
of that each for validation and for test. Only streams of a few bits occur in two splits. Always
giving the same answer is right in half of the cases (the published accuracy of LTC on events,
49.11 %, is that of a constant).
"""

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.generated import lag_of, splits
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task

BITS_A_TIME_UNIT = 32
_SHORTEST, _LONGEST = 2, 31
_SEED = 1234984


def load_events(options: TaskOptions) -> Task:
    return _task("parity", events, options)


def load_dense(options: TaskOptions) -> Task:
    return _task("parity-dense", dense, options)


def streams(
    samples: int, seed: tuple[int, ...], longest: int = _LONGEST
) -> tuple[np.ndarray, np.ndarray]:
    """Draw streams of random bits.

    Args:
        samples: How many.
        seed: Of the draw.
        longest: Most bits of a stream.

    Returns:
        Bits (samples, longest + 1) int64, 0 beyond their end, and how many of them are valid
        (samples,) int64.
    """
    rng = np.random.default_rng(seed)
    lengths = rng.integers(_SHORTEST, longest + 1, samples)
    bits = rng.integers(0, 2, (samples, longest + 1))
    return np.where(np.arange(longest + 1) < lengths[:, None], bits, 0), lengths


def dense(bits: np.ndarray, lengths: np.ndarray) -> Split:
    """Return streams read bit by bit, one per step.

    Args:
        bits: (samples, steps) int64, of `streams`.
        lengths: (samples,) int64, valid bits.
    """
    valid = np.arange(bits.shape[1]) < lengths[:, None]
    return _split(bits, np.where(valid, 1 / BITS_A_TIME_UNIT, 0.0), lengths, bits)


def events(bits: np.ndarray, lengths: np.ndarray) -> Split:
    """Return streams read as runs of equal bits, one run per step, the last run included.

    Args:
        bits: (samples, steps) int64, of `streams`.
        lengths: (samples,) int64, valid bits.
    """
    steps = np.arange(bits.shape[1])
    starts = (steps < lengths[:, None]) & ((steps == 0) | (bits != np.roll(bits, 1, axis=1)))
    rows, firsts = np.nonzero(starts)
    counts = starts.sum(axis=1)
    positions = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
    # A run ends where the next one of its stream starts, the last one with the stream.
    last = positions == counts[rows] - 1
    ends = np.where(last, lengths[rows], np.roll(firsts, -1))
    values = np.zeros_like(bits)
    elapsed = np.zeros(bits.shape)
    values[rows, positions] = bits[rows, firsts]
    elapsed[rows, positions] = (ends - firsts) / BITS_A_TIME_UNIT
    return _split(values, elapsed, counts, bits)


def _split(values: np.ndarray, elapsed: np.ndarray, lengths: np.ndarray, bits: np.ndarray) -> Split:
    return Split(
        x=values[:, :, None].astype(np.float32),
        y=bits.sum(axis=1) % 2,
        elapsed=elapsed.astype(np.float32),
        lengths=lengths.astype(np.int64),
    )


def _task(name: str, form, options: TaskOptions) -> Task:
    longest = lag_of(name, options, _LONGEST, least=_SHORTEST)
    parts = splits(
        name, options, _SEED, lambda samples, seed: form(*streams(samples, seed, longest))
    )
    train = parts["train"]
    valid = parts["valid"]
    return Task(
        name=name,
        kind="classification",
        every_step=False,
        outputs=2,
        metric="accuracy",
        train=parts["train"],
        valid=parts["valid"],
        test=parts["test"],
        rules={
            "majority class": trivial_rules.majority(train, valid),
            "logistic regression on counts": trivial_rules.logistic(_counts(train), _counts(valid)),
        },
        source="random bits from a fixed seed, as "
        + ("runs of equal bits" if form is events else "one bit per step"),
    )


def _counts(split: Split) -> Split:
    """Replace sequences by their numbers of ones, zeros and steps, (n, 1, 3)."""
    if split.elapsed is None or split.lengths is None:
        raise TypeError("runs of bits have times and lengths; this split has not")
    ones = BITS_A_TIME_UNIT * (split.x[:, :, 0] * split.elapsed).sum(axis=1)
    zeros = BITS_A_TIME_UNIT * split.elapsed.sum(axis=1) - ones
    return Split(np.stack([ones, zeros, split.lengths], axis=1)[:, None], split.y)
