"""mirror: the trials of a search in an Optuna storage."""

from typing import Annotated

import typer

from wiring_search.cli.options import Folder, command, console
from wiring_search.cli.tables import plain


@command("Results")
def mirror(
    out: Folder,
    storage: Annotated[
        str,
        typer.Option(
            help="Optuna storage: sqlite:///FILE, postgresql://USER@HOST/DATABASE, or the path of "
            "a journal file."
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="Keep copying until the search ends.")
    ] = False,
) -> None:
    """Copy the trials of a search into an Optuna storage, for optuna-dashboard."""
    from contextlib import closing

    from wiring_search.store import Store
    from wiring_search.store.optuna_mirror import mirror as copy

    with closing(Store.open(out)) as store:
        written = copy(store, storage, follow)
    console.print(
        f"Wrote {written} trials. View them with: optuna-dashboard {plain(storage)}",
        soft_wrap=True,
    )
