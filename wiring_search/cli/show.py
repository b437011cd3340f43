"""Commands that read: a run folder (front, show, report), and what there is to choose from (tasks,
spaces, scores)."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from wiring_search.cli.options import Folder, app, console, named_numbers, names_in
from wiring_search.cli.tables import plain, print_table, show_front
from wiring_search.wirings.drawing import draw


@app.command()
def front(
    out: Folder,
    objectives: Annotated[
        str, typer.Option(help="Other objectives than the search's, by commas.")
    ] = "",
    reference: Annotated[
        str,
        typer.Option(
            help="Measure the hypervolume from another point, such as error=0.9,synapses=1000. Default: the study's."
        ),
    ] = "",
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw it into this file (.png, .pdf, .svg): size against error."),
    ] = None,
    csv: Annotated[
        bool, typer.Option("--csv", help="As CSV, all columns, on standard output.")
    ] = False,
) -> None:
    """Show the Pareto front of a search, finished or running: its knee, how sure it is, its
    hypervolume.

    [bold]Examples[/]

      wiring-search front results/mine

      wiring-search front results/mine --objectives error,synapses,latency_us --plot front.png
    """
    from wiring_search.run import Run

    run = Run(out)
    found = run.analysed(names_in(objectives) or None, named_numbers("--reference", reference))
    if csv:
        found.rows[found.rows["baseline"] == ""].to_csv(sys.stdout, index=False)
    else:
        show_front(run, found)
    if plot is not None:
        run.draw(found, plot)
        if not csv:
            console.print(f"Picture: {plain(str(plot))}", soft_wrap=True)


@app.command()
def show(
    out: Folder,
    trial: Annotated[int, typer.Option(help="The trial's number, as in the tables.")],
    picture: Annotated[
        Path | None, typer.Option(help="Where to draw the wiring. Default: OUT/trial-N.png.")
    ] = None,
) -> None:
    """Show one trial: its numbers, and a picture of its wiring."""
    from wiring_search.run import Run

    found = Run(out).trial(trial)
    metric = Run(out).metric
    console.print(f"[bold]trial {trial}[/]: {found.status.value} ({found.status.sentence})")
    if found.message:
        console.print(plain(found.message))
    if found.candidate is None:
        return
    wiring = found.candidate.wiring
    lines = {
        "wiring": f"{wiring.wiring_id}: {wiring.sensory} sensory nodes, {wiring.inter} inter, {wiring.command} command, "
        f"{wiring.motor} motor neurons",
        "synapses": f"{found.score('synapses'):.0f} (of the wiring: {wiring.synapse_count}, "
        f"{len(wiring.sensory_synapses)} of them sensory)",
        "parameters": f"{found.score('parameters'):.0f}",
        metric: f"{found.score('metric'):.4g} (error {found.score('error'):.4g}, validation)",
        "latency": f"{found.score('latency_us'):.3g} µs a step",
        "neuron": f"{found.candidate.neuron}, {found.candidate.solver} solver, {found.candidate.steps} steps, "
        f"memory {found.candidate.memory}, gradient {found.candidate.gradient}",
        "learning rate": f"{found.candidate.learning_rate:.4g}",
        "point": ", ".join(
            f"{name} {value}" if isinstance(value, str) else f"{name} {value:.4g}"
            for name, value in found.params.items()
        ),
    }
    for name, value in lines.items():
        console.print(f"  {name:14} {plain(value)}")
    path = picture or out / f"trial-{trial}.png"
    figure = draw(wiring).get_figure(root=True)
    if figure is not None:
        figure.savefig(path, dpi=150)
    console.print(f"Picture: {plain(str(path))}")


@app.command()
def report(out: Folder) -> None:
    """Write tables and the HTML report again, from the store as it is now (also while a search
    runs).

    The best networks run in the page, on validation samples; where the task's data are gone, the
    report says so and does without.
    """
    from wiring_search.run import Run

    run = Run(out)
    with console.status(
        "Tables, and networks for the page (the first time after an installation, kernels are compiled) …"
    ):
        run.write_files()
    console.print(f"Report: {plain(str(run.report))}")


@app.command()
def serve(
    out: Folder,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to listen; 0 takes any port that is free.")
    ] = 8000,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Default: this machine alone can see the page."),
    ] = "127.0.0.1",
) -> None:
    """Serve the report of a search, finished or running, as a page that follows it. Ctrl-C ends it.

    It only reads. Give --host 0.0.0.0 to let everybody see it who can reach this machine.
    """
    from wiring_search.report.serve import server
    from wiring_search.run import player

    serving = server(out, host, port, player())
    name = f"[{host}]" if ":" in host else host
    console.print(
        f"{plain(str(out))} at http://{plain(name)}:{serving.server_port}/ (stop with Ctrl-C)",
        soft_wrap=True,
    )
    try:
        serving.serve_forever()
    except KeyboardInterrupt:
        pass
    finally:
        serving.server_close()


@app.command()
def mirror(
    out: Folder,
    storage: Annotated[
        str,
        typer.Option(
            help="An Optuna storage: sqlite:///FILE, postgresql://USER@HOST/DATABASE, or a journal file's path."
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on until the search has ended.")
    ] = False,
) -> None:
    """Copy the trials of a search, finished or running, into an Optuna storage, for
    optuna-dashboard."""
    from contextlib import closing

    from wiring_search.store import Store
    from wiring_search.store.optuna_mirror import mirror as copy

    with closing(Store.open(out)) as store:
        written = copy(store, storage, follow)
    console.print(
        f"{written} trials written. Look at them with: optuna-dashboard {plain(storage)}",
        soft_wrap=True,
    )


@app.command()
def tasks() -> None:
    """List the tasks, and what each needs."""
    from wiring_search.tasks import TASKS

    print_table(
        ["task", "what is learned", "needs"],
        [[name, entry.summary, entry.needs] for name, entry in TASKS.items()],
    )


@app.command()
def spaces() -> None:
    """List the search spaces, and what varies in each. Your own is a .toml file, see
    examples/space.toml."""
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
    console.print("What must hold: " + "; ".join(flat["default"]["constraints"]))
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
                title="Neuron, solver, memory and topology searched too",
            )
            console.print(
                "Of several rows, the first one counts whose condition holds; where none does, there is no such dimension."
            )
            console.print(
                "What must hold, where all that is named exists: " + "; ".join(space.constraints)
            )


@app.command()
def scores() -> None:
    """List the scores of a candidate: what each says, and which can be objectives."""
    from wiring_search.scores.catalogue import SCORES, group_of

    better = {1: "smaller", -1: "larger", 0: "not an objective"}
    rows = [
        [name, group_of(name) or "", s.unit, better[s.sign], s.sentence]
        for name, s in SCORES.items()
    ]
    print_table(["score", "group", "unit", "better", "what it says"], rows)


def _alternatives(name: str, given: dict | list[dict]) -> list[list[str]]:
    """Rows of a dimension that depends on others: what it may be, and where."""
    alternatives = given if isinstance(given, list) else [given]
    where = [
        "; ".join(f"{parent}: {', '.join(map(str, v))}" for parent, v in a.get("when", {}).items())
        for a in alternatives
    ]
    return [
        ["" if place else name, _range(a), where[place] or ("otherwise" if place else "always")]
        for place, a in enumerate(alternatives)
    ]


def _range(dimension: dict | None) -> str:
    if dimension is None:
        return "–"
    if "choices" in dimension:
        return ", ".join(map(str, dimension["choices"]))
    return f"{dimension['low']} to {dimension['high']}{', log' if dimension.get('log') else ''}"
