"""Trained candidates in packs again: what the scores of trained networks are measured on."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wiring_search.tasks.task import Task
from wiring_search.training.pack import Pack, group_by_kind
from wiring_search.training.state import best_state
from wiring_search.wirings.candidate import Candidate

# A pack keeps the states of a whole sequence for each of its candidates.
_LARGEST_PACK = 16

Scores = dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class TrainedCandidates:
    """Candidates after training, as a measure of scores gets them.

    Attributes:
        task: The task they were trained on.
        candidates: Of any kinds.
        states: The training state of each, `Outcome.state`.
        seed: Of everything that a measure draws.
    """

    task: Task
    candidates: Sequence[Candidate]
    states: Sequence[bytes]
    seed: int

    @cached_property
    def packs(self) -> list[tuple[list[int], Pack]]:
        """The candidates as packs, each with the indices of its members."""
        return list(trained_packs(self.task, self.candidates, self.states))

    def per_pack(self, measure: Callable[[Pack], np.ndarray]) -> np.ndarray:
        """Return a score of every candidate.

        Args:
            measure: Returns (members,) for a pack.

        Returns:
            (candidates,) float64.
        """
        values = np.full(len(self.candidates), np.nan)
        for indices, pack in self.packs:
            values[indices] = measure(pack)
        return values


def trained_pack(task: Task, candidates: Sequence[Candidate], states: Sequence[bytes]) -> Pack:
    """Return a pack with the weights of each candidate's best epoch.

    Args:
        task: The task they were trained on.
        candidates: Of one kind.
        states: The training state of each, `Outcome.state`.

    Raises:
        ValueError: The candidates are of several kinds, or a state belongs to another candidate.
    """
    return Pack(candidates, task.features, task.outputs, list(map(best_state, states)))


def trained_packs(
    task: Task, candidates: Sequence[Candidate], states: Sequence[bytes]
) -> Iterator[tuple[list[int], Pack]]:
    """Yield candidates of any kinds as packs, each with the indices of its members.

    Args:
        task: The task they were trained on.
        candidates: Of any kinds.
        states: The training state of each, `Outcome.state`.
    """
    for indices in group_by_kind(candidates, _LARGEST_PACK):
        members = [candidates[p] for p in indices]
        yield indices, trained_pack(task, members, [states[p] for p in indices])
