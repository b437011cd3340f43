"""When a search is asked to stop: a signal, or a budget that is spent. It then writes down where its packs stand and ends."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# Why the search is to stop, in a few words; None: it is not.
Until = Callable[[], str | None]


@contextmanager
def stopped_by_signals(told: Callable[[], None]) -> Iterator[Until]:
    """Inside the block, Ctrl-C and SIGTERM (what schedulers send before they take a machine away) do not end the process but
    make the given function say so; a second one ends it at once. told: called within the signal's handler. Signals reach the
    main thread alone; in others nothing is heard."""
    heard: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return

    def hear(number: int, frame: object) -> None:
        if heard:
            raise KeyboardInterrupt
        heard.append(number)
        told()

    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: signal.Signals(heard[0]).name if heard else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
