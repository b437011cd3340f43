"""What a search shows while it runs: a live view in a terminal, a line now and then elsewhere,
nothing where nothing is wanted."""

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
    """Gives the watcher that a search calls; shows what it is told until the block ends. budget:
    what the search may take."""
    if quiet:
        yield lambda event: None
        return
    monitor = Monitor(config, budget)
    moving = console.is_terminal and not console.is_dumb_terminal
    with live(monitor, console) if moving else lines(monitor, console) as watch:
        yield watch
