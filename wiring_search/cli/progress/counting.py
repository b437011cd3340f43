"""A bar in a terminal, or a line now and then elsewhere, of anything that is done piece by
piece."""

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
    """Gives the watcher of baselines that train, one after another."""
    with counted(console, "baselines", quiet) as told:
        yield lambda event: told(event.done, event.count, _doing(event))


@contextmanager
def counted(console: Console, what: str, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Gives a function (done, count, doing="") to be told of anything that is done piece by piece.
    what: the pieces, in the plural."""
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
        TextColumn("{task.fields[news]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=None, news="")
        yield lambda done, count, doing="": bar.update(
            task, completed=done, total=count, news=doing
        )


def _counted_lines(console: Console, what: str) -> Callable[..., None]:
    last = -math.inf  # the first line at once: what may take long says what it is

    def told(done: int, count: int, doing: str = "") -> None:
        nonlocal last
        if done == count or time.monotonic() - last >= SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            console.print(
                f"{done} of {count} {what}{' · ' if doing else ''}{doing}",
                highlight=False,
                soft_wrap=True,
            )

    return told


def _doing(event: BaselineDone | BaselineEpoch) -> str:
    if isinstance(event, BaselineDone):
        return f"{event.name}: error {event.outcome.error:.4g}"
    return f"{event.names}: epoch {event.epoch} of {event.epochs}"
