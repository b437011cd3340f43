"""Recurrent networks as baselines: a layer of `cells`, a linear readout, and their training.

A network is trained exactly as a candidate is (`wiring_search.training.loop`): the same epochs,
minibatches and order of samples, Adam with a learning rate of 0.01, gradients clipped to norm 1,
scored on the validation split at its best epoch.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from wiring_search.tasks.task import Split, Task, value_of
from wiring_search.training import loop as training
from wiring_search.training.baselines.cells import CELLS
from wiring_search.training.loss import as_pack, elapsed_of, loss_of, wrongness
from wiring_search.training.pack import LARGEST_GRADIENT_NORM
from wiring_search.training.state import load_state, save_state
from wiring_search.training.warm_up import one_torch_thread
from wiring_search.workers.jobs import Outcome, PackJob, Rung, Status

LEARNING_RATE = 0.01
_EVALUATION_BATCH = 512
_LATENCY_STEPS, _LATENCY_REPEATS = 64, 7


class RecurrentNetwork(nn.Module):
    """A recurrent layer and a linear readout.

    Args:
        cell: A name out of CELLS.
        features: F of the input.
        outputs: O of the readout.
        units: Of the layer.
        timed: Whether the task has times.
        every_step: Whether there are outputs at each step, or at the last valid one only.
        seed: Of the initial parameters; torch's global generator is left as it was.
    """

    def __init__(
        self,
        cell: str,
        features: int,
        outputs: int,
        units: int,
        timed: bool = False,
        every_step: bool = True,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.every_step = every_step
        self.features = features + (timed and cell in ("rnn", "gru", "lstm"))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.layer = CELLS[cell](features, units, timed)
            self.readout = nn.Linear(units, outputs)

    def forward(
        self, x: torch.Tensor, elapsed: torch.Tensor, lengths: torch.Tensor
    ) -> torch.Tensor:
        """Return outputs (batch, time, outputs), or (batch, outputs) without `every_step`.

        Args:
            x: (batch, time, features).
            elapsed: (batch, time), ≥ 0.
            lengths: (batch,) valid steps of each sample, 1 or more; what stands behind them is not
                looked at.
        """
        valid = torch.arange(x.shape[1]) < lengths[:, None]
        x = torch.where(valid[..., None], x, 0.0)
        elapsed = torch.where(valid, elapsed, 0.0)
        states = self.layer(x, elapsed)
        if not self.every_step:
            states = states[torch.arange(len(x)), lengths - 1]
        return self.readout(states)

    @property
    def synapses(self) -> int:
        """The number of connections from every feature and unit to every unit.

        Each is counted once however many gates it feeds, as a liquid synapse is, which has several
        numbers too. Biases, decay rates and the readout are none.
        """
        units = self.readout.in_features
        return units * (self.features + units)

    @property
    def parameters_count(self) -> int:
        """The number of trainable numbers."""
        return sum(value.numel() for value in self.parameters())


def network_of(task: Task, name: str, seed: int) -> RecurrentNetwork:
    """Return the untrained recurrent network of this name.

    Args:
        task: Gives features, outputs and times.
        name: Cell and number of units, such as "gru-8".
        seed: Of the initial parameters.
    """
    cell, _, units = name.rpartition("-")
    timed = task.train.elapsed is not None
    return RecurrentNetwork(
        cell, task.features, task.outputs, int(units), timed, task.every_step, seed
    )


@one_torch_thread()
def train(
    task: Task,
    network: RecurrentNetwork,
    rung: Rung,
    seed: int,
    progress: Callable[[int, int], None] = lambda epoch, epochs: None,
) -> Outcome:
    """Train a network, in place, and score it.

    Args:
        task: Its training split trains, its validation split chooses the best epoch.
        network: Changed; its weights are those of the last epoch.
        rung: Epochs and batch size.
        seed: Of the order of the data.
        progress: Called with (epoch, epochs) after each epoch.

    Returns:
        Its `state` holds the weights of the best epoch (`load_weights`).
    """
    optimiser = torch.optim.Adam(network.parameters(), LEARNING_RATE)
    job = PackJob(0, rung, (), seed)
    data = _Tensors.of(task.train)
    held_out = _Tensors.of(task.valid)
    curve: list[float] = []
    best = math.inf
    weights = None
    started = time.perf_counter()
    for epoch in range(rung.epochs):
        finite = True
        for rows in training.minibatches(len(task.train), job, epoch):
            loss = loss_of(task, task.train, rows)(as_pack(task, network(*data.at(rows))))[0]
            optimiser.zero_grad()
            loss.backward()
            norm = nn.utils.clip_grad_norm_(network.parameters(), LARGEST_GRADIENT_NORM)
            finite = bool(norm.isfinite()) and bool(loss.isfinite())
            if not finite:
                break
            optimiser.step()
        curve.append(validation_error(task, network, held_out) if finite else math.nan)
        progress(epoch + 1, rung.epochs)
        if not math.isfinite(curve[-1]):
            break
        if curve[-1] < best:
            best = curve[-1]
            weights = _stored(network)
    shared: dict[str, Any] = {
        "parameters": network.parameters_count,
        "synapses": network.synapses,
        "latency_us": latency_us(network, task.features),
        "train_seconds": time.perf_counter() - started,
        "curve": tuple(curve),
    }
    if math.isnan(curve[-1]):
        message = f"loss, gradient or output stopped being finite in epoch {len(curve)}"
        return Outcome(Status.DIVERGED, math.nan, math.nan, message=message, **shared)
    return Outcome(Status.OK, best, value_of(task.metric, best), state=weights, **shared)


@torch.no_grad()
def validation_error(task: Task, network: RecurrentNetwork, tensors: "_Tensors") -> float:
    """Return the error of a network on the validation split: 1 − accuracy, 1 − F1 or mse.

    Args:
        task: Gives the split and the metric.
        network: Fresh or trained.
        tensors: Of the validation split.
    """
    total, weight = 0.0, 0.0
    for start in range(0, len(task.valid), _EVALUATION_BATCH):
        rows = np.arange(start, min(start + _EVALUATION_BATCH, len(task.valid)))
        wrong, weights = wrongness(
            task, task.valid, rows, as_pack(task, network(*tensors.at(rows))), for_training=False
        )
        total += float(wrong)
        weight += float(weights)
    return total / weight


@torch.no_grad()
def latency_us(network: RecurrentNetwork, features: int) -> float:
    """Return the latency in torch: microseconds per time step, one sample at a time.

    Outputs are read at each step. The quickest of several runs counts.

    Args:
        network: What is run.
        features: F of the task.
    """
    x = torch.zeros(1, _LATENCY_STEPS, features)
    elapsed = torch.ones(1, _LATENCY_STEPS)
    quickest = math.inf
    for _ in range(_LATENCY_REPEATS):
        start = time.perf_counter()
        network.readout(network.layer(x, elapsed))
        quickest = min(quickest, time.perf_counter() - start)
    return quickest / _LATENCY_STEPS * 1e6


def load_weights(network: RecurrentNetwork, state: bytes) -> None:
    """Give a network the weights of `Outcome.state`."""
    arrays = load_state(state)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()})


@dataclass(frozen=True, slots=True)
class _Tensors:
    """What a network reads of a split."""

    x: torch.Tensor
    elapsed: torch.Tensor
    lengths: torch.Tensor

    @classmethod
    def of(cls, split: Split) -> "_Tensors":
        samples, steps = split.x.shape[:2]
        lengths = np.full(samples, steps) if split.lengths is None else split.lengths
        # Copies: the arrays of a task may be read-only.
        return cls(
            *(
                torch.from_numpy(np.array(values))
                for values in (split.x, elapsed_of(split), lengths)
            )
        )

    def at(self, rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        index = torch.from_numpy(rows)
        return self.x[index], self.elapsed[index], self.lengths[index]


def _stored(network: RecurrentNetwork) -> bytes:
    return save_state({name: value.numpy() for name, value in network.state_dict().items()})
