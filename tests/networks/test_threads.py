"""Threads that share the items of a call, and processes forked afterwards."""

import subprocess
import sys

import numba
import numpy as np
import pytest
from numba import njit

from wiring_search.networks.kernels.cpu import threads

# A data loader forks its workers, and what it loads may run a network.
_LOADER = """
import numba
import torch
from torch.utils.data import DataLoader, Dataset
from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels.cpu import threads
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.wirings.topologies import ncp

cpu.LITTLE_WORK = 0
numba.config.NUMBA_NUM_THREADS = 2
network = LiquidNetwork(ncp(2, 3, 2, 1, 1, 1, 1, 1))
x = torch.rand(64, 5, 2)

class Outputs(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, i):
        y, _ = network(x[16 * i : 16 * i + 32])
        y.square().mean().backward()
        return y[:16].detach()

torch.set_num_threads(2)
here = torch.stack([Outputs()[i] for i in range(4)])
there = torch.cat(list(DataLoader(Outputs(), num_workers=2, multiprocessing_context="fork")))
assert threads._helpers.cache_info().currsize == 1
assert torch.equal(here, there)
"""


@njit(nogil=True)
def _mark(counter, marks):
    item = threads.next_item(counter)
    while item < len(marks):
        marks[item] += 1
        item = threads.next_item(counter)


def test_every_item_is_taken_once() -> None:
    marks = np.zeros(100_000, np.int64)
    threads.share(_mark, marks, count=3)
    assert (marks == 1).all()


def test_a_count_holds_inside_its_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 4)
    with threads.at_most_threads(3):
        assert threads.thread_count() == 3
        with threads.at_most_threads(8):
            assert threads.thread_count() == 3
        with threads.one_thread():
            assert threads.thread_count() == 1
    assert threads.thread_count() == 4


def test_no_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba.config, "NUMBA_NUM_THREADS", 2)
    with threads.at_most_threads(4):
        threads.set_thread_count(8)
        assert threads.thread_count() == 2


def test_a_failure_in_a_helper_is_raised() -> None:
    def fails(counter: np.ndarray) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        threads.share(fails, count=2)


def test_workers_forked_after_a_shared_call_run_networks() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADER], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
