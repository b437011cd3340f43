"""What each solver costs and how far it is from the ODE of one trained network, hypersolvers
included.

    python benchmarks/solvers.py

A small LTC learns to double the frequency of a sine; then its weights are frozen and every solver
runs them, on new inputs. Evaluations: of the right-hand side a time step. Errors: relative, against
a fine solution (`SolverReport`). ms: one forward pass, the least of many runs, one thread; "kernel"
is the fused kernel, "plain" the torch reference, in which hypersolvers run and to which they are to
be compared.
"""

import time
from collections.abc import Callable

import torch

from wiring_search.networks.hypersolver_fit import fit
from wiring_search.networks.kernels.cpu import set_thread_count
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.solver_accuracy import SolverReport, compare, fine_solution
from wiring_search.wirings.topologies import ncp

WIRING = ncp(
    sensory=2,
    inter=10,
    command=6,
    motor=2,
    sensory_fanout=4,
    inter_fanout=3,
    recurrent_synapses=6,
    motor_fanin=3,
)
SAMPLES, TIME_STEPS, TRAINING_STEPS = 32, 24, 300
CHOICES = [
    *(("semi-implicit", steps) for steps in (1, 2, 6, 12)),
    ("closed-form", 0),
    *((solver, steps) for solver in ("euler", "heun", "rk4") for steps in (1, 4, 8, 16)),
]
HYPER = [
    ("euler", 1),
    ("euler", 16),
    ("heun", 16),
    ("semi-implicit", 1),
    ("semi-implicit", 2),
    ("semi-implicit", 6),
]


def main() -> None:
    torch.set_num_threads(1)
    set_thread_count(1)
    network, error = trained()
    print(
        f"LTC of {WIRING.neurons} neurons, {WIRING.synapse_count} synapses, trained "
        f"{TRAINING_STEPS} steps to a mse of {error:.3f};"
    )
    print(f"{SAMPLES} new sequences of {TIME_STEPS} time steps\n")
    print(
        f"{'solver':22}{'steps':>6}{'evaluations':>13}{'terminal':>11}{'worst':>10}{'stable':>8}"
        f"{'kernel ms':>11}{'plain ms':>10}"
    )
    (x, _, elapsed), (seen, _, times) = sines(1), sines(0)
    truth = fine_solution(network, x, elapsed)
    for row in compare(network, x, elapsed, CHOICES, truth):
        kernel, plain = (
            like(network, row.solver, row.steps, use_reference) for use_reference in (False, True)
        )
        line(
            row, f"{milliseconds(kernel, x, elapsed, 50):11.2f}", milliseconds(plain, x, elapsed, 5)
        )
    for base, steps in HYPER:
        solved = fit(network, seen, times, base=base, steps=steps)
        line(solved.report(x, elapsed, truth), f"{'–':>11}", milliseconds(solved, x, elapsed, 5))


def line(row: SolverReport, kernel: str, plain: float) -> None:
    print(
        f"{row.solver:22}{row.steps:6}{row.function_evaluations:13}"
        f"{row.terminal_error:11.1e}{row.worst_error:10.1e}"
        f"{'yes' if row.stable else 'no':>8}{kernel}{plain:10.1f}"
    )


def sines(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """x (B, T, 2): sine and cosine of random frequency and phase; the sine of the doubled angle (B,
    T, 1); elapsed (B, T), irregular."""
    draw = torch.Generator().manual_seed(seed)
    elapsed = 0.4 + 1.2 * torch.rand(SAMPLES, TIME_STEPS, generator=draw)
    speed, phase = (
        0.2 + 0.3 * torch.rand(SAMPLES, 1, generator=draw),
        6.28 * torch.rand(SAMPLES, 1, generator=draw),
    )
    angle = phase + speed * elapsed.cumsum(dim=1)
    return torch.stack([angle.sin(), angle.cos()], dim=2), (2 * angle).sin()[:, :, None], elapsed


def trained() -> tuple[LiquidNetwork, float]:
    """The network and its mean squared error on new sequences."""
    network = LiquidNetwork(WIRING, outputs=1)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    for step in range(TRAINING_STEPS):
        x, y, elapsed = sines(100 + step)
        optimiser.zero_grad()
        (network(x, elapsed)[0] - y).square().mean().backward()
        optimiser.step()
    x, y, elapsed = sines(1)
    with torch.no_grad():
        return network, float((network(x, elapsed)[0] - y).square().mean())


def like(network: LiquidNetwork, solver: str, steps: int, use_reference: bool) -> LiquidNetwork:
    """The same weights under another solver."""
    other = LiquidNetwork(
        WIRING, outputs=1, solver=solver, steps=steps, use_reference=use_reference
    )
    other.load_state_dict(dict(network.named_parameters()))
    return other


def milliseconds(run: Callable, x: torch.Tensor, elapsed: torch.Tensor, times: int) -> float:
    spent = []
    with torch.no_grad():
        run(x, elapsed)
        for _ in range(times):
            start = time.perf_counter()
            run(x, elapsed)
            spent.append(time.perf_counter() - start)
    return 1e3 * min(spent)


if __name__ == "__main__":
    main()
