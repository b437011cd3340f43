"""Training on the device learns what training on the CPU learns; under Triton's interpreter where
there is no GPU."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from tests.support.random_packs import random_layout, random_wiring
from wiring_search.networks.kernels.cpu import adam
from wiring_search.run import Resources, default_pack_size, study_config
from wiring_search.search_spaces import Space
from wiring_search.search_spaces.sample import distinct_candidates
from wiring_search.store.config import StudyConfig
from wiring_search.tasks.task import Split, Task
from wiring_search.training import devices
from wiring_search.training.loop import train
from wiring_search.training.pack import Pack
from wiring_search.training.state import load_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import PackJob, Rung, Status

pytest.importorskip("triton", reason="Triton is not installed: pip install 'wiring-search[gpu]'")

from wiring_search.networks.kernels.gpu.training import Trainer  # noqa: E402
from wiring_search.training.gpu_pack import GpuPack  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ON_GPU = partial(GpuPack, device=DEVICE)


def _split(rng: np.random.Generator, n: int, kind: str) -> Split:
    x = rng.standard_normal((n, 3, 2)).astype(np.float32)
    if kind == "regression":
        return Split(x, x[:, :, :1].cumsum(axis=1).astype(np.float32))
    return Split(x, (x[:, :, 0].sum(axis=1) > 0).astype(np.int64))


def _task(kind: str) -> Task:
    rng = np.random.default_rng(3)
    train, valid, test = (_split(rng, n, kind) for n in (12, 9, 4))
    return Task(
        name="tiny",
        kind=kind,
        metric="mse" if kind == "regression" else "accuracy",
        every_step=kind == "regression",
        train=train,
        valid=valid,
        test=test,
        outputs=1 if kind == "regression" else 2,
        rules={},
        source="drawn",
    )


def _candidates(count: int, **neuron: str) -> list[Candidate]:
    rng = np.random.default_rng(4)
    return [
        Candidate(random_wiring(rng), steps=2, seed=s, learning_rate=0.02, **neuron)
        for s in range(count)
    ]


def _job(candidates: list[Candidate], epochs: int = 2) -> PackJob:
    return PackJob(0, Rung(0, epochs, 8), tuple(candidates), 0)


@pytest.mark.parametrize(
    ("kind", "neuron"),
    [
        ("regression", {}),
        ("classification", {}),
        ("regression", {"neuron": "ct-rnn", "solver": "euler"}),
    ],
    ids=["regression", "classification", "ct-rnn"],
)
def test_it_learns_what_the_cpu_learns(kind: str, neuron: dict[str, str]) -> None:
    """The same minibatches, and the same curve, weights and moments to float32's rounding."""
    task, job = _task(kind), _job(_candidates(2, **neuron))
    for ours, theirs in zip(
        train(task, job, make=ON_GPU).outcomes, train(task, job).outcomes, strict=True
    ):
        assert ours.status is theirs.status is Status.OK
        assert np.allclose(ours.curve, theirs.curve, rtol=1e-4)
        mine, other = load_state(ours.state), load_state(theirs.state)
        assert mine.keys() == other.keys()
        assert mine["step"] == other["step"] == 4
        for name in ("weights", "best_weights", "first", "second"):
            assert np.allclose(mine[name], other[name], rtol=1e-3, atol=1e-5), name


def test_a_training_moves_between_cpu_and_device() -> None:
    task, candidates = _task("regression"), _candidates(1)
    whole = train(task, _job(candidates)).outcomes[0]
    first = train(task, _job(candidates, epochs=1)).outcomes
    moved = train(
        task, replace(_job(candidates), states=tuple(o.state for o in first)), make=ON_GPU
    ).outcomes[0]
    assert moved.curve[0] == whole.curve[0]
    assert np.allclose(moved.curve, whole.curve, rtol=1e-4)


def test_a_candidate_that_diverges_leaves_and_its_mates_do_not_notice() -> None:
    task, candidates = _task("regression"), _candidates(2)
    sick = replace(candidates[1], learning_rate=1e30)
    together = train(task, _job([candidates[0], sick]), make=ON_GPU).outcomes
    alone = train(task, _job(candidates[:1]), make=ON_GPU).outcomes[0]
    assert [o.status for o in together] == [Status.OK, Status.DIVERGED]
    assert together[0].curve == alone.curve
    assert "stopped being finite" in together[1].message


def test_adam_equals_the_one_on_the_cpu() -> None:
    rng = np.random.default_rng(5)
    layout = random_layout(rng, 3, 2, 2, True)
    raw, first, second = (
        rng.standard_normal(layout.parameters).astype(np.float32) for _ in range(3)
    )
    second, steps, rates = (
        second**2,
        np.array([0, 4, 999]),
        np.array([0.01, 0.1, 0.001], np.float32),
    )
    effective, alive = np.empty_like(raw), np.ones(3, bool)
    adam.effective_of(raw, layout.positive, effective)
    trainer = Trainer(layout, raw, first, second, steps, rates, 1.0, DEVICE)
    starts = np.array([*(block.start for block in layout.blocks), layout.parameters])
    assert np.allclose(trainer.effective.cpu(), effective, rtol=1e-6, atol=1e-7)
    for round_ in range(3):
        grad = (rng.standard_normal(layout.parameters) * (0.001 if round_ else 1.0)).astype(
            np.float32
        )
        if round_ == 2:
            grad[layout.blocks[1].start] = np.nan
        trainer.update(torch.tensor(grad, device=DEVICE))
        adam.adam_step(
            starts, raw, effective, layout.positive, grad, first, second, rates, 1.0, steps, alive
        )
        ours = trainer.raw, trainer.effective, trainer.first, trainer.second
        for mine, theirs in zip(ours, (raw, effective, first, second), strict=True):
            assert np.allclose(mine.cpu(), theirs, rtol=2e-5, atol=1e-7)
        assert trainer.steps.tolist() == steps.tolist()
        assert trainer.alive.tolist() == alive.astype(int).tolist()
    assert alive.tolist() == [True, False, True]


def test_devices_are_chosen_by_what_there_is() -> None:
    with pytest.raises(ValueError, match="device is 'tpu'; give one of auto, cpu, cuda"):
        devices.packs_on("tpu")
    assert devices.packs_on("cpu") is Pack
    if torch.cuda.is_available():
        assert isinstance(devices.packs_on("auto")(_candidates(1), 2, 1), GpuPack)
        assert isinstance(
            devices.packs_on("cuda")(
                [replace(_candidates(1)[0], neuron="cfc", solver="none")], 2, 1
            ),
            Pack,
        )
        return
    assert devices.packs_on("auto") is Pack
    with pytest.raises(
        ValueError, match="device is 'cuda', but torch sees no GPU here; give --device cpu, or auto"
    ):
        devices.packs_on("cuda")


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_search_on_a_gpu_that_is_not_there_says_so(run, tmp_path) -> None:
    said = run(
        *(
            "search",
            "--task",
            "digits",
            "--trials",
            2,
            "--workers",
            0,
            "--device",
            "cuda",
            "--out",
            tmp_path / "run",
        ),
        rc=2,
    )
    assert "device is 'cuda', but torch sees no GPU here" in said


def test_packs_are_as_large_as_free_memory_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    config, free = study_config("digits", "default"), []
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda *device: (free[-1], 80 * 2**30))

    def size(gib: float, config: StudyConfig = config, **given: object) -> int:
        free.append(int(gib * 2**30))
        return default_pack_size(config, Resources(**given))

    monkeypatch.setattr(devices, "why_no_gpu", lambda: None)
    assert size(70) == 256
    assert size(0.001) == 1
    little = size(0.5)
    assert size(0.25) == size(0.5, gpus=0.5) == pytest.approx(little / 2, abs=1)
    assert 8 < little < 256
    assert size(0.5, replace(config, repeats=3)) == little // 3
    assert size(70, replace(config, repeats=3)) == 85
    assert size(70, device="cpu") == config.pack_size
    # A pack of candidates as they come is not refused for want of memory.
    drawn = [
        candidate
        for _, candidate in distinct_candidates(Space.from_json(config.space), little, seed=1)
    ]
    pack = ON_GPU(drawn, 8, 10)
    monkeypatch.setattr(GpuPack, "device", torch.device("cuda"))
    free.append(2**29)
    pack._refuse_too_many(8)
    free.append(2**27)
    with pytest.raises(
        MemoryError, match=f"{little} candidates need about .* GiB on the GPU, 0.1 are free"
    ):
        pack._refuse_too_many(8)
    monkeypatch.setattr(devices, "has_gpu_kernel", lambda kind: False)
    assert size(70) == config.pack_size
    monkeypatch.setattr(devices, "why_no_gpu", lambda: "torch sees no GPU here")
    assert size(0, address="auto", device="cuda") == 256
    assert size(0) == config.pack_size
