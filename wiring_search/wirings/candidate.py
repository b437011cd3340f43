"""A candidate: one point of the search space, ready to train.

candidate = wiring × neuron × solver × steps × memory × training settings. It is a frozen value that
travels as JSON. Its identity (`candidate_id`) is built on the identity of the wiring. Two parameter
sets that lead to the same wiring and the same settings (dead or aliased dimensions) are therefore
recognised as one candidate and trained once.
"""

import difflib
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from wiring_search.wirings.kinds import EXPLICIT, GRADIENTS, KINDS, MEMORIES, has_steps
from wiring_search.wirings.wiring import Wiring


@dataclass(frozen=True, slots=True)
class Candidate:
    """A wiring with its neuron, solver, memory and training settings.

    Attributes:
        wiring: The graph.
        neuron: A name out of KINDS.
        solver: One of the neuron's solvers.
        steps: Sub-steps ("unfolds") per time step; 0 for the closed form, which has none.
        memory: "none", or an LSTM around the neurons whose output becomes their initial "state" or
            their "input" (the two published forms of mixed memory).
        learning_rate: Step size of Adam; above 0.
        seed: Seed of the initial weights. The seed that drew the wiring belongs to the space; the
            order of the data belongs to the pack.
        gradient: "bptt", back-propagation through the solver's steps, or "adjoint", the gradient of
            the differential equation, for explicit solvers.

    Raises:
        ValueError: The neuron, solver, memory or gradient is unknown, the solver cannot have this
            number of steps, the solver has no adjoint, or the learning rate is not a positive
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
        _require_known("neuron", self.neuron, "known neurons", KINDS)
        kind = KINDS[self.neuron]
        _require_known("solver", self.solver, f"solvers of {self.neuron}", kind.solvers)
        _require_known("memory", self.memory, "known memories", MEMORIES)
        _require_known("gradient", self.gradient, "known gradients", GRADIENTS)
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
        """Synapse updates per sample and time step: the cost of training, up to a factor."""
        return len(self.wiring.synapses) * max(self.steps, 1) + len(self.wiring.sensory_synapses)

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `json.dumps` takes.

        Returns:
            The settings by name, and the wiring as `Wiring.to_json` gives it. `from_json` reads it
            back to an equal candidate.
        """
        return {**self._settings(), "wiring": self.wiring.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Candidate":
        """The inverse of `to_json`.

        Raises:
            ValueError: As the constructor does, and as `Wiring.from_json` does.
        """
        return cls(**{**data, "wiring": Wiring.from_json(data["wiring"])})

    def _settings(self) -> dict[str, Any]:
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if field.name != "wiring"
        }


def _require_known(what: str, name: object, known_as: str, known: Iterable[str]) -> None:
    """Raises ValueError where the name is not known, with the nearest one that is."""
    names = list(known)
    if name not in names:
        near = difflib.get_close_matches(str(name).lower(), names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{what} is {name!r}; {known_as}: {', '.join(names)}{hint}")
