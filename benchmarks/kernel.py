"""The fused kernels against the `ncps` package and torchdiffeq, side by side in one run. Parity is
checked before anything is timed.

    python benchmarks/kernel.py            (or: make bench)

The setting, unless a line says otherwise: LTC, 32 time steps, batch 32, 17 inputs, 6 unfolds,
forward and all gradients, one thread. A synapse update is one synapse of one sample in one sub-step
(a sensory synapse: in one time step). Times are the least of many runs; "×" is a ratio within this
run.
"""

import time
from collections.abc import Callable

import numba
import numpy as np
import torch
from ncps.torch import LTC, CfC
from ncps.wirings import NCP, AutoNCP
from torchdiffeq import odeint

from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels.cpu.simd import LANES, aligned, load, logistic2, store
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.ncps_interop import from_ncps
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.ncps_format import from_ncps as wiring_from_ncps
from wiring_search.wirings.topologies import ncp

TIME_STEPS, BATCH, INPUTS, UNFOLDS = 32, 32, 17, 6
WIRINGS = {
    "NCP 12/6/1": (lambda: NCP(12, 6, 1, 6, 4, 4, 6), 50),
    "AutoNCP(32,4)": (lambda: AutoNCP(32, 4), 35),
    "AutoNCP(64,4)": (lambda: AutoNCP(64, 4), 25),
    "AutoNCP(128,4)": (lambda: AutoNCP(128, 4), 22),
}
PACK = 64


def main() -> None:
    torch.manual_seed(0)
    one_thread()
    sigmoids = bare_sigmoids()
    print(f"bare vectorised sigmoid: {sigmoids / 1e9:.2f} G a second on one core\n")
    print(
        f"{'wiring':16}{'synapses':>9}{'parity':>10}{'ncps ms':>9}{'ours ms':>9}{'ratio':>8}"
        f"{'to reach':>10}{'G updates/s':>13}{'share':>8}"
    )
    for name, (make, goal) in WIRINGS.items():
        theirs = LTC(INPUTS, make())
        ours = from_ncps(theirs)
        error = parity(theirs, ours)
        slow, fast = best(step(theirs), 8), best(step(ours), 200)
        updates = synapse_updates(ours)
        rate = updates / kernel_seconds(ours)
        print(
            f"{name:16}{ours.wiring.synapse_count:9}{error:10.1e}{slow * 1e3:9.2f}{fast * 1e3:9.3f}"
            f"{slow / fast:7.1f}×{goal:9}×"
            f"{rate / 1e9:13.2f}{rate / sigmoids:8.0%}"
        )
    print(
        "\nratio: forward and all gradients through torch. updates, share: the kernels alone, "
        "forward + backward, and of the"
    )
    print(
        "bare sigmoid's rate (the backward pass runs every sigmoid again and does about as much "
        "work besides).\n"
    )
    relatives()
    threads()
    packs()


def relatives() -> None:
    """Mixed memory, CfC, CT-RNN: each against what its users have now."""
    made = {
        "LTC with memory, NCP 12/6/1": (
            LTC(INPUTS, WIRINGS["NCP 12/6/1"][0](), mixed_memory=True),
            "ncps",
            20,
        ),
        "LTC with memory, AutoNCP(64,4)": (
            LTC(INPUTS, WIRINGS["AutoNCP(64,4)"][0](), mixed_memory=True),
            "ncps",
            20,
        ),
        "CfC, NCP 12/6/1": (CfC(INPUTS, WIRINGS["NCP 12/6/1"][0]()), "ncps", 10),
        "CfC, AutoNCP(64,4)": (CfC(INPUTS, WIRINGS["AutoNCP(64,4)"][0]()), "ncps", 10),
        "CT-RNN with RK4, NCP 12/6/1": (OdeintRnn("NCP 12/6/1"), "torchdiffeq", 20),
        "CT-RNN with RK4, AutoNCP(64,4)": (OdeintRnn("AutoNCP(64,4)"), "torchdiffeq", 20),
    }
    print(
        f"{'':32}{'against':>12}{'parity':>10}{'theirs ms':>11}{'ours ms':>9}{'ratio':>8}"
        f"{'to reach':>10}"
    )
    for name, (theirs, whose, goal) in made.items():
        ours = theirs.fused if isinstance(theirs, OdeintRnn) else from_ncps(theirs)
        error = outputs_differ(theirs, ours)
        slow, fast = best(step(theirs), 8), best(step(ours), 200)
        print(
            f"{name:32}{whose:>12}{error:10.1e}{slow * 1e3:11.2f}{fast * 1e3:9.3f}"
            f"{slow / fast:7.1f}×{goal:9}×"
        )
    print()


class OdeintRnn(torch.nn.Module):
    """A CT-RNN as one writes it with torchdiffeq: dense masked matrices, its fixed-step RK4, one
    call a time step."""

    def __init__(self, wiring: str) -> None:
        super().__init__()
        graph = wiring_from_ncps(WIRINGS[wiring][0](), INPUTS)
        self.fused = LiquidNetwork(
            graph, neuron="ct-rnn", solver="rk4", steps=UNFOLDS, positive="clip"
        )
        self.fused.tau.data.uniform_(0.5, 2.0)
        own = self.fused.layout.connections[0]
        dense = torch.zeros(graph.neurons, graph.neurons)
        dense[own.post, own.pre] = self.fused.w.detach()
        sensory = torch.zeros(graph.neurons, INPUTS)
        sensory[own.sensory_post, own.sensory_pre] = self.fused.sensory_w.detach()
        self.mask, self.sensory_mask = dense != 0, sensory != 0
        self.dense, self.sensory = torch.nn.Parameter(dense), torch.nn.Parameter(sensory)
        self.bias = torch.nn.Parameter(self.fused.bias.detach().clone())
        self.tau = torch.nn.Parameter(self.fused.tau.detach().clone())
        self.times = torch.linspace(0.0, 1.0, UNFOLDS + 1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        v, outputs = x.new_zeros(len(x), len(self.bias)), []
        weights = self.dense * self.mask
        for t in range(x.shape[1]):
            outer = x[:, t] @ (self.sensory * self.sensory_mask).T + self.bias
            # torchdiffeq's "rk4" is the 3/8 rule: of the same order and cost, not the same last
            # digits.
            v = odeint(
                lambda _, v, outer=outer: torch.tanh(v @ weights.T + outer) - v / self.tau,
                v,
                self.times,
                method="rk4",
            )[-1]
            outputs.append(v[:, : self.fused.wiring.motor])
        return torch.stack(outputs, dim=1), v


def outputs_differ(theirs: torch.nn.Module, ours: LiquidNetwork) -> float:
    """The largest difference of outputs, relative to the largest output. Ends the run above 1e-5
    (gradients: the tests)."""
    x = torch.rand(BATCH, TIME_STEPS, INPUTS)
    y, our_y = theirs(x)[0], ours(x)[0]
    error = float((y - our_y).detach().abs().max() / y.detach().abs().max())
    if error > 1e-5:
        raise SystemExit(f"no parity: outputs differ by {error:.1e}")
    return error


def one_thread() -> None:
    cpu.set_thread_count(1)
    torch.set_num_threads(1)


def best(run: Callable[[], object], repeats: int) -> float:
    """Seconds of the quickest of several runs, after one to warm up."""
    run()
    quickest = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        quickest = min(quickest, time.perf_counter() - start)
    return quickest


def step(network: torch.nn.Module) -> Callable[[], None]:
    x = torch.rand(BATCH, TIME_STEPS, INPUTS)

    def run() -> None:
        network.zero_grad()
        y, _ = network(x)
        y.sum().backward()

    return run


def parity(theirs: LTC, ours: LiquidNetwork) -> float:
    """The largest difference of outputs, relative to the largest output; gradients are compared
    too. Ends the run above 1e-5."""
    x = torch.rand(BATCH, TIME_STEPS, INPUTS)
    y, final = theirs(x)
    our_y, our_final = ours(x)
    for network, outputs in ((theirs, (y, final)), (ours, (our_y, our_final))):
        network.zero_grad()
        (outputs[0].square().sum() + outputs[1].square().sum()).backward()
    pre, post, _ = (torch.as_tensor(a, dtype=torch.long) for a in ours.wiring.synapse_arrays())
    pairs = {
        "outputs": (y, our_y),
        "state": (final, our_final),
        "gleak": (theirs.rnn_cell.gleak.grad, ours.gleak.grad),
    }
    for field in ("w", "mu", "sigma", "erev"):
        pairs[field] = (getattr(theirs.rnn_cell, field).grad[pre, post], getattr(ours, field).grad)
    errors = {
        name: float((a - b).detach().abs().max() / a.detach().abs().max())
        for name, (a, b) in pairs.items()
    }
    worst = max(errors, key=errors.__getitem__)
    if errors[worst] > 1e-5:
        raise SystemExit(f"no parity: {worst} differs by {errors[worst]:.1e}")
    return errors[worst]


def synapse_updates(network: LiquidNetwork) -> int:
    wiring = network.wiring
    return (len(wiring.synapses) * UNFOLDS + len(wiring.sensory_synapses)) * TIME_STEPS * BATCH


def kernel_seconds(network: LiquidNetwork, batch: int = BATCH) -> float:
    """Forward and backward kernel of one network, without torch around it."""
    params = torch.cat([p.reshape(-1) for p in network.effective().values()]).detach().numpy()
    x = np.random.default_rng(0).random((batch, TIME_STEPS, INPUTS), np.float32)
    elapsed, state = (
        np.ones((batch, TIME_STEPS), np.float32),
        np.zeros((batch, network.wiring.neurons), np.float32),
    )

    def run() -> None:
        y, final, kept = cpu.forward(network.layout, params, x, elapsed, state, True)
        cpu.backward(network.layout, params, kept, y, final, False)

    return best(run, 100)


def threads() -> None:
    available = numba.config.NUMBA_NUM_THREADS
    if available < 2:
        print("two threads: this machine gives one\n")
        return
    for name, batch in (("AutoNCP(64,4)", 32), ("AutoNCP(64,4)", 128), ("AutoNCP(128,4)", 32)):
        network = from_ncps(LTC(INPUTS, WIRINGS[name][0]()))
        cpu.set_thread_count(1)
        alone = kernel_seconds(network, batch)
        cpu.set_thread_count(2)
        together = kernel_seconds(network, batch)
        print(f"two threads, {name}, batch {batch}: {alone / together:.2f}× (to reach 1.8×)")
    one_thread()
    print()


def packs() -> None:
    """A pack's whole training step, optimiser, loss and readout included, against as many single
    kernels."""
    candidates = [
        Candidate(ncp(INPUTS, 12, 6, 1, 6, 4, 6, 4, seed=seed), steps=UNFOLDS, seed=seed)
        for seed in range(PACK)
    ]
    rng = np.random.default_rng(0)
    x, target = (
        rng.random((BATCH, TIME_STEPS, INPUTS), np.float32),
        torch.rand(BATCH, TIME_STEPS, 1),
    )
    elapsed = np.ones((BATCH, TIME_STEPS), np.float32)
    pack = Pack(candidates, INPUTS, 1)

    def loss(y: torch.Tensor) -> torch.Tensor:
        return (y - target).square().mean(dim=(1, 2, 3))

    whole = best(lambda: pack.train_step(x, elapsed, True, loss), 20)
    singles = (
        sum(
            kernel_seconds(LiquidNetwork(c.wiring, INPUTS, 1, steps=c.steps))
            for c in candidates[:8]
        )
        * PACK
        / 8
    )
    print(
        f"pack of {PACK} NCPs, one training step: {whole * 1e3:.1f} ms; {PACK} single kernels: "
        f"{singles * 1e3:.1f} ms; ",
        end="",
    )
    print(f"{whole / singles:.2f}× (to reach 1.15×)")


def bare_sigmoids() -> float:
    """Sigmoids a second, from and to the first-level cache: the limit of everything here."""
    values, results = aligned(64 * LANES), aligned(64 * LANES)
    values[:] = np.random.default_rng(0).standard_normal(len(values))
    rounds = 2000

    @numba.njit
    def run(values, results):
        for _ in range(rounds):
            for i in range(64):
                store(results, i, logistic2(load(values, i)))

    return rounds * 64 * LANES / best(lambda: run(values, results), 20)


if __name__ == "__main__":
    main()
