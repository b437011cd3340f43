"""One sequence kernel, many kinds of neuron: static dispatch inside compiled functions.

A kernel is given a marker value, and the *type* of the marker says which functions stand behind the
slots `prepare`, `advance`, …: numba compiles each kind apart, with nothing decided while it runs,
and keeps each in its cache on disk (a function passed as an argument would be compiled anew by
every process).
"""

from collections.abc import Callable
from typing import NamedTuple

from numba.extending import overload

from wiring_search.wirings.kinds import Family


class NoMemory(NamedTuple):
    tag: int = 0


class Lstm(NamedTuple):
    tag: int = 0


_BEHIND: dict[tuple[str, type], Callable] = {}
_MARKERS: dict[tuple[Family, str], NamedTuple] = {}


def solves(family: Family, *solvers: str) -> Callable[[type], type]:
    """A decorator for marker classes: these neurons with these solvers have this marker."""

    def note(marker: type) -> type:
        for solver in solvers:
            _MARKERS[family, solver] = marker()
        return marker

    return note


def marker_of(family: Family, solver: str) -> NamedTuple:
    """The marker that `solves` has noted for these neurons with this solver."""
    return _MARKERS[family, solver]


def stands_behind(slot: Callable, *markers: type) -> Callable[[Callable], Callable]:
    """A decorator for compiled functions: this is what the slot means for these markers."""

    def note(function: Callable) -> Callable:
        for marker in markers:
            _BEHIND[slot.__name__, marker] = function
        return function

    return note


def behind_slots() -> list[Callable]:
    """All functions that `stands_behind` has noted."""
    return [*_BEHIND.values()]


def _slot(name: str) -> Callable:
    def slot(model, *arguments):
        raise TypeError(f"{name} is called from compiled functions only")

    slot.__name__ = name

    @overload(slot)
    def choose(model, *arguments):
        behind = _BEHIND[name, model.instance_class]
        return lambda model, *arguments: behind(model, *arguments)

    return slot


# prepare(model, c, edges, own, keep): what an item works in, constants made of the parameters, and
# scratch.
#     keep: for a backward pass.
prepare = _slot("prepare")
# advance(model, c, edges, own, work, elapsed, u, before, after): the neurons' states `after` one
# time step of length
#     `elapsed` (> 0, in lanes) from `before`, with the sensory values u held.
advance = _slot("advance")
# advance_back(model, c, edges, own, work, elapsed, u, before, grad_v, grad_u, sums): the way back.
#     ∂after becomes ∂before in grad_v, ∂u is written into grad_u, parameters' sums are added to
#     `sums`; returns ∂elapsed.
advance_back = _slot("advance_back")
# finish(model, c, edges, own, work, sums, grad_own): from sums, still one a lane, to the gradients
# of neurons and synapses.
finish = _slot("finish")
# new_state(model, v, driving, conductance, cm, h), new_state_back(model, …, delta): one neuron, one
# sub-step of LTC.
new_state, new_state_back = _slot("new_state"), _slot("new_state_back")
# field(model, c, edges, own, work, z, slope): dv/dt at z, for explicit solvers.
field = _slot("field")
# field_back(model, c, edges, own, work, z, slope, grad_slope, grad_z, sums): ∂slope → ∂z, written
# into grad_z.
field_back = _slot("field_back")
# prepare_field(model, c, edges, own): the scratch of a right-hand side; it has `grad_outer`, where
# field_back adds.
prepare_field = _slot("prepare_field")
# outer(model, c, edges, own, work, u): what stays during a time step.
outer = _slot("outer")
# outer_back(model, c, edges, own, work, u, grad_u, sums): the way back, from what field_back has
# gathered.
outer_back = _slot("outer_back")
# remember_prepare(memory, c, features, keep): the scratch of the memory, `memory.Cells`. keep:
# for a backward pass.
remember_prepare = _slot("remember_prepare")
# remember(memory, c, own, x, features, before, after, cells): the new cells, and what the memory
# shows, cells.shown.
remember = _slot("remember")
# remember_back(memory, c, own, x, features, before, after, cells, grad_state, sums, grad_x): the
# way back.
remember_back = _slot("remember_back")
# remember_finish(memory, c, features, cells, sums): what still waits is added to the parameters'
# sums.
remember_finish = _slot("remember_finish")
