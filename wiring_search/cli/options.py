"""What commands share: the application, where they print, and options that mean the same
everywhere."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    name="wiring-search",
    help="Which small, sparse, liquid wiring is enough for my task? Searches Neural Circuit Policies, trains them in packs, and shows "
    "the Pareto front of size against error.\n\nStart with:  wiring-search search --task digits",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
# Into a file or a pipe, tables are as wide as they need to be; rich would fold them to 80 columns.
_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 200
console = Console(highlight=False, width=_WIDTH)
errors = Console(stderr=True, highlight=False)


Folder = Annotated[Path, typer.Argument(metavar="OUT", help="The run folder that `search` wrote.")]
Workers = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="Ray workers, one core each. Default: all cores. 0 trains in this process, without Ray.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        envvar="RAY_ADDRESS",
        help="A Ray cluster to use, such as auto or ray://host:10001. Default: a local Ray.",
    ),
]
WorkerCpus = Annotated[int, typer.Option("--worker-cpus", min=1, help="Cores of each worker.")]
WorkerGpus = Annotated[
    float, typer.Option("--worker-gpus", min=0.0, help="Share of a GPU that each worker claims.")
]
Device = Annotated[
    str,
    typer.Option(
        help="Where to train: cpu, cuda, or auto: on GPUs where there are any, for kinds of neuron that can."
    ),
]
Patience = Annotated[
    float,
    typer.Option(
        min=1.0,
        help="Seconds without a sign of life from its training, after which a worker counts as hung.",
    ),
]
Own = Annotated[
    str | None,
    typer.Option(
        "--extension", help="A Python file of your own neurons, scores and tasks; see docs/how-to."
    ),
]
Log = Annotated[
    str,
    typer.Option(
        help="Log elsewhere too, by commas: tensorboard, mlflow, wandb. Default: nowhere."
    ),
]
Minutes = Annotated[
    float | None, typer.Option(help="Stop after so much wall time; `resume` goes on.")
]
CoreHours = Annotated[
    float | None, typer.Option(help="Stop after so many core-hours, of all workers together.")
]
Trials = Annotated[
    list[int] | None,
    typer.Option(
        "--trial",
        help="A trial's number, as in the tables; may be given again. Default: the front.",
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")]


def names_in(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def named_numbers(option: str, text: str) -> dict[str, float]:
    """From error=0.9,synapses=1000."""
    found = {}
    for part in names_in(text):
        name, _, value = part.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise ValueError(
                f"{option} is {text!r}; give numbers by name, such as error=0.9,synapses=1000"
            ) from None
    return found


def whole_numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in names_in(text))
    except ValueError:
        raise ValueError(
            f"{option} is {text!r}; give whole numbers by commas, such as 4,8,16"
        ) from None
