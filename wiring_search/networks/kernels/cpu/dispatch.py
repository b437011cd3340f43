"""One sequence kernel, many kinds of neuron: static dispatch inside compiled functions.

A kernel gets a marker value. The *type* of the marker says which functions stand behind the slots
`prepare`, `advance`, …. So numba compiles each kind separately, decides nothing at run time, and
keeps each kind in its cache on disk (every process would compile a function passed as an argument
anew).

Slots share these arguments:

    model, memory   the marker of the neurons, of the memory
    c, edges        the candidate's record and the index arrays, of the layout
    params          from the candidate's block of the flat parameter vector on
    work, cells     the scratch of the neurons, of the memory
    u, x            the sensory values, the features of a time step: rows of LANES numbers
    sums            ∂ of the parameters, one row of LANES numbers per parameter, added to
    ∂…, grad_…      the gradient of the loss by …
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


# The scratch that an item works in, with constants made of the parameters. keep: for a backward
# pass.
#     (model, c, edges, params, keep)
prepare = _slot("prepare")
# The neurons' states `after` one time step of length `elapsed` (> 0, in lanes) from `before`, with
# u held.
#     (model, c, edges, params, work, elapsed, u, before, after)
advance = _slot("advance")
# The way back: ∂after becomes ∂before in grad_v, ∂u is written to grad_u. Returns ∂elapsed.
#     (model, c, edges, params, work, elapsed, u, before, grad_v, grad_u, sums)
advance_back = _slot("advance_back")
# From `sums`, still one per lane, to the gradients of neurons and synapses.
#     (model, c, edges, params, work, sums, grad_params)
finish = _slot("finish")
# One neuron, one sub-step of LTC, and back.
#     (model, v, driving, conductance, cm, h)
#     (model, v, new, driving, conductance, cm, h, delta)
new_state, new_state_back = _slot("new_state"), _slot("new_state_back")
# For explicit solvers: dv/dt at z, written to slope.
#     (model, c, edges, params, work, z, slope)
field = _slot("field")
# From ∂slope to ∂z, written to grad_z.
#     (model, c, edges, params, work, z, slope, grad_slope, grad_z, sums)
field_back = _slot("field_back")
# The scratch of a right-hand side; it has `grad_outer`, to which field_back adds.
#     (model, c, edges, params)
prepare_field = _slot("prepare_field")
# What stays during a time step.
#     (model, c, edges, params, work, u)
outer = _slot("outer")
# The way back, from what field_back has gathered.
#     (model, c, edges, params, work, u, grad_u, sums)
outer_back = _slot("outer_back")
# The scratch of the memory, `memory.Cells`. keep: for a backward pass.
#     (memory, c, features, keep)
remember_prepare = _slot("remember_prepare")
# The new cells in `after`, and the output of the memory in cells.shown.
#     (memory, c, params, x, features, before, after, cells)
remember = _slot("remember")
# The way back.
#     (memory, c, params, x, features, before, after, cells, grad_state, sums, grad_x)
remember_back = _slot("remember_back")
# What still waits is added to the parameters' sums.
#     (memory, c, features, cells, sums)
remember_finish = _slot("remember_finish")
