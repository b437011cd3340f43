"""In a terminal: the progress of a search, redrawn in place a few times per second.

    digits  ━━━━━━━━━━━━━━━━━━━━╸━━━━━━━━━━━━━━━━━  71 of 128 candidates · 9 with the full budget
    1 min 12 s so far · about 50 s left · 0.04 core-hours

    rung 0   7 epochs  71 trained  23 promoted  8 running  2 diverged
    …
    front  trial  error   synapses
               3  0.2083        41
    …

A frame is made from the monitor's counts and its front, so its cost does not depend on the number
of trials.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wiring_search.cli.progress.wording import best, candidates, event_line, hours, time_left
from wiring_search.search import durations
from wiring_search.search.events import Event, PackDone, Watcher
from wiring_search.search.monitor import Monitor, RungCount

_FRAMES_PER_SECOND = 4
_FRONT_ROWS = 8
_SIZES = ("synapses", "parameters", "latency_us")
_BARS = "▁▂▃▄▅▆▇█"
_TREND = 24


@contextmanager
def live(monitor: Monitor, console: Console) -> Iterator[Watcher]:
    view = View(monitor, console)
    with Live(console=console, get_renderable=view.frame, refresh_per_second=_FRAMES_PER_SECOND):
        try:
            yield view
        finally:
            view.over = True


class View:
    """The screen of a search.

    The search's thread calls it with events, the display's thread asks for frames.

    Attributes:
        over: The search has ended, and a table shows the front.
    """

    def __init__(self, monitor: Monitor, console: Console) -> None:
        self.over = False
        self._monitor = monitor
        self._console = console
        self._trend = Trend(_TREND)
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        with self._lock:
            self._monitor.take(event)
            if isinstance(event, PackDone) and event.rung == len(self._monitor.rungs) - 1:
                volume = self._monitor.hypervolume()
                if volume is not None:
                    self._trend.add(volume)
        if (text := event_line(event)) is not None:
            self._console.print(text, style="dim", markup=False, highlight=False)

    def frame(self) -> RenderableType:
        with self._lock:
            parts = [
                self._head(),
                Text(self._times(), style="dim", no_wrap=True, overflow="ellipsis"),
                Text(),
                self._rungs(),
                self._facts(),
            ]
            if not self.over and self._monitor.front.trials:
                # Below the lines above: a line for the names, and one to spare.
                room = self._console.height - len(self._monitor.rungs) - 10
                parts += [Text(), self._front(max(1, min(_FRONT_ROWS, room)))]
            return Group(*parts)

    def _head(self) -> RenderableType:
        monitor = self._monitor
        grid = Table.grid(padding=(0, 2), expand=True)
        grid.add_column(no_wrap=True)
        grid.add_column(ratio=1)
        grid.add_column(no_wrap=True)
        bar = ProgressBar(total=1.0, completed=monitor.progress)
        grid.add_row(Text(monitor.config.task, style="bold"), bar, candidates(monitor))
        return grid

    def _times(self) -> str:
        monitor = self._monitor
        budget = self._monitor.meter.budget
        minutes = budget.minutes if monitor.started else None
        took = max(monitor.seconds if minutes is None else monitor.meter.seconds, 1)
        whole = "so far" if minutes is None else f"of {durations.in_words(60 * minutes)}"
        of = "" if budget.core_hours is None else f" of {budget.core_hours:g}"
        parts = [
            f"{durations.in_words(took)} {whole}",
            None if self.over else self._doing() or time_left(monitor),
            f"{hours(monitor.meter.core_hours)}{of} core-hours"
            if monitor.workers is not None
            else None,
        ]
        return " · ".join(part for part in parts if part)

    def _doing(self) -> str | None:
        """What happens before anything is trained."""
        if self._monitor.trained:
            return None
        if not any(count.running for count in self._monitor.rungs):
            return "preparing"
        return None if self._monitor.workers else "starting the workers"

    def _rungs(self) -> RenderableType:
        """One line per rung, without empty columns."""
        rungs = self._monitor.rungs
        lines = [[_name(count, len(rungs)), *_counts(count, self.over)] for count in rungs]
        grid = Table.grid(padding=(0, 2 if self._console.width >= 76 else 1))
        columns = [index for index in range(len(lines[0])) if any(line[index] for line in lines)]
        styles = {0: "dim", len(lines[0]) - 1: "yellow"}
        for index in columns:
            grid.add_column(
                justify="left" if index in styles else "right",
                style=styles.get(index, ""),
                no_wrap=True,
                overflow="ellipsis",
            )
        for line in lines:
            grid.add_row(*(line[index] for index in columns))
        return grid

    def _facts(self) -> RenderableType:
        monitor = self._monitor
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(no_wrap=True, overflow="ellipsis")
        if monitor.workers is not None and not self.over:
            waiting = ""
            if monitor.waiting:
                waiting = f" · {monitor.waiting} pack{'s' if monitor.waiting > 1 else ''} waiting"
            grid.add_row("workers", f"{monitor.workers} up{waiting}")
        rates = monitor.candidates_a_minute()
        epochs = monitor.epochs_a_second()
        if rates is not None and epochs is not None:
            now, overall = rates
            also = f" ({overall:.0f} overall)" if round(overall) != round(now) else ""
            grid.add_row(
                "speed", f"{now:.0f} candidates per minute{also} · {epochs:.3g} epochs per second"
            )
        if (found := best(monitor)) is not None:
            grid.add_row("best", found.removeprefix("best "))
        if (
            len(set(self._trend.values)) > 1
            and not self.over
            and not self._console.options.ascii_only
        ):
            grid.add_row("trend", f"{sparkline(self._trend.values)} hypervolume of the front")
        return grid

    def _front(self, rows: int) -> RenderableType:
        front = self._monitor.front
        by = next((i for i, name in enumerate(front.objectives) if name in _SIZES), 0)
        columns = max(1, (self._console.width - 24) // 14)
        grid = Table.grid(padding=(0, 2))
        for name in ("trial", *front.objectives[:columns]):
            grid.add_column(justify="right", no_wrap=True, min_width=len(name))
        grid.add_row(
            *(Text(name, style="dim") for name in ("trial", *front.objectives[:columns])),
            Text(self._caption(rows), "dim"),
        )
        for trial, values in spread(front.rows(by), rows):
            grid.add_row(str(trial), *(f"{value:.4g}" for value in values[:columns]))
        return grid

    def _caption(self, rows: int) -> str:
        monitor = self._monitor
        members = len(monitor.front.trials)
        text = f"{rows} of {members} on the front" if members > rows else "on the front"
        if monitor.at == len(monitor.rungs) - 1:
            return text
        return f"{text} after {monitor.rungs[monitor.at].rung.epochs} epochs"


def _name(count: RungCount, rungs: int) -> str:
    return f"rung {count.rung.number}" if rungs > 1 else "training"


def _counts(count: RungCount, over: bool) -> list[str]:
    running = count.running if not over else 0
    counts = ((count.promoted, "promoted"), (running, "running"))
    failed = ((count.diverged, "diverged"), (count.crashed, "crashed"))
    return [
        f"{count.rung.epochs} epochs",
        f"{count.trained} trained",
        *(f"{number} {what}" if number else "" for number, what in counts),
        ", ".join(f"{number} {what}" for number, what in failed if number),
    ]


class Trend:
    """A series thinned to fewer than 2 × `width` values.

    When it is full, every second value is dropped, and every second one of those to come.

    Args:
        width: Half of the limit.
    """

    def __init__(self, width: int) -> None:
        self.values: list[float] = []
        self._width = width
        self._stride = 1
        self._seen = 0

    def add(self, value: float) -> None:
        if self._seen % self._stride == 0:
            self.values.append(value)
        self._seen += 1
        if len(self.values) == 2 * self._width:
            self.values = self.values[::2]
            self._stride *= 2


def sparkline(values: list[float]) -> str:
    """Return one character per value, scaled from the smallest to the largest."""
    low = min(values)
    high = max(values)
    steps = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((value - low) * steps)] for value in values)


def spread(rows: list, count: int) -> list:
    """Return some of the rows, evenly spread, both ends included.

    Args:
        rows: All rows.
        count: How many to return, at most.
    """
    if len(rows) <= count:
        return rows
    return [rows[round(i * (len(rows) - 1) / max(count - 1, 1))] for i in range(count)]
