"""The studies of a comparison, and which of them are runs of one method.

Studies whose configurations differ only in the seed are runs of one method. The method's name is
the common part of their folders' names.
"""

import os
import re
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from wiring_search.analysis.reference_point import Reference, reference
from wiring_search.analysis.table import candidates, minimised_points
from wiring_search.scores.catalogue import minimised
from wiring_search.store import Store
from wiring_search.store.config import StudyConfig

if TYPE_CHECKING:
    import pandas

# Called after each study with how many were read, and how many there are.
OnProgress = Callable[[int, int], None]
# Characters of a setting that are shown.
_LONGEST = 60
# The part of a folder's name that numbers the runs of a method.
_NUMBER = re.compile(r"[-_./ ]*(seed|run|s|r)?[-_./ ]*\d*$")


def show_nothing(done: int, count: int) -> None:
    """Progress that is not shown."""


@dataclass(frozen=True)
class Study:
    """One study as it is now.

    Attributes:
        name: The last parts of its folder's path that tell it from the others.
        folder: Its run folder.
        config: Its configuration.
        facts: What its store knows of the task.
        ended: Whether it has ended.
        finished: Its candidates with the full budget.
        points: (candidates, objectives), smaller is better.
        history: One row per trial and rung, in the order in which packs finished.
    """

    name: str
    folder: Path
    config: StudyConfig
    facts: dict[str, Any]
    ended: bool
    finished: "pandas.DataFrame"
    points: np.ndarray
    history: "pandas.DataFrame"


@dataclass(frozen=True)
class Method:
    """A method that is compared.

    Attributes:
        name: Tells it from the other methods.
        runs: Its studies, of one configuration, by seed.
    """

    name: str
    runs: tuple[Study, ...]


def read_studies(
    folders: Sequence[Path],
    objectives: tuple[str, ...],
    on_progress: OnProgress = show_nothing,
) -> tuple[list[Study], Reference]:
    """Read the studies in some folders.

    Args:
        folders: Two run folders or more.
        objectives: Those of the fronts; if empty, those that all studies have in common.
        on_progress: Called after each study.

    Returns:
        The studies, and their shared reference point: the worst of theirs in each objective.

    Raises:
        ValueError: There are fewer than two folders, a folder is named twice, tasks differ, two
            runs have one seed, an objective was not measured, or no candidate has finished.
    """
    folders = [Path(folder) for folder in folders]
    if len(folders) < 2:
        raise ValueError(
            f"a comparison needs two studies, and {len(folders)} is given; name more run folders"
        )
    repeated = [
        folder
        for i, folder in enumerate(folders)
        if folder.resolve() in [other.resolve() for other in folders[:i]]
    ]
    if repeated:
        raise ValueError(f"{repeated[0]} is named twice; name each run folder once")
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(Store.open(folder))) for folder in folders]
        _refuse_other_tasks(stores)
        _refuse_equal_seeds(stores)
        objectives = objectives or _common(stores)
        if not 2 <= len(objectives) <= 5:
            raise ValueError(
                f"the objectives are {', '.join(objectives)}; fronts are compared in 2 to 5 of them"
            )
        studies = []
        for name, store in zip(_names(folders), stores, strict=True):
            studies.append(_study(name, store, objectives))
            on_progress(len(studies), len(stores))
        corner = _shared([reference(store, objectives) for store in stores])
    if not corner.known:
        raise ValueError(
            f"no candidate has finished in {', '.join(map(str, folders))}; resume one of them first"
        )
    return studies, corner


def methods_of(studies: Sequence[Study]) -> tuple[Method, ...]:
    """The studies by configuration, in the given order; runs by seed."""
    groups: list[list[Study]] = []
    for study in studies:
        group = next(
            (
                group
                for group in groups
                if _without_seed(group[0].config) == _without_seed(study.config)
            ),
            None,
        )
        if group is None:
            groups.append([study])
        else:
            group.append(study)
    names = [_name_of([study.name for study in group]) for group in groups]
    clear = [
        name if names.count(name) == 1 else ", ".join(s.name for s in g)
        for name, g in zip(names, groups, strict=True)
    ]
    return tuple(
        Method(name, tuple(sorted(group, key=lambda study: study.config.seed)))
        for name, group in zip(clear, groups, strict=True)
    )


def differing(methods: Sequence[Method]) -> dict[str, list[str]]:
    """The settings in which methods differ: by name, the value of each method."""
    configs = [method.runs[0].config.to_json() for method in methods]
    names = [
        name
        for name in configs[0]
        if name not in ("seed", "space_name") and any(c[name] != configs[0][name] for c in configs)
    ]
    return {name: [_brief(config, name) for config in configs] for name in names}


def _brief(config: dict[str, Any], name: str) -> str:
    value = config[name]
    if name == "space":
        return config["space_name"] or "custom"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _study(name: str, store: Store, objectives: tuple[str, ...]) -> Study:
    finished = candidates(store.table()).reset_index(drop=True)
    try:
        points = minimised_points(finished, objectives)
    except ValueError as fault:
        raise ValueError(f"{store.folder}: {fault}") from None
    finish_orders = {pack.number: pack.finish_order for pack in store.packs()}
    history = store.history()
    history = history.assign(finish_order=history["pack"].map(finish_orders)).sort_values(
        ["finish_order", "trial"], kind="stable"
    )
    return Study(
        name,
        store.folder,
        store.config,
        store.facts,
        store.ended is not None,
        finished,
        points,
        history,
    )


def _without_seed(config: StudyConfig) -> StudyConfig:
    return replace(config, seed=0, space_name="")


def _refuse_other_tasks(stores: Sequence[Store]) -> None:
    first = stores[0]
    for store in stores[1:]:
        if store.config.task != first.config.task:
            raise ValueError(
                f"{first.folder} is a study of {first.config.task}, {store.folder} of "
                f"{store.config.task}; compare studies of one task"
            )
        if store.config.task_options != first.config.task_options:
            raise ValueError(
                f"{first.folder} and {store.folder} have different options of the task "
                f"{first.config.task}, so their data differ; compare studies with the same options"
            )


def _refuse_equal_seeds(stores: Sequence[Store]) -> None:
    for i, store in enumerate(stores):
        same = next(
            (
                other
                for other in stores[:i]
                if other.config == replace(store.config, space_name=other.config.space_name)
            ),
            None,
        )
        if same is not None:
            raise ValueError(
                f"{same.folder} and {store.folder} have the same configuration and seed, so they "
                "are the same run; leave one out, or run it with another --seed"
            )


def _common(stores: Sequence[Store]) -> tuple[str, ...]:
    """The objectives of all studies; error and synapses if they have fewer than two in common."""
    common = tuple(
        name
        for name in stores[0].config.objectives
        if all(name in store.config.objectives for store in stores)
    )
    return common if len(common) > 1 else ("error", "synapses")


def _shared(references: Sequence[Reference]) -> Reference:
    first = references[0]
    points = np.array([one.point for one in references])
    worst = np.array([column[np.isfinite(column)].max(initial=-np.inf) for column in points.T])
    shown = minimised(first.objectives, np.where(np.isfinite(worst), worst, np.nan))
    found = tuple(
        how if len({one.shown[index] for one in references}) == 1 else "the worst of the studies"
        for index, how in enumerate(first.found)
    )
    return Reference(first.objectives, tuple(map(float, shown)), found)


def _names(folders: Sequence[Path]) -> list[str]:
    """The last parts of each path, as few as tell the paths apart."""
    parts = [folder.resolve().parts for folder in folders]
    names: list[str] = []
    for count in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-count:]) for part in parts]
        if len(set(names)) == len(names):
            break
    return names


def _name_of(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    return _NUMBER.sub("", os.path.commonprefix(names)) or ", ".join(names)
