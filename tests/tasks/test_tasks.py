"""Tasks: splits are clean, and rules are what an independent computation gives.

A user's table is refused with the row or column of the fault.
"""

from pathlib import Path

import numpy as np
import pandas
import pytest

from wiring_search.tasks import (
    TASKS,
    TaskOptions,
    describe,
    half_cheetah,
    load,
    occupancy,
    parity,
    trivial_rules,
)
from wiring_search.tasks.task import Split
from wiring_search.tasks.windows import cut

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def _data(name: str) -> str:
    folder = DATA / name
    if not folder.is_dir():
        pytest.skip(f"needs the {name} files, which are not part of the repository")
    return str(folder)


@pytest.mark.parametrize(("name", "steps", "features"), [("digits", 8, 8), ("pixel-digits", 64, 1)])
def test_digits_are_all_there_once_and_stratified(name: str, steps: int, features: int) -> None:
    task = load(name)
    parts = [task.train, task.valid, task.test]
    assert [len(part) for part in parts] == [1077, 360, 360]
    assert task.train.x.shape[1:] == (steps, features)
    assert task.train.x.dtype == np.float32
    images = np.concatenate([part.x.reshape(len(part), 64) for part in parts])
    from sklearn.datasets import load_digits

    expected = (load_digits().data / 16).astype(np.float32)
    assert np.array_equal(images[np.lexsort(images.T)], expected[np.lexsort(expected.T)])
    for part in parts:
        assert np.bincount(part.y, minlength=10).min() > 0.08 * len(part)
    assert 0.85 < task.rules["majority class"] < 0.91


def test_half_cheetah_follows_the_protocol() -> None:
    task = load("half-cheetah", TaskOptions(data=_data("half_cheetah")))
    assert [len(part) for part in (task.train, task.valid, task.test)] == [970, 485, 970]
    trace = np.load(Path(_data("half_cheetah")) / "trace_0015.npy").astype(np.float32)
    assert np.array_equal(task.train.x[3], trace[30:62])
    assert np.array_equal(task.train.y[3], trace[31:63])
    errors = half_cheetah.trivial_errors(task.train, task.test)
    # The figures published with the data; windows differ by a few frames.
    assert errors["mean"] == pytest.approx(17.43, rel=0.015)
    assert errors["persistence"] == pytest.approx(62.7, rel=0.015)


@pytest.mark.parametrize(
    ("rule", "valid", "test"),
    [("linear AR(1)", 3.80, 3.19), ("linear AR(4)", 4.69, 2.95), ("linear AR(8)", 4.92, 2.96)],
)
def test_linear_rules_of_half_cheetah_do_not_extrapolate(
    rule: str, valid: float, test: float
) -> None:
    """The body angle reaches seven times its training range in two validation traces."""
    task = load("half-cheetah", TaskOptions(data=_data("half_cheetah")))
    assert task.rules[rule] == pytest.approx(valid, abs=0.006)
    assert half_cheetah.trivial_errors(task.train, task.test)[rule] == pytest.approx(
        test, abs=0.006
    )


def test_occupancy_is_cut_in_time_and_scaled_by_training_rows() -> None:
    folder = Path(_data("occupancy"))
    task = load("occupancy", TaskOptions(data=str(folder)))
    assert len(task.test) == 332 + 1218
    x, y = occupancy.read(folder / "datatraining.txt")
    end = int(0.9 * len(x))
    assert np.allclose(task.train.x[0], (x[:16] - x[:end].mean(0)) / x[:end].std(0), atol=1e-5)
    assert np.array_equal(task.valid.y[0], y[end : end + 16])
    rows = [occupancy.read(folder / name) for name in ("datatest.txt", "datatest2.txt")]
    light, occupied = (
        np.concatenate([x[:, 2] for x, _ in rows]),
        np.concatenate([y for _, y in rows]),
    )
    assert np.mean((light > occupancy.LIGHT_ON) == occupied) == pytest.approx(0.990, abs=0.002)
    assert np.mean(occupied == 0) == pytest.approx(0.757, abs=0.01)


def test_windows_never_leave_their_record() -> None:
    record = np.arange(23)
    windows = cut(record, 5, 3)
    assert np.array_equal(windows[:, 0], [0, 3, 6, 9, 12, 15, 18])
    assert np.array_equal(windows[-1], np.arange(18, 23))
    assert len(cut(record[:4], 5, 3)) == 0


def test_parity_of_events_is_that_of_the_stream_they_stand_for() -> None:
    bits, lengths = parity.streams(500, (3,))
    assert set(lengths) == set(range(2, 32))
    dense, events = parity.dense(bits, lengths), parity.events(bits, lengths)
    for i in range(len(bits)):
        stream = bits[i, : lengths[i]].tolist()
        assert dense.lengths[i] == len(stream)
        assert dense.x[i, : len(stream), 0].tolist() == stream
        runs = events.lengths[i]
        assert (np.diff(events.x[i, :runs, 0]) != 0).all(), "a run ends where the bit changes"
        spans = events.elapsed[i, :runs] * 32
        again = np.repeat(events.x[i, :runs, 0], spans.astype(int))
        assert (spans >= 1).all()
        assert again.tolist() == stream
        assert dense.y[i] == events.y[i] == sum(stream) % 2
    for split in (dense, events):
        assert np.array_equal(split.elapsed.sum(axis=1), lengths / 32)
        padding = np.arange(32) >= split.lengths[:, None]
        assert not split.elapsed[padding].any()
        assert not split.x[padding].any()
        assert (split.x.shape, split.x.dtype, split.y.dtype) == ((500, 32, 1), np.float32, np.int64)


@pytest.mark.parametrize("name", ["parity", "parity-dense"])
def test_parity_cannot_be_guessed(name: str) -> None:
    task = load(name, TaskOptions(samples=3000))
    assert [len(part) for part in (task.train, task.valid, task.test)] == [3000, 300, 300]
    for part in (task.train, task.valid, task.test):
        # A constant is right in half of the cases, give or take three standard deviations.
        assert np.mean(part.y) == pytest.approx(0.5, abs=1.5 / np.sqrt(len(part)))
        assert (part.lengths < 32).all()
        assert part.elapsed.max() <= 31 / 32
    assert all(error == pytest.approx(0.5, abs=0.09) for error in task.rules.values())
    assert not np.array_equal(task.valid.x, task.test.x)
    again = load(name, TaskOptions(samples=3000))
    assert np.array_equal(task.train.x, again.train.x)
    assert np.array_equal(task.train.elapsed, again.train.elapsed)
    with pytest.raises(ValueError, match="--samples is 99"):
        load(name, TaskOptions(samples=99))


def test_linear_rule_is_ridge_regression_on_standardised_inputs() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    rng = np.random.default_rng(0)
    train, valid = (
        Split(3 + rng.uniform(-1, 1, (20, 9, 3)), rng.standard_normal((20, 9, 2))) for _ in range(2)
    )
    lagged = [
        np.concatenate([split.x[:, 1:], split.x[:, :-1]], axis=2).reshape(-1, 6)
        for split in (train, valid)
    ]
    scaler = StandardScaler().fit(lagged[0])
    model = Ridge(alpha=1e-3 * len(lagged[0]))
    model.fit(scaler.transform(lagged[0]), train.y[:, 1:].reshape(-1, 2))
    seen = np.clip(lagged[1], lagged[0].min(axis=0), lagged[0].max(axis=0))
    found = model.predict(scaler.transform(seen))
    expected = np.mean((found - valid.y[:, 1:].reshape(-1, 2)) ** 2)
    assert trivial_rules.linear(train, valid, 2) == pytest.approx(expected, rel=1e-9)


def test_linear_rules_stay_within_the_range_of_training() -> None:
    """An input far outside counts as one at the edge; an input that never changes has no effect."""
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-1, 1, (30, 5, 1)), np.full((30, 5, 1), 7.0)], axis=2)
    edge, far = x.copy(), x.copy()
    edge[0, 0, 0], far[0, 0, 0] = x[..., 0].max(), 1e6
    far[:, :, 1] = -40.0
    y = 2 * x[..., :1] + 1
    classes = (x[..., 0] > 0).astype(np.int64)
    train = Split(x, y)
    assert trivial_rules.linear(train, Split(far, y), 1) == trivial_rules.linear(
        train, Split(edge, y), 1
    )
    errors = [
        trivial_rules.linear_classes(Split(x, classes), Split(rows, classes))
        for rows in (edge, far)
    ]
    assert errors[0] == errors[1]
    assert errors[0] < 0.1


def test_every_task_is_known_by_name_and_near_names_are_offered() -> None:
    generated = {"parity", "parity-dense", "recall", "copy", "adding"}
    assert {
        "digits",
        "pixel-digits",
        "permuted-pixel-digits",
        "half-cheetah",
        "occupancy",
        "csv",
        "uea",
    } | generated <= set(TASKS)
    with pytest.raises(ValueError, match="did you mean 'pixel-digits'"):
        load("pixel-digit")
    text = describe(load("digits"))
    assert "majority class" in text
    assert "1,077 train" in text


@pytest.mark.parametrize("name", ["half-cheetah", "occupancy"])
def test_absent_files_are_answered_with_their_source(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--data DIR.*https://github.com/"):
        load(name)
    with pytest.raises(ValueError, match="is not a folder.*https://github.com/"):
        load(name, TaskOptions(data=str(tmp_path / "nowhere")))
    with pytest.raises(ValueError, match="files missing.*https://github.com/"):
        load(name, TaskOptions(data=str(tmp_path)))


def _table(rows: int = 400) -> pandas.DataFrame:
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, rows))
    return pandas.DataFrame(
        {"a": a, "b": b, "y": a + 0.1 * b, "label": np.where(a > 0, "up", "down")}
    )


def _options(table: pandas.DataFrame, folder: Path, **given) -> TaskOptions:
    path = folder / "own.csv"
    table.to_csv(path, index=False)
    return TaskOptions(
        **{
            "data": str(path),
            "inputs": ("a", "b"),
            "target": "y",
            "window": 16,
            "stride": 4,
            **given,
        }
    )


def test_own_table_is_cut_in_time(tmp_path: Path) -> None:
    table = _table()
    task = load("csv", _options(table, tmp_path))
    assert task.kind == "regression"
    assert task.train.y.shape == (67, 16, 1)
    assert task.features == 2
    train = table["a"].to_numpy()[:280]
    assert np.allclose(
        task.valid.x[0, :, 0],
        (table["a"].to_numpy()[280:296] - train.mean()) / train.std(),
        atol=1e-5,
    )
    assert task.rules["linear, 4 rows"] < 1e-4 < task.rules["mean"]


def test_own_table_with_text_target_is_a_classification(tmp_path: Path) -> None:
    task = load("csv", _options(_table(), tmp_path, target="label"))
    assert (task.kind, task.outputs, task.metric) == ("classification", 2, "accuracy")
    assert np.array_equal(task.train.y[0] == 1, _table()["label"].to_numpy()[:16] == "up")


def _with(column: str, row: int, value: object) -> pandas.DataFrame:
    table = _table()
    table[column] = table[column].astype(object)
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "given", "message"),
    [
        (_with("a", 4, "warm"), {}, "line 6: column 'a' has 'warm'"),
        (
            _with("b", 7, None),
            {},
            r"line 9: column 'b' has no value \(1 such rows\); fill the gaps",
        ),
        (_with("y", 7, None), {}, "line 9: column 'y' has no value"),
        (_with("b", 7, "inf"), {}, "line 9: column 'b' has 'inf' where a finite number"),
        (
            _table().assign(a=3.0),
            {},
            r"column 'a' is constant \(3\) in the training rows; leave it out",
        ),
        (_table(60), {}, "60 rows, of which validation and test get 9: less than one window of 16"),
        (_table(), {"inputs": ("a", "bb")}, "--inputs names 'bb'.*did you mean 'b'"),
        (_table(), {"target": "z"}, "--target names 'z'.*columns are a, b, y, label"),
        (_table(), {"target": None}, "give --data FILE and --target COLUMN"),
        (_table(), {"window": 0}, "--window is 0; give 1 or more"),
        (_table(), {"target": "a", "kind": "classification"}, "has 400 different values"),
        (
            _table().assign(late=["x"] * 390 + ["z"] * 10),
            {"target": "late"},
            "class 'z' does not occur in the first 70 %",
        ),
        (_table()[["y"]], {"inputs": ()}, "no column beside the target"),
    ],
)
def test_faults_of_an_own_table_are_named(
    table: pandas.DataFrame, given: dict, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        load("csv", _options(table, tmp_path, **given))


def test_options_go_through_json() -> None:
    options = TaskOptions(data="x", inputs=("a",), target="y", window=5)
    assert TaskOptions.from_json(options.to_json()) == options
