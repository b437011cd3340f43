"""The reference point of a study's hypervolume. Once known, it stays the same."""

import math
from dataclasses import dataclass

import numpy as np

from wiring_search.analysis.table import candidates, minimised_points
from wiring_search.scores.catalogue import SCORES, minimised
from wiring_search.store import Store

# Candidates that must finish before the store keeps a reference point.
ENOUGH = 16

_ERRORS = ("error", "error_upper")


@dataclass(frozen=True)
class Reference:
    """The reference point: candidates that are worse in any objective add no hypervolume.

    Attributes:
        objectives: The objectives.
        shown: Its numbers, as scores are shown; NaN where unknown.
        found: How each number was found, in words.
        kept: Whether the store keeps it.
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
        """The same with other numbers for some objectives. Raises ValueError for a name that is
        not among them."""
        strange = next((name for name in given if name not in self.objectives), None)
        if strange is not None:
            raise ValueError(
                f"the reference point has a number for {strange}, which is no objective here; give "
                f"some of {', '.join(self.objectives)}"
            )
        shown = tuple(
            given.get(name, value) for name, value in zip(self.objectives, self.shown, strict=True)
        )
        found = tuple(
            "as given" if name in given else how
            for name, how in zip(self.objectives, self.found, strict=True)
        )
        return Reference(self.objectives, shown, found, self.kept and not given)


def reference(store: Store, objectives: tuple[str, ...]) -> Reference:
    """The reference point of a study.

    For errors it is the worst trivial rule's; for a score with a worst value, that value; for any
    other, a tenth beyond the worst of the first 16 candidates with the full budget. The store keeps
    it as soon as there are 16; before, it may change.

    Raises:
        ValueError: A name is no objective.
    """
    # Kept once for a set of objectives, in whatever order they are asked for.
    ordered = tuple(sorted(objectives))
    shown = store.reference_point(ordered)
    kept = shown is not None
    if shown is None:
        points = minimised_points(candidates(store.table()), ordered)
        first = points[np.isfinite(points).all(axis=1)][:ENOUGH]
        shown = tuple(_worst(store, name, first[:, index])[0] for index, name in enumerate(ordered))
        if len(first) == ENOUGH:
            store.record_reference_point(ordered, shown)
            shown = store.reference_point(ordered) or shown
            kept = True
    found = tuple(_worst(store, name, np.empty(0))[1] for name in objectives)
    return Reference(
        objectives, tuple(shown[ordered.index(name)] for name in objectives), found, kept
    )


def _worst(store: Store, name: str, first: np.ndarray) -> tuple[float, str]:
    """Where a hypervolume ends in one objective, and why there. first: of the first candidates."""
    known = SCORES[name].worst
    if known is not None:
        return known, "the worst possible"
    rules = {
        rule: error for rule, error in store.facts.get("rules", {}).items() if math.isfinite(error)
    }
    if name in _ERRORS and rules:
        rule = max(rules, key=rules.__getitem__)
        return rules[rule], f"the worst trivial rule, {rule}"
    worst = float(first.max(initial=-math.inf)) if len(first) else math.nan
    beyond = SCORES[name].sign * (worst + abs(worst) / 10)
    return beyond, f"a tenth beyond the worst of the first {ENOUGH}"
