"""The report: one HTML file that answers "which small wiring is enough?" from the store alone.

Python computes (`data.py`: the front, the progress of the search, the checklist) and embeds it as
JSON. The scripts in `web/` draw it, and `page.css` styles it, light or dark as the reader's system
is. The file loads nothing, so it can be mailed and opened in ten years. `serve.py` serves the same
page over a running study.
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
    """Write the report into the run folder, whole or not at all.

    Args:
        store: The study's store.
        playable: Networks that the page can run, as `wiring_search.report.player` makes them;
            {"absent": why} where there are none; None where the page does not mention them.

    Returns:
        The file's path.

    Raises:
        ValueError: The disk does not take it.
    """
    text = report_page({**report_data(store), "play": playable})
    return write_whole(store.folder / FILE, lambda path: path.write_text(text, encoding="utf-8"))


def report_page(data: dict[str, Any]) -> str:
    """Return the HTML of a report.

    Args:
        data: Of `report_data`, and `play`.
    """
    title = f"{data['task']}: {data['finished']:,} candidates"
    return page(title, data, "page.html", ANSWER=data["lead"]["answer"])
