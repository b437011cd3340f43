"""What the comparison says: volumes and distances of every run, means of every method, and which
differences are more than luck.

Hypervolumes are shares of the box between the best that any study has reached in each objective and
the shared reference point; IGD+ and additive epsilon are measured to the front of all studies
together, with that box brought to 0 … 1.

Of runs with several seeds, means have a 95 % interval by the bootstrap (Efron 1979, percentiles),
and pairs of methods are tested by Mann and Whitney (1947, exact where there are no ties), corrected
after Holm (1979), with the effect size of Vargha and Delaney (2000). One run of a method is one
draw: nothing can be concluded from it about the method.
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
from wiring_search.analysis.studies import Method, Study, Told, methods_of, read_studies
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
# Core-seconds of the dearest run over those of the cheapest, from which on that has to be said.
_UNEQUAL = 1.25


@dataclass(frozen=True)
class Comparison:
    """runs: one row a study. method, study, seed, ended; judged: candidates that finished a rung,
    core_seconds: of training and scoring; error: the best, synapses: those of that candidate;
    enough: synapses of the smallest candidate that comes near the best of all studies, NaN where
    none does; hypervolume: in the objectives' own units; share: of the box; share_equal: the same
    when as many core-seconds had been spent as the cheapest run that has begun has in all;
    igd_plus, epsilon.

    methods: one row a method, means of its runs: the same names, with runs (their number) and
    share_lower, share_upper (the interval of the mean, NaN with fewer than three runs).

    pairs: one row a pair of methods with two runs or more each: first, second, difference (of mean
    shares), p, p_holm, least_p (the least that there could be with so few runs) and better
    (probability that a run of the first has the larger share).
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
        """What can be concluded, in a sentence or two."""
        ranked = self.methods.sort_values("share", ascending=False)
        first, second = ranked.iloc[0], ranked.iloc[1] if len(ranked) > 1 else None
        if not first["share"] > 0:
            return "No study has a candidate that beats the reference point in every objective, so all hypervolumes are 0."
        if second is None:
            return f"All {len(self.runs)} studies are runs of one method, {first['method']}: they differ by their seeds alone."
        lead = f"{first['method']} covers {first['share']:.3f} of the box, {second['method']} {second['share']:.3f}"
        if self.pairs.empty:
            return f"{lead}; but from one seed a method nothing can be concluded about the methods."
        surely = self.pairs[self.pairs["p_holm"] < 0.05]
        if surely.empty:
            return f"{lead}; no difference between methods with several runs is significant (at best p = {self.pairs['p_holm'].min():.2g})."
        said = []
        for _, row in surely.iterrows():
            win, lose = ("first", "second") if row["difference"] > 0 else ("second", "first")
            said.append(f"{row[win]} beats {row[lose]} (p = {row['p_holm']:.2g})")
        return f"{lead}. Significant: {'; '.join(said)}."

    @property
    def cautions(self) -> list[str]:
        """What stands against concluding more."""
        said = []
        single = self.methods.loc[self.methods["runs"] == 1, "method"]
        if len(single):
            said.append(
                f"One run alone: {', '.join(single)}. Nothing can be concluded about a method from one seed."
            )
        if len(self.pairs) and (self.pairs["least_p"] >= 0.05).any():
            least = self.pairs["least_p"].max()
            said.append(
                f"With so few runs p cannot be below {least:.2g}, however large the difference; four of each reach 0.03."
            )
        bare = self.runs.loc[self.runs["error"].isna(), "study"]
        if len(bare):
            said.append(
                f"No candidate has finished in {', '.join(bare)}; its hypervolume counts as 0."
            )
        cost = self.runs.loc[self.runs["core_seconds"] > 0, "core_seconds"]
        if cost.max() > _UNEQUAL * cost.min():
            said.append(
                "The runs have not cost the same; look at the hypervolume at equal cost, and at the curves over core-seconds."
            )
        if not self.runs["ended"].all():
            said.append("Not all of the studies have run to their end.")
        return said


def compare(
    folders: Sequence[str | Path],
    objectives: tuple[str, ...] = (),
    given: dict[str, float] | None = None,
    told: Told = lambda done, count: None,
) -> Comparison:
    """Compare the studies in these run folders, all of one task. objectives: those that all of them
    have searched for, by default; given: numbers of the reference point for some of them. Raises
    ValueError as `read_studies` does."""
    import pandas

    studies, corner = read_studies([Path(folder) for folder in folders], objectives, told)
    corner = corner.with_given(given or {})
    points = np.concatenate([study.points for study in studies])
    union = np.unique(points[is_front(points)], axis=0)
    low, high = union.min(axis=0), np.maximum(corner.point, union.min(axis=0))
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
    """The search in the order in which its packs were finished, at every candidate that got the
    full budget. judged: candidates that had finished a rung by then; seconds: core-seconds of
    training and scoring; hypervolume: in own units."""
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
    """Of the mean, with 95 % confidence; NaN for fewer than three values, of which resamples say
    nothing."""
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
    return study.finished[qualified(study.finished, study.facts.get("baselines", {}))]


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
    front, all_of_them = scaled(points[is_front(points)], low, high), scaled(union, low, high)
    return {
        "hypervolume": volume,
        "share": volume / _box(low, high),
        "igd_plus": igd_plus(front, all_of_them),
        "epsilon": additive_epsilon(front, all_of_them),
    }


def _box(low: np.ndarray, high: np.ndarray) -> float:
    """Where the reference is beaten in no way, hypervolumes are 0 of whatever there is."""
    return float(np.prod(high - low)) or 1.0


def _means(runs: "pandas.DataFrame") -> "pandas.DataFrame":
    import pandas

    rows: list[dict[str, Any]] = []
    for name, own in runs.groupby("method", sort=False):
        lower, upper = bootstrap_interval(own["share"].to_list())
        means = own[_MEANS].mean(skipna=False)
        rows.append(
            {"method": name, "runs": len(own), **means, "share_lower": lower, "share_upper": upper}
        )
    return pandas.DataFrame(rows)


def _pairs(runs: "pandas.DataFrame") -> "pandas.DataFrame":
    import pandas
    from scipy.stats import mannwhitneyu

    from wiring_search.analysis.significance import a12, holm

    shares = {
        name: own["share"].to_numpy()
        for name, own in runs.groupby("method", sort=False)
        if len(own) > 1
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
