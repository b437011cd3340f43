"""The contract of samplers: the calls that a study makes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wiring_search.search_spaces.dimensions import Point
from wiring_search.wirings.candidate import Candidate


@dataclass(frozen=True)
class Proposal:
    """A sampler's proposal for a trial.

    Attributes:
        point: A point of the space; for a child of other candidates, the dimensions that it
            determines.
        attrs: The sampler's notes about it, as plain data that JSON can hold.
        candidate: A child of other candidates; None if the point determines the candidate.
    """

    point: Point
    attrs: dict[str, Any]
    candidate: Candidate | None = None


class Sampler(Protocol):
    """Proposes candidates and learns from their scores.

    For each trial, in order, the study asks for a proposal, or puts one of an earlier run back. It
    notes the candidates that train and tells their scores.

    Attributes:
        remembers_candidates: Whether a promoted candidate is noted again.
    """

    remembers_candidates: bool

    def ask(self, number: int) -> Proposal:
        """Propose what to try next, as trial `number`."""
        ...

    def put_back(self, number: int, proposal: Proposal) -> None:
        """Take a proposal of an earlier run instead of asking for a new one."""
        ...

    def note(self, number: int, candidate: Candidate) -> None:
        """Note that a trial trains: for the first time, or again for a higher rung."""
        ...

    def tell(self, number: int, values: Sequence[float] | None, final: bool = True) -> None:
        """Tell the scores of a trial.

        Args:
            number: The trial.
            values: (objectives,), all to be minimised. None, or a value that is not finite: it
                failed.
            final: Whether the trial had the full budget. Otherwise more scores may follow.
        """
        ...

    def state(self) -> dict[str, Any]:
        """What the sampler keeps beside its trials, as plain data to be stored with them."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Take back a state of an earlier run."""
        ...
