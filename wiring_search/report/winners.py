"""Retrained winners as a page shows them: fresh seeds, the test split, null wirings."""

import math
from typing import TYPE_CHECKING, Any

from wiring_search.analysis.significance import Mean
from wiring_search.analysis.winners import Winners
from wiring_search.report.columns import listed, rounded

if TYPE_CHECKING:
    import pandas

_WINNER = (
    "trial",
    "synapses",
    "searched",
    "trained",
    "failed",
    "valid",
    "valid_se",
    "valid_lower",
    "valid_upper",
    "drop",
    "tested",
    "test",
    "test_se",
    "test_lower",
    "test_upper",
    "optimistic",
    "pessimistic",
    "certainty",
)
_CONTROL = (
    "trial",
    "control",
    "trained",
    "synapses",
    "split",
    "difference",
    "lower",
    "upper",
    "p_holm",
    "better",
    "sentence",
)
_OVERALL = ("control", "trials", "difference", "lower", "upper", "p_holm", "sentence")


def winners_data(found: Winners) -> dict[str, Any]:
    """Return rows of `Winners` as a page shows them, with findings in sentences."""
    return {
        "seeds": found.seeds,
        "findings": [
            said for said in (selection_bias(found), _shift(found.shift), _gap(found)) if said
        ],
        "rows": _records(found.table, _WINNER),
        "controls": _records(found.controls, _CONTROL),
        "overall": _records(found.overall, _OVERALL),
        "openings": [
            {
                "opening": int(row["opening"]),
                "opened": row["opened"],
                "purpose": row["purpose"],
                "networks": len(row["networks"]),
            }
            for _, row in found.openings.iterrows()
        ],
    }


def of_trial(found: Winners, trial: int) -> "pandas.Series | None":
    """Return the row of a trial, None if it was not retrained.

    Args:
        found: The results of retraining.
        trial: Its number.
    """
    rows = found.table[found.table["trial"] == trial]
    return None if rows.empty else rows.iloc[0]


def selection_bias(found: Winners) -> str:
    """Return the selection bias of the search, in a sentence."""
    if not found.selection_bias.n:
        return ""
    return (
        "Selection bias: with fresh seeds, validation errors are "
        f"{_change(found.selection_bias, 'in the search')}."
    )


def _shift(shift: Mean) -> str:
    if shift.n:
        return f"Test errors of the same networks are {_change(shift, 'on validation')}."
    return ""


def _change(mean: Mean, where: str) -> str:
    """How far errors are from those elsewhere."""
    if math.isfinite(mean.lower):
        interval = f" (95 %: {mean.lower:+.2g} to {mean.upper:+.2g})"
    else:
        interval = ""
    direction = "higher" if mean.mean >= 0 else "lower"
    text = (
        f"{abs(mean.mean):.2g} {direction} than {where}, on average over {mean.n} seeds{interval}"
    )
    return text.replace("-", "−")


def _gap(found: Winners) -> str:
    if found.fronts is None:
        return ""
    return (
        "Chosen by validation, the winners' front on the test split lies between an optimistic "
        "and a pessimistic front. "
        f"The gap between their hypervolumes is {100 * found.fronts.gap:.1f} % of the hypervolume "
        "on validation."
    )


def _records(table: "pandas.DataFrame", names: tuple[str, ...]) -> list[dict[str, Any]]:
    columns = {name: [rounded(value, 4) for value in listed(table[name])] for name in names}
    return [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
