"""Signals that ask a search to stop. It then saves the state of its packs and ends."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

# Returns why the search is to stop, in a few words, or None.
Until = Callable[[], str | None]


@contextmanager
def stopped_by_signals(on_signal: Callable[[], None]) -> Iterator[Until]:
    """Turn Ctrl-C and SIGTERM into a request to stop, inside the block.

    SIGTERM is what schedulers send before they take a machine away. A second signal ends the
    process at once. Signals reach the main thread only; in other threads the block changes nothing.

    Args:
        on_signal: Called within the signal's handler.

    Yields:
        A function that returns the signal's name, or None before there is one.
    """
    heard: list[int] = []

    def hear(number: int, frame: object) -> None:
        if heard:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        heard.append(number)
        on_signal()

    with _handled_by(hear):
        yield lambda: signal.Signals(heard[0]).name if heard else None


class Terminated(KeyboardInterrupt):
    """SIGTERM came while nothing had to be saved."""


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Make SIGTERM raise `Terminated` inside the block, as Ctrl-C raises KeyboardInterrupt.

    It is for the work before and after training.
    """

    def hear(number: int, frame: object) -> None:
        raise Terminated

    with _handled_by(hear, [signal.SIGTERM]):
        yield


@contextmanager
def signals_ignored() -> Iterator[None]:
    """Ignore Ctrl-C and SIGTERM inside the block.

    It is for a few seconds of work that must not be left half done.
    """
    with _handled_by(signal.SIG_IGN):
        yield


@contextmanager
def _handled_by(
    handler: Callable | signal.Handlers,
    numbers: Sequence[signal.Signals] = (signal.SIGINT, signal.SIGTERM),
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
