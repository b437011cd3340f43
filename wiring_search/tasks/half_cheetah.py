"""Half-cheetah: from seventeen observations of a simulated runner to the next ones, at every step.

The protocol of the LTC paper (Hasani et al., AAAI 2021, table 6): traces 0–4 for validation, 5–14
for test, 15–24 for training; windows of 32 frames, stride 10; no scaling; mean squared error over
all dimensions. 970 train, 485 validation, 970 test windows. Traces are kept apart, so this is the
clean protocol too: `--protocol paper` is the same.
"""

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.columns import Columns
from wiring_search.tasks.options import TaskOptions, folder_of_files
from wiring_search.tasks.task import Split, Task
from wiring_search.tasks.windows import cut

_ADDRESS = (
    "https://github.com/raminmh/liquid_time_constant_networks (experiments_with_ltcs/data/cheetah)"
)
_TRACES = {"valid": range(0, 5), "test": range(5, 15), "train": range(15, 25)}
_WINDOW, _STRIDE = 32, 10
_OBSERVATIONS = tuple(f"observation {number}" for number in range(17))


def load(options: TaskOptions) -> Task:
    names = [f"trace_{number:04d}.npy" for number in range(25)]
    folder = folder_of_files(options, "half-cheetah", names, _ADDRESS)
    traces = [np.load(folder / name) for name in names]
    for name, trace in zip(names, traces, strict=True):
        if (
            trace.ndim != 2
            or trace.shape[1] != 17
            or len(trace) <= _WINDOW
            or not np.isfinite(trace).all()
        ):
            raise ValueError(
                f"{name} has shape {trace.shape}; a trace is (frames, 17), more than {_WINDOW} "
                "frames, all finite"
            )
    splits = {
        part: _windows([traces[number] for number in numbers]) for part, numbers in _TRACES.items()
    }
    return Task(
        name="half-cheetah",
        kind="regression",
        every_step=True,
        outputs=17,
        metric="mse",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules=trivial_errors(splits["train"], splits["valid"]),
        source=f"HalfCheetah-v2 rollouts, {_ADDRESS}",
        inputs=Columns(_OBSERVATIONS),
        targets=Columns(tuple(f"next {name}" for name in _OBSERVATIONS)),
    )


def trivial_errors(train: Split, split: Split) -> dict[str, float]:
    """Return mean squared errors of rules without dynamics, and of linear ones.

    Args:
        train: Split that linear rules are fitted on.
        split: Split that all rules are judged on.

    Returns:
        The error by the rule's name.
    """
    return {
        "mean": trivial_rules.mean(train, split),
        "persistence": trivial_rules.persistence(split),
        **{f"linear AR({lags})": trivial_rules.linear(train, split, lags) for lags in (1, 4, 8)},
    }


def _windows(traces: list[np.ndarray]) -> Split:
    pieces = np.concatenate([cut(trace, _WINDOW + 1, _STRIDE) for trace in traces]).astype(
        np.float32
    )
    return Split(np.ascontiguousarray(pieces[:, :-1]), np.ascontiguousarray(pieces[:, 1:]))
