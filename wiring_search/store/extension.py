"""A user's own neurons, scores and tasks: one Python file that a study names, nothing to fork and
nothing to install.

    NEURONS = {"gated": Dynamics(…)}                      # wiring_search.networks.neurons.dynamics
    SCORES = {"calm": Score("mean |output|", 1, measure=calm)}  # calm(network, task, seed) -> float
    TASKS = {"sines": sines}                              # sines(options) -> Task

    wiring-search search --extension mine.py --task sines --objectives error,synapses,calm

The file's text is part of the study: it stands in the store, every worker runs it, and whoever
opens the study has its names. So opening a study runs the code that it was made with: open those of
people whom you trust.

A neuron needs no compiled kernel: it runs in plain torch (`kernels.plain`), about twenty times
slower than those that have one. With a `field` its solvers are the explicit ones, and `advance` is
told which; without, it has a closed form. Scores of a file form a group of the file's name, which
is always measured; they see trained networks and the task without its test split.
"""

import hashlib
import sys
from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wiring_search.scores.catalogue import GROUPS, SCORES, Score, add_group
from wiring_search.wirings.kinds import EXPLICIT, SOLVERS
from wiring_search.workers.jobs import Beat, PackJob, PackResult

if TYPE_CHECKING:
    from wiring_search.tasks import Task, TaskOptions

TABLES = ("NEURONS", "SCORES", "TASKS")
# The extensions that this process has, by group.
_LOADED: dict[str, "Extension"] = {}


@dataclass(frozen=True)
class Extension:
    """file: where it was read, as it was named. text: what stood there."""

    file: str
    text: str

    @classmethod
    def read(cls, path: str | Path) -> "Extension":
        """The file, loaded, and each of its neurons tried once. Raises ValueError for what is wrong
        with it."""
        try:
            found = cls(str(path), Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as cause:
            raise ValueError(
                f"--extension {path} cannot be read: {cause}; name a Python file"
            ) from cause
        for name in found.load().get("NEURONS", {}):
            _try_neuron(found.file, name)
        return found

    @property
    def group(self) -> str:
        """Of its scores."""
        return Path(self.file).stem

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of what it says."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    def __str__(self) -> str:
        return f"{self.file} ({self.digest})"

    def load(self) -> dict[str, dict[str, Any]]:
        """Add what the file defines to the tables of this process, once; the tables that it has.
        Raises ValueError for a file that does not run, for what is no neuron, score or task, and
        for names that are taken."""
        loaded = _LOADED.get(self.group)
        if loaded is None:
            tables = self._tables()
            _add(self, tables)
            _LOADED[self.group] = self
            return tables
        if loaded.text != self.text:
            raise ValueError(
                f"{loaded} and {self} are two texts, and a study keeps to the one that it began with: put the old one back, or search into "
                "another folder (in a running Python: start it anew, or give the file another name)"
            )
        return _tables_of(sys.modules[self._module])

    def refuse_changed(self) -> None:
        """Raises ValueError where the file says something else by now."""
        path = Path(self.file)
        if path.is_file() and path.read_text(encoding="utf-8") != self.text:
            raise ValueError(
                f"{self.file} has changed since the study began, and a study keeps to one text ({self.digest}); put the old one back, "
                "or search into another folder with the new one. (Where the file is not there, the text in the store is used.)"
            )

    @property
    def _module(self) -> str:
        return f"wiring_search_extension_{self.group}"

    def _tables(self) -> dict[str, dict[str, Any]]:
        module = ModuleType(self._module)
        module.__file__ = self.file
        sys.modules[self._module] = module  # dataclasses look their module up
        try:
            exec(compile(self.text, self.file, "exec"), module.__dict__)
        except (
            Exception
        ) as cause:  # a user's code may raise anything; the user is told which line did
            raise ValueError(
                f"{self.file}{_line(cause, self.file)} cannot be run: {type(cause).__name__}: {cause}"
            ) from cause
        return _tables_of(module)


def extended(
    extension: Extension | None, train: Callable[..., PackResult]
) -> Callable[..., PackResult]:
    """What a worker trains with, in a process that may not have loaded the extension yet."""
    return train if extension is None else partial(_train, extension, train)


def _train(
    extension: Extension, train: Callable[..., PackResult], task: "Task", job: PackJob, beat: Beat
) -> PackResult:
    extension.load()
    return train(task, job, beat)


def _tables_of(module: ModuleType) -> dict[str, dict[str, Any]]:
    return {name: getattr(module, name) for name in TABLES if hasattr(module, name)}


def _add(extension: Extension, tables: dict[str, dict[str, Any]]) -> None:
    """All of it or nothing."""
    from wiring_search import tasks
    from wiring_search.networks import neurons
    from wiring_search.networks.neurons.dynamics import Dynamics

    file, group = extension.file, extension.group
    wanted: dict[str, tuple[str, Any, Container[str]]] = {
        "NEURONS": ("a Dynamics", Dynamics, SOLVERS),
        "SCORES": ("a Score", Score, SCORES),
        "TASKS": ("a function of TaskOptions", Callable, tasks.TASKS),
    }
    if not any(tables.values()):
        raise ValueError(
            f"{file} defines none of {', '.join(TABLES)}; define one, a dictionary of things by name"
        )
    for table, entries in tables.items():
        words, kind, taken = wanted[table]
        if not isinstance(entries, dict):
            raise ValueError(f"{file}: {table} is {entries!r}; give a dictionary of things by name")
        for name, entry in entries.items():
            if not isinstance(entry, kind):
                raise ValueError(f"{file}: {table}[{name!r}] is {entry!r}; give {words}")
            if name in taken:
                raise ValueError(
                    f"{file}: {table}[{name!r}] exists already; give yours another name"
                )
            if table == "SCORES" and entry.measure is None:
                raise ValueError(
                    f"{file}: SCORES[{name!r}] has no measure; give Score(…, measure=FUNCTION)"
                )
    if group in GROUPS and "SCORES" in tables:
        raise ValueError(
            f"{file}: its scores would be the group {group!r}, which exists; give the file another name"
        )
    for name, dynamics in tables.get("NEURONS", {}).items():
        SOLVERS[name] = ("closed-form",) if dynamics.field is None else EXPLICIT
        neurons.NEURONS[name] = dynamics
    if "SCORES" in tables:
        add_group(group, tables["SCORES"])
    for name, make in tables.get("TASKS", {}).items():
        summary = (make.__doc__ or f"of {file}").strip().splitlines()[0]
        tasks.TASKS[name] = tasks.Entry(partial(_task, file, name, make), summary)


def _task(
    file: str, name: str, make: "Callable[[TaskOptions], Task]", options: "TaskOptions"
) -> "Task":
    from wiring_search.tasks import Task, checked

    task = make(options)
    if not isinstance(task, Task):
        raise ValueError(f"{file}: TASKS[{name!r}] gave {task!r}; give a Task")
    try:
        return checked(task)
    except ValueError as fault:
        raise ValueError(f"{file}: task {name}: {fault}") from None


def _try_neuron(file: str, name: str) -> None:
    """A tiny network of it, forward and backward, so that a fault is told once, here, and not of
    every candidate."""
    import torch

    from wiring_search.networks.liquid_network import LiquidNetwork
    from wiring_search.wirings.topologies import ncp

    try:
        network = LiquidNetwork(ncp(2, 3, 2, 1, 2, 2, 1, 2), neuron=name, steps=1)
        y, _ = network(torch.ones(2, 3, 2))
        y.sum().backward()
    except Exception as cause:  # likewise
        where = _line(cause, file)
        raise ValueError(
            f"{file}{where}: neuron {name!r} does not run: {type(cause).__name__}: {cause}"
        ) from cause
    if not bool(torch.isfinite(y).all()):
        raise ValueError(f"{file}: neuron {name!r} does not run: its first outputs are not finite")


def _line(cause: BaseException, file: str) -> str:
    """ ", line N" where it went wrong in the file."""
    if isinstance(cause, SyntaxError):
        return f", line {cause.lineno}"
    lines, at = [], cause.__traceback__
    while at is not None:
        if at.tb_frame.f_code.co_filename == file:
            lines.append(at.tb_lineno)
        at = at.tb_next
    return f", line {lines[-1]}" if lines else ""
