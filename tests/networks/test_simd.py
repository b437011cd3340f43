"""Functions of sixteen lanes at once, against numpy."""

from collections.abc import Callable

import numba
import numpy as np

from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    MINUS_LOG2_E,
    aligned,
    exp_expm1,
    load,
    logistic2,
    store,
    tanh,
)


def test_sigmoid_is_accurate_and_lets_nan_through() -> None:
    @numba.njit
    def sigmoid(values, results):
        for i in range(len(values) // LANES):
            store(results, i, logistic2(load(values, i) * MINUS_LOG2_E))

    values, results = aligned(4096 * LANES), aligned(4096 * LANES)
    values[:] = np.linspace(-100, 100, len(values))
    sigmoid(values, results)
    assert np.abs(results - 1 / (1 + np.exp(-values.astype(np.float64)))).max() < 3e-7
    values[:4] = np.nan, np.inf, -np.inf, 1e30
    sigmoid(values, results)
    assert np.isnan(results[0])
    assert np.allclose(results[1:4], [1, 0, 1], atol=1e-30)


def _of_all_sizes() -> np.ndarray:
    """Both signs, from 1e-37 to 10."""
    values = aligned(4096 * LANES)
    half = len(values) // 2
    values[:half] = np.geomspace(1e-37, 10.0, half)
    values[half:] = -values[:half]
    return values


def _results(function: Callable, values: np.ndarray) -> np.ndarray:
    @numba.njit
    def run(values, results):
        for i in range(len(values) // LANES):
            store(results, i, function(load(values, i)))

    results = aligned(len(values))
    run(values, results)
    return results


def test_tanh_and_exp_minus_1_are_relatively_accurate_however_small_their_argument() -> None:
    decay = numba.njit(lambda z: exp_expm1(z)[0])
    expm1 = numba.njit(lambda z: exp_expm1(z)[1])
    values = _of_all_sizes()
    for function, truth in ((tanh, np.tanh), (expm1, np.expm1), (decay, np.exp)):
        right = truth(values.astype(np.float64))
        assert np.abs(_results(function, values) / right - 1.0).max() < 6e-7


def test_tanh_saturates_and_lets_nan_through() -> None:
    values = aligned(LANES)
    values[:] = 0.0
    values[:6] = np.nan, np.inf, -np.inf, 1e30, -1e30, -0.0
    results = _results(tanh, values)
    assert np.isnan(results[0])
    assert results[1:].tolist() == [1, -1, 1, -1] + [0] * (LANES - 5)
