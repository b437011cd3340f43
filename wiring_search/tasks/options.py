"""What a user may say about a task beyond its name."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True)
class TaskOptions:
    """data: the folder or file of tasks that read one. samples: training sequences of tasks that
    are generated. lag: steps over which those of long-term memory must remember, None for the
    task's usual one. protocol: of real data, "clean" splits that do not overlap, or those of the
    "paper" to compare with published figures. The rest is for `csv`:

    inputs: its input columns, all but the target by default. target: the column to tell from them.
    kind: of target, found out by default. window: rows a sequence. stride: rows from one sequence's
    start to the next.
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
    """The folder given as `data`, once all `files` are in it; a ValueError that says where to get
    them otherwise. gzipped: a file may have .gz behind its name instead (`plain_or_gzipped`)."""
    where = f"they come from {address}"
    if options.data is None:
        raise ValueError(
            f"task {task} reads a folder of files; give it with --data DIR ({files[0]} …; {where})"
        )
    folder = Path(options.data)
    if not folder.is_dir():
        raise ValueError(
            f"--data {options.data} is not a folder; task {task} needs one with {files[0]} … ({where})"
        )
    paths = [plain_or_gzipped(folder / name) if gzipped else folder / name for name in files]
    missing = [name for name, path in zip(files, paths, strict=True) if not path.is_file()]
    if missing:
        raise ValueError(
            f"{folder} has no {missing[0]} ({len(missing)} of {len(files)} files missing); {where}"
        )
    return folder


def plain_or_gzipped(path: Path) -> Path:
    """The file, or the one with .gz behind its name where only that is there."""
    packed = path.with_name(path.name + ".gz")
    return packed if packed.is_file() and not path.is_file() else path
