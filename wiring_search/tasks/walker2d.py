"""Walker2d: from the seventeen observations of a simulated walker to those of the next frame, where
frames are missing.

Lechner and Hasani, "Learning Long-Term Dependencies in Irregularly-Sampled Time Series", 2020:
rollouts as `.npy` files, (frames, 17) each. Every frame is dropped with probability 0.1, from a
fixed seed. Elapsed is the number of frames since the last kept one; the target is the true next
frame, dropped or not. Windows have 64 kept frames, stride 16; no scaling. Files, shuffled once, are
kept apart: 15 % test, 10 % validate, the rest trains. So the paper's protocol is the clean one too,
and `--protocol paper` is the same.
"""

from pathlib import Path

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.splits import Parts, Recording, split
from wiring_search.tasks.task import Task

_ADDRESS = "https://github.com/mlech26l/ode-lstms (its download script names walker.zip)"
_FEATURES, _WINDOW, _STRIDE = 17, 64, 16
_KEPT, _FILE_SEED, _FRAME_SEED = 0.9, 125487, 891374
_FEWEST = 8  # the fewest files of which 15 % and 10 %, rounded down as in the paper, are one each


def load(options: TaskOptions) -> Task:
    splits = split(thinned(_dealt(_files(options))), _WINDOW, _STRIDE, last=False)
    train = splits["train"]
    valid = splits["valid"]
    return Task(
        name="walker2d",
        kind="regression",
        every_step=True,
        outputs=_FEATURES,
        metric="mse",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "mean": trivial_rules.mean(train, valid),
            "persistence": trivial_rules.persistence(valid),
            **{
                f"linear, {lags} frames": trivial_rules.linear(train, valid, lags)
                for lags in (1, 4)
            },
        },
        source=f"Walker2d-v2 rollouts, a tenth of the frames dropped, {_ADDRESS}",
    )


def thinned(parts: dict[str, list[np.ndarray]]) -> Parts:
    """Drop frames, from one stream of random numbers through train, valid and test.

    Args:
        parts: Rollouts (frames, 17) by part.

    Returns:
        Recordings by part: x a kept frame, y the frame after it, elapsed the frames since the last
        kept one.
    """
    rng = np.random.RandomState(_FRAME_SEED)
    result: Parts = {}
    for name, rollouts in parts.items():
        result[name] = []
        for rollout in rollouts:
            kept = np.flatnonzero(rng.rand(len(rollout) - 1) < _KEPT)
            result[name].append(
                Recording(rollout[kept], rollout[kept + 1], np.diff(kept, prepend=-1).astype(float))
            )
    return result


def _files(options: TaskOptions) -> list[Path]:
    where = f"they come from {_ADDRESS}"
    if options.data is None:
        raise ValueError(
            f"task walker2d reads a folder of .npy files; give it with --data DIR ({where})"
        )
    if not Path(options.data).is_dir():
        raise ValueError(
            f"--data {options.data} is not a folder; "
            f"task walker2d needs one with .npy files ({where})"
        )
    files = sorted(Path(options.data).glob("*.npy"))
    if len(files) < _FEWEST:
        raise ValueError(
            f"{options.data} has {len(files)} .npy files; {_FEWEST} or more are wanted ({where})"
        )
    return files


def _dealt(files: list[Path]) -> dict[str, list[np.ndarray]]:
    files = list(files)
    np.random.RandomState(_FILE_SEED).shuffle(files)  # type: ignore[arg-type]  # a list is a sequence
    test = int(0.15 * len(files))
    valid = int((0.15 + 0.1) * len(files))
    parts = {"train": files[valid:], "valid": files[test:valid], "test": files[:test]}
    return {name: [_rollout(path) for path in paths] for name, paths in parts.items()}


def _rollout(path: Path) -> np.ndarray:
    try:
        rollout = np.load(path)
    except (ValueError, EOFError, OSError) as cause:
        raise ValueError(f"{path} cannot be read as an array: {cause}") from cause
    if rollout.ndim != 2 or rollout.shape[1] != _FEATURES or not np.isfinite(rollout).all():
        raise ValueError(
            f"{path.name} has shape {rollout.shape}; a rollout is (frames, {_FEATURES}), all finite"
        )
    return rollout
