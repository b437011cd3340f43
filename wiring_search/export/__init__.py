"""Trained networks as files that run elsewhere.

    export("results/mine", trial=4, to=("torch", "c"), folder="exported")

Every file is loaded again and compared with the network on validation inputs before it is kept. If
one differs, nothing is written. A README.md beside the files says how to load them, and what their
inputs and outputs are.
"""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wiring_search import __version__
from wiring_search.export import to_c, to_dot, to_graphml, to_json, to_ncps, to_onnx, to_torch
from wiring_search.export.format import Format
from wiring_search.export.parcel import Parcel, inputs_json, parcel
from wiring_search.export.readme import readme
from wiring_search.export.to_json import network_from_json
from wiring_search.export.trained_network import trained_network
from wiring_search.export.verified import Check
from wiring_search.store import Store, Trial
from wiring_search.store.extension_tables import EXTENSION_EXPORTS
from wiring_search.tasks import Task
from wiring_search.tasks.task import value_of

__all__ = [
    "FORMATS",
    "Format",
    "Written",
    "export",
    "formats",
    "network_from_json",
    "parcel",
    "parcel_of",
    "write",
]

SAMPLES = 16
RECORD = "export.json"
# done, count, the format in progress
OnProgress = Callable[[int, int, str], None]


def _show_nothing(done: int, count: int, doing: str) -> None:
    pass


def _say_nothing(name: str, why: str) -> None:
    pass


FORMATS: dict[str, Format] = {
    "torch": to_torch.FORMAT,
    "onnx": to_onnx.FORMAT,
    "ncps": to_ncps.FORMAT,
    "graphml": to_graphml.FORMAT,
    "json": to_json.FORMAT,
    "dot": to_dot.FORMAT,
    "c": to_c.FORMAT,
}


def formats() -> dict[str, Format]:
    """The formats by name: those of `FORMATS`, and those of the extensions that are loaded.

    Raises:
        ValueError: An extension's format has the name of another one.
    """
    taken = [name for name in EXTENSION_EXPORTS if name in FORMATS]
    if taken:
        raise ValueError(f"EXPORTS[{taken[0]!r}] exists already; give yours another name")
    return FORMATS | EXTENSION_EXPORTS


@dataclass(frozen=True)
class Written:
    """The files of one format, as they were written.

    Attributes:
        format: The name of the format.
        files: Their paths.
        bytes: The size of all files together.
        check: How they compare with the network.
    """

    format: str
    files: tuple[Path, ...]
    bytes: int
    check: Check


def export(
    out: str | Path,
    trial: int,
    to: Sequence[str],
    folder: str | Path,
    on_progress: OnProgress = _show_nothing,
    on_left_out: Callable[[str, str], None] = _say_nothing,
) -> list[Written]:
    """Export the trained network of a trial.

    Args:
        out: The study's folder.
        trial: The trial's number.
        to: Names of `formats()`, or "all": every format that can hold the network.
        folder: Where the files go.
        on_progress: Called before each format.
        on_left_out: Called with each format that "all" leaves out, and why.

    Returns:
        What was written, one per format.

    Raises:
        ValueError: The trial has no trained network, a format is unknown, cannot hold the network
            or lacks a package, or a file does not compute what the network computes. Nothing is
            written then.
    """
    with closing(Store.open(Path(out))) as store:
        store.config.load_extension()  # it may bring formats
        names = _formats(to)
        task = store.config.load_task()
        parcel = parcel_of(store, trial, task)
    if "all" in to:
        able = [name for name in names if not _hindrance(name, parcel)]
        for name in names:
            if name not in able:
                on_left_out(name, _hindrance(name, parcel))
        names = able
    return write(parcel, names, Path(folder), on_progress)


def parcel_of(store: Store, trial: int, task: Task) -> Parcel:
    """The trained network of a trial, with the first validation sequences of its task.

    Args:
        store: The study's store.
        trial: The trial's number.
        task: The study's task.

    Returns:
        The parcel, with `SAMPLES` validation sequences, or all if there are fewer.

    Raises:
        ValueError: The trial has no trained network.
    """
    network = trained_network(store, trial)
    found = store.trial(trial)
    assert found.candidate is not None, "it has been trained"
    shown = task.valid.first(SAMPLES)
    about = _about(store, found, task)
    name = f"{task.name}_{trial}"
    return parcel(
        found.candidate,
        network,
        name,
        about,
        shown.x,
        shown.elapsed,
        shown.lengths,
        task.inputs,
        task.targets,
    )


def write(
    parcel: Parcel, names: Sequence[str], folder: Path, on_progress: OnProgress = _show_nothing
) -> list[Written]:
    """Write a network in these formats: all of them verified, or none.

    Args:
        parcel: The network.
        names: Names of `formats()`.
        folder: Where the files go. It may hold an earlier export of the same network.
        on_progress: Called as on_progress(done, count, format) before each format, and at the end.

    Returns:
        What was written, one per format.

    Raises:
        ValueError: As `export`.
    """
    for name in names:
        if why := _hindrance(name, parcel):
            raise ValueError(f"{parcel.name} cannot be exported to {name}: {why}")
    before = _earlier(parcel, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, so that verified files only have to be renamed.
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as draft:
        written = []
        for done, name in enumerate(names):
            on_progress(done, len(names), name)
            written.append(_written(name, parcel, Path(draft)))
        on_progress(len(names), len(names), "")
        described = _describe(parcel, written, before, Path(draft))
        folder.mkdir(exist_ok=True)
        for path in (*(path for one in written for path in one.files), *described):
            os.replace(path, folder / path.name)
    return [replace(one, files=tuple(folder / path.name for path in one.files)) for one in written]


def _written(name: str, parcel: Parcel, draft: Path) -> Written:
    made = formats()[name]
    made.write(parcel, draft)
    files = tuple(draft / file for file in made.files(parcel))
    try:
        check = made.check(parcel, draft)
    except ValueError as fault:
        raise ValueError(
            f"the {name} export of {parcel.name} differs from the network: {fault}; nothing was "
            "written"
        ) from fault
    return Written(name, files, sum(path.stat().st_size for path in files), check)


def _describe(
    parcel: Parcel, written: list[Written], before: dict[str, Any], draft: Path
) -> list[Path]:
    """Write README.md, export.json and inputs.json.

    Args:
        parcel: The network.
        written: The formats of this export.
        before: The formats of an earlier export, as in export.json.
        draft: The folder to write to.

    Returns:
        The paths of the three files.
    """
    known = formats()
    listed = before | {one.format: _row(one) for one in written}
    record = {
        "name": parcel.name,
        "about": parcel.about,
        "sequences": len(parcel.x),
        "rounding": parcel.rounding,
        "formats": listed,
    }
    texts = {
        RECORD: json.dumps(record, indent=2) + "\n",
        "inputs.json": json.dumps(inputs_json(parcel), indent=2) + "\n",
        "README.md": readme(
            parcel, listed, [known[name].loading for name in listed if name in known]
        ),
    }
    for name, text in texts.items():
        (draft / name).write_text(text, encoding="utf-8")
    return [draft / name for name in texts]


def _row(one: Written) -> dict[str, Any]:
    return {
        "files": {path.name: path.stat().st_size for path in one.files},
        "largest_absolute_difference": one.check.absolute,
        "largest_relative_difference": one.check.relative,
        "microseconds_a_step": one.check.microseconds,
        **one.check.notes,
    }


def _earlier(parcel: Parcel, folder: Path) -> dict[str, Any]:
    """The formats of an earlier export of this network into the folder.

    Raises:
        ValueError: The folder holds an export of another network.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; name a folder")
    path = folder / RECORD
    if not path.is_file():
        return {}
    record = json.loads(path.read_text(encoding="utf-8"))
    if (record["name"], record["about"]) != (parcel.name, parcel.about):
        raise ValueError(
            f"{folder} holds an export of {record['name']}, another network; choose another folder "
            f"for {parcel.name}"
        )
    return record["formats"]


def _formats(to: Sequence[str]) -> list[str]:
    names = list(formats())
    unknown = [name for name in to if name not in names and name != "all"]
    known = f"give some of {', '.join(names)}, or all"
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no export format; {known}")
    if not to:
        raise ValueError(f"no export format is given; {known}")
    return names if "all" in to else list(dict.fromkeys(to))


def _hindrance(name: str, parcel: Parcel) -> str:
    made = formats()[name]
    return made.missing() or made.refused(parcel)


def _about(store: Store, trial: Trial, task: Task) -> dict[str, Any]:
    candidate = trial.candidate
    assert candidate is not None
    error = trial.score("error")
    return {
        "task": task.name,
        "source": task.source,
        "trial": trial.trial,
        "candidate": candidate.candidate_id,
        **{name: getattr(candidate, name) for name in ("neuron", "solver", "steps", "memory")},
        **{name: int(trial.score(name)) for name in ("synapses", "parameters")},
        "error": error,
        task.metric: value_of(task.metric, error),
        "measured on": "the validation split, at the best epoch of the search",
        "asked": "at each step" if task.every_step else "at the last step",
        "kind": task.kind,
        "wiring-search": __version__,
    }
