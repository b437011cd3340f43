"""Trained networks as plain data that a web page can run: parameters, and validation inputs.

`report/web/forward.js` computes from this what the kernels compute. Python's last outputs are among
the data, so that a page can say how well the two agree. Only the validation split is read.
"""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from wiring_search.networks.kernels import cpu
from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.networks.neurons import NEURONS
from wiring_search.scores.gradient import gradient_flow, verdict
from wiring_search.scores.trained_packs import trained_packs
from wiring_search.store import Store, Trial
from wiring_search.tasks import Task
from wiring_search.training.loss import elapsed_of, wrongness
from wiring_search.training.pack import Pack
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS
from wiring_search.workers.jobs import Status

MOST_NETWORKS = 24
# Longer sequences are cut: a screen has no more pixels than this.
MOST_STEPS = 512
_MOST_NUMBERS = 12_000  # of one sample's inputs
_LARGEST = 1_500_000  # bytes of everything
# Validation samples among which the shown ones are chosen: the first ones, so many at most, with so
# many time steps in all. A pack keeps its states of all the steps that it is given at once.
_RANKED, _RANKED_STEPS, _STEPS_AT_ONCE = 512, 120_000, 16_000
_FOR_GRADIENT = 16
# What a sample is to a network, of all those that were ranked.
EASY, TYPICAL, WORST = "easy", "typical", "worst"

Plain = dict[str, Any]


def playable(
    store: Store,
    trials: Sequence[Trial],
    task: Task,
    most: int = MOST_NETWORKS,
    largest: int = _LARGEST,
) -> Plain:
    """Return the networks of trials, with samples of the task's validation split.

    A duplicate gets the network of the trial that it is equal to. Left out are trials without
    trained weights, trials whose neurons are an extension's, which no page knows, and networks
    beyond `most` or `largest`.

    Args:
        store: The study's store.
        trials: The first ones come first.
        task: Its validation split gives the samples.
        most: Networks at most.
        largest: Bytes at most, of all of it.

    Returns:
        Plain numbers, lists and words: `samples` by their number in the split, a list of
        `networks`, and how many of all their time steps (`steps`, `of_steps`) samples are shown
        for.
    """
    kept = {trial.trial: found for trial in trials if (found := _weights(store, trial)) is not None}
    shown = dict(list(kept.items())[:most])
    steps = min(task.time_steps, MOST_STEPS, max(1, _MOST_NUMBERS // task.features))
    result: Plain = {
        **{"kind": task.kind, "every_step": task.every_step, "metric": task.metric},
        **{"steps": steps, "of_steps": task.time_steps, "samples": {}, "networks": []},
    }
    if not shown:
        return result
    candidates, states = zip(*shown.values(), strict=True)
    packs = [
        ([list(shown)[index] for index in indices], pack)
        for indices, pack in trained_packs(task, list(candidates), list(states))
    ]
    chosen = _samples(task, packs)
    networks: dict[int, Plain] = {}
    for numbers, pack in packs:
        networks |= _networks(task, pack, numbers, chosen, steps)
    size = 0
    for number in shown:  # in the given order, not that of packs
        added = {
            str(row): _sample(task, row, steps)
            for row in chosen[number].values()
            if str(row) not in result["samples"]
        }
        size += len(json.dumps([networks[number], added], separators=(",", ":")))
        if size > largest:
            break
        result["networks"].append(networks[number])
        result["samples"] |= added
    return result


def plain(layout: PackLayout, p: int, parameters: np.ndarray) -> Plain:
    """Return a network of a pack as `forward.js` takes it.

    Args:
        layout: Of the pack.
        p: The network's index in the pack.
        parameters: (layout.parameters,), as the dynamics sees them.
    """
    wiring = layout.wirings[p]
    made = layout.connections[p]
    kind = layout.kind
    gate_only = made.pinned()
    return {
        **{
            "neuron": kind.neuron,
            "family": KINDS[kind.neuron].family,
            "variant": NEURONS[kind.neuron].variant,
            "layered": KINDS[kind.neuron].layered,
            "solver": kind.solver,
            "steps": layout.steps[p],
            "memory": kind.memory,
        },
        "layers": [wiring.sensory, wiring.inter, wiring.command, wiring.motor],
        "ends": list(made.layer_ends),
        "features": layout.features,
        "outputs": layout.outputs,
        **{name: getattr(made, name).tolist() for name in ("pre", "post", "polarity")},
        **{
            name: getattr(made, name).tolist()
            for name in ("sensory_pre", "sensory_post", "sensory_polarity")
        },
        # Connections of a layered CfC that the wiring does not have; they have gates alone.
        "gates": np.flatnonzero(gate_only.get("ff1_w", [])).tolist(),
        "sensory_gates": np.flatnonzero(gate_only.get("sensory_ff1_w", [])).tolist(),
        "parameters": {name: shortest(parameters[at]) for name, at in layout.slices[p].items()},
    }


def shortest(values: np.ndarray) -> list[float]:
    """Return numbers whose JSON is the shortest text that gives the same float32 again.

    Args:
        values: Any shape, row after row.
    """
    return [float(str(value)) for value in np.asarray(values, np.float32).ravel()]


def _weights(store: Store, trial: Trial) -> tuple[Candidate, bytes] | None:
    if trial.status is Status.DUPLICATE and trial.duplicate_of is not None:
        trial = store.trial(trial.duplicate_of)
    if (
        trial.status is not Status.OK
        or trial.candidate is None
        or not KINDS[trial.candidate.neuron].compiled
    ):
        return None
    state = store.state(trial.trial)
    return None if state is None else (trial.candidate, state)


def _samples(task: Task, packs: list[tuple[list[int], Pack]]) -> dict[int, dict[str, int]]:
    """Rows of samples per trial, by what they are to its network.

    The easy and the typical one are the same for all, so that networks can be compared on them:
    where the mean rank of its loss among all samples is the least, and nearest the middle.
    """
    losses = {
        number: row
        for numbers, pack in packs
        for number, row in zip(numbers, _losses(task, pack), strict=True)
    }
    ranks = np.mean(
        [np.argsort(np.argsort(row, kind="stable"), kind="stable") for row in losses.values()],
        axis=0,
    )
    easy = int(ranks.argmin())
    typical = int(np.abs(ranks - (len(ranks) - 1) / 2).argmin())
    return {
        number: _distinct({EASY: easy, TYPICAL: typical, WORST: int(row.argmax())})
        for number, row in losses.items()
    }


def _distinct(rows: dict[str, int]) -> dict[str, int]:
    return {
        name: row
        for at, (name, row) in enumerate(rows.items())
        if row not in list(rows.values())[:at]
    }


def _losses(task: Task, pack: Pack) -> np.ndarray:
    """(P, samples): training losses of the first validation samples; −∞ where no step counts."""
    split = task.valid
    elapsed = elapsed_of(task.valid)
    most = min(_RANKED, len(split), max(16, _RANKED_STEPS // task.time_steps))
    sums = []
    for rows in np.array_split(np.arange(most), -(-most * task.time_steps // _STEPS_AT_ONCE)):
        y = torch.from_numpy(
            pack.predict(
                np.ascontiguousarray(split.x[rows]),
                np.ascontiguousarray(elapsed[rows]),
                task.every_step,
            )
        )
        sums += [
            wrongness(task, split, rows[[i]], y[:, i : i + 1], for_training=True)
            for i in range(len(rows))
        ]
    found = np.stack(
        [torch.where(weight > 0, wrong / weight, -np.inf).numpy() for wrong, weight in sums], axis=1
    )
    return np.where(np.isnan(found), np.inf, found)


def _networks(
    task: Task, pack: Pack, numbers: list[int], chosen: dict[int, dict[str, int]], steps: int
) -> dict[int, Plain]:
    """What the page needs of every member of a pack."""
    elapsed = elapsed_of(task.valid)[:, :steps]
    rows = sorted({row for number in numbers for row in chosen[number].values()})
    x = np.ascontiguousarray(task.valid.x[rows, :steps])
    rest = np.zeros((len(rows), pack.layout.state_size), np.float32)
    y, _, kept = cpu.forward(
        pack.layout, pack.effective, x, np.ascontiguousarray(elapsed[rows]), rest, True
    )
    visited = cpu.histories(pack.layout, kept)
    first = np.ascontiguousarray(task.valid.x[:_FOR_GRADIENT, :steps])
    flow = gradient_flow(pack, first, np.ascontiguousarray(elapsed[:_FOR_GRADIENT]))
    result = {}
    for p, number in enumerate(numbers):
        indices = [rows.index(row) for row in chosen[number].values()]
        valid = [_steps_of(task, row, steps) for row in chosen[number].values()]
        path = np.concatenate(
            [
                visited[p][at, : n + 1, : pack.layout.wirings[p].neurons]
                for at, n in zip(indices, valid, strict=True)
            ]
        )
        result[number] = {
            "trial": number,
            **plain(pack.layout, p, pack.effective),
            "shown": [{"name": name, "row": row} for name, row in chosen[number].items()],
            "expected": [
                _rounded(y[p, at, n - 1], 7) for at, n in zip(indices, valid, strict=True)
            ],
            "plane": plane(path),
            "gradient": _gradient(flow.log_norms[p], float(flow.slopes[p])),
        }
    return result


def plane(path: np.ndarray) -> Plain:
    """Return the principal plane of states.

    Args:
        path: States (points, neurons).

    Returns:
        The states' mean (`middle`), the plane's two axes (one for a single neuron), and the share
        of the states' variance along each (`explained`). The largest entry of an axis is positive.
    """
    path = np.nan_to_num(path.astype(float), posinf=0.0, neginf=0.0)
    centred = path - path.mean(axis=0)
    lengths, axes = np.linalg.eigh(centred.T @ centred)
    axes = axes[:, :-3:-1].T
    axes *= np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])[:, None]
    shares = lengths[:-3:-1] / max(lengths.sum(), 1e-30)
    return {
        "middle": _rounded(path.mean(axis=0), 5),
        "axes": _rounded(axes, 5),
        "explained": _rounded(shares, 3),
    }


def _gradient(log_norms: np.ndarray, slope: float) -> Plain:
    """The logarithms by lag; nothing where they are not finite."""
    finite = bool(np.isfinite(log_norms).all())
    return {
        "log_norms": np.round(log_norms.astype(float), 3).tolist() if finite else [],
        "slope": float(f"{slope:.4g}") if finite else None,
        "verdict": verdict(slope, len(log_norms) - 1),
    }


def _sample(task: Task, row: int, steps: int) -> Plain:
    """A validation sample, without its padding.

    `elapsed` is None for 1 everywhere. `counted` holds the steps whose targets count, None for all.
    """
    split = task.valid
    n = _steps_of(task, row, steps)
    y = split.y[row, :n] if task.every_step else split.y[row]
    return {
        "row": row,
        "x": [shortest(now) for now in split.x[row, :n]],
        "elapsed": None if split.elapsed is None else shortest(split.elapsed[row, :n]),
        "y": y.tolist() if task.kind == "classification" else _rounded(y, 6),
        "counted": None if split.scored is None else np.flatnonzero(split.scored[row, :n]).tolist(),
    }


def _steps_of(task: Task, row: int, steps: int) -> int:
    """How many time steps of a sample are shown."""
    return steps if task.valid.lengths is None else max(1, min(steps, int(task.valid.lengths[row])))


def _rounded(values: np.ndarray, digits: int) -> Any:
    """To `digits` significant digits; nested lists of numbers, None for what is not finite."""
    if np.ndim(values):
        return [_rounded(value, digits) for value in values]
    return float(f"{float(values):.{digits}g}") if np.isfinite(values) else None
