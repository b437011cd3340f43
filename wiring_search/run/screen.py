"""Screening: what a large random sample of a space promises before anything is trained, and how far
that can be trusted.

`sampled` draws candidates uniformly, `screen_pack` is what a worker does with some of them: the
proxies of `scores.proxies`, no training. `merit` orders them: the mean of their percentiles in the
sample, of more expressivity, of more kernel rank, and of a gradient slope closer to 0.

Whether any of it foretells what training finds differs from task to task, and is to be measured:
`trust` gives, for the trained trials of a study, Spearman's rank correlation of each proxy with
each trained score, and its 95 % confidence interval (`wiring_search.analysis.correlations`). An
interval that contains 0 says: do not use this proxy here.
"""

import math
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from search_spaces import Space
from search_spaces.sample import _GIVE_UP_AFTER, Point, sampled
from wiring_search.analysis.correlations import rank_correlation
from wiring_search.scores.proxies import PROXIES, proxies
from wiring_search.tasks.task import Task
from wiring_search.training.pack import layout_of
from wiring_search.wirings.candidate import Candidate
from workers.jobs import Beat, Outcome, PackJob, PackResult, Rung, Status, no_beat
from workers.pool import Pool, jobs_wanted

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

_PACK = 128
# After so many seconds without a result, workers that have come up meanwhile get work too.
_SECONDS_BETWEEN_LOOKS = 1.0

Told = Callable[[int, int], None]


def screen_pack(task: Task, job: PackJob, beat: Beat = no_beat) -> PackResult:
    """The job's candidates with their proxies as scores; nothing is trained, so there is no
    error."""
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


def screen(
    space: Space, samples: int, seed: int, pool: Pool, told: Told = lambda done, count: None
) -> "pandas.DataFrame":
    """The sample, best `merit` first: sizes, PROXIES, merit, and the point that `Space.build` makes
    the candidate of.

    Args:
        pool: Of `screen_pack`. It may have no worker yet.
        told: Called with (done, count) after each pack.

    Raises:
        ValueError: Where the space has no feasible candidate.
    """
    import pandas

    drawn = sampled(space, samples, seed)
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
        told(len(rows), samples)
    if not rows:
        raise ValueError(
            f"the space has no feasible candidate among {_GIVE_UP_AFTER} random points; widen its ranges or its constraints"
        )
    table = pandas.DataFrame(rows)
    return table.assign(merit=merit(table)).sort_values(
        ["merit", "candidate_id"], ascending=[False, True], ignore_index=True
    )


def merit(table: "pandas.DataFrame") -> "pandas.Series":
    """(rows,) from 0 to 1; a proxy that is not finite counts as the worst."""
    good = {
        **{name: table[name] for name in PROXIES},
        "gradient_slope": -table["gradient_slope"].abs(),
    }
    return sum(values.rank(pct=True).fillna(0.0) for values in good.values()) / len(good)


def trust(
    candidates: list[Candidate], trained: dict[str, np.ndarray], features: int, seed: int
) -> "pandas.DataFrame":
    """One row a proxy and trained score: rank correlation, its 95 % interval (low, high), and over
    how many candidates.

    trained: scores by name, (candidates,) each. A gradient slope counts by its distance from 0. The
    number of synapses stands among the proxies: one that does no better than counting is not worth
    its time. Pairs that are not finite are left out; with fewer than four of them, or where one
    side never changes, there is no correlation, NaN.
    """
    import pandas

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


def draw_trust(table: "pandas.DataFrame") -> "Figure":
    """`trust` as intervals, a panel a trained score; those that contain 0 are grey."""
    import matplotlib

    matplotlib.use("Agg", force=False)
    from matplotlib.figure import Figure

    scores = list(dict.fromkeys(table["score"]))
    figure = Figure(
        figsize=(2.2 + 2.2 * len(scores), 0.9 + 0.4 * table["proxy"].nunique()),
        layout="constrained",
    )
    panels = figure.subplots(1, len(scores), sharex=True, sharey=True, squeeze=False)[0]
    for panel, score in zip(panels, scores, strict=True):
        for row in table[table["score"] == score].iloc[::-1].itertuples():
            colour = "0.6" if not row.low * row.high > 0 else "C0"
            panel.plot([row.low, row.high], [row.proxy] * 2, color=colour, linewidth=2)
            panel.plot([row.correlation], [row.proxy], "o", color=colour)
        panel.axvline(0.0, color="0.8", linewidth=1, zorder=0)
        panel.set(title=score, xlim=(-1, 1), xlabel="rank correlation")
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def _row(point: Point, candidate: Candidate, outcome: Outcome) -> dict[str, Any]:
    return {
        "candidate_id": candidate.candidate_id,
        "wiring_id": candidate.wiring.wiring_id,
        "synapses": outcome.synapses,
        "parameters": outcome.parameters,
        **{name: outcome.score(name) for name in PROXIES},
        **{f"p.{name}": value for name, value in point.items()},
    }
