"""Progress of work in pieces: a bar in a terminal, a line now and then elsewhere."""

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from wiring_search.run import BaselineDone, BaselineEpoch, BaselineWatcher

SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def baselines_shown(console: Console, quiet: bool = False) -> Iterator[BaselineWatcher]:
    """Show the progress of baselines, which train one after another, until the block ends.

    Args:
        console: Where to show it.
        quiet: Show nothing.

    Yields:
        The watcher to call.
    """
    with counted(console, "baselines", quiet) as on_progress:
        yield lambda event: on_progress(event.done, event.count, _doing(event))


@contextmanager
def counted(console: Console, what: str, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Show how much is done until the block ends.

    Args:
        console: Where to show it.
        what: The pieces, in the plural.
        quiet: Show nothing.

    Yields:
        A function to call with (done, count, doing=""): pieces done, pieces in all, and what is
        being done.
    """
    if quiet:
        yield lambda done, count, doing="": None
        return
    if not console.is_terminal:
        yield _counted_lines(console, what)
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[doing]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=None, doing="")
        yield lambda done, count, doing="": bar.update(
            task, completed=done, total=count, doing=doing
        )


def _counted_lines(console: Console, what: str) -> Callable[..., None]:
    last = -math.inf  # so that the first line comes at once

    def on_progress(done: int, count: int, doing: str = "") -> None:
        nonlocal last
        if done == count or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            console.print(
                f"{done} of {count} {what}{' · ' if doing else ''}{doing}",
                highlight=False,
                soft_wrap=True,
            )

    return on_progress


def _doing(event: BaselineDone | BaselineEpoch) -> str:
    if isinstance(event, BaselineDone):
        return f"{event.name}: error {event.outcome.error:.4g}"
    return f"{event.names}: epoch {event.epoch} of {event.epochs}"
