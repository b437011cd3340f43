"""The command line. Every command reads and writes run folders; what it does is in
`wiring_search.run` and `wiring_search.run`.

Heavy libraries are imported inside the commands, so that `--help` answers at once.
"""

import sys
from typing import Any, NoReturn

import typer

# isort: off
# Importing a file of commands adds them to the application, so this is the order in which help lists them.
from wiring_search.cli import search, show, compare, factors, examine, retrain, export  # noqa: F401
# isort: on

from wiring_search.cli.options import app, errors
from wiring_search.cli.tables import plain
from wiring_search.workers.pool import NoWorkerStarts

# Typer carries a click of its own in some versions, and uses the installed one in others; this is
# the one it raises.
_UsageFault: Any = typer.BadParameter.__base__


def main() -> None:
    """The entry point: faults of the input end in one sentence, an interrupt in how to go on."""
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except typer.Abort:
        sys.exit(130)
    except (ValueError, NoWorkerStarts) as fault:
        _end(str(fault))
    except _UsageFault as fault:
        _end(f"{fault.format_message()} (see wiring-search --help)")


def _end(fault: str) -> NoReturn:
    errors.print(f"[bold red]error:[/] {plain(fault)}", soft_wrap=True)
    sys.exit(2)
