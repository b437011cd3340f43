"""Training a pack through a rung: scores are what an independent computation gives, failures are
reported and contained.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score

from tests.support.made_up_tasks import Sealed
from tests.support.random_packs import random_wiring
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.tasks.task import Split, Task
from wiring_search.training import loop as training
from wiring_search.training.loss import loss_of, wrongness
from wiring_search.training.pack import Pack
from wiring_search.training.state import load_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Outcome, PackJob, Rung, Status, each_epoch


def _split(n: int, kind: str, every_step: bool, seed: int, lengths: bool = False) -> Split:
    rng = np.random.default_rng(seed)
    x = rng.random((n, 6, 3)).astype(np.float32)
    steps = slice(None) if every_step else -1
    value = np.cumsum(x, axis=1)[:, steps].sum(axis=-1)
    y = (
        (value > np.median(value)).astype(np.int64)
        if kind == "classification"
        else value[..., None].astype(np.float32)
    )
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
        test=Sealed(),
        rules={},
        source="",
    )


def _candidates(count: int = 3) -> tuple[Candidate, ...]:
    rng = np.random.default_rng(2)
    return tuple(
        Candidate(random_wiring(rng), steps=2, learning_rate=0.02, seed=k) for k in range(count)
    )


def _job(candidates: tuple[Candidate, ...], epochs: int = 4) -> PackJob:
    return PackJob(3, Rung(0, epochs, 16), candidates, data_seed=7)


def _timeless(outcome: Outcome) -> Outcome:
    return replace(outcome, train_seconds=0.0, latency_us=0.0)


@pytest.mark.parametrize("lengths", [False, True])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_errors_are_those_of_the_network_with_the_best_weights(
    kind: str, every_step: bool, lengths: bool
) -> None:
    task = _task(kind, every_step, lengths)
    result = training.train(task, _job(_candidates()))
    for candidate, outcome in zip(_candidates(), result.outcomes, strict=True):
        assert outcome.status is Status.OK
        assert outcome.error == min(outcome.curve)
        assert len(outcome.curve) == 4
        network = LiquidNetwork(candidate.wiring, 3, task.outputs, steps=2, every_step=every_step)
        flat = torch.from_numpy(load_state(outcome.state)["best_weights"])
        torch.nn.utils.vector_to_parameters(flat, network.parameters())
        split = task.valid
        counts = None if split.lengths is None else torch.from_numpy(split.lengths)
        y = network(torch.from_numpy(split.x), lengths=counts)[0].detach().numpy()
        wrong = (
            y.argmax(-1) != split.y if kind == "classification" else ((y - split.y) ** 2).mean(-1)
        )
        if every_step and lengths:
            wrong = np.concatenate([row[:n] for row, n in zip(wrong, split.lengths, strict=True)])
        assert outcome.error == pytest.approx(wrong.mean(), rel=1e-4, abs=1e-6)
        assert outcome.metric == pytest.approx(
            1 - outcome.error if kind == "classification" else outcome.error
        )
        assert outcome.parameters == sum(p.numel() for p in network.parameters())
        assert outcome.latency_us > 0
        assert outcome.train_seconds > 0


@pytest.mark.parametrize("lengths", [False, True])
def test_f1_adds_up_over_batches(lengths: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "EVALUATION_BATCH", 7)
    task = replace(_task("classification", True, lengths), metric="f1", class_weights=(0.1, 1.6))
    candidates = _candidates()
    for candidate, outcome in zip(
        candidates, training.train(task, _job(candidates)).outcomes, strict=True
    ):
        network = LiquidNetwork(candidate.wiring, 3, 2, steps=2, every_step=True)
        flat = torch.from_numpy(load_state(outcome.state)["best_weights"])
        torch.nn.utils.vector_to_parameters(flat, network.parameters())
        counts = task.valid.lengths if lengths else np.full(len(task.valid), 6)
        y = (
            network(torch.from_numpy(task.valid.x), lengths=torch.from_numpy(counts))[0]
            .detach()
            .numpy()
            .argmax(-1)
        )
        valid = np.arange(6) < counts[:, None]
        assert outcome.metric == pytest.approx(f1_score(task.valid.y[valid], y[valid]), abs=1e-6)
        assert outcome.metric > 0
        assert outcome.error == pytest.approx(1 - outcome.metric)


def test_class_weights_weigh_the_loss_and_not_the_error() -> None:
    task = replace(_task("classification", True), class_weights=(0.1, 1.6))
    rows, predictions = (
        np.arange(5, 25),
        torch.randn(2, 20, 6, 2, generator=torch.Generator().manual_seed(0)),
    )
    loss = loss_of(task, task.train, rows)(predictions)
    y, weights = torch.from_numpy(task.train.y[rows]).flatten(), torch.tensor([0.1, 1.6])
    each = torch.nn.functional.cross_entropy
    expected = [
        each(p.flatten(0, 1), y, weight=weights, reduction="none").mean() for p in predictions
    ]
    assert torch.allclose(loss, torch.stack(expected))
    plain = replace(task, class_weights=None)
    for scored in (task, plain):
        wrong, count = wrongness(scored, task.train, rows, predictions, for_training=False)
        assert torch.equal(
            wrong / count, (predictions.argmax(-1).flatten(1) != y).float().mean(dim=1)
        )


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


def test_every_minibatch_and_epoch_is_a_beat() -> None:
    heard = []
    training.train(_task(), _job(_candidates(1)), lambda done, total: heard.append((done, total)))
    assert heard == [(epoch + (beat == 3), 4) for epoch in range(4) for beat in range(4)]


def test_each_epoch_is_reported_once_for_every_kind() -> None:
    heard, candidates = (
        [],
        (*_candidates(2), Candidate(_candidates()[2].wiring, "cfc", "closed-form", 0)),
    )
    training.train(
        _task(),
        _job(candidates, epochs=2),
        each_epoch(lambda done, total: heard.append((done, total))),
    )
    assert heard == [(1, 2), (2, 2)] * 2


@pytest.mark.parametrize("memory", ["none", "state"])
def test_rung_by_rung_is_as_in_one_go(memory: str) -> None:
    """Bit for bit, and in other packs each time."""
    task = _task()
    candidates = tuple(replace(candidate, memory=memory) for candidate in _candidates(4))
    straight = training.train(task, _job(candidates, epochs=6)).outcomes
    states: list[bytes | None] = [None] * 4
    for number, (end, packs) in enumerate(
        [(1, [[0, 1], [2, 3]]), (4, [[3, 0, 2], [1]]), (6, [[1, 2, 0, 3]])]
    ):
        found: dict[int, Outcome] = {}
        for members in packs:
            job = PackJob(
                9,
                Rung(number, end, 16),
                tuple(candidates[p] for p in members),
                7,
                tuple(states[p] for p in members),
            )
            found |= zip(members, training.train(task, job).outcomes, strict=True)
        states = [found[p].state for p in range(4)]
    assert [_timeless(found[p]) for p in range(4)] == [_timeless(outcome) for outcome in straight]


@pytest.mark.parametrize("beats", [0, 1, 5, 11, 20])
def test_a_training_that_is_stopped_resumes_as_if_it_never_had(beats: int) -> None:
    task, candidates = (
        _task(),
        (*_candidates(2), Candidate(_candidates()[2].wiring, "cfc", "closed-form", 0, seed=3)),
    )
    straight = training.train(task, _job(candidates, epochs=6)).outcomes
    left = beats

    def beat(done: int, to_do: int) -> bool:
        nonlocal left
        left -= 1
        return left >= 0

    job = _job(candidates, epochs=6)
    stopped = training.train(task, job, beat)
    # The cfc is trained after the other two: there it had not begun.
    assert stopped.stopped_at == 0
    assert {o.status for o in stopped.outcomes} == {Status.RUNNING}
    whole = training.train(task, replace(job, states=tuple(o.state for o in stopped.outcomes)))
    assert whole.stopped_at is None
    assert [_timeless(o) for o in whole.outcomes] == [_timeless(o) for o in straight]
    again = training.train(
        task, replace(job, states=tuple(o.state for o in whole.outcomes)), lambda done, to_do: False
    )
    assert again.stopped_at is None, "what is finished has nothing to stop"


def test_the_others_go_on_when_a_member_leaves_the_pack() -> None:
    """Compared with packs that lost no member, for losses at different times."""
    task, candidates = _task(), _candidates(4)
    healthy = training.train(task, _job(candidates, epochs=8)).outcomes
    for rate in (3.0, 1e30):
        wild = replace(candidates[1], solver="euler", steps=1, learning_rate=rate)
        explicit = [replace(c, solver="euler", steps=6) for c in candidates]
        alone = [training.train(task, _job((c,), epochs=8)).outcomes[0] for c in explicit]
        mixed = training.train(task, _job((explicit[0], wild, *explicit[2:]), epochs=8)).outcomes
        assert mixed[1].status is Status.DIVERGED
        assert math.isnan(mixed[1].curve[-1])
        assert [_timeless(mixed[p]) for p in (0, 2, 3)] == [_timeless(alone[p]) for p in (0, 2, 3)]
    assert all(outcome.status is Status.OK for outcome in healthy)


def test_a_diverged_candidate_is_reported_and_its_mates_are_not_touched() -> None:
    task, candidates = _task(), _candidates()
    wild = replace(candidates[1], learning_rate=1e30)
    healthy = training.train(task, _job(candidates)).outcomes
    outcomes = training.train(task, _job((candidates[0], wild, candidates[2]))).outcomes
    assert outcomes[1].status is Status.DIVERGED
    assert np.isnan(outcomes[1].error)
    assert "stopped being finite in epoch" in outcomes[1].message
    assert _timeless(outcomes[0]) == _timeless(healthy[0])
    assert _timeless(outcomes[2]) == _timeless(healthy[2])


def test_a_candidate_that_fails_alone_is_crashed_and_the_others_finish() -> None:
    task, candidates = _task(), _candidates()
    healthy = training.train(task, _job(candidates)).outcomes

    class Fragile(Pack):
        fault = ZeroDivisionError("no such luck")

        def __init__(self, those, *rest) -> None:
            if candidates[1] in those:
                raise self.fault
            super().__init__(those, *rest)

    outcomes = training.train(task, _job(candidates), make=Fragile).outcomes
    assert [o.status for o in outcomes] == [Status.OK, Status.CRASHED, Status.OK]
    assert outcomes[1].message == "ZeroDivisionError: no such luck"
    assert _timeless(outcomes[0]) == _timeless(healthy[0])
    assert _timeless(outcomes[2]) == _timeless(healthy[2])


@pytest.mark.parametrize(
    "fault",
    [MemoryError("no room"), RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes")],
)
def test_a_pack_that_is_too_large_is_given_back(fault: Exception) -> None:
    def full(*_: object) -> None:
        raise fault

    with pytest.raises(MemoryError, match="3 candidates side by side: "):
        training.train(_task(), _job(_candidates()), make=full)
    assert (
        training.train(_task(), _job(_candidates(1)), make=full).outcomes[0].status
        is Status.CRASHED
    )


def test_an_interrupt_goes_through() -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(_task(), _job(_candidates()), make=interrupted)
