"""The reference in docs/reference, made from docstrings and from the command line's help: python
docs/build_reference.py

A page a public module: what it says of itself, then its functions and classes with their
signatures. Sources are parsed, not imported, so that a page depends on nothing but the source; only
the commands are asked for their help.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "docs" / "reference"
# What README, docs and examples use, by subject.
MODULES = {
    "Searching": [
        "run",
        "run.files",
        "store",
        "store.config",
        "store.extension",
        "analysis.table",
        "analysis.enough",
        "analysis.reference_point",
        "export.trained_network",
    ],
    "Spaces and candidates": [
        "search_spaces",
        "wirings.kinds",
        "wirings.candidate",
        "wirings.wiring",
        "wirings.topologies",
        "wirings.mutation",
        "wirings.drawing",
        "scores.catalogue",
    ],
    "Networks": [
        "networks.liquid_network",
        "networks.ncps_interop",
        "networks.neurons.dynamics",
        "networks.neurons.connections",
        "networks.neurons.parameters",
        "networks.solver_accuracy",
        "networks.hypersolver",
        "networks.hypersolver_fit",
        "scores.solver_choice",
    ],
    "Tasks": ["tasks", "tasks.columns", "tasks.trivial_rules"],
    "Fronts": ["analysis.pareto", "analysis.front", "analysis.expected_error", "analysis.compare"],
    "What matters": [
        "wirings.structure",
        "analysis.importance",
        "analysis.correlations",
        "analysis.factors",
        "run.commands.screen",
    ],
    "Winners": [
        "wirings.null_controls",
        "analysis.significance",
        "analysis.generalisation_gap",
        "analysis.winners",
        "export",
    ],
}
COMMANDS = "commands.md"
Definition = ast.FunctionDef | ast.ClassDef


def build(out: Path = OUT) -> None:
    """Write all pages, and remove those of modules that are gone."""
    pages = {
        f"{_full(name)}.md": _page(_full(name)) for names in MODULES.values() for name in names
    }
    pages |= {COMMANDS: _commands(), "README.md": _index()}
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        (out / name).write_text(text, encoding="utf-8")


def _full(name: str) -> str:
    return f"wiring_search.{name}"


def _index() -> str:
    lines = [
        "# Reference",
        "",
        "Made from the docstrings by `make docs`.",
        "",
        f"[The command line]({COMMANDS})",
        "",
    ]
    for subject, names in MODULES.items():
        lines += [f"## {subject}", "", "| module | |", "|---|---|"]
        lines += [
            f"| [`{_full(name)}`]({_full(name)}.md) | {_summary(_doc(_tree(_full(name))))} |"
            for name in names
        ] + [""]
    return "\n".join(lines)


def _page(module: str) -> str:
    tree = _tree(module)
    parts = [f"# `{module}`", _doc(tree), *(_described(node) for node in _public(module, tree))]
    return "\n\n".join(filter(None, parts)) + "\n"


def _tree(module: str) -> ast.Module:
    path = ROOT.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text(encoding="utf-8"))


def _public(module: str, tree: ast.Module) -> Iterator[Definition]:
    """What a module defines, and what a package shows of its modules, in the order of the
    source."""
    shown = [name for node in tree.body if _is_all(node) for name in ast.literal_eval(node.value)]
    for node in tree.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
        elif (
            isinstance(node, ast.ImportFrom)
            and node.module
            and node.module.startswith(f"{module}.")
        ):
            defined = {
                inner.name: inner
                for inner in _tree(node.module).body
                if isinstance(inner, Definition)
            }
            names = (alias.name for alias in node.names)
            yield from (
                defined[name] for name in names if name in defined and (not shown or name in shown)
            )


def _is_all(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"


def _described(node: Definition) -> str:
    if isinstance(node, ast.FunctionDef):
        return f"## `{node.name}`\n\n{_code(_signature(node))}\n\n{_doc(node)}".rstrip()
    bases = ", ".join(map(ast.unparse, node.bases))
    fields = [
        ast.unparse(inner)
        for inner in node.body
        if isinstance(inner, ast.AnnAssign) and not inner.target.id.startswith("_")
    ]
    head = "\n".join(
        [
            f"class {node.name}({bases}):" if bases else f"class {node.name}:",
            *(f"    {field}" for field in fields),
        ]
    )
    methods = [
        inner for inner in node.body if isinstance(inner, ast.FunctionDef) and _is_shown(inner)
    ]
    parts = [f"## `{node.name}`", _code(head.rstrip(":") if not fields else head), _doc(node)]
    parts += [
        f"### `{node.name}.{method.name}`\n\n{_code(_signature(method))}\n\n{_doc(method)}".rstrip()
        for method in methods
    ]
    return "\n\n".join(filter(None, parts))


def _is_shown(method: ast.FunctionDef) -> bool:
    return method.name in ("__init__", "forward") or (
        not method.name.startswith("_") and ast.get_docstring(method) is not None
    )


def _signature(node: ast.FunctionDef) -> str:
    """One line, or one an argument where that is too long."""
    kind = "".join(f"@{ast.unparse(mark)}\n" for mark in node.decorator_list)
    arguments = [
        re.sub(r"^(\w+: [^=]+)=", r"\1 = ", argument) for argument in _split(ast.unparse(node.args))
    ]
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    line = f"def {node.name}({', '.join(arguments)}){returns}"
    if len(line) <= 110:
        return kind + line
    return f"{kind}def {node.name}(\n    " + ",\n    ".join(arguments) + f",\n){returns}"


def _split(arguments: str) -> list[str]:
    """At the commas that stand in no bracket and no text."""
    parts, depth, quote, start = [], 0, "", 0
    for at, letter in enumerate(arguments):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"":
            quote = letter
        else:
            depth += (letter in "([{") - (letter in ")]}")
            if letter == "," and depth == 0:
                parts.append(arguments[start:at].strip())
                start = at + 1
    return [*parts, arguments[start:].strip()]


def _code(text: str) -> str:
    return f"```python\n{text}\n```"


def _doc(node: ast.Module | Definition) -> str:
    """As Markdown: what stands indented is code there too."""
    return inspect.cleandoc(ast.get_docstring(node, clean=False) or "")


def _summary(doc: str) -> str:
    """The first sentence."""
    return re.split(r"(?<=[.?])\s", " ".join(doc.split("\n\n")[0].split()))[0].rstrip(":.")


def _commands() -> str:
    """Every command with its options, as its help has them."""
    import typer

    from wiring_search.cli import app

    group = typer.main.get_command(app)
    parts = ["# The command line", _markdown(group.help or "")]
    for name, command in group.commands.items():
        arguments = [
            parameter for parameter in command.params if parameter.param_type_name == "argument"
        ]
        options = [
            p for p in command.params if p.param_type_name == "option" and "--help" not in p.opts
        ]
        usage = " ".join(
            ["wiring-search", name, *(argument.metavar for argument in arguments), "[OPTIONS]"]
        )
        rows = [f"| `{argument.metavar}` | {argument.help} | |" for argument in arguments]
        rows += [
            f"| {_spelled(option)} | {_cell(option.help or '')} | {_default(option)} |"
            for option in options
        ]
        table = "\n".join(["| | | default |", "|---|---|---|", *rows]) if rows else ""
        parts += [
            f"## `{name}`",
            _code(usage).replace("python", "sh"),
            _markdown(command.help or ""),
            table,
        ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _markdown(text: str) -> str:
    """From the markup of rich: examples become blocks of code."""
    text = re.sub(r"\[/?bold\]|\[/\]", "**", inspect.cleandoc(text))
    lines = text.split("\n")
    return "\n".join(
        f"    {line.strip()}" if re.match(r"\s+wiring-search", line) else line for line in lines
    )


def _spelled(option) -> str:
    return ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(option) -> str:
    default = option.default
    return "" if default in (None, "") or default is False or callable(default) else f"`{default}`"


if __name__ == "__main__":
    build()
