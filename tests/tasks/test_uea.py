"""The .ts format of the UEA/UCR archive: read by an independent loop, and refused by line.

Splits are as documented.
"""

from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from wiring_search.run import ONE_PROCESS, search, study_config
from wiring_search.tasks import Task, TaskOptions, load, ts_format

HEADER = """# a comment: with, all (signs)
@problemName Made
@timeStamps {times}
@missing false
@univariate {univariate}
{more}
@data
"""


def _header(
    labels: str = "@classLabel true up down flat", times: bool = False, dimensions: int | None = 2
) -> str:
    more = labels if dimensions is None else f"@dimensions {dimensions}\n{labels}"
    return HEADER.format(
        times=str(times).lower(), univariate=str(dimensions is None).lower(), more=more
    )


def _write(folder: Path, train: list[str], test: list[str], header: str) -> Task:
    for end, lines in (("TRAIN", train), ("TEST", test)):
        (folder / f"Made_{end}.ts").write_text(header + "\n".join(lines) + "\n")
    return load("uea", TaskOptions(data=str(folder)))


def _line(values: np.ndarray, label: object) -> str:
    """A line of a file.

    Args:
        values: (dimensions, steps).
    """
    return ":".join([*(",".join(map(str, row)) for row in values), str(label)])


def _made(
    count: int, seed: int, first: int = 0, steps: int = 7
) -> tuple[np.ndarray, list[str], list[str]]:
    """Values (count, 2, steps), labels, and lines; the very first value of a series counts it."""
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((count, 2, steps)).round(3)
    values[:, 0, 0] = np.arange(first, first + count)
    labels = [("up", "down", "down", "flat")[i % 4] for i in range(count)]
    values[:, 1] += np.array([("up", "down", "flat").index(label) for label in labels])[:, None]
    return values, labels, [_line(one, label) for one, label in zip(values, labels, strict=True)]


def test_the_archives_test_file_tests_and_a_fifth_of_each_class_validates(tmp_path: Path) -> None:
    values, labels, lines = _made(40, 0)
    asked, asked_labels, asked_lines = _made(13, 1, first=100)
    task = _write(tmp_path, lines, asked_lines, _header())
    assert (task.kind, task.outputs, task.metric, task.every_step) == (
        "classification",
        3,
        "accuracy",
        False,
    )
    assert task.train.x.shape == (32, 7, 2)
    assert task.train.lengths is None
    assert task.train.elapsed is None
    known = {part: getattr(task, part) for part in ("train", "valid", "test")}
    # Both parts have one scale, so the rank of the counting value is the number of the series.
    ranks = (
        np.concatenate([known[part].x[:, 0, 0] for part in ("train", "valid")]).argsort().argsort()
    )
    train, valid = ranks[:32], ranks[32:]
    z = {"train": values[train], "valid": values[valid], "test": asked}
    flat = values[train].transpose(0, 2, 1).reshape(-1, 2)
    for part, own in z.items():
        assert np.allclose(
            known[part].x, (own.transpose(0, 2, 1) - flat.mean(0)) / flat.std(0), atol=1e-5
        )
    names = ["up", "down", "flat"]
    assert known["valid"].y.tolist() == [names.index(labels[i]) for i in valid]
    assert known["test"].y.tolist() == [names.index(label) for label in asked_labels]
    assert np.bincount(known["valid"].y).tolist() == [2, 4, 2]
    assert len(valid) == 8
    knn = KNeighborsClassifier(1).fit(known["train"].x.reshape(32, -1), known["train"].y)
    expected = 1 - knn.score(known["valid"].x.reshape(8, -1), known["valid"].y)
    assert task.rules == {
        "majority class": pytest.approx(0.5),
        "nearest training series": pytest.approx(expected),
    }
    again = load("uea", TaskOptions(data=str(tmp_path / "Made_TRAIN.ts")))
    assert np.array_equal(again.valid.x, known["valid"].x)


def test_unequal_lengths_are_padded_and_missing_values_carried(tmp_path: Path) -> None:
    lines = ["1,2,?:5,6,8:up", "?,4:7,NaN:up", "3:4:down", "2,2,?,6:1,1,1,1:down"]
    task = _write(tmp_path, [*lines, *lines], ["1,2,3,4,5:1,2,3,4,5:flat"], _header())
    series = ts_format.read(tmp_path / "Made_TRAIN.ts").series
    assert [one.values.shape for one in series[:4]] == [(3, 2), (2, 2), (1, 2), (4, 2)]
    assert np.isnan(series[0].values[2, 0])
    assert np.isnan(series[1].values[1, 1])
    assert task.train.x.shape[1:] == task.valid.x.shape[1:] == task.test.x.shape[1:] == (5, 2)
    assert sorted(np.concatenate([task.train.lengths, task.valid.lengths]).tolist()) == [
        1,
        1,
        2,
        2,
        3,
        3,
        4,
        4,
    ]
    assert task.test.lengths is None
    for part in (task.train, task.valid):
        for x, length in zip(part.x, part.lengths, strict=True):
            assert not x[length:].any()
            if length == 3:  # a missing last value is that of the step before
                assert x[2, 0] == x[1, 0] != x[0, 0]
            if length == 2:  # a value missing at first is the mean; then it is known
                assert x[0, 0] == 0.0 != x[1, 0]
                assert x[1, 1] == x[0, 1]


@pytest.mark.parametrize("dates", [False, True])
def test_time_stamps_become_elapsed_times(dates: bool, tmp_path: Path) -> None:
    hours = [[0, 2, 4, 5], [1, 3, 5], [0, 2, 10]]

    def stamp(hour: int) -> str:
        return f"2004-08-10 {hour:02d}:00:00" if dates else str(hour)

    def line(own: list[int], label: str) -> str:
        return ":".join(
            [*(",".join(f"({stamp(h)},{h + d}.5)" for h in own) for d in (0, 1)), label]
        )

    lines = [line(own, label) for label in ("up", "down") for own in hours]
    task = _write(tmp_path, lines, [line([0, 4], "up")], _header(times=True))
    # The usual gap is two hours, and one usual gap is one unit.
    expected = {tuple(np.diff(own, prepend=own[0] - 2) / 2) for own in hours}
    told = set()
    for part in (task.train, task.valid):
        lengths = np.full(len(part), 4) if part.lengths is None else part.lengths
        told |= {tuple(row[:n].astype(float)) for row, n in zip(part.elapsed, lengths, strict=True)}
    assert told == expected
    assert task.test.elapsed.tolist() == [[1.0, 2.0, 0.0, 0.0]]
    assert task.test.lengths.tolist() == [2]


def test_a_number_to_tell_is_a_regression(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    values, targets = rng.standard_normal((20, 1, 5)).round(3), (100 * rng.random(20)).round(2)
    lines = [_line(one, target) for one, target in zip(values, targets, strict=True)]
    task = _write(tmp_path, lines[:15], lines[15:], _header("@targetLabel true", dimensions=None))
    assert (task.kind, task.outputs, task.metric, len(task.train), len(task.valid)) == (
        "regression",
        1,
        "mse",
        12,
        3,
    )
    assert np.mean(task.train.y) == pytest.approx(0, abs=1e-5)
    assert np.std(task.train.y) == pytest.approx(1, abs=1e-5)
    spread = (targets[19] - targets[15]) / (task.test.y[4, 0] - task.test.y[0, 0])
    assert np.allclose(
        task.test.y[:, 0] * spread,
        targets[15:] - targets[15] + task.test.y[0, 0] * spread,
        atol=1e-2,
    )
    assert task.rules["mean"] == pytest.approx(np.mean(task.valid.y**2), rel=1e-4)
    distances = ((task.valid.x[:, None] - task.train.x[None]) ** 2).sum(axis=(2, 3))
    found = task.train.y[distances.argmin(1)]
    assert task.rules["nearest training series"] == pytest.approx(
        np.mean((found - task.valid.y) ** 2), rel=1e-5
    )


def test_classes_may_be_named_by_the_lines_alone(tmp_path: Path) -> None:
    _, _, lines = _made(8, 3)
    task = _write(tmp_path, lines, lines[:2], _header("@classlabel true"))
    assert task.outputs == 3
    assert task.test.y.tolist() == [2, 0], "in the order of the alphabet"


@pytest.mark.parametrize(
    ("header", "line", "message"),
    [
        (
            _header(),
            "1,2:3,4:left",
            r"Made_TRAIN.ts, line 10: class 'left' is not in @classLabel \(up, down, flat\)",
        ),
        (_header(), "1,2:up", "line 10: 1 dimensions and a label where 2 and a label are wanted"),
        (_header(), "1,2:3,4,5:up", "line 10: dimensions of 2 and of 3 steps"),
        (_header(), "1,2:3,four:up", "line 10: 'four' where a finite number is wanted"),
        (_header(), "1,2:3,:up", "line 10: '' where a finite number is wanted"),
        (_header(), "1,2:3,inf:up", "line 10: 'inf' where a finite number"),
        (_header(), "1,2:3,4:", "line 10: no label after the last colon"),
        (_header(times=True), "1,2:3,4:up", r"line 10: '1,2' where \(time,value\)"),
        (
            _header(times=True),
            "(1,2),(1,3):(1,2),(1,3):up",
            "line 10: time stamp '1' does not come after '1'; times must rise",
        ),
        (
            _header(times=True),
            "(1,2),(2,3):(1,2),(3,3):up",
            "line 10: dimensions have different time stamps",
        ),
        (_header(times=True), "(noon,2):(noon,3):up", "line 10: time stamps such as 'noon'"),
        (_header("@classLabel false"), "1,2:3,4:up", "nothing to learn"),
        (
            _header(dimensions=None).replace("@data", "@dada"),
            "",
            "line 8: '1,2:3,4:up' where a line with @ of the header",
        ),
        (
            _header().replace("@data\n", ""),
            "",
            "line 8: '1,2:3,4:up' where a line with @ of the header",
        ),
        (
            _header().replace("@dimensions 2", "@dimensions two"),
            "1:1:up",
            "@dimensions is 'two'; give a number",
        ),
        (
            _header("@targetLabel true"),
            "1,2:3,4:warm",
            "line 10: the target is 'warm' where a finite number",
        ),
    ],
)
def test_faults_are_told_by_line(header: str, line: str, message: str, tmp_path: Path) -> None:
    good = "(1,2),(2,4):(1,5),(2,6):1" if "@timeStamps true" in header else "1,2:3,4:1"
    good = good.replace(":1", ":up") if "classLabel" in header else good
    with pytest.raises(ValueError, match=message):
        _write(tmp_path, [good, line, good], [good], header)


def test_files_that_do_not_fit_each_other_are_told(tmp_path: Path) -> None:
    _write(tmp_path, ["1:2:up", "1:3:up"], ["1:2:up"], _header())
    for content, message in {
        _header("@classLabel true")
        + "1:2:left\n": "Made_TEST.ts, line 9: class 'left' does not occur in the training file",
        _header(dimensions=None) + "1:up\n": "differ in their number of dimensions: 2 and 1",
        _header("@targetLabel true")
        + "1:2:3\n": "differ in their kind: classification and regression",
        _header(times=True)
        + "(1,1):(1,2):up\n": "differ in their use of time stamps: False and True",
        _header(): "Made_TEST.ts has no series after @data",
        _header().replace("@data\n", ""): "Made_TEST.ts has no line @data",
    }.items():
        (tmp_path / "Made_TEST.ts").write_text(content)
        with pytest.raises(ValueError, match=message):
            load("uea", TaskOptions(data=str(tmp_path)))
    (tmp_path / "Made_TEST.ts").unlink()
    with pytest.raises(ValueError, match="has Made_TRAIN.ts but no Made_TEST.ts"):
        load("uea", TaskOptions(data=str(tmp_path)))


def test_where_the_files_are_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give --data DIR with NAME_TRAIN.ts"):
        load("uea")
    with pytest.raises(ValueError, match="it has none; name the one with --data FILE"):
        load("uea", TaskOptions(data=str(tmp_path)))
    with pytest.raises(ValueError, match="neither a folder nor a file"):
        load("uea", TaskOptions(data=str(tmp_path / "Made_TRAIN.ts")))
    for name in ("A", "B"):
        (tmp_path / f"{name}_TRAIN.ts").write_text("")
    with pytest.raises(ValueError, match="it has A_TRAIN.ts, B_TRAIN.ts; name the one"):
        load("uea", TaskOptions(data=str(tmp_path)))


def test_a_class_of_one_series_trains_and_some_class_must_be_held_out(tmp_path: Path) -> None:
    task = _write(tmp_path, ["1:1:up", "2:3:up", "3:2:down"], ["1:2:up"], _header())
    assert sorted(task.train.y.tolist()) == [0, 1]
    assert task.valid.y.tolist() == [0]
    with pytest.raises(ValueError, match="no class twice: none can be held out"):
        _write(tmp_path, ["1:1:up", "3:2:down"], ["1:2:up"], _header())


def test_a_search_on_unequal_lengths_and_times(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)

    def line(label: str) -> str:
        times = np.cumsum(rng.integers(1, 5, rng.integers(3, 9)))
        return ":".join(
            [
                *(
                    ",".join(f"({t},{v:.3f})" for t, v in zip(times, rng.random(9), strict=False))
                    for _ in "ab"
                ),
                label,
            ]
        )

    lines = [line(label) for label in ("up", "down") for _ in range(10)]
    _write(tmp_path, lines, lines[:3], _header(times=True))
    config = study_config("uea", "small", TaskOptions(data=str(tmp_path)), trials=2, epochs=1)
    table = search(config, tmp_path / "run", ONE_PROCESS).table()
    assert (table["status"] == "ok").all()
    assert table["accuracy"].between(0, 1).all()
