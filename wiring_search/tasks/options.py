"""Options of tasks, and the folders that some of them read."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class TaskOptions:
    """What a user may choose about a task beyond its name.

    Attributes:
        data: Folder or file, of tasks that read one.
        inputs: Of `csv`: the input columns; empty for all but the target.
        target: Of `csv`: the column to predict.
        kind: Of `csv`: of the target; "auto" decides by its values.
        window: Of `csv`: rows per sequence.
        stride: Of `csv`: rows from the start of a sequence to that of the next.
        samples: Training sequences, of generated tasks.
        lag: Steps that a generated task must remember; None for its usual number.
        protocol: Of real data: "clean" splits that do not overlap, or those of the "paper" to
            compare with published figures.
    """

    data: str | None = None
    inputs: tuple[str, ...] = ()
    target: str | None = None
    kind: Literal["auto", "classification", "regression"] = "auto"
    window: int = 32
    stride: int = 8
    samples: int = 20_000
    lag: int | None = None
    protocol: Literal["clean", "paper"] = "clean"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "inputs": list(self.inputs)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "TaskOptions":
        return cls(**{**data, "inputs": tuple(data.get("inputs", ()))})


def folder_of_files(
    options: TaskOptions, task: str, files: list[str], address: str, gzipped: bool = False
) -> Path:
    """Return the folder given as `data`, once all `files` are in it.

    Args:
        options: Of the task.
        task: Its name.
        files: Names within the folder.
        address: Where they can be downloaded.
        gzipped: A file may have .gz behind its name instead (`plain_or_gzipped`).

    Raises:
        ValueError: No folder is given, or files are missing; it says where to get them.
    """
    where = f"download them from {address}"
    if options.data is None:
        raise ValueError(f"task {task} needs --data DIR, a folder with {files[0]} …; {where}")
    folder = Path(options.data)
    if not folder.is_dir():
        raise ValueError(
            f"--data {options.data} is not a folder; "
            f"task {task} needs one with {files[0]} … ({where})"
        )
    paths = [plain_or_gzipped(folder / name) if gzipped else folder / name for name in files]
    missing = [name for name, path in zip(files, paths, strict=True) if not path.is_file()]
    if missing:
        raise ValueError(
            f"{folder} has no {missing[0]} ({len(missing)} of {len(files)} files missing); {where}"
        )
    return folder


def plain_or_gzipped(path: Path) -> Path:
    """Return the file, or the one with .gz behind its name where only that exists."""
    packed = path.with_name(path.name + ".gz")
    return packed if packed.is_file() and not path.is_file() else path
