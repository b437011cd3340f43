"""A pack: candidates with different wirings that train side by side on the same minibatches.

All their parameters lie in one flat vector (`kernels.layout`), one kernel call runs all of them
forward, one backward, one optimiser step updates them. A candidate learns exactly what it would
learn alone, bit for bit. One that diverges is frozen, and its pack mates train on unchanged.
Training states are plain arrays by name, so that promoted candidates of several packs can be packed
anew.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels.cpu import adam
from wiring_search.networks.kernels.layout import Kind, PackLayout, kind_of
from wiring_search.networks.neurons import NEURONS
from wiring_search.networks.neurons.bounds import within_bounds
from wiring_search.networks.neurons.parameters import initial_parameters, inverse_softplus
from wiring_search.networks.neurons.solvers import TABLEAUX
from wiring_search.wirings.candidate import Candidate

LARGEST_GRADIENT_NORM = 1.0
# Sequences at once where nothing is trained.
EVALUATION_BATCH = 512

# (P, B, T or 1, O) predictions -> (P,) losses
Loss = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Numbers:
    """What trains, of a whole pack.

    Attributes:
        raw: (parameters,) float32, stored parameters.
        first: (parameters,) float32, first moment of Adam.
        second: (parameters,) float32, second moment of Adam.
        steps: (candidates,) int64, optimiser steps done.
    """

    raw: np.ndarray
    first: np.ndarray
    second: np.ndarray
    steps: np.ndarray

    @classmethod
    def at_start(
        cls,
        layout: PackLayout,
        candidates: Sequence[Candidate],
        states: Sequence[Mapping[str, np.ndarray] | None],
    ) -> "Numbers":
        """Return the numbers of these states; where there is none, those drawn from the seed.

        Args:
            layout: Of the candidates.
            candidates: Of one kind.
            states: What `state` returned for each candidate, or None; empty for none at all.

        Raises:
            ValueError: A state is not its candidate's.
        """
        raw, first, second = (np.zeros(layout.parameters, np.float32) for _ in range(3))
        steps = np.zeros(len(candidates), np.int64)
        for p, (candidate, block) in enumerate(zip(candidates, layout.blocks, strict=True)):
            state = states[p] if states else None
            if state is None:
                raw[block] = initial_weights(layout, p, candidate.seed)
                continue
            if len(state["weights"]) != block.stop - block.start:
                raise ValueError(
                    f"candidate {candidate.candidate_id} has {block.stop - block.start} parameters "
                    f"but its state has {len(state['weights'])}; give the state that this "
                    "candidate's training returned, or None"
                )
            raw[block], first[block], second[block] = (
                state["weights"],
                state["first"],
                state["second"],
            )
            steps[p] = state["step"][0]
        return cls(raw, first, second, steps)

    def state(self, layout: PackLayout, p: int) -> dict[str, np.ndarray]:
        """Return a copy of candidate p's part: stored weights, both moments of Adam, step count."""
        block = layout.blocks[p]
        return {
            "weights": self.raw[block].copy(),
            "first": self.first[block].copy(),
            "second": self.second[block].copy(),
            "step": self.steps[p : p + 1].copy(),
        }


class Pack:
    """Candidates of one kind, at least one, that train side by side on the CPU.

    Args:
        candidates: At least one.
        features: F of the shared input.
        outputs: O of every readout.
        states: What `state(p)` returned for a candidate earlier, or None to start it afresh from
            its seed.

    Raises:
        ValueError: A state is not its candidate's, or the kinds of the candidates differ.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        features: int,
        outputs: int,
        states: Sequence[Mapping[str, np.ndarray] | None] = (),
    ) -> None:
        self.candidates = tuple(candidates)
        self.layout = layout_of(self.candidates, features, outputs)
        self.alive = np.ones(len(candidates), bool)
        self.device = torch.device("cpu")
        self._rates = np.array([c.learning_rate for c in candidates], np.float32)
        self._starts = np.array(
            [*(block.start for block in self.layout.blocks), self.layout.parameters]
        )
        self._positive = self.layout.positive
        self._numbers = Numbers.at_start(self.layout, self.candidates, states)
        self._effective = np.empty_like(self._numbers.raw)
        adam.effective_of(self._numbers.raw, self._positive, self._effective)

    @property
    def effective(self) -> np.ndarray:
        """(layout.parameters,) float32, as the dynamics sees them: positive where they must be."""
        return self._effective

    def predict(self, x: np.ndarray, elapsed: np.ndarray, every_step: bool) -> np.ndarray:
        """Return outputs; see `predict_checked`.

        Args:
            x: (B, T, F) float32.
            elapsed: (B, T) float32, in the task's unit of time; 0 where a sample has ended.
            every_step: Whether all time steps are read out, or the last one.

        Returns:
            (candidates, B, T or 1, O).
        """
        return self.predict_checked(x, elapsed, every_step)[0]

    def predict_checked(
        self, x: np.ndarray, elapsed: np.ndarray, every_step: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return outputs, and which candidates kept to what their equation allows.

        An explicit solver with steps that are too long leaves that range, finite as its numbers may
        still be.

        Args:
            x: (B, T, F) float32.
            elapsed: (B, T) float32, in the task's unit of time; 0 where a sample has ended.
            every_step: Whether all time steps are read out, or the last one.

        Returns:
            (candidates, B, T or 1, O), and (candidates,) bool.
        """
        y, _, kept = cpu.forward(
            self.layout, self._effective, x, elapsed, self._rest(x), every_step
        )
        if not may_leave_its_range(self.layout.kind):
            return y, np.ones(len(self.candidates), bool)
        return y, kept_to_range(self.layout, self._effective, *cpu.extremes(self.layout, kept))

    def train_step(
        self, x: np.ndarray, elapsed: np.ndarray, every_step: bool, loss: Loss
    ) -> np.ndarray:
        """Do one optimiser step on one minibatch.

        Args:
            x: (B, T, F) float32.
            elapsed: (B, T) float32.
            every_step: Whether all time steps are read out, or the last one.
            loss: Returns (candidates,) from predictions (candidates, B, T or 1, O).

        Returns:
            (candidates,), the losses before the step.
        """
        y, final, kept = cpu.forward(
            self.layout, self._effective, x, elapsed, self._rest(x), every_step
        )
        predictions = torch.from_numpy(y).requires_grad_()
        losses = loss(predictions)
        (grad_y,) = torch.autograd.grad(losses.sum(), predictions)
        grad, _, _, _ = cpu.backward(
            self.layout,
            self._effective,
            kept,
            grad_y.contiguous().numpy(),
            np.zeros_like(final),
            False,
        )
        grad[self.layout.pinned] = 0.0
        before = losses.detach().numpy()
        self.alive &= np.isfinite(before)
        adam.adam_step(
            self._starts,
            self._numbers.raw,
            self._effective,
            self._positive,
            grad,
            self._numbers.first,
            self._numbers.second,
            self._rates,
            LARGEST_GRADIENT_NORM,
            self._numbers.steps,
            self.alive,
        )
        return before

    def steps_on(
        self,
        x: np.ndarray,
        elapsed: np.ndarray,
        every_step: bool,
        loss_of: Callable[[np.ndarray], Loss],
    ) -> Callable[[np.ndarray], None]:
        """Return the function that does one training step on some rows of these data.

        Args:
            x: (n, T, F) float32.
            elapsed: (n, T) float32.
            every_step: Whether all time steps are read out, or the last one.
            loss_of: Returns the loss of rows from their numbers.
        """

        def step(rows: np.ndarray) -> None:
            self.train_step(np.ascontiguousarray(x[rows]), elapsed[rows], every_step, loss_of(rows))

        return step

    def weights(self, p: int) -> np.ndarray:
        """Return a copy of p's stored parameters, flat, in the order of `layout.shapes[p]`."""
        return self._numbers.raw[self.layout.blocks[p]].copy()

    def state(self, p: int) -> dict[str, np.ndarray]:
        """Return a copy of candidate p's training state; see `Numbers.state`."""
        return self._numbers.state(self.layout, p)

    def _rest(self, x: np.ndarray) -> np.ndarray:
        return np.zeros((len(x), self.layout.state_size), np.float32)


def may_leave_its_range(kind: Kind) -> bool:
    """Return whether this kind's solver, with too long steps, can leave the equation's range."""
    return NEURONS[kind.neuron].bounds is not None and kind.solver in TABLEAUX


def kept_to_range(
    layout: PackLayout, effective: np.ndarray, least: np.ndarray, greatest: np.ndarray
) -> np.ndarray:
    """Return which candidates stayed within what their equation allows.

    Args:
        layout: Of the candidates.
        effective: (parameters,) float32.
        least: (states,) float32, the least value that each entry of the state has visited.
        greatest: (states,) float32, the greatest.

    Returns:
        (candidates,) bool.
    """
    dynamics = NEURONS[layout.kind.neuron]
    stable = np.ones(layout.size, bool)
    for p, (states, made) in enumerate(zip(layout.states, layout.connections, strict=True)):
        numbers = {name: effective[at] for name, at in layout.slices[p].items()}
        neurons = slice(states.start, states.start + made.neurons)
        stable[p] = within_bounds(
            dynamics, layout.kind.memory, made, numbers, least[neurons], greatest[neurons]
        )
    return stable


def group_by_kind(
    candidates: Sequence[Candidate], most: int | None = None, apart: Sequence[Hashable] = ()
) -> list[list[int]]:
    """Return the indices of candidates that one pack can hold, group by group.

    Args:
        candidates: Of any kinds.
        most: Candidates per group at most; None for no limit.
        apart: A further key for each candidate; a group has one of them.
    """
    groups: dict[Hashable, list[int]] = {}
    for index, candidate in enumerate(candidates):
        key = (kind_of(candidate), apart[index] if apart else None)
        groups.setdefault(key, []).append(index)
    return [
        indices[start : start + (most or len(indices))]
        for indices in groups.values()
        for start in range(0, len(indices), most or len(indices))
    ]


def layout_of(candidates: Sequence[Candidate], features: int, outputs: int) -> PackLayout:
    """Return the layout of candidates of one kind.

    Args:
        candidates: At least one.
        features: F of the shared input.
        outputs: O of every readout.

    Raises:
        ValueError: Their kinds differ.
    """
    kinds = {kind_of(candidate) for candidate in candidates}
    if len(kinds) > 1:
        got = ", ".join("/".join(kind) for kind in sorted(kinds))
        raise ValueError(f"a pack holds candidates of one kind; got {got}")
    wirings = tuple(c.wiring for c in candidates)
    steps = tuple(c.steps for c in candidates)
    return PackLayout(wirings, steps, features, outputs, *kinds)


def initial_weights(layout: PackLayout, p: int, seed: int) -> np.ndarray:
    """Return candidate p's stored parameters before training, from its shapes and seed alone.

    Args:
        layout: Of the pack.
        p: The candidate's index in it.
        seed: Of the weights.

    Returns:
        Flat, in the order of `layout.shapes[p]`.
    """
    positive = NEURONS[layout.kind.neuron].positive
    parts = []
    for name, value in initial_parameters(
        layout.kind.neuron, layout.shapes[p], layout.connections[p], seed
    ).items():
        stored = inverse_softplus(torch.from_numpy(value)).numpy() if name in positive else value
        parts.append(stored.ravel())
    return np.concatenate(parts)
