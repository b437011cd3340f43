"""The uncertainty of the answer, in sentences: error bars, size of the split, selection bias."""

import math
from typing import TYPE_CHECKING, Any

from wiring_search.analysis.winners import SURE, Winners
from wiring_search.report.winners import of_trial, selection_bias
from wiring_search.store import Store
from wiring_search.store.config import StudyConfig
from wiring_search.tasks.task import value_of
from wiring_search.wirings.null_controls import CONTROLS

if TYPE_CHECKING:
    import pandas


def sentences(store: Store, row: "pandas.Series", judged: int, found: Winners | None) -> list[str]:
    """Return what qualifies the score of a trial, in sentences.

    Args:
        store: The study's store.
        row: The trial's row of the table.
        judged: Candidates that it was chosen from.
        found: The results of retraining, if any.
    """
    retrained = None if found is None else of_trial(found, int(row["trial"]))
    if found is None or retrained is None:
        said = [
            _trainings(store.config, row),
            _others(found),
            _split(store.facts, row),
            _choice(judged),
        ]
    else:
        nulls = found.controls[
            (found.controls["trial"] == row["trial"]) & found.controls["difference"].notna()
        ]
        said = [
            _again(store.facts["metric"], retrained),
            _tested(store.facts["metric"], retrained),
            _split(store.facts, row),
            _held_against(nulls),
        ]
    return [text for text in said if text]


def standard_error_of_share(share: float, count: int) -> float:
    """Return the standard error of a share of independent answers: √(p(1 − p)/n).

    Args:
        share: p, of answers that are right.
        count: n.
    """
    return math.sqrt(max(share * (1.0 - share), 0.0) / count)


def _others(found: Winners | None) -> str:
    if found is None:
        return ""
    return f"This wiring was not retrained; {len(found.table)} others were. {selection_bias(found)}"


def _again(metric: str, retrained: "pandas.Series") -> str:
    now = f"{value_of(metric, retrained['valid']):.4g}{_interval(retrained['valid_se'])}"
    before = f"in the search it was {value_of(metric, retrained['searched']):.4g}"
    return (
        f"Retrained {retrained['trained']} times with fresh seeds, its {metric} on validation is "
        f"{now}; {before}."
    )


def _tested(metric: str, retrained: "pandas.Series") -> str:
    if not retrained["tested"]:
        return "The test split has not been opened for this wiring."
    shown = f"{value_of(metric, retrained['test']):.4g}{_interval(retrained['test_se'])}"
    return (
        f"On the test split, opened once for these {retrained['tested']} networks, its {metric} is "
        f"{shown}."
    )


def _interval(se: float) -> str:
    return f" ± {se:.2g} (standard error)" if math.isfinite(se) else ""


def _held_against(nulls: "pandas.DataFrame") -> str:
    """The comparison with the null wirings, in one sentence."""
    sure = nulls["p_holm"] < SURE
    said = {
        "significantly better than": nulls[sure & (nulls["difference"] > 0)],
        "significantly worse than": nulls[sure & (nulls["difference"] < 0)],
        "not significantly different from": nulls[~sure],
    }
    parts = [
        f"{how} {_list([CONTROLS[name] for name in rows['control']])}"
        for how, rows in said.items()
        if len(rows)
    ]
    return f"The wiring is {'; '.join(parts)}." if parts else ""


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _trainings(config: StudyConfig, row: "pandas.Series") -> str:
    if config.repeats == 1:
        return "No error bars: each candidate was trained once."
    se = row.get("error_se", math.nan)
    bars = f", with a standard error of {se:.2g}" if se is not None and math.isfinite(se) else ""
    return f"Its error is the mean of {config.repeats} trainings{bars}."


def _split(facts: dict[str, Any], row: "pandas.Series") -> str:
    """Only where each sequence is one answer: the steps of one sequence are not independent."""
    count = facts.get("samples", {}).get("valid")
    if facts["metric"] != "accuracy" or facts.get("every_step", True) or not count:
        return ""
    se = standard_error_of_share(float(row["accuracy"]), count)
    return (
        f"The validation split has {count:,} sequences; its size alone gives the accuracy a "
        f"standard error of {se:.2g}."
    )


def _choice(judged: int) -> str:
    return (
        f"Selection bias: it was chosen from {judged:,} candidates on the same split, so its "
        "score is optimistic; "
        "`wiring-search retrain OUT` measures by how much."
    )
