"""What commands share: the application, the consoles, and the options.

Related options are one frozen dataclass (`Machine`, `Limits`, …). A command takes it as one
parameter, see `wiring_search.cli.groups`.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer
from rich.console import Console

from wiring_search.cli.groups import expand_groups

if TYPE_CHECKING:
    from wiring_search.run import Resources
    from wiring_search.search.budget import Budget
    from wiring_search.tasks import TaskOptions

app = typer.Typer(
    name="wiring-search",
    help="Which small, sparse, liquid wiring is enough for my task?\n\n"
    "Searches Neural Circuit Policies, trains them in packs, and shows the Pareto front of size "
    "against error.\n\nStart with:  wiring-search search --task digits",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
# The panels of commands in --help, in this order.
PANELS = ("Search", "Results", "Trained networks", "Lists")
# Into a file or a pipe, tables are as wide as they need to be; rich would fold them to 80 columns.
_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 200
console = Console(highlight=False, width=_WIDTH)
errors = Console(stderr=True, highlight=False)

Folder = Annotated[Path, typer.Argument(metavar="OUT", help="The run folder of a search.")]
Trial = Annotated[int, typer.Option("--trial", help="The trial's number, as in the tables.")]
Trials = Annotated[
    list[int] | None,
    typer.Option("--trial", help="A trial's number; repeatable. Default: the front."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="Print the result only, no progress.")]
Log = Annotated[str, typer.Option(help="Also log to tensorboard, mlflow, wandb (comma-separated).")]
Objectives = Annotated[
    str, typer.Option(help="Other objectives than the search's, comma-separated.")
]


def command(panel: str, name: str | None = None) -> Callable[[Callable[..., None]], object]:
    """Register a command in a panel of --help. Its parameters may be option groups.

    Args:
        panel: One of `PANELS`.
        name: What a user types; the function's name by default.
    """
    return lambda function: app.command(name, rich_help_panel=panel)(expand_groups(function))


@dataclass(frozen=True)
class Machine:
    """What a command runs on."""

    PANEL: ClassVar = "Machine"

    workers: Annotated[
        int | None,
        typer.Option(
            min=0, help="Ray workers. Default: one per core. 0: train in this process, without Ray."
        ),
    ] = None
    address: Annotated[
        str | None,
        typer.Option(
            envvar="RAY_ADDRESS",
            help="Ray cluster, such as auto or ray://host:10001. Default: a local Ray.",
        ),
    ] = None
    worker_cpus: Annotated[int, typer.Option(min=1, help="Cores per worker.")] = 1
    worker_gpus: Annotated[float, typer.Option(min=0.0, help="Share of a GPU per worker.")] = 0.0
    device: Annotated[
        str, typer.Option(help="cpu, cuda, or auto: a GPU if there is one and the neurons can.")
    ] = "auto"
    patience: Annotated[
        float,
        typer.Option(min=1.0, help="Seconds without progress after which a worker counts as hung."),
    ] = 300.0

    @property
    def resources(self) -> "Resources":
        from wiring_search.run import Resources

        return Resources(
            workers=self.workers,
            address=self.address,
            cpus=self.worker_cpus,
            gpus=self.worker_gpus,
            patience=self.patience,
            device=self.device,
        )


@dataclass(frozen=True)
class Limits:
    """When a search stops before its last trial."""

    PANEL: ClassVar = "Limits"

    minutes: Annotated[float | None, typer.Option(help="Stop after this wall time.")] = None
    core_hours: Annotated[
        float | None, typer.Option(help="Stop after these core-hours, all workers together.")
    ] = None

    def budget(self, resources: "Resources") -> "Budget":
        from wiring_search.search.budget import Budget

        return Budget(self.minutes, self.core_hours, resources.cores)


@dataclass(frozen=True)
class TaskChoice:
    """What is learned."""

    PANEL: ClassVar = "Task"

    task: Annotated[
        str, typer.Option(help="What to learn; `wiring-search tasks` lists the tasks.")
    ] = "digits"
    data: Annotated[
        str | None, typer.Option(help="Folder or file, for tasks that read their data.")
    ] = None
    inputs: Annotated[
        str, typer.Option(help="csv: input columns, comma-separated. Default: all but the target.")
    ] = ""
    target: Annotated[str | None, typer.Option(help="csv: the column to predict.")] = None
    kind: Annotated[str, typer.Option(help="csv: auto, classification or regression.")] = "auto"
    window: Annotated[int, typer.Option(help="csv: rows per sequence.")] = 32
    stride: Annotated[int, typer.Option(help="csv: rows between the starts of sequences.")] = 8
    samples: Annotated[int, typer.Option(help="Generated tasks: training sequences.")] = 20_000
    lag: Annotated[
        int | None, typer.Option(min=1, help="Long-memory tasks: steps to remember over.")
    ] = None
    protocol: Annotated[
        str, typer.Option(help="Real data: clean (splits never overlap) or paper (to compare).")
    ] = "clean"

    @property
    def options(self) -> "TaskOptions":
        """The options of the task.

        Raises:
            ValueError: The kind or the protocol is unknown.
        """
        from wiring_search.tasks import TaskOptions

        one_of("--kind", self.kind, ("auto", "classification", "regression"))
        one_of("--protocol", self.protocol, ("clean", "paper"))
        return TaskOptions(
            data=self.data,
            inputs=names_in(self.inputs),
            target=self.target,
            kind=self.kind,  # type: ignore[arg-type]
            window=self.window,
            stride=self.stride,
            samples=self.samples,
            lag=self.lag,
            protocol=self.protocol,  # type: ignore[arg-type]
        )


@dataclass(frozen=True)
class SpaceChoice:
    """Which wirings there are."""

    PANEL: ClassVar = "Search space"

    space: Annotated[
        str, typer.Option(help="A preset (`wiring-search spaces`) or your own .toml file.")
    ] = "default"
    extension: Annotated[
        str | None,
        typer.Option(help="A Python file with your own neurons, scores or tasks; see docs/how-to."),
    ] = None


def names_in(text: str) -> tuple[str, ...]:
    """Return the names in a comma-separated list."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    """Check the value of an option.

    Args:
        option: Its name, for the message.
        value: As typed.
        allowed: The allowed values.

    Raises:
        ValueError: The value is not allowed.
    """
    if value not in allowed:
        raise ValueError(f"{option} is {value!r}; give one of {', '.join(allowed)}")


def named_numbers(option: str, text: str) -> dict[str, float]:
    """Return the numbers in a list such as error=0.9,synapses=1000.

    Args:
        option: Its name, for the message.
        text: As typed.

    Raises:
        ValueError: The text has another form.
    """
    numbers = {}
    for part in names_in(text):
        name, _, value = part.partition("=")
        try:
            numbers[name.strip()] = float(value)
        except ValueError:
            raise ValueError(
                f"{option} is {text!r}; give numbers by name, such as error=0.9,synapses=1000"
            ) from None
    return numbers


def whole_numbers(option: str, text: str) -> tuple[int, ...]:
    """Return the whole numbers in a comma-separated list.

    Args:
        option: Its name, for the message.
        text: As typed.

    Raises:
        ValueError: The text has another form.
    """
    try:
        return tuple(int(part) for part in names_in(text))
    except ValueError:
        raise ValueError(
            f"{option} is {text!r}; give whole numbers separated by commas, such as 4,8,16"
        ) from None
