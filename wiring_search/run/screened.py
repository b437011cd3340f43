"""Random candidates by the thousand, ranked without training."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wiring_search import search_spaces, tasks
from wiring_search.run.pools import ALL_CORES, Resources, kinds_of, make_pool
from wiring_search.scores.catalogue import OBJECTIVES
from wiring_search.store import Store, exists
from wiring_search.store.config import StudyConfig
from wiring_search.store.extension import extended
from wiring_search.tasks import Task

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Screened:
    """table: the sample, best first (`screening.screen`). trust: rank correlations of each proxy
    with each score of the study in the same folder (`screening.trust`), None where there is
    none."""

    table: "pandas.DataFrame"
    trust: "pandas.DataFrame | None"


def screen(
    config: StudyConfig,
    out: str | Path,
    samples: int,
    resources: Resources = ALL_CORES,
    told: Callable[[int, int], None] = lambda done, count: None,
) -> Screened:
    """Rank random candidates of the configuration's space by what can be told without training;
    nothing is trained.

    Writes screen.parquet and screen.csv into `out`; where that holds a study of the same task and
    space, also how well each proxy foretold its scores: proxies.csv and proxies.png. resources: as
    for `search`. told(done, count): called after each pack. Raises ValueError for fewer than one
    sample, and where `out` holds a study of another task or space.
    """
    from wiring_search.run.screened import screen as screening
    from wiring_search.scores.trajectory import REFERENCE

    if samples < 1:
        raise ValueError(f"samples is {samples}; give 1 or more")
    folder = Path(out)
    if exists(folder):
        _refuse_another_subject(folder, config)
    task = tasks.load(config.task, config.task_options)
    space = search_spaces.Space.from_json(config.space)
    pool = make_pool(
        extended(config.extension, screening.screen_pack),
        task,
        resources,
        [*kinds_of(space), REFERENCE],
        lambda *kernel: None,
    )
    try:
        table = screening.screen(space, samples, config.seed, pool, told)
    finally:
        pool.close()
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / "screen.parquet", index=False)
    table.to_csv(folder / "screen.csv", index=False)
    trust = _trust(folder, task, config.seed) if exists(folder) else None
    if trust is not None:
        trust.to_csv(folder / "proxies.csv", index=False)
        screening.draw_trust(trust).savefig(folder / "proxies.png", dpi=150)
    return Screened(table, trust)


def _trust(folder: Path, task: Task, seed: int) -> "pandas.DataFrame | None":
    import numpy as np

    from wiring_search.run.screen import trust
    from wiring_search.workers.jobs import Status

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
                f"{folder} holds a study of another {name.replace('_', ' ')}; leave task and space out to screen for that study, or "
                "choose another folder with --out"
            )
