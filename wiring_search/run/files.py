"""Files beside the store: tables and pictures."""

from pathlib import Path
from typing import TYPE_CHECKING

from wiring_search.analysis.table import front
from wiring_search.store import Store
from wiring_search.store.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def export(store: Store) -> list[Path]:
    """Write the tables of a study into its run folder, each whole or not at all.

    Returns:
        The paths: trials.parquet, trials.csv, front.csv, and rungs.csv if there are several rungs.
    """
    table = store.table()
    history = store.history()
    best = front(table, store.config.objectives)
    writers = {
        "trials.parquet": lambda path: table.to_parquet(path, index=False),
        "trials.csv": lambda path: table.to_csv(path, index=False),
        "front.csv": lambda path: best.to_csv(path, index=False),
    }
    if len(store.config.rungs) > 1:
        writers["rungs.csv"] = lambda path: history.to_csv(path, index=False)
    return [write_whole(store.folder / name, write) for name, write in writers.items()]


def save_figure(figure: "Figure", path: Path) -> None:
    """Save a picture in the format that its name says.

    Args:
        figure: The picture.
        path: Its file, with the format as suffix.

    Raises:
        ValueError: The format is unknown, or the file cannot be written.
    """
    try:
        figure.savefig(path, dpi=150)
    except OSError as fault:
        raise ValueError(
            f"{path} cannot be written ({fault}); name a file in an existing folder"
        ) from fault
