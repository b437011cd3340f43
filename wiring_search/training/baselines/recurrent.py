"""Baselines that are trained: the usual recurrent networks, and liquid wirings that need no search.

A wiring that was searched for is worth it only where it beats them at its size. Each that learns by
gradients is trained exactly as a candidate is (`wiring_search.training.loop`): the same epochs,
minibatches and order of samples, Adam with a learning rate of 0.01, gradients clipped to norm 1,
scored on the validation split at its best epoch. The test split is never read.

Recurrent networks have 4, 8, 16 or 32 units and a linear readout. `rnn` (tanh), `gru` and `lstm`
are torch's; they read the times as one more feature where a task has times. The state of `ct-gru`
and `gru-d` decays over time by itself.

Liquid ones are of LTC neurons. `auto-ncp` has one motor neuron per output. `dense-ltc` is fully
connected with all neurons read out, which is how the LTC paper uses them. `pruned-ltc` is made from
a dense network of 24 neurons by removing synapses step by step down to so many per cent
(`wiring_search.training.baselines.sparse_flows`), retrained for half the epochs after each step.

Of `reservoir` only the readout is fitted, in closed form
(`wiring_search.training.baselines.reservoir_grid`).
"""

import math
import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from wiring_search.tasks.task import Split, Task, value_of
from wiring_search.training import loop as training
from wiring_search.training.baselines import reservoir_grid, sparse_flows
from wiring_search.training.baselines.reservoir_grid import RESERVOIRS
from wiring_search.training.loss import as_pack, elapsed_of, loss_of, wrongness
from wiring_search.training.pack import LARGEST_GRADIENT_NORM
from wiring_search.training.state import load_state, save_state
from wiring_search.training.warm_up import one_torch_thread
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import auto_ncp, fully_connected
from wiring_search.workers.jobs import Outcome, PackJob, Rung, Status, each_epoch

UNITS = (4, 8, 16, 32)
LEARNING_RATE = 0.01
_AUTO_NCP_NEURONS = (16, 32, 64)
_DENSE_LTC_NEURONS = (8, 16, 32)
_PRUNED_FROM = 24
# Shares of the dense network's synapses that stay: few at a time go, and some of the stops are
# baselines, by per cent.
_SCHEDULE = (0.71, 0.5, 0.35, 0.25, 0.16, 0.1)
PRUNED = {f"pruned-ltc-{share:.0%}".rstrip("%"): share for share in (0.5, 0.25, 0.1)}
_EVALUATION_BATCH = 512
_LATENCY_STEPS, _LATENCY_REPEATS = 64, 7

# on_progress(name, epoch, epochs) after each epoch
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained baseline.

    Attributes:
        name: See `known`.
        outcome: Of its training.
        worker: What trained it, for the log.
    """

    name: str
    outcome: Outcome
    worker: str


class TorchLayer(nn.Module):
    """One of torch's recurrent layers.

    Args:
        kind: The layer's class.
        features: F of the input.
        units: Of the layer.
        timed: Whether the elapsed time is one more feature.
    """

    def __init__(
        self, kind: Callable[..., nn.RNNBase], features: int, units: int, timed: bool
    ) -> None:
        super().__init__()
        self.timed = timed
        self.cell = kind(features + timed, units, batch_first=True)

    def forward(self, x: torch.Tensor, elapsed: torch.Tensor) -> torch.Tensor:
        """Return states (B, T, units) from x (B, T, F) and elapsed (B, T)."""
        if self.timed:
            x = torch.cat([x, elapsed[..., None]], dim=-1)
        return self.cell(x)[0]


class CTGRU(nn.Module):
    """Continuous-time GRU.

    A unit is a sum of eight traces ĥ_m, which decay with the time constants τ_m = 10^(m/2),
    exactly. Two gates choose among them by a time scale that each unit computes from the input and
    its old sum h = Σ ĥ_m:

        r_m = softmax_m(−(ln τ_R − ln τ_m)²),  s_m likewise from ln τ_S
        k = tanh(W [x, Σ r_m ĥ_m] + b)
        ĥ_m ← ((1 − s_m) ĥ_m + s_m k) exp(−elapsed / τ_m)

    As everywhere here, the input of a step stands at the beginning of the time that elapses with
    it.

    Source:
        Mozer, Kazakov and Lindsey, "Discrete-Event Continuous-Time Recurrent Nets", 2017.
    """

    TRACES = 8

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.from_input = nn.Linear(features, 3 * units)
        self.from_state = nn.Linear(units, 2 * units, bias=False)
        self.from_recalled = nn.Linear(units, units, bias=False)

    def forward(self, x: torch.Tensor, elapsed: torch.Tensor) -> torch.Tensor:
        """Return states (B, T, units) from x (B, T, F) and elapsed (B, T)."""
        scales = 10.0 ** (torch.arange(self.TRACES, dtype=x.dtype) / 2)
        log_scales = scales.log()
        decay = torch.exp(-elapsed[..., None, None] / scales)  # (B, T, 1, traces)
        recall_in, store_in, new_in = self.from_input(x).chunk(3, dim=-1)
        traces = x.new_zeros(len(x), self.from_recalled.in_features, self.TRACES)
        states = []
        for t in range(x.shape[1]):
            recall, store = self.from_state(traces.sum(dim=-1)).chunk(2, dim=-1)
            recalled = _nearest(recall_in[:, t] + recall, log_scales) * traces
            new = torch.tanh(new_in[:, t] + self.from_recalled(recalled.sum(dim=-1)))
            stored = _nearest(store_in[:, t] + store, log_scales)
            traces = ((1 - stored) * traces + stored * new[..., None]) * decay[:, t]
            states.append(traces.sum(dim=-1))
        return torch.stack(states, dim=1)


class GRUD(nn.Module):
    """GRU whose state decays between inputs.

        h ← exp(−max(0, w elapsed + b)) h
        z, r = σ(W [x, h] + b),  ĥ = tanh(W [x, r h] + b)
        h ← z h + (1 − z) ĥ

    It is the part of GRU-D that is about time. The other part fills in missing inputs, of which
    there are none here.

    Source:
        Che et al., Scientific Reports 8, 2018.
    """

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.decay = nn.Linear(1, units)
        self.from_input = nn.Linear(features, 3 * units)
        self.from_state = nn.Linear(units, 2 * units, bias=False)
        self.from_reset = nn.Linear(units, units, bias=False)

    def forward(self, x: torch.Tensor, elapsed: torch.Tensor) -> torch.Tensor:
        """Return states (B, T, units) from x (B, T, F) and elapsed (B, T)."""
        decay = torch.exp(-torch.relu(self.decay(elapsed[..., None])))  # (B, T, units)
        keep_in, reset_in, new_in = self.from_input(x).chunk(3, dim=-1)
        h = x.new_zeros(len(x), self.from_reset.in_features)
        states = []
        for t in range(x.shape[1]):
            h = decay[:, t] * h
            keep, reset = self.from_state(h).chunk(2, dim=-1)
            keep = torch.sigmoid(keep_in[:, t] + keep)
            reset = torch.sigmoid(reset_in[:, t] + reset)
            h = keep * h + (1 - keep) * torch.tanh(new_in[:, t] + self.from_reset(reset * h))
            states.append(h)
        return torch.stack(states, dim=1)


def _nearest(log_scale: torch.Tensor, log_scales: torch.Tensor) -> torch.Tensor:
    """How much each trace is meant. log_scale: (B, units); returns (B, units, traces), summing to
    1."""
    return torch.softmax(-((log_scale[..., None] - log_scales) ** 2), dim=-1)


_LAYERS: dict[str, Callable[[int, int, bool], nn.Module]] = {
    "rnn": lambda features, units, timed: TorchLayer(nn.RNN, features, units, timed),
    "gru": lambda features, units, timed: TorchLayer(nn.GRU, features, units, timed),
    "lstm": lambda features, units, timed: TorchLayer(nn.LSTM, features, units, timed),
    "ct-gru": lambda features, units, timed: CTGRU(features, units),
    "gru-d": lambda features, units, timed: GRUD(features, units),
}
CELLS = tuple(_LAYERS)


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
            self.layer = _LAYERS[cell](features, units, timed)
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


def known(task: Task) -> tuple[str, ...]:
    """Return the names of all baselines of a task: cell or topology, and number of units."""
    return (
        *(f"{cell}-{units}" for cell in CELLS for units in UNITS),
        *liquid(task, seed=0),
        *PRUNED,
        *RESERVOIRS,
    )


def chosen(task: Task, only: Collection[str]) -> tuple[str, ...]:
    """Return the known names that are asked for.

    Args:
        task: Gives the known names.
        only: Whole names or their first parts; empty for all.

    Raises:
        ValueError: A name is neither.
    """
    names = known(task)
    families = dict.fromkeys(name.rpartition("-")[0] for name in names)
    for part in only:
        if part not in names and part not in families:
            raise ValueError(
                f"no baseline is called {part!r}; known: "
                f"{', '.join(families)}, or one of them such as {names[0]}"
            )
    return tuple(
        name for name in names if not only or name in only or name.rpartition("-")[0] in only
    )


def recurrent(task: Task, name: str, seed: int) -> RecurrentNetwork:
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


def liquid(task: Task, seed: int) -> dict[str, Candidate]:
    """Return the liquid baselines by name, in those sizes that have room for the task's outputs.

    Args:
        task: Gives features and outputs.
        seed: Of wiring and weights.
    """
    wirings = {
        f"auto-ncp-{n}": auto_ncp(task.features, n, task.outputs, seed=seed)
        for n in _AUTO_NCP_NEURONS
        if n >= task.outputs + 3
    }
    wirings |= {
        f"dense-ltc-{n}": fully_connected(task.features, n, n, seed=seed)
        for n in _DENSE_LTC_NEURONS
    }
    return {
        name: Candidate(wiring, learning_rate=LEARNING_RATE, seed=seed)
        for name, wiring in wirings.items()
    }


def train_all(
    task: Task,
    names: Collection[str],
    rung: Rung,
    seed: int,
    on_progress: Progress = lambda name, epoch, epochs: None,
) -> Iterator[Trained]:
    """Train baselines one after another and yield each when it is done; liquid ones are one pack.

    Args:
        task: The task to train on.
        names: See `known`.
        rung: Epochs and batch size.
        seed: The study's, of initial weights and of the order of the data.
        on_progress: Called with (name, epoch, epochs).
    """
    for name in names:
        if name.rpartition("-")[0] in CELLS:
            network = recurrent(task, name, seed)
            outcome = train(
                task,
                network,
                rung,
                seed,
                partial(on_progress, name),
            )
            yield Trained(name, outcome, f"process {os.getpid()}")
    candidates = {
        name: candidate for name, candidate in liquid(task, seed).items() if name in names
    }
    if candidates:
        job = PackJob(0, rung, tuple(candidates.values()), seed)
        result = training.train(
            task,
            job,
            each_epoch(lambda epoch, epochs: on_progress(", ".join(candidates), epoch, epochs)),
        )
        for name, outcome in zip(candidates, result.outcomes, strict=True):
            yield Trained(name, outcome, result.worker)
    wanted = [name for name in PRUNED if name in names]
    if wanted:
        yield from _pruned(
            task, wanted, rung, seed, lambda: on_progress(", ".join(wanted), 1, rung.epochs)
        )
    for name in RESERVOIRS:
        if name in names:
            on_progress(name, 1, 1)
            fixed = reservoir_grid.reservoir(task, name, seed)
            yield Trained(name, reservoir_grid.train(task, fixed), f"process {os.getpid()}")


def _pruned(
    task: Task, names: Collection[str], rung: Rung, seed: int, on_progress: Callable[[], None]
) -> Iterator[Trained]:
    """All sizes come out of one dense network; where its training fails, each of them has."""
    dense = fully_connected(task.features, _PRUNED_FROM, _PRUNED_FROM, seed=seed)
    candidate = Candidate(dense, learning_rate=LEARNING_RATE, seed=seed)
    on_progress()
    retrain = max(rung.epochs // 2, 1)
    worker = f"process {os.getpid()}"
    try:
        front = sparse_flows.prune(
            task, candidate, _SCHEDULE, rung.epochs, retrain, rung.batch_size, seed
        )
    except RuntimeError as failure:
        lost = Outcome(
            Status.DIVERGED, math.nan, math.nan, 0, 0, math.nan, math.nan, message=str(failure)
        )
        yield from (Trained(name, lost, worker) for name in names)
        return
    by_share = dict(zip((1.0, *_SCHEDULE), front, strict=True))
    yield from (Trained(name, by_share[PRUNED[name]].outcome, worker) for name in names)


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
