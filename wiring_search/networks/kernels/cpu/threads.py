"""Threads that share the items of a call.

A compiled loop takes items from a counter until none is left. The caller runs it, and so do its
helpers, Python threads, since compiled code holds no lock of the interpreter. A helper that has not
begun when the last item is taken is sent away, so the caller waits at most for one item of each
helper: no core that another process keeps busy holds up a whole share of the work.

A forked child starts with helpers of its own, and OpenMP, which cannot be forked, is not used.
"""

import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic


class _Limit(threading.local):
    count: float = math.inf


_limit = _Limit()


def thread_count() -> int:
    """How many threads a call from this thread may use.

    It is numba's number, of `numba.config` or the environment's NUMBA_NUM_THREADS: the cores that
    this process may use, unless that says less. `set_thread_count` and `at_most_threads` say
    less for the calling thread.
    """
    return int(min(_limit.count, _available()))


def _available() -> int:
    count: int = numba.config.NUMBA_NUM_THREADS
    return count


def set_thread_count(count: int) -> None:
    """Let calls from the calling thread use this many threads, but no more than there are cores."""
    _limit.count = count


@contextmanager
def at_most_threads(count: int) -> Iterator[None]:
    """Within the block, kernels called from here run on this many threads or fewer."""
    before = _limit.count
    _limit.count = min(before, count)
    try:
        yield
    finally:
        _limit.count = before


def one_thread() -> AbstractContextManager[None]:
    """Within the block, kernels called from here run on the calling thread alone."""
    return at_most_threads(1)


def share(loop: Callable[..., None], *arguments: object, count: int) -> None:
    """Run a compiled loop until all of its items are done.

    Args:
        loop: Takes items by `next_item` of its first argument, a fresh counter.
        *arguments: Its other arguments.
        count: Threads, the calling one included.
    """
    counter = np.zeros(1, np.int64)
    helpers = [_helpers().submit(loop, counter, *arguments) for _ in range(count - 1)]
    try:
        loop(counter, *arguments)
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()


@cache
def _helpers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_available(), thread_name_prefix="kernel")


# Threads do not survive a fork; the child's first call starts its own.
os.register_at_fork(after_in_child=_helpers.cache_clear)


@intrinsic
def next_item(typingctx, counter):
    """The number in an int64 array of one, which is then one more: no two threads get the same."""

    def codegen(context, builder, sig, args):
        at = context.make_array(sig.args[0])(context, builder, args[0]).data
        return builder.atomic_rmw("add", at, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(counter), codegen
