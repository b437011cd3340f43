"""What signals do to a running search, and to work that must not be left half done."""

import os
import signal
import threading

import pytest

from wiring_search.workers.signals import signals_ignored, stopped_by_signals

SIGNALS = [signal.SIGINT, signal.SIGTERM]


def _send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_asks_and_the_second_one_ends(number: int) -> None:
    heard = []
    with pytest.raises(KeyboardInterrupt), stopped_by_signals(lambda: heard.append(1)) as until:
        assert until() is None
        _send(number)
        assert until() == signal.Signals(number).name
        assert heard == [1]
        _send(number)
    assert heard == [1]


@pytest.mark.parametrize("number", SIGNALS)
def test_nothing_is_heard_where_nothing_may_be_and_all_is_afterwards(number: int) -> None:
    with pytest.raises(KeyboardInterrupt), stopped_by_signals(lambda: None) as until:
        _send(number)
        with signals_ignored():
            _send(number)
        assert until()
        _send(number)


def test_other_threads_hear_nothing_and_change_nothing() -> None:
    before, seen = [signal.getsignal(number) for number in SIGNALS], []

    def elsewhere() -> None:
        with stopped_by_signals(lambda: None) as until, signals_ignored():
            seen.append(until())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [None]
    assert before == [signal.getsignal(number) for number in SIGNALS]
