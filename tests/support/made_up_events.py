"""The events of a made-up search with rungs, for tests of what watches one."""

import math
from collections.abc import Iterator

import numpy as np

from tests.support import studies
from wiring_search.search.events import (
    Estimated,
    Event,
    PackDone,
    PackStarted,
    PoolSeen,
    ReferenceChosen,
    TaskLoaded,
)
from wiring_search.store.config import StudyConfig
from wiring_search.workers.jobs import Outcome, Status

REFERENCE = {"error": 0.9, "synapses": 300.0, "latency_us": 3.0, "parameters": 3000.0}


class Clock:
    """Seconds as the test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def halving(trials: int | None = 128, **given: object) -> StudyConfig:
    return studies.config(
        trials=trials, epochs=60, pack_size=8, ahead=4, pruning="halving", **given
    )


def outcome(error: float, synapses: int, status: Status = Status.OK) -> Outcome:
    return Outcome(status, error, 1 - error, 10 * synapses, synapses, 2.0, 0.5, (error,))


def events(config: StudyConfig, workers: int = 2, seed: int = 0) -> Iterator[Event]:
    """Packs of rung 0, and a third of each rung's candidates packed anew for the next one as soon
    as there are enough of them; one in twenty diverges. The reference point comes with the first
    pack that has the full budget."""
    rng = np.random.default_rng(seed)
    yield TaskLoaded("digits: 1,797 samples [made up]\nrule majority class: error 0.9")
    yield Estimated(240.0, 240.0 * workers / 3600)
    yield PoolSeen(workers, 0)
    waiting: list[list[tuple[int, float, int]]] = [[] for _ in config.rungs]
    waiting[0] = [
        (trial, rng.uniform(0.1, 0.9), int(rng.integers(20, 400))) for trial in range(config.trials)
    ]
    last, pack, size = len(config.rungs) - 1, 0, config.pack_size
    referred = False
    while any(waiting):
        full = [rung for rung in range(last + 1) if len(waiting[rung]) >= size]
        rung = full[-1] if full else next(rung for rung in range(last + 1) if waiting[rung])
        members, waiting[rung] = waiting[rung][:size], waiting[rung][size:]
        yield PackStarted(pack, rung, tuple(trial for trial, _, _ in members))
        yield PoolSeen(workers, min(len(waiting[0]) // size, 2))
        found, good = {}, []
        for trial, difficulty, synapses in members:
            if rng.uniform() < 0.05:
                found[trial] = outcome(math.nan, synapses, Status.DIVERGED)
                continue
            error = difficulty * (60 / config.rungs[rung].epochs) ** 0.1 * 30**0.3 / synapses**0.3
            found[trial] = outcome(error, synapses, Status.OK if rung == last else Status.PRUNED)
            good.append((error, trial, difficulty, synapses))
        yield PackDone(pack, found, rung=rung)
        if rung == last and not referred:
            yield ReferenceChosen(tuple(REFERENCE[name] for name in config.objectives))
            referred = True
        if rung < last:
            waiting[rung + 1] += [
                member[1:] for member in sorted(good)[: round(len(members) / config.eta)]
            ]
        pack += 1
