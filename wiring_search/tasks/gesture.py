"""Gesture: the phase of a gesture (rest, preparation, stroke, hold, retraction) from the speeds and
accelerations of hands and wrists, at every frame.

Madeo, Lima and Peres, "Gesture Unit Segmentation using Support Vector Machines", 2013 (UCI, Gesture
Phase Segmentation). Three people (a, b, c) retell comic strips (1, 2, 3). The data are the seven
processed files `*_va3.csv`, with 32 features and the phase as one letter.

Clean: files are kept apart: a1, a3, b1, c1 train, a2 validates, b3 and c3 test (people seen before,
stories not yet for that person). Windows have 32 frames, stride 16; z-scores by the training
frames. Paper (LTC, table 3): the windows of all seven files, scaled by all of them and dealt at
random 75/10/15. Each window overlaps its neighbours by half, so most test frames have been trained
on.
"""

from pathlib import Path

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.files import ids, numbers, read_table
from wiring_search.tasks.options import TaskOptions, folder_of_files
from wiring_search.tasks.splits import Recording, Scale, dealt, scaled, split, windows
from wiring_search.tasks.task import Split, Task

_ADDRESS = "https://archive.ics.uci.edu/dataset/302/gesture+phase+segmentation"
_PARTS = {"train": ["a1", "a3", "b1", "c1"], "valid": ["a2"], "test": ["b3", "c3"]}
_PAPER_ORDER = ["a3", "b1", "b3", "c1", "c3", "a2", "a1"]
_SEED = 23489
_PHASES = {"D": 0, "P": 1, "S": 2, "H": 3, "R": 4}
_FEATURES, _WINDOW, _STRIDE = 32, 32, 16


def load(options: TaskOptions) -> Task:
    folder = folder_of_files(
        options, "gesture", [f"{name}_va3.csv" for name in sorted(_PAPER_ORDER)], _ADDRESS
    )
    recordings = {name: read(folder / f"{name}_va3.csv") for name in _PAPER_ORDER}
    if options.protocol == "paper":
        splits = dealt(_all_windows(list(recordings.values())), _SEED)
    else:
        parts = {part: [recordings[name] for name in names] for part, names in _PARTS.items()}
        splits = split(scaled(parts), _WINDOW, _STRIDE)
    train = splits["train"]
    valid = splits["valid"]
    return Task(
        name="gesture",
        kind="classification",
        every_step=True,
        outputs=len(_PHASES),
        metric="accuracy",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "majority class": trivial_rules.majority(train, valid),
            "linear on the frame": trivial_rules.linear_classes(train, valid),
            "phase of the frame before": trivial_rules.previous_target(valid),
        },
        source=f"three people telling comic strips, {_ADDRESS}",
    )


def read(path: Path) -> Recording:
    """Read one file.

    Args:
        path: A file `*_va3.csv`.

    Returns:
        x: (frames, 32), y: (frames,).

    Raises:
        ValueError: The file is broken, or names an unknown phase.
    """
    table = read_table(path, ["Phase"])
    columns = [name for name in table.columns if name != "Phase"]
    if len(columns) != _FEATURES:
        raise ValueError(
            f"{path} has {len(columns)} columns beside Phase where {_FEATURES} are wanted; "
            "is it a *_va3.csv file?"
        )
    return Recording(numbers(table, columns, path), ids(table["Phase"], _PHASES, path, "a phase"))


def _all_windows(recordings: list[Recording]) -> Split:
    """The paper's: windows and those half-way between them, none from the odd end of a file; scaled
    over all windows."""
    whole = windows(
        [one.rows(slice(0, len(one.x) // _WINDOW * _WINDOW)) for one in recordings],
        _WINDOW,
        _STRIDE,
    )
    scale = Scale.of(whole.x.reshape(-1, _FEATURES))
    return Split(scale(whole.x).astype(np.float32), whole.y)
