"""The monitor of a search: counts against a recount, time left against a simulation."""

import itertools

import numpy as np
import pytest

from tests.support import made_up_events, studies
from wiring_search.analysis.pareto import hypervolume, is_front
from wiring_search.cli.progress.wording import candidates
from wiring_search.search.budget import Budget
from wiring_search.search.events import (
    Estimated,
    Event,
    PackDone,
    PackStarted,
    PoolSeen,
)
from wiring_search.search.monitor import Front, Monitor, expected_epochs, shares
from wiring_search.workers.jobs import Status


@pytest.mark.parametrize(
    "objectives",
    [("error",), ("error", "synapses"), ("error", "memory", "latency_us", "parameters")],
)
def test_a_front_that_grows_is_the_front_of_all(objectives: tuple[str, ...]) -> None:
    rng = np.random.default_rng(len(objectives))
    points = rng.integers(0, 9, (300, len(objectives))).astype(float)  # with ties and equal points
    points[rng.uniform(size=300) < 0.05, 0] = np.nan
    front = Front(objectives)
    for trial, point in enumerate(points):
        front.add(trial, point)
        if trial % 20 == 0 or trial == 299:
            assert sorted(front.trials) == np.flatnonzero(is_front(points[: trial + 1])).tolist()
    assert np.array_equal(front.points, points[front.trials])


def test_rows_of_a_front_rise_in_size_and_show_scores_as_they_are() -> None:
    front = Front(("memory", "synapses"))
    for trial, (memory, synapses) in enumerate([(0.9, 50), (0.2, 10), (0.5, 30), (0.1, 60)]):
        front.add(trial, np.array([-memory, synapses]))
    assert front.rows(by=1) == [(1, [0.2, 10]), (2, [0.5, 30]), (0, [0.9, 50])]


def test_shares_and_work_of_each_pruning() -> None:
    assert shares(made_up_events.halving(9, eta=3)) == pytest.approx((1, 1 / 3, 1 / 9))
    assert expected_epochs(made_up_events.halving(9, eta=3)) == pytest.approx(7 + 13 / 3 + 40 / 9)
    assert shares(studies.config(epochs=8, pruning="median", eta=3))[1] == 0.5
    assert expected_epochs(studies.config(epochs=31, pruning="one-epoch", eta=3)) == pytest.approx(
        1 + 30 / 9
    )
    assert expected_epochs(studies.config(epochs=31)) == 31


def test_counts_by_rung_are_those_of_a_recount() -> None:
    config = made_up_events.halving(200)
    monitor, seen = Monitor(config), []
    for event in made_up_events.events(config):
        monitor.take(event)
        seen += [event] if isinstance(event, PackDone) else []
    for count in monitor.rungs:
        outcomes = [
            outcome for e in seen if e.rung == count.rung.number for outcome in e.outcomes.values()
        ]
        above = sum(len(e.outcomes) for e in seen if e.rung == count.rung.number + 1)
        assert (count.trained, count.promoted, count.running) == (len(outcomes), above, 0)
        assert count.diverged == sum(outcome.status is Status.DIVERGED for outcome in outcomes)
        assert count.crashed == 0
    assert monitor.decided == 200
    assert monitor.results == sum(len(e.outcomes) for e in seen)
    last = {
        trial: outcome
        for e in seen
        if e.rung == 2
        for trial, outcome in e.outcomes.items()
        if outcome.status is Status.OK
    }
    assert monitor.full == len(last)
    assert monitor.best == min(((t, o.error) for t, o in last.items()), key=lambda pair: pair[1])
    points = np.array([[outcome.error, outcome.synapses] for outcome in last.values()])
    assert sorted(monitor.front.trials) == sorted(np.array(list(last))[is_front(points)].tolist())
    assert monitor.hypervolume() == pytest.approx(
        hypervolume(
            points, (made_up_events.REFERENCE["error"], made_up_events.REFERENCE["synapses"])
        )
    )


def test_only_the_highest_rung_is_on_the_front() -> None:
    monitor = Monitor(made_up_events.halving(20))
    monitor.take(
        PackDone(
            0,
            {
                0: made_up_events.outcome(0.3, 50, Status.PRUNED),
                1: made_up_events.outcome(0.5, 20, Status.PRUNED),
            },
        )
    )
    assert (monitor.at, sorted(monitor.front.trials), monitor.best) == (0, [0, 1], (0, 0.3))
    monitor.take(PackDone(1, {0: made_up_events.outcome(0.4, 50, Status.PRUNED)}, rung=1))
    monitor.take(PackDone(2, {2: made_up_events.outcome(0.1, 10, Status.PRUNED)}))
    assert (monitor.at, monitor.front.trials, monitor.best, monitor.full) == (1, [0], (0, 0.4), 0)


def _timed(
    monitor: Monitor, clock: made_up_events.Clock, events: list[Event], workers: int, speed: float
) -> list[tuple[float, float]]:
    """(when, what was said to be left) after each pack of a search in which each worker trains
    `speed` epochs of one candidate a second; packs are begun in order."""
    free, ends, said = [clock.now] * workers, {}, []
    for event in events:
        if isinstance(event, PackStarted):
            rung = monitor.config.rungs[event.rung]
            first = free.index(min(free))
            free[first] += len(event.trials) * (rung.epochs - rung.start) / speed
            ends[event.pack] = free[first]
        if isinstance(event, PackDone) and not event.restored:
            clock.now = max(clock.now, ends[event.pack])
        monitor.take(event)
        if isinstance(event, PackDone) and not event.restored:
            said.append((clock.now, monitor.seconds_left()))
    return said


def test_time_left_foretells_the_end() -> None:
    config, clock = made_up_events.halving(400), made_up_events.Clock()
    said = _timed(
        Monitor(config, clock=clock),
        clock,
        list(made_up_events.events(config, workers=1)),
        workers=1,
        speed=10.0,
    )
    end = said[-1][0]
    for when, left in said[5:-5]:
        assert left == pytest.approx(end - when, rel=0.2, abs=40)  # of 700


def test_time_left_does_not_wait_for_the_last_of_the_first_packs() -> None:
    """Eight workers have begun a pack each when the first comes back: seven more are half done."""
    config, clock = (
        studies.config(trials=80, epochs=10, pack_size=1, ahead=8),
        made_up_events.Clock(),
    )
    monitor = Monitor(config, clock=clock)
    monitor.take(PoolSeen(8, 0))
    for pack in range(8):
        monitor.take(PackStarted(pack, 0, (pack,)))
    clock.now += 10
    monitor.take(PackDone(0, {0: made_up_events.outcome(0.5, 10)}))
    assert (
        70 < monitor.seconds_left() < 200
    )  # 100 in truth; one result in ten seconds would make it 790


def test_time_left_before_anything_is_known_and_under_a_budget() -> None:
    clock = made_up_events.Clock()
    monitor = Monitor(made_up_events.halving(100), Budget(minutes=1), clock)
    assert monitor.seconds_left() == 60
    monitor = Monitor(made_up_events.halving(100), clock=clock)
    assert monitor.seconds_left() is None
    monitor.take(Estimated(240.0, 0.1))
    assert monitor.seconds_left() == pytest.approx(240)
    monitor.take(PackStarted(0, 0, tuple(range(8))))
    monitor.take(PoolSeen(0, 1))
    clock.now += 30  # workers start, nothing is trained
    assert monitor.seconds_left() == pytest.approx(240)
    monitor.take(PoolSeen(2, 0))
    clock.now += 40
    assert monitor.seconds_left() == pytest.approx(200)
    assert monitor.meter.core_hours == pytest.approx(80 / 3600)


def test_a_search_that_its_budget_ends_has_a_bar_of_time() -> None:
    config, clock = made_up_events.halving(None), made_up_events.Clock()
    monitor = Monitor(config, Budget(minutes=10), clock)
    for event in itertools.islice(made_up_events.events(made_up_events.halving(200)), 100):
        monitor.take(event)
        clock.now += isinstance(event, PackStarted) * 6.0
    assert monitor.ends_by_budget
    assert monitor.progress == pytest.approx((clock.now - 1000) / 600)
    assert (
        candidates(monitor) == f"{monitor.decided} candidates · {monitor.full} with the full budget"
    )
    short = Monitor(made_up_events.halving(8), Budget(minutes=10), clock)
    short.take(PackStarted(0, 0, tuple(range(8))))
    clock.now += 6.0
    short.take(
        PackDone(0, {trial: made_up_events.outcome(0.5, 10, Status.PRUNED) for trial in range(8)})
    )
    assert not short.ends_by_budget
    assert short.progress == 1.0
    assert candidates(short).startswith("8 of 8 candidates")


def test_restored_packs_count_but_are_no_throughput() -> None:
    config, clock = made_up_events.halving(64), made_up_events.Clock()
    done = [e for e in made_up_events.events(config) if isinstance(e, PackDone)]
    monitor = Monitor(config, clock=clock)
    for event in done[:8]:
        monitor.take(PackDone(event.pack, event.outcomes, True, event.rung))
    assert monitor.candidates_a_minute() is None
    assert monitor.epochs_a_second() is None
    assert monitor.decided > 0
    before = monitor.decided
    monitor.take(PackStarted(8, 0, tuple(done[8].outcomes)))
    clock.now += 30
    monitor.take(PackDone(8, done[8].outcomes, rung=0))
    assert monitor.decided == before + 8
    assert monitor.candidates_a_minute() == (16, 16)
    clock.now += 90
    assert monitor.candidates_a_minute() == (0, 4)
