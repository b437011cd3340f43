"""What the study asks of a sampler."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from wiring_search.search_spaces.space import Point
from wiring_search.wirings.candidate import Candidate


@dataclass(frozen=True)
class Proposal:
    """What a sampler proposes. point: of the space, or as much of one as says what the candidate
    is. attrs: what the sampler noted with it, plain data. candidate: where it is not the point's,
    but a child of others."""

    point: Point
    attrs: dict[str, Any]
    candidate: Candidate | None = None


class Sampler(Protocol):
    """What a study sees of a sampler. It asks, notes what is going to train, and tells, in one
    order; or puts back what was asked for in an earlier run, in the same order.
    remembers_candidates: whether a promoted one is to be noted again."""

    remembers_candidates: bool

    def ask(self, number: int) -> Proposal:
        """What to try next, as trial `number`."""
        ...

    def put_back(self, number: int, proposal: Proposal) -> None:
        """A proposal of an earlier run in place of an ask."""
        ...

    def note(self, number: int, candidate: Candidate) -> None:
        """This trial trains now: for the first time, or (where candidates are remembered) for a
        higher rung."""
        ...

    def tell(self, number: int, values: Sequence[float] | None, final: bool = True) -> None:
        """The scores of a trial, all minimised; None, or one among them that is not finite: it
        failed. final: at the full budget; otherwise it may be told again."""
        ...

    def state(self) -> dict[str, Any]:
        """What the sampler keeps beside its trials: plain data, to be stored with them."""
        ...

    def set_state(self, state: dict[str, Any]) -> None: ...
