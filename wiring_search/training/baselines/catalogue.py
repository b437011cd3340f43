"""All baselines by name: the usual recurrent networks, and liquid wirings that need no search.

A wiring that was searched for is worth it only where it beats them at its size. The test split is
never read.

Recurrent networks have 4, 8, 16 or 32 units and a linear readout
(`wiring_search.training.baselines.recurrent`). `rnn` (tanh), `gru` and `lstm` are torch's; they
read the times as one more feature where a task has times. The state of `ct-gru` and `gru-d` decays
over time by itself.

Liquid ones are of LTC neurons, and are trained as candidates are. `auto-ncp` has one motor neuron
per output. `dense-ltc` is fully connected with all neurons read out, which is how the LTC paper
uses them. `pruned-ltc` is made from a dense network of 24 neurons by removing synapses step by step
down to so many per cent (`wiring_search.training.baselines.sparse_flows`), retrained for half the
epochs after each step.

Of `reservoir` only the readout is fitted, in closed form
(`wiring_search.training.baselines.reservoir_grid`).
"""

import math
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial

from wiring_search.tasks.task import Task
from wiring_search.training import loop as training
from wiring_search.training.baselines import recurrent, reservoir_grid, sparse_flows
from wiring_search.training.baselines.cells import CELLS
from wiring_search.training.baselines.recurrent import LEARNING_RATE
from wiring_search.training.baselines.reservoir_grid import RESERVOIRS
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import auto_ncp, fully_connected
from wiring_search.workers.jobs import Outcome, PackJob, Rung, Status, each_epoch

UNITS = (4, 8, 16, 32)
_AUTO_NCP_NEURONS = (16, 32, 64)
_DENSE_LTC_NEURONS = (8, 16, 32)
_PRUNED_FROM = 24
# Shares of the dense network's synapses that stay: few at a time go, and some of the stops are
# baselines, by per cent.
_SCHEDULE = (0.71, 0.5, 0.35, 0.25, 0.16, 0.1)
PRUNED = {f"pruned-ltc-{share:.0%}".rstrip("%"): share for share in (0.5, 0.25, 0.1)}

# on_progress(name, epoch, epochs) after each epoch
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained baseline.

    Attributes:
        name: See `names_of`.
        outcome: Of its training.
        worker: What trained it, for the log.
    """

    name: str
    outcome: Outcome
    worker: str


def names_of(task: Task) -> tuple[str, ...]:
    """Return the names of all baselines of a task: cell or topology, and number of units."""
    return (
        *(f"{cell}-{units}" for cell in CELLS for units in UNITS),
        *liquid(task, seed=0),
        *PRUNED,
        *RESERVOIRS,
    )


def select(task: Task, only: Collection[str]) -> tuple[str, ...]:
    """Return the known names that are asked for.

    Args:
        task: Gives the known names.
        only: Whole names or their first parts; empty for all.

    Raises:
        ValueError: A name is neither.
    """
    names = names_of(task)
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
        names: See `names_of`.
        rung: Epochs and batch size.
        seed: The study's, of initial weights and of the order of the data.
        on_progress: Called with (name, epoch, epochs).
    """
    for name in names:
        if name.rpartition("-")[0] in CELLS:
            network = recurrent.network_of(task, name, seed)
            outcome = recurrent.train(task, network, rung, seed, partial(on_progress, name))
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
