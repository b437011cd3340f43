"""A pack that trains on a GPU: what `pack.Pack` is on the CPU, with all its numbers on the device.

It learns what the same pack learns on the CPU, to the rounding of float32. Its training state is
the same plain arrays, so a candidate may train for one rung here and for the next one there.
Numbers that the host needs are fetched all at once, when they are first asked for after a step.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from wiring_search.networks.kernels import gpu
from wiring_search.networks.kernels.gpu.training import Loss, Trainer, replayed
from wiring_search.training.pack import (
    EVALUATION_BATCH,
    LARGEST_GRADIENT_NORM,
    Numbers,
    kept_to_range,
    layout_of,
    may_leave_its_range,
)
from wiring_search.wirings.candidate import Candidate


def room_for(
    candidates: Sequence[Candidate], features: int, outputs: int, time_steps: int, share: float
) -> int:
    """Return how many candidates like these train at once on this process's GPU.

    Args:
        candidates: All of one kind.
        features: F of the input.
        outputs: O of every readout.
        time_steps: T of the training sequences.
        share: Of the GPU memory that is free, 0 … 1.
    """
    needed = gpu.bytes_needed(
        layout_of(tuple(candidates), features, outputs), time_steps, EVALUATION_BATCH
    )
    return int(share * torch.cuda.mem_get_info()[0] * len(candidates) / needed)


class GpuPack:
    """Candidates of one kind that train side by side on a GPU; see `pack.Pack`.

    Args:
        candidates: At least one.
        features: F of the shared input.
        outputs: O of every readout.
        states: See `pack.Pack`.
        device: Where it trains.

    Raises:
        ValueError: As of `pack.Pack`, and where the candidates' kind has no GPU kernel.
    """

    def __init__(
        self,
        candidates: Sequence[Candidate],
        features: int,
        outputs: int,
        states: Sequence[Mapping[str, np.ndarray] | None] = (),
        device: str | torch.device = "cuda",
    ) -> None:
        self.candidates = tuple(candidates)
        self.layout = layout_of(self.candidates, features, outputs)
        start = Numbers.at_start(self.layout, self.candidates, states)
        rates = np.array([c.learning_rate for c in candidates], np.float32)
        self._trainer = Trainer(
            self.layout,
            start.raw,
            start.first,
            start.second,
            start.steps,
            rates,
            LARGEST_GRADIENT_NORM,
            device,
        )
        self._fetched: Numbers | None = start

    @property
    def device(self) -> torch.device:
        """Where the parameters and the outputs lie."""
        return self._trainer.device

    @property
    def alive(self) -> np.ndarray:
        """(candidates,) bool, which of them still train. Reading it waits for the device."""
        return self._trainer.alive.bool().cpu().numpy()

    @alive.setter
    def alive(self, alive: np.ndarray) -> None:
        self._trainer.alive.copy_(torch.from_numpy(alive.astype(np.int32)))

    def predict_checked(
        self, x: np.ndarray, elapsed: np.ndarray, every_step: bool
    ) -> tuple[torch.Tensor, np.ndarray]:
        """Return outputs, and which candidates kept to what their equation allows.

        Args:
            x: (B, T, F) float32.
            elapsed: (B, T) float32, in the task's unit of time; 0 where a sample has ended.
            every_step: Whether all time steps are read out, or the last one.

        Returns:
            (candidates, B, T or 1, O), which stays on the device, and (candidates,) bool.
        """
        there = torch.from_numpy(x).to(self.device), torch.from_numpy(elapsed).to(self.device)
        y, kept = self._trainer.predict(*there, every_step)
        if not may_leave_its_range(self.layout.kind):
            return y, np.ones(len(self.candidates), bool)
        least, greatest = (extreme.cpu().numpy() for extreme in gpu.extremes(self.layout, kept))
        return y, kept_to_range(self.layout, self._trainer.effective.cpu().numpy(), least, greatest)

    def steps_on(
        self,
        x: np.ndarray,
        elapsed: np.ndarray,
        every_step: bool,
        loss_of: Callable[[torch.Tensor], Loss],
    ) -> Callable[[np.ndarray], None]:
        """Return the function that does one training step on some rows of these data.

        The data stays on the device, and a step waits for nothing.

        Args:
            x: (n, T, F) float32.
            elapsed: (n, T) float32.
            every_step: Whether all time steps are read out, or the last one.
            loss_of: Returns the loss of rows from their numbers, a tensor on the device.

        Raises:
            MemoryError: The device has no room for a step of the whole pack.
        """
        self._refuse_too_many(x.shape[1])
        mine = torch.tensor(x, device=self.device)
        theirs = torch.tensor(elapsed, device=self.device)
        run = replayed(
            lambda rows: self._trainer.step(mine[rows], theirs[rows], every_step, loss_of(rows)),
            self.device,
        )

        def step(rows: np.ndarray) -> None:
            self._fetched = None
            run(rows)

        return step

    def weights(self, p: int) -> np.ndarray:
        """Return a copy of p's stored parameters, flat, in the order of `layout.shapes[p]`."""
        return self._on_host().raw[self.layout.blocks[p]].copy()

    def state(self, p: int) -> dict[str, np.ndarray]:
        """Return a copy of candidate p's training state; see `pack.Numbers.state`."""
        return self._on_host().state(self.layout, p)

    def _on_host(self) -> Numbers:
        if self._fetched is None:
            mine = self._trainer
            self._fetched = Numbers(
                *(t.cpu().numpy() for t in (mine.raw, mine.first, mine.second, mine.steps))
            )
        return self._fetched

    def _refuse_too_many(self, time_steps: int) -> None:
        if self.device.type != "cuda":
            return
        free, _ = torch.cuda.mem_get_info(self.device)
        needed = gpu.bytes_needed(self.layout, time_steps, EVALUATION_BATCH)
        if needed > free:
            raise MemoryError(
                f"{len(self.candidates)} candidates need about {needed / 2**30:.1f} GiB on the "
                "GPU, "
                f"{free / 2**30:.1f} are free"
            )
