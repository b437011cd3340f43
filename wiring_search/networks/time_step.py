"""One time step of a `LiquidNetwork` without gradients, for control loops and reinforcement
learning: what is behind `network.step(x, state)`.

A float32 network on the CPU takes the short way, `kernels.cpu.one_step`. Other networks, and inputs
of another form, take the way of the forward pass, which checks what it is given.
"""

from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from wiring_search.networks.kernels import plain
from wiring_search.networks.kernels.cpu.one_step import Stepper
from wiring_search.networks.kernels.layout import PackLayout

if TYPE_CHECKING:
    from wiring_search.networks.liquid_network import LiquidNetwork

Array = torch.Tensor | np.ndarray


class ShortWay:
    """The short way of one network, with what it keeps from call to call.

    Args:
        layout: The network's.
        softplus: Whether parameters that must be positive are stored raw.
        hold_at_zero: As of the network.
    """

    def __init__(self, layout: PackLayout, softplus: bool, hold_at_zero: bool) -> None:
        self._made_of = layout, softplus, hold_at_zero
        self._stepper = None if plain.is_needed(layout.kind) else Stepper(layout, softplus)
        self._addresses: list[int] = []
        self._fits = False
        self._elapsed: Any = None
        self._times = np.empty(0, np.float32)

    def __reduce__(self) -> tuple:  # addresses and compiled code belong to this process
        return ShortWay, self._made_of

    def step(
        self, parameters: list[torch.Tensor], x: Array, state: Array | None, elapsed: Any
    ) -> tuple[Array, Array] | None:
        """The step, or None where network or inputs do not fit. Arguments as of `step`."""
        layout, _, hold_at_zero = self._made_of
        addresses = [parameter.data_ptr() for parameter in parameters]
        if addresses != self._addresses:
            self._addresses, self._fits = addresses, all(map(_is_plain, parameters))
        if self._stepper is None or not self._fits:
            return None
        rows = _rows(x, layout.features)
        if rows is None:
            return None
        if elapsed is not self._elapsed or len(self._times) != len(rows):
            least = 0 if hold_at_zero else np.finfo(np.float32).tiny
            if not isinstance(elapsed, int | float) or not least <= elapsed < inf:
                return None
            self._elapsed, self._times = elapsed, np.full(len(rows), elapsed, np.float32)
        before: np.ndarray | None
        if state is None:
            before = np.zeros((len(rows), layout.state_size), np.float32)
        else:
            before = _rows(state, layout.state_size) if state.ndim == x.ndim else None
        if before is None or len(before) != len(rows):
            return None
        y, after = self._stepper.step(addresses, rows, self._times, before)
        if x.ndim == 1:
            y, after = y[0], after[0]
        if isinstance(x, np.ndarray):
            return y, after
        return torch.from_numpy(y), torch.from_numpy(after)


def long_way(
    network: "LiquidNetwork", x: Array, state: Array | None, elapsed: Any
) -> tuple[Array, Array]:
    """The step by the forward pass. Arguments and errors as of `LiquidNetwork.step`."""
    if not isinstance(x, Array) or x.ndim not in (1, 2):
        features = network.layout.features
        given = f"shape {tuple(x.shape)}" if isinstance(x, Array) else f"type {type(x).__name__}"
        raise ValueError(
            f"x is of {given}; a step takes a tensor or an array (batch, {features}), or "
            f"({features},) for one sample. Call the network itself with a sequence"
        )
    single = x.ndim == 1
    x_: Any
    x_, state_, elapsed_ = (
        torch.from_numpy(value) if isinstance(value, np.ndarray) else value
        for value in (x, state, elapsed)
    )
    if single:
        x_, state_ = x_[None], None if state_ is None else state_[None]
    time = 1 if network.batch_first else 0
    if isinstance(elapsed_, torch.Tensor):
        elapsed_ = elapsed_.reshape(len(x_)).unsqueeze(time)
    with torch.no_grad():
        y, after = network(x_.unsqueeze(time), elapsed_, state_)
    if network.every_step:
        y = y.squeeze(time)
    if single:
        y, after = y[0], after[0]
    return (y.numpy(), after.numpy()) if isinstance(x, np.ndarray) else (y, after)


def _is_plain(parameter: torch.Tensor) -> bool:
    """Whether the numbers of a parameter lie in memory as the kernel reads them."""
    return (
        parameter.dtype == torch.float32
        and parameter.device.type == "cpu"
        and parameter.is_contiguous()
    )


def _rows(values: Array, size: int) -> np.ndarray | None:
    """(batch, size) float32 and contiguous, or None where `values` are anything else."""
    if isinstance(values, torch.Tensor):
        if values.dtype != torch.float32 or values.device.type != "cpu":
            return None
        values = (values.detach() if values.requires_grad else values).numpy()
    if not isinstance(values, np.ndarray) or values.dtype != np.float32:
        return None
    if values.ndim == 1:
        values = values[None]
    return values if values.shape[1:] == (size,) and values.flags.c_contiguous else None
