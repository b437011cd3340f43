"""Extensions: a user's neurons, scores, tasks, samplers and export formats in one Python file.

There is nothing to fork or install.

    NEURONS = {"gated": Dynamics(…)}                      # wiring_search.networks.neurons.dynamics
    SCORES = {"calm": Score("mean |output|", 1, measure=calm)}  # calm(network, task, seed) -> float
    TASKS = {"sines": sines}                              # sines(options) -> Task
    SAMPLERS = {"mine": MySampler}                        # or a function (config, space) -> Sampler
    EXPORTS = {"rust": Format(…)}                         # wiring_search.export.Format

    wiring-search search --extension mine.py --task sines --objectives error,synapses,calm

The study keeps the file's text, so that every worker can run it, and a description of what it
defines: names, solvers, units and directions. An `Extension` is a value, and its code runs only
when `load` is called: by a search, a worker, and what needs the task or the networks.
Reading a study (table, front, report, comparison) needs the description alone. So search, resume,
retrain, examine and export only studies of people whom you trust.

A neuron needs no compiled kernel. Without one it runs in plain torch (`networks.kernels.plain`),
about twenty times slower. With a `field` it has the explicit solvers, and `advance` is given the
solver's name; without one it has a closed form. The scores of a file form a group with the file's
name, which is always measured. Scores see trained networks, and the task without its test split.
"""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from wiring_search.scores.catalogue import MEASURED, Score
from wiring_search.store.extension_tables import TABLES, Description
from wiring_search.workers.jobs import Beat, PackJob, PackResult

if TYPE_CHECKING:
    from wiring_search.tasks import Task

# Descriptions by table and name.
Contents = dict[str, dict[str, Description]]

# The extensions whose code this process has run, by group.
LOADED: dict[str, "Extension"] = {}
# What this process knows of extensions: group and description, by table and name.
DECLARED: dict[tuple[str, str], tuple[str, Description]] = {}


@dataclass(frozen=True)
class Extension:
    """A Python file of a user, as a value.

    Attributes:
        file: The path that the user gave.
        text: The file's text.
        contents: Descriptions of what the file defines, by table and name. None in studies of
            version 0.2.0 and earlier, which did not keep them.
    """

    file: str
    text: str
    contents: Contents | None = None

    @classmethod
    def read(cls, path: str | Path) -> "Extension":
        """Read the file, run its code, and try each of its neurons once.

        Raises:
            ValueError: The file cannot be read or run, or something in it is wrong.
        """
        try:
            extension = cls(str(path), Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as cause:
            raise ValueError(
                f"--extension {path} cannot be read: {cause}; name a Python file"
            ) from cause
        extension = extension.described()
        for table, entries in (extension.contents or {}).items():
            for name in entries:
                extension._try_out(table, name)
        return extension

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Extension":
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def group(self) -> str:
        """The group of its scores: the file's name without its suffix."""
        return Path(self.file).stem

    @property
    def digest(self) -> str:
        """Eight hexadecimal digits of the text's hash."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:8]

    @property
    def scores(self) -> dict[str, Score]:
        """Its scores by name, without their measures; none where no contents are known."""
        described = (self.contents or {}).get("SCORES", {})
        return {name: Score(**description) for name, description in described.items()}

    def defines_task(self, name: str) -> bool:
        return name in (self.contents or {}).get("TASKS", {})

    @property
    def is_loaded(self) -> bool:
        """Whether this process has run its code."""
        return self.group in LOADED and LOADED[self.group].text == self.text

    def __str__(self) -> str:
        return f"{self.file} ({self.digest})"

    def described(self) -> "Extension":
        """The same extension with its contents. Runs its code where they are not known."""
        return self if self.contents is not None else replace(self, contents=self.load())

    def declare(self) -> None:
        """Make its names known to this process, for reading. Runs none of its code.

        Raises:
            ValueError: A name already means something else here.
        """
        described = {
            (table, name): description
            for table, entries in (self.contents or {}).items()
            if table in TABLES
            for name, description in entries.items()
        }
        new = {
            key: description
            for key, description in described.items()
            if DECLARED.get(key) != (self.group, description)
        }
        for table, name in new:
            if (table, name) in DECLARED or name in TABLES[table].names():
                raise ValueError(
                    f"{self.file}: {table}[{name!r}] exists already; give yours another name"
                )
        for (table, name), description in new.items():
            TABLES[table].declare(self.group, name, description)
            DECLARED[table, name] = self.group, description

    def load(self) -> Contents:
        """Run its code, once per process, and add what it defines to this process.

        Returns:
            Descriptions of what it defines, by table and name.

        Raises:
            ValueError: The file does not run, an entry is of the wrong type, a name is taken, or
                this process has loaded another text of the same name.
        """
        loaded = LOADED.get(self.group)
        if loaded is None:
            tables = self._run()
            self._refuse_faults(tables)
            contents = {
                table: {name: TABLES[table].describe(entry) for name, entry in entries.items()}
                for table, entries in tables.items()
            }
            loaded = replace(self, contents=contents)
            loaded.declare()
            for table, entries in tables.items():
                for name, entry in entries.items():
                    TABLES[table].add(self.file, self.group, name, entry)
            LOADED[self.group] = loaded
        elif loaded.text != self.text:
            raise ValueError(
                f"{loaded} and {self} are two texts, and a study keeps the text that it began "
                "with; put the old text back, or search into another folder (in a running Python: "
                "restart it, or rename the file)"
            )
        assert loaded.contents is not None, "what is loaded is described"
        return loaded.contents

    def refuse_changed(self) -> None:
        """Raises ValueError where the file has changed since the study began."""
        path = Path(self.file)
        if path.is_file() and path.read_text(encoding="utf-8") != self.text:
            raise ValueError(
                f"{self.file} has changed since the study began with the text {self.digest}; put "
                "that text back, or search into another folder with the new one. (If the file is "
                "absent, the text in the store is used.)"
            )

    def _run(self) -> dict[str, dict[str, Any]]:
        """Run the text as a module; the tables that it defines."""
        name = f"wiring_search_extension_{self.group}"
        module = ModuleType(name)
        module.__file__ = self.file
        sys.modules[name] = module  # dataclasses look their module up
        try:
            exec(compile(self.text, self.file, "exec"), module.__dict__)
        except Exception as cause:  # a user's code may raise anything
            raise ValueError(
                f"{self.file}{_line(cause, self.file)} cannot be run: "
                f"{type(cause).__name__}: {cause}"
            ) from cause
        return {table: getattr(module, table) for table in TABLES if hasattr(module, table)}

    def _refuse_faults(self, tables: dict[str, Any]) -> None:
        if not any(tables.values()):
            raise ValueError(
                f"{self.file} defines none of {', '.join(TABLES)}; define at least one of them, "
                "a dictionary of entries by name"
            )
        for table, entries in tables.items():
            if not isinstance(entries, dict):
                raise ValueError(
                    f"{self.file}: {table} is {entries!r}; give a dictionary of entries by name"
                )
            for name, entry in entries.items():
                if not TABLES[table].fits(entry):
                    raise ValueError(
                        f"{self.file}: {table}[{name!r}] is {entry!r}; give {TABLES[table].wanted}"
                    )
        if "SCORES" in tables and self.group in MEASURED:
            raise ValueError(
                f"{self.file}: its scores would form the group {self.group!r}, which exists; "
                "rename the file"
            )

    def _try_out(self, table: str, name: str) -> None:
        try:
            TABLES[table].try_out(name)
        except Exception as cause:  # a user's code may raise anything
            kind = table.lower().removesuffix("s")
            raise ValueError(
                f"{self.file}{_line(cause, self.file)}: {kind} {name!r} does not run: "
                f"{type(cause).__name__}: {cause}"
            ) from cause


def extended(
    extension: Extension | None, train: Callable[..., PackResult]
) -> Callable[..., PackResult]:
    """What a worker calls: `train`, after it has loaded the extension, where there is one."""
    return train if extension is None else partial(_train, extension, train)


def _train(
    extension: Extension, train: Callable[..., PackResult], task: "Task", job: PackJob, beat: Beat
) -> PackResult:
    extension.load()
    return train(task, job, beat)


def _line(cause: BaseException, file: str) -> str:
    """Where in the file it went wrong: ", line N", or nothing where that is unknown."""
    if isinstance(cause, SyntaxError):
        return f", line {cause.lineno}"
    lines = []
    frame = cause.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == file:
            lines.append(frame.tb_lineno)
        frame = frame.tb_next
    return f", line {lines[-1]}" if lines else ""
