"""The estimate before the start: arithmetic, and against searches that were run."""

import time
from pathlib import Path

import pytest

from tests.support import studies
from wiring_search import run, tasks
from wiring_search.networks.kernels.cpu import one_thread
from wiring_search.networks.kernels.layout import Kind
from wiring_search.run.estimate import Cost, estimate, extrapolated, typical
from wiring_search.search_spaces import Space
from wiring_search.training.warm_up import one_torch_thread, warm_up


def test_arithmetic() -> None:
    plain = studies.config(trials=40, epochs=10, pack_size=4, ahead=8)
    found = extrapolated(Cost(epoch=0.5, below=0.2, full=1.0), plain, workers=2)
    assert found.seconds == 40 * (10 * 0.5 + 1.0) / 2
    assert found.core_hours == pytest.approx(2 * found.seconds / 3600)
    assert (
        extrapolated(
            Cost(0.5, 0.2, 1.0),
            studies.config(trials=40, epochs=10, pack_size=4, ahead=8, repeats=3),
            1,
        ).seconds
        == 40 * 16
    )
    # Rungs of 1, 3 and 9 epochs: a third of all for two more, a ninth for six more.
    rungs = studies.config(trials=90, epochs=9, pruning="halving", eta=3)
    each = 0.5 * (1 + 2 / 3 + 6 / 9) + (1 + 1 / 3) * 0.2 + 1 / 9
    assert extrapolated(Cost(0.5, 0.2, 1.0), rungs, 1).seconds == pytest.approx(90 * each)


def test_a_search_without_a_number_of_trials_has_no_estimate() -> None:
    endless = studies.config(trials=None)
    assert extrapolated(Cost(1.0, 0.0, 0.0), endless, 2).seconds == float("inf")


def test_workers_that_find_no_work_are_paid_but_do_not_help() -> None:
    config = studies.config(trials=20, epochs=10, pack_size=10, ahead=8)
    two, many = (extrapolated(Cost(1.0, 0.0, 0.0), config, workers) for workers in (2, 50))
    assert many.seconds == two.seconds
    assert many.core_hours == pytest.approx(25 * two.core_hours)
    with pytest.raises(ValueError, match="workers is 0"):
        extrapolated(Cost(1.0, 0.0, 0.0), config, 0)


def test_typical_candidates_cover_the_sample_from_cheap_to_dear() -> None:
    space = Space.from_json(studies.config().space)
    found = typical(space, 8, seed=3)
    cost = [c.steps * len(c.wiring.synapses) + len(c.wiring.sensory_synapses) for c in found]
    assert len(found) == 8
    assert cost == sorted(cost)
    assert cost[-1] > 3 * cost[0]
    assert found == typical(space, 8, seed=3)
    assert found != typical(space, 8, seed=4)


@pytest.mark.slow
@pytest.mark.parametrize(("scores", "epochs"), [((), 30), (("dynamics", "robustness"), 8)])
def test_a_search_takes_as_long_as_was_said(
    scores: tuple[str, ...], epochs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that runs while this process computes: others may use the machine meanwhile."""
    monkeypatch.setattr(time, "perf_counter", time.process_time)
    config = run.study_config(
        "digits", "small", trials=32, epochs=epochs, sampler="random", scores=scores, seed=5
    )
    warm_up([Kind(*kind) for kind in Space.from_json(config.space).dynamics()])
    before = estimate(tasks.load("digits"), config, workers=1)
    with one_torch_thread(), one_thread():
        table = run.search(config, tmp_path / "run", run.Resources(workers=0)).table()
    took = table["train_seconds"].sum() + table["score_seconds"].sum()
    # Caches and frequencies change meanwhile: what would be said afterwards counts too.
    said = sorted([before.seconds, estimate(tasks.load("digits"), config, workers=1).seconds])
    assert took > said[0] / 2
    assert took < 2 * said[1]
