"""What the networks accept as inputs, as `torch.nn.LSTM` does: a batch, one sample or a packed
sequence, of the parameters' dtype on their device.

`read` turns all of it into tensors that are batch first; what does not fit is refused in one
sentence. Under autocast inputs are cast to the parameters' dtype and the network computes in it, as
`torch.amp.custom_fwd(cast_inputs=…)` does: a liquid cell iterates, and bfloat16 states drift.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from math import inf
from typing import NamedTuple

import numpy as np
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

Tensor = torch.Tensor
Elapsed = Tensor | PackedSequence | float | None
Lengths = Tensor | np.ndarray | Sequence[int] | int | None

DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


class Accepts(NamedTuple):
    """What one network accepts.

    Attributes:
        features: F of x.
        state_size: Neurons and memory cells.
        batch_first: x is (batch, time, F) and not (time, batch, F).
        hold_at_zero: Where no time has passed the state is held; otherwise it takes a step of
            length 0.
    """

    features: int
    state_size: int
    batch_first: bool = True
    hold_at_zero: bool = True


class Given(NamedTuple):
    """Inputs as the kernels take them, and in what form they were given.

    Attributes:
        x: (batch, time, F).
        elapsed: (batch, time), 0 behind the end of a sample.
        state: (batch, neurons and memory cells).
        single: x was one sample, (time, F).
        batch_first: x was (batch, time, F).
        packed: The packed sequence that x was, or None.
    """

    x: Tensor
    elapsed: Tensor
    state: Tensor
    single: bool
    batch_first: bool
    packed: PackedSequence | None

    def in_its_form(self, y: Tensor, state: Tensor) -> tuple[Tensor | PackedSequence, Tensor]:
        """Outputs and final state in the form that x was given in.

        Args:
            y: (batch, time, outputs), or (batch, outputs) of the last step alone.
            state: (batch, neurons and memory cells).
        """
        if self.single:
            return y[0], state[0]
        if y.ndim == 2:
            return y, state
        if self.packed is not None:
            return _packed_like(self.packed, y), state
        return (y if self.batch_first else y.transpose(0, 1).contiguous()), state


def read(
    x: Tensor | PackedSequence,
    elapsed: Elapsed,
    state: Tensor | None,
    lengths: Lengths,
    accepts: Accepts,
    like: Tensor,
) -> Given:
    """Check inputs and lay them out batch first.

    Args:
        x: (batch, time, F), (time, batch, F) without `batch_first`, (time, F) for one sample, or a
            packed sequence of F features.
        elapsed: Time since the previous step, ≥ 0 and finite: one number, or a tensor as x is
            without its features or with one of size 1, packed if x is; 1.0 by default.
        state: (batch, neurons and memory cells), without the batch for one sample; zeros by
            default.
        lengths: (batch,) whole numbers from 0 to time, valid steps of each sample; one number for
            one sample; all steps by default.
        accepts: What the network accepts.
        like: A parameter of the network, whose dtype and device everything is to have.

    Raises:
        TypeError: An argument is no tensor where it is to be one.
        ValueError: A dtype, device, shape or value does not fit.
    """
    packed = None
    if isinstance(x, PackedSequence):
        if lengths is not None:
            raise ValueError("a PackedSequence has its lengths already; leave lengths out")
        packed = x
        _require_fitting("x", packed.data, like)
        x, lengths = pad_packed_sequence(packed, batch_first=True)
        if isinstance(elapsed, PackedSequence):
            elapsed = _padded_like(packed, elapsed)
    x = _fitting("x", x, like)
    single = x.ndim == 2 and packed is None
    turned = not accepts.batch_first and not single and packed is None
    if single:
        x = x.unsqueeze(0)
    elif turned and x.ndim == 3:
        x = x.transpose(0, 1)
    _require_shape(x, accepts, single)
    times = _times(x, elapsed, lengths, single, turned, accepts.hold_at_zero)
    state = _state(x, state, accepts.state_size, single, like)
    return Given(x, times, state, single, accepts.batch_first, packed)


def elapsed_of(x: Tensor, elapsed: Elapsed, lengths: Lengths) -> Tensor:
    """(batch, time) Time since the previous step in the dtype of x, 0 behind the end of a sample.

    Args:
        x: (batch, time, F).
        elapsed: One number or (batch, time), see `read`.
        lengths: (batch,), see `read`.

    Raises:
        TypeError, ValueError: As `read`.
    """
    return _times(x, elapsed, lengths, single=False, turned=False, hold_at_zero=True)


def without_autocast(device: torch.device) -> AbstractContextManager:
    """A context in which torch computes in the dtype of its inputs."""
    if _autocasts(device):
        return torch.autocast(device.type, enabled=False)
    return nullcontext()


def _autocasts(device: torch.device) -> bool:
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def _fitting(name: str, value: Tensor, like: Tensor) -> Tensor:
    """The tensor, under autocast in the dtype of `like`. Raises where it does not fit."""
    if (
        isinstance(value, Tensor)
        and value.dtype == like.dtype
        and value.device == like.device
        and value.layout is torch.strided
        and not value.is_nested
        and value.dtype in DTYPES
    ):
        return value
    _require_fitting(name, value, like)
    return value.to(like.dtype)


def _require_fitting(name: str, value: Tensor, like: Tensor) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} is of type {type(value).__name__}; give a tensor, "
            f"torch.as_tensor({name}, dtype={like.dtype})"
        )
    if value.is_nested:
        raise ValueError(
            f"{name} is a nested tensor; give {name}.to_padded_tensor(0.0) and lengths=…"
        )
    if value.layout is not torch.strided:
        raise ValueError(f"{name} is {_short(value.layout)}; give a dense one: {name}.to_dense()")
    if value.device != like.device:
        raise ValueError(
            f"{name} is on {value.device}, the network on {like.device}; give "
            f'{name}.to("{like.device}"), or move the network: network.to("{value.device}")'
        )
    if like.dtype not in DTYPES:
        allowed = ", ".join(map(_short, DTYPES))
        raise ValueError(
            f"the parameters are {_short(like.dtype)}; a network computes in one of {allowed}: "
            "network.float()"
        )
    castable = value.is_floating_point() and value.dtype != torch.float64
    if value.dtype != like.dtype and not (castable and _autocasts(like.device)):
        raise ValueError(
            f"{name} is {_short(value.dtype)}, the network's parameters are {_short(like.dtype)}; "
            f"{_mend(name, value.dtype, like.dtype)}"
        )


def _mend(name: str, given: torch.dtype, wanted: torch.dtype) -> str:
    if given.is_complex:
        return f"give real and imaginary parts as features: torch.view_as_real({name}).flatten(-2)"
    convert = f"convert it: {name}.to({wanted})"
    return f"{convert}, or convert the network: network.to({given})" if given in DTYPES else convert


def _short(name: torch.dtype | torch.layout) -> str:
    return str(name).removeprefix("torch.")


def _require_shape(x: Tensor, accepts: Accepts, single: bool) -> None:
    if x.ndim == 3 and x.shape[2] == accepts.features and x.shape[1]:
        return
    shape = tuple(x.shape[1:] if single else x.shape)
    order = "(batch, time, {0})"
    if not accepts.batch_first and not single:
        order = "(time, batch, {0})"
        shape = (shape[1], shape[0], *shape[2:]) if len(shape) == 3 else shape
    raise ValueError(
        f"x has shape {shape}; give {order.format(accepts.features)}, or (time, "
        f"{accepts.features}) for one sample, with one time step or more"
    )


def _times(
    x: Tensor,
    elapsed: Elapsed,
    lengths: Lengths,
    single: bool,
    turned: bool,
    hold_at_zero: bool,
) -> Tensor:
    """(batch, time). x: (batch, time, F). turned: elapsed is (time, batch)."""
    times = _spread(x, elapsed, single, turned)
    if not hold_at_zero:
        tiny = torch.finfo(times.dtype).tiny  # a step of length 0, to rounding
        times = torch.where(times > 0, times, times + tiny)
    if lengths is not None:
        times = _cut(times, lengths, single)
    if isinstance(elapsed, Tensor):  # behind the end of a sample they may be anything
        _require_times(times)
    return times


def _spread(x: Tensor, elapsed: Elapsed, single: bool, turned: bool) -> Tensor:
    """The elapsed times of every step, in the dtype of x, batch first."""
    shape = x.shape[:2]
    if elapsed is None:
        return x.new_ones(shape)
    if isinstance(elapsed, int | float | np.number):
        if not 0 <= elapsed <= torch.finfo(x.dtype).max:
            raise ValueError(_bad_elapsed(elapsed, x.dtype))
        value = float(elapsed)
        return x.new_full(shape, max(value, torch.finfo(x.dtype).tiny) if value else value)
    if not isinstance(elapsed, Tensor):
        raise TypeError(
            f"elapsed is of type {type(elapsed).__name__}; give one number or a tensor (batch, "
            "time), torch.as_tensor(elapsed); a state is given by name: state=…"
        )
    if elapsed.dtype.is_complex:
        raise ValueError(f"elapsed is {_short(elapsed.dtype)}; give real numbers")
    if elapsed.ndim == (2 if single else 3) and elapsed.shape[-1] == 1:
        elapsed = elapsed.squeeze(-1)
    if elapsed.ndim == 0:
        elapsed = elapsed.to(x.device).expand(shape)
    elif single and elapsed.ndim == 1:
        elapsed = elapsed.unsqueeze(0)
    elif turned and elapsed.ndim == 2:
        elapsed = elapsed.t()
    if elapsed.shape != shape:
        asked = tuple(shape[1:] if single else shape[::-1] if turned else shape)
        names = "(time,)" if single else "(time, batch)" if turned else "(batch, time)"
        there = tuple(elapsed.shape[::-1] if turned and elapsed.ndim == 2 else elapsed.shape)
        raise ValueError(
            f"elapsed has shape {there}; give one number or {names} = {asked}; a state is given by "
            "name: state=…"
        )
    if elapsed.device != x.device:
        raise ValueError(
            f"elapsed is on {elapsed.device}, x on {x.device}; give elapsed.to(x.device)"
        )
    times = elapsed.to(x.dtype)
    if times.dtype != elapsed.dtype:  # a time too short for the dtype still passes
        times = torch.where((elapsed > 0) & (times == 0), torch.finfo(x.dtype).tiny, times)
    return times


def _require_times(times: Tensor) -> None:
    if _has_values(times):
        least, greatest = (float(extreme) for extreme in times.detach().aminmax())
        if not (least >= 0 and greatest < inf):
            raise ValueError(_bad_elapsed(least if not least >= 0 else greatest, times.dtype))


def _bad_elapsed(value: float | np.number, dtype: torch.dtype) -> str:
    return (
        f"elapsed has a negative or NaN or infinite entry, {value:g} in {_short(dtype)}; give "
        "times since the previous step, 0 or more"
    )


def _cut(elapsed: Tensor, lengths: Lengths, single: bool) -> Tensor:
    """The elapsed times, 0 from `lengths` on."""
    batch, time = elapsed.shape
    try:
        counts = torch.as_tensor(lengths)
    except (TypeError, ValueError, RuntimeError):
        counts = None
    if counts is None or counts.is_floating_point() or counts.dtype in (torch.bool, *_COMPLEX):
        kind = type(lengths).__name__ if counts is None else _short(counts.dtype)
        raise ValueError(
            f"lengths are {kind}; give whole numbers, valid steps of each sample: "
            "torch.as_tensor(lengths, dtype=torch.int64)"
        )
    if single and counts.ndim == 0:
        counts = counts.unsqueeze(0)
    fits = counts.shape == (batch,)
    if not fits or (_has_values(counts) and not bool(((counts >= 0) & (counts <= time)).all())):
        raise ValueError(
            f"lengths are {counts.tolist()}; give one a sample, each from 0 to {time} (the time "
            "steps of x)"
        )
    counts = counts.to(elapsed.device)
    valid = torch.arange(time, device=elapsed.device) < counts[:, None]
    return torch.where(valid, elapsed, torch.zeros_like(elapsed))


_COMPLEX = (torch.complex32, torch.complex64, torch.complex128)


def _state(x: Tensor, state: Tensor | None, size: int, single: bool, like: Tensor) -> Tensor:
    shape = x.shape[0], size
    if state is None:
        return x.new_zeros(shape)
    if isinstance(state, tuple | list):
        raise TypeError(
            f"state is a {type(state).__name__} of {len(state)}; give one tensor (batch, neurons "
            f"and memory cells) = {shape}: the neurons in the wiring's order, then the cells, "
            "torch.cat((h, c), dim=1)"
        )
    state = _fitting("state", state, like)
    if single and state.ndim == 1:
        state = state.unsqueeze(0)
    if tuple(state.shape) != shape:
        asked = f"(neurons and memory cells,) = {shape[1:]}" if single else ""
        raise ValueError(
            f"state has shape {tuple(state.shape)}; give "
            f"{asked or f'(batch, neurons and memory cells) = {shape}'}"
        )
    return state


def _has_values(tensor: Tensor) -> bool:
    """Whether the tensor holds numbers that can be looked at: not while it is traced, mapped over
    or without storage."""
    return (
        tensor.numel() > 0
        and tensor.device.type != "meta"
        and not (torch.compiler.is_compiling() or torch.jit.is_tracing())
        and not torch._C._functorch.is_functorch_wrapped_tensor(tensor)
    )


def _padded_like(packed: PackedSequence, elapsed: PackedSequence) -> Tensor:
    """Packed elapsed times as (batch, time) or (batch, time, 1)."""
    sizes, order = elapsed.batch_sizes, elapsed.sorted_indices
    same_order = order is packed.sorted_indices or (
        order is not None
        and packed.sorted_indices is not None
        and torch.equal(order, packed.sorted_indices)
    )
    if not (torch.equal(sizes, packed.batch_sizes) and same_order):
        raise ValueError(
            "x and elapsed are packed with different lengths or order; pack both with the same "
            "lengths and enforce_sorted"
        )
    return pad_packed_sequence(elapsed, batch_first=True)[0]


def _packed_like(packed: PackedSequence, y: Tensor) -> PackedSequence:
    """y (batch, time, outputs) with the batches of `packed`."""
    _, lengths = pad_packed_sequence(packed)
    if packed.sorted_indices is not None:
        y = y.index_select(0, packed.sorted_indices)
        lengths = lengths[packed.sorted_indices.cpu()]
    data = pack_padded_sequence(y, lengths, batch_first=True).data
    return PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
