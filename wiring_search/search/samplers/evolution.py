"""Steady-state evolution: of the best candidates so far, two are crossed or one is changed.

Parents are chosen by binary tournament: the better non-dominated rank wins, and within a rank the
candidate with the larger crowding distance. There are no generations: a child may have children as
soon as it has scores, so no worker waits. The first points are random, and some of the later ones.

The wiring itself changes (`mutation`), within the sizes that the space allows, and so do the
settings of training. Each neuron carries a mark of the trial in which it first appeared, by which
relatives are matched when they are crossed. An ask depends only on (study seed, trial number) and
on the earlier calls of `note` and `tell`, in order: a resumed study makes the same calls, and gets
the same children.

Source: Deb et al., "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE
Transactions on Evolutionary Computation 2002 (tournament, crowding); Real et al., "Regularized
evolution for image classifier architecture search", AAAI 2019 (no generations).
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wiring_search.analysis.pareto import rank
from wiring_search.search.samplers.candidate_settings import (
    has_layers,
    limits_of,
    params_of,
    with_other_setting,
)
from wiring_search.search_spaces import Space
from wiring_search.search_spaces.dimensions import Point
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS
from wiring_search.wirings.mutation import (
    MOVES,
    Limits,
    Origins,
    cross,
    mutate,
    survivors,
)
from wiring_search.wirings.wiring import Wiring

POPULATION = 32
STARTERS = 24
_IMMIGRANTS = 0.1  # share of random points among the later ones
_CROSSED = 0.3  # share of children with two parents
_SETTINGS = 0.2  # share of children one of whose settings changes
_MOST_MOVES = 1 / 3  # of a child, as a share of its parent's synapses
# A child goes one way: anywhere, to be smaller, or to be larger.
_WAYS = (tuple(MOVES), ("remove", "shrink"), ("add", "grow"))
_TRIES = 8  # children in a row that were seen before
_STREAM = 0xE70  # keeps these draws apart from others with the same seed and number

_MARKS = 1 << 20  # more than there are nodes in a wiring


@dataclass(frozen=True, slots=True)
class Born:
    """A child of one candidate or two.

    Attributes:
        candidate: The child.
        parents: The parents' trials. The child inherits the weights of the first one, by `origins`.
        moves: What changed in the wiring ("cross", "add", "grow inter" …), and the settings that
            changed, by name.
        origins: For each neuron and sensory node, which one of the first parent it comes from.
        params: The dimensions of the space that the child determines. Those with which a wiring was
            drawn (fan-outs, seeds) no longer apply.
    """

    candidate: Candidate
    parents: tuple[int, ...]
    moves: tuple[str, ...]
    origins: Origins
    params: Point


class Evolution:
    """The population of a study and its children.

    Args:
        space: Bounds of sizes and settings.
        seed: The study's seed.
    """

    def __init__(self, space: Space, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._limits = {layers: limits_of(space, layers) for layers in (True, False)}
        self._seen: set[int] = set()
        self._candidates: dict[int, Candidate] = {}
        self._marks: dict[int, Origins] = {}
        self._values: dict[int, tuple[float, ...]] = {}
        self._best: tuple[int, ...] | None = ()

    def ask(self, number: int) -> Born | None:
        """Make a child for trial `number`; None: draw a random point of the space instead."""
        rng = np.random.default_rng((self._seed, number, _STREAM))
        if number < STARTERS or rng.random() < _IMMIGRANTS or not self.population:
            return None
        for _ in range(_TRIES):
            born = self._child(rng)
            if int(born.candidate.candidate_id, 16) not in self._seen:
                return born
        return None

    def note(
        self,
        number: int,
        candidate: Candidate,
        parents: Sequence[int] = (),
        origins: Origins | None = None,
    ) -> None:
        """Note that a trial trains.

        Note it again before telling its scores of a higher rung: it may be forgotten by then.

        Args:
            number: The trial.
            candidate: Its candidate, which no earlier trial has.
            parents: `Born.parents` of a child.
            origins: `Born.origins` of a child.
        """
        self._seen.add(int(candidate.candidate_id, 16))
        if number not in self._candidates:
            self._candidates[number] = candidate
            self._marks[number] = _marked(
                number, candidate.wiring, origins, self._marks.get(parents[0]) if parents else None
            )

    def tell(self, number: int, values: Sequence[float] | None) -> None:
        """Tell the latest scores of a trial; a trial that is not noted is ignored.

        Args:
            number: The trial.
            values: (objectives,), all to be minimised. None, or a value that is not finite: it has
                no more children.
        """
        if number not in self._candidates:
            return
        self._best = None
        if values is None or not all(map(math.isfinite, values)):
            self._forget({number})
            return
        self._values[number] = tuple(map(float, values))
        if len(self._values) > 2 * POPULATION:
            self._forget(self._values.keys() - set(self.population))

    def _forget(self, numbers: Collection[int]) -> None:
        for number in numbers:
            del self._candidates[number], self._marks[number]
            self._values.pop(number, None)

    @property
    def population(self) -> tuple[int, ...]:
        """The trials that may have children, best first. Twice as many are remembered, so that
        they need not be ranked after every trial."""
        if self._best is None:
            numbers = sorted(self._values)
            order = best_first([self._values[number] for number in numbers]) if numbers else ()
            self._best = tuple(numbers[k] for k in order[:POPULATION])
        return self._best

    def _child(self, rng: np.random.Generator) -> Born:
        number = self._parent(rng)
        child = self._candidates[number]
        parents: tuple[int, ...] = (number,)
        wiring, origins = child.wiring, Origins.same(child.wiring)
        # Few moves mostly, many now and then (a power law, as in Doerr et al., "Fast genetic
        # algorithms", GECCO 2017): with single ones, half as many synapses are as many generations
        # away.
        moves = min(
            int(1 / (1 - rng.random())), max(1, int(_MOST_MOVES * child.wiring.synapse_count))
        )
        way = _WAYS[rng.integers(len(_WAYS))]
        done: tuple[str, ...] = ()
        if rng.random() < _SETTINGS:
            child, done = with_other_setting(self._space, child, rng)
            moves -= len(done)
        limits = self._limits[has_layers(wiring)]
        if KINDS[child.neuron].layered:  # recurs densely, whatever the wiring
            limits = replace(limits, recurrent=False)
        if (
            rng.random() < _CROSSED
            and (crossed := self._crossed(number, child.neuron, limits, rng)) is not None
        ):
            parents, wiring, origins = crossed
            done = ("cross", *done)
        among = [name for name in way if name != "flip" or KINDS[child.neuron].signed]
        mutant = mutate(wiring, limits, rng, moves, among)
        candidate = replace(child, wiring=mutant.wiring)
        params = params_of(self._space, candidate)
        return Born(
            candidate, parents, (*done, *mutant.moves), mutant.origins.in_turn(origins), params
        )

    def _crossed(
        self, number: int, neuron: str, limits: Limits, rng: np.random.Generator
    ) -> tuple[tuple[int, int], Wiring, Origins] | None:
        """Cross two candidates: parents, the child's wiring, and its origins in the first parent.

        The first parent is the one of whose weights the child can keep more. None if the two
        wirings cannot be crossed.
        """
        mate = self._parent(rng)
        first = self._candidates[number]
        second = self._candidates[mate]
        if mate == number or has_layers(first.wiring) != has_layers(second.wiring):
            return None
        crossed = cross(
            first.wiring, second.wiring, limits, rng, _alike(self._marks[number], self._marks[mate])
        )
        if crossed is None:
            return None
        (wiring, _, mine), (_, _, theirs) = crossed
        kept = survivors(first.wiring, wiring, mine)
        kept_of_mate = survivors(second.wiring, wiring, theirs)
        if second.neuron == neuron and (first.neuron != neuron or kept_of_mate > kept):
            return (mate, number), wiring, theirs
        return (number, mate), wiring, mine

    def _parent(self, rng: np.random.Generator) -> int:
        """The better of two, drawn at random."""
        return self.population[int(rng.integers(len(self.population), size=2).min())]


def _marked(
    number: int, wiring: Wiring, origins: Origins | None, of_parent: Origins | None
) -> Origins:
    """The marks of a trial's neurons and sensory nodes: the parent's, or new ones."""
    if origins is None or of_parent is None:
        origins = of_parent = Origins((None,) * wiring.neurons, (None,) * wiring.sensory)
    return Origins(
        *(
            tuple(number * _MARKS + i if at is None else marks[at] for i, at in enumerate(found))
            for found, marks in zip(origins, of_parent, strict=True)
        )
    )


def _alike(marks: Origins, of_mate: Origins) -> Origins:
    """For each node of the mate, the node with the same mark."""
    indices = ({mark: at for at, mark in enumerate(found)} for found in marks)
    return Origins(
        *(
            tuple(index.get(mark) for mark in found)
            for index, found in zip(indices, of_mate, strict=True)
        )
    )


def best_first(values: Sequence[Sequence[float]]) -> np.ndarray:
    """Order points by non-dominated rank, and within a rank by crowding distance, largest first.

    Args:
        values: (n, objectives), all to be minimised; n is 1 or more.

    Returns:
        (n,) indices, best first.
    """
    points = np.array(values, float)
    ranks = rank(points)
    room = np.empty(len(points))
    for level in range(ranks.max() + 1):
        front = np.flatnonzero(ranks == level)
        room[front] = _room(points[front])
    return np.lexsort((-room, ranks))


def _room(points: np.ndarray) -> np.ndarray:
    """The crowding distance of NSGA-II: the distance between a point's neighbours in each
    objective, as a share of its range, summed; infinite for the extremes."""
    room = np.zeros(len(points))
    for column in points.T:
        order = np.argsort(column, kind="stable")
        ordered = column[order]
        gaps = np.full(len(points), np.inf)
        gaps[1:-1] = (ordered[2:] - ordered[:-2]) / max(ordered[-1] - ordered[0], 1e-300)
        room[order] += gaps
    return room
