"""baselines: the usual networks on the task of a search."""

from typing import Annotated

import typer

from wiring_search.cli.options import Folder, Quiet, command, console, names_in
from wiring_search.cli.tables import plain, show_front


@command("Search")
def baselines(
    out: Folder,
    only: Annotated[
        str, typer.Option(help="Some of them, comma-separated: lstm, gru-d-16, … Default: all.")
    ] = "",
    quiet: Quiet = False,
) -> None:
    """Train the usual networks on the task of a search.

    RNN, GRU, LSTM, CT-GRU, GRU-D, AutoNCP, dense and pruned LTC, and reservoirs get the search's
    budget. They stand below its front and in its report. Nothing that finished is trained again.
    """
    from wiring_search.cli.following import train_baselines

    done = train_baselines(out, names_in(only), quiet)
    show_front(done)
    console.print(f"\nReport: {plain(str(done.report))}", soft_wrap=True)
