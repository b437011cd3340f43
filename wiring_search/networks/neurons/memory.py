"""Mixed memory: an LSTM around the neurons, whose cells no differential equation ever touches.

    (i, g, f, o) = W x + R v + b
    c' = c·sigmoid(f) + tanh(i)·sigmoid(g),    m = tanh(c')·sigmoid(o)

x: the features; v: the neurons' states. Two published forms: m becomes the state from which the
neurons start ("state": one cell a neuron; `ncps.torch` with mixed_memory=True), or the values of
the sensory nodes ("input": one cell a sensory node; the ODE-LSTM of Lechner & Hasani, "Learning
long-term dependencies in irregularly-sampled time series", 2020, algorithm 1, whose cells number as
the neurons do). The constant that published cells add to the forget gate is part of b.
"""

import torch


def remember(
    x: torch.Tensor, v: torch.Tensor, c: torch.Tensor, p: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor]:
    """One time step of the LSTM.

    Args:
        x: (B, features).
        v: (B, neurons) states before the time step.
        c: (B, cells) before the time step.
        p: memory_x (4·cells, features), memory_h (4·cells, neurons) and memory_b (4·cells,), in the
            order i, g, f, o.

    Returns:
        The output m and the new cells c', both (B, cells).
    """
    gates = x @ p["memory_x"].T + v @ p["memory_h"].T + p["memory_b"]
    value, write, keep, show = gates.chunk(4, dim=1)
    c = c * torch.sigmoid(keep) + torch.tanh(value) * torch.sigmoid(write)
    return torch.tanh(c) * torch.sigmoid(show), c
