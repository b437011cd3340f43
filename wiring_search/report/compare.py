"""The page on which several studies are compared: like the report, one file that loads nothing."""

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.analysis.compare import Comparison, course_of
from wiring_search.analysis.pareto import attainment, is_front
from wiring_search.analysis.studies import Method, Study, differing
from wiring_search.report.columns import column, rounded
from wiring_search.report.page import page
from wiring_search.scores.catalogue import SCORES, minimised
from wiring_search.store.files import write_whole

if TYPE_CHECKING:
    import pandas

FILE, TABLE = "compare.html", "compare.csv"
LEVELS = (0.25, 0.5, 0.75)
# Stops of a curve, and of a mean curve: more than a screen shows apart.
_STOPS = 250


def write_comparison(found: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write page and table into the folder, each whole or not at all.

    Args:
        found: The comparison.
        folder: The folder; made where there is none.

    Returns:
        The paths of the page and of the table.

    Raises:
        ValueError: The disk does not take them.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise ValueError(
            f"{folder} cannot be made ({fault}); name another folder with --out"
        ) from fault
    text = comparison_page(found)
    html = write_whole(folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))
    return html, write_whole(folder / TABLE, lambda path: found.runs.to_csv(path, index=False))


def comparison_page(found: Comparison) -> str:
    """Return the HTML of a comparison."""
    title = f"{found.task}: {len(found.runs)} studies compared"
    return page(title, comparison_data(found), "compare.html", ANSWER=found.answer)


def comparison_data(found: Comparison) -> dict[str, Any]:
    """Return everything the page shows, as plain data. Scores are as shown, not as minimised."""
    return {
        "task": found.task,
        "metric": found.metric,
        "cautions": found.cautions,
        "objectives": [
            {"name": name, "sign": SCORES[name].sign, "unit": SCORES[name].unit}
            for name in found.objectives
        ],
        "reference": found.reference.sentence,
        "best": column(minimised(found.objectives, found.best)),
        "methods": [_method(found, method) for method in found.of],
        "settings": differing(found.of),
        "table": _rows(found.methods),
        "runs": _rows(found.runs),
        "pairs": _rows(found.pairs),
    }


def _method(found: Comparison, method: Method) -> dict[str, Any]:
    courses = [_short(course_of(study, found.reference), found) for study in method.runs]
    fronts = [_front(study) for study in method.runs]
    several = len(method.runs) > 1
    return {
        "name": method.name,
        "runs": [
            {
                "name": study.name,
                "front": _shown(front, found.objectives),
                "course": {key: column(v) for key, v in course.items()},
            }
            for study, front, course in zip(method.runs, fronts, courses, strict=True)
        ],
        "attained": _attained(fronts, found.objectives) if several else {},
        "mean": {across: _mean(courses, across) for across in ("judged", "seconds")}
        if several
        else None,
    }


def _front(study: Study) -> np.ndarray:
    return np.unique(study.points[is_front(study.points)], axis=0)


def _shown(points: np.ndarray, objectives: tuple[str, ...]) -> list[list[float]]:
    return [column(row) for row in minimised(objectives, points)]


def _attained(
    fronts: list[np.ndarray], objectives: tuple[str, ...]
) -> dict[str, list[list[list[float]]]]:
    """By pair of objectives, "0,1" the first two: the corners of the surfaces that a quarter, half
    and three quarters of the runs attain."""
    surfaces = {}
    for one, other in combinations(range(len(objectives)), 2):
        names = objectives[one], objectives[other]
        runs = [front[:, [one, other]] for front in fronts]
        surfaces[f"{one},{other}"] = [
            _shown(surface, names) for surface in attainment(runs, LEVELS)
        ]
    return surfaces


def _short(course: dict[str, np.ndarray], found: Comparison) -> dict[str, np.ndarray]:
    """Up to so many stops of a course, its hypervolume as a share of the box."""
    count = len(course["judged"])
    if count <= _STOPS:
        stops = np.arange(count)
    else:
        stops = np.unique(np.linspace(0, count - 1, _STOPS).round().astype(int))
    box = float(np.prod(np.maximum(found.reference.point, found.best) - found.best)) or 1.0
    return {
        "judged": course["judged"][stops],
        "seconds": course["seconds"][stops],
        "share": course["hypervolume"][stops] / box,
    }


def _mean(courses: list[dict[str, np.ndarray]], across: str) -> dict[str, list[float]] | None:
    """The mean of the runs' stairs, as far as all of them go; None where one has not begun."""
    if not all(len(course[across]) for course in courses):
        return None
    least = max(course[across][0] for course in courses)
    most = min(course[across][-1] for course in courses)
    if least > most:
        return None
    at = np.linspace(least, most, _STOPS)
    heights = [
        course["share"][np.searchsorted(course[across], at * (1 + 1e-12), side="right") - 1]
        for course in courses
    ]
    return {"at": column(at), "share": column(np.mean(heights, axis=0))}


def _rows(table: "pandas.DataFrame") -> list[dict[str, Any]]:
    return [
        {name: value if isinstance(value, str) else rounded(value) for name, value in row.items()}
        for row in table.to_dict("records")
    ]
