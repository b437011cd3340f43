"""The modules of `web/` as plain scripts, for a page that loads nothing.

A module that stands in a page cannot be imported from another one there. So each becomes a script
with one object that has the module's name: `tip.js` becomes `const Tip = (() => { ... return
{openTip}; })();`. An import takes names out of that object.
"""

import re
from functools import cache
from importlib.resources import files

WEB = files("wiring_search.report") / "web"
_IMPORT = re.compile(r'^import (?:\{([^}]+)\}|\* as (\w+)) from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export \{([^}]+)\};\n", re.MULTILINE)
_OTHER = re.compile(r"^(?:import|export)\b.*", re.MULTILINE)


def linked(name: str, present: set[str]) -> list[str]:
    """Return the scripts of a module; those that it imports come first.

    Args:
        name: A file of `web/`.
        present: Modules that the page has already; this one and its imports are added.

    Raises:
        ValueError: A module imports or exports in another form than `import {a, b} from
            "./file.js"`, `import * as File from "./file.js"` and `export {a, b}`.
    """
    if name in present:
        return []
    present.add(name)
    imported = [script for needed in _imports(name) for script in linked(needed, present)]
    return [*imported, _script(name)]


def namespace(name: str) -> str:
    """Return the object that holds what a module exports."""
    return name.removesuffix(".js").capitalize()


@cache
def _source(name: str) -> str:
    return (WEB / name).read_text(encoding="utf-8")


def _imports(name: str) -> list[str]:
    return [match[3] for match in _IMPORT.finditer(_source(name))]


def _script(name: str) -> str:
    def imported(match: re.Match[str]) -> str:
        names, alias, module = match.groups()
        if alias == namespace(module):
            return ""
        return f"const {{{names}}} = {namespace(module)};\n" if names else match[0]

    body = _EXPORT.sub(r"return {\1};\n", _IMPORT.sub(imported, _source(name)))
    if other := _OTHER.search(body):
        forms = 'import {a, b} from "./file.js", import * as File from "./file.js" or export {a, b}'
        raise ValueError(f"{name}: {other[0]!r} cannot be put into a page; write {forms}")
    return f'"use strict";\nconst {namespace(name)} = (() => {{\n{body}}})();\n'
