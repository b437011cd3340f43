"""When a search is asked to stop: a signal, or a budget that is spent. It then writes down where
its packs stand and ends."""

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

# Why the search is to stop, in a few words; None: it is not.
Until = Callable[[], str | None]


@contextmanager
def stopped_by_signals(told: Callable[[], None]) -> Iterator[Until]:
    """Inside the block, Ctrl-C and SIGTERM (what schedulers send before they take a machine away)
    do not end the process but make the given function say so; a second one ends it at once. told:
    called within the signal's handler. Signals reach the main thread alone; in others nothing is
    heard."""
    heard: list[int] = []

    def hear(number: int, frame: object) -> None:
        if heard:
            raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
        heard.append(number)
        told()

    with _handled_by(hear):
        yield lambda: signal.Signals(heard[0]).name if heard else None


class Terminated(KeyboardInterrupt):
    """SIGTERM came where nothing has to be written down."""


@contextmanager
def sigterm_raises() -> Iterator[None]:
    """Inside the block, SIGTERM raises `Terminated`, as Ctrl-C raises KeyboardInterrupt: for what
    goes before and after training."""

    def hear(number: int, frame: object) -> None:
        raise Terminated

    with _handled_by(hear, [signal.SIGTERM]):
        yield


@contextmanager
def deaf() -> Iterator[None]:
    """Inside the block, Ctrl-C and SIGTERM are not heard: for the few seconds of what must not be
    left half done."""
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
