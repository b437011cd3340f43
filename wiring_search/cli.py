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
# Shown beside error and size where they were measured.
_FURTHER = ("error_se", "memory", "expressivity", "robustness")

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
Trials = Annotated[
    list[int] | None, typer.Option("--trial", help="A trial's number, as in the tables; may be given again. Default: the front.")
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
        str, typer.Option(help="What to be good at, by commas: error, synapses, parameters, latency_us, memory, expressivity, …")
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
    scores: Annotated[
        str, typer.Option(help="What to measure besides, by commas: memory, dynamics, robustness; or none. See `scores`.")
    ] = "memory,dynamics,robustness",
    repeats: Annotated[int, typer.Option(help="Trainings of each candidate, from other initial weights, side by side.")] = 1,
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
        scores=() if scores == "none" else _names(scores),
        repeats=repeats,
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
    """Train the usual networks (RNN, GRU, LSTM, CT-GRU, GRU-D; AutoNCP, dense and pruned LTC; reservoirs) on the task
    of a search.

    They get its budget, stand below its front, and are drawn in its report. What is trained is not trained again.
    """
    done = _train_baselines(out, _names(only), quiet)
    _show_front(done)
    console.print(f"\nReport: {_plain(str(done.report))}", soft_wrap=True)


@app.command()
def screen(
    task: Annotated[str, typer.Option(help="What is to be learned; `wiring-search tasks` lists them.")] = "digits",
    space: Annotated[str, typer.Option(help="What may vary: a preset or your own .toml file.")] = "default",
    samples: Annotated[int, typer.Option(min=1, help="Random candidates to look at.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of the sample and of initial weights.")] = 0,
    data: Annotated[str | None, typer.Option(help="Folder or file of tasks that read one.")] = None,
    inputs: Annotated[str, typer.Option(help="csv: input columns, by commas.")] = "",
    target: Annotated[str | None, typer.Option(help="csv: the column to tell.")] = None,
    workers: Workers = None,
    address: Address = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables; with a study in it, that study is judged too.")] = None,
    best: Annotated[int, typer.Option(min=1, help="How many to show.")] = 10,
    quiet: Quiet = False,
    context: typer.Context = None,  # type: ignore[assignment]
) -> None:
    """Rank thousands of random candidates without training, by expressivity, gradient and kernel rank at initialisation.

    In a folder with a study (its task and space count then), also how well each of them foretold what training found.

    [bold]Example[/]: wiring-search screen --task digits --samples 10000 --out results/digits
    """
    from wiring_search import run
    from wiring_search.progress import counted
    from wiring_search.store import exists
    from wiring_search.tasks import TaskOptions

    folder = out or Path("results") / f"screen-{task}-{Path(space).stem}-{seed}"
    given = run.study_config(task, space, TaskOptions(data, _names(inputs), target), seed=seed)
    config = run.Run(folder).config if exists(folder) and _left_out(context, "task", "space", "data", "seed") else given
    with counted(console, "candidates", quiet) as told:
        found = run.screen(config, folder, samples, workers, address, told)
    names = ["synapses", "parameters", "expressivity", "gradient_slope", "kernel_rank", "merit"]
    rows = [[row["candidate_id"], *(_number(row[name]) for name in names)] for _, row in found.table.head(best).iterrows()]
    _table(["candidate", *names], rows, f"The best {len(rows)} of {len(found.table)} by merit, at initialisation")
    if found.trust is None:
        console.print("No trial has been trained there: whether this says anything about the task is not known yet.")
    else:
        rows = [
            [row.proxy, row.score, *map(_number, (row.correlation, row.low, row.high)), str(row.n)]
            for row in found.trust.itertuples()
        ]
        _table(["proxy", "trained score", "rank correlation", "95 % low", "high", "trials"], rows, "How well proxies foretold")
        console.print("An interval that contains 0: that proxy says nothing about that score here.")
    console.print(f"Tables: {_plain(str(folder / 'screen.csv'))}", soft_wrap=True)


def _left_out(context: typer.Context, *names: str) -> bool:
    """Whether none of these options was given on the command line."""
    return all(context.get_parameter_source(name).name == "DEFAULT" for name in names)


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
        f"memory {found.candidate.memory}, gradient {found.candidate.gradient}",
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
def scores() -> None:
    """List the scores of a candidate: what each says, and which can be objectives."""
    from wiring_search.score_names import SCORES, group_of

    better = {1: "smaller", -1: "larger", 0: "not an objective"}
    rows = [[name, group_of(name) or "", s.unit, better[s.sign], s.sentence] for name, s in SCORES.items()]
    _table(["score", "group", "unit", "better", "what it says"], rows)


@app.command()
def robustness(out: Folder, trial: Trials = None, quiet: Quiet = False) -> None:
    """How much worse trained candidates become when their data shift: noise, missing samples, another pace …

    Writes OUT/robustness.csv and OUT/robustness.png. Validation split; nothing is trained.
    """
    from wiring_search import examine
    from wiring_search.progress import counted

    with counted(console, "shifted errors", quiet) as told:
        table = examine.robustness(out, tuple(trial or ()), told)
    clean = table[table["family"] == "clean"]
    families = [name for name in dict.fromkeys(table["family"]) if name != "clean"]
    shares = table.pivot_table("relative", "trial", "family", "mean", dropna=False)
    shifted = table[table["family"] != "clean"].groupby("trial")["error"].mean()
    rows = [
        [str(row["trial"]), str(row["synapses"])]
        + [_number(value) for value in (row["error"], shifted[row["trial"]], row["robustness"])]
        + [f"{shares.loc[row['trial'], family]:.3f}" for family in families]
        for _, row in clean.iterrows()
    ]
    columns = ["trial", "synapses", "error", "shifted error", "robustness", *families]
    _table(columns, rows, "Robustness: clean error over error under shift (1: no harm)")
    console.print(
        "shifted error, robustness: means over all shifts; families: over their levels. Who knows little has little to lose."
    )
    console.print(f"Table: {_plain(str(out / examine.ROBUSTNESS_TABLE))}", soft_wrap=True)
    console.print(f"Picture: {_plain(str(out / examine.ROBUSTNESS_PICTURE))}", soft_wrap=True)


@app.command()
def cost(out: Folder, trial: Trials = None) -> None:
    """What candidates cost to run and to train. Latency is measured now, one sample at a time, on one core."""
    from wiring_search import examine

    costs = examine.costs(out, tuple(trial or ()))
    names = ["synapses", "parameters", "state_size", "function_evaluations", "synapse_updates"]
    rows = [
        [str(number), *(str(getattr(of, name)) for name in names)]
        + [f"{of.training_bytes / 1024:.0f}", f"{of.latency_us.quickest:.2f}"]
        + [f"{of.latency_us.median:.2f} ({of.latency_us.lower:.2f} to {of.latency_us.upper:.2f})"]
        for number, of in costs.items()
    ]
    columns = ["trial", "synapses", "parameters", "state", "evaluations", "updates", "KiB to train", "µs, quickest", "µs, median"]
    _table(columns, rows, "Costs; evaluations, updates and latency (with its quartiles) are of one time step")


@app.command()
def repeat(
    out: Folder,
    trial: Annotated[int, typer.Option(help="The trial's number, as in the tables.")],
    seeds: Annotated[int, typer.Option(help="Wirings, initialisations and orders of the data: so many of each.")] = 5,
    quiet: Quiet = False,
) -> None:
    """Train a candidate again with other seeds: its mean error, and what the spread comes from.

    All combinations are trained, with the budget of the search. Writes OUT/repeat-N.csv.
    """
    from wiring_search import examine
    from wiring_search.progress import counted

    plan = examine.design(out, trial, seeds)
    if not quiet:
        sizes = f"{len(plan.wirings)} wirings × {len(plan.init_seeds)} initialisations × {len(plan.data_seeds)} orders"
        console.print(f"Training trial {trial} again, {plan.trainings} times: {sizes}")
    with counted(console, "trainings", quiet) as told:
        found = examine.repeat(out, trial, seeds, told)
    console.print(f"[bold]trial {trial}[/]: error {found.searched:.4g} in the search (one draw, and chosen for it)")
    console.print(
        f"  again, its own wiring: {found.mean:.4g} ± {found.standard_error:.2g} (mean and standard error over "
        f"{len(plan.init_seeds)} initialisations); the expected error is below {found.upper:.4g} with 95 % confidence; a single "
        f"training is off by {found.spread:.2g} (standard deviation)",
        soft_wrap=True,
    )
    try:
        split = found.split
    except ValueError as reason:
        console.print(f"  no split of the variance: {_plain(str(reason))}", soft_wrap=True)
        return
    rows = [[name, f"{getattr(split, name) ** 0.5:.2g}", f"{share:.0%}"] for name, share in split.shares.items()]
    _table(["what varies", "standard deviation of the error", "share of the variance"], rows)
    console.print("residual: what an order of the data does to one network and not to another.")
    if len(plan.wirings) == 1:
        console.print("There is one wiring at this point of the space, so it has no share.")


@app.command()
def memory(
    out: Folder,
    trial: Annotated[list[int], typer.Option(help="A trial's number, as in the tables; give the option again for more.")],
    tasks: Annotated[
        str, typer.Option(help="By commas: recall, copy, adding, parity, parity-dense, pixel-digits, permuted-pixel-digits.")
    ] = "recall,copy,adding,parity-dense",
    lags: Annotated[str, typer.Option(help="Steps to remember over, by commas.")] = "4,8,16,32",
    seeds: Annotated[int, typer.Option(help="Seeds of the weights for each trial.")] = 3,
    epochs: Annotated[int, typer.Option(help="Passes over the training split of each task.")] = 10,
    samples: Annotated[int, typer.Option(help="Training sequences of each task.")] = 4000,
    quiet: Quiet = False,
) -> None:
    """How far back can trials of a search remember? Trains each anew on tasks of long-term memory.

    Writes memory.csv and memory.png into the run folder.

    [bold]Example[/]

      wiring-search memory results/mine --trial 4 --trial 17 --tasks recall,copy --lags 4,8,16
    """
    from wiring_search import examine
    from wiring_search.progress import counted

    steps = _whole_numbers("--lags", lags)
    with counted(console, "memory trainings", quiet) as told:
        rows, standings = examine.memory(out, trial, _names(tasks), steps, seeds, epochs, samples, told)
    cells = [
        [str(row.trial), row.task, str(row.lag), f"{row.solved} of {row.tried}", _spread(row.metric, row.mean, row.spread)]
        for row in rows.itertuples()
    ]
    _table(["trial", "task", "lag", "seeds that solved it", "on the test split"], cells, "Long-term memory")
    cells = [[str(row.trial), row.task, str(row.longest), _spread("", row.area, row.spread)] for row in standings.itertuples()]
    _table(["trial", "task", "longest lag solved", "area (0 … 1)"], cells)
    console.print(f"Table: {_plain(str(out / examine.MEMORY_TABLE))}", soft_wrap=True)
    console.print(f"Picture: {_plain(str(out / examine.MEMORY_PICTURE))}", soft_wrap=True)


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
    from wiring_search import examine
    from wiring_search.progress import counted
    from wiring_search.run import Run

    with counted(console, "solvers", quiet) as told:
        found = examine.solvers(out, trial, samples, hyper, told)
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
    if config.scores:
        console.print(f"Measuring scores took {done.score_share():.0%} of the time that training took.")
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
    from wiring_search.records import value_of

    metric, objectives = run.metric, objectives or run.config.objectives
    compared = run.compared(objectives)
    scores = list(dict.fromkeys([metric, "error", "synapses", "parameters", "latency_us", *_FURTHER, *objectives]))
    scores = [name for name in scores if name in compared]
    title = f"Pareto front: {', '.join(objectives)} (validation split)"
    kinds = ["neuron"] if "p.neuron" in compared else []
    rows = [
        [_name(row), *(_kind(row) for _ in kinds), *(_number(row[name]) for name in scores), _standing(row, objectives)]
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
        console.print(f"baseline {name}: {metric} {value_of(metric, error):.4g}")
    console.print(run.answer(), soft_wrap=True)


def _number(value: object) -> str:
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.4g}"
    return str(value)


def _finite(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if math.isfinite(value) else "–"


def _kind(row: "pandas.Series") -> str:
    """Neuron and memory; nothing for a baseline."""
    chosen = [row["p.neuron"], row.get("p.memory", "none")]
    return "+".join(name for name in chosen if isinstance(name, str) and name != "none")


def _name(row: "pandas.Series") -> str:
    return f"baseline {row['baseline']}" if row["baseline"] else str(row["trial"])


def _standing(row: "pandas.Series", objectives: tuple[str, ...]) -> str:
    if row["status"] != "ok":
        return row["status"]
    if any(math.isnan(row[name]) for name in objectives):
        return "not measured"
    return "yes" if row["on_front"] else "no"


def _table(columns: list[str], rows: list[list[str]], title: str | None = None, section: int = 0) -> None:
    """section: a line is drawn below so many rows."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(title=title, box=SIMPLE_HEAD, title_justify="left", title_style="bold")
    for i, name in enumerate(columns):
        numbers = bool(rows) and all(row[i][:1] in "0123456789-–" for row in rows)
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


def _whole_numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _names(text))
    except ValueError:
        raise ValueError(f"{option} is {text!r}; give whole numbers by commas, such as 4,8,16") from None


def _spread(metric: str, mean: float, spread: float) -> str:
    if mean != mean:
        return "diverged"
    return f"{metric} {mean:.3g}".strip() + ("" if spread != spread else f" ± {spread:.2g}")


def _plain(text: str) -> str:
    from rich.markup import escape

    return escape(text)


if __name__ == "__main__":
    main()
