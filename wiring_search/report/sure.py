"""How sure the answer is, in sentences: what the error bars, the split's size and the number of candidates say."""

import math
from typing import TYPE_CHECKING, Any

from wiring_search.config import StudyConfig

if TYPE_CHECKING:
    import pandas


def sentences(config: StudyConfig, facts: dict[str, Any], row: "pandas.Series", judged: int) -> list[str]:
    """What qualifies the score of the trial in `row`. judged: candidates it was chosen from."""
    return [said for said in (_trainings(config, row), _split(facts, row), _choice(judged)) if said]


def standard_error_of_share(share: float, count: int) -> float:
    """Of a share of `count` independent answers that are right: √(p(1 − p)/n)."""
    return math.sqrt(max(share * (1.0 - share), 0.0) / count)


def _trainings(config: StudyConfig, row: "pandas.Series") -> str:
    if config.repeats == 1:
        return "Each candidate was trained once, so luck with initial weights is in its score."
    se = row.get("error_se", math.nan)
    bars = f", with a standard error of {se:.2g}" if se is not None and math.isfinite(se) else ""
    return f"Its error is the mean of {config.repeats} trainings{bars}."


def _split(facts: dict[str, Any], row: "pandas.Series") -> str:
    """Only where each sequence is one answer: the steps of one sequence are not independent."""
    count = facts.get("samples", {}).get("valid")
    if facts["metric"] != "accuracy" or facts.get("every_step", True) or not count:
        return ""
    se = standard_error_of_share(float(row["accuracy"]), count)
    return f"The validation split has {count:,} sequences, which alone makes an accuracy uncertain by ± {se:.2g} (one standard error)."


def _choice(judged: int) -> str:
    return (
        f"It was chosen among {judged:,} by the same split, so its score is a little optimistic; "
        "`wiring-search retrain OUT` says by how much."
    )
