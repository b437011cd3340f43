"""Sizes and settings that a space allows a candidate, and changes of a setting."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from wiring_search.search_spaces import Choice, FloatRange, IntRange, Space
from wiring_search.search_spaces.dimensions import Dimension, Point, Value
from wiring_search.search_spaces.names import CANDIDATE_DIMENSIONS, LAYERED_TOPOLOGIES
from wiring_search.wirings.candidate import Candidate
from wiring_search.wirings.kinds import KINDS, USUAL_NEURON, has_steps
from wiring_search.wirings.mutation import (
    FORWARD,
    Limits,
    joined_roles,
)
from wiring_search.wirings.wiring import Wiring

_STEP = 0.15  # standard deviation of a step, as a share of its range
_SIZES = ("sensory", "inter", "command", "motor", "neurons")
_NO_TOPOLOGY = ""


def limits_of(space: Space, layers: bool) -> Limits:
    """The sizes that the space allows wirings with inter and command layers, or without."""
    topologies = [name for name in _topologies(space) if (name in LAYERED_TOPOLOGIES) == layers]
    found = {name: ends for name in _SIZES if (ends := _ends(space, name, topologies)) is not None}
    loops = _ends(space, "recurrent_synapses", topologies)
    return Limits(
        **found,
        recurrent=layers and ("auto_ncp" in topologies or (loops is not None and loops[1] > 0)),
    )


def _topologies(space: Space) -> tuple[str, ...]:
    if space.topology is not None:
        return (space.topology,)
    return tuple(
        str(value) for dimension in space.alternatives("topology") for value in _choices(dimension)
    )


def _ends(space: Space, name: str, topologies: Sequence[str]) -> tuple[int, int] | None:
    """The smallest and the largest value of a size with these topologies; None: no bounds."""
    ends: list[int] = []
    for dimension in space.alternatives(name) if name in space.dimensions else ():
        if not set(topologies).isdisjoint(dimension.when.get("topology", topologies)):
            ends += (
                (dimension.low, dimension.high)
                if isinstance(dimension, IntRange)
                else map(int, _choices(dimension))
            )
    return (min(ends), max(ends)) if ends else None


def _choices(dimension: Dimension) -> tuple[Value, ...]:
    return dimension.values if isinstance(dimension, Choice) else ()


def params_of(space: Space, candidate: Candidate) -> Point:
    """The dimensions of the space that a candidate determines: sizes of its wiring, and settings.
    Which of several topologies it came from cannot be seen."""
    return {
        name: value
        for name, (_, value) in _walk(space, candidate, {}).items()
        if name != "topology"
    }


def with_other_setting(
    space: Space, candidate: Candidate, rng: np.random.Generator
) -> tuple[Candidate, tuple[str, ...]]:
    """Change one setting of a candidate, and those that depend on it if they must.

    Args:
        space: The space that the changed candidate belongs to.
        candidate: The parent. Its wiring and its seed stay.
        rng: Source of random numbers.

    Returns:
        The changed candidate and the setting's name; or the same candidate and no name, if the
        space varies no setting, or has no such wirings with the new one.
    """
    found = _walk(space, candidate, {})
    free = [name for name in CANDIDATE_DIMENSIONS if name in found and _varies(found[name][0])]
    if not free:
        return candidate, ()
    name = free[int(rng.integers(len(free)))]
    found = _walk(space, candidate, {name: _step(*found[name], rng)})
    settings: dict[str, Any] = {
        key: value for key, (_, value) in found.items() if key in CANDIDATE_DIMENSIONS
    }
    neuron = settings.setdefault("neuron", USUAL_NEURON)
    if not has_steps(settings.setdefault("solver", KINDS[neuron].usual_solver)):
        settings["steps"] = 0
    newly_layered = KINDS[neuron].layered and not KINDS[candidate.neuron].layered
    # A layered neuron would not look at synapses between other layers.
    unseen = newly_layered and joined_roles(candidate.wiring, False) != {*FORWARD}
    if unseen or found.get("topology", (None, None))[1] == _NO_TOPOLOGY:
        return candidate, ()
    return Candidate(candidate.wiring, seed=candidate.seed, **settings), (name,)


def _walk(space: Space, candidate: Candidate, changed: Point) -> dict[str, tuple[Dimension, Value]]:
    """The dimension and the value of each size and setting that exists for a candidate in the
    space, with some settings `changed`.

    A value that is not allowed there, such as a solver of another neuron, is replaced by the
    nearest one, or the first. The topology is the first one that makes wirings like the
    candidate's, or _NO_TOPOLOGY.
    """
    wiring = candidate.wiring
    settings = {name: getattr(candidate, name) for name in CANDIDATE_DIMENSIONS} | changed
    sizes = {name: getattr(wiring, name) for name in _SIZES}
    found: dict[str, tuple[Dimension, Value]] = {}
    point: Point = {}
    for name in space.dimensions:
        index = space.alternative(name, point)
        if index is None or name not in ("topology", *settings, *sizes):
            continue
        dimension = space.alternatives(name)[index]
        if name == "topology":
            alike = [
                value
                for value in _choices(dimension)
                if (value in LAYERED_TOPOLOGIES) == has_layers(wiring)
            ]
            point[name] = (*alike, _NO_TOPOLOGY)[0]
        else:
            point[name] = sizes[name] if name in sizes else _allowed(dimension, settings[name])
        found[name] = dimension, point[name]
    return found


def _varies(dimension: Dimension) -> bool:
    match dimension:
        case Choice(values=values):
            return len(values) > 1
        case IntRange(low=low, high=high) | FloatRange(low=low, high=high):
            return low < high
    raise TypeError(f"{dimension!r} is not a dimension")


def _allowed(dimension: Dimension, value: Any) -> Value:
    match dimension:
        case Choice(values=values):
            return value if value in values else values[0]
        case IntRange(low=low, high=high) | FloatRange(low=low, high=high):
            return min(max(value, low), high)
    raise TypeError(f"{dimension!r} is not a dimension")


def _step(dimension: Dimension, value: Any, rng: np.random.Generator) -> Value:
    """Another choice, a neighbouring whole number, or a value a normal step away (log-normal in a
    logarithmic range)."""
    match dimension:
        case Choice(values=values):
            others = [other for other in values if other != value]
            return others[int(rng.integers(len(others)))]
        case IntRange(low=low, high=high):
            others = [other for other in (value - 1, value + 1) if low <= other <= high]
            return others[int(rng.integers(len(others)))]
        case FloatRange(low=low, high=high, log=log):
            if log:
                share = math.log(value / low) / math.log(high / low)
            else:
                share = (value - low) / (high - low)
            share = 1.0 - abs(1.0 - abs(share + rng.normal(0.0, _STEP)))  # reflected at both ends
            moved = low * (high / low) ** share if log else low + (high - low) * share
            return float(min(max(moved, low), high))
    raise TypeError(f"{dimension!r} is not a dimension")


def has_layers(wiring: Wiring) -> bool:
    """Whether a wiring has inter and command neurons."""
    return bool(wiring.inter and wiring.command)
