"""tasks, spaces, scores: lists of what can be chosen."""

from wiring_search.cli.options import command, console
from wiring_search.cli.tables import print_table


@command("Lists")
def tasks() -> None:
    """List the tasks and what each needs."""
    from wiring_search.tasks import TASKS

    print_table(
        ["task", "what is learned", "needs"],
        [[name, entry.summary, entry.needs] for name, entry in TASKS.items()],
    )


@command("Lists")
def spaces() -> None:
    """List the search spaces and what varies in each.

    Your own space is a .toml file; see examples/space.toml.
    """
    from wiring_search import search_spaces

    flat = {
        name: space.to_json()
        for name, space in search_spaces.SPACES.items()
        if not space.conditional
    }
    names = dict.fromkeys(name for space in flat.values() for name in space["dimensions"])
    rows = [
        [name, *(_range(space["dimensions"].get(name)) for space in flat.values())]
        for name in names
    ]
    print_table(["dimension", *flat], rows, title="Neural Circuit Policies of LTC neurons")
    console.print("Constraints: " + "; ".join(flat["default"]["constraints"]))
    for name, space in search_spaces.SPACES.items():
        if space.conditional:
            console.print()
            rows = [
                row
                for dimension, given in space.to_json()["dimensions"].items()
                for row in _alternatives(dimension, given)
            ]
            print_table(
                ["dimension", name, "where"],
                rows,
                title="Neuron, solver, memory and topology vary too",
            )
            console.print(
                "The first row whose condition holds counts; without one, the dimension is absent."
            )
            console.print(
                "Constraints, where all their dimensions exist: " + "; ".join(space.constraints)
            )


@command("Lists")
def scores() -> None:
    """List the scores of a candidate and which of them can be objectives."""
    from wiring_search.scores.catalogue import SCORES, group_of

    better = {1: "smaller", -1: "larger", 0: "not an objective"}
    rows = [
        [name, group_of(name) or "", s.unit, better[s.sign], s.sentence]
        for name, s in SCORES.items()
    ]
    print_table(["score", "group", "unit", "better", "what it says"], rows)


def _alternatives(name: str, given: dict | list[dict]) -> list[list[str]]:
    """One row per alternative of a dimension that depends on others."""
    alternatives = given if isinstance(given, list) else [given]
    where = [
        "; ".join(f"{parent}: {', '.join(map(str, v))}" for parent, v in a.get("when", {}).items())
        for a in alternatives
    ]
    return [
        ["" if row else name, _range(a), where[row] or ("otherwise" if row else "always")]
        for row, a in enumerate(alternatives)
    ]


def _range(dimension: dict | None) -> str:
    if dimension is None:
        return "–"
    if "choices" in dimension:
        return ", ".join(map(str, dimension["choices"]))
    scale = ", log" if dimension.get("log") else ""
    return f"{dimension['low']} to {dimension['high']}{scale}"
