"""Fitting hypersolvers (`hypersolver`) to networks that have been trained.

The correction is fitted to the residuals of a fine solution, on the states that the network visits.
"""

import copy
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch

from wiring_search.networks.hypersolver import ORDERS, Hypersolved
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.solver_accuracy import (
    fine_solution,
    given_to,
    stepper,
    walk,
)

# Of the solution that is fitted to: far below what any correction leaves.
_TOLERANCE = 1e-6


class _Course(NamedTuple):
    """A fine solution within every time step where time passes, float64.

    Attributes:
        elapsed: (N, 1) length of each time step.
        u: (N, sensory) sensory values, held.
        states: (N, parts + 1, neurons), at both ends of the time step and between.
    """

    elapsed: torch.Tensor
    u: torch.Tensor
    states: torch.Tensor


def fit(
    network: LiquidNetwork,
    x: torch.Tensor,
    elapsed: torch.Tensor | float | None = None,
    base: str = "euler",
    steps: int = 1,
    hidden: int = 32,
    iterations: int = 1000,
    batch: int = 512,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> Hypersolved:
    """A hypersolver for the network, fitted on the states that its ODE visits on x.

    The loss is the share of the base's squared local error that the correction leaves. Adam
    minimises it with a learning rate that falls to 0 along a cosine. The same seed gives the same
    fit.

    Args:
        network: Of any ODE neuron; its weights do not change.
        x: (B, T, features).
        elapsed: As `LiquidNetwork.forward` takes it; the correction knows only step lengths like
            these.
        base: A name out of ORDERS.
        steps: Sub-steps per time step.
        hidden: Width of the correction.
        iterations: Of Adam.
        batch: States per iteration.
        learning_rate: Of the first iteration.
        seed: Of the initial weights and of the batches.

    Returns:
        The fitted hypersolver.

    Raises:
        ValueError: As `Hypersolved` and `solver_accuracy.fine_solution`; `iterations` or `batch` is
            below 1; no time ever passes.

    Source:
        Poli et al., "Hypersolvers: toward fast continuous-depth models", NeurIPS 2020, eq. 5.
    """
    return next(
        fit_each(
            network, x, elapsed, [(base, steps)], hidden, iterations, batch, learning_rate, seed
        )
    )


def fit_each(
    network: LiquidNetwork,
    x: torch.Tensor,
    elapsed: torch.Tensor | float | None,
    choices: Sequence[tuple[str, int]],
    hidden: int = 32,
    iterations: int = 1000,
    batch: int = 512,
    learning_rate: float = 0.01,
    seed: int = 0,
) -> Iterator[Hypersolved]:
    """Fitted hypersolvers, one after the other; the fine solution, most of the time, is found once.

    Args:
        network: Of any ODE neuron; its weights do not change.
        x: (B, T, features).
        elapsed: As `LiquidNetwork.forward` takes it.
        choices: (base, steps) of each.
        hidden: Width of the corrections.
        iterations: Of Adam, for each.
        batch: States per iteration.
        learning_rate: Of the first iteration.
        seed: Of the initial weights and of the batches.

    Yields:
        The fitted hypersolver of each choice, in their order.

    Raises:
        ValueError: As `fit`.
    """
    if iterations < 1 or batch < 1:
        raise ValueError(f"iterations is {iterations} and batch is {batch}; give 1 or more of each")
    unfitted = [Hypersolved(network, base, steps, hidden, seed) for base, steps in choices]
    course = _course(network, x, elapsed, math.lcm(*(solved.steps for solved in unfitted)))
    for solved in unfitted:
        yield _fitted(solved, _residuals(solved, course), iterations, batch, learning_rate, seed)


def _fitted(
    solved: Hypersolved,
    residuals: list[torch.Tensor],
    iterations: int,
    batch: int,
    learning_rate: float,
    seed: int,
) -> Hypersolved:
    h, v, slope, u, residual = residuals
    correction = solved.correction
    weight = h ** (ORDERS[solved.base] + 1)
    seen = torch.cat([h, v, slope, u], dim=1)
    spread = seen.std(dim=0, correction=0)
    correction.centre.copy_(seen.mean(dim=0))
    # What never changes, such as h on regular data, is 0 after centring; a unit of 1 keeps new
    # values of it in scale.
    correction.spread.copy_(torch.where(spread > 1e-6, spread, torch.ones_like(spread)))
    correction.unit.copy_(residual.square().mean(dim=0).sqrt())
    whole = (weight * residual).square().mean().clamp(min=torch.finfo(h.dtype).tiny)

    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(correction.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    for _ in range(iterations):
        at = torch.randint(len(h), (batch,), generator=generator).to(h.device)
        left = weight[at] * (correction(h[at], v[at], slope[at], u[at]) - residual[at])
        optimiser.zero_grad()
        (left.square().mean() / whole).backward()
        optimiser.step()
        schedule.step()
    return solved


def _course(
    network: LiquidNetwork, x: torch.Tensor, elapsed: torch.Tensor | float | None, parts: int
) -> _Course:
    """By RK4 with sub-steps no longer than the fine solution needs."""
    fine = stepper(
        network, "rk4", math.ceil(fine_solution(network, x, elapsed, _TOLERANCE).steps / parts)
    )
    rows = []

    def advance(v: torch.Tensor, u: torch.Tensor, elapsed: torch.Tensor) -> torch.Tensor:
        states = [v]
        for _ in range(parts):
            states.append(fine(states[-1], u, elapsed / parts))
        rows.append((elapsed, u, torch.stack(states, dim=1)))
        return states[-1]

    exact = copy.deepcopy(network).double()
    given = given_to(exact, x.double(), elapsed)
    with torch.no_grad():
        visits = walk(exact, advance, given.x, given.elapsed, given.state)
        passes = [visit.passes for visit in visits]
    kept = torch.cat(passes)[:, 0]
    if not bool(kept.any()):
        raise ValueError("elapsed is 0 everywhere; where no time passes there is nothing to fit")
    return _Course(*(torch.cat(column)[kept] for column in zip(*rows, strict=True)))


def _residuals(solved: Hypersolved, course: _Course) -> list[torch.Tensor]:
    """h (N, 1), v, the base's mean slope (N, neurons), u (N, sensory) and the residual (N, neurons)
    of every sub-step along the course; found in float64, given in the network's dtype."""
    exact = copy.deepcopy(solved).double()
    by_name = exact.cell.effective()
    h = course.elapsed / solved.steps
    stride = (course.states.shape[1] - 1) // solved.steps
    rows = []
    with torch.no_grad():
        for step in range(solved.steps):
            v = course.states[:, step * stride]
            after = course.states[:, (step + 1) * stride]
            stepped = exact.base_step(by_name, v, course.u, h)
            rows.append(
                (
                    h,
                    v,
                    (stepped - v) / h,
                    course.u,
                    (after - stepped) / h ** (ORDERS[solved.base] + 1),
                )
            )
    dtype = next(solved.cell.parameters()).dtype
    return [torch.cat(column).to(dtype) for column in zip(*rows, strict=True)]
