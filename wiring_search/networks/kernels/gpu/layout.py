"""How a pack lies on a GPU: its edge lists in slices.

    the synapses of eight neurons,     │ x x x x x x x x │ step 0
    one column each, in as many steps  │ x x x x x . . . │ step 1
    as the longest has synapses        │ x x . . . . . . │ step 2

A slice is ROWS rows side by side, with as many steps as its longest row has synapses; what is
missing (.) has weight 0.

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
neurons + j for the others. These leave it in a separate list (`onward`, over the rows of
`incoming`) and are not among the `outgoing`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from wiring_search.networks.kernels.layout import PackLayout
from wiring_search.networks.neurons.connections import Connections

# Rows of a slice, and samples of a program: lanes.
ROWS = 8
LANES = 32

# What a kernel reads of each candidate, in this order.
COLUMNS = (
    *("neurons", "sensory", "motors", "steps", "projected"),
    # In the flat parameters.
    *("at_params", "at_input", "at_output"),
    # Rows of those before it: neurons, sensory nodes, scratch.
    *("at_neuron", "at_sensory", "at_scratch"),
    # Its first slice of each kind; the next candidate's ends it.
    *("at_slice", "at_outgoing", "at_leaving"),
    # Of a memory; rows of states before its first one: of neurons and cells.
    *("cells", "at_memory", "at_state"),
    # Its first slice of each layer, and their end: side by side, see `gpu.sequence.layer_of`.
    *("at_last", "at_second", "at_first", "after_first"),
)


class Edges(NamedTuple):
    """Edges of a list in slices, with slots for the missing ones.

    start, width: (slices,) where a slice's edges start, and its steps. other: (slots,) the row,
    counted within the candidate, that an edge reads. numbers: (parameters of an edge, slots) where
    these stand in the flat parameters. real: (slots,) 1, or 0 for a missing one, whose `other` and
    `numbers` are 0. at: (edges,) the slots of those that there are.
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
    outgoing_rows, leaving_rows: (slices × ROWS,) the row in each slot of the slices, counted
    within the candidate; −1 for none. scratch_rows: of all candidates.
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


class _Before(NamedTuple):
    """(candidates + 1,) rows of those before each candidate: neurons, sensory nodes, scratch."""

    neurons: np.ndarray
    sensory: np.ndarray
    scratch: np.ndarray


class _Slices(NamedTuple):
    """Rows in slices.

    slot: (rows,) the slot of each row. member: (slots,) the row in each, −1 for none. first:
    (candidates × groups + 1,) slices before.
    """

    slot: np.ndarray
    member: np.ndarray
    first: np.ndarray


def to_device(
    layout: PackLayout,
    device: str | torch.device,
    scratch_rows: Sequence[int],
    of_edge: Sequence[str],
    swept: bool,
) -> GpuLayout:
    """The pack's index arrays on a device.

    Args:
        layout: Of the pack.
        device: Where they go.
        scratch_rows: Of each candidate, those that its kernel works in on the way back.
        of_edge: The names of a synapse's parameters.
        swept: Whether layers follow one another within a time step.
    """
    made = layout.connections
    neurons = np.array([wiring.neurons for wiring in layout.wirings])
    nodes = np.array([wiring.sensory for wiring in layout.wirings])
    before = _Before(_before(neurons), _before(nodes), _before(scratch_rows))
    inner, outer = [len(c.pre) for c in made], [len(c.sensory_pre) for c in made]

    # Of each synapse: what it reads and reaches, counted within its candidate, and where the rows
    # of its candidate start in the pack; `pre_row`, `post_row` …: counted over the whole pack.
    pre, post = _joined(c.pre for c in made), _joined(c.post for c in made)
    sensory_pre = _joined(c.sensory_pre for c in made)
    sensory_post = _joined(c.sensory_post for c in made)
    first_row = np.repeat(before.neurons[:-1], inner)
    pre_row, post_row = pre + first_row, post + first_row
    sensory_pre_row = sensory_pre + np.repeat(before.sensory[:-1], outer)
    sensory_post_row = sensory_post + np.repeat(before.neurons[:-1], outer)
    numbers = _numbers(layout, of_edge)
    sensory_numbers = _numbers(layout, [f"sensory_{name}" for name in of_edge])

    layers = np.array([c.layer_ends if swept else (c.neurons,) * 3 for c in made])
    new = np.concatenate([_reads_new(c, ends) for c, ends in zip(made, layers, strict=True)])
    old = ~new

    def lengths(rows: np.ndarray) -> np.ndarray:
        return np.bincount(rows, minlength=int(before.neurons[-1]))

    def edges(slices: _Slices, row: np.ndarray, other: np.ndarray, numbers: np.ndarray) -> Edges:
        return _edges(slices, row, other, numbers, device)

    incoming = _slices(
        np.diff(layers, axis=1, prepend=0),
        *(lengths(rows) for rows in (post_row, sensory_post_row, pre_row[new])),
    )
    outgoing = _slices(neurons[:, None], lengths(pre_row[old]))
    fan_out = np.bincount(sensory_pre_row, minlength=int(before.sensory[-1]))
    leaving = _slices(nodes[:, None], fan_out)
    read = pre + new * np.repeat(neurons, inner)
    return GpuLayout(
        layout=layout,
        table=_on(device, _table(layout, before, incoming, outgoing, leaving)),
        rows=_on(device, incoming.member),
        incoming=edges(incoming, post_row, read, numbers),
        sensory=edges(incoming, sensory_post_row, sensory_pre, sensory_numbers),
        onward=edges(incoming, pre_row[new], post[new], numbers[:, new]),
        outgoing_rows=_on(device, outgoing.member),
        outgoing=edges(outgoing, pre_row[old], post[old], numbers[:, old]),
        leaving_rows=_on(device, leaving.member),
        leaving=edges(leaving, sensory_pre_row, sensory_post, sensory_numbers),
        scratch_rows=sum(scratch_rows),
    )


def _reads_new(made: Connections, ends: np.ndarray) -> np.ndarray:
    """(E,) bool: connections from layers that were swept before that of their target."""
    return made.pre >= ends[np.searchsorted(ends, made.post, side="right")]


def _table(
    layout: PackLayout, before: _Before, incoming: _Slices, outgoing: _Slices, leaving: _Slices
) -> np.ndarray:
    table = np.zeros((layout.size + 1, len(COLUMNS)), np.int64)
    column = {name: table[:, i] for i, name in enumerate(COLUMNS)}
    known = layout.edges.table
    for name in ("neurons", "sensory", "motors", "steps", "projected", "cells"):
        column[name][:-1] = known[name]
    for name in ("at_params", "at_state"):
        column[name][:-1] = known[name]
    for name in ("at_memory", "at_input", "at_output"):
        column[name][:-1] = known[name] + known["at_params"]
    column["at_neuron"][:] = before.neurons
    column["at_sensory"][:] = before.sensory
    column["at_scratch"][:] = before.scratch
    column["at_slice"][:] = incoming.first[::3]
    column["at_outgoing"][:] = outgoing.first
    column["at_leaving"][:] = leaving.first
    for layer, name in enumerate(("at_last", "at_second", "at_first", "after_first")):
        column[name][:-1] = incoming.first[layer::3][: layout.size]
    return table


def _slices(groups: np.ndarray, *lengths: np.ndarray) -> _Slices:
    """A group's rows in slices, the longest first.

    Args:
        groups: (candidates, groups) rows of each.
        lengths: of each row, in one list over them or several; the first list counts first.
    """
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
    """Edges of a row keep the order in which they come. row: of each edge, over the whole pack."""
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
    slots = -(-int(start[-1]) // 16) * 16
    others, real = np.zeros(slots, np.int32), np.zeros(slots, np.float32)
    where = np.zeros((len(numbers), slots), np.int64)
    others[at], real[at], where[:, at] = other, 1.0, numbers
    return Edges(
        start=_on(device, start[:-1].astype(np.int32)),
        width=_on(device, width.astype(np.int32)),
        other=_on(device, others),
        numbers=_on(device, where),
        real=_on(device, real),
        at=_on(device, at),
    )


def _numbers(layout: PackLayout, names: Sequence[str]) -> np.ndarray:
    """(names, edges): where they stand in the flat parameters."""

    def positions(name: str) -> np.ndarray:
        return _joined(np.arange(block[name].start, block[name].stop) for block in layout.slices)

    return np.stack([positions(name) for name in names])


def _before(sizes: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


def _joined(parts: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.asarray(part, np.int64) for part in parts])


def _on(device: str | torch.device, array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(device)
