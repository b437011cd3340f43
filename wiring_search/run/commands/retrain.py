"""The work of `retrain`: winners trained with fresh seeds, beside null controls, and tested once.

Only this file reads `Task.test`. The store records the purpose before the split is read, and no
network is tested twice.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wiring_search import tasks
from wiring_search.analysis import winners as winning
from wiring_search.analysis.winners import Winners
from wiring_search.report.pictures import winners as winning_picture
from wiring_search.run.folder import Run
from wiring_search.run.pools import ALL_CORES, Resources, decided, training_pool
from wiring_search.run.trials import trained_trials
from wiring_search.search import durations
from wiring_search.store import Retraining, Store
from wiring_search.store.files import write_whole
from wiring_search.tasks.task import value_of
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.null_controls import CONTROLS, inapplicable, null_candidate
from wiring_search.wirings.wiring import Wiring
from wiring_search.workers.jobs import PackJob, Rung, Status
from wiring_search.workers.pool import NothingSubmitted
from wiring_search.workers.signals import stopped_by_signals

WINNERS_TABLE, CONTROLS_TABLE, WINNERS_PICTURE = "winners.csv", "controls.csv", "winners.png"
# Separates the fresh seeds from all other draws of the study's seed.
_FRESH = 0x7E57
_SECONDS_BETWEEN_LOOKS = 0.5

Key = tuple[int, str, int]
# Called with (done, count, doing=""): trainings, and what is being done.
OnProgress = Callable[..., None]


@dataclass(frozen=True)
class Plan:
    """What `retrain` is going to train.

    Attributes:
        trials: The winners.
        retrainings: Trainings of winners and controls, draw by draw.
        missing: How many of them are not in the store yet.
        inapplicable: Why a trial has no such control, by trial and control.
        core_seconds: Estimated time of the missing trainings, from the winners' time in the search.
        purpose: What the test split will be opened for.
    """

    trials: tuple[int, ...]
    retrainings: tuple[Retraining, ...]
    missing: int
    inapplicable: dict[tuple[int, str], str]
    core_seconds: float
    purpose: str


@dataclass(frozen=True)
class Retrained:
    """What a call of `retrain` did.

    Attributes:
        opening: The number of this opening of the test split; None if it was not opened now.
        left: Planned trainings that an interrupt left. The test split then stays sealed.
        winners: The results of all retraining so far; None before the first training finished.
    """

    opening: int | None
    left: int
    winners: Winners | None


def plan(
    out: str | Path,
    trials: Sequence[int] = (),
    seeds: int = 5,
    controls: Sequence[str] = tuple(CONTROLS),
) -> Plan:
    """Plan the retraining of winners.

    Args:
        out: The run folder.
        trials: Their numbers; the front by default.
        seeds: Fresh trainings of each winner and of each control, each with another null wiring.
        controls: Names out of `wirings.null_controls.CONTROLS`.

    Returns:
        The plan.

    Raises:
        ValueError: Fewer than one seed, an unknown control, or a trial without a trained network.
    """
    if seeds < 1:
        raise ValueError(
            f"--seeds is {seeds}; give 1 or more: a spread needs 2, a test of the topology about 5"
        )
    with closing(Store.open(Path(out))) as store:
        store.config.load_extension()  # its neurons say how many parameters a control has
        chosen = trained_trials(store, trials)
        candidates = {trial.trial: trial.candidate for trial in chosen if trial.candidate}
        reasons = {
            (trial, control): inapplicable(c, control)
            for trial, c in candidates.items()
            for control in controls
        }
        applicable = [key for key, reason in reasons.items() if not reason]
        made = [
            one
            for draw in range(seeds)
            for one in _retrainings(store, candidates, draw, applicable)
        ]
        missing = _missing(store, made)
        seconds = {
            trial.trial: (trial.train_seconds or 0.0) / store.config.repeats for trial in chosen
        }
    return Plan(
        trials=tuple(candidates),
        retrainings=tuple(made),
        missing=len(missing),
        inapplicable={key: reason for key, reason in reasons.items() if reason},
        core_seconds=sum(seconds[retraining.trial] for retraining in missing),
        purpose=f"{seeds} seeds of trials {', '.join(map(str, candidates))}; "
        f"controls: {', '.join(controls) or 'none'}",
    )


def retrain(
    out: str | Path,
    todo: Plan,
    resources: Resources = ALL_CORES,
    test: bool = True,
    on_progress: OnProgress = lambda done, count, doing="": None,
) -> Retrained:
    """Train what a plan misses, with the full budget of the search, then open the test split.

    The split is opened only for networks that it was not opened for before. Ctrl-C and SIGTERM stop
    the call; finished trainings are kept, and a second call resumes. Writes winners.csv,
    controls.csv, winners.png and the report.

    Args:
        out: The run folder.
        todo: What to train, see `plan`.
        resources: What to train on.
        test: Whether to open the test split.
        on_progress: Called with (done, count, doing=""): trainings, and what is being done.

    Returns:
        What was done.
    """
    folder = Path(out)
    with closing(Store.open(folder)) as store, store.locked():
        task = store.config.load_task()
        _train(store, task, todo.retrainings, resources, on_progress)
        left = len(_missing(store, todo.retrainings))
        opening = open_test(store, task, todo) if test and not left else None
        found = winning.winners(store)
        if found is not None:
            write(folder, found)
    Run(folder).write_files(task)
    return Retrained(opening, left, found)


def winners(out: str | Path) -> Winners | None:
    """Return the results of retraining so far; see `wiring_search.analysis.winners`.

    Args:
        out: The run folder.

    Returns:
        The results, None before the first training finished.
    """
    with closing(Store.open(Path(out))) as store:
        return winning.winners(store)


def open_test(store: Store, task: tasks.Task, todo: Plan) -> int | None:
    """Test the planned networks that trained well and were not tested yet.

    An opening whose numbers were never written, because the process was killed, is completed.

    Args:
        store: The study's store, locked.
        task: The study's task.
        todo: The plan.

    Returns:
        The number of the opening; None if there was nothing new to test.
    """
    import pandas

    planned = {retraining.key for retraining in todo.retrainings}
    rows = [
        row
        for row in store.retrainings().itertuples()
        if (row.trial, row.control, row.draw) in planned
    ]
    rows = [row for row in rows if row.status == Status.OK.value and pandas.isna(row.tested)]
    sealed = [(row.trial, row.control, row.draw) for row in rows if pandas.isna(row.opening)]
    begun = [(row.trial, row.control, row.draw) for row in rows if not pandas.isna(row.opening)]
    opening = store.record_opening(todo.purpose, sealed) if sealed else None
    for keys in (begun, sealed):
        if keys:
            store.record_test_scores(_test_errors(store, task, keys))
    return opening


def write(folder: Path, found: Winners) -> None:
    """Write the tables and the picture.

    Args:
        folder: The run folder.
        found: The results of retraining.
    """
    write_whole(folder / WINNERS_TABLE, lambda path: found.table.to_csv(path, index=False))
    write_whole(folder / CONTROLS_TABLE, lambda path: found.controls.to_csv(path, index=False))
    picture = winning_picture.draw(found)
    write_whole(folder / WINNERS_PICTURE, lambda path: picture.savefig(path, dpi=150, format="png"))


def _retrainings(
    store: Store, candidates: dict[int, Candidate], draw: int, controls: Sequence[tuple[int, str]]
) -> list[Retraining]:
    """The retrainings of one draw: fresh seeds of weights and data order, and a null wiring per
    (trial, control)."""
    seed, data_seed = (
        int(word)
        for word in np.random.SeedSequence((store.config.seed, _FRESH, draw)).generate_state(2)
    )
    made = [
        Retraining(trial, "", draw, replace(candidate, seed=seed), data_seed)
        for trial, candidate in candidates.items()
    ]
    for trial, control in controls:
        null = null_candidate(candidates[trial], control, seed, _counted(store, candidates[trial]))
        made.append(Retraining(trial, control, draw, replace(null, seed=seed), data_seed))
    return made


def _counted(store: Store, candidate: Candidate) -> Callable[[Wiring], int]:
    """A function from a wiring to the candidate's trainable parameters with it."""
    from wiring_search.training.pack import layout_of

    features = store.facts["features"]
    outputs = store.facts["outputs"]
    return lambda wiring: layout_of(
        (replace(candidate, wiring=wiring),), features, outputs
    ).true_parameters(0)


def _missing(store: Store, retrainings: Sequence[Retraining]) -> list[Retraining]:
    runs = store.retrainings()
    written = set(zip(runs["trial"], runs["control"], runs["draw"], strict=True))
    return [retraining for retraining in retrainings if retraining.key not in written]


def _train(
    store: Store,
    task: tasks.Task,
    retrainings: Sequence[Retraining],
    resources: Resources,
    on_progress: OnProgress,
) -> None:
    """Train pack by pack; each is in the store as soon as it is finished. A signal stops it."""
    from wiring_search.networks.kernels.layout import kind_of
    from wiring_search.training.warm_up import one_torch_thread

    missing = _missing(store, retrainings)
    if not missing:
        return
    count = len(retrainings)
    done = len(retrainings) - len(missing)
    kinds = sorted({kind_of(retraining.candidate) for retraining in missing})
    pool = training_pool(
        store.config.extension,
        task,
        decided(resources, kinds),
        kinds,
        lambda kind, n, of: on_progress(done, count, f"compiling kernel {n} of {of}: {kind}"),
    )
    under_way = dict(enumerate(_packs(missing, store.config.pack_size)))
    rung = Rung(0, store.config.epochs, store.config.batch_size)
    began = time.monotonic()
    with one_torch_thread(), stopped_by_signals(pool.stop) as heard:
        try:
            for number, pack in under_way.items():
                pool.submit(
                    PackJob(number, rung, tuple(r.candidate for r in pack), pack[0].data_seed)
                )
            on_progress(done, count)
            while under_way and not heard():
                try:
                    result = pool.next_done(_SECONDS_BETWEEN_LOOKS)
                except NothingSubmitted:
                    if not heard():
                        raise
                    break  # a signal stopped the pool before it began anything
                if result is None or result.stopped_at is not None:
                    continue
                pack = under_way.pop(result.number)
                store.record_retrainings(
                    dict(zip(pack, result.outcomes, strict=True)), result.worker
                )
                done += len(pack)
                new = done - count + len(missing)
                left = (count - done) / new * (time.monotonic() - began)
                on_progress(
                    done, count, f"about {durations.in_words(left)} left" if done < count else ""
                )
        finally:
            pool.close()


def _packs(retrainings: Sequence[Retraining], size: int) -> list[list[Retraining]]:
    """Packs of retrainings with the same data order, those of one kind of neuron side by side.

    A kernel runs one kind of neuron.
    """
    from wiring_search.networks.kernels.layout import kind_of

    packs: list[list[Retraining]] = []
    for retraining in sorted(retrainings, key=lambda r: (r.draw, kind_of(r.candidate))):
        if not packs or len(packs[-1]) == size or packs[-1][0].data_seed != retraining.data_seed:
            packs.append([])
        packs[-1].append(retraining)
    return packs


def _test_errors(
    store: Store, task: tasks.Task, keys: Sequence[Key]
) -> dict[Key, tuple[float, float]]:
    """Error and metric on the test split, with the weights of the best epoch on validation."""
    from wiring_search.scores.trained_packs import trained_packs
    from wiring_search.training.loop import validation_errors
    from wiring_search.training.warm_up import one_torch_thread

    networks = store.retrained_networks(keys)
    candidates = [retraining.candidate for retraining, _ in networks]
    states = [state or b"" for _, state in networks]
    found = {}
    with one_torch_thread():
        for indices, pack in trained_packs(task, candidates, states):
            for index, error in zip(
                indices, validation_errors(task, task.test, pack).tolist(), strict=True
            ):
                found[keys[index]] = error, value_of(task.metric, error)
    return found
