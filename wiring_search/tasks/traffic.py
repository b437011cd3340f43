"""Traffic: how many cars pass in an hour, from weather and calendar of that hour and those before.

UCI, Metro Interstate Traffic Volume: interstate 94 at Minneapolis–St Paul, hour by hour from 2012
to 2018, `Metro_Interstate_Traffic_Volume.csv` (or .csv.gz). The volume is asked for as a z-score at
every step, windows of 32 rows, stride 4. It is an estimate of the same hour, not a forecast, and
most of it is the calendar: beware the mean of weekday and hour.

Clean: the record is cut in time, 75 % train, 10 % validate, 15 % test; z-scores by the training
rows. An hour that was written down several times (for several kinds of weather) counts once, the
elapsed time is in hours, and no window runs over a gap of more than a day (ten months are missing
from 2014 on). The holiday, which the file names at midnight only, holds all day; the hour is a sine
and a cosine; what cannot be (0 K, metres of rain) is taken from the hour before. 8 features. Paper
(LTC, table 3): 7 features, 12,043 windows dealt at random 75/10/15, each overlapping seven
neighbours on either side; volume scaled by all rows. There the holiday compares text with nothing
and is constant, the hour is sin(π h / 24), the same at 8 and at 16 o'clock, and rows that repeat
and gaps count as hours.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.files import numbers, read_table, stamps
from wiring_search.tasks.options import TaskOptions, folder_of_files, plain_or_gzipped
from wiring_search.tasks.splits import Recording, Scale, dealt, scaled, split, timed, windows
from wiring_search.tasks.task import Split, Task

if TYPE_CHECKING:
    import pandas

_ADDRESS = "https://archive.ics.uci.edu/dataset/492/metro+interstate+traffic+volume"
_FILE = "Metro_Interstate_Traffic_Volume.csv"
_WEATHER = ["temp", "rain_1h", "snow_1h", "clouds_all"]
_WINDOW, _STRIDE, _SEED = 32, 4, 23489
_LONGEST_GAP = 24.0
_COLDEST_K, _MOST_RAIN_MM = 200.0, 300.0
_HOUR, _DAY = 3600.0, 86400.0


def load(options: TaskOptions) -> Task:
    folder = folder_of_files(options, "traffic", [_FILE], _ADDRESS, gzipped=True)
    table = read(plain_or_gzipped(folder / _FILE))
    splits, calendar = _paper(table) if options.protocol == "paper" else _clean(table)
    train = splits["train"]
    valid = splits["valid"]
    return Task(
        name="traffic",
        kind="regression",
        every_step=True,
        outputs=1,
        metric="mse",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            "mean": trivial_rules.mean(train, valid),
            "mean of weekday and hour": trivial_rules.group_mean(
                calendar["train"], calendar["valid"]
            ),
            "linear on the hour": trivial_rules.linear(train, valid, 1),
            "volume of the row before": trivial_rules.previous_target(valid),
        },
        source=f"interstate 94, 2012 to 2018, {_ADDRESS}",
    )


def read(path: Path) -> "pandas.DataFrame":
    """Read the rows unchanged.

    Args:
        path: `Metro_Interstate_Traffic_Volume.csv`, or .csv.gz.

    Returns:
        A table of weather and volume as numbers, `time` in seconds, `day` in days, `weekday` from
        Monday, `hour`, and whether a holiday is named.

    Raises:
        ValueError: See `files`.
    """
    import pandas

    given = read_table(path, ["holiday", *_WEATHER, "date_time", "traffic_volume"])
    table = pandas.DataFrame(
        numbers(given, [*_WEATHER, "traffic_volume"], path), columns=[*_WEATHER, "volume"]
    )
    table["time"] = stamps(given["date_time"], "%Y-%m-%d %H:%M:%S", path)
    table["day"] = table["time"] // _DAY
    table["weekday"] = (table["day"] + 3) % 7  # 1 January 1970 was a Thursday
    table["hour"] = table["time"] % _DAY // _HOUR
    table["holiday"] = (given["holiday"].fillna("None") != "None").to_numpy()
    return table


def _clean(table: "pandas.DataFrame") -> tuple[dict[str, Split], dict[str, Split]]:
    """Splits, and the same with the number of weekday and hour as the only input."""
    table["temp"] = table["temp"].where(table["temp"] > _COLDEST_K).ffill().bfill()
    table["rain_1h"] = table["rain_1h"].where(table["rain_1h"] < _MOST_RAIN_MM).ffill().bfill()
    table["holiday"] = table.groupby("day")["holiday"].transform("any")
    table = table.sort_values("time", kind="stable").drop_duplicates("time")
    angle = 2 * np.pi * table["hour"] / 24
    x = (
        table[["holiday", *_WEATHER, "weekday"]]
        .assign(sin=np.sin(angle), cos=np.cos(angle))
        .to_numpy(np.float64)
    )

    hours = table["time"].to_numpy() / _HOUR
    volume = table[["volume"]].to_numpy()

    def cut(inputs: np.ndarray) -> dict[str, Split]:
        parts = timed(hours, inputs, volume, _LONGEST_GAP, valid=0.1, test=0.15)
        return split(scaled(parts, targets=True), _WINDOW, _STRIDE)

    return cut(x), cut(_calendar(table))


def _paper(table: "pandas.DataFrame") -> tuple[dict[str, Split], dict[str, Split]]:
    x = table[["holiday", *_WEATHER, "weekday"]].to_numpy(np.float64)
    x[:, 0] = 0.0
    x[:, 1] -= x[:, 1].mean()
    x = np.column_stack([x, np.sin(np.pi * table["hour"] / 24)])
    volume = table[["volume"]].to_numpy()
    y = Scale.of(volume)(volume)

    def cut(inputs: np.ndarray) -> dict[str, Split]:
        return dealt(windows([Recording(inputs, y)], _WINDOW, _STRIDE, last=False), _SEED)

    return cut(x), cut(_calendar(table))


def _calendar(table: "pandas.DataFrame") -> np.ndarray:
    return (24 * table["weekday"] + table["hour"]).to_numpy(np.float64)[:, None]
