"""Ozone: is a day an ozone day? From 72 measurements of weather and air, day by day; about one day
in sixteen is.

Zhang and Fan, "Forecasting skewed biased stochastic ozone days", 2008 (UCI, Ozone Level Detection):
Houston, 1998 to 2004, `eighthr.data` (2,534 rows: date, 72 measurements, class; "?" where one is
missing). Such a class makes accuracy meaningless (never is right on 94 %), so the metric is F1, and
in the loss an ozone day weighs 1.6, another 0.1.

Clean: the record is cut in time, 70 % train, 15 % validate, 15 % test (a year each, as ozone has a
season); z-scores by the training rows, a missing value is its column's mean; windows of 32 days,
stride 4, elapsed in days, none over a gap of more than a week. Paper (LTC, table 3): a missing
value is 0, one scale for all columns, taken from all rows. Stacking along the wrong axis made not
626 sequences of 32 days, but 32 sequences of 626 steps four days apart, which differ by no more
than their first day: 25 train, 3 validate and 4 test, at random, and all days are in the training
split.
"""

from pathlib import Path

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.files import ids, numbers, read_table, stamps
from wiring_search.tasks.options import TaskOptions, folder_of_files
from wiring_search.tasks.splits import Recording, dealt, scaled, split, timed, windows
from wiring_search.tasks.task import Split, Task

_ADDRESS = "https://archive.ics.uci.edu/dataset/172/ozone+level+detection"
_FILE = "eighthr.data"
_FEATURES = 72
_WINDOW = 32
_STRIDE = 4
_SEED = 23489
_LONGEST_GAP, _DAY = 7.0, 86400.0
_CLASS_WEIGHTS = (0.1, 1.6)


def load(options: TaskOptions) -> Task:
    folder = folder_of_files(options, "ozone", [_FILE], _ADDRESS)
    days, x, y = read(folder / _FILE)
    splits = _paper(x, y) if options.protocol == "paper" else _clean(days, x, y)
    train = splits["train"]
    valid = splits["valid"]
    for name, part in splits.items():
        if len(np.unique(part.y)) < 2:
            raise ValueError(
                f"{_FILE}: the {name} split has only days of class {part.y.flat[0]}; "
                "give a longer record"
            )
    return Task(
        name="ozone",
        kind="classification",
        every_step=True,
        outputs=2,
        metric="f1",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "every day": trivial_rules.missing_f1(np.ones_like(valid.y), valid.y),
            "logistic regression on the day": _logistic(train, valid),
            "same as the step before": trivial_rules.missing_f1(valid.y[:, :-1], valid.y[:, 1:]),
        },
        source=f"Houston, 1998 to 2004, {_ADDRESS}",
        class_weights=_CLASS_WEIGHTS,
    )


def read(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the record.

    Args:
        path: `eighthr.data`.

    Returns:
        Days (rows,), measurements (rows, 72) with NaN where one is missing, and classes (rows,).

    Raises:
        ValueError: See `files`.
    """
    names = [f"measurement {number}" for number in range(1, _FEATURES + 1)]
    table = read_table(path, ["date", *names, "class"], header=False, missing="?")
    days = stamps(table["date"], "%m/%d/%Y", path) / _DAY
    return (
        days,
        numbers(table, names, path, gaps=True),
        ids(table["class"], {0.0: 0, 1.0: 1}, path, "a class"),
    )


def _clean(days: np.ndarray, x: np.ndarray, y: np.ndarray) -> dict[str, Split]:
    parts = scaled(timed(days, x, y, _LONGEST_GAP, valid=0.15, test=0.15))
    filled = {
        name: [Recording(np.nan_to_num(one.x), one.y, one.elapsed) for one in recordings]
        for name, recordings in parts.items()
    }
    return split(filled, _WINDOW, _STRIDE)


def _paper(x: np.ndarray, y: np.ndarray) -> dict[str, Split]:
    x = np.nan_to_num(x)
    whole = windows([Recording((x - x.mean()) / x.std(), y)], _WINDOW, _STRIDE, last=False)
    return dealt(
        Split(np.ascontiguousarray(whole.x.swapaxes(0, 1)), np.ascontiguousarray(whole.y.T)), _SEED
    )


def _logistic(train: Split, valid: Split) -> float:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(class_weight=dict(enumerate(_CLASS_WEIGHTS)), max_iter=1000)
    model.fit(train.x.reshape(-1, _FEATURES), train.y.ravel())
    return trivial_rules.missing_f1(model.predict(valid.x.reshape(-1, _FEATURES)), valid.y.ravel())
