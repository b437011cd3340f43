"""export: a trained network for other programs."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import Folder, Quiet, Trial, command, console, errors, names_in
from wiring_search.cli.tables import number, plain, print_table

if TYPE_CHECKING:
    from wiring_search.export import Written


@command("Trained networks")
def export(
    out: Folder,
    trial: Trial,
    to: Annotated[
        str,
        typer.Option(
            help="Formats, comma-separated: torch, onnx, ncps, graphml, json, dot, c; or all that "
            "can hold the network."
        ),
    ] = "all",
    folder: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the files. Default: OUT/export-N."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Export a trained network: PyTorch, ONNX, C, ncps, GraphML, JSON, Graphviz.

    Every file is loaded again and compared with the network on validation sequences before it is
    kept. A README.md beside the files says how to load them, and what their inputs and outputs are.

    [bold]Example[/]

      wiring-search export results/mine --trial 4 --to torch,c --out exported
    """
    from wiring_search import export as exporting
    from wiring_search.cli.progress import counted

    folder = folder or out / f"export-{trial}"
    left_out: list[tuple[str, str]] = []
    with counted(console, "formats", quiet) as on_progress:
        written = exporting.export(
            out,
            trial,
            names_in(to),
            folder,
            on_progress,
            lambda name, why: left_out.append((name, why)),
        )
    _show(written, trial)
    for name, why in left_out:
        errors.print(f"left out: {name}, {plain(why)}", soft_wrap=True)
    console.print(f"How to load them: {plain(str(folder / 'README.md'))}", soft_wrap=True)


def _show(written: "list[Written]", trial: int) -> None:
    print_table(
        ["format", "files", "bytes", "largest difference", "relative", "µs per step"],
        [_row(one) for one in written],
        f"Trial {trial}, compared with the network on validation sequences",
    )
    for one in written:
        if one.check.notes:
            notes = ", ".join(f"{name} {value:,}" for name, value in one.check.notes.items())
            console.print(f"{one.format}: {notes}")
    console.print(
        "differences: the largest, of outputs and states (of weights, for graphs); "
        "µs per step: one sample, on this machine"
    )


def _row(one: "Written") -> list[str]:
    check = one.check
    return [
        one.format,
        ", ".join(path.name for path in one.files),
        f"{one.bytes:,}",
        *(f"{value:.2g}" for value in (check.absolute, check.relative)),
        "–" if check.microseconds is None else number(check.microseconds),
    ]
