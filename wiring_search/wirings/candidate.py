"""A candidate: one point of the search space, ready to train.

candidate = wiring × neuron × solver × steps × memory × training settings, a frozen value that
travels as JSON. Its identity (`candidate_id`) is built on the wiring's own identity, so two
parameter sets that lead to the same wiring and the same settings (dead or aliased dimensions) are
recognised as one candidate and trained once.
"""

import hashlib
import json
from dataclasses import dataclass, fields
from typing import Any

from wiring_search.wirings.kinds import EXPLICIT, GRADIENTS, KINDS, MEMORIES, has_steps
from wiring_search.wirings.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Candidate:
    """wiring: the graph. neuron: a name out of KINDS; solver: one out of its solvers. steps:
    sub-steps ("unfolds") a time step, 0 for the closed form, which has none.

    memory: "none", or an LSTM around the neurons whose output becomes their initial "state" or
    their "input" (the two published forms of mixed memory). learning_rate: Adam's, per candidate.
    seed: the initialisation seed of the weights; the seed that drew the wiring is the space's
    business, the order of the data belongs to the pack. gradient: "bptt", back-propagation through
    the solver's steps, or "adjoint", that of the differential equation, for explicit solvers.

    Raises ValueError for an unknown neuron, solver, memory or gradient, a number of steps that the
    solver cannot have, a solver that has no adjoint, or a learning rate that is not a positive
    number.
    """

    wiring: Wiring
    neuron: str = "ltc"
    solver: str = "semi-implicit"
    steps: int = 6
    memory: str = "none"
    learning_rate: float = 0.01
    seed: int = 0
    gradient: str = "bptt"

    def __post_init__(self) -> None:
        if self.neuron not in KINDS:
            raise ValueError(f"neuron is {self.neuron!r}; known neurons: {', '.join(KINDS)}")
        kind = KINDS[self.neuron]
        if self.solver not in kind.solvers:
            raise ValueError(
                f"solver is {self.solver!r}; solvers of {self.neuron}: {', '.join(kind.solvers)}"
            )
        if self.memory not in MEMORIES:
            raise ValueError(f"memory is {self.memory!r}; known memories: {', '.join(MEMORIES)}")
        if self.gradient not in GRADIENTS:
            raise ValueError(
                f"gradient is {self.gradient!r}; known gradients: {', '.join(GRADIENTS)}"
            )
        if self.gradient == "adjoint" and self.solver not in kind.explicit:
            able = ", ".join(name for name, other in KINDS.items() if other.explicit)
            raise ValueError(
                f"gradient is 'adjoint' with the {self.solver} solver of {self.neuron}, which has "
                f"none; give one of the solvers {', '.join(EXPLICIT)} (of {able}), or the "
                "gradient 'bptt'"
            )
        if not isinstance(self.steps, int) or isinstance(self.steps, bool):
            raise ValueError(f"steps is {self.steps!r}; give a whole number of sub-steps")
        stepped = has_steps(self.solver)
        if (self.steps > 0) != stepped or self.steps < 0:
            allowed = "1 or more" if stepped else "0, the closed form has none"
            raise ValueError(
                f"steps is {self.steps!r} with the {self.solver} solver; give {allowed}"
            )
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(
                f"learning_rate is {self.learning_rate!r}; give a positive number such as 0.01"
            )

    @property
    def candidate_id(self) -> str:
        """Identity of what would be trained: sixteen hexadecimal digits."""
        settings = {**self._settings(), "wiring": self.wiring.wiring_id}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def updates(self) -> int:
        """Synapse updates a sample and time step: what training it costs, up to a factor."""
        return len(self.wiring.synapses) * max(self.steps, 1) + len(self.wiring.sensory_synapses)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `json.dumps` takes; `from_json` reads it back to an equal
        candidate."""
        return {**self._settings(), "wiring": self.wiring.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Candidate":
        return cls(**{**data, "wiring": Wiring.from_json(data["wiring"])})

    def _settings(self) -> dict[str, Any]:
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "wiring"
        }
