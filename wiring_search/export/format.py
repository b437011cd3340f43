"""An export format. A new one is a file with a `FORMAT`, and an entry of `export.FORMATS`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wiring_search.export.parcel import Parcel
    from wiring_search.export.verified import Check


def _nothing_missing() -> str:
    return ""


def _nothing_refused(parcel: "Parcel") -> str:
    return ""


@dataclass(frozen=True)
class Format:
    """One export format.

    Attributes:
        summary: What it is, in a few words.
        write: Writes the files: write(parcel, folder).
        files: The names of the files of a parcel.
        check: Loads the files again and compares them with the network: check(parcel, folder).
            Raises ValueError where they differ.
        loading: How to load the files, in Markdown, for the README.md beside them. {name}, {F} and
            {N} stand for the parcel's name, its features and its states; braces are doubled.
        missing: What must be installed first; "" if nothing.
        refused: Why the format cannot hold a network; "" if it can.
    """

    summary: str
    write: Callable[["Parcel", Path], None]
    files: Callable[["Parcel"], Sequence[str]]
    check: Callable[["Parcel", Path], "Check"]
    loading: str
    missing: Callable[[], str] = _nothing_missing
    refused: Callable[["Parcel"], str] = _nothing_refused
