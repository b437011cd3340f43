"""The report: one self-contained HTML file that answers "which small wiring is enough?" from the store alone.

Python computes (front, history, what failed) and embeds it as JSON; `page.js` draws it, `page.css` gives it its
looks, light or dark as the reader's system is. Nothing is loaded from anywhere, so the file can be mailed and opened
in ten years.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wiring_search.pareto import hypervolume_course
from wiring_search.records import Status
from wiring_search.report.page import BASE, page
from wiring_search.results import answer, candidates, compared, front, minimised_points, reference, write_whole
from wiring_search.score_names import ALWAYS, SCORES
from wiring_search.store import Store, Trial

if TYPE_CHECKING:
    import pandas

FILE = "report.html"
SCRIPTS = (*BASE, "main.js")
# Wirings beyond the front that are kept for the hover, best first: a large study must not make a file that nobody can open.
_MOST_WIRINGS = 300


def write_report(store: Store) -> Path:
    """Write the report into the run folder, whole or not at all; its path. Raises ValueError where the disk does not take it."""
    text = _page(report_data(store))
    return write_whole(store.folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))


def _page(data: dict[str, Any]) -> str:
    title = f"{data['task']}: {data['finished']} candidates"
    return page(title, data, "page.html", SCRIPTS, ANSWER=data["answer"])


def report_data(store: Store) -> dict[str, Any]:
    """Everything the page shows, as plain data."""
    config, table, trials = store.config, store.table(), store.trials()
    further = [name for name in config.measured if name not in ALWAYS]
    comparable = [name for name in config.measured if SCORES[name].sign]
    best = front(table, config.objectives)
    on_front = [int(number) for number in best["trial"]]
    finished = candidates(table).sort_values("error")
    shown = [*on_front, *(int(number) for number in finished["trial"] if int(number) not in on_front)][:_MOST_WIRINGS]
    return {
        "task": config.task,
        "source": store.facts.get("source", ""),
        "metric": store.facts["metric"],
        "objectives": list(config.objectives),
        "scores": [{"name": name, "unit": SCORES[name].unit, "sign": SCORES[name].sign} for name in comparable],
        "further": further,
        "baselines": store.facts.get("baselines", {}),
        "compared": _compared(table, store.facts["metric"], config.objectives),
        "answer": answer(table, store.facts["metric"]),
        "finished": len(finished),
        "pruned": int((table["status"] == Status.PRUNED.value).sum()),
        "settings": _settings(store),
        "front": on_front,
        "trials": [_row(trial, further) for trial in trials],
        "wirings": {number: _wiring(trials[number]) for number in shown},
        "history": _history(store, table),
        "states": _states(trials),
    }


def _settings(store: Store) -> dict[str, str]:
    config = store.config
    versions = ", ".join(f"{name} {version}" for name, version in store.versions.items())
    return {
        "task": config.task,
        "space": config.space_name or config.space["topology"] or "own",
        "sampler": config.sampler,
        "objectives": ", ".join(config.objectives),
        "trials": str(config.trials),
        "epochs": f"{config.epochs}, minibatches of {config.batch_size}",
        "seed": str(config.seed),
        "started": store.created,
        "versions": versions,
    }


def _row(trial: Trial, further: list[str]) -> dict[str, Any]:
    names = ("error", "metric", "synapses", "parameters", "latency_us", "train_seconds", *further)
    scores = {name: _finite(trial.score(name)) for name in names}
    rounded = {name: value if isinstance(value, str) else float(f"{value:.4g}") for name, value in trial.params.items()}
    return {"trial": trial.trial, "status": trial.status.value, **scores, "params": rounded, "message": trial.message}


def _compared(table: "pandas.DataFrame", metric: str, objectives: tuple[str, ...]) -> list[dict[str, Any]]:
    """The baselines that were trained."""
    rows = compared(table, objectives)
    return [
        {
            "name": row["baseline"],
            "status": row["status"],
            "metric": _finite(row[metric]),
            **{name: _finite(float(row[name])) for name in ("error", "synapses", "parameters", "latency_us", "train_seconds")},
            "front": "yes" if row["on_front"] else "no",
        }
        for _, row in rows[rows["baseline"] != ""].iterrows()
    ]


def _wiring(trial: Trial) -> dict[str, Any]:
    assert trial.candidate is not None
    w = trial.candidate.wiring
    return {
        "layers": [w.sensory, w.inter, w.command, w.motor],
        "outer": [number for synapse in w.sensory_synapses for number in synapse],
        "inner": [number for synapse in w.synapses for number in synapse],
        "id": w.wiring_id,
    }


def _history(store: Store, table: "pandas.DataFrame") -> list[dict[str, float | int]]:
    """The best error and the hypervolume after each trial that finished well."""
    finished = candidates(table)
    if finished.empty:
        return []
    objectives = store.config.objectives
    volumes = hypervolume_course(minimised_points(finished, objectives), reference(store, objectives).point)
    errors = finished["error"].to_numpy()
    stops = range(len(finished)) if len(finished) <= 400 else sorted({round(i) for i in _spaced(len(finished) - 1, 400)})
    return [
        {
            "trial": int(finished["trial"].iloc[i]),
            "error": float(errors[: i + 1].min()),
            "hypervolume": float(volumes[i]),
        }
        for i in stops
    ]


def _spaced(last: int, count: int) -> list[float]:
    return [last * i / (count - 1) for i in range(count)]


def _states(trials: list[Trial]) -> list[dict[str, Any]]:
    """How trials ended, and an example of why."""
    result = []
    for status in Status:
        those = [trial for trial in trials if trial.status is status]
        if those:
            why = next((trial.message for trial in those if trial.message), "")
            result.append({"status": status.value, "count": len(those), "sentence": status.sentence, "example": why})
    return result


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
