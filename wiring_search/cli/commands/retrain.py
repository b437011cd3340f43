"""retrain: the winners trained again, beside controls, and tested once."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from wiring_search.cli.options import (
    Folder,
    Machine,
    Quiet,
    Trials,
    command,
    console,
    errors,
    names_in,
)
from wiring_search.cli.tables import finite, number, plain, print_table, with_spread

if TYPE_CHECKING:
    from pathlib import Path

    from wiring_search.analysis.significance import Mean
    from wiring_search.analysis.winners import Winners
    from wiring_search.run import Plan, Resources


@command("Trained networks")
def retrain(
    out: Folder,
    machine: Machine,
    trial: Trials = None,
    seeds: Annotated[
        int, typer.Option(help="Fresh trainings of each trial, and of each of its controls.")
    ] = 5,
    controls: Annotated[
        str,
        typer.Option(
            help="Null wirings to compare with, comma-separated: rewired, random, polarity, dense; "
            "or none."
        ),
    ] = "rewired,random,polarity,dense",
    test: Annotated[
        bool,
        typer.Option("--test/--no-test", help="Open the test split at the end, once per network."),
    ] = True,
    quiet: Quiet = False,
) -> None:
    """Retrain the winners beside controls, then open the test split.

    Is it the topology, or only the size? Each trial is trained with seeds that the search never
    used, and so is each control, each time another wiring: rewired (same degrees), random (same
    size), polarity (same graph, shuffled signs), dense (as many parameters). Then all are evaluated
    once on the test split, and the store records that. Nothing that finished is trained again; more
    --seeds add trainings. Writes OUT/winners.csv, OUT/controls.csv and OUT/winners.png.

    [bold]Examples[/]

      wiring-search retrain results/mine

      wiring-search retrain results/mine --trial 4 --seeds 10 --controls random,dense

      wiring-search retrain results/mine --controls none --no-test
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted

    nulls = () if controls == "none" else names_in(controls)
    plan = run.plan(out, tuple(trial or ()), seeds, nulls)
    if not quiet:
        _announce(out, plan, machine.resources)
    with counted(console, "trainings", quiet) as on_progress:
        done = run.retrain(out, plan, machine.resources, test, on_progress)
    if done.left:
        errors.print(
            f"\nStopped. {done.left} of {len(plan.retrainings)} trainings are left, and the test "
            "split stays sealed. Run the same command to resume.",
            soft_wrap=True,
        )
        raise typer.Exit(130)
    assert done.winners is not None, "everything planned is trained"
    _show(done.winners)
    _say_what_was_opened(done.winners, done.opening)
    for name in (run.WINNERS_TABLE, run.CONTROLS_TABLE, run.WINNERS_PICTURE):
        console.print(plain(str(out / name)), soft_wrap=True)


def _announce(out: "Path", plan: "Plan", resources: "Resources") -> None:
    import os

    from wiring_search.search import durations

    for (trial, control), reason in plan.inapplicable.items():
        console.print(f"trial {trial} has no control {control}: {plain(reason)}", soft_wrap=True)
    workers = (os.cpu_count() or 1) if resources.workers is None else max(resources.workers, 1)
    time = f", about {durations.in_words(plan.core_seconds / workers)}" if plan.missing else ""
    console.print(
        f"Training {len(plan.trials)} winners of {plain(str(out))} and their controls: "
        f"{len(plan.retrainings)} trainings, {plan.missing} of them missing{time} "
        "(Ctrl-C stops; nothing finished is lost)",
        soft_wrap=True,
    )


def _show(found: "Winners") -> None:
    _show_winners(found)
    console.print(
        _change("Selection bias: fresh seeds change the validation error by", found.selection_bias),
        soft_wrap=True,
    )
    if found.shift.n:
        console.print(
            _change(
                "From validation to test, the error of the same networks changes by", found.shift
            ),
            soft_wrap=True,
        )
    if found.fronts is not None:
        fronts = found.fronts
        console.print(
            f"Fronts on test: {fronts.optimistic.sum()} of {fronts.optimistic.size} are on the "
            f"optimistic front, {fronts.pessimistic.sum()} on the pessimistic one. The gap is "
            f"{fronts.gap:.1%} of the hypervolume on validation.",
            soft_wrap=True,
        )
    if len(found.controls):
        print_table(
            ["trial", "control", "synapses", "parameters", "error", "detectable", "verdict"],
            [_control(row) for row in found.controls.itertuples()],
            "Controls (p-values after Holm, over all of them)",
        )
        console.print(
            "detectable: a true difference of this size is found in four of five cases; "
            "smaller ones are often missed"
        )
    for row in found.overall.itertuples():
        console.print(f"{row.control}: {plain(row.sentence)}", soft_wrap=True)


def _show_winners(found: "Winners") -> None:
    failed = bool(found.table["failed"].sum())
    columns = [
        "trial",
        "synapses",
        "parameters",
        "error in the search",
        "validation",
        "test",
        "P(on the front)",
    ]
    rows = [_winner(row) for row in found.table.itertuples()]
    if failed:
        columns.append("failed")
        for cells, row in zip(rows, found.table.itertuples(), strict=True):
            cells.append(f"{row.failed} of {row.failed + row.trained}")
    title = f"Retrained winners: mean error ± standard error over {found.seeds} fresh seeds"
    print_table(columns, rows, title)


def _winner(row: Any) -> list[str]:
    if row.tested:
        test = with_spread("", row.test, row.test_se)
    else:
        test = "sealed" if row.trained else "–"
    return [
        *(str(value) for value in (row.trial, row.synapses, row.parameters)),
        number(row.searched),
        with_spread("", row.valid, row.valid_se),
        test,
        f"{row.certainty:.2f}",
    ]


def _control(row: Any) -> list[str]:
    if row.reason:
        return [str(row.trial), row.control, *"––––", row.sentence]
    error = (row.test, row.test_se) if row.split == "test" else (row.valid, row.valid_se)
    return [
        str(row.trial),
        row.control,
        f"{row.synapses:.0f}",
        f"{row.parameters:.0f}",
        with_spread("", *error),
        finite(row.visible, 2),
        row.sentence,
    ]


def _change(what: str, found: "Mean") -> str:
    interval = f" (95 %: {found.lower:+.2g} to {found.upper:+.2g})" if found.n > 1 else ""
    return f"{what} {found.mean:+.2g}{interval}"


def _say_what_was_opened(found: "Winners", opening: int | None) -> None:
    count = len(found.openings)
    if opening is not None:
        console.print(f"This was opening {opening} of this test split.", soft_wrap=True)
    elif count:
        which = "opening 1" if count == 1 else f"openings 1 to {count}"
        console.print(
            f"Nothing was opened now. These numbers are from {which} of this test split.",
            soft_wrap=True,
        )
    else:
        console.print("The test split stays sealed.")
    if count > 1:
        console.print(
            "Choosing by an earlier opening makes later numbers optimistic: report the first.",
            soft_wrap=True,
        )
