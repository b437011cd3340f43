"""Any data set of the UEA/UCR archive of multivariate time series, or of its regression sibling.

Its files are `NAME_TRAIN.ts` and `NAME_TEST.ts` (Bagnall et al., "The UEA multivariate time series
classification archive", 2018; Tan et al., "Time Series Extrinsic Regression", 2021;
https://www.timeseriesclassification.com).

There is one class, or one number, per series, asked for at its end. The archive's test file tests.
Of its training file a fifth, drawn from a fixed seed and stratified by class, validates. Inputs,
and the target of a regression, are z-scores by what then trains. A missing value is that of the
step before, or the mean where there is none. Series of unequal lengths are padded. Time stamps
become elapsed times in units of the median gap of the training series.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np

from wiring_search.tasks import trivial_rules, ts_format
from wiring_search.tasks.columns import Columns, Scale
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task
from wiring_search.tasks.ts_format import Series, TsFile

_ADDRESS = "https://www.timeseriesclassification.com"
_TRAIN, _TEST = "_TRAIN.ts", "_TEST.ts"
_HELD_OUT, _SEED = 0.2, 0


def load(options: TaskOptions) -> Task:
    """Return the task.

    Raises:
        ValueError: Files are absent, broken, or do not fit each other.
    """
    path = _training_file(options)
    training, test = (
        ts_format.read(path.with_name(path.name.removesuffix(_TRAIN) + end))
        for end in (_TRAIN, _TEST)
    )
    _refuse_others(training, test)
    classes = _classes(training)
    targets, tested = (_targets(file, classes) for file in (training, test))
    train, valid = _dealt(targets, training)
    series = {
        "train": [training.series[i] for i in train],
        "valid": [training.series[i] for i in valid],
        "test": test.series,
    }
    y = {"train": targets[train], "valid": targets[valid], "test": tested}
    asked = Columns(classes or ("value",), None if classes else Scale.of(y["train"]))
    if asked.scale:
        y = {part: asked.scale(values).astype(np.float32) for part, values in y.items()}
    scale = Scale.of(np.concatenate([one.values for one in series["train"]]))
    splits = {
        part: Split(x, y[part], elapsed, lengths)
        for part, (x, elapsed, lengths) in _arrays(series, scale).items()
    }
    return Task(
        name="uea",
        kind=training.kind,
        every_step=False,
        outputs=len(classes) or 1,
        metric="accuracy" if classes else "mse",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules={
            **_constant(splits["train"], splits["valid"]),
            "nearest training series": trivial_rules.nearest(splits["train"], splits["valid"]),
        },
        source=f"{path.name.removesuffix(_TRAIN)} of the UEA/UCR archive, {_ADDRESS}",
        inputs=Columns(
            tuple(f"dimension {number}" for number in range(1, len(scale.middle) + 1)), scale
        ),
        targets=asked,
    )


def _training_file(options: TaskOptions) -> Path:
    where = f"data sets come from {_ADDRESS}"
    if options.data is None:
        raise ValueError(
            "task uea reads .ts files; give --data DIR with NAME_TRAIN.ts and NAME_TEST.ts, or "
            f"--data FILE ({where})"
        )
    path = Path(options.data)
    if path.is_dir():
        found = sorted(path.glob(f"*{_TRAIN}"))
        if len(found) != 1:
            names = ", ".join(one.name for one in found) or "none"
            raise ValueError(
                f"{path} should have one file *{_TRAIN}; it has {names}; "
                f"name the one with --data FILE ({where})"
            )
        path = found[0]
    if not path.name.endswith(_TRAIN) or not path.is_file():
        raise ValueError(
            f"--data {options.data} is neither a folder nor a file NAME{_TRAIN} that is there "
            f"({where})"
        )
    if not path.with_name(path.name.removesuffix(_TRAIN) + _TEST).is_file():
        raise ValueError(
            f"{path.parent} has {path.name} but no {path.name.removesuffix(_TRAIN)}{_TEST} beside "
            f"it ({where})"
        )
    return path


def _refuse_others(training: TsFile, test: TsFile) -> None:
    for name, of in {
        "kind": lambda file: file.kind,
        "number of dimensions": lambda file: file.series[0].values.shape[1],
        "use of time stamps": lambda file: file.series[0].times is not None,
    }.items():
        if of(training) != of(test):
            raise ValueError(
                f"{training.path.name} and {test.path.name} differ in their {name}: "
                f"{of(training)} and {of(test)}"
            )


def _classes(training: TsFile) -> tuple[str, ...]:
    """In the header's order, where it names them; none for a regression."""
    if training.kind == "regression":
        return ()
    return training.labels or tuple(sorted({one.label for one in training.series}))


def _targets(file: TsFile, classes: tuple[str, ...]) -> np.ndarray:
    """Class ids (series,) int64, or values (series, 1) float64."""
    if classes:
        for one in file.series:
            if one.label not in classes:
                raise ValueError(
                    f"{file.path.name}, line {one.line}: "
                    f"class {one.label!r} does not occur in the training file"
                )
        return np.array([classes.index(one.label) for one in file.series], np.int64)
    values = np.empty((len(file.series), 1))
    for index, one in enumerate(file.series):
        try:
            values[index] = ts_format.number(one.label)
        except ValueError as fault:
            raise ValueError(f"{file.path.name}, line {one.line}: the target is {fault}") from fault
    return values


def _dealt(y: np.ndarray, file: TsFile) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the series that train, and of those that validate: a fifth of each class, of all
    for a regression; a class of one series trains."""
    rng = np.random.default_rng(_SEED)
    if y.ndim == 1:
        groups = [np.flatnonzero(y == label) for label in np.unique(y)]
    else:
        groups = [np.arange(len(y))]
    shares = [max(1, round(_HELD_OUT * len(group))) if len(group) > 1 else 0 for group in groups]
    held_out = [rng.permutation(group)[:share] for group, share in zip(groups, shares, strict=True)]
    valid = np.sort(np.concatenate(held_out))
    if not len(valid):
        raise ValueError(
            f"{file.path.name} has {len(y)} series, and no class twice: "
            "none can be held out to validate"
        )
    return np.setdiff1d(np.arange(len(y)), valid), valid


def _arrays(
    series: dict[str, list[Series]], scale: Scale
) -> dict[str, tuple[np.ndarray, np.ndarray | None, np.ndarray | None]]:
    """x (n, T, F), elapsed (n, T) or None, lengths (n,) or None of each part, with one T for
    all."""
    steps = max(len(one.values) for part in series.values() for one in part)
    tick = 1.0
    times = [one.times for one in series["train"] if one.times is not None]
    if times:
        gaps = np.concatenate([np.diff(one) for one in times])
        tick = float(np.median(gaps)) if len(gaps) else 1.0
    return {
        part: _padded([_filled(one, scale) for one in members], steps, tick)
        for part, members in series.items()
    }


def _filled(one: Series, scale: Scale) -> Series:
    values = scale(one.values)
    known = np.where(np.isnan(values), 0, np.arange(len(values))[:, None])
    values = np.take_along_axis(values, np.maximum.accumulate(known, axis=0), axis=0)
    return replace(one, values=np.nan_to_num(values))


def _padded(
    series: list[Series], steps: int, tick: float
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    lengths = np.array([len(one.values) for one in series], np.int64)
    x = np.zeros((len(series), steps, series[0].values.shape[1]), np.float32)
    elapsed = np.zeros((len(series), steps), np.float32)
    for index, one in enumerate(series):
        x[index, : lengths[index]] = one.values
        if one.times is not None:
            elapsed[index, : lengths[index]] = (
                np.diff(one.times, prepend=one.times[0] - tick) / tick
            )
    return (
        x,
        None if series[0].times is None else elapsed,
        None if (lengths == steps).all() else lengths,
    )


def _constant(train: Split, valid: Split) -> dict[str, float]:
    is_class = train.y.ndim == 1
    if is_class:
        return {"majority class": trivial_rules.majority(train, valid)}
    return {"mean": trivial_rules.mean(train, valid)}
