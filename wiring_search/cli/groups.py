"""Option groups: a frozen dataclass that stands for one option per field.

A command asks for a group as one parameter, and typer sees the fields:

    @command("Search")
    def resume(out: Folder, machine: Machine = Machine()) -> None: ...

has the options --workers, --address … of `Machine`, in a separate panel in --help.
"""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterator
from copy import copy
from typing import Annotated, Any, get_args


def expand_groups(function: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of its groups.

    Args:
        function: A command. Parameters annotated with a dataclass are groups; a class attribute
            `PANEL` names their panel in --help.

    Returns:
        The same command, whose signature has one parameter per field of each group.
    """
    signature = inspect.signature(function, eval_str=True)
    groups: dict[str, Any] = {}
    flat: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        kind: Any = parameter.annotation
        if dataclasses.is_dataclass(kind):
            groups[name] = kind
            flat += _options(kind)
        else:
            flat.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))

    @functools.wraps(function)
    def command(**given: Any) -> None:
        for name, group in groups.items():
            fields = (field.name for field in dataclasses.fields(group))
            given[name] = group(**{field: given.pop(field) for field in fields})
        function(**given)

    command.__signature__ = signature.replace(parameters=flat)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in flat}
    return command


def _options(group: Any) -> Iterator[inspect.Parameter]:
    """One keyword parameter per field, in the panel of the group."""
    annotations = inspect.get_annotations(group, eval_str=True)
    for field in dataclasses.fields(group):
        kind, option = get_args(annotations[field.name])
        in_panel = copy(option)
        in_panel.rich_help_panel = getattr(group, "PANEL", None)
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default,
            annotation=Annotated[kind, in_panel],
        )
