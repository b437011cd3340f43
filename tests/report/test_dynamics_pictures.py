"""Pictures of dynamics show the numbers that they were given."""

import numpy as np
import pytest

from wiring_search.report.pictures.dynamics import (
    draw_gradient_flow,
    draw_time_constants,
    draw_trajectories,
)
from wiring_search.scores.gradient import GradientFlow, fitted_slopes
from wiring_search.scores.trajectory import path_length, principal_plane

PATHS = [np.random.default_rng(k).standard_normal((30, 6)).cumsum(axis=0) for k in range(3)]


def test_trajectories_are_drawn_in_their_planes() -> None:
    ax = draw_trajectories(PATHS, ["a", "b", "c"])
    lines, starts = ax.lines[::2], ax.lines[1::2]
    for path, line, start in zip(PATHS, lines, starts, strict=True):
        assert np.array_equal(line.get_xydata(), principal_plane(path))
        assert np.array_equal(start.get_xydata()[0], principal_plane(path)[0])
    assert [text.get_text() for text in ax.get_legend().texts] == [
        f"{label}, length {path_length(principal_plane(path)):.2g}"
        for label, path in zip("abc", PATHS, strict=True)
    ]


def test_gradient_norms_are_drawn_with_their_slope() -> None:
    log_norms = np.stack([-0.5 * np.arange(9.0), 0.1 * np.arange(9.0)])
    ax = draw_gradient_flow(
        GradientFlow(log_norms, fitted_slopes(log_norms), ("vanishing", "healthy")), ["a", "b"]
    )
    _, dots, fit, *_ = ax.lines
    assert np.allclose(dots.get_ydata(), log_norms[0] / np.log(10))
    assert np.allclose(fit.get_ydata(), dots.get_ydata())
    assert ax.get_legend().texts[1].get_text() == "b: +0.100 a step, healthy"


def test_time_constants_are_drawn_sorted_and_none_is_lost() -> None:
    ax = draw_time_constants([np.array([3.0, np.inf, 0.5, 0.0]), np.array([2.0, 1.0])], ["a", "b"])
    assert ax.lines[0].get_xydata().tolist() == [[0.5, 0.5], [3.0, 0.75]]
    assert [text.get_text() for text in ax.get_legend().texts] == ["a, 1 at 0, 1 at ∞", "b"]


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="at most 8"):
        draw_trajectories(PATHS * 3, list("abcdefghi"))
    with pytest.raises(ValueError, match="3 candidates but 1 labels"):
        draw_time_constants(PATHS, ["a"])
    with pytest.raises(ValueError, match="one neuron"):
        draw_trajectories([PATHS[0][:, :1]], ["a"])
