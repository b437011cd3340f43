"""The budget of a search: wall time and core-hours.

The number of trials is part of the study instead (`StudyConfig.trials`). A budget is for one call:
a resumed search gets a new one. Time comes from a monotonic clock, so setting the wall clock
changes nothing.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from wiring_search.search.durations import in_words


@dataclass(frozen=True)
class Budget:
    """How much time one call may take.

    Attributes:
        minutes: Minutes of wall time, above 0; None: no limit.
        core_hours: Core-hours of all workers together, above 0. Idle workers count, since they
            are paid for too. None: no limit.
        cores: Number of cores of each worker.

    Raises:
        ValueError: A value is not a number above 0.
    """

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
        """Whether there is no limit of time."""
        return self.minutes is None and self.core_hours is None


class Meter:
    """Measures what a search spends of its budget, from the moment it is made.

    Core-hours are wall time times the cores of the workers that are up. Call `workers` whenever
    workers come or go.

    Args:
        budget: The budget to measure against.
        clock: Returns seconds that only rise.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget = budget
        self._clock = clock
        self._start = self._seen = clock()
        self._core_seconds = 0.0
        self._cores = 0

    def workers(self, count: int) -> None:
        """Note that `count` workers are up from now on."""
        now = self._clock()
        self._core_seconds += (now - self._seen) * self._cores
        self._seen = now
        self._cores = count * self.budget.cores

    @property
    def seconds(self) -> float:
        """Wall time so far."""
        return self._clock() - self._start

    @property
    def core_hours(self) -> float:
        """Core-hours of all workers so far."""
        return (self._core_seconds + (self._clock() - self._seen) * self._cores) / 3600

    def left(self) -> float:
        """Seconds until the budget is spent, if the same workers stay up; inf without a limit."""
        return max(0.0, min(self._seconds_left()))

    def spent(self) -> str | None:
        """Which limit is reached, in a few words; None while none is."""
        time_left, core_time_left = self._seconds_left()
        if self.budget.minutes is not None and time_left <= 0:
            return f"the budget of {in_words(60 * self.budget.minutes)} is spent"
        if core_time_left <= 0:
            return f"the budget of {self.budget.core_hours:g} core-hours is spent"
        return None

    def _seconds_left(self) -> tuple[float, float]:
        """Seconds until the wall time is spent, and until the core-hours are."""
        minutes = self.budget.minutes
        time_left = math.inf if minutes is None else 60 * minutes - self.seconds
        if self.budget.core_hours is None:
            return time_left, math.inf
        core_seconds = 3600 * (self.budget.core_hours - self.core_hours)
        if core_seconds <= 0:
            return time_left, 0.0
        return time_left, core_seconds / self._cores if self._cores else math.inf
