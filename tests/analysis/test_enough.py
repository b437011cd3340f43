"""The sentence that says which small wiring is enough never claims what the store does not show."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.studies import FACTS, store
from wiring_search.analysis.compare import compare
from wiring_search.analysis.enough import enough
from wiring_search.report import report_data
from wiring_search.run import Run
from wiring_search.scores.evaluate import train_and_score
from wiring_search.store import Retraining, Store, Trial
from wiring_search.tasks.task import Split, Task
from wiring_search.training.state import load_state
from wiring_search.training.variation import Variation, relative_variation
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import VARIATION, Outcome, PackJob, Rung, Status

CANDIDATE = Candidate(ncp(2, 3, 2, 1, 1, 1, 0, 1), steps=2)
RULES = {"majority class": 0.1, "linear": 0.3}


def _study(
    folder: Path, rows: Sequence[tuple], rules: dict[str, float] = RULES, **given: object
) -> Store:
    """A finished study. rows: error and synapses of each trial, and how much its outputs vary
    where the store knows."""
    mine = store(folder, {**FACTS, "rules": rules}, trials=len(rows), **given)
    for trial, (error, synapses, *variation) in enumerate(rows):
        candidate = replace(CANDIDATE, seed=trial)
        asked = Trial(trial, trial, 0, Status.RUNNING, {}, candidate, None, "", {})
        mine.record_pack(trial, 0, [trial], [asked], {})
        outcome = _outcome(error, synapses, dict.fromkeys([VARIATION] * len(variation), *variation))
        mine.record_outcomes(trial, {trial: outcome}, "me")
    return mine


def _outcome(error: float, synapses: int, scores: dict[str, float] | None = None) -> Outcome:
    status = Status.OK if np.isfinite(error) else Status.DIVERGED
    curve = (error,)
    return Outcome(
        status, error, 1 - error, 9, synapses, 1.0, 1.0, curve, b"state", scores=scores or {}
    )


def _retrain(mine: Store, trial: int, errors: Sequence[float], control: str = "") -> None:
    for draw, error in enumerate(errors):
        one = Retraining(trial, control, draw, replace(CANDIDATE, seed=100 + draw), draw)
        mine.record_retrainings({one: _outcome(error, 9)}, "me")


def _shown(mine: Store) -> str:
    """The sentence, which has to be the same wherever it is shown."""
    sentence = enough(mine).sentence
    assert Run(mine.folder).answer() == sentence
    assert report_data(mine)["lead"]["answer"] == sentence
    return sentence


def test_a_dead_candidate_on_an_imbalanced_task_is_not_enough(tmp_path: Path) -> None:
    """Always the frequent class is wrong in 10 %: within 0.01 of the best, and learned nothing."""
    mine = _study(tmp_path, [(0.095, 40, 0.8), (0.1, 8, 0.0), (0.099, 20, 0.3)])
    assert _shown(mine) == (
        "The best candidate, trial 0, has accuracy 0.905 with 40 synapses; the smallest wiring "
        "within 0.01 of it, trial 2, has 20 (accuracy 0.901)."
    )
    assert report_data(mine)["lead"]["small"] == 2


def test_constant_outputs_do_not_qualify_where_no_rule_says_so(tmp_path: Path) -> None:
    mine = _study(tmp_path, [(0.2, 40, 0.8), (0.19, 8, 0.005)], {})
    assert _shown(mine).startswith("The best candidate, trial 0, has accuracy 0.8 with 40")
    dead = _study(tmp_path / "dead", [(0.2, 40, 0.0), (0.19, 8, 0.005)], {})
    assert _shown(dead) == (
        "No wiring here does more than a constant: the outputs of 2 candidates hardly vary over "
        "the validation split."
    )
    assert report_data(dead)["lead"]["small"] is None


def test_an_error_like_a_constants_is_no_proof_in_an_old_store(tmp_path: Path) -> None:
    """Stores of earlier versions do not know how much outputs vary."""
    mine = _study(tmp_path, [(0.2, 40), (0.2, 8)], {"linear": 0.3})
    assert _shown(mine).startswith("The best candidate, trial 1, has accuracy 0.8 with 8 synapses")


@pytest.mark.parametrize("best", [0.1, 0.15])
def test_a_study_beaten_by_a_rule_says_so(tmp_path: Path, best: float) -> None:
    mine = _study(tmp_path, [(best, 40, 0.9), (0.4, 8, 0.9)])
    assert _shown(mine) == (
        "No wiring here beats majority class (accuracy 0.9): the best, trial 0, has accuracy "
        f"{1 - best:.4g} with 40 synapses."
    )
    assert report_data(mine)["lead"]["best"] is None


def test_means_of_a_retrained_front_reverse_the_order(tmp_path: Path) -> None:
    """Trial 2 is not on the front, was trained once, and is no match for means over seeds."""
    mine = _study(tmp_path, [(0.02, 40, 1.0), (0.05, 8, 1.0), (0.03, 50, 1.0)])
    assert _shown(mine).startswith("The best candidate, trial 0, has accuracy 0.98")
    _retrain(mine, 0, [0.07, 0.08, 0.09, np.nan])
    _retrain(mine, 0, [0.01, 0.01], control="random")
    assert _shown(mine).startswith("The best candidate, trial 0, has accuracy 0.98")
    _retrain(mine, 1, [0.06, 0.05])
    assert _shown(mine) == (
        "Retrained with 2 fresh seeds, the best candidate, trial 1, has mean accuracy 0.945 with "
        "8 synapses; no smaller wiring comes within 0.01 of it."
    )


def test_seeds_that_failed_are_named(tmp_path: Path) -> None:
    mine = _study(tmp_path, [(0.02, 8, 1.0)])
    _retrain(mine, 0, [0.03, 0.05, np.nan])
    assert _shown(mine).startswith(
        "Retrained with 2 fresh seeds (1 more failed), the best candidate, trial 0, has mean "
        "accuracy 0.96"
    )


def test_a_winner_that_fresh_seeds_do_not_confirm_is_not_named(tmp_path: Path) -> None:
    """Retrained in part: the values of the search count, but no claim against fresh seeds."""
    mine = _study(tmp_path, [(0.02, 40, 1.0), (0.05, 8, 1.0)])
    _retrain(mine, 0, [0.2, 0.3])
    assert _shown(mine).startswith("The best candidate, trial 1, has accuracy 0.95")
    _retrain(mine, 1, [0.2, 0.2])
    assert _shown(mine) == (
        "No wiring here beats majority class (accuracy 0.9): the best, trial 1, has mean accuracy "
        "0.8 with 8 synapses."
    )


def test_a_comparison_counts_no_wiring_that_has_learned_nothing(tmp_path: Path) -> None:
    rows = [(0.095, 40, 0.8), (0.1, 8, 0.0), (0.099, 20, 0.3)]
    for seed in (0, 1):
        _study(tmp_path / str(seed), rows, seed=seed).close()
    found = compare([tmp_path / "0", tmp_path / "1"], ("error", "synapses"))
    assert found.runs["enough"].tolist() == [20.0, 20.0]


@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_variation_is_that_of_the_whole_split(kind: str) -> None:
    """In batches, with steps that do not count, and far from 0, as numpy has it at once."""
    rng = np.random.default_rng(0)
    task = _task(kind, rng)
    counted = rng.random((20, 6)) < 0.7
    shape = (3, 20, 6) if kind == "classification" else (3, 20, 6, 2)
    whole = rng.integers(0, 2, shape) if kind == "classification" else rng.normal(0, 3, shape)
    truth = (
        rng.integers(0, 2, shape[1:]) if kind == "classification" else rng.normal(0, 1, shape[1:])
    )
    whole[0] = 1
    found, asked = Variation(task), Variation(task)
    for start in (0, 8, 16):
        rows = slice(start, start + 8)
        part = torch.from_numpy(counted[rows])
        found.add(torch.from_numpy(whole[:, rows] + (0 if kind == "classification" else 1e6)), part)
        asked.add(torch.from_numpy(truth[None, rows]), part)
    values, targets = whole[:, counted], truth[counted]
    if kind == "classification":
        least = [min(np.mean(row), 1 - np.mean(row)) for row in values]
        expected = np.array(least) / min(np.mean(targets), 1 - np.mean(targets))
    else:
        expected = (values.std(axis=1) / targets.std(axis=0)).max(axis=1)
    assert relative_variation(found, asked) == pytest.approx(expected, rel=1e-6)
    assert relative_variation(found, asked)[0] == 0


def _task(kind: str, rng: np.random.Generator) -> Task:
    x = rng.normal(size=(24, 5, 2)).astype(np.float32)
    y = (x[..., 0] > 0).astype(np.int64) if kind == "classification" else x[..., 1:] * 2
    split = Split(x, y)
    outputs, metric = (2, "accuracy") if kind == "classification" else (1, "mse")
    return Task("made up", kind, True, outputs, metric, split, split, split, {}, "")


@pytest.mark.parametrize("repeats", [1, 2])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_training_says_how_much_outputs_vary_at_the_best_epoch(kind: str, repeats: int) -> None:
    """Rung by rung, it is that of the best epoch so far, whichever rung that was in."""
    task = _task(kind, np.random.default_rng(1))
    outputs = 2 if kind == "classification" else 1
    candidate = Candidate(ncp(2, 4, 3, outputs, 2, 2, 1, 2), learning_rate=0.02)
    whole = train_and_score(task, PackJob(0, Rung(0, 4, 8), (candidate,), 3, repeats=repeats))
    job = PackJob(0, Rung(0, 2, 8), (candidate,), 3, repeats=repeats)
    first = train_and_score(task, job).outcomes[0]
    job = replace(job, rung=Rung(1, 4, 8), states=(first.state,))
    second = train_and_score(task, job).outcomes[0]
    assert second.score(VARIATION) == whole.outcomes[0].score(VARIATION)
    # The classifier says one class all the time, which its error alone does not show.
    assert (second.score(VARIATION) == 0) == (kind == "classification")
    if repeats == 1:
        assert float(load_state(second.state)["best_variation"]) == second.score(VARIATION)
