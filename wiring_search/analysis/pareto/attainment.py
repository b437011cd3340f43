"""What several runs reach: attainment surfaces (Grunert da Fonseca, Fonseca and Hall 2001).

A run attains a point where one of its points is there or better in every objective. The surface of
a level bounds what at least that share of the runs attain; that of one half is the median run.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from wiring_search.analysis.pareto.dominance import checked


def attainment(
    runs: Sequence[ArrayLike], levels: Sequence[float] = (0.25, 0.5, 0.75)
) -> list[np.ndarray]:
    """Return the surface of each level for two objectives.

    Args:
        runs: (points, 2) each; points that are not finite count as absent.
        levels: Shares of the runs, above 0 and up to 1; of n runs the least number counts that is
            no smaller share.

    Returns:
        By level, corners (m, 2): the first objective rises as the other falls. There are none where
        too few runs have a point.

    Raises:
        ValueError: There is no run, a level is out of range, or there are not two objectives.

    Source:
        Grunert da Fonseca, Fonseca and Hall, "Inferential performance assessment of stochastic
        optimisers and the attainment function", EMO 2001.
    """
    if not len(runs):
        raise ValueError("there are no runs; give one or more")
    wrong = next((level for level in levels if not 0 < level <= 1), None)
    if wrong is not None:
        raise ValueError(
            f"a level is {wrong!r}; give shares of the runs above 0, up to 1, such as 0.5"
        )
    points = [checked(run) for run in runs]
    shape = next((run.shape for run in points if run.shape[1] != 2), None)
    if shape is not None:
        raise ValueError(
            f"a run has shape {shape}; attainment surfaces are drawn for two objectives"
        )
    points = [run[np.isfinite(run).all(axis=1)] for run in points]
    across = np.unique(np.concatenate([run[:, 0] for run in points]))
    # (numbers across, runs): the least second number that each run has up to there; then by how
    # many runs have it.
    least = np.sort(np.stack([_least_up_to(run, across) for run in points], axis=1), axis=1)
    return [_corners(across, least[:, math.ceil(level * len(runs) - 1e-9) - 1]) for level in levels]


def _least_up_to(run: np.ndarray, across: np.ndarray) -> np.ndarray:
    run = run[np.argsort(run[:, 0], kind="stable")]
    so_far = np.minimum.accumulate(np.concatenate([[math.inf], run[:, 1]]))
    return so_far[np.searchsorted(run[:, 0], across, side="right")]


def _corners(across: np.ndarray, least: np.ndarray) -> np.ndarray:
    falls = least < np.concatenate([[math.inf], least[:-1]])
    return np.stack([across[falls], least[falls]], axis=1)
