"""Files that are written whole or not at all."""

from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> Path:
    """Write beside, then put in place: a reader finds the old file or the new one. Raises
    ValueError where the disk does not take it, and leaves the old one."""
    partial = path.with_suffix(path.suffix + ".part")
    try:
        write(partial)
        partial.replace(path)
    except OSError as fault:
        raise ValueError(
            f"{path} cannot be written ({fault}); free some space or make the folder writable, then `wiring-search report "
            f"{path.parent}`. The study itself is safe in its store"
        ) from fault
    finally:
        partial.unlink(missing_ok=True)
    return path
