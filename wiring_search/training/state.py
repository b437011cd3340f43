"""Training states: named plain arrays as bytes, in numpy's `.npz` format.

A state never holds objects, so reading one runs no code.
"""

import io
from collections.abc import Mapping

import numpy as np

State = dict[str, np.ndarray]


def save_state(arrays: Mapping[str, np.ndarray]) -> bytes:
    """Return named arrays as bytes that `load_state` reads.

    Raises:
        ValueError: An array holds objects; it could not be read without running code.
    """
    for name, array in arrays.items():
        if np.asarray(array).dtype.hasobject:
            raise ValueError(f"{name} holds objects; give arrays of numbers")
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def load_state(state: bytes) -> State:
    """Return the named arrays of a state.

    Args:
        state: `Outcome.state`. Of a candidate it has the arrays of `Pack.state` (`weights`,
            `first`, `second`, `step`), the `epochs` done, the `curve` of validation errors after
            each of them, and, once there is a best epoch, its `best_weights` and
            `best_variation`. Inherited weights have no `epochs` and no `curve`.

    Raises:
        ValueError: An array holds objects.
    """
    with np.load(io.BytesIO(state), allow_pickle=False) as arrays:
        return dict(arrays)


def best_state(state: bytes) -> State:
    """Return a candidate's state with the weights of its best epoch as `weights`."""
    arrays = load_state(state)
    return {**arrays, "weights": arrays["best_weights"]}


def epochs_of(state: bytes | None) -> int:
    """Return the number of epochs a state was trained for; 0 for None and inherited weights."""
    return 0 if state is None else int(load_state(state).get("epochs", 0))
