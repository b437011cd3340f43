"""A digest of source files, followed through their imports: what compiled code was made of."""

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path


def digest_of(modules: Iterable[str]) -> str:
    """The SHA-256 of the files of these loaded modules and of all modules of the same packages that
    they import.

    A function compiled by numba has the values of its globals in it, so a constant counts with the
    module that it was imported from. Only imports at a module's top level count: compiled functions
    cannot import.
    """
    waiting, files = list(modules), {}
    packages = {name.partition(".")[0] for name in waiting}
    while waiting:
        name = waiting.pop()
        if name not in files:
            files[name] = Path(str(sys.modules[name].__file__)).read_bytes()
            imported = _imported(name, files[name])
            waiting += [other for other in imported if other.partition(".")[0] in packages]
    return hashlib.sha256(b"".join(files[name] for name in sorted(files))).hexdigest()


def _imported(name: str, source: bytes) -> Iterator[str]:
    """The modules that a module's top level imports, by their full names."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                package = str(sys.modules[name].__package__).split(".")
                origin = ".".join(
                    [*package[: len(package) - node.level + 1], *filter(None, [origin])]
                )
            yield origin
            below = (f"{origin}.{alias.name}" for alias in node.names)
            yield from (module for module in below if module in sys.modules)
