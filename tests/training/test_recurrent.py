"""Recurrent networks are trained as candidates are, and scored with their best weights."""

import numpy as np
import pytest
import torch

from tests.support.made_up_tasks import made_up_task, timeless
from wiring_search.training.baselines.cells import CELLS
from wiring_search.training.baselines.recurrent import (
    RecurrentNetwork,
    load_weights,
    network_of,
    train,
)
from wiring_search.workers.jobs import Rung, Status


def test_the_seed_decides_and_torchs_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (
        RecurrentNetwork("gru", 3, 2, 4, seed=seed).readout.weight for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_errors_are_those_of_the_network_with_the_best_weights(
    kind: str, every_step: bool, timed: bool
) -> None:
    task, rung = made_up_task(kind, every_step, timed), Rung(0, 5, 16)
    epochs = []
    outcome = train(
        task, network_of(task, "gru-8", 2), rung, 2, lambda *epoch: epochs.append(epoch)
    )
    assert epochs == [(epoch, 5) for epoch in range(1, 6)]
    assert outcome.status is Status.OK
    assert outcome.error == min(outcome.curve)
    assert len(outcome.curve) == 5
    network = network_of(task, "gru-8", seed=99)
    load_weights(network, outcome.state)
    lengths = np.full(30, 6) if task.valid.lengths is None else task.valid.lengths
    elapsed = np.ones((30, 6), np.float32) if task.valid.elapsed is None else task.valid.elapsed
    with torch.no_grad():
        y = network(*(torch.from_numpy(a) for a in (task.valid.x, elapsed, lengths))).numpy()
    wrong = (
        y.argmax(-1) != task.valid.y
        if kind == "classification"
        else ((y - task.valid.y) ** 2).mean(-1)
    )
    if every_step:
        wrong = np.concatenate([row[:n] for row, n in zip(wrong, lengths, strict=True)])
    assert outcome.error == pytest.approx(wrong.mean(), rel=1e-5)
    assert outcome.metric == pytest.approx(
        1 - outcome.error if kind == "classification" else outcome.error
    )
    assert outcome.parameters == sum(p.numel() for p in network.parameters())
    assert outcome.latency_us > 0
    assert outcome.train_seconds > 0


@pytest.mark.parametrize("cell", CELLS)
def test_training_learns_and_repeats_itself(cell: str) -> None:
    task, rung = made_up_task(timed=True), Rung(0, 40, 16)
    first, again = (train(task, network_of(task, f"{cell}-8", 0), rung, 0) for _ in range(2))
    assert first.error < 0.2
    assert timeless(first) == timeless(again)
    assert train(task, network_of(task, f"{cell}-8", 0), rung, 1).curve != first.curve


def test_steps_are_adams_with_clipped_gradients() -> None:
    """Three steps by hand; with the whole split in a minibatch, the order of samples does not
    matter."""
    task = made_up_task("regression")
    network, mine = (network_of(task, "rnn-4", 0) for _ in range(2))
    train(task, network, Rung(0, 3, 50), 0)
    x, y = torch.from_numpy(task.train.x), torch.from_numpy(task.train.y)
    flat = torch.nn.utils.parameters_to_vector(mine.parameters()).detach()
    first, second, norms = torch.zeros_like(flat), torch.zeros_like(flat), []
    for step in (1, 2, 3):
        torch.nn.utils.vector_to_parameters(flat, mine.parameters())
        loss = (mine(x, torch.ones(50, 6), torch.full((50,), 6)) - y).square().mean()
        gradient = torch.cat(
            [g.flatten() for g in torch.autograd.grad(loss, list(mine.parameters()))]
        )
        norms.append(float(gradient.norm()))
        gradient = gradient / max(1.0, norms[-1])
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        flat = flat - 0.01 * (first / (1 - 0.9**step)) / (
            (second / (1 - 0.999**step)).sqrt() + 1e-8
        )
    assert min(norms) > 2, "all were clipped"
    trained = torch.nn.utils.parameters_to_vector(network.parameters())
    assert torch.allclose(trained, flat, atol=3e-6)


def test_what_stops_being_finite_is_diverged() -> None:
    task = made_up_task("regression")
    task.train.y[3] = np.inf
    outcome = train(task, network_of(task, "lstm-4", 0), Rung(0, 4, 16), 0)
    assert outcome.status is Status.DIVERGED
    assert np.isnan(outcome.error)
    assert len(outcome.curve) == 1
    assert outcome.message == "loss, gradient or output stopped being finite in epoch 1"
