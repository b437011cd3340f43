"""Training states are plain arrays: they come back bit for bit, and reading one runs no code."""

import io

import numpy as np
import pytest

from wiring_search.training.state import best_state, epochs_of, load_state, save_state


def test_arrays_come_back_as_they_were() -> None:
    given = {"weights": np.float32([1.5, -0.1]), "step": np.array([3]), "epochs": np.array(2)}
    found = load_state(save_state(given))
    assert list(found) == list(given)
    for name, array in given.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_objects_are_refused_when_a_state_is_saved() -> None:
    with pytest.raises(ValueError, match="curve holds objects; give arrays of numbers"):
        save_state({"curve": np.array([{"a": 1}], object)})


def test_objects_are_refused_when_a_state_is_read() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, curve=np.array([{"a": 1}], object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        load_state(buffer.getvalue())


def test_epochs_are_those_that_were_trained() -> None:
    inherited = save_state({"weights": np.zeros(2, np.float32)})
    assert [epochs_of(None), epochs_of(inherited)] == [0, 0]
    assert epochs_of(save_state({"epochs": np.array(7)})) == 7


def test_the_best_epoch_gives_the_weights() -> None:
    last, best = np.float32([1.0]), np.float32([2.0])
    found = best_state(save_state({"weights": last, "best_weights": best}))
    np.testing.assert_array_equal(found["weights"], best)
