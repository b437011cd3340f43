"""A trained network in a form that runs elsewhere.

    export("results/mine", trial=4, to=("torch", "c"), folder="taken")

Every file is loaded again and held to the network on validation inputs before it is put in place;
what does not agree is not written. A README.md beside the files tells how to load them and what
goes in and comes out.
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
from wiring_search.export.parcel import Parcel, inputs_json, parcel
from wiring_search.export.readme import readme
from wiring_search.export.to_json import network_from_json
from wiring_search.export.trained_network import trained_network
from wiring_search.export.verified import Check
from wiring_search.store import Store, Trial
from wiring_search.tasks import Task
from wiring_search.tasks.task import value_of

__all__ = ["FORMATS", "Written", "export", "network_from_json", "parcel", "parcel_of", "write"]

SAMPLES = 16
RECORD = "export.json"
_Told = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Format:
    """summary: what a reader is told. write(parcel, folder); files(parcel): their names;
    check(parcel, folder): loads them again and compares, raises ValueError. missing(): what has to
    be installed; refused(parcel): why it cannot hold this network; nothing, usually."""

    summary: str
    write: Callable[[Parcel, Path], None]
    files: Callable[[Parcel], Sequence[str]]
    check: Callable[[Parcel, Path], Check]
    missing: Callable[[], str] = lambda: ""
    refused: Callable[[Parcel], str] = lambda parcel: ""


FORMATS = {
    "torch": Format(
        "torch.export, runs with torch alone",
        to_torch.write,
        lambda p: to_torch.FILES,
        to_torch.check,
    ),
    "onnx": Format(
        "ONNX, for onnxruntime and others",
        to_onnx.write,
        lambda p: to_onnx.FILES,
        to_onnx.check,
        to_onnx.missing,
    ),
    "ncps": Format(
        "a module of the ncps package",
        to_ncps.write,
        to_ncps.files,
        to_ncps.check,
        to_ncps.missing,
        to_ncps.refused,
    ),
    "graphml": Format(
        "the graph with its weights", to_graphml.write, lambda p: to_graphml.FILES, to_graphml.check
    ),
    "json": Format(
        "all of it, to be read by anything", to_json.write, lambda p: to_json.FILES, to_json.check
    ),
    "dot": Format("a picture for Graphviz", to_dot.write, lambda p: to_dot.FILES, to_dot.check),
    "c": Format(
        "a C99 header for microcontrollers",
        to_c.write,
        to_c.files,
        to_c.check,
        to_c.missing,
        to_c.refused,
    ),
}


@dataclass(frozen=True)
class Written:
    """One format's files, their bytes together, and how they compare with the network."""

    format: str
    files: tuple[Path, ...]
    bytes: int
    check: Check


def export(
    out: str | Path,
    trial: int,
    to: Sequence[str],
    folder: str | Path,
    told: _Told = lambda done, count, doing: None,
    left_out: Callable[[str, str], None] = lambda name, why: None,
) -> list[Written]:
    """Write the trained network of a trial of the study in `out` into `folder`, in the formats `to`
    (of FORMATS, or "all").

    told: hears of the progress. left_out: of a format that "all" left out, and why. Raises
    ValueError for trials that have no trained network, unknown formats, formats that cannot hold
    this network or lack a package, and files that do not compute what the network does; then
    nothing is written.
    """
    names = _formats(to)
    with closing(Store.open(Path(out))) as store:
        task = store.config.load_task()
        taken = parcel_of(store, trial, task)
    if "all" in to:
        able = [name for name in names if not _hindrance(name, taken)]
        for name in names:
            if name not in able:
                left_out(name, _hindrance(name, taken))
        names = able
    return write(taken, names, Path(folder), told)


def parcel_of(store: Store, trial: int, task: Task) -> Parcel:
    """The trained network of a trial with the first validation sequences of its task. Raises
    ValueError as `trained_network` does."""
    network, found = trained_network(store, trial), store.trial(trial)
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
    taken: Parcel, names: Sequence[str], folder: Path, told: _Told = lambda done, count, doing: None
) -> list[Written]:
    """Write a network in these formats: all of them verified, or none. Raises ValueError as
    `export` does."""
    for name in names:
        if why := _hindrance(name, taken):
            raise ValueError(f"{taken.name} cannot be exported to {name}: {why}")
    before = _earlier(taken, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside the folder, so that files are put in place by renaming them.
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as room:
        written = []
        for done, name in enumerate(names):
            told(done, len(names), name)
            written.append(_written(name, taken, Path(room)))
        told(len(names), len(names), "")
        described = _describe(taken, written, before, Path(room))
        folder.mkdir(exist_ok=True)
        for path in (*(path for one in written for path in one.files), *described):
            os.replace(path, folder / path.name)
    return [replace(one, files=tuple(folder / path.name for path in one.files)) for one in written]


def _written(name: str, taken: Parcel, room: Path) -> Written:
    kind = FORMATS[name]
    kind.write(taken, room)
    files = tuple(room / file for file in kind.files(taken))
    try:
        check = kind.check(taken, room)
    except ValueError as fault:
        raise ValueError(
            f"the {name} export of {taken.name} is not what the network is: {fault}; nothing was written"
        ) from fault
    return Written(name, files, sum(path.stat().st_size for path in files), check)


def _describe(
    taken: Parcel, written: list[Written], before: dict[str, Any], room: Path
) -> list[Path]:
    """The files beside the formats' own. before: formats that are there already, as in
    export.json."""
    formats = before | {one.format: _row(one) for one in written}
    record = {
        "name": taken.name,
        "about": taken.about,
        "sequences": len(taken.x),
        "rounding": taken.rounding,
        "formats": formats,
    }
    texts = {
        RECORD: json.dumps(record, indent=2) + "\n",
        "inputs.json": json.dumps(inputs_json(taken), indent=2) + "\n",
        "README.md": readme(taken, formats),
    }
    for name, text in texts.items():
        (room / name).write_text(text, encoding="utf-8")
    return [room / name for name in texts]


def _row(one: Written) -> dict[str, Any]:
    return {
        "files": {path.name: path.stat().st_size for path in one.files},
        "largest_absolute_difference": one.check.absolute,
        "largest_relative_difference": one.check.relative,
        "microseconds_a_step": one.check.microseconds,
        **one.check.notes,
    }


def _earlier(taken: Parcel, folder: Path) -> dict[str, Any]:
    """Formats of the same network that the folder has already. Raises ValueError where it has
    another one's."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; name a folder to export into")
    path = folder / RECORD
    if not path.is_file():
        return {}
    record = json.loads(path.read_text(encoding="utf-8"))
    if (record["name"], record["about"]) != (taken.name, taken.about):
        raise ValueError(
            f"{folder} has an export of {record['name']}, another network; choose another folder for {taken.name}"
        )
    return record["formats"]


def _formats(to: Sequence[str]) -> list[str]:
    unknown = [name for name in to if name not in FORMATS and name != "all"]
    if unknown or not to:
        raise ValueError(
            f"{unknown[0] if unknown else 'nothing'!r} is no format to export to; known: {', '.join(FORMATS)}, or all"
        )
    return list(FORMATS) if "all" in to else list(dict.fromkeys(to))


def _hindrance(name: str, taken: Parcel) -> str:
    return FORMATS[name].missing() or FORMATS[name].refused(taken)


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
