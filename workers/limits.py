"""How many candidates a worker may train at once: by its speed, by its memory, and by what did not
fit before."""

from collections.abc import Hashable

# The rest of a worker's memory is for what it needs besides, and for what was not measured.
_USABLE = 0.8


def parts(speed: float, fastest: float) -> int:
    """Into how many parts a job is cut for a worker of this speed: the fastest takes it whole, one
    that is n times slower an n-th. Rounded, so that workers that differ by a measurement's noise do
    not leave crumbs."""
    return max(1, round(fastest / speed))


def out_of_memory(failure: BaseException) -> bool:
    """Whether an exception says so, as Python's, numpy's, torch's and Ray's do in different
    ways."""
    if isinstance(failure, MemoryError) or type(failure).__name__ == "OutOfMemoryError":
        return True
    text = str(failure)
    return isinstance(failure, RuntimeError) and (
        "out of memory" in text or "can't allocate memory" in text
    )


class Limits:
    """What was learned of memory, for the rest of a run."""

    def __init__(self) -> None:
        self._fits: dict[Hashable, int] = {}
        self._largest, self._bytes = 0, 0

    def measured(self, candidates: int, taken: int) -> None:
        """A slice of so many candidates took so many bytes. The largest slice counts: in small ones
        the rest weighs too much."""
        if candidates >= self._largest:
            self._bytes = max(taken, self._bytes) if candidates == self._largest else taken
            self._largest = candidates

    def did_not_fit(self, kind: Hashable, candidates: int) -> None:
        """A slice was too large for this kind of worker."""
        self._fits[kind] = max(1, min(candidates // 2, self._fits.get(kind, candidates)))

    def most(self, kind: Hashable, memory: float) -> int | None:
        """Candidates at most for a worker of this kind with so many bytes of memory; None where
        nothing is known."""
        known = [self._fits[kind]] if kind in self._fits else []
        if self._bytes > 0:
            known.append(max(1, int(_USABLE * memory / self._bytes * self._largest)))
        return min(known, default=None)
