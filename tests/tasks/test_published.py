"""Tasks on published data, read from small files in the original formats.

They are split as documented, and broken files are refused. The files hold a number that names each
row, so that a test can see which rows a split has.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import f1_score

from tests.support import data_set_files as real_files
from wiring_search.run import ONE_PROCESS, search, study_config
from wiring_search.tasks import (
    TASKS,
    Split,
    Task,
    TaskOptions,
    describe,
    load,
    smnist,
    splits,
    trivial_rules,
)

WRITERS: dict[str, Callable[[Path], object]] = {
    "traffic": real_files.traffic,
    "ozone": real_files.ozone,
    "gesture": real_files.gesture,
    "activity": real_files.activity,
    "person": real_files.person,
    "power": real_files.power,
    "walker2d": real_files.walker2d,
    "smnist": real_files.smnist,
}
NAMING = {
    "traffic": 4,
    "ozone": 0,
    "gesture": 0,
    "activity": 0,
    "person": 4,
    "power": 0,
    "walker2d": 0,
}
CLEAN_ONLY = {"smnist", "walker2d"}
PARTS = ("train", "valid", "test")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {}
    for name, write in WRITERS.items():
        made[name] = tmp_path_factory.mktemp(name)
        write(made[name])
    return made


def _load(name: str, folder: Path, protocol: str = "clean") -> Task:
    return load(name, TaskOptions(data=str(folder), protocol=protocol))


def _rows(part: Split, column: int) -> set[float]:
    return set(np.unique(part.x[:, :, column]).tolist())


def _equal(a: Split, b: Split) -> bool:
    return np.array_equal(a.x, b.x) and np.array_equal(a.y, b.y)


@pytest.mark.parametrize("name", NAMING)
def test_no_row_is_in_two_clean_splits(name: str, folders: dict[str, Path]) -> None:
    task = _load(name, folders[name])
    train, valid, test = (_rows(getattr(task, part), NAMING[name]) for part in PARTS)
    assert min(len(train), len(valid), len(test)) >= 32
    assert len(train) > max(len(valid), len(test))
    assert not train & valid
    assert not train & test
    assert not valid & test


@pytest.mark.parametrize("name", sorted(set(NAMING) - CLEAN_ONLY - {"power"}))
def test_the_papers_splits_share_rows_as_published(name: str, folders: dict[str, Path]) -> None:
    task = _load(name, folders[name], "paper")
    train, valid, test = (_rows(getattr(task, part), NAMING[name]) for part in PARTS)
    assert train & valid
    assert task.source.endswith("splits of the paper")
    # Two data sets have a separate test file.
    assert bool(train & test) == (name != "activity")


@pytest.mark.parametrize("protocol", ["clean", "paper"])
@pytest.mark.parametrize("name", [*WRITERS, "smnist-events"])
def test_tasks_are_whole(name: str, protocol: str, folders: dict[str, Path]) -> None:
    task = _load(name, folders[name.removesuffix("-events")], protocol)
    assert task.name == name
    assert task.train.x.ndim == 3
    assert all(len(getattr(task, part)) for part in PARTS)
    for part in (task.train, task.valid, task.test):
        assert part.x.dtype == np.float32
        assert np.isfinite(part.x).all()
        assert part.x.shape[2] == task.features
        assert (
            part.y.shape[:2] == part.x.shape[:2] if task.every_step else len(part.y) == len(part.x)
        )
        if task.kind == "classification":
            assert part.y.dtype == np.int64
            assert 0 <= part.y.min()
            assert part.y.max() < task.outputs
        else:
            assert part.y.dtype == np.float32
            assert np.isfinite(part.y).all()
            assert part.y.shape[-1] == task.outputs
        if part.elapsed is not None:
            assert part.elapsed.shape == part.x.shape[:2]
            assert part.elapsed.dtype == np.float32
            steps = part.x.shape[1] if part.lengths is None else part.lengths[:, None]
            assert ((part.elapsed > 0) == (np.arange(part.x.shape[1]) < steps)).all()
    assert task.rules
    assert all(np.isfinite(error) and error >= 0 for error in task.rules.values())
    assert name in describe(task)
    assert {
        "accuracy": "1 − accuracy",
        "f1": "1 − F1",
        "mse": "mean squared",
    }[task.metric] in describe(task)


@pytest.mark.parametrize("name", ["walker2d", "smnist"])
def test_one_protocol_is_both(name: str, folders: dict[str, Path]) -> None:
    clean, paper = (_load(name, folders[name], protocol) for protocol in ("clean", "paper"))
    assert all(_equal(getattr(clean, part), getattr(paper, part)) for part in PARTS)


@pytest.mark.parametrize("name", ["digits", "parity", "csv", "uea"])
def test_a_protocol_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"task {name} has no protocol of a paper.*occupancy"):
        load(name, TaskOptions(protocol="paper"))


def test_traffic_counts_hours_once_and_tells_gaps(tmp_path: Path) -> None:
    table = real_files.traffic(tmp_path)
    task = _load("traffic", tmp_path)
    rows = table.drop_duplicates("date_time").reset_index(drop=True)
    end, last = int(0.75 * len(rows)), int(0.85 * len(rows))
    assert task.features == 8
    assert task.train.y.shape[1:] == (32, 1)
    clouds = rows["clouds_all"].to_numpy(float)
    scale = clouds[:end].mean(), clouds[:end].std()
    told = task.train.x[:, :, 4] * scale[1] + scale[0]
    # Windows start anew after the gap of two days, at row 300, and never run over it.
    starts = [*range(0, 300 - 31, 4), *range(300, end - 31, 4)]
    assert np.allclose(told, np.array(starts)[:, None] + np.arange(32), atol=1e-2)
    assert np.allclose(task.valid.x[0, 0, 4] * scale[1] + scale[0], clouds[end], atol=1e-2)
    assert last > end
    expected = np.ones_like(task.train.elapsed)
    expected[np.isclose(told, 652)] = 2.0  # the hour before row 652 is missing
    assert np.array_equal(task.train.elapsed, expected)
    volume = rows["traffic_volume"].to_numpy(float)
    z = (volume - volume[:end].mean()) / volume[:end].std()
    assert np.allclose(task.train.y[1, :, 0], z[4:36], atol=1e-5)


def test_traffic_mends_what_cannot_be(tmp_path: Path) -> None:
    table = real_files.traffic(tmp_path)
    x = _load("traffic", tmp_path).train.x
    seen = {
        round(float(c), 4): row for row, c in zip(x.reshape(-1, 8), x[:, :, 4].ravel(), strict=True)
    }
    row = [seen[key] for key in sorted(seen)]  # by the number of the row
    assert row[20][1] == row[19][1]
    assert row[30][2] == row[29][2] < row[10][2]
    holiday = np.array([one[0] for one in row])
    dates = table.drop_duplicates("date_time")["date_time"].str[:10].to_numpy()[: len(holiday)]
    assert ((holiday > 0) == (dates == "2012-10-08")).all()
    assert (dates == "2012-10-08").sum() == 24
    hours = pandas.to_datetime(table.drop_duplicates("date_time")["date_time"]).dt.hour.to_numpy()
    both = {(round(float(one[6]), 3), round(float(one[7]), 3)) for one in row}
    assert len(both) == 24
    assert row[int(np.argmax(hours == 8))][7] != row[int(np.argmax(hours == 12))][7]


def test_traffic_calendar_is_the_rule_to_beat(tmp_path: Path) -> None:
    table = real_files.traffic(tmp_path, packed=True)
    times, volume = pandas.to_datetime(table["date_time"]), table["traffic_volume"].to_numpy(float)
    z = (volume - volume.mean()) / volume.std()
    task = _load("traffic", tmp_path, "paper")
    whole = np.arange(0, len(table) - 32, 4)
    assert [len(getattr(task, part)) for part in PARTS] == [
        len(whole) - int(0.1 * len(whole)) - int(0.15 * len(whole)),
        int(0.1 * len(whole)),
        int(0.15 * len(whole)),
    ]
    order = np.random.RandomState(23489).permutation(len(whole))
    starts = {
        "valid": whole[order[: len(task.valid)]],
        "train": whole[order[len(task.valid) + len(task.test) :]],
    }
    rows = {part: (own[:, None] + np.arange(32)).ravel() for part, own in starts.items()}
    assert np.allclose(task.valid.y.ravel(), z[rows["valid"]], atol=1e-5)
    assert np.allclose(
        task.valid.x[:, :, 1].ravel(),
        (table["temp"] - table["temp"].mean()).to_numpy()[rows["valid"]],
        atol=1e-4,
    )
    assert not task.train.x[:, :, 0].any(), "the published holiday feature is constant"
    frame = pandas.DataFrame({"day": times.dt.day_of_week, "hour": times.dt.hour, "z": z})
    means = frame.loc[rows["train"]].groupby(["day", "hour"])["z"].mean()
    asked = frame.loc[rows["valid"]].join(means.rename("mean"), on=["day", "hour"])
    expected = ((asked["mean"].fillna(frame["z"][rows["train"]].mean()) - asked["z"]) ** 2).mean()
    assert task.rules["mean of weekday and hour"] == pytest.approx(expected, rel=1e-4)
    assert task.rules["mean of weekday and hour"] < 0.05 < task.rules["linear on the hour"]


def test_ozone_is_scaled_by_training_days_and_f1_is_told(tmp_path: Path) -> None:
    x, y = real_files.ozone(tmp_path)
    task = _load("ozone", tmp_path)
    end, last = int(0.7 * len(x)), int(0.85 * len(x))
    assert (task.metric, task.class_weights, task.features, task.outputs) == (
        "f1",
        (0.1, 1.6),
        72,
        2,
    )
    z = np.nan_to_num((x - np.nanmean(x[:end], axis=0)) / np.nanstd(x[:end], axis=0))
    assert np.allclose(task.train.x[1], z[4:36], atol=1e-5)
    assert np.array_equal(task.train.y[1], y[4:36])
    assert task.train.x[0, 0, 5] == 0.0
    assert np.allclose(task.valid.x[0], z[end : end + 32], atol=1e-5)
    # Ten days are missing after day 200: no window runs over them.
    middle, spread = x[:end, 0].mean(), x[:end, 0].std()
    days = np.rint(task.train.x[:, :, 0] * spread + middle)
    assert not ((days[:, 0] < 200) & (days[:, -1] >= 200)).any()
    assert (days == 200).any()
    assert (task.train.elapsed == 1).all()
    truth = np.concatenate([y[s : s + 32] for s in range(end, last - 31, 4)])
    assert task.rules["every day"] == pytest.approx(1 - f1_score(truth, np.ones_like(truth)))
    pairs = np.concatenate(
        [np.stack([y[s : s + 31], y[s + 1 : s + 32]]) for s in range(end, last - 31, 4)], axis=1
    )
    assert task.rules["same as the step before"] == pytest.approx(1 - f1_score(pairs[1], pairs[0]))


def test_ozone_of_the_paper_has_its_axes_swapped(tmp_path: Path) -> None:
    x, y = real_files.ozone(tmp_path)
    task = _load("ozone", tmp_path, "paper")
    steps = len(range(0, len(x) - 32, 4))
    assert [len(getattr(task, part)) for part in PARTS] == [25, 3, 4]
    assert task.time_steps == steps
    z = np.nan_to_num(x)
    z = (z - z.mean()) / z.std()
    first = np.random.RandomState(23489).permutation(32)[0]
    assert np.allclose(task.valid.x[0], z[first : first + 4 * steps : 4], atol=1e-5)
    assert np.array_equal(task.valid.y[0], y[first : first + 4 * steps : 4])


def test_gesture_files_are_kept_apart(folders: dict[str, Path]) -> None:
    task = _load("gesture", folders["gesture"])
    rows = {"train": ["a1", "a3", "b1", "c1"], "valid": ["a2"], "test": ["b3", "c3"]}
    for part, names in rows.items():
        assert len(getattr(task, part)) == sum(
            len(range(0, real_files.GESTURES[name] - 31, 16)) for name in names
        )
    assert task.outputs == 5
    assert set(np.unique(task.train.y)) == set(range(5))
    tables = [
        pandas.read_csv(folders["gesture"] / f"{name}_va3.csv").iloc[:, :32].to_numpy()
        for name in rows["train"]
    ]
    training = np.concatenate(tables)
    valid = pandas.read_csv(folders["gesture"] / "a2_va3.csv").iloc[:32, :32].to_numpy()
    assert np.allclose(task.valid.x[0], (valid - training.mean(0)) / training.std(0), atol=1e-5)
    paper = _load("gesture", folders["gesture"], "paper")
    whole = sum(2 * (rows // 32) - 1 for rows in real_files.GESTURES.values())
    assert [len(getattr(paper, part)) for part in ("valid", "test")] == [
        int(0.1 * whole),
        int(0.15 * whole),
    ]
    everything = np.concatenate([getattr(paper, part).x for part in PARTS]).reshape(-1, 32)
    assert len(everything) == 32 * whole
    assert np.allclose(everything.mean(0), 0, atol=1e-3)
    assert np.allclose(everything.std(0), 1, atol=1e-3)


def test_activity_keeps_subjects_apart(folders: dict[str, Path]) -> None:
    task = _load("activity", folders["activity"])
    people = {part: np.floor(getattr(task, part).x[:, :, 0]) for part in PARTS}
    for part in PARTS:
        assert (people[part] == people[part][:, :1]).all(), "a window holds one subject"
    asked = {part: set(np.unique(people[part])) for part in PARTS}
    assert asked["train"] | asked["valid"] == set(real_files.SUBJECTS["train"])
    assert len(asked["valid"]) == 1
    assert asked["test"] == set(real_files.SUBJECTS["test"])
    assert len(task.test) == 2 * len(range(0, 50 - 15, 8))
    assert (task.features, task.time_steps, task.outputs) == (561, 16, 6)
    paper = _load("activity", folders["activity"], "paper")
    across = np.floor(paper.train.x[:, :, 0])
    assert (across != across[:, :1]).any(), "the published windows run across subjects"
    assert [len(getattr(paper, part)) for part in PARTS] == [
        284 - 28,
        28,
        len(range(0, 100 - 16, 8)),
    ]


def test_person_has_times_and_people_apart(tmp_path: Path) -> None:
    table = real_files.person(tmp_path)
    task = _load("person", tmp_path)
    placed = table[table["name"].str[0].isin(list("ABC"))]["x"]
    told = {
        part: np.rint(getattr(task, part).x[:, :, 4] * placed.std(ddof=0) + placed.mean())
        for part in PARTS
    }
    number = {part: set(np.unique(values // 1000)) for part, values in told.items()}
    assert number == {"train": set(range(6)), "valid": {6, 7}, "test": {8, 9}}
    first = table[table["name"] == "D01"].sort_values("ms", kind="stable").iloc[:32]
    assert np.array_equal(told["valid"][0], first["x"])
    elapsed = np.maximum(first["ms"].diff().fillna(100).to_numpy() / 100, 0.01)
    assert np.allclose(task.valid.elapsed[0], elapsed, atol=1e-3)
    assert elapsed.min() == 0.01
    assert np.array_equal(task.valid.x[0, :, :4].argmax(1), first["tag"])
    assert (task.valid.x[:, :, :4].sum(2) == 1).all()
    classes = {"walking": 3, "falling": 4, "lying down": 0, "lying": 0, "sitting on the ground": 6}
    classes |= {"standing up from lying": 2, "on all fours": 5}
    assert task.valid.y[0].tolist() == [classes[name] for name in first["activity"]]
    paper = _load("person", tmp_path, "paper")
    assert paper.train.elapsed is None
    assert sum(len(getattr(paper, part)) for part in PARTS) == 9 * len(range(0, 100 - 32, 16))
    assert max(getattr(paper, part).x[:, :, 4].max() for part in PARTS) < 9000, (
        "the published script loses the last recording"
    )


def test_power_leaves_missing_minutes_out_or_repeats_them(tmp_path: Path) -> None:
    values = real_files.power(tmp_path)
    task = _load("power", tmp_path)
    there = values[np.isfinite(values).all(axis=1)]
    end = int(0.75 * len(there))
    scale = there[:end, 1].mean(), there[:end, 1].std()
    minutes = np.rint(task.train.x[:, :, 0] * scale[1] + scale[0])
    assert not set(np.unique(minutes)) & {*range(100, 103), *range(1000, 1100)}
    assert task.train.elapsed[minutes == 103].tolist() == [4.0]
    assert (task.train.elapsed[minutes != 103] == 1).all()
    assert not ((minutes[:, 0] < 1000) & (minutes[:, -1] >= 1100)).any()
    z = (there[:, 0] - there[:end, 0].mean()) / there[:end, 0].std()
    assert np.allclose(task.train.y[0, :, 0], z[:32], atol=1e-5)
    assert task.rules["linear on the minute"] < 0.01 < task.rules["mean"]
    paper = _load("power", tmp_path, "paper")
    assert sum(len(getattr(paper, part)) for part in PARTS) == len(range(0, len(values) - 32, 32))
    filled = pandas.DataFrame(values).ffill().to_numpy()
    filled = (filled - filled.mean(0)) / filled.std(0)
    start = 32 * np.random.RandomState(23489).permutation(93)[0]
    assert np.allclose(paper.valid.x[0], filled[start : start + 32, 1:], atol=1e-4)
    assert np.allclose(paper.valid.y[0], filled[start : start + 32, :1], atol=1e-4)


def test_walker2d_tells_frames_that_are_missing(tmp_path: Path) -> None:
    rollouts = real_files.walker2d(tmp_path)
    task = _load("walker2d", tmp_path)
    kept = 0
    for part in PARTS:
        split = getattr(task, part)
        files, frames = np.divmod(split.x[:, :, 0].astype(int), 1000)
        assert (files == files[:, :1]).all()
        assert np.array_equal(split.elapsed[:, 1:], np.diff(frames, axis=1))
        assert np.array_equal(split.y, np.array(rollouts, np.float32)[files, frames + 1])
        kept += len(np.unique(1000 * files + frames))
    assert 0.8 < kept / (len(rollouts) * 199) < 0.95
    assert [len(np.unique(getattr(task, part).x[:, :, 0] // 1000)) for part in PARTS] == [7, 1, 1]
    assert task.rules["persistence"] == pytest.approx(
        np.mean((task.valid.y.astype(float) - task.valid.x) ** 2)
    )


@pytest.mark.parametrize("packed", [False, True])
def test_smnist_reads_idx_files(packed: bool, tmp_path: Path) -> None:
    images, digits = real_files.smnist(tmp_path, packed)
    task = _load("smnist", tmp_path)
    assert [len(getattr(task, part)) for part in PARTS] == [90, 10, 20]
    assert task.train.x.shape[1:] == (28, 28)
    assert np.allclose(np.concatenate([getattr(task, part).x for part in PARTS]), images / 255)
    assert np.array_equal(np.concatenate([getattr(task, part).y for part in PARTS]), digits)


def test_smnist_events_are_a_loop_over_pixels() -> None:
    rng = np.random.default_rng(8)
    images = np.where(
        rng.random((12, 28, 28)) < np.linspace(0, 0.5, 12)[:, None, None], 200, 10
    ).astype(np.uint8)
    split = smnist.events(images, np.arange(12))
    for i, image in enumerate(images):
        colours, times, before, since = [], [], None, 0
        for pixel in image.ravel() > 128:
            since += 1
            if pixel != before:
                colours.append(float(pixel))
                times.append(since / 256)
                before, since = pixel, 0
        n = min(len(colours), 256)
        assert split.lengths[i] == n
        assert np.array_equal(split.x[i, :n, 0], colours[:n])
        assert np.allclose(split.elapsed[i, :n], times[:n])
        assert not split.x[i, n:].any()
        assert not split.elapsed[i, n:].any()
    assert split.lengths.max() == 256
    assert split.lengths.min() == 1


def test_trivial_rules_are_what_others_compute() -> None:
    rng = np.random.default_rng(9)
    train, valid = (
        Split(rng.standard_normal((30, 8, 4)), rng.integers(0, 3, (30, 8))) for _ in range(2)
    )
    for part in (train, valid):
        part.x[:, :, 0] += part.y
    model = Ridge(alpha=1e-6).fit(train.x.reshape(-1, 4), np.eye(3)[train.y.ravel()])
    expected = np.mean(model.predict(valid.x.reshape(-1, 4)).argmax(1) != valid.y.ravel())
    assert trivial_rules.linear_classes(train, valid) == pytest.approx(expected, abs=0.005)
    assert expected < 0.6
    once = [Split(part.x, part.y[:, 0]) for part in (train, valid)]
    distances = ((once[1].x[:, None] - once[0].x[None]) ** 2).sum(axis=(2, 3))
    assert trivial_rules.nearest(*once) == np.mean(once[0].y[distances.argmin(1)] != once[1].y)
    with pytest.raises(ValueError, match="F1 is not defined"):
        trivial_rules.missing_f1(np.ones(3), np.zeros(3))


def test_runs_and_parts_cover_all_rows_once() -> None:
    breaks = np.array([False, False, True, False, True, True])
    assert [(run.start, run.stop) for run in splits.runs(breaks)] == [
        (0, 2),
        (2, 4),
        (4, 5),
        (5, 6),
    ]
    parts = splits.in_time(101, 0.1, 0.15)
    assert [rows.start for rows in parts.values()] == [0, 75, 85]
    assert parts["test"].stop == 101


REAL = [*WRITERS, "smnist-events"]


@pytest.mark.parametrize("name", REAL)
def test_absent_files_are_told(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--data DIR"):
        load(name)
    with pytest.raises(ValueError, match="is not a folder.*http"):
        _load(name, tmp_path / "nowhere")
    with pytest.raises(ValueError, match="http"):
        _load(name, tmp_path)
    assert TASKS[name].needs == "--data DIR"
    assert TASKS[name].published


def _line(path: Path, number: int, old: str, new: str) -> None:
    lines = path.read_text().splitlines(keepends=True)
    assert old in lines[number - 1]
    lines[number - 1] = lines[number - 1].replace(old, new, 1)
    path.write_text("".join(lines))


@pytest.mark.parametrize(
    ("name", "file", "line", "old", "new", "message"),
    [
        (
            "traffic",
            "Metro_Interstate_Traffic_Volume.csv",
            7,
            ",0.0,",
            ",wet,",
            "line 7: column 'rain_1h' has 'wet'",
        ),
        (
            "traffic",
            "Metro_Interstate_Traffic_Volume.csv",
            9,
            "2012-",
            "2012/",
            "line 9: column 'date_time' has '2012/.*2007-12-31",
        ),
        (
            "traffic",
            "Metro_Interstate_Traffic_Volume.csv",
            1,
            "temp",
            "warmth",
            "has no column 'temp'; its columns are holiday, warm",
        ),
        (
            "ozone",
            "eighthr.data",
            3,
            ",0.\n",
            ",2.\n",
            "line 3: column 'class' has '2.0' where a class",
        ),
        (
            "ozone",
            "eighthr.data",
            1,
            "1/1/1998,",
            "",
            "cannot be read as a table.*Expected 73 fields in line 2, saw 74",
        ),
        (
            "ozone",
            "eighthr.data",
            5,
            ",0.\n",
            "\n",
            "line 5: column 'class' has no value where a class",
        ),
        (
            "ozone",
            "eighthr.data",
            4,
            "1/4/1998",
            "4.1.1998",
            "line 4: column 'date' has '4.1.1998'",
        ),
        (
            "gesture",
            "b1_va3.csv",
            5,
            ",D",
            ",X",
            r"b1_va3.csv, line 5: column 'Phase' has 'X' where a phase \(D, P",
        ),
        (
            "gesture",
            "b1_va3.csv",
            1,
            "X7,",
            "",
            "b1_va3.csv cannot be read as a table: Length of header",
        ),
        (
            "activity",
            "train/y_train.txt",
            2,
            "1",
            "7",
            "y_train.txt, line 2: column 'activity' has '7'",
        ),
        (
            "activity",
            "test/subject_test.txt",
            2,
            "2\n",
            "",
            "differ in rows: X_test.txt 100, y_test.txt 100, subject_test.txt 99",
        ),
        (
            "person",
            "ConfLongDemo_JSI.txt",
            8,
            "walking",
            "flying",
            "line 8: column 'activity' has 'flying' where an activity",
        ),
        ("person", "ConfLongDemo_JSI.txt", 8, "0-000-0", "0-999-0", "line 8: column 'tag' has"),
        (
            "power",
            "household_power_consumption.txt",
            11,
            "16/12/2006",
            "2006-12-16",
            "line 11: .*where a date such as 31/12/2007",
        ),
        (
            "power",
            "household_power_consumption.txt",
            12,
            ".",
            "x",
            "line 12: column 'Global_active_power' has",
        ),
    ],
)
def test_broken_files_are_told_by_line(
    name: str, file: str, line: int, old: str, new: str, message: str, tmp_path: Path
) -> None:
    WRITERS[name](tmp_path)
    _line(tmp_path / file, line, old, new)
    with pytest.raises(ValueError, match=message):
        _load(name, tmp_path)


def test_broken_arrays_are_told(tmp_path: Path) -> None:
    real_files.walker2d(tmp_path)
    np.save(tmp_path / "rollout_003.npy", np.zeros((50, 16)))
    with pytest.raises(
        ValueError, match=r"rollout_003.npy has shape \(50, 16\); a rollout is \(frames, 17\)"
    ):
        _load("walker2d", tmp_path)
    for number in (3, 4):
        (tmp_path / f"rollout_00{number}.npy").unlink()
    with pytest.raises(ValueError, match="7 .npy files; 8 or more"):
        _load("walker2d", tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08", b"\0\0\x0d\1\0\0\0\1\0", b"\0\0\x08\1\0\0\0\5\0\0"]
)
def test_broken_idx_files_are_told(content: bytes, tmp_path: Path) -> None:
    real_files.smnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(content)
    with pytest.raises(ValueError, match="t10k-labels-idx1-ubyte is no whole IDX file"):
        _load("smnist", tmp_path)


def test_records_too_short_are_told(tmp_path: Path) -> None:
    real_files.ozone(tmp_path)
    lines = (tmp_path / "eighthr.data").read_text().splitlines()
    (tmp_path / "eighthr.data").write_text("\n".join(lines[:100]))
    with pytest.raises(
        ValueError,
        match="no sequence for the valid split: the longest recording has 15 rows.*window of 32",
    ):
        _load("ozone", tmp_path)


def test_a_search_on_irregular_times(folders: dict[str, Path], tmp_path: Path) -> None:
    options = TaskOptions(data=str(folders["person"]))
    run = search(
        study_config("person", "small", options, trials=2, epochs=1), tmp_path / "run", ONE_PROCESS
    )
    table = run.table()
    assert (table["status"] == "ok").all()
    assert table["accuracy"].between(0, 1).all()
    assert "majority class" in run.rules


@pytest.mark.slow
def test_a_search_for_f1_by_command_line(folders: dict[str, Path], tmp_path: Path) -> None:
    arguments = [
        "--task",
        "ozone",
        "--data",
        folders["ozone"],
        "--space",
        "small",
        "--trials",
        2,
        "--epochs",
        1,
        "--workers",
        0,
    ]
    command = [
        sys.executable,
        "-m",
        "wiring_search.cli",
        "search",
        *map(str, arguments),
        "--out",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    # After one epoch both networks always say the same.
    assert "No wiring here does more than a constant" in done.stdout, done.stdout
    assert "rule every day: f1 0." in done.stdout
    table = pandas.read_csv(tmp_path / "run" / "trials.csv")
    assert np.allclose(table["f1"], 1 - table["error"])
    assert table["f1"].between(0, 1).all()
    assert '"metric": "f1"' in (tmp_path / "run" / "report.html").read_text().replace(
        '"metric":"f1"', '"metric": "f1"'
    )
