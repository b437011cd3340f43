"""What is said of events and of where a search stands, in words: the same in a terminal and out of
it."""

import math

from wiring_search.search import durations
from wiring_search.search.events import Estimated, Event, Exhausted, KernelPrepared, TaskLoaded
from wiring_search.search.monitor import Monitor


def said(event: Event) -> str | None:
    """A line of its own; None for events that only move the counts."""
    match event:
        case TaskLoaded():
            return event.description
        case KernelPrepared():
            return f"kernel {event.number} of {event.count}: {event.kind} (compiled once after an installation)"
        case Estimated() if math.isfinite(event.seconds):
            workers = (
                max(round(3600 * event.core_hours / event.seconds), 1) if event.seconds > 0 else 1
            )
            on = f"{workers} worker{'s' if workers > 1 else ''}"
            return f"It will take about {durations.in_words(event.seconds)} on {on}, {hours(event.core_hours)} core-hours."
        case Exhausted():
            return f"The space gives no new feasible candidate any more; the search ends with {event.trained} of them."
    return None


def hours(core_hours: float) -> str:
    return (
        f"{core_hours:.0f}"
        if core_hours >= 100
        else f"{core_hours:.2g}"
        if core_hours >= 0.01
        else "less than 0.01"
    )


def candidates(monitor: Monitor) -> str:
    whole = (
        ""
        if monitor.ends_by_budget or monitor.config.trials is None
        else f" of {monitor.config.trials}"
    )
    text = f"{monitor.decided}{whole} candidates"
    return f"{text} · {monitor.full} with the full budget" if len(monitor.rungs) > 1 else text


def best(monitor: Monitor) -> str | None:
    if monitor.best is None:
        return None
    trial, error = monitor.best
    early = (
        f", after {monitor.rungs[monitor.at].rung.epochs} of {monitor.config.epochs} epochs"
        if monitor.at < len(monitor.rungs) - 1
        else ""
    )
    return f"best error {error:.4g} (trial {trial}{early})"


def time_left(monitor: Monitor) -> str | None:
    seconds = monitor.seconds_left()
    return None if seconds is None else f"about {durations.in_words(seconds)} left"


def news(monitor: Monitor, over: bool = False) -> str:
    """One line: where the search stands. over: it does not go on."""
    rates = monitor.candidates_a_minute()
    parts = [
        candidates(monitor),
        None if rates is None else f"{rates[1]:.0f} candidates a minute",
        best(monitor),
        f"{monitor.failed} failed" if monitor.failed else None,
        None if over else time_left(monitor),
    ]
    return " · ".join(part for part in parts if part)
