"""What retraining shows of a study's winners, from the store alone.

How good they are with fresh seeds and on the test split, how large the selection bias of the search
is, and whether their wirings beat null wirings.
"""

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.analysis import table as results
from wiring_search.analysis.generalisation_gap import FrontsOnTest, drop, fronts_on_test
from wiring_search.analysis.pareto.certainty import draw_errors, probability_on_front
from wiring_search.analysis.reference_point import reference as reference_of
from wiring_search.analysis.significance import Difference, Mean, difference, holm, mean_of
from wiring_search.store import Store
from wiring_search.wirings.null_controls import CONTROLS, inapplicable
from wiring_search.workers.jobs import Status

if TYPE_CHECKING:
    import pandas

SURE = 0.05
# What follows if a winner is no better than a control.
_NO_BETTER = {
    "rewired": "no effect of the topology beyond layers and degrees",
    "random": "no effect of the topology beyond its size",
    "polarity": "no effect of the polarities",
    "dense": "no effect of sparsity",
}


@dataclass(frozen=True, eq=False)
class Winners:
    """The retrained trials and their controls.

    All values are errors (smaller is better); `_se` are standard errors, `_lower` and `_upper` 95 %
    intervals over seeds; NaN where unknown.

    Attributes:
        table: One row per retrained trial, by synapses and trial: trial, synapses, parameters,
            latency_us, neuron, searched (its error in the search), trained and failed (fresh
            trainings that succeeded, and the others, which no mean contains), valid with its error
            columns (validation split), drop (valid − searched), tested (trainings measured on the
            test split), test with its error columns, opening (the first of its trainings, from 1;
            NA before), optimistic and pessimistic (bool: on these fronts of the test split, see
            `analysis.generalisation_gap`; False before the split is opened), certainty (the
            probability that no other winner dominates it, see `analysis.pareto.certainty`).
        controls: One row per retrained trial and control, in the order of the table and of
            `CONTROLS`: trial, control, reason (why it is not applicable, "" if it is; what follows
            is then NaN or empty), trained, failed, synapses and parameters (means over its null
            wirings), valid, valid_se, test, test_se, split ("test", or "validation" before that is
            opened: where the groups are compared), difference (control − winner: above 0, the
            winner is better), lower, upper, p (Welch), p_holm (corrected over all rows),
            p_permutation, better (A12), visible (the difference that a power of 80 % would find),
            sentence.
        overall: One row per control that was trained for two trials or more: control, trials,
            split, difference, lower, upper, p, p_holm (over the controls), sentence. The mean over
            those trials is taken draw by draw, so that the interval is over seeds.
        openings: `Store.openings`.
        runs: `Store.retrainings`, one row per training.
        seeds: The largest number of fresh trainings of a trial.
        selection_bias: valid − searched, the mean over trials.
        shift: test − valid of the same trainings, the mean over trials.
        objectives: The objectives of `fronts`.
        fronts: The winners' fronts on test; None before the split is opened for two trials.
    """

    table: "pandas.DataFrame"
    controls: "pandas.DataFrame"
    overall: "pandas.DataFrame"
    openings: "pandas.DataFrame"
    runs: "pandas.DataFrame"
    seeds: int
    selection_bias: Mean
    shift: Mean
    objectives: tuple[str, ...]
    fronts: FrontsOnTest | None


def winners(store: Store) -> Winners | None:
    """The retrained winners of a study; None if none was retrained."""
    import pandas

    runs = store.retrainings()
    original = runs[runs["control"] == ""]
    if original.empty:
        return None
    trials = store.table()
    trials = trials[trials["baseline"] == ""].set_index("trial")
    rows = [
        _winner(original[original["trial"] == trial], trials.loc[trial])
        for trial in dict.fromkeys(original["trial"])
    ]
    table = (
        pandas.DataFrame(rows)
        .astype({"opening": "Int64"})
        .sort_values(["synapses", "trial"], ignore_index=True)
    )
    objectives = tuple(store.config.objectives)
    objectives = objectives if "error" in objectives else ("error", *objectives)
    fronts = _fronts(store, table, trials, objectives)
    table["certainty"] = _certainty(table, trials, objectives)
    for name in ("optimistic", "pessimistic"):
        table[name] = False
        if fronts is not None:
            table.loc[table["tested"] > 0, name] = getattr(fronts, name)
    controls = _controls(store, runs, table)
    wide = {
        split: original.pivot(index="trial", columns="draw", values=split)
        for split in ("error", "test_error")
    }
    searched = table.set_index("trial").loc[wide["error"].index, ["searched"]].to_numpy()
    return Winners(
        table=table,
        controls=controls,
        overall=_overall(runs, controls),
        openings=store.openings(),
        runs=runs,
        seeds=int(original.groupby("trial").size().max()),
        selection_bias=drop(searched, wide["error"]),
        shift=drop(wide["error"], wide["test_error"]),
        objectives=objectives,
        fronts=fronts,
    )


def _winner(runs: "pandas.DataFrame", trial: "pandas.Series") -> dict[str, Any]:
    """runs: trainings of one winner."""
    import pandas

    good = runs[runs["status"] == Status.OK.value]
    opened = runs["opening"].dropna()
    valid = mean_of(good["error"].tolist())
    test = mean_of(good["test_error"].dropna().tolist())
    return {
        "trial": int(runs["trial"].iloc[0]),
        **{name: trial[name] for name in ("synapses", "parameters", "latency_us")},
        "neuron": trial.get("p.neuron", ""),
        "searched": float(trial["error"]),
        "trained": len(good),
        "failed": len(runs) - len(good),
        **_spread("valid", valid),
        "drop": valid.mean - float(trial["error"]),
        "tested": test.n,
        **_spread("test", test),
        "opening": int(opened.min()) if len(opened) else pandas.NA,
    }


def _spread(name: str, found: Mean) -> dict[str, float]:
    return {
        name: found.mean,
        f"{name}_se": found.se,
        f"{name}_lower": found.lower,
        f"{name}_upper": found.upper,
    }


def _points(
    table: "pandas.DataFrame", trials: "pandas.DataFrame", objectives: tuple[str, ...], split: str
) -> np.ndarray:
    """(winners, objectives), minimised: mean errors on the split over fresh seeds; other objectives
    as the search measured them."""
    rows = trials.loc[table["trial"], list(objectives)].astype(float)
    return results.minimised_points(rows.assign(error=table[split].to_numpy(float)), objectives)


def _fronts(
    store: Store, table: "pandas.DataFrame", trials: "pandas.DataFrame", objectives: tuple[str, ...]
) -> FrontsOnTest | None:
    tested = table[table["tested"] > 0]
    reference = reference_of(store, objectives)
    if len(tested) < 2 or not reference.known:
        return None
    on_valid, on_test = (_points(tested, trials, objectives, split) for split in ("valid", "test"))
    return fronts_on_test(on_valid, on_test, reference.point)


def _certainty(
    table: "pandas.DataFrame", trials: "pandas.DataFrame", objectives: tuple[str, ...]
) -> np.ndarray:
    """On test if all winners are tested."""
    split, counted = ("test", "tested") if (table["tested"] > 0).all() else ("valid", "trained")
    errors = draw_errors(table[split], table[f"{split}_se"], table[counted] - 1)
    return probability_on_front(
        _points(table, trials, objectives, split), objectives.index("error"), errors
    )


def _controls(
    store: Store, runs: "pandas.DataFrame", table: "pandas.DataFrame"
) -> "pandas.DataFrame":
    import pandas

    trained = runs.groupby(["trial", "control"]).groups
    chosen = [int(trial) for trial in table["trial"]] if (runs["control"] != "").any() else []
    rows: list[dict[str, Any]] = []
    found: list[tuple[Difference | None, int]] = []
    for trial, candidate in zip(chosen, store.candidates(chosen), strict=True):
        original = runs[(runs["trial"] == trial) & (runs["control"] == "")]
        for control in CONTROLS:
            if (trial, control) in trained:
                null = runs.loc[trained[trial, control]]
                row, compared = _control(original, null)
                found.append(compared)
            elif reason := inapplicable(candidate, control):
                row = {"reason": reason}
                found.append((None, 0))
            else:
                continue
            rows.append({"trial": trial, "control": control, **row})
    columns = [
        "trial",
        "control",
        "reason",
        "trained",
        "failed",
        "synapses",
        "parameters",
        "valid",
        "valid_se",
        "test",
        "test_se",
    ]
    columns += [
        "split",
        "difference",
        "lower",
        "upper",
        "p",
        "p_holm",
        "p_permutation",
        "better",
        "visible",
        "sentence",
    ]
    made = pandas.DataFrame(rows, columns=columns).astype({"trained": "Int64", "failed": "Int64"})
    made["p_holm"] = holm(made["p"].astype(float))
    made["sentence"] = [
        f"not applicable: {row.reason}"
        if compared is None
        else _sentence(row.control, compared, row.p_holm, seeds)
        for row, (compared, seeds) in zip(made.itertuples(), found, strict=True)
    ]
    return made


def _control(
    original: "pandas.DataFrame", null: "pandas.DataFrame"
) -> tuple[dict[str, Any], tuple[Difference, int]]:
    """One winner's trainings against those of a control; also the smaller number of trainings."""
    good = null[null["status"] == Status.OK.value]
    split, column = _split(original, null)
    groups = [group[column].dropna().tolist() for group in (original, null)]
    compared = difference(*groups)
    values = {
        "difference" if name == "mean" else name: value for name, value in asdict(compared).items()
    }
    valid = mean_of(good["error"].tolist())
    test = mean_of(good["test_error"].dropna().tolist())
    return {
        "reason": "",
        "trained": len(good),
        "failed": len(null) - len(good),
        "synapses": float(null["synapses"].mean()),
        "parameters": float(null["parameters"].mean()),
        **{"valid": valid.mean, "valid_se": valid.se, "test": test.mean, "test_se": test.se},
        "split": split,
        **values,
    }, (compared, min(map(len, groups)))


def _split(*groups: "pandas.DataFrame") -> tuple[str, str]:
    """The split on which groups are compared, and its column of errors: test if every successful
    training was tested."""
    opened = all(
        group.loc[group["status"] == Status.OK.value, "tested"].notna().all() for group in groups
    )
    return ("test", "test_error") if opened else ("validation", "error")


def _overall(runs: "pandas.DataFrame", controls: "pandas.DataFrame") -> "pandas.DataFrame":
    """Each control, over all trials that have it."""
    import pandas

    rows = []
    for control in dict.fromkeys(controls.loc[controls["reason"] == "", "control"]):
        trials = controls.loc[
            (controls["control"] == control) & (controls["reason"] == ""), "trial"
        ]
        if len(trials) < 2:
            continue
        original, null = (
            runs[(runs["control"] == name) & runs["trial"].isin(trials)] for name in ("", control)
        )
        split, column = _split(original, null)
        one, two = (
            group.pivot(index="trial", columns="draw", values=column) for group in (original, null)
        )
        both = one.columns.intersection(two.columns)
        mean = drop(one[both], two[both])
        rows.append(
            {
                "control": control,
                "trials": len(trials),
                "split": split,
                "difference": mean.mean,
                "lower": mean.lower,
            }
        )
        rows[-1] |= {"upper": mean.upper, "p": mean.p}
    table = pandas.DataFrame(
        rows, columns=["control", "trials", "split", "difference", "lower", "upper", "p"]
    )
    table["p_holm"] = holm(table["p"].astype(float))
    table["sentence"] = [_sentence_of_all(row) for row in table.itertuples()]
    return table


def _sentence(control: str, found: Difference, p: float, seeds: int) -> str:
    what = CONTROLS[control]
    if math.isnan(p):
        return f"not comparable with {what}: {seeds} successful trainings are too few"
    better = found.mean > 0
    if p < SURE:
        verb, way = ("beats", "lower") if better else ("is worse than", "higher")
        return f"the wiring {verb} {what} ({abs(found.mean):.2g} {way} error, p = {p:.2g})"
    if found.p < SURE:
        verb = "better" if better else "worse"
        return (
            f"perhaps {verb} than {what} ({found.mean:+.2g}; p = {found.p:.2g}, but {p:.2g} after "
            "Holm's correction)"
        )
    return f"no better than {what} ({found.mean:+.2g}, p = {p:.2g}): {_NO_BETTER[control]}"


def _sentence_of_all(row: Any) -> str:
    what = CONTROLS[row.control]
    if math.isnan(row.p_holm):
        return f"not comparable with {what}: too few successful trainings"
    interval = f"95 %: {row.lower:+.2g} to {row.upper:+.2g}"
    better = row.difference > 0
    if row.p_holm < SURE:
        verb = "beat" if better else "are worse than"
        return (
            f"over {row.trials} trials, the wirings {verb} {what} by {abs(row.difference):.2g} "
            f"({interval}, p = {row.p_holm:.2g})"
        )
    if row.p < SURE:
        sureness = f"p = {row.p:.2g}, but {row.p_holm:.2g} after Holm's correction"
        verb = "better" if better else "worse"
        return (
            f"over {row.trials} trials, perhaps {verb} than {what} ({row.difference:+.2g}, "
            f"{interval}; {sureness})"
        )
    return (
        f"over {row.trials} trials, no better than {what} ({row.difference:+.2g}, {interval}): "
        f"{_NO_BETTER[row.control]}"
    )
