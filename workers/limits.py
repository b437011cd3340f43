"""How many candidates a worker may train at once: by speed, by memory, and by what did not fit."""

from collections.abc import Hashable

# The share of a worker's memory that candidates may fill; the rest is for what was not measured.
_USABLE = 0.8


def parts(speed: float, fastest: float) -> int:
    """Return into how many parts a job is cut for a worker of this speed.

    The fastest worker takes a job whole, one that is n times slower an n-th. The number is rounded,
    so that workers that differ by noise alone get equal parts.

    Args:
        speed: Of the worker.
        fastest: Of the fastest worker, in the same unit.
    """
    return max(1, round(fastest / speed))


def out_of_memory(failure: BaseException) -> bool:
    """Return whether an exception of Python, numpy, torch or Ray says that memory ran out."""
    if isinstance(failure, MemoryError) or type(failure).__name__ == "OutOfMemoryError":
        return True
    text = str(failure)
    return isinstance(failure, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )


class Limits:
    """What a run has learned about memory so far."""

    def __init__(self) -> None:
        self._fits: dict[Hashable, int] = {}
        self._largest, self._bytes = 0, 0

    def record_use(self, candidates: int, taken: int) -> None:
        """Record what a slice took.

        The largest slice counts: in small ones the fixed costs weigh too much.

        Args:
            candidates: Of the slice.
            taken: Bytes.
        """
        if candidates >= self._largest:
            self._bytes = max(taken, self._bytes) if candidates == self._largest else taken
            self._largest = candidates

    def record_too_large(self, kind: Hashable, candidates: int) -> None:
        """Record that a slice was too large for a worker.

        Args:
            kind: Of the worker, see `most`.
            candidates: Of the slice.
        """
        self._fits[kind] = max(1, min(candidates // 2, self._fits.get(kind, candidates)))

    def most(self, kind: Hashable, memory: float) -> int | None:
        """Return how many candidates fit a worker, None where nothing is known.

        Args:
            kind: Workers of one kind have equal memory.
            memory: Bytes.
        """
        known = [self._fits[kind]] if kind in self._fits else []
        if self._bytes > 0:
            known.append(max(1, int(_USABLE * memory / self._bytes * self._largest)))
        return min(known, default=None)
