"""The display of a running search: a live view in a terminal, a line now and then elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from wiring_search.cli.progress.counting import baselines_shown, counted
from wiring_search.cli.progress.lines import lines
from wiring_search.cli.progress.live import live
from wiring_search.search.budget import Budget
from wiring_search.search.events import Watcher
from wiring_search.search.monitor import Monitor
from wiring_search.store.config import StudyConfig

__all__ = ["baselines_shown", "counted", "shown"]


@contextmanager
def shown(
    config: StudyConfig, console: Console, quiet: bool = False, budget: Budget | None = None
) -> Iterator[Watcher]:
    """Show the events of a search until the block ends.

    Args:
        config: Settings of the search.
        console: Where to show them.
        quiet: Show nothing.
        budget: What the search may take.

    Yields:
        The watcher that the search calls.
    """
    if quiet:
        yield lambda event: None
        return
    monitor = Monitor(config, budget)
    moving = console.is_terminal and not console.is_dumb_terminal
    with live(monitor, console) if moving else lines(monitor, console) as watch:
        yield watch
