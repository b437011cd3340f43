"""Solvers as a choice after training: one network's weights, run by every solver that its neurons
have.

    for row in alternatives(network, task):
        print(row)
    cheaper = with_solver(network, "semi-implicit", 2)

Weights define a differential equation, but they were trained with one solver, whose errors they
have learned too. So each row says two things: how far the solver is from the equation
(`solver_accuracy`), and what the task's validation error becomes with it. The fine solution has a
separate row: it is right about the equation, and need not be better at the task. Hypersolvers
(`hypersolver`) are fitted on inputs of the training split. All that is reported is measured on the
validation split.
"""

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch

from wiring_search.networks.hypersolver import ORDERS
from wiring_search.networks.hypersolver_fit import fit_each
from wiring_search.networks.kernels.layout import kind_of
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.solver_accuracy import (
    SolverReport,
    compare,
    fine_solution,
    judge,
    require_ode,
)
from wiring_search.tasks.task import Split, Task, value_of
from wiring_search.training.loop import network_error
from wiring_search.training.loss import elapsed_of
from wiring_search.training.warm_up import one_torch_thread
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS, has_steps

# Sub-steps per time step that every solver is tried with, beside as many as the network was trained
# with.
SUB_STEPS = (1, 2, 4)
# Of the fine solution: its error is about a fifteenth of this share of the greatest state.
_TOLERANCE = 1e-7
# Time steps of training sequences that hypersolvers are fitted on.
_FITTED_TIME_STEPS = 2048

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Alternative:
    """One solver for the network's weights.

    The fields from `solver` to `stable` are those of `SolverReport`, measured on some sequences of
    the validation split.

    Attributes:
        solver: "hyper-…" for a hypersolver.
        steps: Sub-steps per time step.
        function_evaluations: See `SolverReport`.
        terminal_error: See `SolverReport`.
        worst_error: See `SolverReport`.
        stable: See `SolverReport`.
        error: Of the task, on all of the validation split; NaN where an output is not finite.
        metric: As `error`, in the task's metric.
        trained_with: Whether it is the solver that the weights were trained with.
        fine: Whether it is the fine solution itself, whose solver errors are 0 by definition.
    """

    solver: str
    steps: int
    function_evaluations: int
    terminal_error: float
    worst_error: float
    stable: bool
    error: float
    metric: float
    trained_with: bool = False
    fine: bool = False


def with_solver(network: LiquidNetwork, solver: str, steps: int = 0) -> LiquidNetwork:
    """Return a copy with the same weights and another solver, back-propagating through it.

    Args:
        network: Stays as it is.
        solver: A solver of its neurons.
        steps: Sub-steps per time step, 0 for the closed form.

    Raises:
        ValueError: Its neurons cannot have this solver, or this number of steps.
    """
    kind = network.layout.kind
    chosen = Candidate(network.wiring, kind.neuron, solver, steps, kind.memory)
    other = copy.deepcopy(network)
    other.layout = replace(network.layout, steps=(steps,), kind=kind_of(chosen))
    return other


@one_torch_thread()
def alternatives(
    network: LiquidNetwork,
    task: Task,
    samples: int = 64,
    hyper: bool = True,
    seed: int = 0,
    on_progress: Progress = lambda done, count, what: None,
) -> list[Alternative]:
    """Measure every solver on the network's weights.

    Args:
        network: Trained on the task.
        task: Gives the sequences.
        samples: Validation sequences that are drawn to measure a solver's errors on.
        hyper: Fit hypersolvers too, on every base that is not further from the fine solution than a
            state of zeros would be: a correction does not save a base that explodes.
        seed: Of the draws and the fits.
        on_progress: Called with (done, count, what) before each row is made.

    Returns:
        One row per solver and number of sub-steps, then the hypersolvers, and last the fine
        solution.

    Raises:
        ValueError: The neurons are no differential equation, `samples` is below 1, or no fine
            solution is found.
    """
    require_ode(network)
    if samples < 1:
        raise ValueError(f"samples is {samples}; give 1 or more sequences to measure on")
    network = copy.deepcopy(network)
    network.every_step = task.every_step
    x, elapsed = _drawn(task.valid, samples, seed)
    kind = network.layout.kind
    trained_steps = network.layout.steps[0]
    choices = _choices(kind.neuron, trained_steps)
    fitted = [(solver, steps) for solver, steps in choices if hyper and solver in ORDERS]
    rows: list[Alternative] = []

    def note(
        report: SolverReport, runs: Callable, trained_with: bool = False, fine: bool = False
    ) -> None:
        error = network_error(task, task.valid, lambda x, elapsed: runs(x, elapsed)[0])
        metric = value_of(task.metric, error)
        rows.append(
            Alternative(
                **asdict(report), error=error, metric=metric, trained_with=trained_with, fine=fine
            )
        )

    on_progress(0, len(choices) + len(fitted) + 1, "fine solution")
    truth = fine_solution(network, x, elapsed, _TOLERANCE)
    reports = {(row.solver, row.steps): row for row in compare(network, x, elapsed, choices, truth)}
    fitted = [choice for choice in fitted if reports[choice].terminal_error < 1.0]
    count = len(choices) + len(fitted) + 1
    for (solver, steps), report in reports.items():
        on_progress(len(rows), count, f"{solver} × {steps}" if steps else solver)
        note(
            report,
            with_solver(network, solver, steps),
            trained_with=(solver, steps) == (kind.solver, trained_steps),
        )
    sequences = max(1, _FITTED_TIME_STEPS // task.time_steps)
    fits = fit_each(network, *_drawn(task.train, sequences, seed), fitted, seed=seed)
    for base, steps in fitted:
        on_progress(len(rows), count, f"hyper-{base} × {steps}")
        solved = next(fits)
        note(solved.report(x, elapsed, truth), solved)
    on_progress(len(rows), count, "fine solution")
    note(
        judge(network, truth.states, truth.states, "rk4", truth.steps),
        with_solver(network, "rk4", truth.steps),
        fine=True,
    )
    return rows


def _choices(neuron: str, trained_steps: int) -> list[tuple[str, int]]:
    """Every solver of the neuron with every number of sub-steps."""
    counts = sorted({*SUB_STEPS, trained_steps} - {0})
    return [
        (solver, steps)
        for solver in KINDS[neuron].solvers
        for steps in (counts if has_steps(solver) else (0,))
    ]


def _drawn(split: Split, samples: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """x (B, T, F) and elapsed (B, T) of so many sequences of the split, or of all where there are
    no more."""
    rows = np.sort(np.random.default_rng(seed).permutation(len(split))[:samples])
    return torch.from_numpy(np.array(split.x[rows])), torch.from_numpy(elapsed_of(split)[rows])
