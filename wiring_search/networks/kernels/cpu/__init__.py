"""The fused CPU kernel: a pack through a whole sequence, forward and backward, in one compiled call
each.

Work is cut into items, candidate × tile of sixteen samples. Threads take items (`items`);
`sequence` says what an item does. The forward pass keeps the state at the start of every time step,
O(T) memory and not O(T × steps); the backward pass runs the sub-steps again.

Samples that pad the last tile have elapsed time 0: their state is held and they add nothing to any
gradient. An item's numbers depend on its candidate and its samples alone, and tiles are summed in a
fixed order, so neither pack mates nor threads change a bit.

Little work runs on the calling thread alone: to wake another one takes time, and where another
process holds its core it comes late. See `LITTLE_WORK`.

Neurons that nothing here is compiled for, those of an extension, are run by `plain`.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

import numpy as np
from numba import njit

from wiring_search.networks.kernels import plain
from wiring_search.networks.kernels.cpu.items import entry_points, markers_of
from wiring_search.networks.kernels.cpu.lanes import (
    into_lanes,
    out_of_lanes,
    tiles_of,
    without_padding,
)
from wiring_search.networks.kernels.cpu.simd import LANES, aligned
from wiring_search.networks.kernels.cpu.threads import (
    at_most_threads,
    one_thread,
    set_thread_count,
    share,
    thread_count,
)
from wiring_search.networks.kernels.layout import Kind, PackLayout

__all__ = [
    "LANES",
    "LITTLE_WORK",
    "Kept",
    "aligned",
    "at_most_threads",
    "backward",
    "compiled_apart",
    "extremes",
    "forward",
    "histories",
    "one_thread",
    "set_thread_count",
    "thread_count",
]

# Synapse updates (`PackLayout.updates` × samples × time steps) below which a call runs on the
# calling thread. Two threads can save at most half of the time that so many take, about a
# millisecond.
LITTLE_WORK = 1 << 20

# Every file of this folder says which functions stand behind which slots, when it is imported.
for _file in iter_modules(__path__):
    import_module(f"{__name__}.{_file.name}")


class Kept(NamedTuple):
    """What `backward` needs of a forward pass, in lanes.

    Attributes:
        x: The inputs, (tiles, T, features, LANES) flat.
        elapsed: (tiles, T, LANES) flat.
        history: The state at the start of every time step, and the final one: for each candidate
            (tiles, T + 1, its states, LANES), flat.
        shape: (B, T, features).
    """

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
    """A pack through a whole sequence.

    Args:
        layout: Of the pack.
        params: (layout.parameters,) float32, contiguous, positive where they must be.
        x: (B, T, features) float32, contiguous.
        elapsed: (B, T) float32, contiguous, time units, ≥ 0; where 0 the state is held.
        state: (B, layout.state_size) float32, contiguous.
        every_step: Readouts of all time steps, or of the last one only.

    Returns:
        Readouts (candidates, B, T or 1, outputs), the final state (B, layout.state_size), and what
        `backward` needs.
    """
    if plain.is_needed(layout.kind):
        return plain.forward(layout, params, x, elapsed, state, every_step)
    samples, time_steps, _ = x.shape
    shown = time_steps if every_step else 1
    tiles = tiles_of(samples)
    kept = Kept(
        into_lanes(without_padding(x, elapsed)),
        into_lanes(elapsed),
        aligned(tiles * layout.state_size * (time_steps + 1) * LANES),
        x.shape,
    )
    y = aligned(layout.size * tiles * shown * layout.output_size * LANES)
    final = aligned(tiles * layout.state_size * LANES)
    markers = markers_of(layout.kind)
    forward_items, _ = entry_points(*map(type, markers))
    share(
        forward_items,
        *markers,
        layout.edges,
        params,
        kept.x,
        kept.elapsed,
        into_lanes(state),
        y,
        final,
        kept.history,
        count=_threads_for(layout, samples, time_steps),
    )
    y = out_of_lanes(y, layout.size, samples, (shown, layout.output_size))
    return y, out_of_lanes(final, 1, samples, (layout.state_size,))[0], kept


def backward(
    layout: PackLayout,
    params: np.ndarray,
    kept: Kept | plain.Kept,
    grad_y: np.ndarray,
    grad_final: np.ndarray,
    inputs_too: bool,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]:
    """The gradients of a pack.

    Args:
        layout: As in `forward`.
        params: As in `forward`.
        kept: By `forward`.
        grad_y: As the readouts, float32.
        grad_final: As the final state, float32.
        inputs_too: Whether x and elapsed get gradients.

    Returns:
        Gradients of the parameters, the initial state, x and elapsed; the last two None without
        `inputs_too`.
    """
    if isinstance(kept, plain.Kept):
        return plain.backward(kept, grad_y, grad_final, inputs_too)
    samples, time_steps, features = kept.shape
    tiles = tiles_of(samples)
    partial = np.empty((tiles, layout.parameters), np.float32)
    grad_state = aligned(tiles * layout.state_size * LANES)
    by_item = layout.size * tiles * time_steps * LANES if inputs_too else 0
    grad_x, grad_elapsed = aligned(by_item * features), aligned(by_item)
    markers = markers_of(layout.kind)
    _, backward_items = entry_points(*map(type, markers))
    share(
        backward_items,
        *markers,
        layout.edges,
        params,
        kept.x,
        kept.elapsed,
        kept.history,
        into_lanes(grad_y, packs=layout.size),
        into_lanes(grad_final),
        partial,
        grad_state,
        grad_x,
        grad_elapsed,
        count=_threads_for(layout, samples, time_steps),
    )
    grad_params = _sum_of_rows(partial)
    grad_state = out_of_lanes(grad_state, 1, samples, (layout.state_size,))[0]
    if not inputs_too:
        return grad_params, grad_state, None, None
    grad_x = out_of_lanes(grad_x, layout.size, samples, (time_steps, features)).sum(axis=0)
    grad_elapsed = out_of_lanes(grad_elapsed, layout.size, samples, (time_steps,)).sum(axis=0)
    return grad_params, grad_state, grad_x, grad_elapsed


def extremes(layout: PackLayout, kept: Kept | plain.Kept) -> tuple[np.ndarray, np.ndarray]:
    """The least and the greatest value of each state in a forward pass, two (states,)."""
    if isinstance(kept, plain.Kept):
        return plain.extremes(kept)
    lows, highs = [], []
    samples, time_steps, _ = kept.shape
    for states in layout.states:
        at = slice(
            *(
                end * tiles_of(samples) * (time_steps + 1) * LANES
                for end in (states.start, states.stop)
            )
        )
        visited = kept.history[at].reshape(
            tiles_of(samples), time_steps + 1, states.stop - states.start, LANES
        )
        lows.append(visited.min(axis=(0, 1, 3)))
        highs.append(visited.max(axis=(0, 1, 3)))
    return np.concatenate(lows), np.concatenate(highs)


def histories(layout: PackLayout, kept: Kept | plain.Kept) -> list[np.ndarray]:
    """The states that a forward pass visited, the first included.

    Returns:
        For each candidate a view (B, T + 1, neurons and memory cells).
    """
    if isinstance(kept, plain.Kept):
        return plain.histories(layout, kept)
    samples, time_steps, _ = kept.shape
    tiles = tiles_of(samples)
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
    return tuple(type(marker).__name__ for marker in markers_of(kind))


def _threads_for(layout: PackLayout, samples: int, time_steps: int) -> int:
    """How many threads share the items of a call."""
    tiles = tiles_of(samples)
    if layout.updates * tiles * LANES * time_steps < LITTLE_WORK:
        return 1
    return min(thread_count(), layout.size * tiles)


@njit(cache=True)
def _sum_of_rows(partial):
    result = partial[0].copy()
    for tile in range(1, len(partial)):
        for i in range(len(result)):
            result[i] += partial[tile, i]
    return result
