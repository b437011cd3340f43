"""The command line: one file per command in `cli.commands`, its work in `run.commands`.

Commands import heavy libraries when they run, so that `--help` answers at once.
"""

import importlib
import pkgutil
import sys
from typing import Annotated, Any, NoReturn

import typer
from typer.models import CommandInfo

from wiring_search import __version__
from wiring_search.cli import commands
from wiring_search.cli.options import PANELS, app, console, errors
from wiring_search.cli.tables import plain
from wiring_search.workers.pool import NoWorkerStarts

__all__ = ["app", "main"]

# Some versions of typer bundle a click, others use the installed one; this is what it raises.
_UsageFault: Any = typer.BadParameter.__base__

# A file in commands/ is a command: importing it registers what it defines.
for _file in pkgutil.iter_modules(commands.__path__):
    importlib.import_module(f"{commands.__name__}.{_file.name}")
# Commands to start with come first in their panel; the others follow by the alphabet.
_FIRST = ("retrain", "show", "front", "resume", "search")


def _order(command: CommandInfo) -> tuple[int, int]:
    assert command.callback is not None
    first = _FIRST.index(name) if (name := command.callback.__name__) in _FIRST else -1
    return PANELS.index(str(command.rich_help_panel)), -first


app.registered_commands.sort(key=_order)


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        console.print(f"wiring-search {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


def main() -> None:
    """Run the command line.

    An error of the input ends in one sentence; an interrupt says how to resume.
    """
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)
    except (ValueError, NoWorkerStarts) as fault:
        _end(str(fault))
    except OSError as fault:
        _end(f"{fault.filename or 'the system'}: {fault.strerror or fault}")
    except _UsageFault as fault:
        _end(f"{fault.format_message()} (see wiring-search --help)")


def _end(fault: str) -> NoReturn:
    errors.print(f"[bold red]error:[/] {plain(fault)}", soft_wrap=True)
    sys.exit(2)
