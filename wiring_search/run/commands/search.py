"""The work of `search`, `resume` and `random`."""

import math
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wiring_search import search_spaces, tasks
from wiring_search.report import RANDOM
from wiring_search.run.folder import Run, write_files_of
from wiring_search.run.pools import ALL_CORES, Resources, decided, kinds_of, training_pool
from wiring_search.scores.catalogue import MEASURED
from wiring_search.search import samplers
from wiring_search.search.budget import Budget, Meter
from wiring_search.store import Store, StoreFault, exists
from wiring_search.store.config import StudyConfig
from wiring_search.store.extension import Extension
from wiring_search.tasks import Task, TaskOptions
from wiring_search.workers.signals import Until, stopped_by_signals

if TYPE_CHECKING:
    from wiring_search.search.events import Watcher
    from wiring_search.workers.pool import Pool

UNLIMITED = Budget()


def study_config(
    task: str,
    space: str = "default",
    options: TaskOptions | None = None,
    extension: str | Path | None = None,
    **settings: Any,
) -> StudyConfig:
    """Return the configuration of a study, from names.

    Args:
        task: The task's name.
        space: A preset or a TOML file.
        options: Of the task.
        extension: A Python file; its scores are measured too.
        settings: Other fields of `StudyConfig`.

    Raises:
        ValueError: A name is unknown, or a setting does not fit.
    """
    read = None if extension is None else Extension.read(extension)
    if read is not None and read.scores:
        settings["scores"] = tuple(dict.fromkeys((*settings.get("scores", MEASURED), read.group)))
    name = space if space in search_spaces.SPACES else Path(space).name
    config = StudyConfig(
        task=task,
        task_options=options or TaskOptions(),
        space=search_spaces.load(space).to_json(),
        space_name=name,
        extension=read,
        **settings,
    )
    samplers.check(config)
    return config


def search(
    config: StudyConfig,
    out: str | Path,
    resources: Resources = ALL_CORES,
    budget: Budget = UNLIMITED,
    watch: "Watcher | None" = None,
    store: str | None = None,
    load_task: Callable[[], Task] | None = None,
) -> Run:
    """Run a study into a folder. If the folder already holds this study, it resumes.

    When the budget is spent, and at Ctrl-C or SIGTERM, the packs under way are saved, and `resume`
    continues from there. Tables and report are written at the end, also after an interrupt.

    Args:
        config: The settings.
        out: The run folder.
        resources: What the search runs on.
        budget: The time of this call.
        watch: Called with the events of `wiring_search.search.events`.
        store: The URL of a PostgreSQL database for the results; by default a SQLite file in the
            folder.
        load_task: Returns the study's task, if the caller has loaded it; by default it is loaded
            here.

    Returns:
        The run folder.

    Raises:
        ValueError: A setting does not fit, or the folder holds a study with other settings.
    """
    folder = Path(out)
    if exists(folder):
        _refuse_other_settings(folder, config)
        return resume(folder, resources, budget, watch)
    samplers.check(config)
    task = (load_task or config.load_task)()
    Store.create(folder, config, _facts(task), store).close()
    return _run(folder, task, resources, budget, watch)


def resume(
    out: str | Path,
    resources: Resources = ALL_CORES,
    budget: Budget = UNLIMITED,
    watch: "Watcher | None" = None,
    trials: int | None = None,
) -> Run:
    """Resume the study in a folder. If it has ended, only its tables and report are written again.

    On another machine, `Store.attach` first connects a folder with a study in PostgreSQL.

    Args:
        out: The run folder.
        resources: As for `search`.
        budget: As for `search`.
        watch: As for `search`.
        trials: A new number of candidates in all.

    Returns:
        The run folder.

    Raises:
        ValueError: The study already has more candidates than `trials`.
    """
    folder = Path(out)
    with closing(Store.open(folder)) as opened:
        if trials is not None and trials != opened.config.trials:
            with opened.locked():
                opened.set_trials(trials)
        config = opened.config
        ended = opened.ended
    if config.extension is not None:
        config.extension.refuse_changed()
    if ended:
        config.load_extension()  # the report plays networks on the task's data
        Run(folder).write_files()
        return Run(folder)
    return _run(folder, config.load_task(), resources, budget, watch)


def search_randomly(
    out: str | Path,
    resources: Resources = ALL_CORES,
    budget: Budget = UNLIMITED,
    watch: "Watcher | None" = None,
) -> Run:
    """Run random search beside a study, to see what its sampler is worth.

    It has the study's settings, as many candidates as the study has by now, and a separate store
    in `out`/random. If that exists, it resumes. Tables and reports of both are written at the end.

    Args:
        out: The run folder of the study.
        resources: As for `search`.
        budget: As for `search`.
        watch: As for `search`.

    Returns:
        The run folder of random search.

    Raises:
        ValueError: The study is random search itself, or has no candidate yet.
    """
    folder = Path(out)
    beside = folder / RANDOM
    with closing(Store.open(folder)) as store:
        config = store.config
        trials = sum(len(pack.members) for pack in store.packs() if pack.rung == 0)
    if config.sampler == "random":
        raise ValueError(
            f"{folder} is random search itself; compare it with a study of another sampler"
        )
    if not trials:
        raise ValueError(
            f"{folder} has no candidate yet; resume it first: `wiring-search resume {folder}`"
        )
    if exists(beside):
        with closing(Store.open(beside)) as other:
            trials = max(trials, other.config.trials or 0)
            _refuse_other_settings(
                beside, replace(config, sampler="random", inherit=False, trials=other.config.trials)
            )
        done = resume(beside, resources, budget, watch, trials)
    else:
        done = search(
            replace(config, sampler="random", inherit=False, trials=trials),
            beside,
            resources,
            budget,
            watch,
        )
    Run(folder).write_files()
    return done


def _run(
    folder: Path, task: Task, resources: Resources, budget: Budget, watch: "Watcher | None"
) -> Run:
    from wiring_search.scores.trajectory import REFERENCE
    from wiring_search.search import events, study
    from wiring_search.training.warm_up import one_torch_thread

    watch = watch or (lambda event: None)
    with closing(Store.open(folder)) as store, store.locked():
        watch(events.TaskLoaded(tasks.describe(task)))
        kinds = kinds_of(search_spaces.Space.from_json(store.config.space))
        if "dynamics" in store.config.scores:
            kinds.append(REFERENCE)
        on_kernel = lambda *kernel: watch(events.KernelPrepared(*kernel))  # noqa: E731
        resources = decided(resources, kinds)
        pool = training_pool(store.config.extension, task, resources, kinds, on_kernel)
        # Signals are heard until the files are written: Ray's handler would end the process
        # without a word.
        with (
            one_torch_thread(),
            _stop_requests(pool, Meter(replace(budget, cores=resources.cores))) as until,
        ):
            try:
                _estimate(task, store, resources, budget, watch)
                if study.search(store.config, store, pool, watch, until):
                    store.record_end()
            except StoreFault:
                raise  # files from a faulty store would not be written either
            except BaseException:
                Run(folder).write_files(task)
                raise
            finally:
                pool.close()
            write_files_of(store, task)
    return Run(folder)


def _estimate(
    task: Task, store: Store, resources: Resources, budget: Budget, watch: "Watcher"
) -> None:
    """Estimate the time left while the workers start.

    Not for a search that its budget ends, nor on GPUs, whose speed is not measured here.
    """
    from wiring_search.run.estimate import estimate

    if store.config.trials is None or not budget.unlimited or resources.device != "cpu":
        return
    finished = sum(
        len(pack.members)
        for pack in store.packs()
        if pack.rung == 0 and pack.finish_order is not None
    )
    left = store.config.trials - finished
    if left > 0:
        workers = max((os.cpu_count() or 1) if resources.workers is None else resources.workers, 1)
        watch(estimate(task, replace(store.config, trials=left), workers))


@contextmanager
def _stop_requests(pool: "Pool", meter: Meter) -> Iterator[Until]:
    """Yield the function that says why to stop.

    A pool that trains in this process is stopped in the middle of a pack.
    """
    alarm = None
    if math.isfinite(meter.left()):
        alarm = threading.Timer(meter.left() + 0.1, pool.stop)
        alarm.daemon = True
        alarm.start()

    def until() -> str | None:
        meter.workers(pool.workers)
        return heard() or meter.spent()

    with stopped_by_signals(pool.stop) as heard:
        try:
            yield until
        finally:
            if alarm is not None:
                alarm.cancel()


def _facts(task: Task) -> dict[str, Any]:
    return {
        "metric": task.metric,
        "rules": task.rules,
        "source": task.source,
        "description": tasks.describe(task),
        "features": task.features,
        "outputs": task.outputs,
        "every_step": task.every_step,
        "samples": {"train": len(task.train), "valid": len(task.valid), "test": len(task.test)},
    }


def _refuse_other_settings(folder: Path, config: StudyConfig) -> None:
    with closing(Store.open(folder)) as store:
        old = store.config.to_json()
        new = config.to_json()
    other = [
        f"{name} {_brief(old[name])}, not {_brief(new[name])}"
        for name in new
        if old[name] != new[name] and name != "space_name"
    ]
    if other:
        raise ValueError(
            f"{folder} holds a study with other settings ({'; '.join(other)}); resume it with "
            f"`wiring-search resume {folder}`, or choose another folder with --out"
        )


def _brief(value: Any) -> str:
    if isinstance(value, dict) and {"file", "text"} <= value.keys():
        return str(Extension.from_json(value))
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
