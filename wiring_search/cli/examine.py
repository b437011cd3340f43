"""Commands that look at trained candidates again: robustness, cost, repeat, memory, solvers."""

from typing import Annotated

import typer

from wiring_search.cli.options import Folder, Quiet, Trials, app, console, names_in, whole_numbers
from wiring_search.cli.tables import finite, number, plain, print_table, with_spread


@app.command()
def robustness(out: Folder, trial: Trials = None, quiet: Quiet = False) -> None:
    """How much worse trained candidates become when their data shift: noise, missing samples,
    another pace …

    Writes OUT/robustness.csv and OUT/robustness.png. Validation split; nothing is trained.
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted

    with counted(console, "shifted errors", quiet) as told:
        table = run.robustness(out, tuple(trial or ()), told)
    clean = table[table["family"] == "clean"]
    families = [name for name in dict.fromkeys(table["family"]) if name != "clean"]
    shares = table.pivot_table("relative", "trial", "family", "mean", dropna=False)
    shifted = table[table["family"] != "clean"].groupby("trial")["error"].mean()
    rows = [
        [str(row["trial"]), str(row["synapses"])]
        + [number(value) for value in (row["error"], shifted[row["trial"]], row["robustness"])]
        + [f"{shares.loc[row['trial'], family]:.3f}" for family in families]
        for _, row in clean.iterrows()
    ]
    columns = ["trial", "synapses", "error", "shifted error", "robustness", *families]
    print_table(columns, rows, "Robustness: clean error over error under shift (1: no harm)")
    console.print(
        "shifted error, robustness: means over all shifts; families: over their levels. Who knows little has little to lose."
    )
    console.print(f"Table: {plain(str(out / run.ROBUSTNESS_TABLE))}", soft_wrap=True)
    console.print(f"Picture: {plain(str(out / run.ROBUSTNESS_PICTURE))}", soft_wrap=True)


@app.command()
def dynamics(out: Folder, trial: Trials = None) -> None:
    """How trained candidates move, before and after training: trajectories, gradient through time,
    time constants.

    Writes OUT/dynamics.csv and OUT/dynamics.png. Nothing is trained.
    """
    from wiring_search import run

    table = run.dynamics(out, tuple(trial or ()))
    names = [
        "expressivity",
        "gradient_slope",
        "gradient",
        "kernel_rank",
        "tau_lower",
        "tau_median",
        "tau_upper",
    ]
    rows = [
        [str(row["trial"]), row["stage"], *(number(row[name]) for name in names)]
        for _, row in table.iterrows()
    ]
    print_table(["trial", "stage", *names], rows, "Dynamics")
    console.print(
        "gradient: what the slope (of ln ‖∂ last state/∂ state k steps earlier‖ over k) means for sequences of this length"
    )
    console.print("tau: time constants of the states, in units of elapsed time: quartiles")
    console.print(f"Table: {plain(str(out / run.DYNAMICS_TABLE))}", soft_wrap=True)
    console.print(f"Picture: {plain(str(out / run.DYNAMICS_PICTURE))}", soft_wrap=True)


@app.command()
def cost(out: Folder, trial: Trials = None) -> None:
    """What candidates cost to run and to train. Latency is measured now, one sample at a time, on
    one core."""
    from wiring_search import run

    costs = run.costs(out, tuple(trial or ()))
    names = ["synapses", "parameters", "state_size", "function_evaluations", "synapse_updates"]
    rows = [
        [str(number), *(str(getattr(of, name)) for name in names)]
        + [f"{of.training_bytes / 1024:.0f}", f"{of.latency_us.quickest:.2f}"]
        + [f"{of.latency_us.median:.2f} ({of.latency_us.lower:.2f} to {of.latency_us.upper:.2f})"]
        for number, of in costs.items()
    ]
    columns = [
        "trial",
        "synapses",
        "parameters",
        "state",
        "evaluations",
        "updates",
        "KiB to train",
        "µs, quickest",
        "µs, median",
    ]
    print_table(
        columns,
        rows,
        "Costs; evaluations, updates and latency (with its quartiles) are of one time step",
    )


@app.command()
def repeat(
    out: Folder,
    trial: Annotated[int, typer.Option(help="The trial's number, as in the tables.")],
    seeds: Annotated[
        int, typer.Option(help="Wirings, initialisations and orders of the data: so many of each.")
    ] = 5,
    quiet: Quiet = False,
) -> None:
    """Train a candidate again with other seeds: its mean error, and what the spread comes from.

    All combinations are trained, with the budget of the search. Writes OUT/repeat-N.csv.
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted

    plan = run.design(out, trial, seeds)
    if not quiet:
        sizes = f"{len(plan.wirings)} wirings × {len(plan.init_seeds)} initialisations × {len(plan.data_seeds)} orders"
        console.print(f"Training trial {trial} again, {plan.trainings} times: {sizes}")
    with counted(console, "trainings", quiet) as told:
        found = run.repeat(out, trial, seeds, told)
    console.print(
        f"[bold]trial {trial}[/]: error {found.searched:.4g} in the search (one draw, and chosen for it)"
    )
    console.print(
        f"  again, its own wiring: {found.mean:.4g} ± {found.standard_error:.2g} (mean and standard error over "
        f"{len(plan.init_seeds)} initialisations); the expected error is below {found.upper:.4g} with 95 % confidence; a single "
        f"training is off by {found.spread:.2g} (standard deviation)",
        soft_wrap=True,
    )
    try:
        split = found.split
    except ValueError as reason:
        console.print(f"  no split of the variance: {plain(str(reason))}", soft_wrap=True)
        return
    rows = [
        [name, f"{getattr(split, name) ** 0.5:.2g}", f"{share:.0%}"]
        for name, share in split.shares.items()
    ]
    print_table(["what varies", "standard deviation of the error", "share of the variance"], rows)
    console.print("residual: what an order of the data does to one network and not to another.")
    if len(plan.wirings) == 1:
        console.print("There is one wiring at this point of the space, so it has no share.")


@app.command()
def memory(
    out: Folder,
    trial: Annotated[
        list[int],
        typer.Option(help="A trial's number, as in the tables; give the option again for more."),
    ],
    tasks: Annotated[
        str,
        typer.Option(
            help="By commas: recall, copy, adding, parity, parity-dense, pixel-digits, permuted-pixel-digits."
        ),
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
    from wiring_search import run
    from wiring_search.cli.progress import counted

    steps = whole_numbers("--lags", lags)
    with counted(console, "memory trainings", quiet) as told:
        rows, standings = run.memory(
            out, trial, names_in(tasks), steps, seeds, epochs, samples, told
        )
    cells = [
        [
            str(row.trial),
            row.task,
            str(row.lag),
            f"{row.solved} of {row.tried}",
            with_spread(row.metric, row.mean, row.spread),
        ]
        for row in rows.itertuples()
    ]
    print_table(
        ["trial", "task", "lag", "seeds that solved it", "on the test split"],
        cells,
        "Long-term memory",
    )
    cells = [
        [str(row.trial), row.task, str(row.longest), with_spread("", row.area, row.spread)]
        for row in standings.itertuples()
    ]
    print_table(["trial", "task", "longest lag solved", "area (0 … 1)"], cells)
    console.print(f"Table: {plain(str(out / run.MEMORY_TABLE))}", soft_wrap=True)
    console.print(f"Picture: {plain(str(out / run.MEMORY_PICTURE))}", soft_wrap=True)


@app.command()
def solvers(
    out: Folder,
    trial: Annotated[int, typer.Option(help="The trial's number, as in the tables.")],
    samples: Annotated[
        int,
        typer.Option(
            min=1, help="Validation sequences that a solver's own errors are measured on."
        ),
    ] = 64,
    hyper: Annotated[
        bool, typer.Option(help="Fit hypersolvers, on training sequences, and compare them too.")
    ] = True,
    quiet: Quiet = False,
) -> None:
    """Run the trained network of a trial with other solvers: what each costs, how true it is, how
    good at the task.

    For neurons that are a differential equation (ltc, ct-rnn, neural-ode). Nothing is trained
    again.
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted
    from wiring_search.run import Run

    with counted(console, "solvers", quiet) as told:
        found = run.solvers(out, trial, samples, hyper, told)
    scores = dict.fromkeys([Run(out).metric, "error"])
    rows = [
        [
            row["solver"],
            str(row["steps"]),
            str(row["function_evaluations"]),
            *(finite(row[name], 2) for name in ("terminal_error", "worst_error")),
            "yes" if row["stable"] else "no",
            *(finite(row[name], 4) for name in scores),
            "trained with" if row["trained_with"] else "fine solution" if row["fine"] else "",
        ]
        for _, row in found.table.iterrows()
    ]
    title = f"Trial {trial} with other solvers (validation split)"
    print_table(
        ["solver", "steps", "evaluations", "terminal error", "worst error", "stable", *scores, ""],
        rows,
        title,
    )
    console.print(
        "evaluations: of the right-hand side, one time step; a hypersolver's correction comes on top, once a sub-step"
    )
    console.print(
        "terminal and worst error: of the neurons' states, relative to the fine solution of the same weights"
    )
    console.print(plain(found.answer), soft_wrap=True)
    console.print(
        f"\nTable: {plain(str(found.csv))}\nPicture: {plain(str(found.picture))}", soft_wrap=True
    )
