"""The cells are what their equations say, and honour times and padding."""

import numpy as np
import pytest
import torch

from tests.support.made_up_tasks import FEATURES
from wiring_search.training.baselines.catalogue import UNITS
from wiring_search.training.baselines.cells import CELLS
from wiring_search.training.baselines.recurrent import RecurrentNetwork

OUTPUTS = 2


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
def test_time_matters_where_it_is_given(cell: str) -> None:
    x, elapsed, lengths = _ragged()
    assert not torch.allclose(
        _network(cell)(x, elapsed, lengths), _network(cell)(x, 0.5 * elapsed, lengths), atol=1e-4
    )
    if cell in ("rnn", "gru", "lstm"):
        timeless = _network(cell, timed=False)
        assert torch.equal(timeless(x, elapsed, lengths), timeless(x, 0.5 * elapsed, lengths))


@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("cell", CELLS)
def test_sizes_are_those_of_the_formulas(cell: str, units: int, timed: bool) -> None:
    network = RecurrentNetwork(cell, FEATURES, OUTPUTS, units, timed)
    gates = {"rnn": 1, "gru": 3, "lstm": 4, "ct-gru": 3, "gru-d": 3}[cell]
    decays = cell in ("ct-gru", "gru-d")
    features = FEATURES if decays else FEATURES + timed
    biases = 1 if decays else 2  # torch has one for the input and one for the state
    decay = 2 * units if cell == "gru-d" else 0
    synapses = units * (features + units)
    assert network.synapses == synapses
    assert (
        network.parameters_count
        == gates * synapses + biases * gates * units + decay + OUTPUTS * (units + 1)
    )
