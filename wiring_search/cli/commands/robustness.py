"""robustness: trained candidates under shifted data."""

from wiring_search.cli.options import Folder, Quiet, Trials, command, console
from wiring_search.cli.tables import number, print_files, print_table


@command("Trained networks")
def robustness(out: Folder, trial: Trials = None, quiet: Quiet = False) -> None:
    """Measure trained candidates under shifted data: noise, missing samples, another pace, ….

    Uses the validation split and trains nothing. Writes OUT/robustness.csv and OUT/robustness.png.
    """
    from wiring_search import run
    from wiring_search.cli.progress import counted

    with counted(console, "shifted errors", quiet) as on_progress:
        table = run.robustness(out, tuple(trial or ()), on_progress)
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
        "Shifted error and robustness are means over all shifts, families over their levels. "
        "A network with a large clean error has little to lose."
    )
    print_files(Table=out / run.ROBUSTNESS_TABLE, Picture=out / run.ROBUSTNESS_PICTURE)
