"""Batches into lanes and back: samples in tiles of LANES, one sample in each lane of a vector."""

import numpy as np

from wiring_search.networks.kernels.cpu.simd import LANES, aligned


def tiles_of(samples: int) -> int:
    """How many tiles of LANES samples a batch fills, the last one perhaps in part."""
    return -(-samples // LANES)


def without_padding(x: np.ndarray, elapsed: np.ndarray) -> np.ndarray:
    """x with zeros where no time passes.

    What stands there (NaN too) must not reach a sum, not even times zero.

    Args:
        x: (B, T, features).
        elapsed: (B, T).
    """
    if elapsed.min(initial=1.0) > 0:
        return x
    return np.where((elapsed > 0)[:, :, None], x, np.float32(0.0))


def into_lanes(array: np.ndarray, packs: int = 1) -> np.ndarray:
    """Samples into lanes; the last tile is filled up with zeros.

    Args:
        array: ([packs,] B, rest).
        packs: Their number.

    Returns:
        Flat lanes of (packs, tiles, rest, LANES), aligned.
    """
    samples = array.shape[0 if packs == 1 and array.ndim < 4 else 1]
    array = array.reshape(packs, samples, -1)
    padded = tiles_of(samples) * LANES
    if samples != padded:
        array = np.pad(array, ((0, 0), (0, padded - samples), (0, 0)))
    result = aligned(array.size)
    tiled = array.reshape(packs, padded // LANES, LANES, -1).swapaxes(2, 3)
    np.copyto(result.reshape(tiled.shape), tiled)
    return result


def out_of_lanes(flat: np.ndarray, packs: int, samples: int, rest: tuple[int, ...]) -> np.ndarray:
    """Lanes into samples.

    Args:
        flat: Lanes of (packs, tiles, rest, LANES).
        packs: Their number.
        samples: B; what fills up the last tile is dropped.
        rest: The shape behind the samples.

    Returns:
        (packs, B, *rest).
    """
    tiles = tiles_of(samples)
    tiled = flat.reshape(packs, tiles, -1, LANES).swapaxes(2, 3)
    return tiled.reshape(packs, tiles * LANES, *rest)[:, :samples]
