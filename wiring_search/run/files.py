"""The tables that a run folder holds beside its store."""

from pathlib import Path

from wiring_search.analysis.table import front
from wiring_search.store import Store
from wiring_search.store.files import write_whole


def export(store: Store) -> list[Path]:
    """Write trials.parquet, trials.csv and front.csv into the run folder, and rungs.csv where there
    are several, each whole or not at all; their paths."""
    table, history = store.table(), store.history()
    best = front(table, store.config.objectives)
    writers = {
        "trials.parquet": lambda path: table.to_parquet(path, index=False),
        "trials.csv": lambda path: table.to_csv(path, index=False),
        "front.csv": lambda path: best.to_csv(path, index=False),
    }
    if len(store.config.rungs) > 1:
        writers["rungs.csv"] = lambda path: history.to_csv(path, index=False)
    return [write_whole(store.folder / name, write) for name, write in writers.items()]
