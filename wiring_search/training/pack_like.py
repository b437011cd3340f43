"""What training needs of a pack, wherever it lies."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch

from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.wirings.candidate import Candidate

LARGEST_GRADIENT_NORM = 1.0
# Sequences at once where nothing is trained.
EVALUATION_BATCH = 512

# (P, B, T or 1, O) predictions -> (P,) losses
Loss = Callable[[torch.Tensor], torch.Tensor]


class PackLike(Protocol):
    """What training needs of a pack, wherever its numbers lie: `Pack`, `gpu_pack.GpuPack`.

    Attributes:
        candidates: Those that train side by side.
        layout: Where their parameters and states lie.
        alive: (candidates,) bool, which of them still train; training writes it anew to freeze one.
        device: Where the outputs of `predict_checked` lie, and what `steps_on` is called with.
    """

    candidates: tuple[Candidate, ...]
    layout: PackLayout

    @property
    def alive(self) -> np.ndarray: ...

    @alive.setter
    def alive(self, alive: np.ndarray, /) -> None: ...

    @property
    def device(self) -> torch.device: ...

    def predict_checked(
        self, x: np.ndarray, elapsed: np.ndarray, every_step: bool
    ) -> tuple[np.ndarray | torch.Tensor, np.ndarray]:
        """Return outputs, and which candidates kept to what their equation allows.

        Args:
            x: (B, T, F) float32.
            elapsed: (B, T) float32, in the task's unit of time; 0 where a sample has ended.
            every_step: Whether all time steps are read out, or the last one.

        Returns:
            (candidates, B, T or 1, O) on `device`, and (candidates,) bool.
        """
        ...

    def steps_on(
        self,
        x: np.ndarray,
        elapsed: np.ndarray,
        every_step: bool,
        loss_of: Callable[[Any], Loss],
    ) -> Callable[[np.ndarray], None]:
        """Return the function that does one training step on some rows of these data.

        Args:
            x: (n, T, F) float32.
            elapsed: (n, T) float32.
            every_step: Whether all time steps are read out, or the last one.
            loss_of: Returns the loss of rows from their numbers, an array or a tensor on `device`.
        """
        ...

    def weights(self, p: int) -> np.ndarray:
        """Return a copy of candidate p's stored parameters, flat."""
        ...

    def state(self, p: int) -> dict[str, np.ndarray]:
        """Return a copy of candidate p's training state, from which another pack can resume."""
        ...
