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
    tiles, full = tiles_of(samples), samples // LANES
    result = aligned(packs * tiles * LANES * array.shape[2])
    lanes = result.reshape(packs, tiles, -1, LANES)
    if full == tiles:
        np.copyto(lanes, array.reshape(packs, tiles, LANES, -1).swapaxes(2, 3))
        return result
    whole = array[:, : full * LANES].reshape(packs, full, LANES, array.shape[2])
    np.copyto(lanes[:, :full], whole.swapaxes(2, 3))
    left = samples - full * LANES
    lanes[:, full, :, :left] = array[:, full * LANES :].swapaxes(1, 2)
    lanes[:, full, :, left:] = 0.0
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
