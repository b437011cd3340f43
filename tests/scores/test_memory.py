"""Long-term memory: generated tasks are what an obvious loop gives, scores what they promise,
failures are contained."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from wiring_search.report.pictures.memory import write_memory_plot
from wiring_search.run import ONE_PROCESS, search, study_config
from wiring_search.scores import memory
from wiring_search.tasks import TaskOptions, copy_memory, load, recall, trivial_rules
from wiring_search.tasks.adding import sequences as adding_sequences
from wiring_search.tasks.parity import streams as parity_streams
from wiring_search.training import loop as training
from wiring_search.training.loss import wrongness
from wiring_search.training.pack import Pack
from wiring_search.training.state import load_state
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import PackJob, Rung

GENERATED = ("recall", "copy", "adding", "parity", "parity-dense")


def _candidate(seed: int = 0, **given: object) -> Candidate:
    return Candidate(ncp(2, 6, 5, 4, 3, 3, 5, 3, seed=seed), **{"steps": 2, "seed": seed, **given})


def test_recall_asks_for_the_bit_of_so_many_steps_ago() -> None:
    lags = recall.ladder(6)
    assert lags == (1, 2, 4, 6)
    assert recall.ladder(8) == (1, 2, 4, 8)
    assert recall.ladder(1) == (1,)
    split = recall.streams(30, (1,), lags)
    assert split.x.shape == (30, 12, 1)
    assert split.y.shape == (30, 12, 4)
    assert set(np.unique(split.x)) == {-1.0, 1.0}
    for i in range(30):
        for t in range(12):
            assert split.scored[i, t] == (t >= 6)
            for j, lag in enumerate(lags):
                assert split.y[i, t, j] == (split.x[i, t - lag, 0] if t >= lag else 0)


def test_copy_asks_for_the_symbols_in_their_order() -> None:
    split = copy_memory.sequences(50, (1,), lag=7)
    assert split.x.shape == (50, 17, 10)
    assert (split.x.sum(axis=2) == 1).all()
    for x, y, scored in zip(split.x.argmax(axis=2), split.y, split.scored, strict=True):
        symbols = [int(token) for token in x[:5]]
        assert all(1 <= symbol <= 8 for symbol in symbols)
        assert x[5:12].tolist() == [0] * 7
        assert x[12:].tolist() == [9] * 5
        assert y[scored].tolist() == [symbol - 1 for symbol in symbols]
        assert np.flatnonzero(scored).tolist() == [*range(12, 17)]


def test_adding_asks_for_the_sum_of_the_marked() -> None:
    split = adding_sequences(60, (1,), 9)
    for x, y in zip(split.x, split.y, strict=True):
        first, second = np.flatnonzero(x[:, 1])
        assert first < 4 <= second < 9
        assert y[0] == pytest.approx(x[first, 0] + x[second, 0], abs=1e-6)


def test_parity_takes_a_length() -> None:
    bits, lengths = parity_streams(500, (1,), longest=6)
    assert bits.shape == (500, 7)
    assert set(lengths) == set(range(2, 7))
    task = load("parity-dense", TaskOptions(samples=300, lag=6))
    assert task.time_steps == 7
    assert task.train.lengths.max() == 6
    assert task.train.elapsed.max() == np.float32(1 / 32), (
        "a bit takes the same time whatever the lag"
    )


@pytest.mark.parametrize("name", GENERATED)
def test_generated_splits_are_apart_and_repeatable(name: str) -> None:
    options = TaskOptions(samples=400, lag=12)
    task, again = load(name, options), load(name, options)
    parts = [task.train, task.valid, task.test]
    assert [len(part) for part in parts] == [400, 40, 40]
    for part, same in zip(parts, [again.train, again.valid, again.test], strict=True):
        assert np.array_equal(part.x, same.x)
        assert np.array_equal(part.y, same.y)
        assert part.x.dtype == np.float32
        assert part.y.dtype == (np.int64 if task.kind == "classification" else np.float32)
    if name not in (
        "parity",
        "parity-dense",
    ):  # whose streams may be a few bits long, and then do occur twice
        rows = [{sample.tobytes() for sample in part.x} for part in parts]
        assert not rows[0] & rows[1]
        assert not rows[0] & rows[2]
        assert not rows[1] & rows[2]
    assert not np.array_equal(task.valid.x, task.test.x)
    with pytest.raises(ValueError, match="--samples is 99"):
        load(name, TaskOptions(samples=99))


@pytest.mark.parametrize("name", ["parity", "parity-dense", "adding"])
def test_a_lag_that_makes_no_sense_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"--lag is 1; task {name} needs 2 or more"):
        load(name, TaskOptions(lag=1))


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("copy", "always the same symbol"),
        ("adding", "always 1"),
        ("parity-dense", "majority class"),
        ("recall", "always 0"),
    ],
)
def test_rules_are_at_chance(name: str, rule: str) -> None:
    error = load(name, TaskOptions(samples=20_000, lag=5)).rules[rule]
    # Telling 0 is the best constant for recall, of which guessing signs is the equal: an error of
    # 1.
    expected = 1.0 if name == "recall" else memory.CHALLENGES[name].chance
    assert error == pytest.approx(expected, rel=0.05)


def test_permuted_pixels_are_the_pixels_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trivial_rules, "logistic", lambda *_: 0.0)  # slow, and not tested here
    plain, permuted = load("pixel-digits"), load("permuted-pixel-digits")
    before, after = (
        [step.tobytes() for step in task.test.x[:, :, 0].T] for task in (plain, permuted)
    )
    assert sorted(before) == sorted(after)
    assert before != after
    assert np.array_equal(plain.test.y, permuted.test.y)


@pytest.mark.parametrize("name", ["recall", "copy"])
def test_only_scored_steps_count(name: str) -> None:
    """What is predicted anywhere else changes neither loss nor error; what is counted is a mean
    over scored steps."""
    task = load(name, TaskOptions(samples=100, lag=3))
    rng = np.random.default_rng(0)
    y = torch.from_numpy(
        rng.standard_normal((1, 10, task.time_steps, task.outputs)).astype(np.float32)
    )
    other = torch.where(torch.from_numpy(task.train.scored[:10])[None, :, :, None], y, y + 1.0)
    rows = np.arange(10)
    for for_training in (True, False):
        wrong, count = wrongness(task, task.train, rows, y, for_training)
        assert torch.equal(wrong, wrongness(task, task.train, rows, other, for_training)[0])
        assert count == task.train.scored[:10].sum()
    told, asked = y[0].numpy()[task.train.scored[:10]], task.train.y[:10][task.train.scored[:10]]
    misses = (
        ((told - asked) ** 2).mean(axis=-1) if name == "recall" else told.argmax(axis=-1) != asked
    )
    assert float(wrong[0]) / count == pytest.approx(misses.mean(), rel=1e-5)


def test_lengths_and_scored_steps_hold_together() -> None:
    task = load("recall", TaskOptions(samples=100, lag=3))
    lengths = np.arange(1, 101) % 6 + 1
    split = replace(task.train, lengths=lengths)
    y = torch.zeros(1, 100, 6, task.outputs)
    expected = sum(max(length - 3, 0) for length in lengths.tolist())
    assert wrongness(task, split, np.arange(100), y, True)[1] == expected


def test_a_perfect_curve_is_one_and_guessing_is_zero() -> None:
    assert memory.recall_of(dict.fromkeys((1, 2, 4, 8), 1.0)) == memory.Recall(
        1.0, 8, dict.fromkeys((1, 2, 4, 8), 1.0)
    )
    assert memory.recall_of(dict.fromkeys((1, 2, 4, 8), 0.5)).area == 0.0
    assert memory.recall_of(dict.fromkeys((1, 2, 4, 8), 0.4)).area == 0.0
    step = memory.recall_of({1: 1.0, 2: 1.0, 4: 0.5, 8: 0.5})
    assert step.area == pytest.approx(0.5)
    assert step.longest == 2
    assert memory.recall_of({1: 0.9, 2: 1.0, 4: 1.0}).longest == 0, (
        "a shorter lag that is not solved ends the run"
    )


def test_area_is_the_integral_of_a_straight_line_over_octaves() -> None:
    """Shares that fall linearly with log2(lag) have the mean of both ends as area, wherever the
    lags lie."""
    lags = [1, 2, 5, 7, 16]
    errors = {lag: 0.5 * (0.1 + 0.2 * math.log2(lag)) for lag in lags}
    assert memory.area(errors, 0.5) == pytest.approx((0.9 + 0.1) / 2)
    assert memory.area({64: 0.3}, 0.9) == pytest.approx(2 / 3)
    assert math.isnan(memory.area({1: 0.1, 2: math.nan}, 0.5))


def test_signs_are_judged_by_lag() -> None:
    split = recall.streams(40, (5,), (1, 2, 4))
    told = np.stack([split.y, 0.01 * split.y, split.y])
    told[1, :, :, 1] *= -1
    told[2, 3, 6, 2] = np.nan
    errors = recall.sign_errors(told, split)
    assert errors[0].tolist() == [0, 0, 0]
    assert errors[1].tolist() == [0, 1, 0]
    assert errors[2, :2].tolist() == [0, 0]
    assert math.isnan(errors[2, 2])


def test_recall_scores_are_held_out_and_the_candidates_own() -> None:
    blind = _candidate(2, learning_rate=1e-12)
    scores = memory.recall_scores(
        [_candidate(0), _candidate(1, memory="state"), blind], longest=4, streams=512
    )
    assert scores[0].area > 0.2
    assert scores[1].area > scores[0].area - 0.1
    alone = memory.recall_scores([_candidate(1, memory="state")], longest=4, streams=512)
    assert alone[0] == scores[1]
    # The rate of the search's task does not matter.
    assert memory.recall_scores([_candidate(2)], longest=4, streams=512)[0] == scores[2]


def test_who_cannot_learn_scores_about_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_RECALL_LEARNING_RATE", 1e-12)
    score = memory.recall_scores([_candidate()], longest=8, streams=1000)[0]
    # 800 bits a lag: guessing is within 0.5 ± 0.07 at four standard deviations.
    assert score.area < 0.14
    assert score.longest == 0


def test_a_diverging_candidate_is_nan_and_the_others_are_not_touched() -> None:
    fine = [_candidate(seed, solver="euler", steps=16) for seed in (0, 1)]
    wild = _candidate(
        3, solver="euler", steps=1
    )  # a step too long for its conductances, in the same pack
    scores = memory.recall_scores([fine[0], wild, fine[1]], longest=4, streams=256)
    assert scores[0::2] == memory.recall_scores(fine, longest=4, streams=256)
    assert all(math.isfinite(score.area) for score in scores[0::2])
    assert math.isnan(scores[1].area)
    assert math.isnan(scores[1].longest)
    assert list(scores[1].accuracies) == [1, 2, 4]
    assert all(math.isnan(value) for value in scores[1].accuracies.values())


def test_the_suite_gives_a_row_a_candidate_task_and_lag() -> None:
    fine, wild = _candidate(0, solver="euler", steps=16), _candidate(3, solver="euler", steps=1)
    told = []
    rows = memory.suite(
        [fine, wild],
        ("recall", "adding"),
        (2, 3),
        seeds=2,
        epochs=1,
        samples=100,
        on_progress=lambda *news: told.append(news),
    )
    assert [(row.candidate, row.task, row.lag) for row in rows] == [
        (number, task, lag)
        for number in (0, 1)
        for task, lags in (("recall", (1, 2, 3)), ("adding", (2, 3)))
        for lag in lags
    ]
    assert all(
        row.tried == 2 and row.metric == ("mse" if row.task == "adding" else "accuracy")
        for row in rows
    )
    assert all(math.isfinite(row.mean) for row in rows if row.candidate == 0)
    assert all(math.isnan(row.mean) and row.solved == 0 for row in rows if row.candidate == 1)
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert told[-1][:2] == (3, 3)
    alone = memory.suite([fine], ("adding",), (3,), seeds=2, epochs=1, samples=100)
    assert alone == [row for row in rows if (row.candidate, row.task, row.lag) == (0, "adding", 3)]
    found = memory.standings(rows)
    assert [(s.candidate, s.task) for s in found] == [
        (0, "recall"),
        (0, "adding"),
        (1, "recall"),
        (1, "adding"),
    ]
    assert 0 <= found[0].area <= 1
    assert math.isnan(found[2].area)


def test_the_suite_is_scored_on_the_test_split_with_the_best_weights() -> None:
    """A mean over seeds is what each seed gives when it is trained and judged by hand."""
    candidate = _candidate(0)
    task = load("adding", TaskOptions(samples=200, lag=4))
    errors = []
    for seed in (0, 1):
        job = PackJob(0, Rung(0, 2, 16), (replace(candidate, seed=seed),), 0)
        state = load_state(training.train(task, job).outcomes[0].state)
        pack = Pack(job.candidates, 2, 1, [{**state, "weights": state["best_weights"]}])
        y = pack.predict(task.test.x, np.ones(task.test.x.shape[:2], np.float32), False)[0, :, 0]
        errors.append(((y - task.test.y) ** 2).mean())
    (row,) = memory.suite([candidate], ("adding",), (4,), seeds=2, epochs=2, samples=200)
    assert row.mean == pytest.approx(np.mean(errors), rel=1e-5)
    assert row.spread == pytest.approx(np.std(errors, ddof=1), rel=1e-4)
    assert row.chance == pytest.approx(1 / 6)


def test_standings_want_most_seeds_and_every_shorter_lag() -> None:
    errors = {2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.7), 8: (0.7, 0.0, 0.7), 16: (0.0, 0.0, 0.0)}
    rows = [memory.Row(0, "copy", lag, each) for lag, each in errors.items()]
    (standing,) = memory.standings(rows)
    assert standing.longest == 4
    assert [row.solved for row in rows] == [3, 2, 1, 3]
    # By seed the shares are 1, 1, 0.2, 1 and so on, an octave apart.
    areas = [(0.5 + 1 + 0.2 + 0.5) / 3, 1.0, (0.5 + 0.2 + 0.2 + 0.5) / 3]
    assert standing.area == pytest.approx(np.mean(areas))
    assert standing.spread == pytest.approx(np.std(areas, ddof=1))


def test_a_seed_that_diverged_is_tried_but_left_out_of_the_mean() -> None:
    row = memory.Row(0, "adding", 4, (0.1, math.nan, 0.3))
    assert (row.tried, row.solved, row.mean) == (
        3,
        0,
        pytest.approx(0.2),
    )
    assert row.spread == pytest.approx(0.2 / math.sqrt(2))
    assert memory.standings([row])[0].area == pytest.approx(((1 - 0.6) + 0) / 2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"tasks": ("copies",)},
            "'copies' is no task of the memory suite; its tasks are recall, copy",
        ),
        ({"tasks": ()}, "no tasks are given"),
        ({"lags": (1, 4)}, "lags has 1; give lags of 2"),
        ({"seeds": 0}, "seeds is 0; give 1 or more"),
    ],
)
def test_faults_of_the_suite_are_named(given: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        memory.suite([_candidate()], **given)


def test_the_plot_takes_any_table(tmp_path: Path) -> None:
    rows = [
        {
            "trial": trial,
            "task": task,
            "lag": lag,
            "metric": metric,
            "mean": 0.1 * trial,
            "spread": math.nan,
            "chance": 0.5,
        }
        for trial in (1, 2)
        for task, metric in (
            ("copy", "accuracy"),
            ("adding", "mse"),
            ("recall", "accuracy"),
            ("parity", "accuracy"),
            ("x", "mse"),
        )
        for lag in (4, 8)
    ]
    assert write_memory_plot(pandas.DataFrame(rows), tmp_path / "memory.png").stat().st_size > 5000


def _run(*arguments: object, rc: int = 0) -> str:
    command = [sys.executable, "-m", "wiring_search.cli", *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"}, timeout=600
    )
    assert done.returncode == rc, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    return done.stderr if rc else done.stdout


def test_trials_of_a_search_from_the_command_line(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    search(
        study_config("digits", "small", trials=3, epochs=1, pack_size=3, ahead=1),
        folder,
        ONE_PROCESS,
    )
    small = (
        "--tasks",
        "recall,copy",
        "--lags",
        "2,4",
        "--seeds",
        2,
        "--epochs",
        1,
        "--samples",
        100,
    )
    text = _run("memory", folder, "--trial", 2, "--trial", 0, *small)
    assert "3 of 3 memory trainings" in text
    assert "longest lag solved" in text
    assert "of 2" in text
    table = pandas.read_csv(folder / "memory.csv")
    assert table["trial"].tolist() == [2] * 5 + [0] * 5
    assert table["task"].tolist() == (["recall"] * 3 + ["copy"] * 2) * 2
    assert table["lag"].tolist() == [1, 2, 4, 2, 4] * 2
    assert table["mean"].between(0, 1).all()
    assert (table["tried"] == 2).all()
    assert (folder / "memory.png").read_bytes()[:4] == b"\x89PNG"
    assert "has no trial 7; its trials are 0 to 2" in _run(
        "memory", folder, "--trial", 7, *small, rc=2
    )
    assert "--lags is '4,b'; give whole numbers" in _run(
        "memory", folder, "--trial", 0, "--lags", "4,b", rc=2
    )
