"""What a search may cost: wall time, core-hours. (The number of trials is part of the study:
`config.StudyConfig`.)

A budget is for one call: a search that is gone on with gets a new one. Time is read from a
monotonic clock, so that setting the wall clock changes nothing.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from wiring_search.search.durations import told


@dataclass(frozen=True)
class Budget:
    """minutes: of wall time; core_hours: of all workers together, idle ones too, for they are paid
    for all the same. None: as much as it takes. cores: of each worker. Raises ValueError for what
    is not a number above 0."""

    minutes: float | None = None
    core_hours: float | None = None
    cores: int = 1

    def __post_init__(self) -> None:
        for name in ("minutes", "core_hours", "cores"):
            value = getattr(self, name)
            if value is not None and not (
                isinstance(value, int | float) and math.isfinite(value) and value > 0
            ):
                raise ValueError(f"{name} is {value!r}; give a number above 0, or leave it out")

    @property
    def unlimited(self) -> bool:
        """Whether nothing but the number of trials ends the search."""
        return self.minutes is None and self.core_hours is None


class Meter:
    """Runs from when it is made. Core-hours are wall time times the cores of the workers that are
    up; it is told whenever workers come or go.

    clock: seconds that only ever rise.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget
        self._clock = clock
        self._start = self._seen = clock()
        self._core_seconds = 0.0
        self._cores = 0

    def workers(self, count: int) -> None:
        """From now on so many are up."""
        now = self._clock()
        self._core_seconds += (now - self._seen) * self._cores
        self._seen, self._cores = now, count * self.budget.cores

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return self._clock() - self._start

    @property
    def core_hours(self) -> float:
        """Of all workers so far."""
        return (self._core_seconds + (self._clock() - self._seen) * self._cores) / 3600

    def left(self) -> float:
        """Seconds until something is spent, with the workers that are up; 0 where it is, inf where
        there is no end."""
        return max(0.0, min(self._seconds_left()))

    def spent(self) -> str | None:
        """What is spent, in a few words; None as long as nothing is."""
        time_left, core_time_left = self._seconds_left()
        if time_left <= 0:
            return f"the {told(60 * self.budget.minutes)} of its budget are over"
        if core_time_left <= 0:
            return f"the {self.budget.core_hours:g} core-hours of its budget are used up"
        return None

    def _seconds_left(self) -> tuple[float, float]:
        minutes, core_hours = self.budget.minutes, self.budget.core_hours
        time_left = math.inf if minutes is None else 60 * minutes - self.seconds
        if core_hours is None:
            return time_left, math.inf
        core_seconds = 3600 * (core_hours - self.core_hours)
        if core_seconds <= 0:
            return time_left, 0.0
        return time_left, core_seconds / self._cores if self._cores else math.inf
