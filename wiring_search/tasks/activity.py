"""Activity: what a person does (walks, goes up or down stairs, sits, stands, lies), from a phone at
the waist.

Anguita et al., "A Public Domain Dataset for Human Activity Recognition Using Smartphones", ESANN
2013 (UCI HAR): thirty people; a row is 561 statistics of 2.56 s of acceleration and turning, half
of it shared with the next row. The statistics come scaled to −1 … 1, by their authors and over all
rows, test included; nothing is scaled here. `--data` is the folder "UCI HAR Dataset" with its
`train` and `test` inside.

Clean: subjects are kept apart, and no window holds two of them: a fifth of the training subjects,
drawn once, validates; the official test subjects test. Windows of 16 rows, stride 4 (test 8). Paper
(LTC, table 3): stride 1 over the whole training file, a tenth of the windows, drawn at random,
validates, each overlapping thirty others; windows run across subjects.
"""

from pathlib import Path

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.files import ids, numbers, read_table
from wiring_search.tasks.options import TaskOptions, folder_of_files
from wiring_search.tasks.splits import Recording, dealt, runs, split, windows
from wiring_search.tasks.task import Task

_ADDRESS = "https://archive.ics.uci.edu/dataset/240/human+activity+recognition+using+smartphones"
_FILES = [
    f"{part}/{name}_{part}.txt" for part in ("train", "test") for name in ("X", "y", "subject")
]
_FEATURES, _CLASSES = 561, 6
_WINDOW, _STRIDE, _TEST_STRIDE = 16, 4, 8
_HELD_OUT, _SEED = 0.2, 893429


def load(options: TaskOptions) -> Task:
    folder = folder_of_files(options, "activity", _FILES, _ADDRESS)
    (training, subjects), (test, test_subjects) = [read(folder, part) for part in ("train", "test")]
    if options.protocol == "paper":
        splits = dealt(windows([training], _WINDOW, 1, last=False), _SEED, test=0.0)
        splits["test"] = windows([test], _WINDOW, _TEST_STRIDE, last=False)
    else:
        train, valid = _by_subject(training, subjects)
        parts = {"train": train, "valid": valid, "test": _whole(test, test_subjects)}
        splits = split(parts, _WINDOW, _STRIDE, _TEST_STRIDE)
    return Task(
        name="activity",
        kind="classification",
        every_step=True,
        outputs=_CLASSES,
        metric="accuracy",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "majority class": trivial_rules.majority(splits["train"], splits["valid"]),
            "linear on the row": trivial_rules.linear_classes(splits["train"], splits["valid"]),
            "activity of the row before": trivial_rules.previous_target(splits["valid"]),
        },
        source=f"thirty people with a phone at the waist, {_ADDRESS}",
    )


def read(folder: Path, part: str) -> tuple[Recording, np.ndarray]:
    """Read the rows of one part.

    Args:
        folder: The folder "UCI HAR Dataset".
        part: "train" or "test".

    Returns:
        The rows as one recording, and the subject of each, (rows,).

    Raises:
        ValueError: A file is broken, or the part's files differ in rows.
    """
    paths = [folder / name for name in _FILES if name.startswith(part)]
    names = [f"feature {number}" for number in range(1, _FEATURES + 1)]
    features, classes, subjects = [
        read_table(path, columns, separator=r"\s+", header=False)
        for path, columns in zip(paths, [names, ["activity"], ["subject"]], strict=True)
    ]
    if not len(features) == len(classes) == len(subjects):
        sizes = ", ".join(
            f"{path.name} {len(table)}"
            for path, table in zip(paths, (features, classes, subjects), strict=True)
        )
        raise ValueError(f"the files of {part} differ in rows: {sizes}; unpack the data set again")
    y = ids(
        classes["activity"],
        {number: number - 1 for number in range(1, _CLASSES + 1)},
        paths[1],
        "an activity",
    )
    return Recording(numbers(features, names, paths[0]), y), numbers(
        subjects, ["subject"], paths[2]
    )[:, 0]


def _by_subject(rows: Recording, subjects: np.ndarray) -> tuple[list[Recording], list[Recording]]:
    """Training and validation recordings, each of one subject."""
    everybody = np.unique(subjects)
    if len(everybody) < 2:
        raise ValueError(
            "the training files have one subject; two or more are wanted, to keep them apart"
        )
    held_out = np.random.default_rng(_SEED).permutation(everybody)[
        : max(1, round(_HELD_OUT * len(everybody)))
    ]
    is_valid = np.isin(subjects, held_out)
    recordings = _whole(rows, subjects)
    validates = [bool(is_valid[run.start]) for run in _runs_of(subjects)]
    train = [one for one, held in zip(recordings, validates, strict=True) if not held]
    return train, [one for one, held in zip(recordings, validates, strict=True) if held]


def _whole(rows: Recording, subjects: np.ndarray) -> list[Recording]:
    return [rows.rows(run) for run in _runs_of(subjects)]


def _runs_of(subjects: np.ndarray) -> list[slice]:
    return runs(np.diff(subjects, prepend=subjects[:1]) != 0)
