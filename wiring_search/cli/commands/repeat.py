"""repeat: one candidate trained with other seeds."""

from typing import TYPE_CHECKING, Annotated

import typer

from wiring_search.cli.options import Folder, Quiet, Trial, command, console
from wiring_search.cli.tables import plain, print_table

if TYPE_CHECKING:
    from wiring_search.run import Design, Repeats


@command("Trained networks")
def repeat(
    out: Folder,
    trial: Trial,
    seeds: Annotated[
        int, typer.Option(help="Number of wirings, of initialisations, and of data orders.")
    ] = 5,
    quiet: Quiet = False,
) -> None:
    """Train a candidate with other seeds: its mean error, and the sources of its variance.

    All combinations are trained with the budget of the search. Writes OUT/repeat-N.csv.
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted

    design = run.design(out, trial, seeds)
    if not quiet:
        console.print(
            f"Training trial {trial} {design.trainings} times: {len(design.wirings)} wirings × "
            f"{len(design.init_seeds)} initialisations × {len(design.data_seeds)} orders"
        )
    with counted(console, "trainings", quiet) as on_progress:
        found = run.repeat(out, trial, seeds, on_progress)
    _show(found, design)


def _show(found: "Repeats", design: "Design") -> None:
    console.print(
        f"[bold]trial {found.trial}[/]: error {found.searched:.4g} in the search "
        "(one training, and selected for it)"
    )
    console.print(
        f"  same wiring, {len(design.init_seeds)} initialisations: {found.mean:.4g} ± "
        f"{found.standard_error:.2g} (mean ± standard error)",
        soft_wrap=True,
    )
    console.print(
        f"  expected error below {found.upper:.4g} with 95 % confidence; "
        f"standard deviation of one training {found.spread:.2g}",
        soft_wrap=True,
    )
    try:
        split = found.split
    except ValueError as reason:
        console.print(f"  The variance cannot be split: {plain(str(reason))}", soft_wrap=True)
        return
    rows = [
        [name, f"{getattr(split, name) ** 0.5:.2g}", f"{share:.0%}"]
        for name, share in split.shares.items()
    ]
    print_table(["source", "standard deviation of the error", "share of the variance"], rows)
    console.print("residual: interactions, such as a data order that suits one network only")
    if len(design.wirings) == 1:
        console.print("This point of the space has one wiring, so wirings have no share.")
