"""The best-practice checklist of neural architecture search, filled in from the store.

The items are those of M. Lindauer and F. Hutter, Best Practices for Scientific Research on Neural
Architecture Search, JMLR 21(243), 2020 (arXiv 1909.02453). Each is answered by what the store shows
alone: nothing else is claimed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from wiring_search.store.config import StudyConfig
from wiring_search.store.environment import CHANGED, PACKAGES

Answer = Literal["yes", "partly", "no"]
Finding = tuple[Answer, str]


@dataclass(frozen=True)
class Compared:
    """Random search beside a study.

    Attributes:
        config: Its configuration.
        versions: Its environment.
        judged: Candidates that have finished a rung.
    """

    config: StudyConfig
    versions: dict[str, str]
    judged: int


@dataclass(frozen=True)
class Known:
    """What a store shows.

    Attributes:
        config: The study's configuration.
        versions: Its environment.
        judged: Candidates that have finished a rung.
        ended: Whether the study has run to its end.
        random: Random search beside it, if any.
        baselines: Other networks that were trained.
        seeds: Trainings of each winner when it was retrained, 0 where none was.
        controls: Null wirings that were trained beside winners.
        seconds: Of workers, for all of it.
        wall_seconds: From first to last.
    """

    config: StudyConfig
    versions: dict[str, str]
    judged: int
    ended: bool
    random: Compared | None = None
    baselines: int = 0
    seeds: int = 0
    controls: int = 0
    seconds: float = 0.0
    wall_seconds: float = 0.0


@dataclass(frozen=True)
class Item:
    """One question, and its answer with the evidence in a sentence."""

    part: str
    question: str
    answer: Answer
    evidence: str


def checklist(known: Known) -> list[Item]:
    """Return all items, in the order of the paper."""
    return [
        Item(part, question, *answer(known))
        for part, questions in _QUESTIONS.items()
        for question, answer in questions.items()
    ]


def _code(known: Known) -> Finding:
    version = known.versions.get("wiring-search", "?")
    commit = known.versions.get("commit")
    if commit is None:
        return "partly", f"wiring-search {version}; no commit was recorded."
    if commit.endswith(CHANGED):
        return (
            "partly",
            f"wiring-search {version} at commit {commit[:12]}, with uncommitted changes.",
        )
    return "yes", f"wiring-search {version} at commit {commit}."


def _space(known: Known) -> Finding:
    space = known.config.space
    return (
        "yes",
        f"The store holds the whole space: {len(space['dimensions'])} dimensions, "
        f"{len(space.get('constraints', ()))} constraints.",
    )


def _final_settings(known: Known) -> Finding:
    c = known.config
    training = (
        f"{c.epochs} epochs, minibatches of {c.batch_size}; the learning rate of each candidate "
        "is in the table"
    )
    if known.seeds:
        return "yes", f"Winners were retrained with {_count(known.seeds, 'seed')} each: {training}."
    return (
        "partly",
        f"Settings and seed {c.seed} of the search are recorded ({training}), but no winner was "
        "retrained: " + _run("retrain"),
    )


def _method_settings(known: Known) -> Finding:
    c = known.config
    pruning = f"pruning {c.pruning}" + (
        f" (eta {c.eta}, cut as {c.cut_as})" if c.pruning != "none" else ""
    )
    order = "results in order of arrival" if c.asynchronous else "results in order"
    return (
        "yes",
        f"Sampler {c.sampler}, {pruning}, packs of {c.pack_size}, {c.ahead} ahead, {order}, seed "
        f"{c.seed}.",
    )


def _same_benchmark(known: Known) -> Finding:
    if known.random is None:
        return _nothing_compared()
    other = _other_settings(known)
    if other:
        return "no", f"The random search has other settings: {', '.join(other)}."
    return (
        "yes",
        "The random search has the same task, splits, space, training and scores; only the "
        "sampler differs.",
    )


def _confounders(known: Known) -> Finding:
    if known.random is None:
        return _nothing_compared()
    names = ("wiring-search", "commit", "python", *PACKAGES, "platform", "processor", "cores")
    other = [name for name in names if known.versions.get(name) != known.random.versions.get(name)]
    if other:
        return "no", f"The random search ran with a different {', '.join(other)}."
    missing = [name for name in ("commit", "processor") if name not in known.versions]
    if missing:
        return "partly", f"Versions are equal; not recorded: {' and '.join(missing)}."
    return (
        "yes",
        f"Versions, commit, and machine ({known.versions['processor']}, {known.versions['cores']} "
        "cores) are equal.",
    )


def _ablations(known: Known) -> Finding:
    if known.controls:
        return (
            "partly",
            f"{_count(known.controls, 'null wiring')} trained for comparison with the winners; no "
            "part of the search was ablated.",
        )
    return "no", "No null wirings were trained: " + _run("retrain")


def _same_protocol(known: Known) -> Finding:
    if known.random is None and not known.baselines:
        return _nothing_compared()
    what = [
        *(["random search"] if known.random else []),
        *([_count(known.baselines, "baseline")] if known.baselines else []),
    ]
    if known.random and (other := _other_settings(known)):
        return "no", f"The random search has other settings: {', '.join(other)}."
    return (
        "yes",
        f"{' and '.join(what).capitalize()}: same splits, same epochs, each at its best epoch on "
        "the validation split.",
    )


def _over_time(known: Known) -> Finding:
    if not known.judged:
        return "no", "No candidate has finished yet."
    return "yes", "Hypervolume is shown over candidates and over worker-seconds."


def _random_search(known: Known) -> Finding:
    if known.config.sampler == "random":
        return "yes", "This study is a random search."
    if known.random is None:
        return "no", "No random search was run: " + _run("random")
    if known.random.judged < known.judged:
        return (
            "partly",
            f"The random search has evaluated {known.random.judged} of {known.judged} candidates: "
            + _run("random"),
        )
    return (
        "yes",
        f"The random search evaluated {known.random.judged} candidates, this study {known.judged}.",
    )


def _runs(known: Known) -> Finding:
    search = f"The search ran once, with seed {known.config.seed}"
    more = "each further seed is a study of its own; `wiring-search compare` compares them."
    if known.seeds:
        return (
            "partly",
            f"{search}; winners were retrained with {_count(known.seeds, 'recorded seed')} each; "
            f"{more}",
        )
    if known.config.repeats > 1:
        return (
            "partly",
            f"{search}; each candidate was trained {known.config.repeats} times; {more}",
        )
    return "no", f"{search}, and each candidate was trained once; {more}"


def _tabular(known: Known) -> Finding:
    return "no", "All scores come from real trainings; no tabular or surrogate benchmark was used."


def _tuning(known: Known) -> Finding:
    return (
        "no",
        "The store does not record whether settings of the search were tuned, nor at what cost.",
    )


def _end_to_end(known: Known) -> Finding:
    spent = (
        f"{known.seconds / 3600:.3g} worker-hours, {known.wall_seconds / 3600:.3g} hours of wall "
        "time"
    )
    if not known.judged:
        return "no", "No candidate has finished yet."
    if not known.ended:
        return "partly", f"So far {spent}; the search has not ended."
    parts = [
        "training",
        "scoring",
        *(["baselines"] if known.baselines else []),
        *(["retraining"] if known.seeds else []),
    ]
    return "yes", f"{spent}, including {', '.join(parts[:-1])} and {parts[-1]}."


def _setup(known: Known) -> Finding:
    missing = [
        name for name in ("commit", "platform", "processor", "cores") if name not in known.versions
    ]
    if missing:
        return "partly", f"Settings and versions are recorded; not recorded: {', '.join(missing)}."
    return "yes", "Settings, seeds, versions, commit and machine are in the store, and below."


def _nothing_compared() -> Finding:
    return "no", "This study is not compared with another search: " + _run("random")


def _other_settings(known: Known) -> list[str]:
    """Settings in which random search differs, the sampler and the number of candidates apart."""
    assert known.random is not None
    alike: dict[str, Any] = {"sampler": "random", "inherit": False, "trials": 1, "space_name": ""}
    one, other = (
        replace(config, **alike).to_json() for config in (known.config, known.random.config)
    )
    return [name.replace("_", " ") for name in one if one[name] != other[name]]


def _run(command: str) -> str:
    return f"run `wiring-search {command} OUT`."


def _count(n: int, one: str) -> str:
    return f"{n} {one}" if n == 1 else f"{n} {one}s"


_QUESTIONS: dict[str, dict[str, Callable[[Known], Finding]]] = {
    "Releasing code": {
        "Code of the training pipeline that evaluates the final architectures": _code,
        "Code of the search space": _space,
        "Hyperparameters of the final evaluation, and random seeds": _final_settings,
        "Code of the search method": _code,
        "Hyperparameters of the search method, and random seeds": _method_settings,
    },
    "Comparing methods": {
        "Same data, splits, space and training for all methods compared": _same_benchmark,
        "Confounding factors controlled: hardware, versions, time": _confounders,
        "Ablation studies": _ablations,
        "Same evaluation protocol for all methods compared": _same_protocol,
        "Performance compared over time": _over_time,
        "Compared with random search": _random_search,
        "Several runs, seeds reported": _runs,
        "Tabular or surrogate benchmarks for in-depth evaluations": _tabular,
    },
    "Reporting details": {
        "How hyperparameters of the method were tuned, and what that took": _tuning,
        "Time of the whole method, end to end": _end_to_end,
        "All details of the experimental setup": _setup,
    },
}
