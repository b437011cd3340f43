"""random: random search beside a search, to measure what its sampler is worth."""

from dataclasses import replace

from wiring_search.cli.options import (
    Folder,
    Limits,
    Log,
    Machine,
    Quiet,
    command,
    console,
    names_in,
)
from wiring_search.cli.tables import plain


@command("Search", "random")
def random_search(
    out: Folder, limits: Limits, machine: Machine, log: Log = "", quiet: Quiet = False
) -> None:
    """Run random search beside a search: is the sampler worth it?

    It takes the search's settings and number of candidates. Its study is in OUT/random; the report
    of OUT then shows both. Run the command again to resume.
    """
    from wiring_search import run
    from wiring_search.cli.following import Following, follow
    from wiring_search.report import RANDOM

    config = replace(run.Run(out).config, sampler="random")
    resources = machine.resources
    budget = limits.budget(resources)
    follow(
        Following(config, out / RANDOM, resources, budget, quiet, names_in(log)),
        lambda watch: run.search_randomly(out, resources, budget, watch),
        resume_with=f"wiring-search random {out}",
    )
    console.print(f"Report with both: {plain(str(run.Run(out).report))}", soft_wrap=True)
