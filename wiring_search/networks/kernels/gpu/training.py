"""Training steps of a pack on the device: kernel, loss, gradients and Adam; nothing is read back.

    minibatch ─► gpu.forward ─► loss (torch) ─► gpu.backward ─► adam ─► weights, moments,
        ▲                                                                   steps, alive: all stay
        └── rows of data that stays on the device                           on the device

On a GPU the step for a minibatch of a size is captured in a CUDA graph the second time that the
size comes, and replayed from then on: a step is then one launch, whatever it consists of. Of its
arguments only the numbers of the rows change.
"""

from collections.abc import Callable

import numpy as np
import torch

from wiring_search.networks.kernels import gpu
from wiring_search.networks.kernels.gpu import adam
from wiring_search.networks.kernels.layout import PackLayout

Tensor = torch.Tensor

BETA1, BETA2, TINY = 0.9, 0.999, 1e-8

# (P, B, T or 1, O) predictions -> (P,) losses
Loss = Callable[[Tensor], Tensor]


class Trainer:
    """The state of a pack's training, on a device.

    Args:
        layout: Of the pack.
        raw: (parameters,) float32, the stored numbers.
        first: (parameters,) float32, Adam's running mean of the gradient.
        second: (parameters,) float32, of its square.
        steps: (candidates,) int64, steps done.
        rates: (candidates,) float32, learning rates.
        largest_norm: To which a candidate's gradient is clipped.
        device: Where all of it lies.

    Raises:
        ValueError: There is no GPU kernel for this kind.
    """

    def __init__(
        self,
        layout: PackLayout,
        raw: np.ndarray,
        first: np.ndarray,
        second: np.ndarray,
        steps: np.ndarray,
        rates: np.ndarray,
        largest_norm: float,
        device: str | torch.device,
    ) -> None:
        self.layout, self.device = layout, torch.device(device)
        self.gpu_layout = gpu.to_device(layout, device)
        self.raw, self.first, self.second, self.steps, self._rates = (
            torch.tensor(array, device=device) for array in (raw, first, second, steps, rates)
        )
        self.alive = torch.ones(layout.size, dtype=torch.int32, device=device)
        self._largest_norm = largest_norm
        starts = np.array([*(block.start for block in layout.blocks), layout.parameters])
        self._starts = torch.from_numpy(starts).to(device)
        self._positive = torch.from_numpy(layout.positive.astype(np.int8)).to(device)
        self._trained = torch.from_numpy((~layout.pinned).astype(np.int8)).to(device)
        self.effective = torch.empty_like(self.raw)
        adam.effective_of[(-(-len(raw) // adam.BLOCK),)](
            raw=self.raw,
            positive=self._positive,
            effective=self.effective,
            count=len(raw),
            BLOCK=adam.BLOCK,
        )

    def predict(self, x: Tensor, elapsed: Tensor, every_step: bool) -> tuple[Tensor, gpu.Kept]:
        """The outputs of all candidates.

        Args:
            x: (B, T, features).
            elapsed: (B, T), 0 after the end of a sample.
            every_step: Outputs of all time steps, or of the last one only.

        Returns:
            Outputs (candidates, B, T or 1, outputs), and what `gpu.extremes` needs.
        """
        y, _, kept = gpu.forward(
            self.gpu_layout, self.effective, x, elapsed, self._rest(x), every_step
        )
        return y, kept

    def step(self, x: Tensor, elapsed: Tensor, every_step: bool, loss: Loss) -> Tensor:
        """One optimiser step on one minibatch.

        A candidate whose loss is not finite is no longer alive.

        Args:
            x: (B, T, features).
            elapsed: (B, T), 0 after the end of a sample.
            every_step: Outputs of all time steps, or of the last one only.
            loss: From outputs (candidates, B, T or 1, outputs) to losses (candidates,).

        Returns:
            Losses (candidates,) before the step.
        """
        y, final, kept = gpu.forward(
            self.gpu_layout, self.effective, x, elapsed, self._rest(x), every_step
        )
        predictions = y.detach().requires_grad_()
        losses = loss(predictions)
        (grad_y,) = torch.autograd.grad(losses.sum(), predictions)
        no_grad = torch.zeros_like(final)
        grad, *_ = gpu.backward(self.gpu_layout, self.effective, kept, grad_y, no_grad, False)
        self.alive *= losses.detach().isfinite()
        self.update(grad)
        return losses.detach()

    def update(self, grad: Tensor) -> None:
        """One step of Adam along ∂ of the effective numbers, (parameters,), which is used up."""
        adam.adam_step[(self.layout.size,)](
            starts=self._starts,
            raw=self.raw,
            effective=self.effective,
            positive=self._positive,
            trained=self._trained,
            grad=grad,
            first=self.first,
            second=self.second,
            learning_rates=self._rates,
            largest_norm=self._largest_norm,
            step=self.steps,
            alive=self.alive,
            BETA1=BETA1,
            BETA2=BETA2,
            TINY=TINY,
            BLOCK=adam.BLOCK,
        )

    def _rest(self, x: Tensor) -> Tensor:
        return x.new_zeros((len(x), self.layout.state_size))


def replayed(
    step: Callable[[Tensor], object], device: torch.device
) -> Callable[[np.ndarray], None]:
    """A step that takes numbers of rows on the host; on a GPU it is captured in a CUDA graph.

    Args:
        step: Takes the rows on the device, (B,) int64.
        device: Where it runs.
    """
    graphs: dict[int, tuple[torch.cuda.CUDAGraph | None, Tensor]] = {}

    def run(rows: np.ndarray) -> None:
        given = torch.from_numpy(np.ascontiguousarray(rows))
        if device.type != "cuda":
            step(given.to(device))
            return
        given = given.pin_memory()
        if len(rows) not in graphs:  # as it stands: kernels are compiled, libraries start
            graphs[len(rows)] = None, given.to(device)
            step(graphs[len(rows)][1])
            return
        graph, taken = graphs[len(rows)]
        if graph is None:
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                step(taken)
            graphs[len(rows)] = graph, taken
        taken.copy_(given, non_blocking=True)
        graph.replay()

    return run
