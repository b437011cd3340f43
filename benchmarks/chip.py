"""What a GPU can do at most, measured: its clock under load, the rate of bare sigmoids, the
bandwidth of its memory."""

import statistics
from collections.abc import Callable
from typing import NamedTuple

import torch
import triton
import triton.language as tl
from triton.language.extra.cuda import globaltimer

from wiring_search.networks.kernels.gpu.layout import LANES, ROWS
from wiring_search.networks.kernels.gpu.sequence import reciprocal

# Of the special-function units of a multiprocessor; a sigmoid is an exponential and a reciprocal.
LANES_A_CLOCK, OPERATIONS_A_SIGMOID = 16, 2

ROUNDS, PROGRAMS = 20_000, 32  # of `bare_sigmoids`; programs a multiprocessor
COPIED = 1 << 28  # numbers


class Chip(NamedTuple):
    """clock: Hz. bandwidth: bytes a second. bare_sigmoids: a second."""

    name: str
    multiprocessors: int
    clock: float
    bandwidth: float
    bare_sigmoids: float

    @property
    def sigmoids(self) -> float:
        """A second, at the full rate of the special-function units."""
        return self.multiprocessors * LANES_A_CLOCK * self.clock / OPERATIONS_A_SIGMOID

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.multiprocessors} multiprocessors at {self.clock / 1e9:.2f} GHz "
            "(measured, under a load of sigmoids)\n"
            f"special-function units: {self.sigmoids / 1e12:.2f} T sigmoids a second "
            f"({LANES_A_CLOCK} lanes a clock, "
            f"{OPERATIONS_A_SIGMOID} operations each)\n"
            f"bare sigmoid kernel: {self.bare_sigmoids / 1e12:.2f} T a second, "
            f"{self.bare_sigmoids / self.sigmoids:.0%} of that\n"
            f"memory: {self.bandwidth / 1e12:.2f} TB a second (measured, by copying)"
        )


def measured() -> Chip:
    properties = torch.cuda.get_device_properties(0)
    programs = properties.multi_processor_count * PROGRAMS
    values, ticks = (
        torch.zeros(ROWS * LANES, device="cuda"),
        torch.zeros((programs, 2), dtype=torch.int64, device="cuda"),
    )

    def bare() -> None:
        bare_sigmoids[(programs,)](values, ticks, ROUNDS, SIZE=ROWS * LANES, num_warps=1)

    sigmoids = programs * ROUNDS * ROWS * LANES / seconds(bare)
    clocks, nanoseconds = ticks.sum(dim=0).tolist()
    source = torch.zeros(COPIED, device="cuda")
    target = torch.empty_like(source)
    bandwidth = 2 * source.nbytes / seconds(lambda: target.copy_(source))
    return Chip(
        properties.name,
        properties.multi_processor_count,
        clocks / nanoseconds * 1e9,
        bandwidth,
        sigmoids,
    )


def seconds(run: Callable[[], object], repeats: int = 7) -> float:
    """Of a call on the GPU: the median of several, after two to warm up."""
    for _ in range(2):
        run()
    found = []
    for _ in range(repeats):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        found.append(start.elapsed_time(end) / 1e3)
    return statistics.median(found)


@triton.jit
def bare_sigmoids(values, ticks, rounds, SIZE: tl.constexpr):
    """A sigmoid of a sigmoid and so on, in registers: as many side by side in a program as the
    kernels have. ticks: (programs, 2), the clocks and the nanoseconds that each program took."""
    at = tl.arange(0, SIZE)
    program = tl.program_id(0)
    v = tl.load(values + at)
    clocks, nanoseconds = _clock(), globaltimer()
    for _ in range(rounds):
        v = reciprocal(1.0 + tl.exp2(v * -3.0 + 1.5))
    tl.store(values + at, v, mask=v > 1.0)  # never, but who compiles it cannot know
    tl.store(ticks + 2 * program, _clock() - clocks)
    tl.store(ticks + 2 * program + 1, globaltimer() - nanoseconds)


@triton.jit
def _clock():
    return tl.inline_asm_elementwise(
        "mov.u64 $0, %clock64;", "=l", [], dtype=tl.int64, is_pure=False, pack=1
    )
