"""What a search shows: counts against a recount, time left against a simulation, and the screen as
a terminal gets it."""

import io
import itertools
import math
import re
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from tests.support import made_up_events as told
from tests.support import studies
from wiring_search.analysis.pareto import hypervolume, is_front
from wiring_search.cli.progress import shown
from wiring_search.cli.progress.live import Trend, View, sparkline, spread
from wiring_search.cli.progress.wording import candidates
from wiring_search.search.budget import Budget, Meter
from wiring_search.search.durations import told as duration
from wiring_search.search.events import (
    Estimated,
    Event,
    Exhausted,
    KernelPrepared,
    PackDone,
    PackStarted,
    PoolSeen,
    Stopped,
    TaskLoaded,
)
from wiring_search.search.monitor import Front, Tally, expected_epochs, shares
from workers.jobs import Status


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (0.26, "0.3 s"),
        (42.4, "42 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (599.7, "10 min"),
        (2700, "45 min"),
        (3599, "1 h"),
        (7800, "2 h 10 min"),
        (85_000, "1 d"),
        (273_600, "3 d 4 h"),
        (86_400 * 12.2, "12 d"),
        (math.inf, "no end"),
    ],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize("value", [0, -1.0, math.inf, math.nan, "15"])
@pytest.mark.parametrize("name", ["minutes", "core_hours"])
def test_a_budget_is_a_number_above_nothing(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value!r}; give a number above 0"):
        Budget(**{name: value})


def test_wall_time_runs_out_and_not_before() -> None:
    clock = told.Clock()
    meter = Meter(Budget(minutes=15), clock)
    assert meter.spent() is None and meter.left() == 900
    clock.now += 899
    assert meter.spent() is None and meter.left() == pytest.approx(1)
    clock.now += 1
    assert meter.spent() == "the 15 min of its budget are over" and meter.left() == 0
    assert Meter(Budget(), clock).left() == math.inf


def test_core_hours_follow_the_workers() -> None:
    clock = told.Clock()
    meter = Meter(Budget(core_hours=1.0), clock)
    clock.now += 5000  # nobody is up yet
    assert meter.left() == math.inf and meter.core_hours == 0
    for workers, seconds in ((2, 600), (8, 150), (0, 1000), (4, 250)):
        meter.workers(workers)
        clock.now += seconds
    assert meter.core_hours == pytest.approx(
        (1200 + 1200 + 1000) / 3600
    ) and meter.left() == pytest.approx(50)
    clock.now += 50
    assert meter.spent() == "the 1 core-hours of its budget are used up" and meter.left() == 0
    meter.workers(0)
    assert meter.left() == 0
    of_four_cores = Meter(Budget(core_hours=1.0, cores=4), clock)
    of_four_cores.workers(2)
    clock.now += 300
    assert of_four_cores.core_hours == pytest.approx(
        2400 / 3600
    ) and of_four_cores.left() == pytest.approx(150)


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
    assert shares(told.halving(9, eta=3)) == pytest.approx((1, 1 / 3, 1 / 9))
    assert expected_epochs(told.halving(9, eta=3)) == pytest.approx(7 + 13 / 3 + 40 / 9)
    assert shares(studies.config(epochs=8, pruning="median", eta=3))[1] == 0.5
    assert expected_epochs(studies.config(epochs=31, pruning="one-epoch", eta=3)) == pytest.approx(
        1 + 30 / 9
    )
    assert expected_epochs(studies.config(epochs=31)) == 31


def test_counts_by_rung_are_those_of_a_recount() -> None:
    config = told.halving(200)
    tally, seen = Tally(config), []
    for event in told.events(config):
        tally.take(event)
        seen += [event] if isinstance(event, PackDone) else []
    for count in tally.rungs:
        outcomes = [
            outcome for e in seen if e.rung == count.rung.number for outcome in e.outcomes.values()
        ]
        above = sum(len(e.outcomes) for e in seen if e.rung == count.rung.number + 1)
        assert (count.trained, count.promoted, count.running) == (len(outcomes), above, 0)
        assert (
            count.diverged == sum(outcome.status is Status.DIVERGED for outcome in outcomes)
            and count.crashed == 0
        )
    assert tally.decided == 200 and tally.results == sum(len(e.outcomes) for e in seen)
    last = {
        trial: outcome
        for e in seen
        if e.rung == 2
        for trial, outcome in e.outcomes.items()
        if outcome.status is Status.OK
    }
    assert tally.full == len(last) and tally.best == min(
        ((t, o.error) for t, o in last.items()), key=lambda pair: pair[1]
    )
    points = np.array([[outcome.error, outcome.synapses] for outcome in last.values()])
    assert sorted(tally.front.trials) == sorted(np.array(list(last))[is_front(points)].tolist())
    assert tally.hypervolume() == pytest.approx(
        hypervolume(points, (told.REFERENCE["error"], told.REFERENCE["synapses"]))
    )


def test_only_the_highest_rung_is_on_the_front() -> None:
    tally = Tally(told.halving(20))
    tally.take(
        PackDone(
            0, {0: told.outcome(0.3, 50, Status.PRUNED), 1: told.outcome(0.5, 20, Status.PRUNED)}
        )
    )
    assert (tally.at, sorted(tally.front.trials), tally.best) == (0, [0, 1], (0, 0.3))
    tally.take(PackDone(1, {0: told.outcome(0.4, 50, Status.PRUNED)}, rung=1))
    tally.take(PackDone(2, {2: told.outcome(0.1, 10, Status.PRUNED)}))
    assert (tally.at, tally.front.trials, tally.best, tally.full) == (1, [0], (0, 0.4), 0)


def _timed(
    tally: Tally, clock: told.Clock, events: list[Event], workers: int, speed: float
) -> list[tuple[float, float]]:
    """(when, what was said to be left) after each pack of a search in which each worker trains
    `speed` epochs of one candidate a second; packs are begun in order."""
    free, ends, said = [clock.now] * workers, {}, []
    for event in events:
        if isinstance(event, PackStarted):
            rung = tally.config.rungs[event.rung]
            first = free.index(min(free))
            free[first] += len(event.trials) * (rung.epochs - rung.start) / speed
            ends[event.pack] = free[first]
        if isinstance(event, PackDone) and not event.restored:
            clock.now = max(clock.now, ends[event.pack])
        tally.take(event)
        if isinstance(event, PackDone) and not event.restored:
            said.append((clock.now, tally.seconds_left()))
    return said


def test_time_left_foretells_the_end() -> None:
    config, clock = told.halving(400), told.Clock()
    said = _timed(
        Tally(config, clock=clock),
        clock,
        list(told.events(config, workers=1)),
        workers=1,
        speed=10.0,
    )
    end = said[-1][0]
    for when, left in said[5:-5]:
        assert left == pytest.approx(end - when, rel=0.2, abs=40)  # of 700


def test_time_left_does_not_wait_for_the_last_of_the_first_packs() -> None:
    """Eight workers have begun a pack each when the first comes back: seven more are half done."""
    config, clock = studies.config(trials=80, epochs=10, pack_size=1, ahead=8), told.Clock()
    tally = Tally(config, clock=clock)
    tally.take(PoolSeen(8, 0))
    for pack in range(8):
        tally.take(PackStarted(pack, 0, (pack,)))
    clock.now += 10
    tally.take(PackDone(0, {0: told.outcome(0.5, 10)}))
    assert (
        70 < tally.seconds_left() < 200
    )  # 100 in truth; one result in ten seconds would make it 790


def test_time_left_before_anything_is_known_and_under_a_budget() -> None:
    clock = told.Clock()
    tally = Tally(told.halving(100), Budget(minutes=1), clock)
    assert tally.seconds_left() == 60
    tally = Tally(told.halving(100), clock=clock)
    assert tally.seconds_left() is None
    tally.take(Estimated(240.0, 0.1))
    assert tally.seconds_left() == pytest.approx(240)
    tally.take(PackStarted(0, 0, tuple(range(8))))
    tally.take(PoolSeen(0, 1))
    clock.now += 30  # workers start, nothing is trained
    assert tally.seconds_left() == pytest.approx(240)
    tally.take(PoolSeen(2, 0))
    clock.now += 40
    assert tally.seconds_left() == pytest.approx(200) and tally.meter.core_hours == pytest.approx(
        80 / 3600
    )


def test_a_search_that_its_budget_ends_has_a_bar_of_time() -> None:
    config, clock = told.halving(1_000_000), told.Clock()
    tally = Tally(config, Budget(minutes=10), clock)
    for event in itertools.islice(told.events(told.halving(200)), 100):
        tally.take(event)
        clock.now += isinstance(event, PackStarted) * 6.0
    assert tally.ends_by_budget and tally.progress == pytest.approx((clock.now - 1000) / 600)
    assert candidates(tally) == f"{tally.decided} candidates · {tally.full} with the full budget"
    short = Tally(told.halving(8), Budget(minutes=10), clock)
    short.take(PackStarted(0, 0, tuple(range(8))))
    clock.now += 6.0
    short.take(PackDone(0, {trial: told.outcome(0.5, 10, Status.PRUNED) for trial in range(8)}))
    assert (
        not short.ends_by_budget
        and short.progress == 1.0
        and candidates(short).startswith("8 of 8 candidates")
    )


def test_what_is_restored_counts_but_is_nobodys_throughput() -> None:
    config, clock = told.halving(64), told.Clock()
    done = [e for e in told.events(config) if isinstance(e, PackDone)]
    tally = Tally(config, clock=clock)
    for event in done[:8]:
        tally.take(PackDone(event.pack, event.outcomes, True, event.rung))
    assert (
        tally.candidates_a_minute() is None
        and tally.epochs_a_second() is None
        and tally.decided > 0
    )
    before = tally.decided
    tally.take(PackStarted(8, 0, tuple(done[8].outcomes)))
    clock.now += 30
    tally.take(PackDone(8, done[8].outcomes, rung=0))
    assert tally.decided == before + 8 and tally.candidates_a_minute() == (16, 16)
    clock.now += 90
    assert tally.candidates_a_minute() == (0, 4)


def _screen(
    width: int, events: list[Event], height: int = 30, budget: Budget | None = None, **given: object
) -> tuple[list[str], View]:
    """The last frame as lines of text. The clock runs a second a pack."""
    clock = told.Clock()
    tally = Tally(told.halving(128, **given), budget, clock)
    view = View(tally, Console(file=io.StringIO(), force_terminal=True, width=width, height=height))
    for event in events:
        view(event)
        clock.now += isinstance(event, PackStarted)
    return _drawn(view, width, height), view


def _drawn(view: View, width: int, height: int) -> list[str]:
    console = Console(
        record=True, force_terminal=True, width=width, height=height, file=io.StringIO()
    )
    console.print(view.frame())
    return console.export_text().rstrip("\n").split("\n")


def test_the_screen_tells_everything_in_eighty_columns() -> None:
    events = list(itertools.islice(told.events(told.halving(128)), 70))
    lines, view = _screen(
        80, [*events, PackStarted(99, 1, (3, 4))], budget=Budget(minutes=15, core_hours=0.5)
    )
    text, tally = "\n".join(lines), view._tally
    assert max(map(len, lines)) <= 80 and len(lines) < 24
    assert re.search(
        rf"^digits +━.* {tally.decided} of 128 candidates · {tally.full} with the full budget",
        lines[0],
    )
    assert re.search(r"\d+ s of 15 min · about .* left · 0\.\d+ of 0\.5 core-hours", lines[1])
    assert re.search(
        rf"rung 1 +20 epochs +{tally.rungs[1].trained} trained +{tally.rungs[1].promoted} promoted +{tally.rungs[1].running} running",
        text,
    )
    assert (
        re.search(r"rung 0 .* \d diverged", text)
        and "workers  2 up" in text
        and "candidates a minute" in text
    )
    best, error = tally.best
    assert f"error {error:.4g} (trial {best})" in text
    rows = [
        line.split()
        for line in lines[lines.index(next(line for line in lines if "on the front" in line)) + 1 :]
    ]
    assert [int(row[0]) for row in rows] == [trial for trial, _ in tally.front.rows(by=1)]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize(
    "objectives", [("error", "synapses"), ("error", "synapses", "latency_us", "parameters")]
)
def test_no_line_is_broken_at_any_width(width: int, objectives: tuple[str, ...]) -> None:
    events = list(itertools.islice(told.events(told.halving(128, objectives=objectives)), 70))
    lines, view = _screen(width, events, objectives=objectives)
    assert max(map(len, lines)) <= width
    # As many lines everywhere: none was folded.
    assert len(lines) == len(_screen(300, events, objectives=objectives)[0])


@pytest.mark.parametrize("height", [12, 16, 24, 60])
def test_the_front_is_as_long_as_the_terminal_allows(height: int) -> None:
    tally = Tally(studies.config(trials=50))
    view = View(tally, Console(file=io.StringIO(), force_terminal=True, width=80, height=height))
    view(
        PackDone(0, {trial: told.outcome(1 / (trial + 2), 10 * (trial + 1)) for trial in range(50)})
    )
    lines = _drawn(view, 80, height)
    place = next(i for i, line in enumerate(lines) if "of 50 on the front" in line)
    rows = lines[place + 1 :]
    assert len(lines) <= max(height, 12) and 1 <= len(rows) <= 8 and rows[0].split()[0] == "0"
    assert len(rows) == 1 or rows[-1].split()[0] == "49"


def test_before_training_the_screen_says_what_happens() -> None:
    for events, words in (
        ([KernelPrepared("ltc", 1, 2)], "preparing"),
        ([PackStarted(0, 0, (1, 2)), PoolSeen(0, 1)], "starting the workers"),
        ([Estimated(240, 0.1), PackStarted(0, 0, (1, 2)), PoolSeen(2, 1)], "about 4 min left"),
    ):
        lines, _ = _screen(80, events)
        assert re.fullmatch(rf"1 s so far · {words}( · less than 0.01 core-hours)? *", lines[1])


def test_below_the_full_budget_the_screen_says_so() -> None:
    lines, _ = _screen(80, [PackDone(0, {0: told.outcome(0.25, 50, Status.PRUNED)})])
    text = "\n".join(lines)
    assert (
        "error 0.25 (trial 0, after 7 of 60 epochs)" in text
        and "on the front after 7 epochs" in text
    )


def _shown(
    make: Callable[[io.StringIO], Console],
    events: list[Event],
    quiet: bool = False,
    trials: int = 128,
) -> str:
    file = io.StringIO()
    with shown(told.halving(trials), make(file), quiet) as watch:
        for event in events:
            watch(event)
    return file.getvalue()


def _terminal(file: io.StringIO, **given: object) -> Console:
    return Console(
        file=file, force_terminal=True, width=80, height=24, _environ={"TERM": "xterm"}, **given
    )


def test_in_a_terminal_the_cursor_comes_back_whatever_happens() -> None:
    file = io.StringIO()
    with pytest.raises(KeyboardInterrupt), shown(told.halving(16), _terminal(file)) as watch:
        for event in itertools.islice(told.events(told.halving(16)), 8):
            watch(event)
        raise KeyboardInterrupt
    text = file.getvalue()
    assert text.index("\x1b[?25l") < text.rindex("\x1b[?25h") and "core-hours" in text


def test_the_display_is_calm_and_its_last_frame_leaves_the_front_to_the_table() -> None:
    text = _shown(_terminal, list(told.events(told.halving(2000))), trials=2000)
    assert text.count(" candidates · ") < 40  # frames, of 1,100 events
    assert (
        "2000 of 2000 candidates" in text.rsplit("digits", 1)[1]
        and "on the front" not in text.rsplit("digits", 1)[1]
    )


def test_without_colour_there_is_none() -> None:
    text = _shown(
        lambda file: _terminal(file, no_color=True), list(told.events(told.halving(64))), trials=64
    )
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text) and "64 of 64 candidates" in text


@pytest.mark.parametrize(
    "make",
    [
        lambda file: Console(file=file, width=200),
        lambda file: _terminal(file)._environ.update(TERM="dumb") or None,
    ],
    ids=["file", "dumb"],
)
def test_off_a_terminal_there_are_lines_now_and_then(make: Callable) -> None:
    def console(file: io.StringIO) -> Console:
        return make(file) or Console(
            file=file, force_terminal=True, width=200, _environ={"TERM": "dumb"}
        )

    lines = _shown(console, list(told.events(told.halving(128)))).splitlines()
    assert not any("\x1b[?25l" in line for line in lines)
    assert lines[:3] == [
        "digits: 1,797 samples [made up]",
        "baselines: majority class 0.9",
        "It will take about 4 min on 2 workers, 0.13 core-hours.",
    ]
    assert 1 <= len(lines[3:]) <= 2 and re.fullmatch(
        r"128 of 128 candidates · \d+ with the full budget · \d+ candidates a minute · best error [\d.]+ \(trial \d+\)"
        r" · \d+ failed",
        lines[-1],
    )


def test_without_rungs_a_line_is_as_short_as_ever() -> None:
    file = io.StringIO()
    config = studies.config(trials=9)
    with shown(config, Console(file=file, width=200)) as watch:
        watch(PackDone(0, {trial: told.outcome(0.5 + trial / 10, 10) for trial in range(9)}))
        watch(Exhausted(9))
        watch(Stopped("SIGTERM"))  # the command line says what this means
    first, *others = file.getvalue().splitlines()
    assert re.fullmatch(
        r"9 of 9 candidates · \d+ candidates a minute · best error 0.5 \(trial 0\)", first
    )
    assert others == [
        "The space gives no new feasible candidate any more; the search ends with 9 of them.",
    ]


def test_quiet_is_silent() -> None:
    everything = [
        *told.events(told.halving(16)),
        Exhausted(16),
        Stopped("asked to"),
        KernelPrepared("ltc", 1, 2),
        TaskLoaded("x"),
    ]
    assert _shown(_terminal, everything, quiet=True, trials=16) == ""


def test_a_trend_keeps_its_shape_and_its_bounds() -> None:
    trend = Trend(24)
    for value in range(100_000):
        trend.add(float(value))
        assert len(trend.values) < 48
    steps = np.diff(trend.values)
    assert trend.values[0] == 0 and trend.values[-1] > 90_000 and np.ptp(steps) == 0
    assert sparkline([0.0, 1.0, 2.0, 7.0]) == "▁▂▃█" and sparkline([3.0, 3.0]) == "▁▁"


def test_rows_that_are_shown_are_spread_evenly() -> None:
    assert spread(list(range(50)), 8) == [0, 7, 14, 21, 28, 35, 42, 49]
    assert spread([1, 2], 8) == [1, 2] and spread([1, 2, 3], 1) == [1]
