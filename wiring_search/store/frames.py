"""A study's tables as data frames."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wiring_search.scores.catalogue import ALWAYS
from wiring_search.store.config import StudyConfig
from wiring_search.store.rows import Baseline, Trial
from wiring_search.workers.jobs import VARIATION

if TYPE_CHECKING:
    import pandas

_SCORES = ("error", "synapses", "parameters", "latency_us", "train_seconds")


def table(
    config: StudyConfig, metric: str, trials: Sequence[Trial], baselines: Sequence[Baseline]
) -> "pandas.DataFrame":
    """Return one row per trial, then one per trained baseline.

    A baseline has its name in the column `baseline`, and nothing in the columns about trials.

    Args:
        config: The study's.
        metric: The name of the task's metric, which is a column.
        trials: In order.
        baselines: In order.

    Returns:
        Scores and parameters (`p.NAME`) as columns. `epochs` is that of the row's last rung.
        `parents` are the trials that a child comes from, such as 12+15, where the sampler knows.
        `output_variation` is `wiring_search.workers.jobs.VARIATION`; NaN for baselines and in
        stores of versions that did not measure it.
    """
    import pandas

    dimensions = list(config.space["dimensions"])
    columns = [
        *(
            "trial",
            "rung",
            "status",
            "wiring_id",
            "seed",
            *_SCORES,
            metric,
            *_further(config),
            "score_seconds",
        ),
        *(VARIATION, "epochs", "pack", "duplicate_of", "message", "baseline", "parents"),
        *(f"p.{name}" for name in dimensions),
    ]
    rows = [_trial(config, metric, row) for row in trials] + [
        _baseline(config, metric, row) for row in baselines
    ]
    # Whole numbers stay so, also where some rows have none.
    whole = ["trial", "rung", "synapses", "parameters", "pack", "duplicate_of"]
    whole += [
        f"p.{name}"
        for name in dimensions
        if all(isinstance(t.params.get(name, 0), int) for t in trials)
    ]
    return pandas.DataFrame(rows, columns=columns).astype(dict.fromkeys(whole, "Int64"))


def history(config: StudyConfig, metric: str, rows: Sequence[Any]) -> "pandas.DataFrame":
    """Return one row per trial and finished rung, in this order.

    Args:
        config: The study's.
        metric: The name of the task's metric, which is a column.
        rows: Mappings of the table of rungs.

    Returns:
        Scores as columns; times are those of the rung alone.
    """
    import pandas

    columns = [
        "trial",
        "rung",
        "pack",
        "epochs",
        "status",
        *_SCORES,
        metric,
        *_further(config),
        "score_seconds",
    ]
    columns += ["message", "worker", "finished"]
    flat = [{**row, metric: row["metric"], **(row["scores"] or {})} for row in rows]
    numbers = dict.fromkeys(
        ["error", "latency_us", "train_seconds", metric, *_further(config), "score_seconds"],
        "float64",
    )
    return pandas.DataFrame(flat, columns=columns).astype(numbers)


def retrainings(rows: Sequence[Any]) -> "pandas.DataFrame":
    """One row per training of a winner or control with a fresh seed.

    Returns:
        Identity (trial, control, draw), seeds, status, and scores on the validation split.
        `opening` is the number of the opening of the test split, with test_error, test_metric, and
        when they were recorded (tested).
    """
    import pandas

    columns = [
        "trial",
        "control",
        "draw",
        "seed",
        "data_seed",
        "status",
        "candidate_id",
        "wiring_id",
        "synapses",
        "parameters",
    ]
    numbers = ["error", "metric", "latency_us", "train_seconds", "test_error", "test_metric"]
    columns += [*numbers, "opening", "tested", "message", "worker", "finished"]
    types = {**dict.fromkeys(numbers, "float64"), "opening": "Int64", "parameters": "Int64"}
    return pandas.DataFrame(rows, columns=columns).astype(types)


def openings(rows: Sequence[Any]) -> "pandas.DataFrame":
    """One row per opening of the test split: number from 1, time, purpose, and networks as a list
    of (trial, control, draw)."""
    import pandas

    flat = [{**row, "networks": [tuple(key) for key in row["networks"]]} for row in rows]
    return pandas.DataFrame(flat, columns=["opening", "opened", "purpose", "networks"])


def _further(config: StudyConfig) -> list[str]:
    return [name for name in config.measured if name not in ALWAYS]


def _of_all(config: StudyConfig, metric: str, row: Trial | Baseline) -> dict[str, Any]:
    return {
        "status": row.status.value,
        "seed": config.seed,
        **{
            name: row.score(name)
            for name in (*_SCORES, *config.measured, VARIATION, "score_seconds")
        },
        metric: row.score("metric"),
        "message": row.message,
    }


def _trial(config: StudyConfig, metric: str, row: Trial) -> dict[str, Any]:
    return {
        **_of_all(config, metric, row),
        "trial": row.trial,
        "rung": row.rung,
        "wiring_id": row.wiring_id,
        "epochs": config.rungs[row.rung].epochs,
        "pack": row.pack,
        "duplicate_of": row.duplicate_of,
        "baseline": "",
        "parents": "+".join(map(str, row.sampler_attrs.get("parents") or ())),
        **{f"p.{name}": value for name, value in row.params.items()},
    }


def _baseline(config: StudyConfig, metric: str, row: Baseline) -> dict[str, Any]:
    return {
        **_of_all(config, metric, row),
        "epochs": config.epochs,
        "baseline": row.name,
        "parents": "",
    }
