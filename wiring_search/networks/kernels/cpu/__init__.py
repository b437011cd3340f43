"""The fused CPU kernel: a pack through a whole sequence, forward and backward, in one compiled call
each.

Work is cut into items, candidate × tile of sixteen samples; threads take items, `sequence_cpu` says
what an item does. The forward pass keeps the state at the start of every time step, O(T) memory and
not O(T × steps); the backward pass runs the sub-steps again.

Samples that pad the last tile have elapsed time 0: their state is held and they add nothing to any
gradient. An item's numbers depend on its candidate and its samples alone, and tiles are summed in a
fixed order, so neither pack mates nor threads change a bit.

Little work runs on the calling thread, in a loop compiled without threads: a parallel region ends
when the last thread has finished, and where another process holds a core that thread comes late, by
milliseconds. See `LITTLE_WORK`.

Neurons that nothing here is compiled for, those of an extension, are run by `plain`.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

import numba
import numpy as np
from numba import njit, prange

from wiring_search.networks.kernels import plain
from wiring_search.networks.kernels.cpu import dispatch
from wiring_search.networks.kernels.cpu.sequence import backward_item, forward_item
from wiring_search.networks.kernels.cpu.simd import LANES, aligned
from wiring_search.networks.kernels.layout import Kind, PackLayout
from wiring_search.networks.kernels.sources import digest_of
from wiring_search.wirings.kinds import KINDS

# Synapse updates (`PackLayout.updates` × samples × time steps) below which a call runs on the
# calling thread. Two threads can save at most half of the time that so many take, about a
# millisecond.
LITTLE_WORK = 1 << 20

# Every file of this folder says which functions stand behind which slots, when it is imported.
for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")


class Kept(NamedTuple):
    """What `backward` wants of a forward pass, in lanes: the inputs and the state at the start of
    every time step."""

    x: np.ndarray
    elapsed: np.ndarray
    history: np.ndarray
    shape: tuple[int, int, int]


def forward(
    layout: PackLayout,
    params: np.ndarray,
    x: np.ndarray,
    elapsed: np.ndarray,
    state: np.ndarray,
    every_step: bool,
) -> tuple[np.ndarray, np.ndarray, Kept | plain.Kept]:
    """Readouts (candidates, B, T or 1, outputs), final state (B, neurons), and what `backward`
    wants.

    All float32 and contiguous, shapes as in `reference.run`.
    """
    if plain.is_needed(layout.kind):
        return plain.forward(layout, params, x, elapsed, state, every_step)
    samples, time_steps, _ = x.shape
    shown = time_steps if every_step else 1
    tiles = _tiles(samples)
    kept = Kept(
        _into_lanes(_without_padding(x, elapsed)),
        _into_lanes(elapsed),
        aligned(tiles * layout.state_size * (time_steps + 1) * LANES),
        x.shape,
    )
    y = aligned(layout.size * tiles * shown * layout.output_size * LANES)
    final = aligned(tiles * layout.state_size * LANES)
    markers = _markers(layout.kind)
    forward_items, _ = _entry_points(*map(type, markers), _is_shared(layout, samples, time_steps))
    forward_items(
        *markers,
        layout.edges,
        params,
        kept.x,
        kept.elapsed,
        _into_lanes(state),
        y,
        final,
        kept.history,
    )
    y = _out_of_lanes(y, layout.size, samples, (shown, layout.output_size))
    return y, _out_of_lanes(final, 1, samples, (layout.state_size,))[0], kept


def backward(
    layout: PackLayout,
    params: np.ndarray,
    kept: Kept | plain.Kept,
    grad_y: np.ndarray,
    grad_final: np.ndarray,
    inputs_too: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """Gradients of the parameters, the initial state and, where `inputs_too`, of x and elapsed
    (else None)."""
    if isinstance(kept, plain.Kept):
        return plain.backward(kept, grad_y, grad_final, inputs_too)
    samples, time_steps, features = kept.shape
    tiles = _tiles(samples)
    partial = np.empty((tiles, layout.parameters), np.float32)
    grad_state = aligned(tiles * layout.state_size * LANES)
    by_item = layout.size * tiles * time_steps * LANES if inputs_too else 0
    grad_x, grad_elapsed = aligned(by_item * features), aligned(by_item)
    markers = _markers(layout.kind)
    _, backward_items = _entry_points(*map(type, markers), _is_shared(layout, samples, time_steps))
    backward_items(
        *markers,
        layout.edges,
        params,
        kept.x,
        kept.elapsed,
        kept.history,
        _into_lanes(grad_y, packs=layout.size),
        _into_lanes(grad_final),
        partial,
        grad_state,
        grad_x,
        grad_elapsed,
    )
    grad_params = _sum_of_rows(partial)
    grad_state = _out_of_lanes(grad_state, 1, samples, (layout.state_size,))[0]
    if not inputs_too:
        return grad_params, grad_state, None, None
    grad_x = _out_of_lanes(grad_x, layout.size, samples, (time_steps, features)).sum(axis=0)
    grad_elapsed = _out_of_lanes(grad_elapsed, layout.size, samples, (time_steps,)).sum(axis=0)
    return grad_params, grad_state, grad_x, grad_elapsed


def extremes(layout: PackLayout, kept: Kept | plain.Kept) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value that each entry of the state had in a forward pass: two
    (states,)."""
    if isinstance(kept, plain.Kept):
        return plain.extremes(kept)
    lows, highs = [], []
    samples, time_steps, _ = kept.shape
    for states in layout.states:
        at = slice(
            *(
                end * _tiles(samples) * (time_steps + 1) * LANES
                for end in (states.start, states.stop)
            )
        )
        visited = kept.history[at].reshape(
            _tiles(samples), time_steps + 1, states.stop - states.start, LANES
        )
        lows.append(visited.min(axis=(0, 1, 3)))
        highs.append(visited.max(axis=(0, 1, 3)))
    return np.concatenate(lows), np.concatenate(highs)


def histories(layout: PackLayout, kept: Kept | plain.Kept) -> list[np.ndarray]:
    """Of every candidate the states that a forward pass visited, the first included: views (B, T +
    1, neurons and memory cells)."""
    if isinstance(kept, plain.Kept):
        return plain.histories(layout, kept)
    samples, time_steps, _ = kept.shape
    tiles = _tiles(samples)
    result = []
    for states in layout.states:
        at = slice(*(end * tiles * (time_steps + 1) * LANES for end in (states.start, states.stop)))
        lanes = kept.history[at].reshape(tiles, time_steps + 1, states.stop - states.start, LANES)
        result.append(
            lanes.transpose(0, 3, 1, 2).reshape(tiles * LANES, time_steps + 1, -1)[:samples]
        )
    return result


def compiled_apart(kind: Kind) -> tuple[str, ...]:
    """Two kinds share a compiled kernel where this is equal."""
    return tuple(type(marker).__name__ for marker in _markers(kind))


def _markers(kind: Kind) -> tuple[NamedTuple, NamedTuple]:
    """What the compiled functions dispatch on, by its type: of the neurons and of the memory."""
    neurons = dispatch.marker_of(KINDS[kind.neuron].family, kind.solver)
    memory = dispatch.NoMemory() if kind.memory == "none" else dispatch.Lstm()
    return neurons, memory


@contextmanager
def at_most_threads(count: int) -> Iterator[None]:
    """Within the block, kernels called from here run on this many threads or fewer."""
    threads = numba.get_num_threads()
    if threads <= count:  # to set a number takes as long as a small network's readout
        yield
        return
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(threads)


def one_thread() -> AbstractContextManager[None]:
    """Within the block, kernels called from here run on the calling thread alone."""
    return at_most_threads(1)


def _is_shared(layout: PackLayout, samples: int, time_steps: int) -> bool:
    """Whether threads share the items of a call."""
    tiles = _tiles(samples)
    if layout.size * tiles == 1 or layout.updates * tiles * LANES * time_steps < LITTLE_WORK:
        return False
    return numba.get_num_threads() > 1


def _tiles(samples: int) -> int:
    return -(-samples // LANES)


def _without_padding(x: np.ndarray, elapsed: np.ndarray) -> np.ndarray:
    """Zeros where no time passes: whatever stands there (NaN too) must not reach a sum, not even
    times zero."""
    return (
        x
        if elapsed.min(initial=1.0) > 0
        else np.where((elapsed > 0)[:, :, None], x, np.float32(0.0))
    )


def _into_lanes(array: np.ndarray, packs: int = 1) -> np.ndarray:
    """([packs,] B, rest) -> flat lanes of (packs, tiles, rest, LANES), the last tile filled up with
    zeros."""
    samples = array.shape[0 if packs == 1 and array.ndim < 4 else 1]
    array = array.reshape(packs, samples, -1)
    padded = _tiles(samples) * LANES
    if samples != padded:
        array = np.pad(array, ((0, 0), (0, padded - samples), (0, 0)))
    result = aligned(array.size)
    tiled = array.reshape(packs, padded // LANES, LANES, -1).swapaxes(2, 3)
    np.copyto(result.reshape(tiled.shape), tiled)
    return result


def _out_of_lanes(flat: np.ndarray, packs: int, samples: int, rest: tuple[int, ...]) -> np.ndarray:
    """Flat lanes of (packs, tiles, rest, LANES) -> (packs, samples, *rest)."""
    tiles = _tiles(samples)
    tiled = flat.reshape(packs, tiles, -1, LANES).swapaxes(2, 3)
    return tiled.reshape(packs, tiles * LANES, *rest)[:, :samples]


@njit(cache=True)
def _sum_of_rows(partial):
    result = partial[0].copy()
    for tile in range(1, len(partial)):
        for i in range(len(result)):
            result[i] += partial[tile, i]
    return result


@njit
def _part(flat, i, parts):
    size = len(flat) // parts
    return flat[i * size : (i + 1) * size]


@njit
def _all_states(edges):
    return edges.table[-1].at_state + edges.table[-1].neurons + edges.table[-1].cells


@cache
def _sources() -> str:
    """The digest of all that is compiled into the entry points."""
    compiled = [forward_item, backward_item, *dispatch.behind_slots()]
    return digest_of({function.py_func.__module__ for function in compiled})


@njit(error_model="numpy")
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


@njit(error_model="numpy")
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
def _entry_points(neurons: type, memory: type, shared: bool) -> tuple[Callable, Callable]:
    """The two compiled loops over items for one pair of markers; without `shared` no thread is
    asked (`prange` is `range`).

    numba's cache on disk watches the file and the closure of the function it stored, not the
    functions that one calls. `sources`, a digest of their files, is in the closure so that an
    edited kernel is never answered by an old one.

    Every pair has functions, and so files, of its own. What numba keeps of one function's types
    goes by one index, and it counts files by it without a lock: of two processes that compile
    different pairs at the same moment, one would be given the other's code, and run another model
    without a word.
    """
    sources = _sources()
    way = "shared" if shared else "alone"

    def on_disk(function: Callable) -> Callable:
        function.__qualname__ = (
            f"{function.__name__}-{neurons.__name__}-{memory.__name__}-{way}-{sources[:8]}"
        )
        return njit(error_model="numpy", cache=True, parallel=shared)(function)

    @on_disk
    def forward_items(neurons, memory, edges, params, x, elapsed, state, y, final, history):
        if not sources:
            return
        items = len(edges.table) * (len(final) // (_all_states(edges) * LANES))
        for item in prange(items):
            _forward_at(
                item, items, neurons, memory, edges, params, x, elapsed, state, y, final, history
            )

    @on_disk
    def backward_items(
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
        if not sources:
            return
        items = len(edges.table) * len(partial)
        for item in prange(items):
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

    return forward_items, backward_items
