"""Hypersolvers: a cheap solver with a learned correction, for a network that has been trained.

    v' = ψ(v) + h^{p+1} g(h, v, (ψ(v) − v)/h, u)

ψ is one step of length h of a base solver of order p, u the sensory values, g a small perceptron
whose last layer starts at zero, so that the hypersolver starts as its base. g is fitted to the
residuals (z(t + h) − ψ(z(t))) / h^{p+1} of a fine solution z on the states that the network visits;
labels are not looked at and the network's weights stay as they are. If g is right to δ, the
error of a step falls from O(h^{p+1}) to O(δ h^{p+1}) (Poli et al., "Hypersolvers: toward fast
continuous-depth models", NeurIPS 2020, eqs. 3 to 5 and theorem 1).

There g sees the slope f(v); here it sees the base's mean slope over the step, which for Euler is
f(v) and never costs a further function evaluation. g is dense, whatever the wiring: it belongs
to the solver, not to the network.

A correction refines a base that is stable at that step length; far beyond it, it does not save one.
On a trained, stiff LTC take the semi-implicit base, which always is stable (`benchmarks/solvers.py`
shows both).
"""

import copy
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

from wiring_search.networks import inputs
from wiring_search.networks.identity import Identified
from wiring_search.networks.kernels.reference import apply_map
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.solver_accuracy import (
    FineSolution,
    SolverReport,
    fine_solution,
    given_to,
    judge,
    require_ode,
    states_of,
    walk,
)
from wiring_search.wirings.kinds import KINDS

ORDERS = {"euler": 1, "heun": 2, "semi-implicit": 1}


class Correction(nn.Module):
    """g: a perceptron with two hidden layers.

    Its inputs and outputs are measured in units that `fit` sets and the state_dict carries. Before,
    they are 1. Its activation is tanh, so the correction stays bounded for every state.

    Args:
        neurons: Of the network.
        sensory: Sensory nodes of the network.
        hidden: Width of each hidden layer.
    """

    centre: torch.Tensor
    spread: torch.Tensor
    unit: torch.Tensor

    def __init__(self, neurons: int, sensory: int, hidden: int) -> None:
        super().__init__()
        seen = 1 + 2 * neurons + sensory
        last = nn.Linear(hidden, neurons)
        self.layers = nn.Sequential(
            nn.Linear(seen, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), last
        )
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.register_buffer("centre", torch.zeros(seen))
        self.register_buffer("spread", torch.ones(seen))
        self.register_buffer("unit", torch.ones(neurons))

    def forward(
        self, h: torch.Tensor, v: torch.Tensor, slope: torch.Tensor, u: torch.Tensor
    ) -> torch.Tensor:
        """The correction of one step.

        Args:
            h: (B, 1) length of the step.
            v: (B, neurons) states at its start.
            slope: (B, neurons) mean slope of the base solver over the step.
            u: (B, sensory) sensory values.

        Returns:
            g, (B, neurons).
        """
        seen = torch.cat([h, v, slope, u], dim=1)
        return self.unit * self.layers((seen - self.centre) / self.spread)


class Hypersolved(Identified):
    """A frozen copy of a network, run by the base solver with a correction, in plain torch.

    Before it is fitted it computes what the base solver does; see `fit`.

    Args:
        network: Of any ODE neuron.
        base: A name out of ORDERS.
        steps: Sub-steps per time step.
        hidden: Width of the correction.
        seed: Of the correction's initial weights.

    Raises:
        ValueError: The neuron is no ODE or does not have this base, or a number is below 1.
    """

    def __init__(
        self,
        network: LiquidNetwork,
        base: str = "euler",
        steps: int = 1,
        hidden: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_ode(network)
        neuron = network.layout.kind.neuron
        known = [name for name in ORDERS if name in KINDS[neuron].solvers]
        if base not in known:
            raise ValueError(
                f"base is {base!r}; bases of a hypersolver for {neuron}: {', '.join(known)}"
            )
        if steps < 1 or hidden < 1:
            raise ValueError(f"steps is {steps} and hidden is {hidden}; give 1 or more of each")
        self.base = base
        self.steps = steps
        self.cell = copy.deepcopy(network).requires_grad_(False)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.correction = Correction(network.wiring.neurons, network.wiring.sensory, hidden)
        self.correction.to(next(network.parameters()))

    def forward(
        self,
        x: torch.Tensor | PackedSequence,
        elapsed: inputs.Elapsed = None,
        state: torch.Tensor | None = None,
        lengths: inputs.Lengths = None,
    ) -> tuple[torch.Tensor | PackedSequence, torch.Tensor]:
        """A batch through a whole sequence: the contract of `LiquidNetwork.forward`.

        Args:
            x: (B, T, features), or another form that `LiquidNetwork.forward` takes.
            elapsed: Time since the previous step, ≥ 0: one number or (B, T); 1.0 by default.
            state: (B, neurons and memory cells), zeros by default.
            lengths: (B,) valid steps of each sample, all by default; the state is held after them.

        Returns:
            Outputs (B, T, outputs) in the form of x, or (B, outputs) without `every_step`, and the
            final state (B, neurons and memory cells).

        Raises:
            TypeError: An argument is no tensor where it is to be one.
            ValueError: A dtype, device, shape or value does not fit.
        """
        given = given_to(self.cell, x, elapsed, state, lengths)
        with inputs.without_autocast(given.x.device):
            by_name = self.cell.effective()
            advance = partial(self._advance, by_name)
            visits = walk(self.cell, advance, given.x, given.elapsed, given.state)
            states = [visit.state for visit in visits]
            shown = states if self.cell.every_step else states[-1:]
            y = [
                apply_map(by_name["output_w"], by_name["output_b"], v[:, : self.cell.wiring.motor])
                for v in shown
            ]
            outputs = torch.stack(y, dim=1) if self.cell.every_step else y[0]
        return given.in_its_form(outputs, states[-1])

    def meaning(self) -> dict[str, Any]:
        """What gives the correction its meaning, beside the cell's own."""
        return {"base": self.base, "steps": self.steps}

    def base_step(
        self, by_name: dict[str, torch.Tensor], v: torch.Tensor, u: torch.Tensor, h: torch.Tensor
    ) -> torch.Tensor:
        """One step of the base solver.

        Args:
            by_name: The cell's effective parameters.
            v: (B, neurons) states at the start.
            u: (B, sensory) sensory values, held.
            h: (B, 1) length of the step, in the task's unit of time.

        Returns:
            ψ(v), (B, neurons).
        """
        layout = self.cell.layout
        return NEURONS[layout.kind.neuron].advance(
            self.base, 1, layout.connections[0], by_name, v, u, h
        )

    def report(
        self,
        x: torch.Tensor,
        elapsed: torch.Tensor | float | None = None,
        truth: FineSolution | None = None,
    ) -> SolverReport:
        """How well it follows the network's ODE.

        Args:
            x: (B, T, features).
            elapsed: As `forward` takes it.
            truth: The fine solution, where it is known already.

        Returns:
            A report as of `solver_accuracy.compare`. Its function evaluations are those of the
            base; one evaluation of the correction per sub-step comes on top.

        Raises:
            ValueError: As `solver_accuracy.fine_solution`.
        """
        exact = copy.deepcopy(self).double()
        states = states_of(self.cell, partial(exact._advance, exact.cell.effective()), x, elapsed)
        truth = truth or fine_solution(self.cell, x, elapsed)
        judged = judge(self.cell, states, truth.states, self.base, self.steps)
        return replace(judged, solver=f"hyper-{self.base}")

    def extra_repr(self) -> str:
        return f"base={self.base}, steps={self.steps}"

    def _advance(
        self,
        by_name: dict[str, torch.Tensor],
        v: torch.Tensor,
        u: torch.Tensor,
        elapsed: torch.Tensor,
    ) -> torch.Tensor:
        h = elapsed / self.steps
        for _ in range(self.steps):
            stepped = self.base_step(by_name, v, u, h)
            v = stepped + h ** (ORDERS[self.base] + 1) * self.correction(h, v, (stepped - v) / h, u)
        return v
