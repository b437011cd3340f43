"""The compiled functions that Python calls: loops over items, one pair for each kind of kernel.

An item is one candidate on one tile of samples; `sequence` says what it does. `threads.share` runs
a loop on one thread or several.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from numba import njit

from wiring_search.networks.kernels.cpu import dispatch
from wiring_search.networks.kernels.cpu.sequence import backward_item, forward_item
from wiring_search.networks.kernels.cpu.simd import LANES, compiled
from wiring_search.networks.kernels.cpu.threads import next_item
from wiring_search.networks.kernels.layout import Kind
from wiring_search.networks.kernels.sources import digest_of
from wiring_search.wirings.kinds import KINDS


def markers_of(kind: Kind) -> tuple[NamedTuple, NamedTuple]:
    """The markers of the neurons and of the memory, by whose types the compiled functions
    dispatch."""
    neurons = dispatch.marker_of(KINDS[kind.neuron].family, kind.solver)
    memory = dispatch.NoMemory() if kind.memory == "none" else dispatch.Lstm()
    return neurons, memory


@cache
def sources_digest() -> str:
    """The digest of all that is compiled into the entry points."""
    inside = [forward_item, backward_item, *dispatch.behind_slots()]
    return digest_of({function.py_func.__module__ for function in inside})


@compiled
def _part(flat, i, parts):
    size = len(flat) // parts
    return flat[i * size : (i + 1) * size]


@compiled
def _all_states(edges):
    return edges.table[-1].at_state + edges.table[-1].neurons + edges.table[-1].cells


@compiled
def _forward_at(item, items, neurons, memory, edges, params, x, elapsed, state, y, final, history):
    tiles = items // len(edges.table)
    time_steps = len(elapsed) // (tiles * LANES)
    c, tile = edges.table[item // tiles], item % tiles
    size = (c.neurons + c.cells) * LANES
    at = (tile * _all_states(edges) + c.at_state) * LANES
    kept = (c.at_state * tiles * LANES + tile * size) * (time_steps + 1)
    forward_item(
        (neurons, memory),
        c,
        edges,
        params[c.at_params :],
        _part(x, tile, tiles),
        _part(elapsed, tile, tiles),
        state[at : at + size],
        _part(y, item, items),
        final[at : at + size],
        history[kept : kept + size * (time_steps + 1)],
    )


@compiled
def _backward_at(
    item,
    items,
    neurons,
    memory,
    edges,
    params,
    x,
    elapsed,
    history,
    grad_y,
    grad_final,
    partial,
    grad_state,
    grad_x,
    grad_elapsed,
):
    tiles = items // len(edges.table)
    time_steps = len(elapsed) // (tiles * LANES)
    c, tile = edges.table[item // tiles], item % tiles
    size = (c.neurons + c.cells) * LANES
    at = (tile * _all_states(edges) + c.at_state) * LANES
    kept = (c.at_state * tiles * LANES + tile * size) * (time_steps + 1)
    grad_of_state = grad_state[at : at + size]
    grad_of_state[:] = grad_final[at : at + size]
    backward_item(
        (neurons, memory),
        c,
        edges,
        params[c.at_params :],
        _part(x, tile, tiles),
        _part(elapsed, tile, tiles),
        history[kept : kept + size * (time_steps + 1)],
        _part(grad_y, item, items),
        grad_of_state,
        partial[tile, c.at_params :],
        _part(grad_x, item, items),
        _part(grad_elapsed, item, items),
    )


@cache
def entry_points(neurons: type, memory: type) -> tuple[Callable, Callable]:
    """The two compiled loops over items, forward and backward, for one pair of markers.

    numba's cache on disk watches the file and the closure of the function that it stored, not the
    functions that this one calls. `sources`, a digest of their files, is in the closure so that old
    code never answers for an edited kernel.

    Each pair has separate functions, and so separate files in the cache. numba keeps the code of
    one function by an index that it does not lock. If two processes compiled different pairs as one
    function at the same moment, one would get the code of the other and silently run another model.

    Args:
        neurons: The type of the neurons' marker.
        memory: The type of the memory's marker.
    """
    sources = sources_digest()

    def on_disk(function: Callable) -> Callable:
        function.__qualname__ = (
            f"{function.__name__}-{neurons.__name__}-{memory.__name__}-{sources[:8]}"
        )
        return njit(error_model="numpy", cache=True, nogil=True)(function)

    @on_disk
    def forward_items(
        counter, neurons, memory, edges, params, x, elapsed, state, y, final, history
    ):
        items = len(edges.table) * (len(final) // (_all_states(edges) * LANES))
        item = next_item(counter) if sources else items
        while item < items:
            _forward_at(
                item, items, neurons, memory, edges, params, x, elapsed, state, y, final, history
            )
            item = next_item(counter)

    @on_disk
    def backward_items(
        counter,
        neurons,
        memory,
        edges,
        params,
        x,
        elapsed,
        history,
        grad_y,
        grad_final,
        partial,
        grad_state,
        grad_x,
        grad_elapsed,
    ):
        items = len(edges.table) * len(partial)
        item = next_item(counter) if sources else items
        while item < items:
            _backward_at(
                item,
                items,
                neurons,
                memory,
                edges,
                params,
                x,
                elapsed,
                history,
                grad_y,
                grad_final,
                partial,
                grad_state,
                grad_x,
                grad_elapsed,
            )
            item = next_item(counter)

    return forward_items, backward_items
