"""Whether an export computes what the network does, how far it is off, and how long a time step
takes."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from wiring_search.export.parcel import Parcel

# Of the largest value, as the networks of a search are computed in float32 themselves.
TOLERANCE = 1e-5
# A network may blow rounding up over time; then two right float32 implementations differ by what it
# does to one of them.
_ROUNDINGS = 10.0
_WARMING, _CALLS, _SECONDS = 3, 3, 0.1  # blocks so short that some run without an interruption


@dataclass(frozen=True)
class Check:
    """absolute: the largest difference from the network, of outputs and states on validation inputs
    (of weights, for a file that holds no more). relative: that over the largest value there.
    microseconds: a time step of one sample, None where nothing runs. notes: sizes that are worth
    telling, by name."""

    absolute: float
    relative: float
    microseconds: float | None = None
    notes: Mapping[str, int] = field(default_factory=dict)


def compared(parcel: Parcel, y: np.ndarray, state: np.ndarray) -> tuple[float, float]:
    """The largest absolute and relative difference from the network. Raises ValueError where that
    is too much."""
    return within(parcel, (y, state), (parcel.y.numpy(), parcel.state.numpy()))


def within(
    parcel: Parcel, ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]
) -> tuple[float, float]:
    """The same of any arrays."""
    absolute = relative = 0.0
    for got, wanted in zip(ours, theirs, strict=True):
        if got.shape != wanted.shape:
            raise ValueError(
                f"its values have shape {got.shape} where the network's have {wanted.shape}"
            )
        if not wanted.size:
            continue
        scale = max(float(np.abs(wanted).max()), 1e-30)
        difference = float(np.abs(got.astype(np.float64) - wanted).max())
        allowed = max(TOLERANCE * max(1.0, scale), _ROUNDINGS * parcel.rounding)
        if not difference <= allowed:  # NaN too
            raise ValueError(
                f"it is off the network by {difference:.3g} where {allowed:.3g} is allowed"
            )
        absolute, relative = max(absolute, difference), max(relative, difference / scale)
    return absolute, relative


def microseconds(step: Callable[[], object]) -> float:
    """Of one call: that of the quickest block of calls, which says what the work costs; the others
    say how busy the machine is."""
    for _ in range(_WARMING):
        step()
    quickest, end = np.inf, time.perf_counter() + _SECONDS
    while time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(_CALLS):
            step()
        quickest = min(quickest, time.perf_counter() - start)
    return quickest / _CALLS * 1e6
