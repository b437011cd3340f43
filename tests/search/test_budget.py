"""Budgets: wall time and core-hours, on a clock that the test sets."""

import math

import pytest

from tests.support.made_up_events import Clock
from wiring_search.search.budget import Budget, Meter


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan, "15"])
@pytest.mark.parametrize("name", ["minutes", "core_hours"])
def test_a_budget_is_a_number_above_nothing(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value!r}; give a number above 0"):
        Budget(**{name: value})


def test_wall_time_runs_out_and_not_before() -> None:
    clock = Clock()
    meter = Meter(Budget(minutes=15), clock)
    assert meter.spent() is None
    assert meter.left() == 900
    clock.now += 899
    assert meter.spent() is None
    assert meter.left() == pytest.approx(1)
    clock.now += 1
    assert meter.spent() == "the budget of 15 min is spent"
    assert meter.left() == 0
    assert Meter(Budget(), clock).left() == math.inf


def test_core_hours_follow_the_workers() -> None:
    clock = Clock()
    meter = Meter(Budget(core_hours=1.0), clock)
    clock.now += 5000  # no worker is up yet
    assert meter.left() == math.inf
    assert meter.core_hours == 0
    for workers, seconds in ((2, 600), (8, 150), (0, 1000), (4, 250)):
        meter.workers(workers)
        clock.now += seconds
    assert meter.core_hours == pytest.approx((1200 + 1200 + 1000) / 3600)
    assert meter.left() == pytest.approx(50)
    clock.now += 50
    assert meter.spent() == "the budget of 1 core-hours is spent"
    assert meter.left() == 0
    meter.workers(0)
    assert meter.left() == 0
    of_four_cores = Meter(Budget(core_hours=1.0, cores=4), clock)
    of_four_cores.workers(2)
    clock.now += 300
    assert of_four_cores.core_hours == pytest.approx(2400 / 3600)
    assert of_four_cores.left() == pytest.approx(150)
