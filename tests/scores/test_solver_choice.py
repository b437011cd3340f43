"""Solvers after training: the network that comes out of a store is the one that was scored, and
every solver is judged with its weights, on the right split."""

import math
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from tests.support.made_up_tasks import Sealed
from tests.support.studies import FACTS, config
from wiring_search import tasks
from wiring_search.export.trained_network import trained_network
from wiring_search.networks.kernels.layout import kind_of
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.networks.solver_accuracy import compare
from wiring_search.report.pictures.solvers import draw, sentences
from wiring_search.run import solvers as compare_solvers
from wiring_search.scores import solver_choice
from wiring_search.scores.solver_choice import Alternative, alternatives, with_solver
from wiring_search.store import Store, Trial
from wiring_search.tasks.task import Task
from wiring_search.training.loop import network_error, train
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.topologies import ncp
from wiring_search.workers.jobs import Outcome, PackJob, Rung, Status

WIRING = ncp(8, 6, 4, 3, 3, 2, 4, 2, seed=1)
FEWER = ncp(5, 6, 4, 3, 3, 2, 4, 2, seed=2)  # its inputs are projected
# A learning rate that is too high, so that the best epoch is not always the last.
TRAINED = (
    Candidate(WIRING, steps=2, learning_rate=0.2),
    Candidate(WIRING, "ct-rnn", "heun", 1, "input", learning_rate=0.03),
    Candidate(FEWER, "ltc", "rk4", 6, "state", learning_rate=0.05),
    Candidate(FEWER, "cfc", "closed-form", 0, learning_rate=0.4),
    Candidate(WIRING, "layered-cfc", "closed-form", 0, "state", learning_rate=0.1),
)
LTC, CT_RNN, LTC_MEMORY, CFC, LAYERED, DIVERGED, DUPLICATE, RUNNING, INFEASIBLE = range(9)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def task() -> Task:
    return replace(tasks.load("digits"), test=Sealed())


@pytest.fixture(scope="module")
def store(task: Task, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """Trials that were trained on digits, and others that have no weights."""
    folder = tmp_path_factory.mktemp("solvers") / "run"
    given = dict.fromkeys(range(len(TRAINED)), (Status.RUNNING, None)) | {
        DIVERGED: (Status.RUNNING, None),
        DUPLICATE: (Status.DUPLICATE, CT_RNN),
        RUNNING: (Status.RUNNING, None),
        INFEASIBLE: (Status.INFEASIBLE, None),
    }
    with closing(
        Store.create(
            folder, config(), {**FACTS, "features": task.features, "outputs": task.outputs}
        )
    ) as store:
        candidates = [*TRAINED, TRAINED[0], TRAINED[CT_RNN], TRAINED[0], None]
        rows = [
            Trial(number, int(number == RUNNING), 0, status, {}, candidate, original, "", {})
            for (number, (status, original)), candidate in zip(
                given.items(), candidates, strict=True
            )
        ]
        for pack in (0, 1):
            own = [row for row in rows if row.pack == pack]
            store.record_pack(pack, 0, [row.trial for row in own if row.trains], own, {})
        outcomes = train(task, PackJob(0, Rung(0, 5, 64), TRAINED, 0)).outcomes
        failed = Outcome(
            Status.DIVERGED, math.nan, math.nan, 9, 9, 1.0, 0.5, (math.nan,), None, "gave up"
        )
        store.record_outcomes(0, {**dict(enumerate(outcomes)), DIVERGED: failed}, "test")
        yield store


def test_a_trained_network_errs_exactly_as_it_did(store: Store, task: Task) -> None:
    for number, candidate in enumerate(TRAINED):
        network, trial = trained_network(store, number, every_step=False), store.trial(number)
        outputs = lambda x, elapsed, network=network: network(x, elapsed)[0]  # noqa: E731
        assert network_error(task, task.valid, outputs) == trial.error
        assert network.layout.kind == kind_of(candidate)
        x = torch.from_numpy(np.array(task.valid.x[:3]))
        assert torch.equal(trained_network(store, number)(x)[0][:, -1], network(x)[0])
    curves = [trial.curve for trial in store.trials()[: len(TRAINED)]]
    assert any(np.argmin(curve) < len(curve) - 1 for curve in curves), (
        "no best epoch but the last: nothing was told apart"
    )


def test_a_duplicate_has_the_weights_of_its_original(store: Store) -> None:
    ours, theirs = (trained_network(store, number).state_dict() for number in (DUPLICATE, CT_RNN))
    assert all(torch.equal(ours[name], value) for name, value in theirs.items())


def test_what_has_no_weights_is_named(store: Store) -> None:
    for number, word in ((DIVERGED, "diverged"), (RUNNING, "running"), (INFEASIBLE, "infeasible")):
        with pytest.raises(
            ValueError, match=f"trial {number} of .* has no trained weights: {word}"
        ):
            trained_network(store, number)
    with pytest.raises(ValueError, match="has no trial 9; its trials are 0 to 8"):
        trained_network(store, 9)


@pytest.mark.parametrize("number", [LTC, CT_RNN, LTC_MEMORY])
def test_another_solver_has_the_same_weights(store: Store, task: Task, number: int) -> None:
    network, candidate = trained_network(store, number), TRAINED[number]
    other = with_solver(network, "rk4", 3)
    given = {"neuron": candidate.neuron, "memory": candidate.memory}
    fresh = LiquidNetwork(
        candidate.wiring, task.features, task.outputs, solver="rk4", steps=3, **given
    )
    fresh.load_state_dict(dict(network.named_parameters()))
    x = torch.from_numpy(np.array(task.valid.x[:5]))
    assert torch.allclose(other(x)[0], fresh(x)[0], rtol=0.0, atol=0.0, equal_nan=True)
    assert network.layout.kind == kind_of(candidate)
    with torch.no_grad():
        other.output_b += 1.0
    assert not torch.equal(other.output_b, network.output_b)


def test_a_solver_that_the_neurons_do_not_have_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="solvers of ct-rnn: euler, heun, rk4"):
        with_solver(trained_network(store, CT_RNN), "semi-implicit", 2)
    with pytest.raises(ValueError, match="give 1 or more"):
        with_solver(trained_network(store, LTC), "euler")


@pytest.mark.parametrize("number", [LTC, CT_RNN, LTC_MEMORY])
def test_every_solver_is_judged_with_the_weights_that_were_trained(
    store: Store, task: Task, number: int
) -> None:
    network, candidate = trained_network(store, number), TRAINED[number]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    rows = alternatives(network, task, samples=4, hyper=False)
    counts = {1, 2, 4, candidate.steps}
    explicit = {(solver, steps) for solver in ("euler", "heun", "rk4") for steps in counts}
    implicit = (
        {("closed-form", 0), *(("semi-implicit", steps) for steps in counts)}
        if candidate.neuron == "ltc"
        else set()
    )
    assert {(row.solver, row.steps) for row in rows if not row.fine} == explicit | implicit
    assert len(rows) == len(explicit | implicit) + 1
    (own,) = (row for row in rows if row.trained_with)
    assert (own.solver, own.steps) == (candidate.solver, candidate.steps)
    assert own.error == store.trial(number).error
    assert own.metric == store.trial(number).metric

    drawn = np.sort(np.random.default_rng(0).permutation(len(task.valid))[:4])
    x = torch.from_numpy(np.array(task.valid.x[drawn]))
    for row, expected in zip(
        rows,
        compare(network, x, None, [(row.solver, row.steps) for row in rows[:-1]]),
        strict=False,
    ):
        assert row.function_evaluations == expected.function_evaluations
        assert row.stable == expected.stable
        if expected.terminal_error < 1e3:
            assert row.terminal_error == pytest.approx(expected.terminal_error, rel=1e-3, abs=1e-7)
            assert row.worst_error == pytest.approx(expected.worst_error, rel=1e-3, abs=1e-7)
        plain = with_solver(network, row.solver, row.steps)
        plain.use_reference = True
        with torch.no_grad():
            guesses = (
                plain(torch.from_numpy(np.array(task.valid.x)))[0][:, -1].argmax(dim=1).numpy()
            )
        if row.stable:  # where numbers explode, float32 has no single answer
            assert abs((guesses != task.valid.y).mean() - row.error) <= 1 / len(
                task.valid
            )  # a tie may fall either way
    fine = rows[-1]
    assert fine.fine
    assert fine.terminal_error == fine.worst_error == 0.0
    assert fine.stable
    assert fine.solver == "rk4"
    assert fine.function_evaluations == 4 * fine.steps
    assert 0 < fine.error < 1
    assert all(torch.equal(network.state_dict()[name], value) for name, value in before.items())


@pytest.mark.parametrize("number", [CT_RNN, LTC_MEMORY])
def test_hypersolvers_are_fitted_on_training_inputs_alone(
    store: Store, task: Task, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fit_each, seen = solver_choice.fit_each, []

    def watched(
        network: LiquidNetwork, x: torch.Tensor, *rest: object, **given: object
    ) -> Iterator:
        seen.extend(x.numpy())
        return fit_each(network, x, *rest, **given)

    monkeypatch.setattr(solver_choice, "fit_each", watched)
    monkeypatch.setattr(solver_choice, "SUB_STEPS", (2,))
    monkeypatch.setattr(solver_choice, "_FITTED_TIME_STEPS", 512)
    told = []
    network = trained_network(
        store, number, every_step=True
    )  # the task asks for the last step, whatever the network does
    rows = alternatives(network, task, 16, on_progress=lambda *news: told.append(news))
    known = {row.tobytes() for row in np.asarray(task.train.x)}
    assert len(seen) == 64
    assert all(row.tobytes() in known for row in seen)

    plain = {(row.solver, row.steps): row for row in rows if not row.solver.startswith("hyper-")}
    hyper = {
        (row.solver.removeprefix("hyper-"), row.steps): row
        for row in rows
        if row.solver.startswith("hyper-")
    }
    bases = {
        (solver, steps) for solver, steps in plain if solver in ("euler", "heun", "semi-implicit")
    }
    assert set(hyper) == {base for base in bases if plain[base].terminal_error < 1}
    assert hyper
    assert all(
        row.function_evaluations == plain[base].function_evaluations for base, row in hyper.items()
    )
    better = [row.terminal_error < plain[base].terminal_error for base, row in hyper.items()]
    assert sum(better) > len(better) / 2, (plain, hyper)
    assert [done for done, _, _ in told] == [0, *range(len(rows))]
    assert {count for _, count, _ in told[1:]} == {len(rows)}


def test_a_base_that_explodes_is_not_corrected(task: Task) -> None:
    """A leak of 0.01 time units: Euler's steps of 1 and 1/2 overshoot more and more."""
    network = LiquidNetwork(WIRING, outputs=task.outputs, neuron="ct-rnn", solver="euler", steps=1)
    with torch.no_grad():
        network.tau.fill_(math.log(math.expm1(0.01)))
    short = replace(task, valid=replace(task.valid, x=task.valid.x[:8], y=task.valid.y[:8]))
    rows = alternatives(network, short, samples=4)
    assert not any(row.solver.startswith("hyper-") for row in rows)
    assert not any(row.stable for row in rows if not row.fine)


def test_what_cannot_be_compared_is_refused(store: Store, task: Task) -> None:
    for number in (CFC, LAYERED):
        with pytest.raises(
            ValueError,
            match="cfc is a formula, not a differential equation.*ltc, ct-rnn, neural-ode",
        ):
            alternatives(trained_network(store, number), task)
        with pytest.raises(ValueError, match="cfc is a formula"):
            compare_solvers(store.folder, number)
    with pytest.raises(ValueError, match="samples is 0"):
        alternatives(trained_network(store, LTC), task, samples=0)
    with pytest.raises(ValueError, match="has no trained weights"):
        compare_solvers(store.folder, DIVERGED)


def test_from_the_folder_to_a_table_a_sentence_and_a_picture(store: Store) -> None:
    found = compare_solvers(store.folder, CT_RNN, samples=4, hyper=False)
    assert found.csv == store.folder / f"trial-{CT_RNN}-solvers.csv"
    assert found.picture.stat().st_size > 20_000
    table = pandas.read_csv(found.csv)
    assert table["error"].tolist() == pytest.approx(found.table["error"].tolist(), nan_ok=True)
    assert np.allclose(table["accuracy"], 1 - table["error"], equal_nan=True)
    own = table[table["trained_with"]]
    assert own["error"].tolist() == [store.trial(CT_RNN).error]
    assert own["solver"].tolist() == ["heun"]
    assert found.answer.startswith("Trained with heun × 1 (2 evaluations): accuracy")


def _row(solver: str, steps: int, evaluations: int, error: float, **given: bool) -> Alternative:
    return Alternative(
        **{
            "solver": solver,
            "steps": steps,
            "function_evaluations": evaluations,
            "terminal_error": 0.1,
        }
        | {"worst_error": 0.1, "stable": True, "error": error, "metric": 1 - error, **given}
    )


def test_the_sentence_names_the_cheapest_stable_solver_that_is_nearly_as_good(
    tmp_path: Path,
) -> None:
    own, fine = _row("heun", 2, 4, 0.2, trained_with=True), _row("rk4", 32, 128, 0.205, fine=True)
    dear, unstable = _row("euler", 3, 3, 0.21), _row("euler", 1, 1, 0.1, stable=False)
    cheap, poor = _row("euler", 2, 2, 0.209), _row("closed-form", 0, 1, 0.3)
    said = sentences([own, fine, dear, unstable, cheap, poor], "accuracy")
    assert "Trained with heun × 2 (4 evaluations): accuracy 0.8." in said
    assert (
        "cheapest stable solver within 0.01 of it: euler × 2 (2 evaluations), accuracy 0.791."
        in said
    )
    assert said.endswith("solved finely: accuracy 0.795.")
    said = sentences(
        [own, unstable, poor, replace(fine, error=math.nan, metric=math.nan)], "accuracy"
    )
    assert "No cheaper stable solver comes within 0.01 of it." in said
    assert "weights count on the errors" in said
    assert "within 1 % of it: euler × 2" not in sentences([own, fine, dear, cheap], "mse")
    # Whatever is not finite can be drawn, too.
    wild = replace(unstable, error=math.inf, terminal_error=math.nan)
    draw([own, wild, replace(fine, error=math.nan)], tmp_path / "wild.png", "wild", "mse")
    assert (tmp_path / "wild.png").stat().st_size > 10_000


def test_one_thread_stays_one_when_kernels_start() -> None:
    """Kernels with threads leave torch's number alone, whenever they start."""
    code = """
import torch
from wiring_search.networks.kernels import cpu
from wiring_search.networks.liquid_network import LiquidNetwork
from wiring_search.training.warm_up import one_torch_thread
from wiring_search.wirings.topologies import ncp
cpu.LITTLE_WORK = 0
with one_torch_thread():
    LiquidNetwork(ncp(2, 3, 2, 1, 1, 1, 1, 1))(torch.rand(64, 2, 2))
    print(torch.get_num_threads())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1"]
