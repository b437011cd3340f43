"""Which small wiring is enough: the sentence of a study. All that shows it calls `enough`."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from wiring_search.analysis.pareto import is_front
from wiring_search.analysis.table import candidates, minimised_points, nearly, qualified
from wiring_search.store import Store
from wiring_search.tasks.task import value_of
from wiring_search.workers.jobs import Status

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True, eq=False)
class Enough:
    """What may be claimed.

    Attributes:
        sentence: The claim, or why there is none.
        best: The row of the best candidate that qualifies, see `results.qualified`; None where
            none does.
        small: The row of the smallest one that is `results.nearly` as good.
    """

    sentence: str
    best: "pandas.Series | None" = None
    small: "pandas.Series | None" = None


def enough(store: Store) -> Enough:
    """What a study may claim now.

    Where its whole front was retrained with several seeds, those means count, and only the
    candidates that have one: a value of the search that was chosen for being small is no match
    for a mean over fresh seeds.
    """
    finished = candidates(store.table())
    metric = store.facts["metric"]
    rules = store.facts.get("rules", {})
    if finished.empty:
        return Enough("No candidate has finished training yet.")
    fresh = _fresh(store)
    expected = fresh["mean"].reindex(finished["trial"].astype(int)).to_numpy(float)
    on_front = is_front(minimised_points(finished, store.config.objectives))
    retrained = bool(on_front.any() and np.isfinite(expected[on_front]).all())
    if retrained:
        known = np.isfinite(expected)
        finished = finished[known].assign(error=expected[known])
        expected = expected[known]
        finished[metric] = [value_of(metric, error) for error in finished["error"]]
    # A value of the search that fresh seeds have not confirmed is no claim either.
    doubted = np.fmax(finished["error"].to_numpy(float), expected)
    able = qualified(finished.assign(error=doubted), rules)
    if not able.any():
        return Enough(_none(finished.assign(error=doubted), rules, metric, fresh["mean"]))
    fit = finished[able]
    best = fit.sort_values(["error", "synapses", "trial"]).iloc[0]
    greatest, within = nearly(best["error"], metric)
    near = fit[fit["error"] <= greatest]
    small = near.sort_values(["synapses", "error", "trial"]).iloc[0]
    first = _retrained(fresh.loc[best["trial"]]) if retrained else "The best candidate"
    mean = "mean " if retrained else ""
    said = f"{first}, trial {best['trial']}, has {mean}{_value(best, metric)} with "
    said += f"{best['synapses']} synapses"
    if small["trial"] == best["trial"]:
        return Enough(f"{said}; no smaller wiring comes within {within}.", best, small)
    said += f"; the smallest wiring within {within}, trial {small['trial']}, has "
    return Enough(f"{said}{small['synapses']} ({mean}{_value(small, metric)}).", best, small)


def _fresh(store: Store) -> "pandas.DataFrame":
    """By trial, of winners that were retrained well with several seeds: the mean of their error
    on validation, the number of seeds, and how many others failed."""
    runs = store.retrainings()
    runs = runs[runs["control"] == ""]
    well = runs["status"] == Status.OK.value
    found = runs[well].groupby("trial")["error"].agg(mean="mean", seeds="count")
    found["failed"] = runs[~well].groupby("trial").size().reindex(found.index, fill_value=0)
    return found[found["seeds"] > 1]


def _retrained(fresh: "pandas.Series") -> str:
    failed = f" ({fresh['failed']:.0f} more failed)" if fresh["failed"] else ""
    return f"Retrained with {fresh['seeds']:.0f} fresh seeds{failed}, the best candidate"


def _none(
    finished: "pandas.DataFrame", rules: dict[str, float], metric: str, means: "pandas.Series"
) -> str:
    """Why no candidate qualifies. means: over fresh seeds, by trial."""
    varies = qualified(finished, {})
    if not varies.any():
        return (
            f"No wiring here does more than a constant: the outputs of {len(finished):,} "
            "candidates hardly vary over the validation split."
        )
    best = finished[varies].sort_values(["error", "synapses", "trial"]).iloc[0]
    known = {name: error for name, error in rules.items() if math.isfinite(error)}
    rule = min(known, key=known.__getitem__)
    which = "the best" if varies.all() else "the best whose outputs vary"
    mean = "mean " if means.get(best["trial"]) == best["error"] else ""
    return (
        f"No wiring here beats {rule} ({metric} {value_of(metric, rules[rule]):.4g}): {which}, "
        f"trial {best['trial']}, has {mean}{metric} {value_of(metric, best['error']):.4g} with "
        f"{best['synapses']} synapses."
    )


def _value(row: "pandas.Series", metric: str) -> str:
    return f"{metric} {row[metric]:.4g}"
