"""Events and progress of a search in words, the same with and without a terminal."""

import math

from wiring_search.search import durations
from wiring_search.search.events import Estimated, Event, Exhausted, KernelPrepared, TaskLoaded
from wiring_search.search.monitor import Monitor


def event_line(event: Event) -> str | None:
    """Return the line of an event; None for events that only change counts."""
    match event:
        case TaskLoaded():
            return event.description
        case KernelPrepared():
            return (
                f"kernel {event.number} of {event.count}: {event.kind} "
                "(compiled once per installation)"
            )
        case Estimated() if math.isfinite(event.seconds):
            workers = 1
            if event.seconds > 0:
                workers = max(round(3600 * event.core_hours / event.seconds), 1)
            return (
                f"Estimate: about {durations.in_words(event.seconds)} on {workers} "
                f"worker{'s' if workers > 1 else ''}, {hours(event.core_hours)} core-hours."
            )
        case Exhausted():
            return (
                "The space has no new feasible candidate. "
                f"The search ends after {event.trained} candidates."
            )
    return None


def hours(core_hours: float) -> str:
    """Return core-hours with two digits, whole numbers from 100 on."""
    if core_hours < 0.01:
        return "less than 0.01"
    return f"{core_hours:.2g}" if core_hours < 100 else f"{core_hours:.0f}"


def candidates(monitor: Monitor) -> str:
    """Return how many candidates are decided, and how many have the full budget."""
    endless = monitor.ends_by_budget or monitor.config.trials is None
    whole = "" if endless else f" of {monitor.config.trials}"
    text = f"{monitor.decided}{whole} candidates"
    return f"{text} · {monitor.full} with the full budget" if len(monitor.rungs) > 1 else text


def best(monitor: Monitor) -> str | None:
    """Return the smallest error so far; None before there is one."""
    if monitor.best is None:
        return None
    trial, error = monitor.best
    early = ""
    if monitor.at < len(monitor.rungs) - 1:
        epochs = monitor.rungs[monitor.at].rung.epochs
        early = f", after {epochs} of {monitor.config.epochs} epochs"
    return f"best error {error:.4g} (trial {trial}{early})"


def time_left(monitor: Monitor) -> str | None:
    """Return the expected time to the end; None while it is unknown."""
    seconds = monitor.seconds_left()
    return None if seconds is None else f"about {durations.in_words(seconds)} left"


def progress_line(monitor: Monitor, over: bool = False) -> str:
    """Return the progress of a search in one line.

    Args:
        monitor: Of the search.
        over: Whether the search is over; the line then has no time left.
    """
    rates = monitor.candidates_a_minute()
    parts = [
        candidates(monitor),
        None if rates is None else f"{rates[1]:.0f} candidates per minute",
        best(monitor),
        f"{monitor.failed} failed" if monitor.failed else None,
        None if over else time_left(monitor),
    ]
    return " · ".join(part for part in parts if part)
