"""The training state of a candidate, as plain arrays."""

import io

import numpy as np


def load_state(state: bytes) -> dict[str, np.ndarray]:
    """The arrays of `Outcome.state`: `Pack.state`, and `best_weights`, those of the best epoch;
    `epochs` done, and the `curve` of validation errors after each of them."""
    with np.load(io.BytesIO(state)) as arrays:
        return dict(arrays)


def epochs_of(state: bytes | None) -> int:
    """Epochs that a training state has behind it."""
    return 0 if state is None else int(load_state(state).get("epochs", 0))
