"""Progress without a terminal: a line now and then, and one at the end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from wiring_search.cli.progress.counting import SECONDS_BETWEEN_LINES
from wiring_search.cli.progress.wording import event_line, progress_line
from wiring_search.search.events import Event, PackDone, Watcher
from wiring_search.search.monitor import Monitor


@contextmanager
def lines(monitor: Monitor, console: Console) -> Iterator[Watcher]:
    watch = _Lines(monitor, console)
    try:
        yield watch
    finally:
        watch.print_progress(over=True)


class _Lines:
    def __init__(self, monitor: Monitor, console: Console) -> None:
        self._monitor = monitor
        self._console = console
        # When the last line was printed, and how many results it counted.
        self._last = 0.0
        self._counted = 0

    def __call__(self, event: Event) -> None:
        self._monitor.take(event)
        if (text := event_line(event)) is not None:
            self._print(text)
        # Restored packs arrive all at once.
        if (
            isinstance(event, PackDone)
            and not event.restored
            and time.monotonic() - self._last >= SECONDS_BETWEEN_LINES
        ):
            self.print_progress()

    def print_progress(self, over: bool = False) -> None:
        if self._monitor.results > self._counted:
            self._last = time.monotonic()
            self._counted = self._monitor.results
            self._print(progress_line(self._monitor, over or self._monitor.work_to_do() == 0))

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
