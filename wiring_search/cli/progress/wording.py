"""What is said of events and of where a search stands, in words: the same in a terminal and out of
it."""

import math

from wiring_search.search import durations
from wiring_search.search.events import Estimated, Event, Exhausted, KernelPrepared, TaskLoaded
from wiring_search.search.monitor import Tally


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
            return f"It will take about {durations.told(event.seconds)} on {on}, {hours(event.core_hours)} core-hours."
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


def candidates(tally: Tally) -> str:
    whole = "" if tally.ends_by_budget else f" of {tally.config.trials}"
    text = f"{tally.decided}{whole} candidates"
    return f"{text} · {tally.full} with the full budget" if len(tally.rungs) > 1 else text


def best(tally: Tally) -> str | None:
    if tally.best is None:
        return None
    trial, error = tally.best
    early = (
        f", after {tally.rungs[tally.at].rung.epochs} of {tally.config.epochs} epochs"
        if tally.at < len(tally.rungs) - 1
        else ""
    )
    return f"best error {error:.4g} (trial {trial}{early})"


def time_left(tally: Tally) -> str | None:
    seconds = tally.seconds_left()
    return None if seconds is None else f"about {durations.told(seconds)} left"


def news(tally: Tally, over: bool = False) -> str:
    """One line: where the search stands. over: it does not go on."""
    rates = tally.candidates_a_minute()
    parts = [
        candidates(tally),
        None if rates is None else f"{rates[1]:.0f} candidates a minute",
        best(tally),
        f"{tally.failed} failed" if tally.failed else None,
        None if over else time_left(tally),
    ]
    return " · ".join(part for part in parts if part)
