"""dynamics: how trained candidates move."""

from wiring_search.cli.options import Folder, Trials, command, console
from wiring_search.cli.tables import number, print_files, print_table

_SHOWN = (
    "expressivity",
    "gradient_slope",
    "gradient",
    "kernel_rank",
    "tau_lower",
    "tau_median",
    "tau_upper",
)


@command("Trained networks")
def dynamics(out: Folder, trial: Trials = None) -> None:
    """Show how candidates move, before and after training.

    Trajectories, the gradient through time, and time constants. Trains nothing. Writes
    OUT/dynamics.csv and OUT/dynamics.png.
    """
    from wiring_search import run

    table = run.dynamics(out, tuple(trial or ()))
    rows = [
        [str(row["trial"]), row["stage"], *(number(row[name]) for name in _SHOWN)]
        for _, row in table.iterrows()
    ]
    print_table(["trial", "stage", *_SHOWN], rows, "Dynamics")
    console.print(
        "gradient: what gradient_slope, of ln ‖∂ last state/∂ state k steps earlier‖ over k, means "
        "for sequences of this length"
    )
    console.print("tau: quartiles of the states' time constants, in units of elapsed time")
    print_files(Table=out / run.DYNAMICS_TABLE, Picture=out / run.DYNAMICS_PICTURE)
