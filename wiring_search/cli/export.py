"""The command that takes a trained network elsewhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import Folder, Quiet, app, console, errors, names_in
from wiring_search.cli.tables import number, plain, print_table

if TYPE_CHECKING:
    from wiring_search.export import Written


@app.command()
def export(
    out: Folder,
    trial: Annotated[int, typer.Option(help="The trial's number, as in the tables.")],
    to: Annotated[
        str,
        typer.Option(
            help="By commas: torch, onnx, ncps, graphml, json, dot, c; or all that can hold it."
        ),
    ] = "all",
    folder: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to. Default: OUT/export-N.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Take a trained network elsewhere: PyTorch, ONNX, C for microcontrollers, ncps, GraphML, JSON,
    Graphviz.

    Every file is loaded again and held to the network on validation sequences before it is put in
    place. A README.md beside the files tells how to load them, what goes in and what comes out.

    [bold]Example[/]

      wiring-search export results/mine --trial 4 --to torch,c --out taken
    """
    from wiring_search import export as exporting
    from wiring_search.cli.progress import counted

    folder = folder or out / f"export-{trial}"
    left_out: list[tuple[str, str]] = []
    with counted(console, "formats", quiet) as told:
        written = exporting.export(
            out, trial, names_in(to), folder, told, lambda name, why: left_out.append((name, why))
        )
    columns = ["format", "files", "bytes", "largest difference", "relative", "µs a step"]
    print_table(
        columns,
        [_row(one) for one in written],
        f"Trial {trial}, held to the network on validation sequences",
    )
    for one in written:
        if one.check.notes:
            console.print(
                f"{one.format}: {', '.join(f'{name} {value:,}' for name, value in one.check.notes.items())}"
            )
    console.print(
        "differences: the largest, of outputs and states (of weights, for graphs); µs a step: one sample, on this machine"
    )
    for name, why in left_out:
        errors.print(f"left out: {name}, {plain(why)}", soft_wrap=True)
    console.print(f"How to load them: {plain(str(folder / 'README.md'))}", soft_wrap=True)


def _row(one: "Written") -> list[str]:
    check = one.check
    return [
        one.format,
        ", ".join(path.name for path in one.files),
        f"{one.bytes:,}",
        *(f"{value:.2g}" for value in (check.absolute, check.relative)),
        "–" if check.microseconds is None else number(check.microseconds),
    ]
