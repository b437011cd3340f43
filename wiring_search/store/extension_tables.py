"""The tables that an extension may define: what their entries must be, and how they are added.

A further table is one more entry of `TABLES`.
"""

from collections.abc import Callable, Container
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from wiring_search.scores.catalogue import SCORES, Score, add_score
from wiring_search.wirings.kinds import CLOSED_FORM, EXPLICIT, KINDS, Family, NeuronKind

if TYPE_CHECKING:
    from wiring_search.tasks import Task, TaskOptions

# What a store keeps of an entry: plain data that JSON can hold.
Description = dict[str, Any]


def _describe_nothing(entry: Any) -> Description:
    return {}


def _declare_nothing(group: str, name: str, description: Description) -> None:
    pass


def _try_nothing(name: str) -> None:
    pass


@dataclass(frozen=True)
class Table:
    """One table of an extension.

    Attributes:
        wanted: What an entry must be, in words.
        fits: Whether an entry is that.
        names: The names that this process knows.
        add: Adds an entry: add(file, group, name, entry).
        describe: What readers of a study must know of an entry, as plain data.
        declare: Makes a described entry known to readers: declare(group, name, description). Runs
            none of the extension's code.
        try_out: Runs an entry once, by its name, when a user names the file.
    """

    wanted: str
    fits: Callable[[Any], bool]
    names: Callable[[], Container[str]]
    add: Callable[[str, str, str, Any], None]
    describe: Callable[[Any], Description] = _describe_nothing
    declare: Callable[[str, str, Description], None] = _declare_nothing
    try_out: Callable[[str], None] = _try_nothing


def _is_dynamics(entry: Any) -> bool:
    from wiring_search.networks.neurons.dynamics import Dynamics

    return isinstance(entry, Dynamics)


def _describe_neuron(dynamics: Any) -> Description:
    return {"solvers": [CLOSED_FORM] if dynamics.field is None else list(EXPLICIT)}


def _declare_neuron(group: str, name: str, description: Description) -> None:
    KINDS[name] = NeuronKind(Family.EXTENSION, tuple(description["solvers"]), compiled=False)


def _add_neuron(file: str, group: str, name: str, dynamics: Any) -> None:
    from wiring_search.networks.neurons import NEURONS

    NEURONS[name] = dynamics


def _try_neuron(name: str) -> None:
    """Run a tiny network forward and backward, so that a fault shows before anything trains."""
    import torch

    from wiring_search.networks.liquid_network import LiquidNetwork
    from wiring_search.wirings.topologies import ncp

    network = LiquidNetwork(ncp(2, 3, 2, 1, 2, 2, 1, 2), neuron=name, steps=1)
    y, _ = network(torch.ones(2, 3, 2))
    y.sum().backward()
    if not bool(torch.isfinite(y).all()):
        raise ValueError("its first outputs are not finite")


def _is_measured_score(entry: Any) -> bool:
    return isinstance(entry, Score) and entry.measure is not None


def _describe_score(score: Score) -> Description:
    return {
        "sentence": score.sentence,
        "sign": score.sign,
        "unit": score.unit,
        "worst": score.worst,
    }


def _declare_score(group: str, name: str, description: Description) -> None:
    add_score(group, name, Score(**description))


def _add_score(file: str, group: str, name: str, score: Score) -> None:
    add_score(group, name, score)


def _task_names() -> Container[str]:
    from wiring_search.tasks import TASKS

    return TASKS


def _add_task(file: str, group: str, name: str, make: "Callable[[TaskOptions], Task]") -> None:
    from wiring_search.tasks import TASKS, Entry

    summary = (make.__doc__ or f"of {file}").strip().splitlines()[0]
    TASKS[name] = Entry(partial(_checked_task, file, name, make), summary)


def _checked_task(
    file: str, name: str, make: "Callable[[TaskOptions], Task]", options: "TaskOptions"
) -> "Task":
    from wiring_search.tasks import Task, checked

    task = make(options)
    if not isinstance(task, Task):
        raise ValueError(f"{file}: TASKS[{name!r}] returned {task!r}; return a Task")
    try:
        return checked(task)
    except ValueError as fault:
        raise ValueError(f"{file}: task {name}: {fault}") from None


# Samplers of extensions by name, for the search to find: (config, space) -> Sampler, or a class of
# Optuna's samplers.
EXTENSION_SAMPLERS: dict[str, Callable[..., Any]] = {}


def _add_sampler(file: str, group: str, name: str, make: Callable[..., Any]) -> None:
    EXTENSION_SAMPLERS[name] = make


# Export formats of extensions; `wiring_search.export` looks them up.
EXTENSION_EXPORTS: dict[str, Any] = {}
_FORMAT = ("summary", "write", "files", "check", "loading", "missing", "refused")


def _is_format(entry: Any) -> bool:
    """Whether it has the fields of `export.Format`, which is in a room above this one."""
    return all(hasattr(entry, name) for name in _FORMAT)


def _add_format(file: str, group: str, name: str, entry: Any) -> None:
    EXTENSION_EXPORTS[name] = entry


TABLES: dict[str, Table] = {
    "NEURONS": Table(
        "a Dynamics",
        _is_dynamics,
        lambda: KINDS,
        _add_neuron,
        _describe_neuron,
        _declare_neuron,
        _try_neuron,
    ),
    "SCORES": Table(
        "a Score with a measure: Score(…, measure=FUNCTION)",
        _is_measured_score,
        lambda: SCORES,
        _add_score,
        _describe_score,
        _declare_score,
    ),
    "TASKS": Table("a function of TaskOptions", callable, _task_names, _add_task),
    "SAMPLERS": Table(
        "a function (config, space) -> Sampler, or a subclass of Optuna's BaseSampler",
        callable,
        lambda: EXTENSION_SAMPLERS,
        _add_sampler,
    ),
    "EXPORTS": Table(
        "a Format of wiring_search.export", _is_format, lambda: EXTENSION_EXPORTS, _add_format
    ),
}
