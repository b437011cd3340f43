"""The kinds of neuron, without their equations, and the other choices of a candidate.

No torch here. A new neuron is a row of `KINDS` and a file of dynamics,
`networks/neurons/FAMILY.py`, whose `NEURONS` has its name. A compiled kernel,
`networks/kernels/cpu/FAMILY.py`, makes it fast. Without one it trains in plain torch.
"""

from dataclasses import dataclass
from enum import StrEnum

CLOSED_FORM = "closed-form"

# Explicit solvers; `networks.neurons.solvers` has their tableaus.
EXPLICIT = ("euler", "heun", "rk4")

MEMORIES = ("none", "state", "input")

GRADIENTS = ("bptt", "adjoint")


class Family(StrEnum):
    """Kinds of neuron that share equations: the name of their files of dynamics and kernels."""

    LTC = "ltc"
    RATE = "rate"
    CFC = "cfc"
    EXTENSION = "extension"


@dataclass(frozen=True)
class NeuronKind:
    """The properties of a kind of neuron, without its equations.

    Attributes:
        family: The family whose equations and files it shares.
        solvers: Names of its solvers, the usual one first.
        signed: The initial weights have the signs of the synapses. Otherwise polarities have no
            effect.
        layered: It sees only synapses from one layer to the next, and recurs densely within each
            layer, whatever the wiring says.
        compiled: It has a compiled kernel. Otherwise it runs in plain torch.
        ncps: The module of the `ncps` package that computes the same with the usual solver,
            "LTC" or a mode of its wired "CfC"; "" where there is none.
    """

    family: Family
    solvers: tuple[str, ...]
    signed: bool = False
    layered: bool = False
    compiled: bool = True
    ncps: str = ""

    @property
    def usual_solver(self) -> str:
        """The solver that is used where none is named."""
        return self.solvers[0]

    @property
    def explicit(self) -> tuple[str, ...]:
        """Its explicit solvers, those with an adjoint gradient."""
        return tuple(solver for solver in self.solvers if solver in EXPLICIT)

    def is_in_ncps(self, solver: str) -> bool:
        """Whether the `ncps` package has it with this solver."""
        return bool(self.ncps) and solver == self.usual_solver


_LTC_SOLVERS = ("semi-implicit", CLOSED_FORM, *EXPLICIT)
_CLOSED = (CLOSED_FORM,)

# The first kind is the usual one. An extension adds its neurons here.
KINDS: dict[str, NeuronKind] = {
    "ltc": NeuronKind(Family.LTC, _LTC_SOLVERS, signed=True, ncps="LTC"),
    "ct-rnn": NeuronKind(Family.RATE, EXPLICIT, signed=True),
    "neural-ode": NeuronKind(Family.RATE, EXPLICIT, signed=True),
    "cfc": NeuronKind(Family.CFC, _CLOSED),
    "cfc-no-gate": NeuronKind(Family.CFC, _CLOSED),
    "cfc-pure": NeuronKind(Family.CFC, _CLOSED),
    "layered-cfc": NeuronKind(Family.CFC, _CLOSED, layered=True, ncps="default"),
    "layered-cfc-no-gate": NeuronKind(Family.CFC, _CLOSED, layered=True, ncps="no_gate"),
    "layered-cfc-pure": NeuronKind(Family.CFC, _CLOSED, layered=True, ncps="pure"),
}

USUAL_NEURON = next(iter(KINDS))


def has_steps(solver: str) -> bool:
    """Whether the solver divides a time step into sub-steps. The closed form does not."""
    return solver != CLOSED_FORM
