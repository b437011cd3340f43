"""report: tables and report written anew."""

from wiring_search.cli.options import Folder, command, console
from wiring_search.cli.tables import plain


@command("Results")
def report(out: Folder) -> None:
    """Write the tables and the HTML report of a search, finished or running.

    The best networks run in the page, on validation samples. Without the task's data they cannot,
    and the report says so.
    """
    from wiring_search.run import Run

    run = Run(out)
    with console.status("Writing tables and report (the first call compiles kernels) …"):
        run.write_files()
    console.print(f"Report: {plain(str(run.report))}")
