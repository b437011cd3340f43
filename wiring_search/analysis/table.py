"""Rows of a study's table: candidates, the front, and candidates that have learned anything."""

import math
from typing import TYPE_CHECKING

import numpy as np

from wiring_search.analysis.pareto import is_front
from wiring_search.scores.catalogue import OBJECTIVES, minimised
from wiring_search.tasks.task import SHARES
from wiring_search.workers.jobs import CONSTANT, VARIATION, Status

if TYPE_CHECKING:
    import pandas

NEAR = 0.01


def candidates(table: "pandas.DataFrame") -> "pandas.DataFrame":
    """The rows of candidates with the full budget: no baselines, duplicates or failed trials."""
    return table[(table["status"] == Status.OK.value) & (table["baseline"] == "")]


def front(table: "pandas.DataFrame", objectives: tuple[str, ...]) -> "pandas.DataFrame":
    """The candidates that no other candidate dominates, by synapses and then error.

    Raises:
        ValueError: A column is no objective.
    """
    finished = candidates(table)
    mask = is_front(minimised_points(finished, objectives))
    return finished[mask].sort_values(["synapses", "error", "trial"]).reset_index(drop=True)


def compared(table: "pandas.DataFrame", objectives: tuple[str, ...]) -> "pandas.DataFrame":
    """The front, and below it the baselines by synapses and then error.

    The column `on_front` says whether a row is on the joint front: neither a candidate nor a
    baseline dominates it.

    Raises:
        ValueError: A column is no objective.
    """
    import pandas

    baselines = table[table["baseline"] != ""].sort_values(["synapses", "error", "baseline"])
    rows = pandas.concat([front(table, objectives), baselines], ignore_index=True)
    return rows.assign(on_front=is_front(minimised_points(rows, objectives)))


def qualified(rows: "pandas.DataFrame", rules: dict[str, float]) -> "pandas.Series":
    """Which candidates have learned anything: they beat every trivial rule, and their outputs are
    not nearly constant over the validation split, as far as the store knows.

    Args:
        rows: Candidates, with the columns `error` and `output_variation`.
        rules: Errors of trivial rules on the validation split, by name.

    Returns:
        A bool for each row.
    """
    bar = min((error for error in rules.values() if math.isfinite(error)), default=math.inf)
    return (rows["error"] < bar) & ~(rows[VARIATION] < CONSTANT)


def nearly(error: float, metric: str) -> tuple[float, str]:
    """The largest error that is nearly as good as this one, and the margin in words: 0.01 of an
    accuracy or F1, 1 % of any other error."""
    if metric in SHARES:
        return error + NEAR + 1e-12, "0.01 of it"
    return error * (1 + NEAR) + 1e-12, "1 % of it"


def minimised_points(rows: "pandas.DataFrame", objectives: tuple[str, ...]) -> np.ndarray:
    """The objectives of some rows, (rows, objectives) float64; smaller is better, NaN if missing.

    Raises:
        ValueError: A column is no objective, or was not measured.
    """
    unknown = [name for name in objectives if name not in OBJECTIVES]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no objective; known: {', '.join(OBJECTIVES)}")
    absent = [name for name in objectives if name not in rows]
    if absent:
        raise ValueError(
            f"{absent[0]} was not measured in this study; it has "
            f"{', '.join(name for name in OBJECTIVES if name in rows)}"
        )
    return minimised(
        objectives, rows[list(objectives)].astype(float).to_numpy().reshape(-1, len(objectives))
    )
