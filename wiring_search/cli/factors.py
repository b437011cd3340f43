"""The command that says what matters in a search."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wiring_search.cli.options import Folder, Quiet, app, console, names_in
from wiring_search.cli.tables import plain, print_table

if TYPE_CHECKING:
    from wiring_search.analysis.factors import Matters

_SHOWN = 8


@app.command()
def matters(
    out: Folder,
    objectives: Annotated[
        str, typer.Option(help="Other objectives than the search's, by commas.")
    ] = "",
    quiet: Quiet = False,
) -> None:
    """What matters? Importance of every dimension; the structure of wirings against their scores,
    also at equal size.

    Every number comes with its confidence. Writes OUT/importance.csv, structure.csv,
    correlations.csv, pictures, and the report anew.

    [bold]Example[/]: wiring-search matters results/mine --objectives error,latency_us
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted
    from wiring_search.run import Run

    with counted(console, "steps", quiet) as told:
        found = run.matters(out, names_in(objectives), told)
    for objective in found.objectives:
        _importance(found, objective)
    _correlations(found)
    tables = ", ".join((run.IMPORTANCE_TABLE, run.STRUCTURE_TABLE, run.CORRELATIONS_TABLE))
    console.print(f"\nTables in {plain(str(out))}: {tables}", soft_wrap=True)
    console.print(f"Pictures: {', '.join(run.pictures_of(found.objectives))}", soft_wrap=True)
    console.print(f"Report: {plain(str(Run(out).report))}", soft_wrap=True)


def _importance(found: "Matters", objective: str) -> None:
    own = found.importance[found.importance["objective"] == objective]
    if not own["importance"].notna().any():
        console.print(
            f"Importance for {objective}: too few trials to tell ({own['trials'].max()}), or it never changes."
        )
        return
    rows = [
        [
            row.dimension,
            f"{row.importance:.0%}",
            f"{row.lower:.0%} to {row.upper:.0%}",
            f"{row.chance:.0%}",
            _beyond(row),
        ]
        for row in own.head(_SHOWN).itertuples()
    ]
    title = f"Importance for {objective} (share, PED-ANOVA, {own['trials'].max()} trials)"
    print_table(["dimension", "importance", "95 % interval", "chance reaches", ""], rows, title)
    if not own["enough"].all():
        console.print("Fewer than 50 trials: take this as a hint.")


def _beyond(row: Any) -> str:
    return (
        ""
        if row.importance <= row.chance
        else "more than chance"
        if row.lower > row.chance
        else "probably more than chance"
    )


def _correlations(found: "Matters") -> None:
    """With the objectives; but how size comes about from its parts is in the table only."""
    from wiring_search.analysis.factors import SIGNIFICANT, SIZES, sentence

    console.print(
        "\n[bold]Structure and dimensions against scores[/] (rank correlation, 95 % interval; strongest first)"
    )
    for score in (name for name in found.objectives if name not in SIZES):
        own = found.correlations[found.correlations["score"] == score]
        sure = own[(own["q"] <= SIGNIFICANT) | (own["partial_q"] <= SIGNIFICANT)]
        for row in sure.head(_SHOWN).itertuples():
            console.print(f"  {plain(sentence(row))}", soft_wrap=True)
        more = f"{len(sure) - _SHOWN} more are clear; " if len(sure) > _SHOWN else ""
        console.print(
            f"  {more}{len(own) - len(sure)} of {len(own)} may be chance (q > {SIGNIFICANT})"
        )
    console.print(
        f"{len(found.candidates)} candidates. A correlation is no cause, and candidates that a sampler proposed are no independent "
        "draws.",
        soft_wrap=True,
    )
