"""The work of `screen`: rank thousands of random wirings without training.

Proxies (`wiring_search.scores.proxies`) rank a large uniform sample of a space. `merit` is the mean
of a candidate's percentiles in the sample: more expressivity, more kernel rank, a gradient slope
closer to 0.

How well a proxy predicts trained scores differs from task to task. `trust` measures it on the
trained candidates of a study: Spearman's rank correlation of each proxy with each score, and its
95 % confidence interval (`wiring_search.analysis.correlations`). A proxy whose interval contains 0
predicts nothing there.
"""

import math
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search import search_spaces
from wiring_search.analysis.correlations import rank_correlation
from wiring_search.run.pools import ALL_CORES, Resources, kinds_of, make_pool
from wiring_search.scores.catalogue import OBJECTIVES
from wiring_search.search_spaces import Space
from wiring_search.search_spaces.sample import GIVE_UP_AFTER, Point, distinct_candidates
from wiring_search.store import Store, exists
from wiring_search.store.config import StudyConfig
from wiring_search.store.extension import extended
from wiring_search.tasks import Task
from wiring_search.wirings.candidate import Candidate
from wiring_search.workers.jobs import Beat, Outcome, PackJob, PackResult, Rung, Status, no_beat
from wiring_search.workers.pool import Pool, jobs_wanted

if TYPE_CHECKING:
    import pandas

_PACK = 128
# After so many seconds without a result, workers that have come up meanwhile get work too.
_SECONDS_BETWEEN_LOOKS = 1.0

OnProgress = Callable[[int, int], None]


@dataclass(frozen=True)
class Screened:
    """What screening found.

    Attributes:
        table: The sample, best first, see `rank_sample`.
        trust: The rank correlation of each proxy with each score of the study in the same folder,
            see `trust`; None where there is no study.
    """

    table: "pandas.DataFrame"
    trust: "pandas.DataFrame | None"


def screen(
    config: StudyConfig,
    out: str | Path,
    candidates: int,
    resources: Resources = ALL_CORES,
    on_progress: OnProgress = lambda done, count: None,
) -> Screened:
    """Rank random candidates of a space by their proxies. Nothing is trained.

    Writes screen.parquet and screen.csv into `out`. Where `out` holds a study of the same task and
    space, it also writes proxies.csv and proxies.png: how well each proxy ranks trained candidates.

    Args:
        config: Names the task, the space and the seed.
        out: The run folder.
        candidates: How many different candidates to draw, 1 or more.
        resources: As for `search`.
        on_progress: Called with (done, count) after each pack.

    Raises:
        ValueError: For fewer than one sample, and where `out` holds a study of another task or
            space.
    """
    from wiring_search.report.pictures.proxies import draw_proxies
    from wiring_search.scores.trajectory import REFERENCE

    if candidates < 1:
        raise ValueError(f"candidates is {candidates}; give 1 or more")
    folder = Path(out)
    if exists(folder):
        _refuse_another_subject(folder, config)
    task = config.load_task()
    space = search_spaces.Space.from_json(config.space)
    pool = make_pool(
        extended(config.extension, screen_pack),
        task,
        resources,
        [*kinds_of(space), REFERENCE],
        lambda *kernel: None,
    )
    try:
        table = rank_sample(space, candidates, config.seed, pool, on_progress)
    finally:
        pool.close()
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "screen.parquet", index=False)
    table.to_csv(folder / "screen.csv", index=False)
    correlations = _trust(folder, task, config.seed) if exists(folder) else None
    if correlations is not None:
        correlations.to_csv(folder / "proxies.csv", index=False)
        draw_proxies(correlations).savefig(folder / "proxies.png", dpi=150)
    return Screened(table, correlations)


def _trust(folder: Path, task: Task, seed: int) -> "pandas.DataFrame | None":
    with closing(Store.open(folder)) as store:
        trials = [trial for trial in store.trials() if trial.status is Status.OK]
        sizes = ("synapses", "parameters", "latency_us")
        names = [name for name in store.config.measured if name in OBJECTIVES and name not in sizes]
    if not trials:
        return None
    scores = {name: np.array([trial.score(name) for trial in trials]) for name in names}
    return trust(
        [trial.candidate for trial in trials if trial.candidate], scores, task.features, seed
    )


def _refuse_another_subject(folder: Path, config: StudyConfig) -> None:
    with closing(Store.open(folder)) as store:
        old = store.config
    for name in ("task", "task_options", "space"):
        if getattr(old, name) != getattr(config, name):
            raise ValueError(
                f"{folder} holds a study of another {name.replace('_', ' ')}; leave out --task and "
                "--space to screen for that study, or choose another folder with --out"
            )


def screen_pack(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    """Score a job's candidates by their proxies. Nothing is trained, so there is no error.

    Args:
        task: Gives the numbers of features and outputs.
        job: The candidates.
        beat: Not called, since nothing trains.
    """
    from wiring_search.scores.proxies import proxies
    from wiring_search.training.pack import layout_of

    found = proxies(job.candidates, task.features, job.data_seed)
    outcomes = []
    for p, candidate in enumerate(job.candidates):
        layout = layout_of((candidate,), task.features, task.outputs)
        scores = {name: float(values[p]) for name, values in found.items()}
        sizes = layout.true_parameters(0), layout.synapses(0)
        outcomes.append(
            Outcome(Status.OK, math.nan, math.nan, *sizes, math.nan, 0.0, scores=scores)
        )
    return PackResult(job.number, tuple(outcomes))


def rank_sample(
    space: Space,
    candidates: int,
    seed: int,
    pool: Pool,
    on_progress: OnProgress = lambda done, count: None,
) -> "pandas.DataFrame":
    """Measure the proxies of a random sample.

    Args:
        space: Where candidates are drawn from.
        candidates: How many different candidates to draw.
        seed: Of the sample and of initial weights.
        pool: Of `screen_pack`. It may have no worker yet.
        on_progress: Called with (done, count) after each pack.

    Returns:
        One row per candidate, best `merit` first: sizes, `scores.proxies.PROXIES`, merit, and the
        point that `Space.build` makes the candidate from.

    Raises:
        ValueError: The space has no feasible candidate.
    """
    import pandas

    drawn = distinct_candidates(space, candidates, seed)
    waiting: dict[int, list[tuple[Point, Candidate]]] = {}
    rows: list[dict[str, Any]] = []
    number, ended = 0, False
    while True:
        while not ended and jobs_wanted(pool):
            batch = list(islice(drawn, _PACK))
            ended = len(batch) < _PACK
            if batch:
                waiting[number] = batch
                pool.submit(
                    PackJob(number, Rung(0, 0, 1), tuple(candidate for _, candidate in batch), seed)
                )
                number += 1
        if not waiting:
            break
        result = pool.next_done(_SECONDS_BETWEEN_LOOKS)
        if result is None:
            continue
        rows += [
            _row(*pair, outcome)
            for pair, outcome in zip(waiting.pop(result.number), result.outcomes, strict=True)
        ]
        on_progress(len(rows), candidates)
    if not rows:
        raise ValueError(
            f"the space has no feasible candidate among {GIVE_UP_AFTER} random points; "
            "widen its ranges or loosen its constraints"
        )
    table = pandas.DataFrame(rows)
    return table.assign(merit=merit(table)).sort_values(
        ["merit", "candidate_id"], ascending=[False, True], ignore_index=True
    )


def merit(table: "pandas.DataFrame") -> "pandas.Series":
    """Return the mean percentile of each row over the proxies, 0 to 1.

    A proxy that is not finite counts as the worst.

    Args:
        table: One row per candidate, with the columns `scores.proxies.PROXIES`.

    Returns:
        (rows,).
    """
    from wiring_search.scores.proxies import PROXIES

    good = {
        **{name: table[name] for name in PROXIES},
        "gradient_slope": -table["gradient_slope"].abs(),
    }
    return sum(values.rank(pct=True).fillna(0.0) for values in good.values()) / len(good)


def trust(
    candidates: list[Candidate], trained: dict[str, np.ndarray], features: int, seed: int
) -> "pandas.DataFrame":
    """Correlate proxies with trained scores.

    A gradient slope counts by its distance from 0. The number of synapses is one of the proxies: a
    proxy that ranks no better than a count of synapses is not worth its time.

    Args:
        candidates: The trained candidates.
        trained: Their scores by name, shape (candidates,) each.
        features: Input columns of the task.
        seed: Of the inputs that the proxies are measured on.

    Returns:
        One row per proxy and score: `correlation` (Spearman), its 95 % interval (`low`, `high`) and
        the number of candidates `n`. Pairs that are not finite are left out. The correlation is NaN
        with fewer than four pairs and where one side is constant.
    """
    import pandas

    from wiring_search.scores.proxies import proxies
    from wiring_search.training.pack import layout_of

    found = proxies(candidates, features, seed)
    found["|gradient_slope|"] = np.abs(found.pop("gradient_slope"))
    found["synapses"] = np.array(
        [layout_of((c,), features, 1).synapses(0) for c in candidates], float
    )
    rows = [
        {"proxy": name, "score": score, **_correlation(values, scores)}
        for name, values in found.items()
        for score, scores in trained.items()
    ]
    return pandas.DataFrame(rows)


def _correlation(values: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    found = rank_correlation(values, scores)
    return {"correlation": found.rho, "low": found.lower, "high": found.upper, "n": found.n}


def _row(point: Point, candidate: Candidate, outcome: Outcome) -> dict[str, Any]:
    from wiring_search.scores.proxies import PROXIES

    return {
        "candidate_id": candidate.candidate_id,
        "wiring_id": candidate.wiring.wiring_id,
        "synapses": outcome.synapses,
        "parameters": outcome.parameters,
        **{name: outcome.score(name) for name in PROXIES},
        **{f"p.{name}": value for name, value in point.items()},
    }
