"""What a search shows: counts against a recount, time left against a simulation, and the screen as
a terminal gets it."""

import io
import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from tests.support import made_up_events as made_up
from tests.support import studies
from wiring_search.cli.progress import shown
from wiring_search.cli.progress.live import Trend, View, sparkline, spread
from wiring_search.search.budget import Budget
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
from wiring_search.search.monitor import Monitor
from wiring_search.workers.jobs import Status


def _screen(
    width: int, events: list[Event], height: int = 30, budget: Budget | None = None, **given: object
) -> tuple[list[str], View]:
    """The last frame as lines of text. The clock runs a second a pack."""
    clock = made_up.Clock()
    monitor = Monitor(made_up.halving(128, **given), budget, clock)
    view = View(
        monitor, Console(file=io.StringIO(), force_terminal=True, width=width, height=height)
    )
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


def test_the_screen_shows_everything_in_eighty_columns() -> None:
    events = list(itertools.islice(made_up.events(made_up.halving(128)), 70))
    lines, view = _screen(
        80, [*events, PackStarted(99, 1, (3, 4))], budget=Budget(minutes=15, core_hours=0.5)
    )
    text, monitor = "\n".join(lines), view._monitor
    assert max(map(len, lines)) <= 80
    assert len(lines) < 24
    assert re.search(
        rf"^digits +━.* {monitor.decided} of 128 candidates · {monitor.full} with the full budget",
        lines[0],
    )
    assert re.search(r"\d+ s of 15 min · about .* left · 0\.\d+ of 0\.5 core-hours", lines[1])
    assert re.search(
        rf"rung 1 +20 epochs +{monitor.rungs[1].trained} trained +{monitor.rungs[1].promoted} "
        rf"promoted +{monitor.rungs[1].running} running",
        text,
    )
    assert re.search(r"rung 0 .* \d diverged", text)
    assert "workers  2 up" in text
    assert "candidates per minute" in text
    best, error = monitor.best
    assert f"error {error:.4g} (trial {best})" in text
    rows = [
        line.split()
        for line in lines[lines.index(next(line for line in lines if "on the front" in line)) + 1 :]
    ]
    assert [int(row[0]) for row in rows] == [trial for trial, _ in monitor.front.rows(by=1)]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
@pytest.mark.parametrize(
    "objectives", [("error", "synapses"), ("error", "synapses", "latency_us", "parameters")]
)
def test_no_line_is_broken_at_any_width(width: int, objectives: tuple[str, ...]) -> None:
    events = list(itertools.islice(made_up.events(made_up.halving(128, objectives=objectives)), 70))
    lines, view = _screen(width, events, objectives=objectives)
    assert max(map(len, lines)) <= width
    # As many lines everywhere: none was folded.
    assert len(lines) == len(_screen(300, events, objectives=objectives)[0])


@pytest.mark.parametrize("height", [12, 16, 24, 60])
def test_the_front_is_as_long_as_the_terminal_allows(height: int) -> None:
    monitor = Monitor(studies.config(trials=50))
    view = View(monitor, Console(file=io.StringIO(), force_terminal=True, width=80, height=height))
    view(
        PackDone(
            0, {trial: made_up.outcome(1 / (trial + 2), 10 * (trial + 1)) for trial in range(50)}
        )
    )
    lines = _drawn(view, 80, height)
    place = next(i for i, line in enumerate(lines) if "of 50 on the front" in line)
    rows = lines[place + 1 :]
    assert len(lines) <= max(height, 12)
    assert 1 <= len(rows) <= 8
    assert rows[0].split()[0] == "0"
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
    lines, _ = _screen(80, [PackDone(0, {0: made_up.outcome(0.25, 50, Status.PRUNED)})])
    text = "\n".join(lines)
    assert "error 0.25 (trial 0, after 7 of 60 epochs)" in text
    assert "on the front after 7 epochs" in text


def _shown(
    make: Callable[[io.StringIO], Console],
    events: list[Event],
    quiet: bool = False,
    trials: int = 128,
) -> str:
    file = io.StringIO()
    with shown(made_up.halving(trials), make(file), quiet) as watch:
        for event in events:
            watch(event)
    return file.getvalue()


def _terminal(file: io.StringIO, **given: object) -> Console:
    return Console(
        file=file, force_terminal=True, width=80, height=24, _environ={"TERM": "xterm"}, **given
    )


def test_in_a_terminal_the_cursor_comes_back_whatever_happens() -> None:
    file = io.StringIO()
    with pytest.raises(KeyboardInterrupt), shown(made_up.halving(16), _terminal(file)) as watch:
        for event in itertools.islice(made_up.events(made_up.halving(16)), 8):
            watch(event)
        raise KeyboardInterrupt
    text = file.getvalue()
    assert text.index("\x1b[?25l") < text.rindex("\x1b[?25h")
    assert "core-hours" in text


def test_the_display_is_calm_and_its_last_frame_leaves_the_front_to_the_table() -> None:
    text = _shown(_terminal, list(made_up.events(made_up.halving(2000))), trials=2000)
    assert text.count(" candidates · ") < 40  # frames, of 1,100 events
    assert "2000 of 2000 candidates" in text.rsplit("digits", 1)[1]
    assert "on the front" not in text.rsplit("digits", 1)[1]


def test_without_colour_there_is_none() -> None:
    text = _shown(
        lambda file: _terminal(file, no_color=True),
        list(made_up.events(made_up.halving(64))),
        trials=64,
    )
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", text)
    assert "64 of 64 candidates" in text


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

    lines = _shown(console, list(made_up.events(made_up.halving(128)))).splitlines()
    assert not any("\x1b[?25l" in line for line in lines)
    assert lines[:3] == [
        "digits: 1,797 samples [made up]",
        "rule majority class: error 0.9",
        "Estimate: about 4 min on 2 workers, 0.13 core-hours.",
    ]
    assert 1 <= len(lines[3:]) <= 2
    assert re.fullmatch(
        r"128 of 128 candidates · \d+ with the full budget · \d+ candidates per minute · "
        r"best error [\d.]+ \(trial \d+\)"
        r" · \d+ failed",
        lines[-1],
    )


def test_without_rungs_a_line_is_as_short_as_ever() -> None:
    file = io.StringIO()
    config = studies.config(trials=9)
    with shown(config, Console(file=file, width=200)) as watch:
        watch(PackDone(0, {trial: made_up.outcome(0.5 + trial / 10, 10) for trial in range(9)}))
        watch(Exhausted(9))
        watch(Stopped("SIGTERM"))  # the command line says what this means
    first, *others = file.getvalue().splitlines()
    assert re.fullmatch(
        r"9 of 9 candidates · \d+ candidates per minute · best error 0.5 \(trial 0\)", first
    )
    assert others == [
        "The space has no new feasible candidate. The search ends after 9 candidates.",
    ]


def test_quiet_is_silent() -> None:
    everything = [
        *made_up.events(made_up.halving(16)),
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
    assert trend.values[0] == 0
    assert trend.values[-1] > 90_000
    assert np.ptp(steps) == 0
    assert sparkline([0.0, 1.0, 2.0, 7.0]) == "▁▂▃█"
    assert sparkline([3.0, 3.0]) == "▁▁"


def test_rows_that_are_shown_are_spread_evenly() -> None:
    assert spread(list(range(50)), 8) == [0, 7, 14, 21, 28, 35, 42, 49]
    assert spread([1, 2], 8) == [1, 2]
    assert spread([1, 2, 3], 1) == [1]
