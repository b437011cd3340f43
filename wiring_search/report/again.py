"""Winners that were trained again, as a page shows them: fresh seeds, the test split, null controls."""

from typing import TYPE_CHECKING, Any

from wiring_search.report.columns import listed, rounded
from wiring_search.significance import Mean
from wiring_search.winning import Winners

if TYPE_CHECKING:
    import pandas

_WINNER = ("trial", "synapses", "searched", "trained", "failed", "valid", "valid_se", "valid_lower", "valid_upper", "drop")
_WINNER += ("tested", "test", "test_se", "test_lower", "test_upper", "optimistic", "pessimistic", "certainty")
_CONTROL = ("trial", "control", "trained", "synapses", "split", "difference", "lower", "upper", "p_holm", "better", "sentence")
_OVERALL = ("control", "trials", "difference", "lower", "upper", "p_holm", "sentence")


def winners_data(found: Winners) -> dict[str, Any]:
    """Rows of `winning.Winners` with what a page shows of them, and what the search had made of luck in sentences."""
    return {
        "seeds": found.seeds,
        "told": [said for said in (luck(found), _shift(found.shift), _gap(found)) if said],
        "rows": _records(found.table, _WINNER),
        "controls": _records(found.controls, _CONTROL),
        "overall": _records(found.overall, _OVERALL),
        "openings": [
            {"opening": int(row["opening"]), "opened": row["opened"], "purpose": row["purpose"], "networks": len(row["networks"])}
            for _, row in found.openings.iterrows()
        ],
    }


def of_trial(found: Winners, trial: int) -> "pandas.Series | None":
    """The row of a trial, None where it was not trained again."""
    own = found.table[found.table["trial"] == trial]
    return None if own.empty else own.iloc[0]


def luck(found: Winners) -> str:
    """What the search had made of luck, in a sentence."""
    return f"With fresh seeds, errors on validation are {_change(found.luck)}, compared with the search." if found.luck.n else ""


def _shift(shift: Mean) -> str:
    return f"On the test split, errors of the same networks are {_change(shift)}, compared with validation." if shift.n else ""


def _change(mean: Mean) -> str:
    interval = f", 95 %: {mean.lower:+.2g} to {mean.upper:+.2g}" if mean.lower == mean.lower else ""
    return f"{abs(mean.mean):.2g} {'higher' if mean.mean >= 0 else 'lower'} on average ({mean.n} seeds{interval})".replace(
        "-", "−"
    )


def _gap(found: Winners) -> str:
    if found.fronts is None:
        return ""
    return (
        f"Whoever picks among the winners by validation gets, on test, anything between an optimistic and a pessimistic front; the gap "
        f"between their hypervolumes is {100 * found.fronts.gap:.1f} % of that on validation."
    )


def _records(table: "pandas.DataFrame", names: tuple[str, ...]) -> list[dict[str, Any]]:
    columns = {name: [rounded(value, 4) for value in listed(table[name])] for name in names}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
