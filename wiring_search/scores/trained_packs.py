"""Candidates that have been trained, side by side in packs again: what the scores of trained
networks are measured on."""

from collections.abc import Iterator, Sequence

from wiring_search.networks.kernels.layout import Kind, kind_of
from wiring_search.tasks.task import Task
from wiring_search.training.pack import Pack
from wiring_search.training.state import load_state
from wiring_search.wirings.candidate import Candidate

_PACK = 16  # a pack keeps the states of a whole sequence for each member


def trained_pack(task: Task, candidates: Sequence[Candidate], states: Sequence[bytes]) -> Pack:
    """A pack with the weights of each candidate's best epoch. states: what training returned,
    `Outcome.state`.

    Raises ValueError where the candidates are of several kinds, and for a state that is not this
    candidate's.
    """
    loaded = [load_state(state) for state in states]
    best = [{**arrays, "weights": arrays["best_weights"]} for arrays in loaded]
    return Pack(candidates, task.features, task.outputs, best)


def trained_packs(
    task: Task, candidates: Sequence[Candidate], states: Sequence[bytes]
) -> Iterator[tuple[list[int], Pack]]:
    """Candidates of any kinds as packs, one after the other, with the places of their members."""
    by_kind: dict[Kind, list[int]] = {}
    for place, candidate in enumerate(candidates):
        by_kind.setdefault(kind_of(candidate), []).append(place)
    for places in by_kind.values():
        for start in range(0, len(places), _PACK):
            chosen = places[start : start + _PACK]
            yield (
                chosen,
                trained_pack(task, [candidates[p] for p in chosen], [states[p] for p in chosen]),
            )
