"""The fused GPU kernels against the `ncps` package and the CPU kernel, side by side in one run.
Outputs and gradients are checked against the reference before anything is timed.

    PYTHONPATH=. python benchmarks/gpu.py

It wants torch, numpy and triton, nothing else; `ncps` and numba are timed too where they can be
imported. Without a GPU it checks the kernels under Triton's interpreter, says which figures are
open, and ends well.

The setting: LTC, 32 time steps, batch 32, 17 inputs, 6 unfolds, forward and the gradients of all
parameters and of the initial state. A synapse update is one synapse of one sample in one sub-step
(a sensory synapse: in one time step), as in `benchmarks/kernel.py`. Times are medians of several
calls, between two CUDA events.

What to expect. The special-function units of a multiprocessor take 16 lanes a clock, and a sigmoid
is two operations for them, an exponential and a reciprocal. An H100 or H200 has 132 multiprocessors
at up to 1.98 GHz:

    132 × 16 × 1.98 G    = 4.18 T operations a second, 2.09 T sigmoids
    2 sigmoids per update = 1.05 T updates per second: one forward, one backward. This is the limit
    that the goal is measured against
    4 sigmoids per update = 0.52 T: what these kernels compute. They keep none for the backward pass
    (`wiring_search.networks.kernels.gpu.ltc` explains why)

A slice of eight neurons takes as many steps as its longest row; in the missing places sigmoids are
computed for nothing. NCP 12/6/1 fills three fifths: 0.32 T updates a second are the most that it
can reach, 31 % of the limit; 128 neurons fill nine tenths: 0.48 T. A call makes 0.46 M updates a
candidate of NCP 12/6/1, so a pack of 1,024 takes 1.5 ms at the least, 1.4 µs each. `ncps` launches
13,000 kernels for one, about 4 µs apart: 50 ms, 35,000 times as long.

What must move to and from memory does not bind: the history of a candidate, written once and read
once, is 160 KB, 50 ns at 3.3 TB a second. Two things may: latencies, as a pack of 1,024 is two
warps a scheduler, with eight sigmoids side by side in a thread; and the caches, as a program works
in 66 KB on its way back (128 neurons: 420 KB), and the eight or so on a multiprocessor share 256
KB.
"""

import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from dense_ltc import usual_network

if not torch.cuda.is_available():
    os.environ["TRITON_INTERPRET"] = "1"  # must be known before Triton is imported

import chip
import triton
from gpu_check import check, parameters

from wiring_search.networks.kernels import gpu
from wiring_search.networks.kernels.gpu.layout import LANES, ROWS, GpuLayout
from wiring_search.networks.kernels.gpu.training import Trainer, replayed
from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.wirings.topologies import auto_ncp, ncp
from wiring_search.wirings.wiring import Wiring

Tensor = torch.Tensor

TIME_STEPS, BATCH, INPUTS, UNFOLDS = 32, 32, 17, 6
WIRINGS: dict[str, Callable[[int], Wiring]] = {
    "NCP 12/6/1": lambda seed: ncp(INPUTS, 12, 6, 1, 6, 4, 4, 6, seed=seed),
    "NCP of 32": lambda seed: auto_ncp(INPUTS, 32, 4, seed=seed),
    "NCP of 64": lambda seed: auto_ncp(INPUTS, 64, 4, seed=seed),
    "NCP of 128": lambda seed: auto_ncp(INPUTS, 128, 4, seed=seed),
}
USUAL = "NCP 12/6/1"
PACKS = (1, 16, 256, 1024, 4096)

# What a pack of 1,024 of the usual wiring must reach: times `ncps`, times our CPU kernel on so many
# cores, share of the limit.
GOAL_PACK, TIMES_NCPS, TIMES_CPU, CORES, SHARE = 1024, 5000, 50, 16, 0.4

# Sigmoids a synapse update of a training pass: those that it must compute, and those that these
# kernels compute.
LEAST_SIGMOIDS, OUR_SIGMOIDS = 2, 4

# Half-cheetah (`wiring_search.tasks.half_cheetah`) as the LTC paper trains it: windows to train on
# and to validate with.
TRAIN, VALID, OUTPUTS, TRAIN_BATCH, EPOCHS = 970, 485, 17, 16, 200
TRAINED_PACKS = (1024, 4096)

# An H100 or H200, for what to expect without one: multiprocessors, and the clock that they reach.
EXPECTED = chip.Chip("H100", 132, 1.98e9, 3.3e12, float("nan"))


class Pack(NamedTuple):
    gpu_layout: GpuLayout
    params: Tensor
    x: Tensor
    elapsed: Tensor
    state: Tensor


class Work(NamedTuple):
    """Of a training pass through a pack: synapse updates, sigmoids that the kernels compute for
    them, and bytes that must move."""

    updates: int
    sigmoids: int
    bytes: int


class Timed(NamedTuple):
    """A pack: seconds a call, the share of the limit that binds, and which that is."""

    seconds: float
    share: float
    binds: str


def main() -> None:
    sys.stdout.reconfigure(line_buffering=True)
    torch.set_num_threads(1)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    print(
        f"torch {torch.__version__}, triton {triton.__version__}; {TIME_STEPS} time steps, batch "
        f"{BATCH}, {UNFOLDS} unfolds"
    )
    print(
        "correct: no output or gradient differs from the float64 reference by more than "
        f"{check(device):.1e}, relative\n"
    )
    if device == "cpu":
        open_figures()
        expected(EXPECTED)
        return
    this = chip.measured()
    print(f"{this}\n")
    alone = one_at_a_time()
    timed = packs(this)
    on_cpu = cpu_kernel()
    goals(alone[USUAL], timed[USUAL, GOAL_PACK], on_cpu)
    training_steps(alone[USUAL])
    where_it_goes(timed[USUAL, GOAL_PACK].seconds)


# One network at a time


def one_at_a_time() -> dict[str, float]:
    """Seconds on the GPU of one network of each wiring."""
    print(f"{'one at a time, ms':20}{'synapses':>10}{'on the GPU':>12}{'on the CPU':>12}")
    found = {}
    for name, draw in WIRINGS.items():
        network, whose = usual_network(draw(0), UNFOLDS)
        on_cpu = cpu_seconds(step_of(network, "cpu"))
        found[name] = chip.seconds(step_of(network.cuda(), "cuda"), repeats=5)
        print(f"{name:20}{draw(0).synapse_count:10}{found[name] * 1e3:12.1f}{on_cpu * 1e3:12.1f}")
    print(f"({whose}; on the CPU with one thread)\n")
    return found


def step_of(network: torch.nn.Module, device: str) -> Callable[[], None]:
    x = torch.rand(BATCH, TIME_STEPS, INPUTS, device=device)

    def run() -> None:
        network.zero_grad()
        y, _ = network(x)
        y.sum().backward()

    return run


# Packs


def packs(this: chip.Chip) -> dict[tuple[str, int], Timed]:
    """Prints a line a pack. The packs by wiring and size, without those that the memory does not
    hold."""
    print(
        f"{'wiring':12}{'pack':>5}{'s a call':>11}{'forward':>10}{'ms each':>10}{'G updates/s':>13}"
        f"{'limit':>8}{'own':>7}{'bare':>7}{'filled':>8}{'memory':>8}  binds"
    )
    found = {}
    for name, draw in WIRINGS.items():
        wirings = tuple(draw(seed) for seed in range(max(PACKS)))
        for size in PACKS:
            try:
                found[name, size] = timed_pack(this, name, wirings[:size])
            except torch.OutOfMemoryError:
                print(f"{name:12}{size:5}   more than the memory of this GPU holds")
            torch.cuda.empty_cache()
    print(
        "limit, own: share of the special-function units' sigmoids, at two an update, and at the "
        "four that these kernels compute."
    )
    print(
        "bare: share of the bare kernel's, those in missing places counted too; filled: places of "
        "the slices that are synapses."
    )
    print(
        "memory: share of the bandwidth for what must move. binds: which of limit and memory "
        "allows fewer updates a second.\n"
    )
    return found


def timed_pack(this: chip.Chip, name: str, wirings: tuple[Wiring, ...]) -> Timed:
    pack = random_pack(wirings, "cuda")
    seconds, of_forward = (
        chip.seconds(lambda: both_passes(pack)),
        chip.seconds(lambda: forward(pack)),
    )
    work = work_of(pack.gpu_layout)
    rate = work.updates / seconds
    limit, memory = LEAST_SIGMOIDS * rate / this.sigmoids, work.bytes / this.bandwidth / seconds
    share, binds = max((limit, "special-function units"), (memory, "memory"))
    print(
        f"{name:12}{len(wirings):5}{seconds:11.6f}"
        f"{of_forward:10.6f}{seconds / len(wirings) * 1e3:10.5f}{rate / 1e9:13.2f}{limit:8.1%}"
        f"{OUR_SIGMOIDS * rate / this.sigmoids:7.0%}"
        f"{work.sigmoids / seconds / this.bare_sigmoids:7.0%}{filled(work):8.0%}{memory:8.1%}  "
        f"{binds}"
    )
    return Timed(seconds, share, binds)


def random_pack(wirings: tuple[Wiring, ...], device: str) -> Pack:
    layout = PackLayout(wirings, (UNFOLDS,) * len(wirings), INPUTS)
    return Pack(
        gpu.to_device(layout, device),
        torch.from_numpy(parameters(layout)).to(device),
        torch.rand(BATCH, TIME_STEPS, INPUTS, device=device),
        torch.ones(BATCH, TIME_STEPS, device=device),
        torch.zeros(BATCH, layout.state_size, device=device),
    )


def forward(pack: Pack) -> tuple[Tensor, Tensor, gpu.Kept]:
    return gpu.forward(*pack, every_step=True)


def both_passes(pack: Pack) -> None:
    y, final, kept = forward(pack)
    gpu.backward(pack.gpu_layout, pack.params, kept, y, final, False)


def work_of(gpu_layout: GpuLayout) -> Work:
    layout, lanes = gpu_layout.layout, TIME_STEPS * -(-BATCH // LANES) * LANES
    inner, outer = (
        sum(len(getattr(made, ends)) for made in layout.connections)
        for ends in ("pre", "sensory_pre")
    )
    onto, outer_onto, leaving, outer_leaving = (
        int(edges.width.sum()) * ROWS
        for edges in (
            gpu_layout.incoming,
            gpu_layout.sensory,
            gpu_layout.outgoing,
            gpu_layout.leaving,
        )
    )
    # Onto a neuron: forward, run again, and for the synapses' own gradients. From it: for the
    # state's.
    sigmoids = UNFOLDS * (3 * onto + leaving) + 3 * outer_onto + outer_leaving
    numbers = (
        2 * (TIME_STEPS + 1) * BATCH * layout.state_size  # the history, written and read
        + 2
        * TIME_STEPS
        * BATCH
        * layout.size
        * layout.output_size  # the readouts and their gradients
        + 16 * (onto + outer_onto)  # five constants and an end, read in each pass, and four sums
        + 5 * (leaving + outer_leaving)  # four constants and an end
        + 2 * layout.parameters  # read, and their gradients written
    )
    return Work((UNFOLDS * inner + outer) * TIME_STEPS * BATCH, sigmoids * lanes, 4 * numbers)


def filled(work: Work) -> float:
    return OUR_SIGMOIDS * work.updates / work.sigmoids


# The CPU kernel, goals


def cpu_kernel() -> tuple[float, int] | None:
    """Seconds a candidate of our CPU kernel for the usual pack, and on how many cores; None where
    it cannot run."""
    try:
        from wiring_search.networks.kernels import cpu
    except ImportError as missing:
        print(f"our CPU kernel is not timed: {missing}\n")
        return None
    pack = random_pack(usual_wirings(), "cpu")
    layout, arrays = pack.gpu_layout.layout, [tensor.numpy() for tensor in pack[1:]]

    def run() -> None:
        y, final, kept = cpu.forward(layout, *arrays, True)
        cpu.backward(layout, arrays[0], kept, y, final, False)

    each, cores = cpu_seconds(run) / GOAL_PACK, cpu.thread_count()
    print(
        f"our CPU kernel, {USUAL}, a pack of {GOAL_PACK} on {cores} cores: {each * 1e3:.4f} ms "
        "each\n"
    )
    return each, cores


def usual_wirings() -> tuple[Wiring, ...]:
    return tuple(WIRINGS[USUAL](seed) for seed in range(GOAL_PACK))


def cpu_seconds(run: Callable[[], object], repeats: int = 5) -> float:
    """Median, after one call to warm up."""
    run()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return statistics.median(found)


def goals(alone: float, pack: Timed, on_cpu: tuple[float, int] | None) -> None:
    each = pack.seconds / GOAL_PACK
    print(f"{USUAL}, a pack of {GOAL_PACK}:")
    verdict(
        "times one at a time on this GPU",
        f"{alone / each:,.0f}",
        f"{TIMES_NCPS:,}",
        alone / each >= TIMES_NCPS,
    )
    verdict(
        f"of the limit that binds ({pack.binds})",
        f"{pack.share:.0%}",
        f"{SHARE:.0%}",
        pack.share >= SHARE,
    )
    if on_cpu is None:
        print(f"  times our CPU kernel on {CORES} cores: open, to reach {TIMES_CPU}")
    else:
        seconds, cores = on_cpu
        times = seconds * cores / CORES / each
        how = "" if cores == CORES else f" (in proportion, from {cores})"
        verdict(
            f"times our CPU kernel on {CORES} cores{how}",
            f"{times:,.0f}",
            f"{TIMES_CPU}",
            times >= TIMES_CPU,
        )
    print()


def verdict(what: str, value: str, least: str, reached: bool) -> None:
    print(f"  {what}: {value}, to reach {least}: {'reached' if reached else 'missed'}")


# Training


def training_steps(alone: float) -> None:
    """Whole epochs of the half-cheetah protocol, on random numbers of its shapes: a step has
    minibatch, both passes, loss and Adam. alone: seconds of a forward and backward pass of one
    network at a time."""
    steps = -(-TRAIN // TRAIN_BATCH)
    print(
        f"half-cheetah: {EPOCHS} epochs of {steps} steps of {TRAIN_BATCH} windows of {TIME_STEPS}, "
        f"validation on {VALID} after each"
    )
    print(
        f"{'NCP 12/6/4':12}{'pack':>5}{'s an epoch':>12}"
        f"{'ms a step':>11}{'candidates per GPU-hour':>25}"
    )
    for size in TRAINED_PACKS:
        try:
            run_steps, validate = training(size, "cuda")
            of_steps, of_validation = (
                chip.seconds(run_steps, repeats=3),
                chip.seconds(validate, repeats=3),
            )
        except torch.OutOfMemoryError:
            print(f"{'':12}{size:5}   more than the memory of this GPU holds")
            continue
        seconds = of_steps + of_validation
        print(
            f"{'':12}{size:5}{seconds:12.4f}{of_steps / steps * 1e3:11.3f}"
            f"{3600 * size / (EPOCHS * seconds):25,.0f}"
        )
        torch.cuda.empty_cache()
    print(
        f"one at a time, its steps alone at {alone * 1e3:.1f} ms each (batch {BATCH}): "
        f"{3600 / (EPOCHS * steps * alone):.2f} per GPU-hour\n"
    )


def training(size: int, device: str) -> tuple[Callable[[], None], Callable[[], None]]:
    """The steps of an epoch, and its validation."""
    wirings = tuple(ncp(INPUTS, 12, 6, 4, 6, 4, 4, 4, seed=seed) for seed in range(size))
    layout = PackLayout(wirings, (UNFOLDS,) * size, INPUTS, OUTPUTS)
    raw = parameters(layout)
    raw[layout.positive] = np.log(np.expm1(raw[layout.positive]))  # softplus makes them positive
    moments = np.zeros_like(raw), np.zeros_like(raw)
    trainer = Trainer(
        layout,
        raw,
        *moments,
        np.zeros(size, np.int64),
        np.full(size, 0.01, np.float32),
        1.0,
        device,
    )
    x, target = (
        torch.rand(TRAIN, TIME_STEPS, features, device=device) for features in (INPUTS, OUTPUTS)
    )
    elapsed = torch.ones(TRAIN, TIME_STEPS, device=device)

    def step(rows: Tensor) -> Tensor:
        truth = target[rows]
        return trainer.step(
            x[rows], elapsed[rows], True, lambda y: (y - truth).square().mean(dim=(1, 2, 3))
        )

    run, rng = replayed(step, trainer.device), np.random.default_rng(0)

    def run_steps() -> None:
        order = rng.permutation(TRAIN)
        for start in range(0, TRAIN, TRAIN_BATCH):
            run(order[start : start + TRAIN_BATCH])

    def validate() -> None:
        (trainer.predict(x[:VALID], elapsed[:VALID], True)[0] - target[:VALID]).square_().mean(
            dim=(1, 2, 3)
        )

    return run_steps, validate


# Where the time goes


def where_it_goes(seconds: float) -> None:
    """What ran on the device during a call of the usual pack, the longest first."""
    pack = random_pack(usual_wirings(), "cuda")
    both_passes(pack)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as record:
        both_passes(pack)
        torch.cuda.synchronize()
    ran = sorted(record.key_averages(), key=lambda kernel: -kernel.self_device_time_total)
    print(f"{USUAL}, a pack of {GOAL_PACK}, {seconds * 1e3:.3f} ms a call, of which the device ran")
    for kernel in ran[:8]:
        spent = kernel.self_device_time_total / 1e3
        print(
            f"  {spent:9.3f} ms {spent / 1e3 / seconds:6.1%} {kernel.count:5} × {kernel.key[:80]}"
        )
    busy = sum(kernel.self_device_time_total for kernel in ran) / 1e6
    print(
        f"  {max(seconds - busy, 0) * 1e3:9.3f} ms {max(1 - busy / seconds, 0):6.1%}         "
        "nothing: it waited for the host"
    )


# Without a GPU


def open_figures() -> None:
    print("There is no GPU here, so these figures are open:")
    for figure in (
        f"seconds a call of packs of {', '.join(f'{size:,}' for size in PACKS)}, NCPs of 19, 32, "
        "64 and 128 neurons, against ncps",
        f"a pack of {GOAL_PACK:,} {USUAL}: times ncps one at a time on the same GPU, to reach "
        f"{TIMES_NCPS:,}",
        f"the same, times our CPU kernel on {CORES} cores, to reach {TIMES_CPU}",
        f"the same, share of the limit that binds, to reach {SHARE:.0%}",
        f"training steps of {' and '.join(f'{size:,}' for size in TRAINED_PACKS)} candidates, "
        "half-cheetah candidates per GPU-hour",
    ):
        print(f"  open: {figure}")
    print()


def expected(this: chip.Chip) -> None:
    """The arithmetic at the top of this file."""
    print(
        f"To expect of an {this.name}: {this.multiprocessors} multiprocessors × "
        f"{chip.LANES_A_CLOCK} lanes × {this.clock / 1e9} GHz"
        f" / {chip.OPERATIONS_A_SIGMOID} operations = {this.sigmoids / 1e12:.2f} T sigmoids a "
        "second"
    )
    for sigmoids, what in (
        (LEAST_SIGMOIDS, "the limit"),
        (OUR_SIGMOIDS, "what these kernels compute"),
    ):
        print(
            f"  / {sigmoids} sigmoids an update, {what}: {this.sigmoids / sigmoids / 1e12:.2f} T "
            "updates a second"
        )
    print(
        f"\n{'at most':12}{'filled':>8}{'T updates/s':>13}"
        f"{'limit':>7}{'µs each':>9}{'memory, µs':>12}{'works in, KB':>14}"
    )
    for name, draw in WIRINGS.items():
        size = 16
        gpu_layout = gpu.to_device(
            PackLayout(tuple(draw(seed) for seed in range(size)), (UNFOLDS,) * size, INPUTS), "cpu"
        )
        work = work_of(gpu_layout)
        seconds, memory = work.sigmoids / this.sigmoids, work.bytes / this.bandwidth
        rate, scratch = work.updates / seconds, gpu_layout.scratch_rows * LANES * 4
        print(
            f"{name:12}{filled(work):8.0%}{rate / 1e12:13.2f}"
            f"{rate * LEAST_SIGMOIDS / this.sigmoids:7.0%}"
            f"{seconds / size * 1e6:9.2f}{memory / size * 1e6:12.3f}{scratch / size / 1024:14.0f}"
        )
    print(
        "at most: were the special-function units always busy. filled: places of the slices that "
        "are synapses; in the others sigmoids"
    )
    print(
        "are computed too. limit: share of it. memory: for what must move. works in: what a "
        "program reads and writes on its way back."
    )


if __name__ == "__main__":
    main()
