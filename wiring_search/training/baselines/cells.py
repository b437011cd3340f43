"""Recurrent layers for baselines: torch's, and two whose state decays over time by itself.

Each reads x (B, T, F) and elapsed times (B, T), and returns states (B, T, units).
"""

from collections.abc import Callable

import torch
from torch import nn


class TorchLayer(nn.Module):
    """One of torch's recurrent layers.

    Args:
        kind: The layer's class.
        features: F of the input.
        units: Of the layer.
        timed: Whether the elapsed time is one more feature.
    """

    def __init__(
        self, kind: Callable[..., nn.RNNBase], features: int, units: int, timed: bool
    ) -> None:
        super().__init__()
        self.timed = timed
        self.cell = kind(features + timed, units, batch_first=True)

    def forward(self, x: torch.Tensor, elapsed: torch.Tensor) -> torch.Tensor:
        """Return states (B, T, units) from x (B, T, F) and elapsed (B, T)."""
        if self.timed:
            x = torch.cat([x, elapsed[..., None]], dim=-1)
        return self.cell(x)[0]


class CTGRU(nn.Module):
    """Continuous-time GRU.

    A unit is a sum of eight traces ĥ_m, which decay with the time constants τ_m = 10^(m/2),
    exactly. Two gates choose among them by a time scale that each unit computes from the input and
    its old sum h = Σ ĥ_m:

        r_m = softmax_m(−(ln τ_R − ln τ_m)²),  s_m likewise from ln τ_S
        k = tanh(W [x, Σ r_m ĥ_m] + b)
        ĥ_m ← ((1 − s_m) ĥ_m + s_m k) exp(−elapsed / τ_m)

    As everywhere here, the input of a step stands at the beginning of the time that elapses with
    it.

    Source:
        Mozer, Kazakov and Lindsey, "Discrete-Event Continuous-Time Recurrent Nets", 2017.
    """

    TRACES = 8

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.from_input = nn.Linear(features, 3 * units)
        self.from_state = nn.Linear(units, 2 * units, bias=False)
        self.from_recalled = nn.Linear(units, units, bias=False)

    def forward(self, x: torch.Tensor, elapsed: torch.Tensor) -> torch.Tensor:
        """Return states (B, T, units) from x (B, T, F) and elapsed (B, T)."""
        scales = 10.0 ** (torch.arange(self.TRACES, dtype=x.dtype) / 2)
        log_scales = scales.log()
        decay = torch.exp(-elapsed[..., None, None] / scales)  # (B, T, 1, traces)
        recall_in, store_in, new_in = self.from_input(x).chunk(3, dim=-1)
        traces = x.new_zeros(len(x), self.from_recalled.in_features, self.TRACES)
        states = []
        for t in range(x.shape[1]):
            recall, store = self.from_state(traces.sum(dim=-1)).chunk(2, dim=-1)
            recalled = _nearest(recall_in[:, t] + recall, log_scales) * traces
            new = torch.tanh(new_in[:, t] + self.from_recalled(recalled.sum(dim=-1)))
            stored = _nearest(store_in[:, t] + store, log_scales)
            traces = ((1 - stored) * traces + stored * new[..., None]) * decay[:, t]
            states.append(traces.sum(dim=-1))
        return torch.stack(states, dim=1)


class GRUD(nn.Module):
    """GRU whose state decays between inputs.

        h ← exp(−max(0, w elapsed + b)) h
        z, r = σ(W [x, h] + b),  ĥ = tanh(W [x, r h] + b)
        h ← z h + (1 − z) ĥ

    It is the part of GRU-D that is about time. The other part fills in missing inputs, of which
    there are none here.

    Source:
        Che et al., Scientific Reports 8, 2018.
    """

    def __init__(self, features: int, units: int) -> None:
        super().__init__()
        self.decay = nn.Linear(1, units)
        self.from_input = nn.Linear(features, 3 * units)
        self.from_state = nn.Linear(units, 2 * units, bias=False)
        self.from_reset = nn.Linear(units, units, bias=False)

    def forward(self, x: torch.Tensor, elapsed: torch.Tensor) -> torch.Tensor:
        """Return states (B, T, units) from x (B, T, F) and elapsed (B, T)."""
        decay = torch.exp(-torch.relu(self.decay(elapsed[..., None])))  # (B, T, units)
        keep_in, reset_in, new_in = self.from_input(x).chunk(3, dim=-1)
        h = x.new_zeros(len(x), self.from_reset.in_features)
        states = []
        for t in range(x.shape[1]):
            h = decay[:, t] * h
            keep, reset = self.from_state(h).chunk(2, dim=-1)
            keep = torch.sigmoid(keep_in[:, t] + keep)
            reset = torch.sigmoid(reset_in[:, t] + reset)
            h = keep * h + (1 - keep) * torch.tanh(new_in[:, t] + self.from_reset(reset * h))
            states.append(h)
        return torch.stack(states, dim=1)


def _nearest(log_scale: torch.Tensor, log_scales: torch.Tensor) -> torch.Tensor:
    """How much each trace is meant. log_scale: (B, units); returns (B, units, traces), summing to
    1."""
    return torch.softmax(-((log_scale[..., None] - log_scales) ** 2), dim=-1)


# By name; called with (features, units, whether the task has times).
CELLS: dict[str, Callable[[int, int, bool], nn.Module]] = {
    "rnn": lambda features, units, timed: TorchLayer(nn.RNN, features, units, timed),
    "gru": lambda features, units, timed: TorchLayer(nn.GRU, features, units, timed),
    "lstm": lambda features, units, timed: TorchLayer(nn.LSTM, features, units, timed),
    "ct-gru": lambda features, units, timed: CTGRU(features, units),
    "gru-d": lambda features, units, timed: GRUD(features, units),
}
