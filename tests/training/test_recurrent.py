"""Trained baselines: the cells are what their equations say, times and padding are honoured, the
training is that of the candidates, and a run keeps what was trained."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.support.studies import FACTS, config, fake_train, tiny_task
from wiring_search.run import BaselineDone, Run, train_baselines
from wiring_search.search.study import search
from wiring_search.store import Store
from wiring_search.tasks.task import Split, Task
from wiring_search.training import loop as training
from wiring_search.training.baselines import recurrent as baselines
from wiring_search.training.baselines import reservoir_grid as reservoir_baselines
from wiring_search.training.baselines.recurrent import CELLS, UNITS, RecurrentNetwork
from wiring_search.workers.inline import InlinePool
from wiring_search.workers.jobs import Outcome, PackJob, Rung, Status

FEATURES, OUTPUTS = 3, 2


class _Sealed:
    """A test split that must not be read."""

    def __getattr__(self, name: str) -> None:
        raise AssertionError(f"the test split was read: {name}")


def _split(n: int, kind: str, every_step: bool, timed: bool, seed: int) -> Split:
    rng = np.random.default_rng(seed)
    x = rng.random((n, 6, FEATURES)).astype(np.float32)
    elapsed = rng.uniform(0.1, 2.0, (n, 6)).astype(np.float32)
    lengths = rng.integers(1, 7, n)
    value = np.cumsum(x.sum(axis=2), axis=1)
    value = value if every_step else value[np.arange(n), (lengths if timed else np.full(n, 6)) - 1]
    y = (
        (value > np.median(value)).astype(np.int64)
        if kind == "classification"
        else value[..., None].astype(np.float32)
    )
    return Split(x, y, elapsed, lengths) if timed else Split(x, y)


def _task(kind: str = "classification", every_step: bool = False, timed: bool = False) -> Task:
    return Task(
        name="made up",
        kind=kind,
        every_step=every_step,
        outputs=2 if kind == "classification" else 1,
        metric="accuracy" if kind == "classification" else "mse",
        train=_split(50, kind, every_step, timed, 0),
        valid=_split(30, kind, every_step, timed, 1),
        test=_Sealed(),
        rules={},
        source="",
    )


def _network(
    cell: str, units: int = 5, timed: bool = True, every_step: bool = True
) -> RecurrentNetwork:
    return RecurrentNetwork(cell, FEATURES, OUTPUTS, units, timed, every_step, seed=3).double()


def _ragged(batch: int = 4, steps: int = 7) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(batch, steps, FEATURES, generator=generator, dtype=torch.float64)
    elapsed = 3 * torch.rand(batch, steps, generator=generator, dtype=torch.float64)
    return x, elapsed, torch.tensor([steps, 1, 3, steps - 1])


def _weights(network: RecurrentNetwork) -> dict[str, np.ndarray]:
    return {name: value.detach().numpy() for name, value in network.named_parameters()}


def _sigmoid(a: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-a))


def _ct_gru_by_hand(p: dict[str, np.ndarray], x: np.ndarray, elapsed: np.ndarray) -> np.ndarray:
    """One sample, unit by unit, trace by trace."""
    units = p["layer.from_recalled.weight"].shape[0]
    taus = [1.0, 10**0.5, 10.0, 10**1.5, 100.0, 10**2.5, 1000.0, 10**3.5]
    traces = [[0.0] * 8 for _ in range(units)]
    outputs = []

    def shares(log_tau: float) -> np.ndarray:
        weights = np.array([np.exp(-((log_tau - np.log(tau)) ** 2)) for tau in taus])
        return weights / weights.sum()

    for now, gap in zip(x, elapsed, strict=True):
        h = np.array([sum(unit) for unit in traces])
        given = p["layer.from_input.weight"] @ now + p["layer.from_input.bias"]
        remembered = p["layer.from_state.weight"] @ h
        recall, store = (
            given[:units] + remembered[:units],
            given[units : 2 * units] + remembered[units:],
        )
        q = np.array([float(shares(recall[u]) @ traces[u]) for u in range(units)])
        k = np.tanh(given[2 * units :] + p["layer.from_recalled.weight"] @ q)
        for u in range(units):
            s = shares(store[u])
            traces[u] = [
                ((1 - s[m]) * traces[u][m] + s[m] * k[u]) * np.exp(-gap / taus[m]) for m in range(8)
            ]
        outputs.append(p["readout.weight"] @ [sum(unit) for unit in traces] + p["readout.bias"])
    return np.array(outputs)


def _gru_d_by_hand(p: dict[str, np.ndarray], x: np.ndarray, elapsed: np.ndarray) -> np.ndarray:
    units = p["layer.decay.bias"].shape[0]
    z_rows, r_rows, new_rows = (slice(k * units, (k + 1) * units) for k in range(3))
    h = np.zeros(units)
    outputs = []
    for now, gap in zip(x, elapsed, strict=True):
        h = np.exp(-np.maximum(p["layer.decay.weight"][:, 0] * gap + p["layer.decay.bias"], 0)) * h
        given = p["layer.from_input.weight"] @ now + p["layer.from_input.bias"]
        remembered = p["layer.from_state.weight"] @ h
        z, r = (
            _sigmoid(given[z_rows] + remembered[z_rows]),
            _sigmoid(given[r_rows] + remembered[r_rows]),
        )
        h = z * h + (1 - z) * np.tanh(given[new_rows] + p["layer.from_reset.weight"] @ (r * h))
        outputs.append(p["readout.weight"] @ h + p["readout.bias"])
    return np.array(outputs)


def _lstm_by_hand(p: dict[str, np.ndarray], x: np.ndarray, elapsed: np.ndarray) -> np.ndarray:
    """The elapsed time stands behind the features."""
    units = p["readout.weight"].shape[1]
    h = c = np.zeros(units)
    outputs = []
    for now, gap in zip(x, elapsed, strict=True):
        gates = p["layer.cell.weight_ih_l0"] @ [*now, gap] + p["layer.cell.bias_ih_l0"]
        gates = gates + p["layer.cell.weight_hh_l0"] @ h + p["layer.cell.bias_hh_l0"]
        i, f, g, o = gates.reshape(4, units)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        outputs.append(p["readout.weight"] @ h + p["readout.bias"])
    return np.array(outputs)


@pytest.mark.parametrize(
    ("cell", "by_hand"),
    [("ct-gru", _ct_gru_by_hand), ("gru-d", _gru_d_by_hand), ("lstm", _lstm_by_hand)],
)
def test_a_cell_is_its_equations_sample_by_sample(cell: str, by_hand) -> None:
    network = _network(cell)
    with torch.no_grad():
        if cell == "gru-d":  # decay rates of both signs: some units decay, some do not
            network.layer.decay.weight.copy_(torch.linspace(-0.5, 1.0, 5)[:, None])
    x, elapsed, lengths = _ragged()
    every = network(x, elapsed, lengths).detach().numpy()
    network.every_step = False
    last = network(x, elapsed, lengths).detach().numpy()
    for sample, length in enumerate(lengths.tolist()):
        expected = by_hand(
            _weights(network), x[sample, :length].numpy(), elapsed[sample, :length].numpy()
        )
        assert np.allclose(every[sample, :length], expected, atol=1e-12)
        assert np.allclose(last[sample], expected[-1], atol=1e-12)


def test_the_quickest_trace_of_a_ct_gru_lives_for_one_time_unit() -> None:
    """It falls to 1/e. Dividing the time by ln τ = 0 instead of τ = 1, as a known copy does, would
    wipe it out."""
    layer = _network("ct-gru", units=1).layer
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.from_input.bias[1], layer.from_input.bias[2] = (
            -40.0,
            50.0,
        )  # all is stored in the quickest trace, and is 1
    x = torch.zeros(1, 1, FEATURES, dtype=torch.float64)
    assert layer(x, torch.ones(1, 1, dtype=torch.float64)).item() == pytest.approx(
        np.exp(-1), rel=1e-6
    )


@pytest.mark.parametrize("cell", CELLS)
def test_what_stands_in_the_padding_does_not_matter(cell: str) -> None:
    x, elapsed, lengths = _ragged()
    network = _network(cell, every_step=False)
    clean = network(x, elapsed, lengths)
    clean.sum().backward()
    gradients = [parameter.grad.clone() for parameter in network.parameters()]
    padding = torch.arange(9) >= lengths[:, None]
    x, elapsed = torch.nn.functional.pad(x, (0, 0, 0, 2)), torch.nn.functional.pad(elapsed, (0, 2))
    x[padding], elapsed[padding] = float("nan"), float("inf")
    network.zero_grad()
    padded = network(x, elapsed, lengths)
    padded.sum().backward()
    assert torch.allclose(padded, clean, atol=1e-12)
    assert all(
        torch.allclose(p.grad, g, atol=1e-12)
        for p, g in zip(network.parameters(), gradients, strict=True)
    )


@pytest.mark.parametrize("cell", CELLS)
def test_time_matters_where_it_is_told(cell: str) -> None:
    x, elapsed, lengths = _ragged()
    assert not torch.allclose(
        _network(cell)(x, elapsed, lengths), _network(cell)(x, 0.5 * elapsed, lengths), atol=1e-4
    )
    if cell in ("rnn", "gru", "lstm"):
        untold = _network(cell, timed=False)
        assert torch.equal(untold(x, elapsed, lengths), untold(x, 0.5 * elapsed, lengths))


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("cell", CELLS)
def test_sizes_are_those_of_the_formulas(cell: str, units: int, timed: bool) -> None:
    network = RecurrentNetwork(cell, FEATURES, OUTPUTS, units, timed)
    gates = {"rnn": 1, "gru": 3, "lstm": 4, "ct-gru": 3, "gru-d": 3}[cell]
    own = cell in ("ct-gru", "gru-d")
    features = FEATURES if own else FEATURES + timed
    biases = 1 if own else 2  # torch has one for the input and one for the state
    decay = 2 * units if cell == "gru-d" else 0
    synapses = units * (features + units)
    assert network.synapses == synapses
    assert (
        network.parameters_count
        == gates * synapses + biases * gates * units + decay + OUTPUTS * (units + 1)
    )


def test_the_seed_decides_and_torchs_own_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (
        RecurrentNetwork("gru", 3, 2, 4, seed=seed).readout.weight for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.random.get_rng_state(), before)


def _timeless(outcome: Outcome) -> Outcome:
    return replace(outcome, train_seconds=0.0, latency_us=0.0, state=None)


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_errors_are_those_of_the_network_with_the_best_weights(
    kind: str, every_step: bool, timed: bool
) -> None:
    task, rung = _task(kind, every_step, timed), Rung(0, 5, 16)
    told = []
    outcome = baselines.train(
        task, baselines.recurrent(task, "gru-8", 2), rung, 2, lambda *epoch: told.append(epoch)
    )
    assert told == [(epoch, 5) for epoch in range(1, 6)]
    assert outcome.status is Status.OK
    assert outcome.error == min(outcome.curve)
    assert len(outcome.curve) == 5
    network = baselines.recurrent(task, "gru-8", seed=99)
    baselines.load_weights(network, outcome.state)
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
    task, rung = _task(timed=True), Rung(0, 40, 16)
    first, again = (
        baselines.train(task, baselines.recurrent(task, f"{cell}-8", 0), rung, 0) for _ in range(2)
    )
    assert first.error < 0.2
    assert _timeless(first) == _timeless(again)
    assert (
        baselines.train(task, baselines.recurrent(task, f"{cell}-8", 0), rung, 1).curve
        != first.curve
    )


def test_steps_are_adams_with_clipped_gradients() -> None:
    """Three steps by hand; with the whole split in a minibatch, the order of samples does not
    matter."""
    task = _task("regression")
    network, mine = (baselines.recurrent(task, "rnn-4", 0) for _ in range(2))
    baselines.train(task, network, Rung(0, 3, 50), 0)
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
    task = _task("regression")
    task.train.y[3] = np.inf
    outcome = baselines.train(task, baselines.recurrent(task, "lstm-4", 0), Rung(0, 4, 16), 0)
    assert outcome.status is Status.DIVERGED
    assert np.isnan(outcome.error)
    assert len(outcome.curve) == 1
    assert outcome.message == "loss, gradient or output stopped being finite in epoch 1"


def test_liquid_baselines_are_candidates_trained_as_candidates() -> None:
    task, rung = _task(), Rung(0, 2, 16)
    names = ("auto-ncp-16", "dense-ltc-8")
    trained = list(baselines.train_all(task, names, rung, 5))
    assert [t.name for t in trained] == list(names)
    candidates = baselines.liquid(task, 5)
    assert (
        candidates["dense-ltc-8"].wiring.synapse_count
        == 8 * 8 + 3 * 8
        == trained[1].outcome.synapses
    )
    assert candidates["auto-ncp-16"].wiring.neurons == 16
    assert candidates["auto-ncp-16"].wiring.motor == 2
    for baseline in trained:
        alone = training.train(task, PackJob(9, rung, (candidates[baseline.name],), 5)).outcomes[0]
        assert _timeless(alone) == _timeless(baseline.outcome)


def test_known_names_fit_the_task_and_are_chosen_by_either_part() -> None:
    task = replace(_task(), outputs=20)
    assert baselines.known(task)[:5] == ("rnn-4", "rnn-8", "rnn-16", "rnn-32", "gru-4")
    assert [name for name in baselines.known(task) if "ncp" in name] == [
        "auto-ncp-32",
        "auto-ncp-64",
    ]
    assert baselines.chosen(task, ()) == baselines.known(task)
    assert baselines.chosen(task, ("gru-d", "lstm-8")) == (
        "lstm-8",
        "gru-d-4",
        "gru-d-8",
        "gru-d-16",
        "gru-d-32",
    )
    with pytest.raises(ValueError, match="no baseline is called 'gru-5'; known: rnn, gru"):
        baselines.chosen(task, ("gru-5",))


def test_pruned_networks_are_baselines_of_their_size() -> None:
    task, rung = _task(), Rung(0, 2, 16)
    trained = list(baselines.train_all(task, ("pruned-ltc-50", "pruned-ltc-10"), rung, 0))
    assert [t.name for t in trained] == ["pruned-ltc-50", "pruned-ltc-10"]
    dense = 24 * 24 + 24 * task.features
    assert [t.outcome.synapses for t in trained] == [round(0.5 * dense), round(0.1 * dense)]
    (alone,) = baselines.train_all(task, ("pruned-ltc-10",), rung, 0)
    assert _timeless(alone.outcome) == _timeless(trained[1].outcome)
    assert set(baselines.PRUNED) <= set(baselines.known(task))


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize("kind", ["classification", "regression"])
def test_reservoirs_are_scored_with_their_readout_alone(
    kind: str, every_step: bool, timed: bool
) -> None:
    task, rung = _task(kind, every_step, timed), Rung(0, 5, 16)
    told = []
    (trained,) = baselines.train_all(
        task, ("reservoir-16",), rung, 4, lambda *event: told.append(event)
    )
    outcome = trained.outcome
    assert told == [("reservoir-16", 1, 1)]
    assert outcome.status is Status.OK
    assert outcome.curve == (outcome.error,)
    assert outcome.parameters == task.outputs * (16 + 1)
    assert outcome.synapses == 16 * 10 + 16
    assert outcome.metric == (1 - outcome.error if kind == "classification" else outcome.error)
    fixed, readout = (
        reservoir_baselines.reservoir(task, "reservoir-16", 4),
        reservoir_baselines.load_readout(outcome.state),
    )
    wrong = []
    for sample in range(len(task.valid)):  # one after the other, without its padding
        valid = slice(None if task.valid.lengths is None else task.valid.lengths[sample])
        elapsed = (
            None if task.valid.elapsed is None else task.valid.elapsed[sample : sample + 1, valid]
        )
        states = fixed.states(task.valid.x[sample : sample + 1, valid], elapsed)[0]
        y, target = readout.predict(states if every_step else states[-1:]), task.valid.y[sample]
        target = target[valid] if every_step else target[None]
        wrong += (
            list(y.argmax(-1) != target)
            if kind == "classification"
            else list(((y - target) ** 2).mean(-1))
        )
    assert outcome.error == pytest.approx(np.mean(wrong), rel=1e-9)
    (again,), (other,) = (
        baselines.train_all(task, ("reservoir-16",), rung, seed) for seed in (4, 5)
    )
    assert _timeless(again.outcome) == _timeless(outcome)
    assert other.outcome.state != outcome.state
    assert outcome.latency_us > 0
    assert outcome.train_seconds > 0


@pytest.mark.parametrize("name", reservoir_baselines.RESERVOIRS)
@pytest.mark.parametrize("features", [1, 8, 40])
def test_a_reservoir_is_as_its_name_says(name: str, features: int) -> None:
    task = replace(
        _task(), outputs=50, train=Split(np.zeros((1, 2, features), np.float32), np.zeros(1, int))
    )
    fixed, neurons = reservoir_baselines.reservoir(task, name, 1), int(name.rpartition("-")[2])
    assert fixed.wiring.neurons == neurons
    assert fixed.wiring.sensory == features
    assert len(fixed.wiring.synapses) == 10 * neurons
    assert len(fixed.wiring.sensory_synapses) == max(neurons, features)
    assert np.abs(np.linalg.eigvals(fixed.recurrent)).max() == pytest.approx(0.9)
    assert fixed.leak == 0.3
    assert baselines.chosen(task, ("reservoir",)) == tuple(reservoir_baselines.RESERVOIRS)


def test_a_readout_that_is_not_finite_is_diverged() -> None:
    task = _task("regression")
    task.train.y[3] = np.inf
    with np.errstate(invalid="ignore"):
        outcome = reservoir_baselines.train(
            task, reservoir_baselines.reservoir(task, "reservoir-16", 0)
        )
    assert outcome.status is Status.DIVERGED
    assert np.isnan(outcome.error)
    assert "not finite" in outcome.message


def _ended(folder: Path) -> Store:
    mine = Store.create(folder, config(trials=6, epochs=1), {**FACTS, "rules": {}})
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    return mine


def test_a_run_keeps_its_baselines_and_trains_none_twice(tmp_path: Path) -> None:
    before = _ended(tmp_path).table()
    told: list = []
    run = train_baselines(tmp_path, ("rnn-4", "lstm-4", "auto-ncp-16"), told.append)
    done = [event for event in told if isinstance(event, BaselineDone)]
    assert [(event.name, event.done, event.count) for event in done] == [
        ("rnn-4", 1, 3),
        ("lstm-4", 2, 3),
        ("auto-ncp-16", 3, 3),
    ]
    assert [event.epoch for event in told if not isinstance(event, BaselineDone)] == [1, 1, 1]
    table = run.table()
    assert table["baseline"].tolist() == [""] * len(before) + ["rnn-4", "lstm-4", "auto-ncp-16"]
    assert table[: len(before)].equals(before)
    assert table["synapses"].tolist()[-3:-1] == [4 * 12, 4 * 12]
    assert "auto-ncp-16" in run.report.read_text(encoding="utf-8")
    told.clear()
    assert (
        train_baselines(tmp_path, ("rnn-4", "lstm-4", "auto-ncp-16"), told.append)
        .table()
        .equals(table)
    )
    assert not told
    longer = train_baselines(tmp_path, ("rnn-4", "rnn-8")).table()
    assert longer[: len(table)].equals(table)
    assert longer["baseline"].tolist()[len(table) :] == ["rnn-8"]


def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    _ended(tmp_path)

    def stop(event: object) -> None:
        if isinstance(event, BaselineDone):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_baselines(tmp_path, ("rnn-4", "rnn-8"), stop)
    assert Run(tmp_path).table()["baseline"].tolist()[-1] == "rnn-4"
    assert Run(tmp_path).report.is_file()
    assert train_baselines(tmp_path, ("rnn-4", "rnn-8")).table()["baseline"].tolist()[-2:] == [
        "rnn-4",
        "rnn-8",
    ]


def test_a_search_goes_on_as_if_there_were_no_baselines(tmp_path: Path) -> None:
    """Stopped after its first pack, given baselines, and resumed: the sampler does not see the
    baselines."""
    whole = _ended(tmp_path / "whole").table()
    mine = Store.create(tmp_path / "cut", config(trials=6, epochs=1), {**FACTS, "rules": {}})

    def stop(event: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(mine.config, mine, InlinePool(fake_train, tiny_task()), stop)
    train_baselines(tmp_path / "cut", ("rnn-4",))
    search(mine.config, mine, InlinePool(fake_train, tiny_task()))
    table = mine.table()
    assert table[table["baseline"] == ""].equals(whole)
    assert table["baseline"].tolist()[-1] == "rnn-4"
