"""Evolution behind the contract of samplers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from wiring_search.search.samplers.contract import Proposal
from wiring_search.search.samplers.evolution import Evolution
from wiring_search.search_spaces import Space
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.mutation import Origins


class EvolutionSampler:
    """Children of the best wirings so far (`evolution`), and random points of the space.

    Args:
        space: What may vary.
        seed: The study's seed.
    """

    remembers_candidates = True

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._evolution = Evolution(space, seed)
        self._asked: tuple[int, dict[str, Any]] = (-1, {})

    def ask(self, number: int) -> Proposal:
        """Propose a child, or a random point, as trial `number`."""
        proposal = self._proposed(number)
        self.put_back(number, proposal)
        return proposal

    def _proposed(self, number: int) -> Proposal:
        born = self._evolution.ask(number)
        if born is None:
            return Proposal(self._space.draw(np.random.default_rng((self._seed, number))), {})
        attrs = {
            "parents": list(born.parents),
            "moves": list(born.moves),
            "origins": born.origins.to_json(),
        }
        return Proposal(born.params, attrs, born.candidate)

    def put_back(self, number: int, proposal: Proposal) -> None:
        """Keep the parents of the proposal until its candidate is noted, which is next."""
        self._asked = number, proposal.attrs

    def note(self, number: int, candidate: Candidate) -> None:
        """Note that a trial trains: for the first time, or again for a higher rung."""
        asked, attrs = self._asked
        if asked == number and "origins" in attrs:
            self._evolution.note(
                number, candidate, attrs["parents"], Origins.from_json(attrs["origins"])
            )
        else:
            self._evolution.note(number, candidate)

    def tell(self, number: int, values: Sequence[float] | None, final: bool = True) -> None:
        """Tell the scores of a trial.

        Args:
            number: The trial.
            values: (objectives,), all to be minimised. None, or a value that is not finite: it
                has no more children.
            final: Ignored: the latest scores of a trial count, whatever its rung.
        """
        self._evolution.tell(number, values)

    def state(self) -> dict[str, Any]:
        """Nothing: all that evolution knows are its trials."""
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Do nothing: evolution keeps nothing beside its trials."""
