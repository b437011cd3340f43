"""A user's table: one row per time step, the target predicted at every row from the inputs up to
that row.

The file is cut in time: the first 70 % of its rows train, 15 % validate, 15 % test. Each part is
then cut into windows, so no window crosses a border. Inputs, and the target of a regression, are
scaled to mean 0 and deviation 1 by the training rows: an mse of 1 is what the mean reaches. What a
network cannot train on (gaps, text, constant columns, too few rows) is refused, and the message
names its row or column.
"""

import difflib
from pathlib import Path

import numpy as np

from wiring_search.tasks import trivial_rules
from wiring_search.tasks.columns import Columns, Scale
from wiring_search.tasks.options import TaskOptions
from wiring_search.tasks.task import Split, Task
from wiring_search.tasks.windows import cut

_SHARES = {"train": 0.70, "valid": 0.15, "test": 0.15}
_MOST_CLASSES = 20


def load(options: TaskOptions) -> Task:
    path, table = _read(options)
    target = _column(table, options.target or "", "--target", path)
    inputs = [_column(table, name, "--inputs", path) for name in options.inputs]
    inputs = inputs or [name for name in table.columns if name != target]
    if not inputs:
        raise ValueError(
            f"{path} has no column beside the target {target!r}; "
            "a network needs at least one input column"
        )
    x = np.stack([_numbers(table[name], name, path) for name in inputs], axis=1)
    classes, y = _target(table[target], target, options.kind, path)
    parts = _parts(len(table), options, path)
    _refuse_constant(x[parts["train"]], inputs, path)
    x_scale = Scale.of(x[parts["train"]])
    x = x_scale(x).astype(np.float32)
    if classes is None:
        y_scale = Scale.of(y[parts["train"]])
        y = y_scale(y).astype(np.float32)
        targets = Columns((target,), y_scale)
    else:
        targets = Columns(tuple(map(str, classes)))
        _refuse_unseen(y, classes, parts, path)
    splits = {
        name: Split(
            cut(x[rows], options.window, options.stride).astype(np.float32),
            cut(y[rows], options.window, options.stride),
        )
        for name, rows in parts.items()
    }
    return Task(
        name="csv",
        kind="regression" if classes is None else "classification",
        every_step=True,
        outputs=1 if classes is None else len(classes),
        metric="mse" if classes is None else "accuracy",
        train=splits["train"],
        valid=splits["valid"],
        test=splits["test"],
        rules=_rules(splits["train"], splits["valid"], classes),
        source=f"{path.name}: {target} from {', '.join(inputs)}",
        inputs=Columns(tuple(inputs), x_scale),
        targets=targets,
    )


def _read(options: TaskOptions):
    import pandas

    if options.data is None or options.target is None:
        raise ValueError(
            "task csv reads your own table; give --data FILE and --target COLUMN (and --inputs "
            "A,B for some columns only)"
        )
    for name in ("window", "stride"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name} is {getattr(options, name)}; give 1 or more rows")
    path = Path(options.data)
    if not path.is_file():
        raise ValueError(
            f"--data {options.data} is not a file; "
            "give a table with a header line and commas between columns"
        )
    try:
        table = pandas.read_csv(path)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, UnicodeDecodeError) as cause:
        raise ValueError(
            f"{path} cannot be read as a table: {cause}; "
            "give a header line and commas between columns"
        ) from cause
    return path, table


def _column(table, name: str, option: str, path: Path) -> str:
    if name in table.columns:
        return name
    near = difflib.get_close_matches(name, table.columns, n=1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    else:
        hint = f"its columns are {', '.join(map(str, table.columns))}"
    raise ValueError(f"{option} names {name!r}, but {path.name} has no such column; {hint}")


def _numbers(column, name: str, path: Path) -> np.ndarray:
    """The column as float64. Rows are named as an editor counts lines: the header is line 1."""
    import pandas

    _refuse_gaps(column, name, path)
    numbers = pandas.to_numeric(column, errors="coerce").to_numpy(np.float64)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        value = str(column.iloc[bad[0]])
        raise ValueError(
            f"{path.name}, line {bad[0] + 2}: column {name!r} has {value!r} where a finite number "
            f"is wanted ({len(bad)} such "
            f"rows); mend them, or leave the column out with --inputs"
        )
    return numbers


def _refuse_gaps(column, name: str, path: Path) -> None:
    gaps = np.flatnonzero(column.isna())
    if len(gaps):
        raise ValueError(
            f"{path.name}, line {gaps[0] + 2}: column {name!r} has no value ({len(gaps)} such "
            "rows); fill the gaps, or drop "
            "those rows, or leave the column out with --inputs"
        )


def _target(column, name: str, kind: str, path: Path) -> tuple[list | None, np.ndarray]:
    """Classes and class ids (rows,), or None and values (rows, 1). Classes: text, truth values, or
    a few whole numbers."""
    import pandas

    _refuse_gaps(column, name, path)
    if kind == "auto":
        few = pandas.api.types.is_integer_dtype(column) and column.nunique() <= _MOST_CLASSES
        is_class = (
            few
            or pandas.api.types.is_bool_dtype(column)
            or not pandas.api.types.is_numeric_dtype(column)
        )
        kind = "classification" if is_class else "regression"
    if kind == "regression":
        return None, _numbers(column, name, path)[:, None]
    classes = sorted(column.unique().tolist())
    if not 2 <= len(classes) <= len(column) // 10:
        raise ValueError(
            f"{path.name}: target {name!r} has {len(classes)} different values in {len(column)} "
            "rows; classes are 2 or more, with ten "
            "rows each on average (a number to be predicted is --kind regression)"
        )
    ids = {value: i for i, value in enumerate(classes)}
    return classes, np.array([ids[value] for value in column.tolist()], np.int64)


def _parts(rows: int, options: TaskOptions, path: Path) -> dict[str, slice]:
    first = int(rows * _SHARES["train"])
    second = int(rows * (_SHARES["train"] + _SHARES["valid"]))
    parts = {"train": slice(0, first), "valid": slice(first, second), "test": slice(second, rows)}
    shortest = min(part.stop - part.start for part in parts.values())
    if shortest < options.window:
        needed = int(np.ceil(options.window / min(_SHARES.values()))) + 1
        raise ValueError(
            f"{path.name} has {rows} rows, of which validation and test get {shortest}: "
            f"less than one window of {options.window}; "
            f"give {needed} rows or more, or a smaller --window"
        )
    return parts


def _refuse_constant(x: np.ndarray, names: list[str], path: Path) -> None:
    for name, column in zip(names, x.T, strict=True):
        if column.min() == column.max():
            raise ValueError(
                f"{path.name}: column {name!r} is constant ({column[0]:g}) in the training rows; "
                "leave it out with --inputs"
            )


def _refuse_unseen(y: np.ndarray, classes: list, parts: dict[str, slice], path: Path) -> None:
    unseen = set(np.unique(y)) - set(np.unique(y[parts["train"]]))
    if unseen:
        name = classes[min(unseen)]
        raise ValueError(
            f"{path.name}: class {name!r} does not occur in the first 70 % of the rows, which "
            "train; the file is cut in time, so "
            "give a longer record, or one where each class occurs early"
        )


def _rules(train: Split, valid: Split, classes: list | None) -> dict[str, float]:
    if classes is None:
        rows = min(4, train.x.shape[1])
        result = {
            "mean": trivial_rules.mean(train, valid),
            f"linear, {rows} rows": trivial_rules.linear(train, valid, rows),
        }
    else:
        result = {"majority class": trivial_rules.majority(train, valid)}
    if valid.y.shape[1] > 1:
        return {**result, "target of the row before": trivial_rules.previous_target(valid)}
    return result
