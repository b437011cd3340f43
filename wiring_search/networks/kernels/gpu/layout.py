"""How a pack lies on a GPU: its edge lists in slices.

    the synapses of eight neurons,     │ x x x x x x x x │ step 0       a slice: ROWS rows side by side, as many steps as
    one column each, in as many steps  │ x x x x x . . . │ step 1       its longest row has synapses; what is missing (.)
    as the longest has synapses        │ x x . . . . . . │ step 2       has weight 0

A program works on the rows of a slice at once, synapse k of each in step k: so its threads have
independent sigmoids to compute, and read neighbouring constants (SELL-C-σ: Kreutzer et al., SIAM J.
Sci. Comput. 36, 2014). Rows are sorted by their length within a candidate, never across candidates:
a candidate's numbers, and the order in which they are added, do not depend on its pack mates.

A pack has four lists: synapses by the neuron they reach (`incoming`; those from sensory nodes,
`sensory`, over the same rows), by the neuron they leave (`outgoing`), and by the sensory node they
leave (`leaving`).

Where layers are swept one after the other within a time step (`neurons.cfc`), a slice of neurons
holds rows of one layer, and a connection from a layer that was swept before reads the new state.
The new states lie behind the old ones: neuron j is row j for those that read its old state, row
neurons + j for the others. These leave it in a list of their own (`onward`, over the rows of
`incoming`) and are not among the `outgoing`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.networks.neurons.connections import Connections

# Rows of a slice.
ROWS = 8

# What a kernel reads of each candidate, in this order.
COLUMNS = (
    *("neurons", "sensory", "motors", "steps", "projected"),
    *("at_params", "at_input", "at_output"),  # in the flat parameters
    *(
        "at_neuron",
        "at_sensory",
        "at_scratch",
    ),  # rows of those before it: neurons, sensory nodes, scratch
    *(
        "at_slice",
        "at_outgoing",
        "at_leaving",
    ),  # its first slice of each kind; the next candidate's ends it
    *(
        "cells",
        "at_memory",
        "at_state",
    ),  # of a memory; rows of states before its own: of neurons and cells
    *(
        "at_last",
        "at_second",
        "at_first",
        "after_first",
    ),  # its first slice of each layer, and their end
)


class Edges(NamedTuple):
    """Edges of a list in slices, places for the missing ones included.

    start, width: (slices,) where a slice's edges start, and its steps. other: (places,) the row,
    counted within the candidate, that an edge reads. numbers: (parameters of an edge, places) where
    these stand in the flat parameters. real: (places,) 1, or 0 for a missing one, whose `other` and
    `numbers` are 0. at: (edges,) the places of those that there are.
    """

    start: torch.Tensor
    width: torch.Tensor
    other: torch.Tensor
    numbers: torch.Tensor
    real: torch.Tensor
    at: torch.Tensor


@dataclass(frozen=True, eq=False)
class GpuLayout:
    """A pack's layout, and its index arrays on a device.

    table: (candidates + 1, COLUMNS) int64; the last row ends what the others start. rows,
    outgoing_rows, leaving_rows: (slices × ROWS,) the row in each place of the slices, counted
    within the candidate; −1 for none.
    """

    layout: PackLayout
    table: torch.Tensor
    rows: torch.Tensor
    incoming: Edges
    sensory: Edges
    onward: Edges
    outgoing_rows: torch.Tensor
    outgoing: Edges
    leaving_rows: torch.Tensor
    leaving: Edges
    scratch_rows: int

    @property
    def device(self) -> torch.device:
        return self.table.device


class _Slices(NamedTuple):
    """slot: (rows,) the place of each row. member: the row in each place. first: (candidates ×
    groups + 1,) slices before."""

    slot: np.ndarray
    member: np.ndarray
    first: np.ndarray


def place(
    layout: PackLayout,
    device: str | torch.device,
    scratch_rows: Sequence[int],
    of_edge: Sequence[str],
    swept: bool,
) -> GpuLayout:
    """The pack's index arrays on a device. scratch_rows: of each candidate, those that its kernel
    works in. of_edge: the names of a synapse's parameters. swept: whether layers follow one another
    within a time step."""
    made = layout.connections
    neurons, nodes = (
        np.array([getattr(w, name) for w in layout.wirings]) for name in ("neurons", "sensory")
    )
    at_neuron, at_node = _before(neurons), _before(nodes)
    inner, outer = [len(c.pre) for c in made], [len(c.sensory_pre) for c in made]
    post, pre = (_joined(getattr(c, name) for c in made) for name in ("post", "pre"))
    sensory_post, sensory_pre = (
        _joined(getattr(c, name) for c in made) for name in ("sensory_post", "sensory_pre")
    )
    own, sensory_own = np.repeat(at_neuron[:-1], inner), np.repeat(at_neuron[:-1], outer)
    sensory_node = np.repeat(at_node[:-1], outer)
    numbers, sensory_numbers = (
        _numbers(layout, of_edge),
        _numbers(layout, [f"sensory_{name}" for name in of_edge]),
    )
    layers = np.array([c.layer_ends if swept else (c.neurons,) * 3 for c in made])
    new = np.concatenate([_reads_new(c, ends) for c, ends in zip(made, layers, strict=True)])
    old = ~new

    def lengths(rows: np.ndarray) -> np.ndarray:
        return np.bincount(rows, minlength=int(at_neuron[-1]))

    incoming = _slices(
        np.diff(layers, axis=1, prepend=0),
        *(lengths(rows) for rows in (post + own, sensory_post + sensory_own, (pre + own)[new])),
    )
    outgoing = _slices(neurons[:, None], lengths((pre + own)[old]))
    leaving = _slices(
        nodes[:, None], np.bincount(sensory_pre + sensory_node, minlength=int(at_node[-1]))
    )

    def edges(slices: _Slices, row: np.ndarray, other: np.ndarray, numbers: np.ndarray) -> Edges:
        return _edges(slices, row, other, numbers, device)

    return GpuLayout(
        layout,
        _on(
            device,
            _table(layout, at_neuron, at_node, _before(scratch_rows), incoming, outgoing, leaving),
        ),
        _on(device, incoming.member),
        edges(incoming, post + own, pre + new * np.repeat(neurons, inner), numbers),
        edges(incoming, sensory_post + sensory_own, sensory_pre, sensory_numbers),
        edges(incoming, (pre + own)[new], post[new], numbers[:, new]),
        _on(device, outgoing.member),
        edges(outgoing, (pre + own)[old], post[old], numbers[:, old]),
        _on(device, leaving.member),
        edges(leaving, sensory_pre + sensory_node, sensory_post, sensory_numbers),
        sum(scratch_rows),
    )


def _reads_new(made: Connections, ends: np.ndarray) -> np.ndarray:
    """(E,) bool: connections from layers that were swept before that of their target."""
    return made.pre >= ends[np.searchsorted(ends, made.post, side="right")]


def _table(layout, at_neuron, at_node, at_scratch, incoming, outgoing, leaving) -> np.ndarray:
    table = np.zeros((layout.size + 1, len(COLUMNS)), np.int64)
    record = {name: table[:, place] for place, name in enumerate(COLUMNS)}
    for name in (
        "neurons",
        "sensory",
        "motors",
        "steps",
        "projected",
        "cells",
        "at_params",
        "at_state",
    ):
        record[name][:-1] = layout.edges.table[name]
    for name in ("at_memory", "at_input", "at_output"):
        record[name][:-1] = layout.edges.table[name] + layout.edges.table["at_params"]
    record["at_neuron"][:], record["at_sensory"][:], record["at_scratch"][:] = (
        at_neuron,
        at_node,
        at_scratch,
    )
    record["at_slice"][:], record["at_outgoing"][:], record["at_leaving"][:] = (
        incoming.first[::3],
        outgoing.first,
        leaving.first,
    )
    for layer, name in enumerate(("at_last", "at_second", "at_first", "after_first")):
        record[name][:-1] = incoming.first[layer::3][: layout.size]
    return table


def _slices(groups: np.ndarray, *lengths: np.ndarray) -> _Slices:
    """groups: (candidates, groups) rows of each. A group's rows, the longest first; of several
    lists over the same rows the first one counts first."""
    sizes = groups.ravel()
    group = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((*(-length for length in reversed(lengths)), group))
    first, before = _before(-(-sizes // ROWS)), _before(sizes)
    slot = np.empty(len(group), np.int64)
    slot[order] = np.repeat(first[:-1] * ROWS - before[:-1], sizes) + np.arange(len(group))
    member = np.full(first[-1] * ROWS, -1, np.int32)
    member[slot] = np.concatenate([np.arange(rows) for rows in groups.sum(axis=1)])
    return _Slices(slot, member, first)


def _edges(
    slices: _Slices,
    row: np.ndarray,
    other: np.ndarray,
    numbers: np.ndarray,
    device: str | torch.device,
) -> Edges:
    """row: of each edge, counted over the whole pack. Edges of a row keep the order in which they
    come."""
    order = np.argsort(row, kind="stable")
    row, other, numbers = row[order], other[order], numbers[:, order]
    length = np.bincount(row, minlength=len(slices.slot))
    width = np.zeros(len(slices.member), np.int64)
    width[slices.slot] = length
    width = width.reshape(-1, ROWS).max(axis=1)
    start = _before(width * ROWS)
    step = np.arange(len(row)) - _before(length)[row]
    at = start[slices.slot[row] // ROWS] + step * ROWS + slices.slot[row] % ROWS
    # Rounded up, since Triton compiles a kernel anew for an argument that 16 divides.
    places = -(-int(start[-1]) // 16) * 16
    other_end, real, where = (
        np.zeros(places, np.int32),
        np.zeros(places, np.float32),
        np.zeros((len(numbers), places), np.int64),
    )
    other_end[at], where[:, at], real[at] = other, numbers, 1.0
    return Edges(
        *(
            _on(device, array)
            for array in (
                start[:-1].astype(np.int32),
                width.astype(np.int32),
                other_end,
                where,
                real,
                at,
            )
        )
    )


def _numbers(layout: PackLayout, names: Sequence[str]) -> np.ndarray:
    """(names, edges): where they stand in the flat parameters."""
    return np.stack(
        [
            _joined(np.arange(block[name].start, block[name].stop) for block in layout.slices)
            for name in names
        ]
    )


def _before(sizes: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.asarray(part, np.int64) for part in parts])


def _on(device: str | torch.device, array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
