"""What matters in a study, from the store alone: importance of dimensions, marginals, correlations.

    found = factors_of(store)    # tables; seconds for hundreds of candidates
    page = plain_data(found)     # the same for a page: few numbers, however large the study

It needs no torch, and imports Optuna only when called. `docs/matters.md` explains each number.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.analysis import table as results
from wiring_search.analysis.correlations import correlations
from wiring_search.scores.catalogue import OBJECTIVES
from wiring_search.search_spaces import FloatRange, IntRange, Space
from wiring_search.store import Store
from wiring_search.wirings.structure import structures

if TYPE_CHECKING:
    import pandas

OnProgress = Callable[[int, int], None]

SIGNIFICANT = 0.05
# Correlations with sizes only repeat how sizes come about, so they are shown for objectives alone.
SIZES = ("synapses", "parameters")
_SEED = "wiring_seed"  # its numbers have no order
_MOST_BINS, _LEAST_IN_BIN = 20, 10


@dataclass(frozen=True)
class Factors:
    """What matters in a study.

    Attributes:
        objectives: The objectives that were chosen.
        importance: One row per objective and dimension (`importance.importances`).
        structure: One row per candidate with the full budget: trial, and the features of
            `structure.FEATURES`.
        correlations: One row per feature and score, strongest first (`correlations.correlations`),
            with `kind` (structure or dimension) and `reading` (the result in a few words).
        candidates: The study's table of the same candidates, with `on_front`.
        dimensions: Those that vary, with whether their range is logarithmic (None for names).
    """

    objectives: tuple[str, ...]
    importance: "pandas.DataFrame"
    structure: "pandas.DataFrame"
    correlations: "pandas.DataFrame"
    candidates: "pandas.DataFrame"
    dimensions: dict[str, bool | None]

    @property
    def scores(self) -> tuple[str, ...]:
        """The scores of the correlations."""
        return tuple(dict.fromkeys(self.correlations["score"])) if len(self.correlations) else ()


def factors_of(
    store: Store, objectives: Sequence[str] = (), on_progress: OnProgress = lambda done, count: None
) -> Factors:
    """Importances, structure and correlations of a study.

    Args:
        store: The study's store.
        objectives: The study's objectives if empty. Correlations also have its other scores.
        on_progress: Called as importances and wirings are computed.

    Raises:
        ValueError: A score is no objective or was not measured, or fewer than four candidates have
            been trained with the full budget.
    """
    import pandas

    from wiring_search.analysis.importance import importances

    space = Space.from_json(store.config.space)
    asked = tuple(dict.fromkeys(objectives)) or store.config.objectives
    table = results.candidates(store.table()).reset_index(drop=True)
    results.minimised_points(table, asked)  # raises for other columns
    if len(table) < 4:
        raise ValueError(
            f"{store.folder} has {len(table)} candidates with the full budget, and at least 4 are "
            "needed; resume the search"
        )
    front = set(results.front(table, store.config.objectives)["trial"])
    candidates = table.assign(on_front=table["trial"].isin(front))
    wirings = [
        candidate.wiring for candidate in store.candidates([int(trial) for trial in table["trial"]])
    ]
    half = len(wirings)
    structure = pandas.DataFrame(structures(wirings, lambda done, _: on_progress(done, 2 * half)))
    structure.insert(0, "trial", table["trial"])
    dimensions = _dimensions(space, table)
    trials = store.trials(candidates=False)
    importance = importances(
        space,
        trials,
        asked,
        store.config.seed,
        lambda done, of: on_progress(half + half * done // of, 2 * half),
    )
    measured = [
        name
        for name in store.config.measured
        if name in OBJECTIVES and name not in SIZES and name != "latency_us"
    ]
    correlated = _correlated(
        candidates, structure, dimensions, tuple(dict.fromkeys((*asked, *measured))), asked
    )
    return Factors(
        asked, pandas.DataFrame(importance), structure, correlated, candidates, dimensions
    )


def _dimensions(space: Space, table: "pandas.DataFrame") -> dict[str, bool | None]:
    """The dimensions that vary: whether their range is logarithmic, None for names."""
    found: dict[str, bool | None] = {}
    for name in space.dimensions:
        values = table[f"p.{name}"].dropna()
        if values.nunique() > 1:
            text = any(isinstance(value, str) for value in values)
            ranges = [
                one for one in space.alternatives(name) if isinstance(one, IntRange | FloatRange)
            ]
            found[name] = None if text else any(one.log for one in ranges)
    return found


def _correlated(
    table: "pandas.DataFrame",
    structure: "pandas.DataFrame",
    dimensions: dict[str, bool | None],
    scores: Sequence[str],
    asked: Sequence[str],
) -> "pandas.DataFrame":
    import pandas

    features = {name: structure[name].to_numpy(float) for name in structure if name != "trial"}
    kinds = dict.fromkeys(features, "structure")
    for name, log in dimensions.items():
        if log is None or name == _SEED:
            values = None
        else:
            values = table[f"p.{name}"].astype(float).to_numpy()
        # A layer's size is a dimension and a feature; one of them is enough.
        if values is not None and not any(_same(values, other) for other in features.values()):
            key = name if name not in features else f"p.{name}"
            features[key], kinds[key] = values, "dimension"
    of = {
        name: table[name].astype(float).to_numpy()
        for name in scores
        if name in asked or name not in SIZES
    }
    rows = correlations(features, of, table["synapses"].astype(float).to_numpy())
    found = pandas.DataFrame(rows, columns=_COLUMNS)
    found.insert(2, "kind", [kinds[feature] for feature in found["feature"]])
    found["reading"] = [reading(row) for row in found.itertuples()]
    order = found["score"].map(list(of).index), -found["rho"].abs()
    return (
        found.assign(a=order[0], b=order[1])
        .sort_values(["a", "b", "feature"], ignore_index=True)
        .drop(columns=["a", "b"])
    )


_COLUMNS = ["feature", "score", "rho", "lower", "upper", "p", "q", "n"]
_COLUMNS += ["partial", "partial_lower", "partial_upper", "partial_p", "partial_q"]


def _same(dimension: np.ndarray, feature: np.ndarray) -> bool:
    """Whether both are equal wherever the dimension exists."""
    there = np.isfinite(dimension)
    return np.array_equal(dimension[there], feature[there])


def reading(row: Any) -> str:
    """A row of correlations in a few words. Scores of size have no partial correlation."""
    sure = row.q <= SIGNIFICANT
    left = row.partial_q <= SIGNIFICANT
    if math.isnan(row.partial):
        return "significant" if sure else "not significant"
    if not sure:
        return "significant only at equal size" if left else "not significant"
    if left:
        if row.rho * row.partial > 0:
            return "not explained by size alone"
        return "opposite sign at equal size"
    if row.partial_lower <= row.rho <= row.partial_upper:
        return "undecided: size may explain it"
    return "size explains it"


def sentence(row: Any) -> str:
    """A row of correlations in words: "density against error: −0.41 (−0.55 to −0.25), at equal size
    −0.08 (−0.26 to 0.10): size explains it"."""
    said = f"{row.feature} against {row.score}: {_interval(row.rho, row.lower, row.upper)}"
    if not math.isnan(row.partial):
        said += f", at equal size {_interval(row.partial, row.partial_lower, row.partial_upper)}"
    return f"{said}: {row.reading}"


def _interval(value: float, lower: float, upper: float) -> str:
    return f"{value:.2f} ({lower:.2f} to {upper:.2f})".replace("-", "−")


def marginal(table: "pandas.DataFrame", dimension: str, score: str) -> list[dict[str, Any]]:
    """The distribution of a score along one dimension.

    There are at most twenty bins of ten candidates or more (of a third if there are fewer than
    thirty), or one bin per name. Candidates without the dimension are in no bin.

    Args:
        table: One row per candidate (`Factors.candidates`).
        dimension: Of the search space.
        score: A column of the table.

    Returns:
        For each bin: at (the median of the dimension, or the name), low and high (its range), n,
        and lower, median, upper (the quartiles of the score).
    """
    rows = table[[f"p.{dimension}", score]].dropna()
    values = rows[f"p.{dimension}"].to_numpy()
    scores = rows[score].to_numpy(float)
    found = []
    for members in _bins(values):
        of = values[members]
        low, at, high = (
            (of[0],) * 3
            if isinstance(of[0], str)
            else np.quantile(of.astype(float), (0, 0.5, 1)).tolist()
        )
        lower, median, upper = np.quantile(scores[members], (0.25, 0.5, 0.75)).tolist()
        found.append(
            {
                "at": at,
                "low": low,
                "high": high,
                "n": int(members.sum()),
                "lower": lower,
                "median": median,
                "upper": upper,
            }
        )
    return found


def _bins(values: np.ndarray) -> list[np.ndarray]:
    """Masks: one per name; neighbouring numbers together until there are enough of them."""
    different, counts = np.unique(values, return_counts=True) if len(values) else (values, values)
    if len(values) and isinstance(values[0], str):
        return [values == value for value in different]
    enough = max(len(values) / _MOST_BINS, min(_LEAST_IN_BIN, len(values) / 3))
    ends, gathered = [], 0
    for number, count in enumerate(counts):
        gathered += count
        if gathered >= enough:
            ends.append(number)
            gathered = 0
    if not ends:
        return []
    ends[-1] = len(counts) - 1  # the rest joins the last bin
    bins = np.searchsorted(different[ends], values)
    return [bins == number for number in range(len(ends))]


def plain_data(found: Factors) -> dict[str, Any]:
    """The factors as plain data for JSON: None instead of NaN.

    Returns:
        objectives; candidates (their number); enough (whether importances have 50 trials or more);
        importance: by objective, rows of dimension, importance, lower, upper, chance and trials,
        the most important first; marginals: by objective and dimension, log (None for names) and
        the bins of `marginal`; correlations: rows of `Factors.correlations`, with `sentence`.
    """
    importance = {
        name: _plain(
            found.importance[found.importance["objective"] == name].drop(
                columns=["objective", "enough"]
            )
        )
        for name in found.objectives
    }
    marginals = {
        objective: {
            name: {"log": log, "bins": _rounded(marginal(found.candidates, name, objective))}
            for name, log in found.dimensions.items()
        }
        for objective in found.objectives
    }
    correlated = found.correlations.assign(
        sentence=[sentence(row) for row in found.correlations.itertuples()]
    )
    return {
        "objectives": list(found.objectives),
        "candidates": len(found.candidates),
        "enough": bool(found.importance["enough"].all()),
        "importance": importance,
        "marginals": marginals,
        "correlations": _plain(correlated),
    }


def _plain(table: "pandas.DataFrame") -> list[dict[str, Any]]:
    return _rounded(table.to_dict("records"))


def _rounded(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: _number(value) for key, value in row.items()} for row in rows]


def _number(value: Any) -> Any:
    """Rounded to four digits: the numbers are no more precise."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.4g}") if math.isfinite(value) else None
