"""How well a solver follows the differential equation of a network, and what it costs.

A network's weights define an ODE; its solver and sub-steps only approximate the solution. Here both
are run side by side in float64 on the plain torch dynamics: the chosen solver, and a fine solution
by RK4 whose sub-steps are doubled until it agrees with itself. What is left between them is the
solver's error, rounding aside. The same weights may be judged under other solvers as well.

    print(report(network, x))                                       # the solver of the network
    for row in compare(network, x, None, [("euler", 1), ("rk4", 2)]):
        print(row)

Terminal error against function evaluations is how solvers are compared by Poli et al.,
"Hypersolvers: toward fast continuous-depth models", NeurIPS 2020 (section 5).
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch.nn.utils.rnn import PackedSequence

from wiring_search.networks import inputs
from wiring_search.networks.kernels.reference import apply_map
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.bounds import within_bounds
from wiring_search.networks.neurons.memory import remember
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS

# The fine solution has been found when twice the sub-steps move no state by more than this share of
# the greatest one. (The error of RK4 is then about a fifteenth of it.)
TOLERANCE = 1e-9
_FIRST_STEPS = 16
_MOST_STEPS = 1 << 14

# The state (B, neurons) after `elapsed` (B, 1) from v (B, neurons) with the sensory values u (B,
# sensory) held.
Advance = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class SolverReport:
    """How well a solver follows an ODE.

    Errors are of the neurons' states against the fine solution, without a unit.

    Attributes:
        solver: Which was judged.
        steps: Its sub-steps per time step.
        function_evaluations: Of the right-hand side, per time step.
        terminal_error: ‖v − v*‖ / ‖v*‖ of the final states of all samples together.
        worst_error: The greatest ‖v − v*‖ of any sample after any time step, over the root mean
            square of ‖v*‖.
        stable: Whether every state after every time step is finite and within the bounds of the
            exact solution (`Dynamics.bounds`, where there are any), give or take `bounds.SLACK`.
    """

    solver: str
    steps: int
    function_evaluations: int
    terminal_error: float
    worst_error: float
    stable: bool


class FineSolution(NamedTuple):
    """The solution of an ODE, to a tolerance.

    Attributes:
        states: (B, T, neurons and memory cells) after each time step, float64.
        steps: Sub-steps of RK4 per time step.
    """

    states: torch.Tensor
    steps: int


class Visit(NamedTuple):
    """One time step of a walk.

    Attributes:
        start: (B, neurons), where the neurons' solver starts.
        sensory: (B, sensory) values that it gets.
        elapsed: (B, 1) time that it covers.
        passes: (B, 1) bool, whether time passes; elsewhere `elapsed` is 1 and the state is held.
        state: (B, neurons and memory cells) afterwards.
    """

    start: torch.Tensor
    sensory: torch.Tensor
    elapsed: torch.Tensor
    passes: torch.Tensor
    state: torch.Tensor


def report(
    network: LiquidNetwork, x: torch.Tensor, elapsed: torch.Tensor | float | None = None
) -> SolverReport:
    """The accuracy of the solver that the network has.

    Args:
        network: Of any ODE neuron.
        x: (B, T, features).
        elapsed: As `LiquidNetwork.forward` takes it.

    Raises:
        ValueError: As `compare`.
    """
    return compare(network, x, elapsed, [(network.layout.kind.solver, network.layout.steps[0])])[0]


def compare(
    network: LiquidNetwork,
    x: torch.Tensor,
    elapsed: torch.Tensor | float | None,
    choices: Sequence[tuple[str, int]],
    truth: FineSolution | None = None,
) -> list[SolverReport]:
    """The accuracy of several solvers with the network's weights, from a state of zeros.

    Args:
        network: Of any ODE neuron.
        x: (B, T, features).
        elapsed: As `LiquidNetwork.forward` takes it.
        choices: (solver, sub-steps per time step) of each.
        truth: The fine solution, where it is known already; finding it takes nearly all of the
            time.

    Returns:
        One report per choice, in their order.

    Raises:
        ValueError: The neuron is no differential equation (the CfC family) or does not have a
            solver; x or elapsed does not fit; no fine solution is found.
    """
    kind = network.layout.kind
    for solver, steps in choices:
        Candidate(
            network.wiring, kind.neuron, solver, steps, kind.memory
        )  # raises where it cannot be
    truth = truth or fine_solution(network, x, elapsed)
    return [
        judge(
            network,
            states_of(network, stepper(network, solver, steps), x, elapsed),
            truth.states,
            solver,
            steps,
        )
        for solver, steps in choices
    ]


def function_evaluations(solver: str, steps: int) -> int:
    """Of the right-hand side, one time step: the stages of each sub-step; one of semi-implicit and
    closed form."""
    return TABLEAUX[solver].stages * steps if solver in TABLEAUX else max(steps, 1)


def fine_solution(
    network: LiquidNetwork,
    x: torch.Tensor,
    elapsed: torch.Tensor | float | None = None,
    tolerance: float = TOLERANCE,
) -> FineSolution:
    """The solution of the network's ODE from a state of zeros.

    RK4 doubles its sub-steps until it agrees with itself.

    Args:
        network: Of any ODE neuron.
        x: (B, T, features).
        elapsed: As `LiquidNetwork.forward` takes it.
        tolerance: The largest difference allowed, as a share of the greatest state.

    Raises:
        ValueError: The neuron is no ODE, or 2¹⁴ sub-steps are not enough.
    """
    require_ode(network)
    steps = _FIRST_STEPS
    coarse = None
    while steps <= _MOST_STEPS:
        fine = states_of(network, stepper(network, "rk4", steps), x, elapsed)
        if coarse is not None and bool((fine - coarse).abs().max() <= tolerance * fine.abs().max()):
            return FineSolution(fine, steps)
        steps = 2 * steps
        coarse = fine
    raise ValueError(
        f"no fine solution with {_MOST_STEPS} sub-steps a time step; are weights and elapsed times "
        "finite, not huge?"
    )


def require_ode(network: LiquidNetwork) -> None:
    """Refuse neurons that are no differential equation.

    Raises:
        ValueError: The network has such neurons.
    """
    neuron = network.layout.kind.neuron
    if "rk4" not in KINDS[neuron].solvers:
        known = ", ".join(name for name, kind in KINDS.items() if "rk4" in kind.solvers)
        raise ValueError(
            f"{neuron} is a formula, not a differential equation, so no solver errs on it; ODE "
            f"neurons: {known}"
        )


def stepper(network: LiquidNetwork, solver: str, steps: int) -> Advance:
    """The network's neurons under a solver, in float64.

    Args:
        network: Whose weights are taken, as they are now.
        solver: One of the neuron's solvers.
        steps: Sub-steps per time step.
    """
    layout = network.layout
    by_name = {
        name: value.detach() for name, value in copy.deepcopy(network).double().effective().items()
    }
    return partial(
        NEURONS[layout.kind.neuron].advance, solver, steps, layout.connections[0], by_name
    )


def states_of(
    network: LiquidNetwork, advance: Advance, x: torch.Tensor, elapsed: torch.Tensor | float | None
) -> torch.Tensor:
    """The states that a network visits, from a state of zeros.

    Args:
        network: Whose maps and memory are taken, in float64.
        advance: Moves the neurons by one time step.
        x: (B, T, features).
        elapsed: As `LiquidNetwork.forward` takes it.

    Returns:
        (B, T, neurons and memory cells) after each time step, float64.
    """
    exact = copy.deepcopy(network).double()
    given = given_to(exact, x.double(), elapsed)
    with torch.no_grad():
        visits = walk(exact, advance, given.x, given.elapsed, given.state)
        return torch.stack([visit.state for visit in visits], dim=1)


def given_to(
    network: LiquidNetwork,
    x: torch.Tensor | PackedSequence,
    elapsed: inputs.Elapsed = None,
    state: torch.Tensor | None = None,
    lengths: inputs.Lengths = None,
) -> inputs.Given:
    """The inputs of `LiquidNetwork.forward` as `walk` takes them.

    Args:
        network: Whose inputs they are.
        x: As `LiquidNetwork.forward` takes it; likewise the others.
        elapsed: One number or (B, T).
        state: (B, neurons and memory cells).
        lengths: (B,) valid steps of each sample.

    Raises:
        TypeError: An argument is no tensor where it is to be one.
        ValueError: A dtype, device, shape or value does not fit.
    """
    return inputs.read(x, elapsed, state, lengths, network.accepts, next(network.parameters()))


def walk(
    network: LiquidNetwork,
    advance: Advance,
    x: torch.Tensor,
    elapsed: torch.Tensor,
    state: torch.Tensor,
) -> Iterator[Visit]:
    """The time steps of a network whose neurons move by `advance`.

    It is `kernels.reference` with the solver left open.

    Args:
        network: Whose maps and memory are taken.
        advance: Moves the neurons by one time step.
        x: (B, T, features).
        elapsed: (B, T) time since the previous step, ≥ 0.
        state: (B, neurons and memory cells).

    Yields:
        What the solver got and where the state is, time step by time step.
    """
    by_name = network.effective()
    memory = network.layout.kind.memory
    neurons = network.wiring.neurons
    v = state[:, :neurons]
    c = state[:, neurons:]
    x = torch.where((elapsed > 0)[:, :, None], x, torch.zeros_like(x))
    for t in range(x.shape[1]):
        passes = elapsed[:, t, None] > 0
        dt = torch.where(passes, elapsed[:, t, None], torch.ones_like(elapsed[:, t, None]))
        start = v
        shown = v
        new_c = c
        if memory != "none":
            shown, new_c = remember(x[:, t], v, c, by_name)
        if memory == "state":
            start = shown
        u = (
            shown
            if memory == "input"
            else apply_map(by_name["input_w"], by_name["input_b"], x[:, t])
        )
        v = torch.where(passes, advance(start, u, dt), v)
        c = torch.where(passes, new_c, c)
        yield Visit(start, u, dt, passes, torch.cat([v, c], dim=1))


def judge(
    network: LiquidNetwork, states: torch.Tensor, truth: torch.Tensor, solver: str, steps: int
) -> SolverReport:
    """Compare a solver's states with the fine solution.

    Args:
        network: Whose bounds decide what is stable.
        states: (B, T, neurons and memory cells) by the solver, float64.
        truth: The same by the fine solution.
        solver: Name for the report.
        steps: Sub-steps per time step, for the report.
    """
    v, exact = (of[:, :, : network.wiring.neurons] for of in (states, truth))
    tiny = torch.finfo(exact.dtype).tiny  # where nothing ever moves the error is 0, not 0/0
    final = exact[:, -1].norm().clamp(min=tiny)
    usual = exact.norm(dim=2).square().mean().sqrt().clamp(min=tiny)
    return SolverReport(
        solver=solver,
        steps=steps,
        function_evaluations=function_evaluations(solver, steps),
        terminal_error=float((v[:, -1] - exact[:, -1]).norm() / final),
        worst_error=float((v - exact).norm(dim=2).max() / usual),
        stable=_stable(network, v),
    )


def _stable(network: LiquidNetwork, v: torch.Tensor) -> bool:
    """v: (B, T, neurons)."""
    kind = network.layout.kind
    values = {
        name: value.detach().double().cpu().numpy() for name, value in network.effective().items()
    }
    extremes = v.amin(dim=(0, 1)).cpu().numpy(), v.amax(dim=(0, 1)).cpu().numpy()
    return within_bounds(
        NEURONS[kind.neuron], kind.memory, network.layout.connections[0], values, *extremes
    )
