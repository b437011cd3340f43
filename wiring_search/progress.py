"""What a search shows while it runs: a live bar in a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from wiring_search.config import StudyConfig
from wiring_search.events import Event, Exhausted, KernelPrepared, PackDone, TaskLoaded, Watcher
from wiring_search.records import Outcome, Status
from wiring_search.run import BaselineDone, BaselineEpoch, BaselineWatcher

_SECONDS_BETWEEN_LINES = 5.0


@contextmanager
def shown(config: StudyConfig, console: Console, quiet: bool = False) -> Iterator[Watcher]:
    """Gives the watcher that a search calls; shows what it is told until the block ends."""
    if quiet:
        yield lambda event: None
        return
    tally = _Tally(config.trials)
    if not console.is_terminal:
        yield _Lines(tally, console)
        return
    with Progress(*_columns(), console=console) as bar:
        yield _Bar(tally, bar, bar.add_task(config.task, total=config.trials, news="starting the workers"))


@contextmanager
def baselines_shown(console: Console, quiet: bool = False) -> Iterator[BaselineWatcher]:
    """The same while baselines train, one after another."""
    with counted(console, "baselines", quiet) as told:
        yield lambda event: told(event.done, event.count, _doing(event))


@contextmanager
def counted(console: Console, what: str, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """Gives a function (done, count, doing="") to be told of anything that is done piece by piece. what: the pieces, in the
    plural."""
    if quiet:
        yield lambda done, count, doing="": None
        return
    if not console.is_terminal:
        yield _counted_lines(console, what)
        return
    with Progress(*_columns(), console=console) as bar:
        task = bar.add_task(what, total=None, news="")
        yield lambda done, count, doing="": bar.update(task, completed=done, total=count, news=doing)


def _counted_lines(console: Console, what: str) -> Callable[..., None]:
    last = time.monotonic()

    def told(done: int, count: int, doing: str = "") -> None:
        nonlocal last
        if done == count or time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            console.print(f"{done} of {count} {what}{' · ' if doing else ''}{doing}", highlight=False, soft_wrap=True)

    return told


def _doing(event: BaselineDone | BaselineEpoch) -> str:
    if isinstance(event, BaselineDone):
        return f"{event.name}: error {event.outcome.error:.4g}"
    return f"{event.names}: epoch {event.epoch} of {event.epochs}"


def _columns() -> tuple[ProgressColumn, ...]:
    return (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[news]}"),
    )


class _Tally:
    """Counts and the best so far."""

    def __init__(self, trials: int) -> None:
        self.trials = trials
        self.done = self.restored = self.failed = 0
        self.best: tuple[int, Outcome] | None = None
        self._since = time.monotonic()

    def take(self, event: PackDone) -> None:
        for number, outcome in event.outcomes.items():
            self.done += 1
            self.restored += event.restored
            self.failed += outcome.status is not Status.OK
            if outcome.status is Status.OK and (self.best is None or outcome.error < self.best[1].error):
                self.best = number, outcome

    @property
    def news(self) -> str:
        trained = self.done - self.restored
        minutes = (time.monotonic() - self._since) / 60
        parts = [f"{trained / minutes:.0f} candidates a minute"] if trained and minutes > 0 else []
        if self.best is not None:
            number, outcome = self.best
            parts.append(f"best error {outcome.error:.4g} (trial {number})")
        if self.failed:
            parts.append(f"{self.failed} failed")
        return " · ".join(parts)


class _Bar:
    def __init__(self, tally: _Tally, bar: Progress, task: TaskID) -> None:
        self._tally, self._bar, self._task = tally, bar, task

    def __call__(self, event: Event) -> None:
        if not isinstance(event, PackDone):
            self._bar.console.print(_said(event), style="dim", soft_wrap=True)
            return
        self._tally.take(event)
        self._bar.update(self._task, completed=self._tally.done, news=self._tally.news)


class _Lines:
    def __init__(self, tally: _Tally, console: Console) -> None:
        self._tally, self._console, self._last = tally, console, 0.0

    def __call__(self, event: Event) -> None:
        if not isinstance(event, PackDone):
            self._console.print(_said(event), highlight=False, soft_wrap=True)
            return
        self._tally.take(event)
        finished = self._tally.done == self._tally.trials
        if finished or time.monotonic() - self._last >= _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            self._console.print(f"{self._tally.done} of {self._tally.trials} candidates · {self._tally.news}", highlight=False)


def _said(event: TaskLoaded | KernelPrepared | Exhausted) -> str:
    if isinstance(event, KernelPrepared):
        return f"kernel {event.number} of {event.count}: {event.kind} (compiled once after an installation)"
    if isinstance(event, TaskLoaded):
        return escape(event.description)
    return f"The space gives no new feasible candidate any more; the search ends with {event.trained} of them."
