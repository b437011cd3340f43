"""Whether exported files compute what the network computes, and how long a time step takes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from wiring_search.export.parcel import Parcel

# Relative to the largest value: the search itself computes in float32.
TOLERANCE = 1e-5
# A network may amplify rounding over time. Then two correct float32 implementations differ as much
# as one of them differs from float64.
_ROUNDINGS = 10.0
# Blocks of calls are so short that some run without an interruption.
_WARMING, _CALLS, _SECONDS = 3, 3, 0.1


@dataclass(frozen=True)
class Check:
    """How the files of a format compare with the network.

    Attributes:
        absolute: The largest difference of outputs and states on validation inputs; of weights, for
            formats that hold no more.
        relative: The same, over the largest value.
        microseconds: The time of one step of one sample; None for formats that do not run.
        notes: Sizes in bytes, by name.
    """

    absolute: float
    relative: float
    microseconds: float | None = None
    notes: Mapping[str, int] = field(default_factory=dict)


def compared(parcel: Parcel, y: np.ndarray, state: np.ndarray) -> tuple[float, float]:
    """The largest absolute and relative difference of outputs and final states from the network's.

    Args:
        parcel: The network.
        y: (n, T, outputs).
        state: (n, states).

    Raises:
        ValueError: A shape or a value differs.
    """
    return within(parcel, (y, state), (parcel.y.numpy(), parcel.state.numpy()))


def within(
    parcel: Parcel, ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]
) -> tuple[float, float]:
    """The largest absolute and relative difference of any arrays.

    Args:
        parcel: The network, whose rounding decides what is allowed.
        ours: The arrays that the files give.
        theirs: The arrays that the network gives, in the same order.

    Returns:
        The absolute difference, and the difference relative to the largest value of its array.

    Raises:
        ValueError: A shape differs, or a value differs by more than is allowed.
    """
    absolute = relative = 0.0
    for got, wanted in zip(ours, theirs, strict=True):
        if got.shape != wanted.shape:
            raise ValueError(
                f"its values have shape {got.shape}, the network's have {wanted.shape}"
            )
        if not wanted.size:
            continue
        scale = max(float(np.abs(wanted).max()), 1e-30)
        difference = float(np.abs(got.astype(np.float64) - wanted).max())
        allowed = max(TOLERANCE * max(1.0, scale), _ROUNDINGS * parcel.rounding)
        if not difference <= allowed:  # NaN too
            raise ValueError(f"its values differ by {difference:.3g}, and {allowed:.3g} is allowed")
        absolute = max(absolute, difference)
        relative = max(relative, difference / scale)
    return absolute, relative


def microseconds(step: Callable[[], object]) -> float:
    """The time of one call, in the quickest block of calls.

    Slower blocks show how busy the machine is, not what the work costs.
    """
    for _ in range(_WARMING):
        step()
    quickest = np.inf
    end = time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(_CALLS):
            step()
        quickest = min(quickest, time.perf_counter() - start)
    return quickest / _CALLS * 1e6
