"""A pack: candidates with different wirings that train side by side on the same minibatches.

All their parameters lie in one flat vector (`kernels.layout`), one kernel call runs all of them forward, one
backward, one optimiser step updates them. A candidate learns exactly what it would learn alone, bit for bit; one that
diverges is frozen and its pack mates do not notice. Training states are plain arrays by name, so that promoted
candidates of several packs can be packed anew.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from wiring_search.candidate import Candidate
from wiring_search.kernels import adam, cpu
from wiring_search.kernels.layout import PackLayout, kind_of
from wiring_search.network import inverse_softplus
from wiring_search.neurons import NEURONS, initial_parameters
from wiring_search.neurons.bounds import within_bounds
from wiring_search.solvers import TABLEAUX

LARGEST_GRADIENT_NORM = 1.0

# (P, B, T or 1, O) predictions -> (P,) losses, one a candidate
Loss = Callable[[torch.Tensor], torch.Tensor]


class Pack:
    """candidates: at least one. features: F of the shared input; outputs: O of every readout.

    states: what `state(p)` returned for a candidate earlier, or None to start it afresh from its seed.
    Raises ValueError for a state that is not this candidate's.
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
        self._rates = np.array([c.learning_rate for c in candidates], np.float32)
        self._starts = np.array([*(block.start for block in self.layout.blocks), self.layout.parameters])
        self._positive = self.layout.positive
        self._raw = np.empty(self.layout.parameters, np.float32)
        self._first = np.zeros_like(self._raw)
        self._second = np.zeros_like(self._raw)
        self._steps = np.zeros(len(candidates), np.int64)
        for p in range(len(candidates)):
            self._start(p, states[p] if states else None)
        self._effective = np.empty_like(self._raw)
        adam.effective_of(self._raw, self._positive, self._effective)

    @property
    def effective(self) -> np.ndarray:
        """(layout.parameters,) float32: the parameters as the dynamics sees them, positive where they must be."""
        return self._effective

    def predict(self, x: np.ndarray, elapsed: np.ndarray, every_step: bool) -> np.ndarray:
        """Outputs (candidates, B, T or 1, O). x: (B, T, F) float32; elapsed: (B, T) float32, 0 where a sample has
        ended."""
        return self.predict_checked(x, elapsed, every_step)[0]

    def predict_checked(self, x: np.ndarray, elapsed: np.ndarray, every_step: bool) -> tuple[np.ndarray, np.ndarray]:
        """`predict`, and whether each candidate kept to what its equation allows (candidates,): an explicit solver with
        steps that are too long leaves the admissible range, finite as its numbers may still be."""
        y, _, kept = cpu.forward(self.layout, self._effective, x, elapsed, self._rest(x), every_step)
        dynamics = NEURONS[self.layout.kind.neuron]
        stable = np.ones(len(self.candidates), bool)
        if dynamics.bounds is None or self.layout.kind.solver not in TABLEAUX:
            return y, stable
        least, greatest = cpu.extremes(self.layout, kept)
        for p, (states, made) in enumerate(zip(self.layout.states, self.layout.connections, strict=True)):
            own = {name: self._effective[at] for name, at in self.layout.slices[p].items()}
            neurons = slice(states.start, states.start + made.neurons)
            stable[p] = within_bounds(dynamics, self.layout.kind.memory, made, own, least[neurons], greatest[neurons])
        return y, stable

    def train_step(self, x: np.ndarray, elapsed: np.ndarray, every_step: bool, loss: Loss) -> np.ndarray:
        """One optimiser step on one minibatch; the losses (candidates,) before it."""
        y, final, kept = cpu.forward(self.layout, self._effective, x, elapsed, self._rest(x), every_step)
        predictions = torch.from_numpy(y).requires_grad_()
        losses = loss(predictions)
        (grad_y,) = torch.autograd.grad(losses.sum(), predictions)
        grad, _, _, _ = cpu.backward(self.layout, self._effective, kept, grad_y.contiguous().numpy(), np.zeros_like(final), False)
        grad[self.layout.pinned] = 0.0
        losses = losses.detach().numpy()
        self.alive &= np.isfinite(losses)
        adam.adam_step(
            self._starts,
            self._raw,
            self._effective,
            self._positive,
            grad,
            self._first,
            self._second,
            self._rates,
            LARGEST_GRADIENT_NORM,
            self._steps,
            self.alive,
        )
        return losses

    def weights(self, p: int) -> np.ndarray:
        """A copy of candidate p's stored parameters, flat, in the order of `layout.shapes[p]`."""
        return self._raw[self.layout.blocks[p]].copy()

    def state(self, p: int) -> dict[str, np.ndarray]:
        """A copy of candidate p's training state: stored weights, both moments of Adam, its step count."""
        block = self.layout.blocks[p]
        return {
            "weights": self._raw[block].copy(),
            "first": self._first[block].copy(),
            "second": self._second[block].copy(),
            "step": self._steps[p : p + 1].copy(),
        }

    def _rest(self, x: np.ndarray) -> np.ndarray:
        return np.zeros((len(x), self.layout.state_size), np.float32)

    def _start(self, p: int, state: Mapping[str, np.ndarray] | None) -> None:
        block, candidate = self.layout.blocks[p], self.candidates[p]
        if state is None:
            self._raw[block] = initial_weights(self.layout, p, candidate.seed)
            return
        if len(state["weights"]) != block.stop - block.start:
            raise ValueError(
                f"candidate {candidate.candidate_id} has {block.stop - block.start} parameters but its state has "
                f"{len(state['weights'])}; give the state that this candidate's training returned, or None"
            )
        self._raw[block], self._first[block], self._second[block] = state["weights"], state["first"], state["second"]
        self._steps[p] = state["step"][0]


def layout_of(candidates: Sequence[Candidate], features: int, outputs: int) -> PackLayout:
    """The layout of candidates of one kind. Raises ValueError where their kinds differ."""
    kinds = {kind_of(candidate) for candidate in candidates}
    if len(kinds) > 1:
        raise ValueError(f"a pack holds candidates of one kind; got {', '.join('/'.join(kind) for kind in sorted(kinds))}")
    wirings, steps = tuple(c.wiring for c in candidates), tuple(c.steps for c in candidates)
    return PackLayout(wirings, steps, features, outputs, *kinds)


def initial_weights(layout: PackLayout, p: int, seed: int) -> np.ndarray:
    """Stored parameters of candidate p before training, flat: a function of the candidate and the shapes alone."""
    positive = NEURONS[layout.kind.neuron].positive
    parts = []
    for name, value in initial_parameters(layout.kind.neuron, layout.shapes[p], layout.connections[p], seed).items():
        stored = inverse_softplus(torch.from_numpy(value)).numpy() if name in positive else value
        parts.append(stored.ravel())
    return np.concatenate(parts)
