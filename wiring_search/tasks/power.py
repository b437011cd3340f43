"""Power: the active power of a household from its other meters, minute by minute.

UCI, Individual Household Electric Power Consumption: a house at Sceaux, December 2006 to November
2010, `household_power_consumption.txt` (2,075,259 rows, fields between semicolons, "?" where a
minute is missing). Target: the global active power as a z-score at every step, from reactive power,
voltage, current and three sub-meters; windows of 32 minutes, stride 32. Beware: current times
voltage nearly is the target, so look at the linear rule first.

Clean: the record is cut in time, 75 % train, 10 % validate, 15 % test, scaled by the training rows.
Missing minutes are left out, the elapsed time (in minutes) says so, and no window runs over a gap
of more than an hour. Paper (LTC, table 3): missing values are those of the minute before, targets
too; scaled by all rows; windows dealt at random 75/10/15.
"""

from pathlib import Path

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.files import numbers, read_table, stamps
from wiring_search.tasks.options import TaskOptions, folder_of_files
from wiring_search.tasks.splits import Recording, Scale, dealt, scaled, split, timed, windows
from wiring_search.tasks.task import Split, Task

_ADDRESS = "https://archive.ics.uci.edu/dataset/235/individual+household+electric+power+consumption"
_FILE = "household_power_consumption.txt"
_COLUMNS = [
    "Global_active_power",
    "Global_reactive_power",
    "Voltage",
    "Global_intensity",
    "Sub_metering_1",
    "Sub_metering_2",
    "Sub_metering_3",
]
_WINDOW, _SEED, _LONGEST_GAP = 32, 23489, 60.0


def load(options: TaskOptions) -> Task:
    folder = folder_of_files(options, "power", [_FILE], _ADDRESS)
    minutes, values = read(folder / _FILE)
    splits = _paper(values) if options.protocol == "paper" else _clean(minutes, values)
    train = splits["train"]
    valid = splits["valid"]
    return Task(
        name="power",
        kind="regression",
        every_step=True,
        outputs=1,
        metric="mse",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "mean": trivial_rules.mean(train, valid),
            "linear on the minute": trivial_rules.linear(train, valid, 1),
            "power of the minute before": trivial_rules.previous_target(valid),
        },
        source=f"one household, 2006 to 2010, {_ADDRESS}",
    )


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the record.

    Args:
        path: `household_power_consumption.txt`.

    Returns:
        Minutes (rows,), and the seven values (rows, 7), the target first, NaN where they are
        missing.

    Raises:
        ValueError: See `files`.
    """
    table = read_table(path, ["Date", "Time", *_COLUMNS], separator=";", missing="?")
    seconds = stamps(table["Date"] + " " + table["Time"], "%d/%m/%Y %H:%M:%S", path)
    return seconds / 60.0, numbers(table, _COLUMNS, path, gaps=True)


def _clean(minutes: np.ndarray, values: np.ndarray) -> dict[str, Split]:
    there = np.isfinite(values).all(axis=1)
    minutes = minutes[there]
    values = values[there]
    return split(
        scaled(timed(minutes, values[:, 1:], values[:, :1], _LONGEST_GAP, 0.1, 0.15), targets=True),
        _WINDOW,
        _WINDOW,
    )


def _paper(values: np.ndarray) -> dict[str, Split]:
    import pandas

    # Before the first value of a column the paper's script takes the column's number.
    values = (
        pandas.DataFrame(values).ffill().fillna({index: index for index in range(7)}).to_numpy()
    )
    values = Scale.of(values)(values)
    return dealt(
        windows([Recording(values[:, 1:], values[:, :1])], _WINDOW, _WINDOW, last=False), _SEED
    )
