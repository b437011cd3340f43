"""resume: continue a search that was stopped."""

from dataclasses import replace
from typing import Annotated

import typer

from wiring_search.cli.options import Folder, Limits, Log, Machine, Quiet, command, names_in


@command("Search")
def resume(
    out: Folder,
    limits: Limits,
    machine: Machine,
    trials: Annotated[
        int | None, typer.Option(help="New number of candidates in all. Default: unchanged.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            help="The PostgreSQL database with the search, on a machine that has no OUT yet."
        ),
    ] = None,
    log: Log = "",
    quiet: Quiet = False,
) -> None:
    """Resume a search that was stopped, killed or interrupted.

    Nothing that finished is trained again.
    """
    from wiring_search import run
    from wiring_search.cli.following import Following, follow
    from wiring_search.store import Store, exists

    if store is not None and not exists(out):
        Store.attach(out, store).close()
    config = run.Run(out).config
    if trials is not None:
        config = replace(config, trials=trials)
    resources = machine.resources
    budget = limits.budget(resources)
    follow(
        Following(config, out, resources, budget, quiet, names_in(log)),
        lambda watch: run.resume(out, resources, budget, watch, trials),
    )
