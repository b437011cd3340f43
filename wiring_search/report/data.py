"""What a report shows, as plain data, from the store alone."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.analysis.enough import enough
from wiring_search.analysis.expected_error import expected_errors
from wiring_search.analysis.front import Front, front_of
from wiring_search.analysis.table import candidates
from wiring_search.analysis.winners import Winners, winners
from wiring_search.report.certainty import sentences
from wiring_search.report.checklist import Compared, Known, checklist
from wiring_search.report.columns import coded, column, listed, rounded
from wiring_search.report.progress import cost, progress
from wiring_search.report.winners import winners_data
from wiring_search.scores.catalogue import ALWAYS, SCORES
from wiring_search.store import Store, Trial, exists
from wiring_search.tasks.task import SHARES
from wiring_search.wirings.wiring import Wiring
from wiring_search.workers.jobs import Status

if TYPE_CHECKING:
    import pandas

# The file of `wiring-search matters`, which is too slow to run for each report.
MATTERS = "matters.json"
RANDOM = "random"  # the folder, within that of a study, of random search with the same settings
# Wirings and curves beyond the front that the page has, best first, so that the file of a large
# study stays small.
_MOST_TRIALS, _MOST_SYNAPSES = 300, 60_000
_MOST_MESSAGES, _LONGEST_MESSAGE = 300, 200


def report_data(store: Store) -> dict[str, Any]:
    """Return everything the page shows.

    Numbers are finite, with five digits; missing ones are None.
    """
    config = store.config
    facts = store.facts
    table = store.table()
    trials = table[table["baseline"] == ""]
    finished = candidates(table)
    best = front_of(store)
    again = winners(store)
    on_front = [int(number) for number in best.rows["trial"].dropna()]
    shown = [store.trial(number) for number in _shown(on_front, finished)]
    measured = [name for name in config.measured if SCORES[name].sign]
    beside = _random(store, best.reference.point)
    history = store.history()
    spent = cost(store, history)
    lead = _lead(store, finished, best, again)
    return {
        "task": config.task,
        "source": facts.get("source", ""),
        "metric": facts["metric"],
        "share": facts["metric"] in SHARES,
        "objectives": list(config.objectives),
        "scores": [
            {
                "name": name,
                "unit": SCORES[name].unit,
                "sign": SCORES[name].sign,
                "sentence": SCORES[name].sentence,
            }
            for name in measured
        ],
        "rules": {name: rounded(error) for name, error in facts.get("rules", {}).items()},
        "baselines": _baselines(best.rows),
        "lead": lead,
        "finished": len(finished),
        "pruned": int((trials["status"] == Status.PRUNED.value).sum()),
        "front": on_front,
        "knee": best.knee,
        "probability": _certainty(best),
        "spread": _spread(store, finished),
        "winners": again and winners_data(again),
        "columns": _columns(trials, config.measured),
        "dimensions": _dimensions(trials),
        "messages": _messages(trials),
        "wirings": {
            trial.trial: wiring_data(trial.candidate.wiring) for trial in shown if trial.candidate
        },
        "curves": _curves(history, shown),
        "progress": {
            "study": _short(progress(store, history, config.objectives, best.reference.point)),
            "random": beside and beside["progress"],
        },
        "reference": best.reference.sentence,
        "states": _states(trials),
        "factors": _matters(store),
        "settings": _settings(store),
        "environment": store.versions,
        "cost": {name: rounded(value) for name, value in spent.items()},
        "checklist": [asdict(item) for item in checklist(_known(store, beside, spent, again))],
    }


def _lead(
    store: Store, finished: "pandas.DataFrame", best: Front, again: Winners | None
) -> dict[str, Any]:
    """The head of the page: the answer, the two trials it names, and their uncertainty."""
    claim = enough(store)
    metric = store.facts["metric"]
    said: dict[str, Any] = {
        "answer": claim.sentence,
        "best": None,
        "small": None,
        "knee": "",
        "sure": [],
    }
    if claim.best is None or claim.small is None:
        return said
    return {
        **said,
        "best": int(claim.best["trial"]),
        "small": int(claim.small["trial"]),
        "knee": _knee(best, metric),
        "sure": sentences(store, claim.small, len(finished), again),
    }


def _knee(best: Front, metric: str) -> str:
    if best.knee is None:
        return ""
    row = best.rows[best.rows["knee"]].iloc[0]
    drawn = "draws of the errors" if best.by_errors else "resamples of the candidates"
    if best.stability >= 0.5:
        found = "It, or a neighbour, is the knee"
    else:
        found = "It is unreliable: the knee"
    which = f"trial {best.knee} ({metric} {row[metric]:.4g}, {row['synapses']} synapses)"
    share = f"in {'' if best.stability >= 0.5 else 'only '}{100 * best.stability:.0f} % of {drawn}"
    return f"The knee of the front is {which}. {found} {share}."


def _certainty(best: Front) -> dict[int, float]:
    """The probability that trials on the front, and beside it, truly are on the front; empty if
    unknown."""
    known = best.rows.dropna(subset=["trial", "probability"])
    on = {
        int(trial): float(share)
        for trial, share in zip(known["trial"], known["probability"], strict=True)
    }
    return {trial: rounded(share, 3) for trial, share in {**on, **best.beside}.items()}


def _spread(store: Store, finished: "pandas.DataFrame") -> dict[int, list]:
    """Mean error, standard error, number and source of the trainings of each candidate that was
    trained several times."""
    known = expected_errors(store, finished).assign(trial=finished["trial"])
    known = known[known["trainings"] > 1]
    columns = (known[name] for name in ("trial", "mean", "standard_error", "trainings", "source"))
    return {
        int(trial): [rounded(mean), rounded(se, 3), int(n), source]
        for trial, mean, se, n, source in zip(*columns, strict=True)
    }


def _shown(on_front: list[int], finished: "pandas.DataFrame") -> list[int]:
    """Trials with wirings and curves on the page: the front, then the best, up to the limits."""
    first = set(on_front)
    order = [
        *on_front,
        *(
            int(number)
            for number in finished.sort_values("error")["trial"]
            if int(number) not in first
        ),
    ]
    sizes = dict(zip(finished["trial"].astype(int), finished["synapses"].astype(int), strict=True))
    total = np.cumsum([sizes[number] for number in order])
    return [
        number
        for number, synapses in zip(order[:_MOST_TRIALS], total, strict=False)
        if synapses <= _MOST_SYNAPSES
    ]


def _columns(trials: "pandas.DataFrame", measured: tuple[str, ...]) -> dict[str, Any]:
    names = dict.fromkeys(
        ("trial", "rung", *ALWAYS, *measured, "train_seconds", "score_seconds", "duplicate_of")
    )
    numbers = {name: column(listed(trials[name])) for name in names}
    return {
        **{
            name: values
            for name, values in numbers.items()
            if name == "trial" or any(v is not None for v in values)
        },
        "status": coded(listed(trials["status"])),
    }


def _dimensions(trials: "pandas.DataFrame") -> dict[str, Any]:
    """By name: numbers, or words as codes."""
    found = {}
    for name in (column_name for column_name in trials if column_name.startswith("p.")):
        values = listed(trials[name])
        found[name[2:]] = (
            coded(values)
            if any(isinstance(value, str | bool) for value in values)
            else column(values, 4)
        )
    return found


def _messages(trials: "pandas.DataFrame") -> dict[int, str]:
    said = trials[trials["message"] != ""].head(_MOST_MESSAGES)
    return {int(row["trial"]): str(row["message"])[:_LONGEST_MESSAGE] for _, row in said.iterrows()}


def _baselines(rows: "pandas.DataFrame") -> list[dict[str, Any]]:
    """The baselines that were trained."""
    return [
        {
            "name": row["baseline"],
            "status": row["status"],
            **{
                name: rounded(row[name])
                for name in ("error", "synapses", "parameters", "latency_us", "train_seconds")
            },
            "front": "yes" if row["on_front"] else "no",
        }
        for _, row in rows[rows["baseline"] != ""].iterrows()
    ]


def wiring_data(wiring: Wiring) -> dict[str, Any]:
    """Return a wiring as `wiring.js` draws it: synapses as flat lists of from, to, polarity."""
    return {
        "layers": [wiring.sensory, wiring.inter, wiring.command, wiring.motor],
        "outer": [number for synapse in wiring.sensory_synapses for number in synapse],
        "inner": [number for synapse in wiring.synapses for number in synapse],
        "id": wiring.wiring_id,
    }


def _curves(history: "pandas.DataFrame", shown: list[Trial]) -> dict[int, dict[str, Any]]:
    """Validation error by epoch, and at the end of each rung as (epochs, error)."""
    shortened = history[history["trial"].isin([trial.trial for trial in shown])]
    rungs = {number: rows for number, rows in shortened.groupby("trial")}
    return {
        trial.trial: {
            "errors": column(trial.curve, 4),
            "rungs": [
                [int(e), rounded(error, 4)]
                for e, error in rungs[trial.trial][["epochs", "error"]].itertuples(index=False)
            ],
        }
        for trial in shown
    }


def _random(store: Store, corner: np.ndarray) -> dict[str, Any] | None:
    """The random search beside the study: its progress, with the same reference point, and its
    configuration."""
    if not exists(store.folder / RANDOM):
        return None
    other = Store.open(store.folder / RANDOM)
    try:
        went = progress(other, other.history(), store.config.objectives, corner)
        judged = went["judged"][-1] if went["judged"] else 0
        return {
            "progress": _short(went),
            "compared": Compared(other.config, other.versions, judged),
        }
    finally:
        other.close()


def _short(went: dict[str, list]) -> dict[str, list]:
    return {name: column(values) for name, values in went.items()}


def _known(
    store: Store, beside: dict[str, Any] | None, spent: dict[str, Any], again: Winners | None
) -> Known:
    return Known(
        store.config,
        store.versions,
        spent["trainings"],
        store.ended is not None,
        random=None if beside is None else beside["compared"],
        baselines=len(store.baselines()),
        seeds=again.seeds if again else 0,
        controls=int((again.runs["control"] != "").sum()) if again else 0,
        seconds=sum(spent[name] for name in ("full", "cut", "scores", "baselines", "retraining")),
        wall_seconds=spent["wall_seconds"],
    )


def _states(trials: "pandas.DataFrame") -> list[dict[str, Any]]:
    """How many trials have each status, with an example."""
    result = []
    for status in Status:
        those = trials[trials["status"] == status.value]
        if len(those):
            why = next((message for message in those["message"] if message), "")
            result.append(
                {
                    "status": status.value,
                    "count": len(those),
                    "sentence": status.sentence,
                    "example": why[:_LONGEST_MESSAGE],
                }
            )
    return result


def _matters(store: Store) -> dict[str, Any] | None:
    """The data of `factors.plain_data` that the page shows; None if `matters` was not run."""
    try:
        found = json.loads((store.folder / MATTERS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    shown = (
        "feature",
        "score",
        "rho",
        "lower",
        "upper",
        "q",
        "partial",
        "partial_lower",
        "partial_upper",
        "reading",
    )
    return {
        **found,
        "correlations": [{name: row[name] for name in shown} for row in found["correlations"]],
    }


def _settings(store: Store) -> dict[str, str]:
    config = store.config
    if config.pruning == "none":
        pruning = config.pruning
    else:
        pruning = (
            f"{config.pruning}, rungs of {', '.join(str(r.epochs) for r in config.rungs)} epochs"
        )
    return {
        "task": config.task,
        "data": store.facts.get("source", ""),
        "space": config.space_name or config.space["topology"] or "custom",
        "sampler": config.sampler,
        "objectives": ", ".join(config.objectives),
        "candidates": "as many as its budget allowed"
        if config.trials is None
        else str(config.trials),
        "training": f"{config.epochs} epochs, minibatches of {config.batch_size}",
        "repeats": str(config.repeats),
        "pruning": pruning,
        "packs": (
            f"{config.pack_size} candidates each, {config.ahead} "
            f"ahead{', asynchronous' if config.asynchronous else ''}"
        ),
        "scores": ", ".join(config.scores) or "error and size only",
        "seed": str(config.seed),
        "started": store.created,
        "ended": store.ended or "not yet",
    }
