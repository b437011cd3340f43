"""The work of `matters`: what matters in a study, written into its folder."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from wiring_search.analysis.factors import Factors, factors_of, plain_data
from wiring_search.report import MATTERS
from wiring_search.report.page import as_json
from wiring_search.run.folder import Run
from wiring_search.run.trials import OnProgress
from wiring_search.store import Store
from wiring_search.store.files import write_whole

IMPORTANCE_TABLE, STRUCTURE_TABLE, CORRELATIONS_TABLE = (
    "importance.csv",
    "structure.csv",
    "correlations.csv",
)


def matters(
    out: str | Path,
    objectives: Sequence[str] = (),
    on_progress: OnProgress = lambda done, count: None,
) -> Factors:
    """Compute what matters in a study: importance, structure, and correlations.

    These are the importance of every dimension for every objective, the structure of every wiring,
    and correlations of both with scores; see `wiring_search.analysis.factors.factors_of`. Nothing
    is trained. Writes importance.csv, structure.csv, correlations.csv, matters.json (for the
    report, which is written anew), and the pictures of `pictures_of` into the folder.

    Args:
        out: The run folder.
        objectives: See `factors_of`.
        on_progress: Called with (done, count).

    Returns:
        What was found.
    """
    from wiring_search.report.pictures import factors as pictures

    folder = Path(out)
    with closing(Store.open(folder)) as store:
        found = factors_of(store, objectives, on_progress)
    found.importance.to_csv(folder / IMPORTANCE_TABLE, index=False)
    found.structure.to_csv(folder / STRUCTURE_TABLE, index=False)
    found.correlations.to_csv(folder / CORRELATIONS_TABLE, index=False)
    text = as_json(plain_data(found))
    write_whole(folder / MATTERS, lambda path: path.write_text(text, encoding="utf-8"))
    figures = [
        pictures.draw_importance(found),
        pictures.draw_parallel(found),
        pictures.draw_correlations(found),
        *(pictures.draw_marginals(found, objective) for objective in found.objectives),
    ]
    for name, figure in zip(pictures_of(found.objectives), figures, strict=True):
        figure.savefig(folder / name, dpi=150)
    Run(folder).write_files()
    return found


def pictures_of(objectives: Sequence[str]) -> list[str]:
    """Return the files that `matters` draws.

    They show importance, parallel coordinates, correlations, and marginals of each objective.

    Args:
        objectives: Their names.
    """
    return [
        "importance.png",
        "parallel.png",
        "correlations.png",
        *(f"marginals-{name}.png" for name in objectives),
    ]
