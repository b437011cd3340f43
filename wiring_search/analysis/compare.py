"""Comparison of studies: hypervolumes and distances of runs, means of methods, significance.

Hypervolumes are shares of the box between the best value of each objective in any study and the
shared reference point. IGD+ and additive epsilon are distances to the joint front of all studies,
with that box scaled to 0 … 1.

Means over seeds have a 95 % interval by the bootstrap (Efron 1979, percentiles). Pairs of methods
are tested after Mann and Whitney (1947, exact if there are no ties), corrected after Holm (1979),
with the effect size of Vargha and Delaney (2000). One run of a method is one draw, which says
nothing about the method.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.analysis.pareto import (
    additive_epsilon,
    hypervolume,
    hypervolume_course,
    igd_plus,
    is_front,
    scaled,
)
from wiring_search.analysis.reference_point import Reference
from wiring_search.analysis.studies import (
    Method,
    OnProgress,
    Study,
    methods_of,
    read_studies,
    show_nothing,
)
from wiring_search.analysis.table import minimised_points, nearly, qualified
from wiring_search.workers.jobs import Status

if TYPE_CHECKING:
    import pandas

_RESAMPLES = 10_000
_MEANS = [
    "judged",
    "core_seconds",
    "error",
    "synapses",
    "enough",
    "hypervolume",
    "share",
    "share_equal",
    "igd_plus",
    "epsilon",
]
# Most over least core-seconds of a run, from which on the costs count as unequal.
_UNEQUAL = 1.25


@dataclass(frozen=True)
class Comparison:
    """Several studies of one task, compared.

    Attributes:
        task: The task's name.
        metric: The task's metric.
        objectives: The objectives of the fronts.
        reference: The shared reference point.
        best: The best value of each objective in any study, (objectives,), minimised.
        of: The methods with their runs.
        runs: One row per study: method, study, seed, ended, judged (candidates that finished a
            rung), core_seconds (of training and scoring), error (the best), synapses (of that
            candidate), enough (synapses of the smallest candidate nearly as good as the best of all
            studies; NaN without one), hypervolume (in the units of the objectives), share (of the
            box), share_equal (the share after as many core-seconds as the cheapest run spent in
            all), igd_plus, epsilon.
        methods: One row per method, means of its runs: the same names, with runs (their number),
            share_lower and share_upper (the interval of the mean; NaN for fewer than three runs).
        pairs: One row per pair of methods with two runs or more each: first, second, difference (of
            mean shares), p, p_holm, least_p (the smallest possible p with so few runs) and better
            (the probability that a run of the first has the larger share).
    """

    task: str
    metric: str
    objectives: tuple[str, ...]
    reference: Reference
    best: np.ndarray
    of: tuple[Method, ...]
    runs: "pandas.DataFrame"
    methods: "pandas.DataFrame"
    pairs: "pandas.DataFrame"

    @property
    def answer(self) -> str:
        """The conclusion, in a sentence or two."""
        ranked = self.methods.sort_values("share", ascending=False)
        first = ranked.iloc[0]
        if not first["share"] > 0:
            return (
                "All hypervolumes are 0: no candidate beats the reference point in every objective."
            )
        if len(ranked) == 1:
            return (
                f"All {len(self.runs)} studies are runs of one method, {first['method']}. They "
                "differ only in their seeds."
            )
        second = ranked.iloc[1]
        lead = (
            f"{first['method']} has a mean hypervolume of {first['share']:.3f}, "
            f"{second['method']} of {second['share']:.3f}."
        )
        if self.pairs.empty:
            return f"{lead} One seed per method does not show which method is better."
        significant = self.pairs[self.pairs["p_holm"] < 0.05]
        if significant.empty:
            least = self.pairs["p_holm"].min()
            return (
                f"{lead} No difference between methods is significant (smallest p = {least:.2g})."
            )
        parts = []
        for _, row in significant.iterrows():
            win, lose = ("first", "second") if row["difference"] > 0 else ("second", "first")
            parts.append(f"{row[win]} beats {row[lose]} (p = {row['p_holm']:.2g})")
        return f"{lead} Significant differences: {'; '.join(parts)}."

    @property
    def cautions(self) -> list[str]:
        """The limits of that conclusion, in sentences."""
        said = []
        single = self.methods.loc[self.methods["runs"] == 1, "method"]
        if len(single):
            said.append(f"Only one run: {', '.join(single)}. One seed says nothing about a method.")
        if len(self.pairs) and (self.pairs["least_p"] >= 0.05).any():
            least = self.pairs["least_p"].max()
            said.append(
                f"With so few runs, p is at least {least:.2g}, however large the difference. Four "
                "runs per method reach 0.03."
            )
        bare = self.runs.loc[self.runs["error"].isna(), "study"]
        if len(bare):
            said.append(
                f"No candidate has finished yet: {', '.join(bare)}. The hypervolume there is 0."
            )
        cost = self.runs.loc[self.runs["core_seconds"] > 0, "core_seconds"]
        if cost.max() > _UNEQUAL * cost.min():
            said.append(
                "The runs differ in cost. See the hypervolume at equal cost, and the curves over "
                "core-seconds."
            )
        if not self.runs["ended"].all():
            said.append("Some studies have not ended.")
        return said


def compare(
    folders: Sequence[str | Path],
    objectives: tuple[str, ...] = (),
    given: dict[str, float] | None = None,
    on_progress: OnProgress = show_nothing,
) -> Comparison:
    """Compare the studies in some run folders.

    Args:
        folders: The run folders, of one task.
        objectives: By default, those that all studies have in common.
        given: Numbers of the reference point for some objectives.
        on_progress: Called after each study that was read.

    Raises:
        ValueError: As `read_studies`.
    """
    import pandas

    studies, corner = read_studies([Path(folder) for folder in folders], objectives, on_progress)
    corner = corner.with_given(given or {})
    points = np.concatenate([study.points for study in studies])
    union = np.unique(points[is_front(points)], axis=0)
    low = union.min(axis=0)
    high = np.maximum(corner.point, union.min(axis=0))
    methods = methods_of(studies)
    cheapest = min(float(_spent(study)[-1]) for study in studies if len(study.history))
    errors = [float(error) for study in studies for error in _able(study)["error"]]
    greatest, _ = nearly(min(errors, default=math.nan), studies[0].facts["metric"])
    rows = []
    for method in methods:
        for study in method.runs:
            course = course_of(study, corner)
            equal = course["hypervolume"][course["seconds"] <= cheapest * (1 + 1e-9)]
            rows.append(
                {
                    "method": method.name,
                    "study": study.name,
                    "seed": study.config.seed,
                    "ended": study.ended,
                    "judged": int(study.history["trial"].nunique()),
                    "core_seconds": float(_spent(study)[-1]) if len(study.history) else 0.0,
                    **_best(study, greatest),
                    **_measured(study.points, union, low, high, corner.point),
                    "share_equal": float(equal[-1]) / _box(low, high) if len(equal) else 0.0,
                }
            )
    runs = pandas.DataFrame(rows)
    return Comparison(
        studies[0].config.task,
        studies[0].facts["metric"],
        corner.objectives,
        corner,
        low,
        methods,
        runs,
        _means(runs),
        _pairs(runs),
    )


def course_of(study: Study, corner: Reference) -> dict[str, np.ndarray]:
    """A search in the order in which its packs finished, at every candidate with the full budget.

    Returns:
        judged (candidates that had finished a rung by then), seconds (core-seconds of training and
        scoring) and hypervolume (in the units of the objectives), each (candidates,).
    """
    rows = study.history
    whole = (rows["status"] == Status.OK.value).to_numpy()
    first = ~rows["trial"].duplicated().to_numpy()
    volumes = hypervolume_course(minimised_points(rows[whole], corner.objectives), corner.point)
    return {
        "judged": first.cumsum()[whole],
        "seconds": _spent(study)[whole],
        "hypervolume": volumes,
    }


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """The 95 % interval of the mean; NaN for fewer than three values."""
    if len(values) < 3:
        return math.nan, math.nan
    drawn = np.random.default_rng(seed).choice(np.asarray(values, float), (_RESAMPLES, len(values)))
    lower, upper = np.quantile(drawn.mean(axis=1), (0.025, 0.975))
    return float(lower), float(upper)


def _spent(study: Study) -> np.ndarray:
    return (
        study.history[["train_seconds", "score_seconds"]]
        .fillna(0.0)
        .sum(axis=1)
        .to_numpy(float)
        .cumsum()
    )


def _able(study: Study) -> "pandas.DataFrame":
    return study.finished[qualified(study.finished, study.facts.get("rules", {}))]


def _best(study: Study, greatest: float) -> dict[str, float]:
    rows = study.finished
    if rows.empty:
        return {"error": math.nan, "synapses": math.nan, "enough": math.nan}
    best = rows.sort_values(["error", "synapses"]).iloc[0]
    able = _able(study)
    near = able.loc[able["error"] <= greatest, "synapses"]
    return {
        "error": float(best["error"]),
        "synapses": float(best["synapses"]),
        "enough": float(near.min()) if len(near) else math.nan,
    }


def _measured(
    points: np.ndarray, union: np.ndarray, low: np.ndarray, high: np.ndarray, corner: np.ndarray
) -> dict[str, float]:
    volume = hypervolume(points, corner)
    front = scaled(points[is_front(points)], low, high)
    all_of_them = scaled(union, low, high)
    return {
        "hypervolume": volume,
        "share": volume / _box(low, high),
        "igd_plus": igd_plus(front, all_of_them),
        "epsilon": additive_epsilon(front, all_of_them),
    }


def _box(low: np.ndarray, high: np.ndarray) -> float:
    """The volume of the box; 1 if it is empty, for hypervolumes are 0 then."""
    return float(np.prod(high - low)) or 1.0


def _means(runs: "pandas.DataFrame") -> "pandas.DataFrame":
    import pandas

    rows: list[dict[str, Any]] = []
    for name, group in runs.groupby("method", sort=False):
        lower, upper = bootstrap_interval(group["share"].to_list())
        means = group[_MEANS].mean(skipna=False)
        rows.append(
            {
                "method": name,
                "runs": len(group),
                **means,
                "share_lower": lower,
                "share_upper": upper,
            }
        )
    return pandas.DataFrame(rows)


def _pairs(runs: "pandas.DataFrame") -> "pandas.DataFrame":
    import pandas
    from scipy.stats import mannwhitneyu

    from wiring_search.analysis.significance import a12, holm

    shares = {
        name: group["share"].to_numpy()
        for name, group in runs.groupby("method", sort=False)
        if len(group) > 1
    }
    rows = [
        {
            "first": one,
            "second": other,
            "difference": float(shares[one].mean() - shares[other].mean()),
            "p": float(mannwhitneyu(shares[one], shares[other]).pvalue),
            "least_p": min(
                1.0, 2 / math.comb(len(shares[one]) + len(shares[other]), len(shares[one]))
            ),
            "better": a12(shares[other], shares[one]),
        }
        for one, other in combinations(shares, 2)
    ]
    table = pandas.DataFrame(
        rows, columns=["first", "second", "difference", "p", "least_p", "better"]
    )
    return table.assign(p_holm=holm(table["p"].to_list()))
