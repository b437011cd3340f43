"""Occupancy: is somebody in the room? From temperature, humidity, light, CO2 and humidity ratio, minute by minute.

Candanedo and Feldheim, Energy and Buildings 112 (2016), with the windows of the LTC paper (16 steps, stride 1; test
stride 8; z-scores by the training rows). The paper's random validation windows overlap training windows; here the
training file is cut in time instead: its first nine tenths train, the rest validates. Test: both test files. Beware:
one threshold on the light solves it.
"""

import numpy as np

from wiring_search.tasks import baselines
from wiring_search.tasks.options import TaskOptions, folder_of_files
from wiring_search.tasks.task import Split, Task
from wiring_search.tasks.windows import cut

_ADDRESS = "https://github.com/LuisM78/Occupancy-detection-data"
_FILES = ["datatraining.txt", "datatest.txt", "datatest2.txt"]
_COLUMNS = ["Temperature", "Humidity", "Light", "CO2", "HumidityRatio"]
_WINDOW, _TEST_STRIDE, _TRAINING_SHARE = 16, 8, 0.9
LIGHT_ON = 365.0


def load(options: TaskOptions) -> Task:
    folder = folder_of_files(options, "occupancy", _FILES, _ADDRESS)
    (x, y), *tests = [read(folder / name) for name in _FILES]
    end = int(_TRAINING_SHARE * len(x))
    middle, spread = x[:end].mean(axis=0), x[:end].std(axis=0)
    parts = {
        "train": [(x[:end], y[:end], 1)],
        "valid": [(x[end:], y[end:], 1)],
        "test": [(*rows, _TEST_STRIDE) for rows in tests],
    }
    splits = {name: _windows(part, middle, spread) for name, part in parts.items()}
    return Task(
        name="occupancy",
        kind="classification",
        every_step=True,
        outputs=2,
        metric="accuracy",
        **splits,
        baselines={
            "majority class": baselines.majority(splits["train"], splits["valid"]),
            "light > 365": light_rule_error(splits["valid"], middle, spread),
            "same as a minute ago": baselines.previous_target(splits["valid"]),
        },
        source=f"office room in Mons, February 2015, {_ADDRESS}",
    )


def read(path) -> tuple[np.ndarray, np.ndarray]:
    """Rows of one file: inputs (rows, 5) float64 and occupied (rows,) int64. The header has one name fewer than rows
    have fields."""
    import pandas

    table = pandas.read_csv(path)
    missing = [name for name in [*_COLUMNS, "Occupancy"] if name not in table]
    if missing:
        raise ValueError(f"{path} has no column {missing[0]}; its columns are {', '.join(table.columns)}")
    return table[_COLUMNS].to_numpy(np.float64), table["Occupancy"].to_numpy(np.int64)


def light_rule_error(split: Split, middle: np.ndarray, spread: np.ndarray) -> float:
    light = _COLUMNS.index("Light")
    return float(np.mean((split.x[:, :, light] * spread[light] + middle[light] > LIGHT_ON) != split.y))


def _windows(parts: list[tuple[np.ndarray, np.ndarray, int]], middle: np.ndarray, spread: np.ndarray) -> Split:
    x = np.concatenate([cut(rows, _WINDOW, stride) for rows, _, stride in parts])
    y = np.concatenate([cut(labels, _WINDOW, stride) for _, labels, stride in parts])
    return Split(((x - middle) / spread).astype(np.float32), y)
