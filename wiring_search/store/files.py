"""Writing a file whole or not at all."""

from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write a file so that a reader finds the old one or the new one, never a part.

    Args:
        path: The file.
        write: Writes it, given the path of a temporary file.

    Raises:
        ValueError: The disk is full or read-only; the old file stays.
    """
    partial = path.with_suffix(path.suffix + ".part")
    try:
        write(partial)
        partial.replace(path)
    except OSError as fault:
        raise ValueError(
            f"{path} cannot be written ({fault}); free some space or make the folder writable, "
            f"then run `wiring-search report {path.parent}`. The study is safe in its store"
        ) from fault
    finally:
        partial.unlink(missing_ok=True)
    return path
