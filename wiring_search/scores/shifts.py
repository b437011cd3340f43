"""Distribution shifts: what may happen to the data of a trained network after it has left the
laboratory.

Each is a pure function Split -> Split. Each docstring says where the shift keeps to the task and
where it bends it. Targets stay those of the steps that they belong to. A step that is lost or made
up is not scored (`Split.scored`).

A sample that is dropped is a step in which no time passes: the networks hold their state there and
read nothing, as they do in padding. The last valid step is never dropped, so that the same time
ends in the same answer.

Lechner et al., "Neural circuit policies enabling auditable autonomy" (2020) disturb images with
noise. Dropped frames and slower or faster processes are what irregular sampling is about.
"""

from dataclasses import replace

import numpy as np

from wiring_search.tasks.task import Split
from wiring_search.training.loss import elapsed_of


def noisy(split: Split, spread: np.ndarray, sigma: float, seed: tuple[int, ...]) -> Split:
    """Add Gaussian noise to every input.

    Args:
        split: Stays as it is.
        spread: (F,), the spread of each feature.
        sigma: Standard deviation of the noise, in spreads.
        seed: Draws the same numbers for every sigma.
    """
    drawn = np.random.default_rng(seed).standard_normal(split.x.shape, np.float32)
    return replace(split, x=split.x + drawn * (sigma * spread).astype(np.float32))


def dropped(split: Split, share: float, timed: bool, seed: tuple[int, ...]) -> Split:
    """Drop each step but the last one with some probability; see `keeping`.

    Args:
        split: Stays as it is.
        share: The probability. What a small share loses, a larger one loses too.
        timed: See `keeping`.
        seed: Of the draw.
    """
    kept = np.random.default_rng(seed).random(split.x.shape[:2]) >= share
    return keeping(split, kept, timed)


def keeping(split: Split, kept: np.ndarray, timed: bool) -> Split:
    """Keep only some steps, and the last valid one of each sample.

    Args:
        split: Stays as it is.
        kept: (n, T) bool.
        timed: Whether the time of lost steps is added to the elapsed time of the next step that is
            kept, which keeps the sum. Otherwise a step that is kept has the elapsed time that it
            had, as if nothing were missing.
    """
    ends = lengths_of(split)[:, None]
    steps = np.arange(split.x.shape[1])
    kept = (kept | (steps == ends - 1)) & (steps < ends)
    elapsed = elapsed_of(split)
    if timed:
        clock = np.cumsum(elapsed, axis=1, dtype=np.float64)
        last_kept = np.maximum.accumulate(np.where(kept, clock, 0.0), axis=1)
        elapsed = clock - np.pad(last_kept, ((0, 0), (1, 0)))[:, :-1]
    return replace(
        split, elapsed=np.where(kept, elapsed, 0.0).astype(np.float32), scored=_scored(split) & kept
    )


def paced(split: Split, factor: float) -> Split:
    """Run the same inputs by another clock: multiply every elapsed time by `factor`."""
    return replace(split, elapsed=elapsed_of(split) * np.float32(factor))


def every_second(split: Split) -> Split:
    """Keep every second step, the last one among them.

    The process is twice as fast under a sensor of the same rate. The elapsed times do not show it.
    """
    steps = np.arange(split.x.shape[1])
    return keeping(split, (lengths_of(split)[:, None] - 1 - steps) % 2 == 0, timed=False)


def interpolated(split: Split, factor: int, every_step: bool) -> Split:
    """Slow the process down under a sensor of the same rate.

    Each step becomes `factor` steps on straight lines from the step before to itself. Only the last
    of them is scored.

    Args:
        split: Stays as it is.
        factor: Whole; how many times as slow.
        every_step: Whether the task has a target per step.
    """
    shares = np.arange(1, factor + 1, dtype=np.float32) / np.float32(factor)
    before = np.concatenate([split.x[:, :1], split.x[:, :-1]], axis=1)
    x = before[:, :, None] * (1 - shares)[:, None] + split.x[:, :, None] * shares[:, None]
    scored = np.repeat(_scored(split), factor, axis=1)
    scored[:, np.arange(scored.shape[1]) % factor != factor - 1] = False
    return Split(
        x=x.reshape(len(x), -1, x.shape[-1]),
        y=np.repeat(split.y, factor, axis=1) if every_step else split.y,
        elapsed=None if split.elapsed is None else np.repeat(split.elapsed, factor, axis=1),
        lengths=None if split.lengths is None else split.lengths * factor,
        scored=scored,
    )


def lengthened(split: Split, every_step: bool) -> Split:
    """Make each sample twice as long, with a wait in front.

    The process stands still at its first step for as long as the sample lasts, then runs as it was.
    Waiting adds no information, so the answers stay; a repetition in front would double what is to
    be counted or remembered. Steps of waiting are not scored. (Where the first step itself is to be
    counted, as in parity, no longer form has the same answer.)

    Args:
        split: Stays as it is.
        every_step: Whether the task has a target per step.
    """
    waiting = lengths_of(split)[:, None]
    steps = np.arange(2 * split.x.shape[1])
    source = np.clip(steps - waiting, 0, split.x.shape[1] - 1)
    rows = np.arange(len(split))[:, None]
    return Split(
        x=split.x[rows, source],
        y=split.y[rows, source] if every_step else split.y,
        elapsed=None if split.elapsed is None else split.elapsed[rows, source],
        lengths=None if split.lengths is None else split.lengths * 2,
        scored=_scored(split)[rows, source] & (steps >= waiting),
    )


def without_channels(split: Split, means: np.ndarray, count: int, seed: tuple[int, ...]) -> Split:
    """Hold some features of each sample at their means.

    The features are drawn anew for each sample: an average over which sensor fails.

    Args:
        split: Stays as it is.
        means: (F,), of the features.
        count: How many features.
        seed: The same seed with a larger count takes more away.
    """
    order = (
        np.random.default_rng(seed).random((len(split), len(means))).argsort(axis=1).argsort(axis=1)
    )
    return replace(split, x=np.where((order < count)[:, None], means.astype(np.float32), split.x))


def lengths_of(split: Split) -> np.ndarray:
    """Return the valid steps of each sample, (n,)."""
    return np.full(len(split), split.x.shape[1]) if split.lengths is None else split.lengths


def _scored(split: Split) -> np.ndarray:
    return np.ones(split.x.shape[:2], bool) if split.scored is None else split.scored
