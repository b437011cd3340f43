"""The command line. Every command reads and writes run folders; what it does is in `wiring_search.run`.

Heavy libraries are imported inside the commands, so that `--help` answers at once.
"""

import math
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

if TYPE_CHECKING:
    import pandas

    from wiring_search.config import StudyConfig
    from wiring_search.run import Run

app = typer.Typer(
    name="wiring-search",
    help="Which small, sparse, liquid wiring is enough for my task? Searches Neural Circuit Policies, trains them in packs, and shows "
    "the Pareto front of size against error.\n\nStart with:  wiring-search search --task digits",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
# Into a file or a pipe, tables are as wide as they need to be; rich would fold them to 80 columns.
_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 130
console = Console(highlight=False, width=_WIDTH)
errors = Console(stderr=True, highlight=False)

# Typer carries a click of its own in some versions, and uses the installed one in others; this is the one it raises.
_UsageFault = typer.BadParameter.__base__

Folder = Annotated[Path, typer.Argument(metavar="OUT", help="The run folder that `search` wrote.")]
Workers = Annotated[
    int | None,
    typer.Option(min=0, help="Ray workers, one core each. Default: all cores. 0 trains in this process, without Ray."),
]
Address = Annotated[
    str | None,
    typer.Option(envvar="RAY_ADDRESS", help="A Ray cluster to use, such as auto or ray://host:10001. Default: a local Ray."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, only the result.")]


def main() -> None:
    """The entry point: faults of the input end in one sentence, an interrupt in how to go on."""
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except typer.Abort:
        sys.exit(130)
    except ValueError as fault:
        _end(str(fault))
    except _UsageFault as fault:
        _end(f"{fault.format_message()} (see wiring-search --help)")


@app.command()
def search(
    task: Annotated[str, typer.Option(help="What to learn; `wiring-search tasks` lists them.")] = "digits",
    space: Annotated[
        str, typer.Option(help="What may vary: a preset (`wiring-search spaces`) or your own .toml file.")
    ] = "default",
    trials: Annotated[int, typer.Option(help="Candidates to train.")] = 64,
    sampler: Annotated[str, typer.Option(help="tpe, nsga2, nsga3, gp, qmc or random.")] = "tpe",
    objectives: Annotated[
        str, typer.Option(help="What to minimise, by commas: error, synapses, parameters, latency_us.")
    ] = "error,synapses",
    epochs: Annotated[int, typer.Option(help="Passes over the training split for each candidate.")] = 60,
    batch_size: Annotated[int, typer.Option(help="Sequences a minibatch.")] = 64,
    seed: Annotated[int, typer.Option(help="Of everything random: the same seed gives the same table.")] = 0,
    pack_size: Annotated[int, typer.Option(help="Candidates trained side by side.")] = 8,
    ahead: Annotated[int, typer.Option(help="Packs asked for before the first is finished; not fewer than workers.")] = 4,
    workers: Workers = None,
    address: Address = None,
    out: Annotated[Path | None, typer.Option(help="Run folder. Default: results/TASK-SPACE-SEED.")] = None,
    data: Annotated[str | None, typer.Option(help="Folder or file of tasks that read one.")] = None,
    inputs: Annotated[str, typer.Option(help="csv: input columns, by commas. Default: all but the target.")] = "",
    target: Annotated[str | None, typer.Option(help="csv: the column to tell.")] = None,
    kind: Annotated[str, typer.Option(help="csv: auto, classification or regression.")] = "auto",
    window: Annotated[int, typer.Option(help="csv: rows a sequence.")] = 32,
    stride: Annotated[int, typer.Option(help="csv: rows from one sequence's start to the next.")] = 8,
    samples: Annotated[int, typer.Option(help="Generated tasks: training sequences to draw.")] = 20_000,
    lag: Annotated[int | None, typer.Option(min=1, help="Tasks of long-term memory: steps to remember over.")] = None,
    protocol: Annotated[
        str, typer.Option(help="Real data: clean splits that do not overlap, or those of the paper, to compare with it.")
    ] = "clean",
    baselines: Annotated[
        bool, typer.Option("--baselines", help="Train the usual networks afterwards too, to compare with.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Search wirings for a task. A folder that holds the same search is gone on with.

    [bold]Examples[/]

      wiring-search search --task digits --trials 64

      wiring-search search --task csv --data own.csv --inputs a,b --target y

      wiring-search search --task half-cheetah --data DIR --space wide --objectives error,synapses,latency_us
    """
    from wiring_search import run
    from wiring_search.tasks import TaskOptions

    if kind not in ("auto", "classification", "regression"):
        raise ValueError(f"--kind is {kind!r}; give auto, classification or regression")
    if protocol not in ("clean", "paper"):
        raise ValueError(f"--protocol is {protocol!r}; give clean or paper")
    options = TaskOptions(data, _names(inputs), target, kind, window, stride, samples, lag, protocol)  # type: ignore[arg-type]
    config = run.study_config(
        task,
        space,
        options,
        trials=trials,
        sampler=sampler,
        objectives=_names(objectives),
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        pack_size=pack_size,
        ahead=ahead,
    )
    folder = out or Path("results") / f"{task}-{Path(space).stem}-{seed}"
    _go(config, folder, workers, address, quiet, baselines)


@app.command()
def resume(out: Folder, workers: Workers = None, address: Address = None, quiet: Quiet = False) -> None:
    """Go on with a search that was stopped, killed or interrupted. Nothing finished is trained again."""
    from wiring_search.run import Run

    _go(Run(out).config, out, workers, address, quiet)


@app.command()
def baselines(
    out: Folder,
    only: Annotated[str, typer.Option(help="Some of them, by commas: lstm, gru-d-16 … Default: all.")] = "",
    quiet: Quiet = False,
) -> None:
    """Train the usual networks (RNN, GRU, LSTM, CT-GRU, GRU-D, AutoNCP, dense LTC) on the task of a search.

    They get its budget, stand below its front, and are drawn in its report. What is trained is not trained again.
    """
    done = _train_baselines(out, _names(only), quiet)
    _show_front(done)
    console.print(f"\nReport: {_plain(str(done.report))}", soft_wrap=True)


@app.command()
def front(
    out: Folder,
    objectives: Annotated[str, typer.Option(help="Other objectives than the search's, by commas.")] = "",
    csv: Annotated[bool, typer.Option("--csv", help="As CSV, all columns, on standard output.")] = False,
) -> None:
    """Show the Pareto front of a search, finished or running."""
    from wiring_search.run import Run

    asked = _names(objectives) or None
    if csv:
        Run(out).front(asked).to_csv(sys.stdout, index=False)
    else:
        _show_front(Run(out), asked)


@app.command()
def report(out: Folder) -> None:
    """Write tables and the HTML report again, from the store as it is now (also while a search runs)."""
    from wiring_search.run import Run

    run = Run(out)
    run.write_files()
    console.print(f"Report: {_plain(str(run.report))}")


@app.command()
def show(
    out: Folder,
    trial: Annotated[int, typer.Option(help="The trial's number, as in the tables.")],
    picture: Annotated[Path | None, typer.Option(help="Where to draw the wiring. Default: OUT/trial-N.png.")] = None,
) -> None:
    """Show one trial: its numbers, and a picture of its wiring."""
    from wiring_search.run import Run

    found = Run(out).trial(trial)
    metric = Run(out).metric
    console.print(f"[bold]trial {trial}[/]: {found.status.value} ({found.status.sentence})")
    if found.message:
        console.print(_plain(found.message))
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
        f"memory {found.candidate.memory}",
        "learning rate": f"{found.candidate.learning_rate:.4g}",
        "point": ", ".join(
            f"{name} {value}" if isinstance(value, str) else f"{name} {value:.4g}" for name, value in found.params.items()
        ),
    }
    for name, value in lines.items():
        console.print(f"  {name:14} {_plain(value)}")
    path = picture or out / f"trial-{trial}.png"
    wiring.draw().figure.savefig(path, dpi=150)
    console.print(f"Picture: {_plain(str(path))}")


@app.command()
def solvers(
    out: Folder,
    trial: Annotated[int, typer.Option(help="The trial's number, as in the tables.")],
    samples: Annotated[int, typer.Option(min=1, help="Validation sequences that a solver's own errors are measured on.")] = 64,
    hyper: Annotated[bool, typer.Option(help="Fit hypersolvers, on training sequences, and compare them too.")] = True,
    quiet: Quiet = False,
) -> None:
    """Run the trained network of a trial with other solvers: what each costs, how true it is, how good at the task.

    For neurons that are a differential equation (ltc, ct-rnn, neural-ode). Nothing is trained again.
    """
    from wiring_search.progress import counted
    from wiring_search.run import Run, compare_solvers

    with counted("solvers", console, quiet) as told:
        found = compare_solvers(out, trial, samples, hyper, told)
    scores = dict.fromkeys([Run(out).metric, "error"])
    rows = [
        [
            row["solver"],
            str(row["steps"]),
            str(row["function_evaluations"]),
            *(_finite(row[name], 2) for name in ("terminal_error", "worst_error")),
            "yes" if row["stable"] else "no",
            *(_finite(row[name], 4) for name in scores),
            "trained with" if row["trained_with"] else "fine solution" if row["fine"] else "",
        ]
        for _, row in found.table.iterrows()
    ]
    title = f"Trial {trial} with other solvers (validation split)"
    _table(["solver", "steps", "evaluations", "terminal error", "worst error", "stable", *scores, ""], rows, title)
    console.print("evaluations: of the right-hand side, one time step; a hypersolver's correction comes on top, once a sub-step")
    console.print("terminal and worst error: of the neurons' states, relative to the fine solution of the same weights")
    console.print(_plain(found.answer), soft_wrap=True)
    console.print(f"\nTable: {_plain(str(found.csv))}\nPicture: {_plain(str(found.picture))}", soft_wrap=True)


@app.command()
def tasks() -> None:
    """List the tasks, and what each needs."""
    from wiring_search.tasks import TASKS

    _table(["task", "what is learned", "needs"], [[name, entry.summary, entry.needs] for name, entry in TASKS.items()])


@app.command()
def spaces() -> None:
    """List the search spaces, and what varies in each. Your own is a .toml file, see examples/space.toml."""
    import search_spaces

    flat = {name: space.to_json() for name, space in search_spaces.SPACES.items() if not space.conditional}
    names = dict.fromkeys(name for space in flat.values() for name in space["dimensions"])
    rows = [[name, *(_range(space["dimensions"].get(name)) for space in flat.values())] for name in names]
    _table(["dimension", *flat], rows, title="Neural Circuit Policies of LTC neurons")
    console.print("What must hold: " + "; ".join(flat["default"]["constraints"]))
    for name, space in search_spaces.SPACES.items():
        if space.conditional:
            console.print()
            rows = [row for dimension, given in space.to_json()["dimensions"].items() for row in _alternatives(dimension, given)]
            _table(["dimension", name, "where"], rows, title="Neuron, solver, memory and topology searched too")
            console.print(
                "Of several rows, the first one counts whose condition holds; where none does, there is no such dimension."
            )
            console.print("What must hold, where all that is named exists: " + "; ".join(space.constraints))


def _end(fault: str) -> NoReturn:
    errors.print(f"[bold red]error:[/] {_plain(fault)}", soft_wrap=True)
    sys.exit(2)


def _go(
    config: "StudyConfig", folder: Path, workers: int | None, address: str | None, quiet: bool, baselines: bool = False
) -> None:
    from wiring_search import run
    from wiring_search.progress import shown
    from wiring_search.store import exists

    if exists(folder) and run.Run(folder).ended:
        start = f"The search in {folder} has ended; this is what it found."
    else:
        start = f"{'Going on with' if exists(folder) else 'Searching into'} {folder} (stop with Ctrl-C, nothing is lost)"
    if not quiet:
        console.print(_plain(start), soft_wrap=True)
        busy, cores = config.ahead, workers or os.cpu_count() or 1
        if cores > busy:
            console.print(f"Only {busy} of {cores} workers will be busy at once; a new search with --ahead {cores + 1} uses all.")
    try:
        with shown(config, console, quiet) as watch:
            done = run.search(config, folder, workers, address, watch)
    except KeyboardInterrupt:
        errors.print(
            f"\nStopped. What is finished is kept; go on with:  wiring-search resume {_plain(str(folder))}", soft_wrap=True
        )
        raise typer.Exit(130) from None
    if baselines:
        done = _train_baselines(folder, (), quiet)
    _show_front(done)
    console.print(f"\nReport: {_plain(str(done.report))}", soft_wrap=True)


def _train_baselines(folder: Path, only: tuple[str, ...], quiet: bool) -> "Run":
    from wiring_search import run
    from wiring_search.progress import baselines_shown

    task = run.Run(folder).config.task
    if not quiet:
        console.print(
            f"Training baselines on {task} into {_plain(str(folder))} (stop with Ctrl-C, nothing is lost)", soft_wrap=True
        )
    try:
        with baselines_shown(console, quiet) as watch:
            return run.train_baselines(folder, only, watch)
    except KeyboardInterrupt:
        again = f"wiring-search baselines {_plain(str(folder))}"
        errors.print(f"\nStopped. What is finished is kept; go on with:  {again}", soft_wrap=True)
        raise typer.Exit(130) from None


def _show_front(run: "Run", objectives: tuple[str, ...] | None = None) -> None:
    metric, objectives = run.metric, objectives or run.config.objectives
    scores = [*dict.fromkeys([metric, "error"]), "synapses", "parameters", "latency_us"]
    title = f"Pareto front: {', '.join(objectives)} (validation split)"
    compared = run.compared(objectives)
    kinds = ["neuron"] if "p.neuron" in compared else []
    rows = [
        [_name(row), *(_kind(row) for _ in kinds), *(_number(row[name]) for name in scores), _standing(row)]
        for _, row in compared.iterrows()
    ]
    trials = int((compared["baseline"] == "").sum())
    if len(compared) == trials:
        _table(["trial", *kinds, *scores], [row[:-1] for row in rows], title)
    else:
        _table(["trial", *kinds, *scores, "joint front"], rows, title, section=trials)
        console.print(
            "joint front: yes where no candidate and no trained baseline is as good in everything and better in something"
        )
    for name, error in run.baselines.items():
        value = f"{1 - error:.4g}" if metric == "accuracy" else f"{error:.4g}"
        console.print(f"baseline {name}: {metric} {value}")
    console.print(run.answer(), soft_wrap=True)


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _finite(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else "–"


def _kind(row: "pandas.Series") -> str:
    """Neuron and memory; nothing for a baseline."""
    chosen = [row["p.neuron"], row.get("p.memory", "none")]
    return "+".join(name for name in chosen if isinstance(name, str) and name != "none")


def _name(row: "pandas.Series") -> str:
    return f"baseline {row['baseline']}" if row["baseline"] else str(row["trial"])


def _standing(row: "pandas.Series") -> str:
    return row["status"] if row["status"] != "ok" else "yes" if row["on_front"] else "no"


def _table(columns: list[str], rows: list[list[str]], title: str | None = None, section: int = 0) -> None:
    """section: a line is drawn below so many rows."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        numbers = bool(rows) and all(row[i][:1].isdigit() for row in rows)
        longest = max((len(row[i]) for row in rows), default=0)
        table.add_column(
            name, justify="right" if numbers else "left", no_wrap=numbers, min_width=longest if longest < 27 else None
        )
    for number, row in enumerate(rows, start=1):
        table.add_row(*(_plain(cell) for cell in row), end_section=number == section)
    console.print(table)


def _alternatives(name: str, given: dict | list[dict]) -> list[list[str]]:
    """Rows of a dimension that depends on others: what it may be, and where."""
    alternatives = given if isinstance(given, list) else [given]
    where = ["; ".join(f"{parent}: {', '.join(map(str, v))}" for parent, v in a.get("when", {}).items()) for a in alternatives]
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


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
