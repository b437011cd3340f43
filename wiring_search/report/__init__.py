"""The report: one self-contained HTML file that answers "which small wiring is enough?" from the
store alone.

Python computes (`data.py`: the front, how the search went, the checklist) and embeds it as JSON;
the scripts in `web/` draw it, and `page.css` gives it its looks, light or dark as the reader's
system is. Nothing is loaded from anywhere, so the file can be mailed and opened in ten years.
`serve.py` serves the same page over a running study.
"""

from pathlib import Path
from typing import Any

from wiring_search.report.data import MATTERS, RANDOM, report_data
from wiring_search.report.page import page
from wiring_search.store import Store
from wiring_search.store.files import write_whole

__all__ = ["FILE", "MATTERS", "RANDOM", "report_data", "report_page", "write_report"]

FILE = "report.html"


def write_report(store: Store, playable: dict[str, Any] | None = None) -> Path:
    """Write the report into the run folder, whole or not at all; its path. Raises ValueError where
    the disk does not take it.

    playable: networks that the page can run, as `wiring_search.report.player` makes them;
    {"absent": why} where there are none, and None where nothing is said of that.
    """
    text = report_page({**report_data(store), "play": playable})
    return write_whole(store.folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))


def report_page(data: dict[str, Any]) -> str:
    """The HTML of a report."""
    title = f"{data['task']}: {data['finished']:,} candidates"
    return page(title, data, "page.html", ANSWER=data["lead"]["answer"])
