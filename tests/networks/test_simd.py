"""Functions of sixteen lanes at once, against numpy."""

import numba
import numpy as np

from wiring_search.networks.kernels.cpu.simd import (
    LANES,
    MINUS_LOG2_E,
    aligned,
    load,
    logistic2,
    store,
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
