"""Training a pack through a rung: scores are what an independent computation gives, failures are told and contained."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from packs import random_wiring
from sklearn.metrics import f1_score

from wiring_search import training
from wiring_search.candidate import Candidate
from wiring_search.network import LiquidNetwork
from wiring_search.pack import Pack
from wiring_search.records import Outcome, PackJob, Rung, Status
from wiring_search.tasks.task import Split, Task


class _Sealed:
    """A test split that may not be looked at."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the test split was read: {name}")

    def __len__(self) -> int:
        raise AssertionError("the test split was read")


def _split(n: int, kind: str, every_step: bool, seed: int, lengths: bool = False) -> Split:
    rng = np.random.default_rng(seed)
    x = rng.random((n, 6, 3)).astype(np.float32)
    steps = slice(None) if every_step else -1
    value = np.cumsum(x, axis=1)[:, steps].sum(axis=-1)
    y = (value > np.median(value)).astype(np.int64) if kind == "classification" else value[..., None].astype(np.float32)
    return Split(x, y, lengths=rng.integers(1, 7, n) if lengths else None)


def _task(kind: str = "classification", every_step: bool = False, lengths: bool = False) -> Task:
    return Task(
        name="made up",
        kind=kind,
        every_step=every_step,
        outputs=2 if kind == "classification" else 1,
        metric="accuracy" if kind == "classification" else "mse",
        train=_split(40, kind, every_step, 0, lengths),
        valid=_split(30, kind, every_step, 1, lengths),
        test=_Sealed(),
        baselines={},
        source="",
    )


def _candidates(count: int = 3) -> tuple[Candidate, ...]:
    rng = np.random.default_rng(2)
    return tuple(Candidate(random_wiring(rng), steps=2, learning_rate=0.02, seed=k) for k in range(count))


def _job(candidates: tuple[Candidate, ...], epochs: int = 4) -> PackJob:
    return PackJob(3, Rung(0, epochs, 16), candidates, data_seed=7)


def _timeless(outcome: Outcome) -> Outcome:
    return replace(outcome, train_seconds=0.0, latency_us=0.0)


@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_errors_are_those_of_the_network_with_the_best_weights(kind: str, every_step: bool, lengths: bool) -> None:
    task = _task(kind, every_step, lengths)
    result = training.train(task, _job(_candidates()))
    for candidate, outcome in zip(_candidates(), result.outcomes, strict=True):
        assert outcome.status is Status.OK and outcome.error == min(outcome.curve) and len(outcome.curve) == 4
        network = LiquidNetwork(candidate.wiring, 3, task.outputs, steps=2, every_step=every_step)
        flat = torch.from_numpy(training.load_state(outcome.state)["best_weights"])
        torch.nn.utils.vector_to_parameters(flat, network.parameters())
        split = task.valid
        own = None if split.lengths is None else torch.from_numpy(split.lengths)
        y = network(torch.from_numpy(split.x), lengths=own)[0].detach().numpy()
        wrong = y.argmax(-1) != split.y if kind == "classification" else ((y - split.y) ** 2).mean(-1)
        if every_step and lengths:
            wrong = np.concatenate([row[:n] for row, n in zip(wrong, split.lengths, strict=True)])
        assert outcome.error == pytest.approx(wrong.mean(), rel=1e-4, abs=1e-6)
        assert outcome.metric == pytest.approx(1 - outcome.error if kind == "classification" else outcome.error)
        assert outcome.parameters == sum(p.numel() for p in network.parameters())
        assert outcome.latency_us > 0 and outcome.train_seconds > 0


@pytest.mark.parametrize("lengths", [False, True])
def test_f1_adds_up_over_batches(lengths: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "_EVALUATION_BATCH", 7)
    task = replace(_task("classification", True, lengths), metric="f1", class_weights=(0.1, 1.6))
    candidates = _candidates()
    for candidate, outcome in zip(candidates, training.train(task, _job(candidates)).outcomes, strict=True):
        network = LiquidNetwork(candidate.wiring, 3, 2, steps=2, every_step=True)
        flat = torch.from_numpy(training.load_state(outcome.state)["best_weights"])
        torch.nn.utils.vector_to_parameters(flat, network.parameters())
        own = task.valid.lengths if lengths else np.full(len(task.valid), 6)
        y = network(torch.from_numpy(task.valid.x), lengths=torch.from_numpy(own))[0].detach().numpy().argmax(-1)
        valid = np.arange(6) < own[:, None]
        assert outcome.metric == pytest.approx(f1_score(task.valid.y[valid], y[valid]), abs=1e-6) and outcome.metric > 0
        assert outcome.error == pytest.approx(1 - outcome.metric)


def test_class_weights_weigh_the_loss_and_not_the_error() -> None:
    task = replace(_task("classification", True), class_weights=(0.1, 1.6))
    rows, predictions = np.arange(5, 25), torch.randn(2, 20, 6, 2, generator=torch.Generator().manual_seed(0))
    loss = training.loss_of(task, task.train, rows)(predictions)
    y, weights = torch.from_numpy(task.train.y[rows]).flatten(), torch.tensor([0.1, 1.6])
    each = torch.nn.functional.cross_entropy
    expected = [each(p.flatten(0, 1), y, weight=weights, reduction="none").mean() for p in predictions]
    assert torch.allclose(loss, torch.stack(expected))
    plain = replace(task, class_weights=None)
    for scored in (task, plain):
        wrong, count = training.wrongness(scored, task.train, rows, predictions, for_training=False)
        assert torch.equal(wrong / count, (predictions.argmax(-1).flatten(1) != y).float().mean(dim=1))


def test_the_same_job_gives_the_same_outcomes_with_any_mates() -> None:
    task, candidates = _task(), _candidates()
    whole = training.train(task, _job(candidates)).outcomes
    again = training.train(task, _job(candidates)).outcomes
    assert [_timeless(o) for o in whole] == [_timeless(o) for o in again]
    alone = training.train(task, _job(candidates[1:2])).outcomes
    assert _timeless(alone[0]) == _timeless(whole[1])


def test_training_learns() -> None:
    outcome = training.train(_task(), _job(_candidates(1), epochs=40)).outcomes[0]
    assert outcome.error < 0.25 < 0.4 < outcome.curve[0] + 0.1


def test_progress_is_told_after_each_epoch() -> None:
    told = []
    training.train(_task(), _job(_candidates(1)), lambda done, total: told.append((done, total)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_states_go_on_where_they_stopped() -> None:
    task, candidates = _task(), _candidates()
    first = training.train(task, _job(candidates)).outcomes
    job = replace(_job(candidates), rung=Rung(1, 2, 16), states=tuple(o.state for o in first))
    second = training.train(task, job).outcomes
    assert all(after.curve[0] <= before.curve[0] for before, after in zip(first, second, strict=True))
    steps = [int(training.load_state(o.state)["step"][0]) for o in (first[0], second[0])]
    assert steps == [4 * 3, 6 * 3]


def test_a_diverged_candidate_is_told_and_its_mates_are_not_touched() -> None:
    task, candidates = _task(), _candidates()
    wild = replace(candidates[1], learning_rate=1e30)
    healthy = training.train(task, _job(candidates)).outcomes
    outcomes = training.train(task, _job((candidates[0], wild, candidates[2]))).outcomes
    assert (
        outcomes[1].status is Status.DIVERGED
        and np.isnan(outcomes[1].error)
        and "stopped being finite in epoch" in outcomes[1].message
    )
    assert _timeless(outcomes[0]) == _timeless(healthy[0]) and _timeless(outcomes[2]) == _timeless(healthy[2])


def test_who_fails_alone_is_crashed_and_the_others_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    task, candidates = _task(), _candidates()
    healthy = training.train(task, _job(candidates)).outcomes

    class Fragile(Pack):
        def __init__(self, those, *rest) -> None:
            if candidates[1] in those:
                raise MemoryError("no room")
            super().__init__(those, *rest)

    monkeypatch.setattr(training, "Pack", Fragile)
    outcomes = training.train(task, _job(candidates)).outcomes
    assert [o.status for o in outcomes] == [Status.OK, Status.CRASHED, Status.OK]
    assert outcomes[1].message == "MemoryError: no room"
    assert _timeless(outcomes[0]) == _timeless(healthy[0]) and _timeless(outcomes[2]) == _timeless(healthy[2])


def test_an_interrupt_goes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "Pack", interrupted)
    with pytest.raises(KeyboardInterrupt):
        training.train(_task(), _job(_candidates()))
