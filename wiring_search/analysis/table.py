"""What is read out of a store: the table, the front, which candidates have learned anything, and the
files of a run folder."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wiring_search.analysis.pareto import is_front
from workers.jobs import CONSTANT, SHARES, VARIATION, Status
from wiring_search.scores.catalogue import OBJECTIVES, SCORES, minimised
from wiring_search.store import Store

if TYPE_CHECKING:
    import pandas

NEAR = 0.01
# Candidates that must have finished before a reference point is kept.
ENOUGH = 16
_ERRORS = ("error", "error_upper")


def candidates(table: "pandas.DataFrame") -> "pandas.DataFrame":
    """The rows of trials that finished well: those that are no baseline, no duplicate and did not fail."""
    return table[(table["status"] == Status.OK.value) & (table["baseline"] == "")]


def front(table: "pandas.DataFrame", objectives: tuple[str, ...]) -> "pandas.DataFrame":
    """The trials that no other one dominates, by synapses and then error; baselines, duplicates and failed trials are
    on no front.

    Raises ValueError for a column that is no objective.
    """
    finished = candidates(table)
    mask = is_front(minimised_points(finished, objectives))
    return finished[mask].sort_values(["synapses", "error", "trial"]).reset_index(drop=True)


def compared(table: "pandas.DataFrame", objectives: tuple[str, ...]) -> "pandas.DataFrame":
    """The front, and below it the trained baselines by synapses and then error.

    A column `on_front` says of each row whether it lies on the joint front: neither a candidate nor a baseline dominates
    it. Raises ValueError for a column that is no objective.
    """
    import pandas

    baselines = table[table["baseline"] != ""].sort_values(["synapses", "error", "baseline"])
    rows = pandas.concat([front(table, objectives), baselines], ignore_index=True)
    return rows.assign(on_front=is_front(minimised_points(rows, objectives)))


def qualified(rows: "pandas.DataFrame", rules: dict[str, float]) -> "pandas.Series":
    """Which candidates have learned anything: they beat every trivial rule, and their outputs are
    not nearly constant over the validation split, as far as the store knows.

    Args:
        rows: Candidates, with the columns `error` and `output_variation`.
        rules: Errors of trivial rules on the validation split, by name.

    Returns:
        A bool for each row.
    """
    bar = min((error for error in rules.values() if math.isfinite(error)), default=math.inf)
    return (rows["error"] < bar) & ~(rows[VARIATION] < CONSTANT)


def nearly(error: float, metric: str) -> tuple[float, str]:
    """The greatest error that is nearly as good as this one, and how that is told: within 0.01 of an accuracy or F1, within
    1 % of any other error."""
    return (error + NEAR + 1e-12, "0.01 of it") if metric in SHARES else (error * (1 + NEAR) + 1e-12, "1 % of it")


@dataclass(frozen=True)
class Reference:
    """Where hypervolumes are measured from: what is worse than it in any objective is worth nothing.

    shown: its numbers, as scores are shown; NaN where nothing is known yet. found: how each was found, in words. kept: whether
    the store keeps it for good.
    """

    objectives: tuple[str, ...]
    shown: tuple[float, ...]
    found: tuple[str, ...]
    kept: bool = False

    @property
    def point(self) -> np.ndarray:
        """(objectives,), smaller is better."""
        return minimised(self.objectives, np.array(self.shown))

    @property
    def known(self) -> bool:
        return all(map(math.isfinite, self.shown))

    @property
    def sentence(self) -> str:
        parts = zip(self.objectives, self.shown, self.found, strict=True)
        return ", ".join(f"{name} {value:.4g} ({how})" for name, value, how in parts)

    def with_given(self, given: dict[str, float]) -> "Reference":
        """The same with other numbers for some objectives. Raises ValueError for one that is none of its objectives."""
        strange = next((name for name in given if name not in self.objectives), None)
        if strange is not None:
            raise ValueError(
                f"the reference has a number for {strange}, which is no objective here; give some of {', '.join(self.objectives)}"
            )
        shown = tuple(given.get(name, value) for name, value in zip(self.objectives, self.shown, strict=True))
        found = tuple("as given" if name in given else how for name, how in zip(self.objectives, self.found, strict=True))
        return Reference(self.objectives, shown, found, self.kept and not given)


def reference(store: Store, objectives: tuple[str, ...]) -> Reference:
    """The reference point of a study, the same ever after: that of an error is the worst trivial rule's, as a network that loses
    to it is worth nothing; of a score that has a worst, that; of any other a tenth beyond the worst of the first 16
    candidates that finished well, by trial.

    It is kept in the store as soon as there are 16; before, it may move. Raises ValueError for a name that is no objective.
    """
    # Kept once for a set of objectives, in whatever order they are asked for.
    ordered = tuple(sorted(objectives))
    shown = store.reference_point(ordered)
    kept = shown is not None
    if shown is None:
        points = minimised_points(candidates(store.table()), ordered)
        first = points[np.isfinite(points).all(axis=1)][:ENOUGH]
        shown = tuple(_worst(store, name, first[:, place])[0] for place, name in enumerate(ordered))
        if len(first) == ENOUGH:
            store.keep_reference_point(ordered, shown)
            shown, kept = store.reference_point(ordered) or shown, True
    found = tuple(_worst(store, name, np.empty(0))[1] for name in objectives)
    return Reference(objectives, tuple(shown[ordered.index(name)] for name in objectives), found, kept)


def _worst(store: Store, name: str, first: np.ndarray) -> tuple[float, str]:
    """Where a hypervolume ends in one objective, and why there. first: of the first candidates."""
    known = SCORES[name].worst
    if known is not None:
        return known, "the worst there is"
    rules = {rule: error for rule, error in store.facts.get("baselines", {}).items() if math.isfinite(error)}
    if name in _ERRORS and rules:
        rule = max(rules, key=rules.__getitem__)
        return rules[rule], f"the worst trivial rule, {rule}"
    worst = float(first.max(initial=-math.inf)) if len(first) else math.nan
    return SCORES[name].sign * (worst + abs(worst) / 10), f"a tenth beyond the worst of the first {ENOUGH}"


def export(store: Store) -> list[Path]:
    """Write trials.parquet, trials.csv and front.csv into the run folder, and rungs.csv where there are several, each whole or not
    at all; their paths."""
    table, history = store.table(), store.history()
    best = front(table, store.config.objectives)
    writers = {
        "trials.parquet": lambda path: table.to_parquet(path, index=False),
        "trials.csv": lambda path: table.to_csv(path, index=False),
        "front.csv": lambda path: best.to_csv(path, index=False),
    }
    if len(store.config.rungs) > 1:
        writers["rungs.csv"] = lambda path: history.to_csv(path, index=False)
    return [write_whole(store.folder / name, write) for name, write in writers.items()]


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write beside, then put in place: a reader finds the old file or the new one. Raises ValueError where the disk does not
    take it, and leaves the old one."""
    partial = path.with_suffix(path.suffix + ".part")
    try:
        write(partial)
        partial.replace(path)
    except OSError as fault:
        raise ValueError(
            f"{path} cannot be written ({fault}); free some space or make the folder writable, then `wiring-search report "
            f"{path.parent}`. The study itself is safe in its store"
        ) from fault
    finally:
        partial.unlink(missing_ok=True)
    return path


def minimised_points(rows: "pandas.DataFrame", objectives: tuple[str, ...]) -> np.ndarray:
    """(rows, objectives) float64, smaller is better; NaN where a score is absent. Raises ValueError for a column that is no
    objective, or was not measured."""
    unknown = [name for name in objectives if name not in OBJECTIVES]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no objective; known: {', '.join(OBJECTIVES)}")
    absent = [name for name in objectives if name not in rows]
    if absent:
        raise ValueError(f"{absent[0]} was not measured in this study; it has {', '.join(n for n in OBJECTIVES if n in rows)}")
    return minimised(objectives, rows[list(objectives)].astype(float).to_numpy().reshape(-1, len(objectives)))
