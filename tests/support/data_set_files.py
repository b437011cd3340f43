"""Small files in the formats of the published data sets, for the tests of the tasks that read them.

One input of each row is a number that occurs once, so that a row is found again in a scaled
window.
"""

import gzip
from pathlib import Path

import numpy as np
import pandas

TRAFFIC_HOURS, OZONE_DAYS, POWER_MINUTES = 1200, 700, 3000
GESTURES = {"a1": 200, "a2": 150, "a3": 180, "b1": 170, "b3": 160, "c1": 140, "c3": 130}
SUBJECTS = {"train": [1, 3, 5, 6, 7, 8], "test": [2, 4]}
ROWS_A_SUBJECT, READINGS, ROLLOUTS, IMAGES = 50, 100, 9, 100


def traffic(folder: Path, packed: bool = False) -> pandas.DataFrame:
    """Twelve hundred hours with an hour given twice, one missing, a gap of two days, a holiday, and
    values that cannot be.

    clouds_all counts the rows."""
    times = pandas.date_range("2012-10-02 09:00:00", periods=TRAFFIC_HOURS + 49, freq="h")
    times = times[np.r_[0:300, 348:700, 701 : TRAFFIC_HOURS + 49]]
    rng = np.random.default_rng(0)
    table = pandas.DataFrame(
        {
            "holiday": np.where(times == pandas.Timestamp("2012-10-08"), "Columbus Day", "None"),
            "temp": 280 + rng.standard_normal(len(times)).round(2),
            "rain_1h": 0.0,
            "snow_1h": rng.random(len(times)).round(2),
            "clouds_all": np.arange(len(times)),
            "weather_main": "Clouds",
            "weather_description": "sky, they say, is broken",
            "date_time": times.strftime("%Y-%m-%d %H:%M:%S"),
            "traffic_volume": 1000 * times.day_of_week
            + 100 * times.hour
            + rng.integers(0, 50, len(times)),
        }
    )
    table.loc[20, "temp"], table.loc[30, "rain_1h"] = 0.0, 9831.3
    table.loc[10, "rain_1h"] = 1.5
    table = pandas.concat(
        [table.loc[:50], table.loc[50:50].assign(weather_main="Rain"), table.loc[51:]]
    )
    path = folder / ("Metro_Interstate_Traffic_Volume.csv" + (".gz" if packed else ""))
    table.to_csv(path, index=False, compression="gzip" if packed else None)
    return table.reset_index(drop=True)


def ozone(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Seven hundred days but for ten; measurement 1 counts them; a few values are missing.
    Measurements and classes."""
    days = pandas.date_range("1998-01-01", periods=OZONE_DAYS + 10)
    days = days[np.r_[0:200, 210 : OZONE_DAYS + 10]]
    rng = np.random.default_rng(1)
    x = rng.standard_normal((OZONE_DAYS, 72)).round(2)
    x[:, 0] = np.arange(OZONE_DAYS)
    y = (rng.random(OZONE_DAYS) < 0.1).astype(int)
    text = x.astype(str)
    text[::50, 5] = "?"
    lines = [
        ",".join([f"{day.month}/{day.day}/{day.year}", *row, f"{c}."])
        for day, row, c in zip(days, text, y, strict=True)
    ]
    (folder / "eighthr.data").write_text("\n".join(lines) + "\n")
    x[::50, 5] = np.nan
    return x, y


def gesture(folder: Path) -> None:
    """The first feature is 1000 × the number of the file + the number of the row."""
    rng = np.random.default_rng(2)
    for number, (name, rows) in enumerate(GESTURES.items()):
        table = pandas.DataFrame(
            rng.standard_normal((rows, 32)), columns=[f"X{i}" for i in range(1, 33)]
        )
        table["X1"] = 1000 * number + np.arange(rows)
        table["Phase"] = np.array(list("DPSHR"))[np.arange(rows) // 7 % 5]
        table.to_csv(folder / f"{name}_va3.csv", index=False)


def activity(folder: Path) -> None:
    """The first feature is the subject + the number of its row / 1000."""
    rng = np.random.default_rng(3)
    for part, subjects in SUBJECTS.items():
        (folder / part).mkdir(parents=True)
        subject_of_row = np.repeat(subjects, ROWS_A_SUBJECT)
        x = rng.uniform(-1, 1, (len(subject_of_row), 561))
        x[:, 0] = subject_of_row + np.tile(np.arange(ROWS_A_SUBJECT), len(subjects)) / 1000
        fields = [[_three_digits(value) for value in row] for row in x]
        (folder / part / f"X_{part}.txt").write_text("".join(f"{''.join(row)}\n" for row in fields))
        y = np.tile(np.arange(ROWS_A_SUBJECT) // 9 % 6 + 1, len(subjects))
        (folder / part / f"y_{part}.txt").write_text("".join(f"{label}\n" for label in y))
        (folder / part / f"subject_{part}.txt").write_text(
            "".join(f"{subject}\n" for subject in subject_of_row)
        )


def person(folder: Path) -> pandas.DataFrame:
    """Five people, two recordings each; x is 1000 × the number of the recording + that of the
    reading. Two readings of a recording share a time, two others are out of order."""
    rng = np.random.default_rng(4)
    tags = ["010-000-024-033", "010-000-030-096", "020-000-033-111", "020-000-032-221"]
    activities = [
        "walking",
        "falling",
        "lying down",
        "lying",
        "sitting on the ground",
        "standing up from lying",
        "on all fours",
    ]
    lines, rows = [], []
    for number, name in enumerate(f"{letter}0{take}" for letter in "ABCDE" for take in (1, 2)):
        gaps = rng.integers(1, 300, READINGS)  # milliseconds
        gaps[5] = 0
        ms = np.cumsum(gaps)
        ms[[20, 21]] = ms[[21, 20]]
        for i in range(READINGS):
            ticks = 633790226051280329 + 10_000_000_000 * number + 10_000 * int(ms[i])
            tag, label = int(rng.integers(4)), activities[i // 8 % len(activities)]
            position = [float(1000 * number + i), round(float(rng.random()), 4), 0.5]
            date = "27.05.2009 14:03:25:127"
            lines.append(",".join([name, tags[tag], str(ticks), date, *map(str, position), label]))
            rows.append((name, tag, ms[i], position[0], label))
    (folder / "ConfLongDemo_JSI.txt").write_text("\n".join(lines) + "\n")
    return pandas.DataFrame(rows, columns=["name", "tag", "ms", "x", "activity"])


def power(folder: Path) -> np.ndarray:
    """Three thousand minutes; the reactive power counts them; minutes 100 to 102 and 1000 to 1099
    are missing. (rows, 7)."""
    rng = np.random.default_rng(5)
    times = pandas.date_range("2006-12-16 17:24:00", periods=POWER_MINUTES, freq="min")
    values = rng.random((POWER_MINUTES, 7)).round(3)
    values[:, 1] = np.arange(POWER_MINUTES)
    values[:, 3] = (4 * values[:, 0]).round(3)
    names = ["Global_active_power", "Global_reactive_power", "Voltage", "Global_intensity"]
    lines = [";".join(["Date", "Time", *names, *(f"Sub_metering_{i}" for i in (1, 2, 3))])]
    for i, time in enumerate(times):
        missing = 100 <= i < 103 or 1000 <= i < 1100
        fields = ["?"] * 6 + [""] if missing else [f"{value:.3f}" for value in values[i]]
        lines.append(
            ";".join([f"{time.day}/{time.month}/{time.year}", time.strftime("%H:%M:%S"), *fields])
        )
        values[i] = np.nan if missing else values[i]
    (folder / "household_power_consumption.txt").write_text("\n".join(lines) + "\n")
    return values


def walker2d(folder: Path) -> list[np.ndarray]:
    """The first observation is 1000 × the number of the file + that of the frame."""
    rng = np.random.default_rng(6)
    rollouts = []
    for number in range(ROLLOUTS):
        rollout = rng.standard_normal((200, 17))
        rollout[:, 0] = 1000 * number + np.arange(200)
        np.save(folder / f"rollout_{number:03d}.npy", rollout)
        rollouts.append(rollout)
    return rollouts


def smnist(folder: Path, packed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """A hundred images that train and twenty that test; pixel 0 counts them. Images and digits,
    those that test last."""
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (IMAGES + 20, 28, 28), dtype=np.uint8)
    images[:, 0, 0] = np.arange(IMAGES + 20)
    digits = (np.arange(IMAGES + 20) % 10).astype(np.uint8)
    for prefix, part in (("train", slice(0, IMAGES)), ("t10k", slice(IMAGES, None))):
        for name, array in (
            (f"{prefix}-images-idx3-ubyte", images[part]),
            (f"{prefix}-labels-idx1-ubyte", digits[part]),
        ):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(
                size.to_bytes(4, "big") for size in array.shape
            )
            data = header + array.tobytes()
            (folder / f"{name}{'.gz' if packed else ''}").write_bytes(
                gzip.compress(data) if packed else data
            )
    return images, digits


def _three_digits(value: float) -> str:
    """As the data set writes numbers: "  2.8858451e-001"."""
    mantissa, exponent = f"{value: .7e}".split("e")
    return f" {mantissa}e{exponent[0]}{int(exponent[1:]):03d}"
