"""A candidate: one point of the search space, ready to train.

candidate = wiring × neuron × solver × steps × training settings, a frozen value that travels as JSON. Its identity
(`candidate_id`) is built on the wiring's own identity, so two parameter sets that lead to the same wiring and the same
settings (dead or aliased dimensions) are recognised as one candidate and trained once.
"""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import Any

from wiring_search.wiring import Wiring

NEURONS = ("ltc",)
SOLVERS = ("semi-implicit",)


@dataclass(frozen=True, slots=True)
class Candidate:
    """wiring: the graph. neuron, solver: names out of NEURONS and SOLVERS. steps: sub-steps ("unfolds") a time step.

    learning_rate: Adam's, per candidate. seed: the initialisation seed of the weights; the seed that drew the wiring is
    the space's business, the order of the data belongs to the pack.

    Raises ValueError for an unknown neuron or solver, steps < 1, or a learning rate that is not a positive number.
    """

    wiring: Wiring
    neuron: str = "ltc"
    solver: str = "semi-implicit"
    steps: int = 6
    learning_rate: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        if self.neuron not in NEURONS:
            raise ValueError(f"neuron is {self.neuron!r}; known neurons: {', '.join(NEURONS)}")
        if self.solver not in SOLVERS:
            raise ValueError(f"solver is {self.solver!r}; known solvers: {', '.join(SOLVERS)}")
        if not (isinstance(self.steps, int) and self.steps >= 1):
            raise ValueError(f"steps is {self.steps!r}; give a whole number of sub-steps, 1 or more")
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate is {self.learning_rate!r}; give a positive number such as 0.01")

    @property
    def candidate_id(self) -> str:
        """Identity of what would be trained: sixteen hexadecimal digits."""
        settings = {**self._settings(), "wiring": self.wiring.wiring_id}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `json.dumps` takes; `from_json` reads it back to an equal candidate."""
        return {**self._settings(), "wiring": self.wiring.to_json()}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Candidate":
        return cls(**{**data, "wiring": Wiring.from_json(data["wiring"])})

    def _settings(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(replace(self)).items() if name != "wiring"}
