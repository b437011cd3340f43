"""matters: which dimensions and which structure matter for the scores?"""

from typing import TYPE_CHECKING, Any

from wiring_search.cli.options import Folder, Objectives, Quiet, command, console, names_in
from wiring_search.cli.tables import plain, print_table

if TYPE_CHECKING:
    from wiring_search.analysis.factors import Factors

_SHOWN = 8


@command("Results")
def matters(out: Folder, objectives: Objectives = "", quiet: Quiet = False) -> None:
    """Show what matters: dimensions of the space, structure of wirings.

    Importance of every dimension for every objective, and correlations of structure with scores,
    also at equal size. Every number has its confidence. Writes OUT/importance.csv, structure.csv,
    correlations.csv, pictures and the report.

    [bold]Example[/]

      wiring-search matters results/mine --objectives error,latency_us
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted

    with counted(console, "steps", quiet) as on_progress:
        found = run.matters(out, names_in(objectives), on_progress)
    for objective in found.objectives:
        _importance(found, objective)
    _correlations(found)
    tables = ", ".join((run.IMPORTANCE_TABLE, run.STRUCTURE_TABLE, run.CORRELATIONS_TABLE))
    console.print(f"\nTables in {plain(str(out))}: {tables}", soft_wrap=True)
    console.print(f"Pictures: {', '.join(run.pictures_of(found.objectives))}", soft_wrap=True)
    console.print(f"Report: {plain(str(run.Run(out).report))}", soft_wrap=True)


def _importance(found: "Factors", objective: str) -> None:
    table = found.importance[found.importance["objective"] == objective]
    trials = table["trials"].max()
    if not table["importance"].notna().any():
        console.print(
            f"Importance for {objective}: unknown. There are too few trials ({trials}), or "
            f"{objective} never changes."
        )
        return
    rows = [
        [
            row.dimension,
            f"{row.importance:.0%}",
            f"{row.lower:.0%} to {row.upper:.0%}",
            f"{row.chance:.0%}",
            _beyond_chance(row),
        ]
        for row in table.head(_SHOWN).itertuples()
    ]
    title = f"Importance for {objective} (share, PED-ANOVA, {trials} trials)"
    print_table(["dimension", "importance", "95 % interval", "chance reaches", ""], rows, title)
    if not table["enough"].all():
        console.print("Fewer than 50 trials: take this as a hint.")


def _beyond_chance(row: Any) -> str:
    if row.importance <= row.chance:
        return ""
    return "more than chance" if row.lower > row.chance else "probably more than chance"


def _correlations(found: "Factors") -> None:
    """Correlations with the objectives. How size follows from its parts is in the table only."""
    from wiring_search.analysis.factors import SIGNIFICANT, SIZES, sentence

    console.print(
        "\n[bold]Structure and dimensions against scores[/] "
        "(rank correlation, 95 % interval; strongest first)"
    )
    for score in (name for name in found.objectives if name not in SIZES):
        table = found.correlations[found.correlations["score"] == score]
        clear = table[(table["q"] <= SIGNIFICANT) | (table["partial_q"] <= SIGNIFICANT)]
        for row in clear.head(_SHOWN).itertuples():
            console.print(f"  {plain(sentence(row))}", soft_wrap=True)
        more = f"{len(clear) - _SHOWN} more are clear; " if len(clear) > _SHOWN else ""
        console.print(
            f"  {more}{len(table) - len(clear)} of {len(table)} are not significant (q > "
            f"{SIGNIFICANT})"
        )
    console.print(
        f"{len(found.candidates)} candidates. Correlation is not causation, and candidates that a "
        "sampler proposes are not independent draws.",
        soft_wrap=True,
    )
