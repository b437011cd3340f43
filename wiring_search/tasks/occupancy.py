"""Occupancy: is the room occupied? From temperature, humidity, light, CO2 and humidity ratio,
minute by minute.

Candanedo and Feldheim, Energy and Buildings 112 (2016), with the windows of the LTC paper (16
steps, stride 1; test stride 8; z-scores by the training rows). Test: both test files. Beware: one
threshold on the light solves it.

Clean: the training file is cut in time, its first nine tenths train, the rest validates. Paper: a
tenth of the training file's windows, drawn at random, validates. Each of them overlaps fifteen
windows on either side that mostly train, and the z-scores are by its rows too; 7,315, 812 and 1,549
windows.
"""

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.columns import Columns
from wiring_search.tasks.options import TaskOptions, folder_of_files
from wiring_search.tasks.splits import Recording, Scale, dealt, in_time, scaled, split, windows
from wiring_search.tasks.task import Split, Task

_ADDRESS = "https://github.com/LuisM78/Occupancy-detection-data"
_FILES = ["datatraining.txt", "datatest.txt", "datatest2.txt"]
_COLUMNS = ["Temperature", "Humidity", "Light", "CO2", "HumidityRatio"]
_WINDOW = 16
_TEST_STRIDE = 8
_HELD_OUT = 0.1
_SEED = 893429
LIGHT_ON = 365.0


def load(options: TaskOptions) -> Task:
    folder = folder_of_files(options, "occupancy", _FILES, _ADDRESS)
    whole, *tests = [Recording(*read(folder / name)) for name in _FILES]
    if options.protocol == "paper":
        parts = scaled({"train": [whole], "test": tests})
        splits = dealt(windows(parts["train"], _WINDOW, 1, last=False), _SEED, test=0.0)
        splits["test"] = windows(parts["test"], _WINDOW, _TEST_STRIDE, last=False)
        scale = Scale.of(whole.x)
    else:
        rows = in_time(len(whole.x), _HELD_OUT, 0.0)
        training = whole.rows(rows["train"])
        splits = split(
            scaled({"train": [training], "valid": [whole.rows(rows["valid"])], "test": tests}),
            _WINDOW,
            1,
            _TEST_STRIDE,
        )
        scale = Scale.of(training.x)
    return Task(
        name="occupancy",
        kind="classification",
        every_step=True,
        outputs=2,
        metric="accuracy",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "majority class": trivial_rules.majority(splits["train"], splits["valid"]),
            "light > 365": light_rule_error(splits["valid"], scale),
            "same as a minute ago": trivial_rules.previous_target(splits["valid"]),
        },
        source=f"office room in Mons, February 2015, {_ADDRESS}",
        inputs=Columns(tuple(_COLUMNS), scale),
        targets=Columns(("empty", "occupied")),
    )


def read(path) -> tuple[np.ndarray, np.ndarray]:
    """Read the rows of one file. Its header has one name fewer than rows have fields.

    Args:
        path: The file.

    Returns:
        Inputs (rows, 5) float64, and occupied (rows,) int64.

    Raises:
        ValueError: The file lacks a column.
    """
    import pandas

    table = pandas.read_csv(path)
    missing = [name for name in [*_COLUMNS, "Occupancy"] if name not in table]
    if missing:
        raise ValueError(
            f"{path} has no column {missing[0]}; its columns are {', '.join(table.columns)}"
        )
    return table[_COLUMNS].to_numpy(np.float64), table["Occupancy"].to_numpy(np.int64)


def light_rule_error(valid: Split, scale: Scale) -> float:
    light = _COLUMNS.index("Light")
    return float(
        np.mean(
            (valid.x[:, :, light] * scale.spread[light] + scale.middle[light] > LIGHT_ON) != valid.y
        )
    )
